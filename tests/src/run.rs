//! Runs one command with a deadline and brings back all it said. It starts commands and reads
//! them; it knows hosts only as a process id to enter.

use crate::clock::{Deadline, pause};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// The search path inside a host.
pub(crate) const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit status; 128 and the signal's number when a signal ended it, as a shell says it.
    pub status: i32,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Output {
    /// Whether it ended with status 0.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.status == 0
    }

    /// Both outputs, the standard one first: for programs that do not care which one they use.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}\n{}{}", self.status, self.stdout, self.stderr)
    }
}

/// The exit status as a shell would give it.
pub(crate) fn shell_status(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// The command line that runs `argv` in the host whose first process is `leader`: in every one of
/// its namespaces, with a clean environment and without the terminal of whoever runs the tests.
pub(crate) fn enter(leader: i32, argv: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command.args(["nsenter", "-t", &leader.to_string(), "-a", "--", "env", "-i"]);
    // Whoever runs the tests may ignore signals; a person at a terminal does not.
    command.arg("--default-signal=HUP,INT,QUIT,TERM,PIPE");
    command.args([PATH, "LANG=C.UTF-8", "HOME=/root"]).args(argv);
    command
}

/// Runs `command` with `input` as its standard input.
///
/// # Panics
/// When it does not start, or has not ended by the deadline: it is killed then.
pub(crate) fn run(mut command: Command, input: &[u8], deadline: Deadline) -> Output {
    let (status, stdout, stderr) = run_raw(&mut command, input, deadline);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { status, stdout: text(stdout), stderr: text(stderr) }
}

/// As `run`, with the outputs byte by byte.
pub(crate) fn run_raw(
    command: &mut Command,
    input: &[u8],
    deadline: Deadline,
) -> (i32, Vec<u8>, Vec<u8>) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that does not read its input is not in the wrong.
    thread::spawn(move || drop(stdin.write_all(&input)));
    let stdout = gather(child.stdout.take().unwrap());
    let stderr = gather(child.stderr.take().unwrap());
    let Some(status) = wait(&mut child, deadline) else {
        end_tree(&mut child);
        let grace = Duration::from_secs(2);
        let said = |from: Receiver<Vec<u8>>| from.recv_timeout(grace).unwrap_or_default();
        let (stdout, stderr) = (said(stdout), said(stderr));
        panic!(
            "{command:?} did not end within {:?}; it said:\n{}{}",
            deadline.elapsed(),
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        );
    };
    // Something that it left running may hold the pipes open: that is then what the test is told.
    let patience = deadline.left().max(Duration::from_secs(2));
    let all = |from: Receiver<Vec<u8>>| {
        from.recv_timeout(patience).unwrap_or_else(|_| {
            panic!("{command:?} ended, but what it started still holds its output open")
        })
    };
    (shell_status(status), all(stdout), all(stderr))
}

fn gather(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        // What was read before an error is still what it said.
        let _ = from.read_to_end(&mut all);
        let _ = sender.send(all);
    });
    receiver
}

/// Waits for a child of ours; `None` when the deadline passes first.
pub(crate) fn wait(child: &mut Child, deadline: Deadline) -> Option<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours can be waited for") {
            return Some(status);
        }
        if deadline.passed() {
            return None;
        }
        pause(Duration::from_millis(3));
    }
}

/// Ends a child and what it forked to enter the host, each by its id.
pub(crate) fn end_tree(child: &mut Child) {
    for pid in descendants(pid_of(child)) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The process id of a child, as the kernel types it.
pub(crate) fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("process ids are positive and below 2^22")
}

/// The children of a process, in the order they were born.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn descendants(pid: i32) -> Vec<i32> {
    let mut found = children(pid);
    let mut next = 0;
    while let Some(&child) = found.get(next) {
        found.extend(children(child));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Deadline, run};
    use std::process::Command;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    #[should_panic(expected = "did not end within")]
    fn a_command_that_hangs_is_ended() {
        let deadline = Deadline::after(std::time::Duration::from_millis(300));
        run(sh("echo before; sleep 300; true"), b"", deadline);
    }

    #[test]
    fn status_and_both_outputs_come_back() {
        let output = run(sh("cat; echo no >&2; exit 7"), b"yes\n", Deadline::seconds(20));
        assert_eq!((output.status, output.ok()), (7, false));
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("yes\n", "no\n"));
        assert_eq!(output.text(), "yes\nno\n");
    }

    #[test]
    fn a_signal_is_told_as_a_shell_tells_it() {
        assert_eq!(run(sh("kill -KILL $$"), b"", Deadline::seconds(20)).status, 137);
    }
}
