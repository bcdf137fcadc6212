//! A person at a terminal of the host: a login shell that stays open between commands, on a pty
//! of the host's own, into which a test types and from which it reads. What a shell kept from the
//! time when it was opened (groups, tickets) can only be seen this way.

use crate::clock::Deadline;
use crate::run::{Output, end_tree, enter};
use crate::screen::Screen;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How long a prompt or the end of a command is awaited, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open shell. Dropping it hangs up.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<Vec<u8>>,
    unread: String,
    commands: u32,
}

impl Shell {
    /// Opens a login shell of `user` by `runuser`, which runs the session modules (so it has a
    /// session of its own in logind) but asks no gate.
    pub(crate) fn open(leader: i32, user: &str) -> Self {
        // script gives it a terminal of the host's own, as sudo, getty and sshd would.
        let login = format!("exec runuser -l {user}");
        let argv = ["TERM=dumb", "script", "-q", "-e", "-c", login.as_str(), "/dev/null"];
        let mut command = enter(leader, &argv);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("setsid and nsenter are installed");
        let keys = child.stdin.take().unwrap();
        let screen = watch(child.stdout.take().unwrap());
        let mut shell = Self { child, keys, screen, unread: String::new(), commands: 0 };
        // The mark is typed in two halves, so that its echo is not taken for its output.
        shell.type_line("stty -echo -onlcr; PS1= PS2=; printf '@@%s\\n' open");
        shell.expect("@@open\n");
        shell
    }

    /// Runs one command and waits for it: its status, and what the terminal showed as `stdout`.
    ///
    /// # Panics
    /// When it does not end within a minute; the message holds what was shown.
    pub fn run(&mut self, command: &str) -> Output {
        self.start(command);
        self.finish()
    }

    /// Types a command and does not wait: for commands that ask something. Then `expect`,
    /// `type_line`, and `finish`.
    pub fn start(&mut self, command: &str) {
        self.commands += 1;
        // On one line: a program that asks for a password throws away what was typed ahead.
        let command = command.replace('\'', r"'\''");
        self.type_line(&format!("eval '{command}'; printf '@@%s %s\\n' {} \"$?\"", self.commands));
    }

    /// Runs one command and answers each question for a password with this one.
    ///
    /// # Panics
    /// When it asks more than three times, or does not end within a minute.
    pub fn run_with_password(&mut self, command: &str, password: &str) -> Output {
        self.start(command);
        let mark = format!("@@{} ", self.commands);
        let mut shown = String::new();
        for _ in 0..4 {
            let text = match self.seen_first(&[&mark, "assword: ", "assword for "], PATIENCE) {
                Ok(text) => text,
                Err(why) => panic!("{command} did not end ({why}): {shown}{}", self.unread),
            };
            shown.push_str(&text);
            if let Some(said) = shown.strip_suffix(&mark) {
                return self.finished(said.to_owned());
            }
            if shown.ends_with("for ") {
                shown.push_str(&self.expect(": "));
            }
            self.type_line(password);
        }
        panic!("{command} asks again and again: {shown}");
    }

    /// Types Ctrl-C, and waits until the shell takes commands again: `finish` is not called then.
    /// Returns what the terminal showed until then.
    ///
    /// # Panics
    /// When it takes no commands within a minute.
    pub fn interrupt(&mut self) -> String {
        let deadline = Deadline::after(PATIENCE);
        self.type_keys("\x03");
        let mut shown = String::new();
        while !deadline.passed() {
            self.commands += 1;
            // Typed again and again: what comes too early is thrown away with the interrupt.
            self.type_line(&format!("printf '@@%s\\n' {}", self.commands));
            let mark = format!("@@{}\n", self.commands);
            if let Ok(text) = self.seen(&mark, Duration::from_secs(1)) {
                shown.push_str(&text);
                return shown;
            }
        }
        panic!("the shell takes no commands after Ctrl-C: {}", self.unread);
    }

    /// Waits for the end of the command that `start` began.
    ///
    /// # Panics
    /// When it does not end within a minute.
    pub fn finish(&mut self) -> Output {
        let mark = format!("@@{} ", self.commands);
        let stdout = self.expect(&mark);
        self.finished(stdout.strip_suffix(&mark).unwrap().to_owned())
    }

    fn finished(&mut self, stdout: String) -> Output {
        let status = self.expect("\n");
        let status = status.trim().parse().unwrap_or_else(|_| panic!("a status: {status:?}"));
        Output { status, stdout, stderr: String::new() }
    }

    /// Types a line, with the return key.
    pub fn type_line(&mut self, line: &str) {
        self.type_keys(&format!("{line}\n"));
    }

    /// Types keys as they are: `"\x03"` is Ctrl-C.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
    }

    /// Waits until the terminal shows `text`, and returns what it showed up to the end of that.
    ///
    /// # Panics
    /// When it does not within a minute, or the shell ends before.
    pub fn expect(&mut self, text: &str) -> String {
        self.expect_within(text, PATIENCE)
    }

    /// As `expect`, with a patience of its own.
    ///
    /// # Panics
    /// When the text does not come in time, or the shell ends before.
    pub fn expect_within(&mut self, text: &str, patience: Duration) -> String {
        match self.seen(text, patience) {
            Ok(shown) => shown,
            Err(why) => panic!("{text:?} was not shown ({why}), but: {}", self.unread),
        }
    }

    /// Writes all that the terminal was sent to this screen, until it shows what is wanted.
    ///
    /// # Panics
    /// When it does not within a minute, or the shell ends before; the message holds the screen.
    pub fn watch(&mut self, screen: &mut Screen, wanted: &str, shows: impl Fn(&Screen) -> bool) {
        let deadline = Deadline::after(PATIENCE);
        loop {
            screen.write(&std::mem::take(&mut self.unread));
            if shows(screen) {
                return;
            }
            match self.screen.recv_timeout(deadline.left()) {
                Ok(bytes) => self.unread.push_str(&String::from_utf8_lossy(&bytes)),
                Err(why) => panic!("no {wanted} ({why}), but:\n{}", screen.lines().join("\n")),
            }
        }
    }

    fn seen(&mut self, text: &str, patience: Duration) -> Result<String, RecvTimeoutError> {
        self.seen_first(&[text], patience)
    }

    /// What was shown up to the end of whichever text comes first.
    fn seen_first(
        &mut self,
        texts: &[&str],
        patience: Duration,
    ) -> Result<String, RecvTimeoutError> {
        let deadline = Deadline::after(patience);
        loop {
            let found = texts.iter().filter_map(|text| Some(self.unread.find(text)? + text.len()));
            if let Some(end) = found.min() {
                let rest = self.unread.split_off(end);
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            let bytes = self.screen.recv_timeout(deadline.left())?;
            self.unread.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Whether the shell has ended, such as because the host ended its session.
    ///
    /// # Panics
    /// Never: it is a child of this process.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours can be waited for").is_some()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        end_tree(&mut self.child);
    }
}

fn watch(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            if sender.send(piece.get(..count).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
