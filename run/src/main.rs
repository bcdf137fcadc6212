//! stint-run, setuid root: runs a program as its caller, with the groups of a grant of theirs, in
//! this process alone and without a new login.
//!
//! Until its privileges are gone for good it reads nothing of the caller's but argv and their real
//! ids: no environment variable, no file, no descriptor of theirs. It decides nothing: stintd says
//! which groups, and whatever fails before the privileges are gone ends it with nothing run.

#![forbid(unsafe_code)]

mod order;
mod privilege;

use std::fmt;
use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::unistd::Uid;
use stint_ask::{Daemon, Deadline, Line, NoAnswer, Room, harmless};
use stint_proto::{ErrorCode, ExitStatus, GrantId, PAM_SOCKET};

use order::Order;

/// How long stintd may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The program is there and cannot be run, as shells and env(1) say it.
const NOT_EXECUTABLE: u8 = 126;
/// There is no such program.
const NOT_FOUND: u8 = 127;

/// Why nothing was run: one line, and the exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    text: String,
    status: u8,
}

impl Failure {
    fn new(status: ExitStatus, text: impl fmt::Display) -> Self {
        Self::with(status as u8, &text.to_string())
    }

    fn with(status: u8, text: &str) -> Self {
        Self { text: harmless(text).as_str().to_owned(), status }
    }
}

fn main() -> ExitCode {
    // The usual hook would read the environment for whether to show a trace.
    std::panic::set_hook(Box::new(|_| say("it has a bug and panicked; nothing was run")));
    let failure = run();
    say(&failure.text);
    ExitCode::from(failure.status)
}

/// Runs the program in the place of this one; returns only if that cannot be.
fn run() -> Failure {
    match prepare() {
        Ok(order) => become_program(&order),
        Err(failure) => failure,
    }
}

/// Up to the point where nothing is left of the privileges but the groups.
fn prepare() -> Result<Order, Failure> {
    let order =
        Order::read(std::env::args_os()).map_err(|error| Failure::new(ExitStatus::Usage, error))?;
    // Root has every group's rights already, and no grants.
    if Uid::current().is_root() {
        return Ok(order);
    }
    if !Uid::effective().is_root() {
        let text = "this program has lost its rights: root: chmod 4755 /usr/libexec/stint/stint-run, \
                    and mount its file system without nosuid";
        return Err(Failure::new(ExitStatus::Failed, text));
    }
    take_groups(&order.grant)?;
    privilege::give_up().map_err(|error| Failure::new(ExitStatus::Failed, error))?;
    Ok(order)
}

/// Adds the groups of the grant to the process's. It is asked for twice: the caller can stop this
/// process (it is theirs) for as long as they like, and a grant may end meanwhile. Once it has the
/// groups, the end of the grant finds it; so what counts is that the grant is held then.
fn take_groups(grant: &GrantId) -> Result<(), Failure> {
    let deadline = Deadline::after(PATIENCE);
    let daemon = Daemon { socket: PAM_SOCKET, uid: 0 };
    let ask = || {
        let mut room = Room::default();
        let groups = stint_ask::run_groups(daemon, grant.as_str(), deadline, &mut room);
        groups.map(Vec::from_iter).map_err(|error| no_answer(&error))
    };
    let granted = ask()?;
    let added = privilege::add_groups(&granted);
    if added.map_err(|error| Failure::new(ExitStatus::Failed, error))? && ask()? != granted {
        let text = format!("the role of {grant} was changed this moment; try again");
        return Err(Failure::new(ExitStatus::Failed, text));
    }
    Ok(())
}

/// What it comes to that stintd gave no groups.
fn no_answer(error: &NoAnswer<'_>) -> Failure {
    match error {
        NoAnswer::Refused { name, text } => {
            let status = match ErrorCode::from_bus_name(name) {
                None | Some(ErrorCode::Failed | ErrorCode::PolicyRejected) => ExitStatus::Failed,
                Some(_) => ExitStatus::Refused,
            };
            Failure::new(status, text)
        }
        NoAnswer::Trouble(_) if error.is_silence() => {
            let text = "stintd does not answer, so nothing was run. root: systemctl status stintd";
            Failure::new(ExitStatus::Unavailable, text)
        }
        NoAnswer::Trouble(trouble) => {
            Failure::new(ExitStatus::Failed, Line::saying([], trouble).as_str())
        }
    }
}

/// Searched for along the caller's PATH, by the caller's rights.
fn become_program(order: &Order) -> Failure {
    let error = Command::new(&order.program).args(&order.arguments).exec();
    let status = match error.kind() {
        ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    };
    let program = order.program.to_string_lossy();
    // The kernel's words for it, without the number that the error's own text has.
    let why = error.raw_os_error().map(nix::errno::Errno::from_raw);
    let why = why.map_or_else(|| error.to_string(), |errno| errno.desc().to_owned());
    Failure::with(status, &format!("{program} cannot be run: {why}"))
}

/// One line on standard error, whoever may read it: there is nobody to tell that it failed.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "stint: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: ErrorCode) -> Failure {
        no_answer(&NoAnswer::Refused { name: code.bus_name(), text: "why\u{1b}[2J" })
    }

    #[test]
    fn a_refusal_is_told_apart_from_what_failed() {
        for code in ErrorCode::ALL {
            let failed = matches!(code, ErrorCode::Failed | ErrorCode::PolicyRejected);
            assert_eq!(refused(code).status, if failed { 1 } else { 3 }, "{code:?}");
        }
        assert_eq!(refused(ErrorCode::Refused).text, "why?[2J");
    }

    #[test]
    fn silence_is_a_daemon_that_is_away() {
        assert_eq!(no_answer(&stint_ask::Trouble::TimedOut.into()).status, 69);
        assert_eq!(no_answer(&stint_ask::Trouble::Impostor { uid: 7 }.into()).status, 1);
    }

    #[test]
    fn a_program_that_is_not_there_is_told_apart_from_one_that_cannot_be_run() {
        let failure = |program: &str| {
            become_program(&Order {
                grant: "g4t9".parse().unwrap(),
                program: program.into(),
                arguments: Vec::new(),
            })
        };
        let missing = failure("/nonexistent");
        assert_eq!(missing.status, 127);
        assert_eq!(missing.text, "/nonexistent cannot be run: No such file or directory");
        assert_eq!(failure("/").status, 126);
        assert_eq!(failure("a\0b").status, 126);
    }
}
