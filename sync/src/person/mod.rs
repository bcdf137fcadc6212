//! `stint-sync --store FILE`: a person's command, which has no network of its own, asks the store by
//! this. Questions come in on standard input, a JSON document a line, answers go out on standard output;
//! the end of the input is the end. It runs in the person's name and with the person's certificate, never
//! as root; what that person may in the store is the store's to say. It judges nothing that it passes on.

mod ask;
mod watch;

use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use stint_hostfiles::read_plain;
use stint_policy::fleet;
use stint_policy::sync::Etcd;
use stint_proto::store::{Answer, Question, Trouble};
use tokio::sync::{mpsc, oneshot};

use crate::program::BAD_CONFIGURATION;
use crate::store;
use ask::Asking;

/// The most bytes of a question: a document, as JSON may have to write it.
const QUESTION: u64 = 8 * 1024 * 1024;
/// How many questions may wait.
const QUESTIONS: usize = 16;

/// Serves the command until its questions end.
#[must_use]
pub fn run(file: &Path) -> ExitCode {
    if nix::unistd::Uid::effective().is_root() {
        eprintln!("stint-sync: what speaks with the network is never root");
        return ExitCode::FAILURE;
    }
    let etcd = match settings(file) {
        Ok(etcd) => etcd,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    match store::runtime() {
        Ok(runtime) => runtime.block_on(serve(etcd, questions())),
        Err(error) => {
            eprintln!("stint-sync: {error}");
            ExitCode::FAILURE
        }
    }
}

fn settings(file: &Path) -> Result<Etcd, String> {
    let source = read_plain(file).map_err(|error| format!("stint-sync: {error}"))?;
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let settings = fleet::parse(&source, home.as_deref()).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.join("\n")
    })?;
    Ok(settings.etcd)
}

/// What is asked, read in a thread of its own, as standard input cannot be waited for otherwise.
fn questions() -> mpsc::Receiver<Result<Question, String>> {
    let (asks, asked) = mpsc::channel(QUESTIONS);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut input).take(QUESTION).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let question = serde_json::from_slice(&line)
                .map_err(|error| format!("this is no question: {error}"));
            if asks.blocking_send(question).is_err() {
                return;
            }
        }
    });
    asked
}

/// Answers one after the other. What is watched is told in between.
async fn serve(etcd: Etcd, mut asked: mpsc::Receiver<Result<Question, String>>) -> ExitCode {
    let mut asking = Asking::new(etcd.clone());
    while let Some(question) = asked.recv().await {
        let answer = match question {
            Err(message) => Err((Trouble::Failed, message)),
            Ok(Question::Get { prefix, most }) => asking.get(&prefix, most).await,
            Ok(Question::Put { key, value, seconds }) => asking.put(&key, &value, seconds).await,
            Ok(Question::Watch { prefix, after, most }) => {
                let (begun, begins) = oneshot::channel();
                tokio::spawn(watch::run(etcd.clone(), prefix, (after, most), begun));
                // It says how it has begun, or is gone.
                let lost = || Err((Trouble::Failed, "the watch is gone".to_owned()));
                begins.await.unwrap_or_else(|_| lost()).map(|()| Answer::Done)
            }
        };
        let answer = answer.unwrap_or_else(|(why, message)| Answer::Not { why, message });
        if !tell(&answer) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Why something was not done, for programs and for people.
type Why = (Trouble, String);

/// Says something; whether there still is somebody who reads it.
fn tell(answer: &Answer) -> bool {
    let Ok(mut line) = serde_json::to_vec(answer) else { return false };
    line.push(b'\n');
    let mut output = std::io::stdout().lock();
    output.write_all(&line).and_then(|()| output.flush()).is_ok()
}
