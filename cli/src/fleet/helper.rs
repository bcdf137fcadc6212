//! stint-sync, run in the person's own name: the one program with a network is asked, and what it
//! says is passed on. A JSON document a line, each way.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use stint_policy::text::harmless;
use stint_proto::ExitStatus;
use stint_proto::store::{Answer, Question, Trouble};

use super::store::{Entry, Event, Store};
use crate::failure::Failure;

/// The program.
const PROGRAM: &str = "/usr/sbin/stint-sync";
/// How long an answer may take: it has limits of its own, which are shorter.
const LIMIT: Duration = Duration::from_secs(60);
/// The most bytes of a line that is read.
const LINE_LIMIT: u64 = 512 * 1_024 * 1_024;
/// How many lines may wait to be looked at.
const LINES: usize = 1_024;
/// The most bytes of its last words.
const WORDS: u64 = 4 * 1_024;

/// The store, by way of stint-sync.
#[derive(Debug)]
pub struct Helper {
    child: Child,
    /// Taken away at the end: then it ends.
    input: Option<ChildStdin>,
    said: Receiver<Answer>,
    /// What was said while an answer was waited for.
    events: VecDeque<Event>,
    /// The most bytes of a value.
    most: usize,
}

impl Helper {
    /// Starts it with this fleet.toml.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(file: &Path, most: usize) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::failed(format!("{PROGRAM} cannot be run: {error} (the package stint has it)"))
        };
        let mut child = Command::new(PROGRAM)
            .arg("--store")
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (heard, said) = sync_channel(LINES);
        if let Some(output) = output {
            let reader = std::thread::Builder::new().name("store".to_owned());
            reader.spawn(move || listen(output, &heard)).map_err(failed)?;
        }
        Ok(Self { child, input, said, events: VecDeque::new(), most })
    }

    /// Asks, and waits for the answer.
    fn ask(&mut self, question: &Question) -> Result<Answer, Failure> {
        let mut line = serde_json::to_vec(question)
            .map_err(|error| Failure::failed(format!("a question to the store: {error}")))?;
        line.push(b'\n');
        if let Some(input) = &mut self.input {
            // If it has ended it has said why.
            drop(input.write_all(&line).and_then(|()| input.flush()));
        }
        loop {
            match self.said.recv_timeout(LIMIT) {
                Ok(Answer::Not { why, message }) => return Err(not_done(why, &message)),
                Ok(answer @ (Answer::Got { .. } | Answer::Done)) => return Ok(answer),
                Ok(event) => self.events.extend(as_event(event)),
                Err(RecvTimeoutError::Timeout) => return Err(away("it does not answer")),
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        }
    }

    /// Why it has ended.
    fn ended(&mut self) -> Failure {
        self.input = None;
        let mut words = Vec::new();
        if let Some(errors) = &mut self.child.stderr {
            // Without them the status has to do.
            drop(errors.take(WORDS).read_to_end(&mut words));
        }
        let status = self.child.wait();
        let words = String::from_utf8_lossy(&words);
        let words: Vec<String> = words.lines().map(harmless).collect();
        if words.is_empty() {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            return Failure::failed(format!("stint-sync has ended ({status})"));
        }
        Failure::bare(ExitStatus::Failed, words.join("\n"))
    }
}

impl Store for Helper {
    fn get(&mut self, prefix: &str, most: usize) -> Result<(i64, Vec<Entry>), Failure> {
        match self.ask(&Question::Get { prefix: prefix.to_owned(), most })? {
            Answer::Got { revision, entries } => Ok((revision, entries)),
            _ => Err(out_of_step()),
        }
    }

    fn put(&mut self, key: &str, value: &str, seconds: Option<u64>) -> Result<(), Failure> {
        let (key, value) = (key.to_owned(), value.to_owned());
        match self.ask(&Question::Put { key, value, seconds })? {
            Answer::Done => Ok(()),
            _ => Err(out_of_step()),
        }
    }

    fn watch(&mut self, prefix: &str, after: i64) -> Result<(), Failure> {
        let most = self.most;
        match self.ask(&Question::Watch { prefix: prefix.to_owned(), after, most })? {
            Answer::Done => Ok(()),
            _ => Err(out_of_step()),
        }
    }

    fn next(&mut self, within: Duration) -> Result<Option<Event>, Failure> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        match self.said.recv_timeout(within) {
            Ok(Answer::Not { why, message }) => Err(not_done(why, &message)),
            Ok(event) => as_event(event).map(Some).ok_or_else(out_of_step),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }
}

/// What was asked for has been answered, and nothing is lost with it.
impl Drop for Helper {
    fn drop(&mut self) {
        self.input = None;
        // One that has ended cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what it says until it ends, or says what is none of its words.
fn listen(output: ChildStdout, heard: &SyncSender<Answer>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut output).take(LINE_LIMIT).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let Ok(answer) = serde_json::from_slice(&line) else { return };
        if heard.send(answer).is_err() {
            return;
        }
    }
}

fn as_event(answer: Answer) -> Option<Event> {
    match answer {
        Answer::Put(entry) => Some(Event::Put(entry)),
        Answer::Deleted(key) => Some(Event::Deleted(key)),
        Answer::Anew => Some(Event::Anew),
        Answer::Lost(why) => Some(Event::Lost(why)),
        Answer::Found => Some(Event::Found),
        Answer::Got { .. } | Answer::Done | Answer::Not { .. } => None,
    }
}

fn not_done(why: Trouble, message: &str) -> Failure {
    match why {
        Trouble::Away => away(message),
        Trouble::Denied => Failure::new(
            ExitStatus::Refused,
            format!("the store does not let you: {}", harmless(message)),
        ),
        Trouble::Failed => Failure::failed(format!("the store: {}", harmless(message))),
    }
}

fn away(why: &str) -> Failure {
    let why = harmless(why);
    Failure::new(ExitStatus::Unavailable, format!("the store cannot be reached: {why}"))
}

fn out_of_step() -> Failure {
    Failure::failed("stint-sync answers something else than it was asked")
}
