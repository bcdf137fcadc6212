//! `stint run`: a command with a role, for as long as the command runs.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use stint_policy::text::harmless;
use stint_proto::Grant;

use crate::args::RunArgs;
use crate::failure::Failure;
use crate::obtain::{HELPER, Obtained, give_back, obtain};
use crate::out;
use crate::signals::{Came, Held, die_of};

/// As shells have it.
const NOT_FOUND: u8 = 127;
/// As shells have it.
const NOT_EXECUTABLE: u8 = 126;
/// How long until the command is looked at again, should the word of its end be lost.
const TICK: Duration = Duration::from_secs(1);
/// As shells have it: added to the number of a signal.
const BY_SIGNAL: i32 = 128;

/// Runs a command with a role; the command's exit status.
///
/// # Errors
/// When the role is not to be had, or the command could not be run to its end.
pub fn run(args: RunArgs) -> Result<u8, Failure> {
    let RunArgs { asking, command } = args;
    let Obtained { grant, ours } = obtain(asking)?;
    // From here on nothing that can be held back ends this process before the role is given back.
    let signals = Held::hold(&[
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGCHLD,
    ])?;
    let ending = with(&grant, &command, &signals);
    if ours {
        give_back(&grant);
    }
    drop(signals);
    ending.map(pass_on)
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// With this exit status.
    Status(u8),
    /// By this signal.
    Signal(Signal),
}

/// Runs the command, unless a signal has come already.
fn with(grant: &Grant, command: &[OsString], signals: &Held) -> Result<Ending, Failure> {
    if let Some(signal) = signals.come() {
        return Ok(Ending::Signal(signal));
    }
    match start(grant, command, signals)? {
        Ok(child) => through(child, signals),
        Err(status) => Ok(Ending::Status(status)),
    }
}

/// Starts the command: by the helper where the grant gives groups. One that cannot be run is an
/// exit status, and said.
fn start(grant: &Grant, command: &[OsString], signals: &Held) -> Result<Result<Pid, u8>, Failure> {
    let words: Result<Vec<_>, _> =
        words(grant, command).into_iter().map(|word| CString::new(word.into_vec())).collect();
    let words = words.map_err(|_| Failure::usage("a zero byte stands in the command"))?;
    let (Some(program), Some(name)) = (words.first(), command.first()) else {
        return Err(Failure::usage("which command shall run?"));
    };
    let refused = |error: Errno| Failure::failed(format!("the system refused a process: {error}"));
    // What is held back here is not held back there, from its first moment on.
    let mut with = PosixSpawnAttr::init().map_err(refused)?;
    let flags = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
    with.set_flags(flags).map_err(refused)?;
    with.set_sigmask(signals.before()).map_err(refused)?;
    // Rust has it ignored, the command expects it as usual.
    with.set_sigdefault(&Signal::SIGPIPE.into()).map_err(refused)?;
    let files = PosixSpawnFileActions::init().map_err(refused)?;
    match posix_spawnp(program, &files, &with, &words, &environment()) {
        Ok(child) => Ok(Ok(child)),
        Err(error) => {
            let name = harmless(&name.to_string_lossy());
            let (why, status) = match error {
                Errno::ENOENT => ("there is no such command", NOT_FOUND),
                Errno::EACCES => ("it may not be run", NOT_EXECUTABLE),
                other => (other.desc(), NOT_EXECUTABLE),
            };
            out::warn(&format!("stint: {name}: {why}"));
            Ok(Err(status))
        }
    }
}

/// The environment, as it is.
fn environment() -> Vec<CString> {
    let pairs = std::env::vars_os().filter_map(|(name, value)| {
        let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
        // It came from the system as text that ends in a zero byte.
        CString::new(pair).ok()
    });
    pairs.collect()
}

/// What is executed.
fn words(grant: &Grant, command: &[OsString]) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if !grant.groups.is_empty() {
        words.extend([HELPER, grant.id.as_str(), "--"].map(OsString::from));
    }
    words.extend(command.iter().cloned());
    words
}

/// Stays until the command has ended. What a terminal sends it sends to the command as well; what
/// somebody sends to this process alone goes on to it.
fn through(child: Pid, signals: &Held) -> Result<Ending, Failure> {
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => {
                return Ok(Ending::Status(u8::try_from(code).unwrap_or(u8::MAX)));
            }
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(Ending::Signal(signal)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(Failure::failed(format!("the command: {error}"))),
        }
        if let Came::Signal(signal @ (Signal::SIGTERM | Signal::SIGHUP)) = signals.or(None, TICK)? {
            // It may have ended in this moment, which the next turn sees.
            let _ = kill(child, signal);
        }
    }
}

/// The command's exit status; a death by signal is died again.
fn pass_on(ending: Ending) -> u8 {
    match ending {
        Ending::Status(status) => status,
        Ending::Signal(signal) => {
            die_of(signal);
            // What is ignored here does not kill.
            u8::try_from(BY_SIGNAL.saturating_add(signal as i32)).unwrap_or(u8::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::grants::tests::example;

    fn command(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn runs(words: &[&str]) -> Ending {
        let signals = Held::hold(&[Signal::SIGCHLD]).unwrap();
        with(&example(), &command(words), &signals).unwrap()
    }

    #[test]
    fn what_cannot_be_run_is_what_shells_say() {
        assert_eq!(runs(&["/nonexistent/program"]), Ending::Status(127));
        assert_eq!(runs(&["no-such-program-anywhere"]), Ending::Status(127));
        assert_eq!(runs(&["/etc/passwd"]), Ending::Status(126));
    }

    #[test]
    fn an_ending_is_passed_on() {
        assert_eq!(runs(&["sh", "-c", "exit 0"]), Ending::Status(0));
        assert_eq!(runs(&["sh", "-c", "exit 42"]), Ending::Status(42));
        assert_eq!(runs(&["sh", "-c", "kill -KILL $$"]), Ending::Signal(Signal::SIGKILL));
        // This process ignores it, as every Rust program does.
        assert_eq!(pass_on(Ending::Signal(Signal::SIGPIPE)), 128 + 13);
    }

    #[test]
    fn a_signal_to_this_process_alone_goes_on_to_the_command() {
        let signals = Held::hold(&[Signal::SIGTERM, Signal::SIGINT]).unwrap();
        // The first is no business of the command, the second is.
        nix::sys::signal::raise(Signal::SIGINT).unwrap();
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        let typed = command(&["sleep", "60"]);
        let child = start(&example(), &typed, &signals).unwrap().unwrap();
        assert_eq!(through(child, &signals).unwrap(), Ending::Signal(Signal::SIGTERM));
    }

    #[test]
    fn the_command_has_the_signals_that_it_would_have() {
        let signals = Held::hold(&[Signal::SIGTERM, Signal::SIGINT]).unwrap();
        // Not SIGINT: where this runs in the background it is ignored, and stays so.
        for signal in [Signal::SIGTERM, Signal::SIGPIPE] {
            let kill = format!("kill -{} $$; exit 9", signal as i32);
            let typed = command(&["sh", "-c", &kill]);
            assert_eq!(with(&example(), &typed, &signals).unwrap(), Ending::Signal(signal));
        }
    }

    #[test]
    fn a_signal_that_has_come_before_lets_nothing_start() {
        let signals = Held::hold(&[Signal::SIGTERM]).unwrap();
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        let typed = command(&["/nonexistent/program"]);
        let ended = with(&example(), &typed, &signals).unwrap();
        assert_eq!(ended, Ending::Signal(Signal::SIGTERM));
    }

    #[test]
    fn groups_come_by_the_helper_and_nothing_else_does() {
        let mut grant = example();
        let typed = command(&["docker", "ps", "--all"]);
        assert_eq!(words(&grant, &typed), typed);
        grant.groups = vec!["docker".parse().unwrap()];
        let by_helper = [HELPER, "g4t9", "--", "docker", "ps", "--all"];
        assert_eq!(words(&grant, &typed), command(&by_helper));
    }
}
