//! A program in a host that is told things a line at a time and answers each with a line. It knows
//! nothing of what is said.

use crate::clock::Deadline;
use crate::host::Host;
use crate::run::{end_tree, enter};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// A program that runs in a host for as long as this is held. What it says on standard error goes to
/// that of the tests.
#[derive(Debug)]
pub struct Dialogue {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Dialogue {
    /// Starts a line of shell as root.
    ///
    /// # Panics
    /// When nothing can be started.
    #[must_use]
    pub fn start(host: &Host, line: &str) -> Self {
        let mut command = enter(host.leader(), &["sh", "-c", line]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("setsid and nsenter are installed");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, input, lines }
    }

    /// Says a line and waits for the answer.
    ///
    /// # Panics
    /// When it does not answer within this time, or has ended.
    pub fn ask(&mut self, line: &str, patience: Duration) -> String {
        self.say(line);
        self.hear(line, patience)
    }

    /// Says a line; the answer is to be heard later.
    ///
    /// # Panics
    /// When the program has ended.
    pub fn say(&mut self, line: &str) {
        let said = writeln!(self.input, "{line}").and_then(|()| self.input.flush());
        said.unwrap_or_else(|error| panic!("{line}: the program takes nothing more: {error}"));
    }

    /// The next line that it says; `what` it is about is for the message.
    ///
    /// # Panics
    /// When it says nothing within this time, or has ended.
    pub fn hear(&mut self, what: &str, patience: Duration) -> String {
        let deadline = Deadline::after(patience);
        match self.lines.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{what}: no answer within {patience:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("{what}: it ended after {:?}", deadline.elapsed())
            }
        }
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        end_tree(&mut self.child);
    }
}
