//! A role for one command: what is waited for, and what stays of it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::daemon::{Running, request};
use crate::stint;
use crate::terminal::Shown;

const WAITS: &str = "awaits one approval, from bob";

/// `stint run` on a terminal, when it waits.
fn run(own: bool) -> (Shown, Running, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("bus");
    let daemon = Running::at(&socket);
    if own {
        daemon.change(|state| state.own = Some(request()));
    }
    let address = format!("unix:path={}", socket.display());
    let line = ["run", "admin", "--reason", "x", "--ticket", "INC-1", "--", "/bin/sh", "-c"];
    let mut command = stint(&[&line[..], &["echo it has run; exit 7"]].concat());
    let mut shown = Shown::new(command.env("DBUS_SYSTEM_BUS_ADDRESS", address));
    shown.until(WAITS);
    (shown, daemon, dir)
}

const TAKEN_OVER: &str = "stint: your request 7kq2 for admin is pending already; waiting for it as \
                          it is: 30m, \"disk full\"";

#[test]
fn a_request_that_is_pending_already_is_waited_for() {
    let (mut shown, daemon, _dir) = run(true);
    assert!(shown.seen.contains(TAKEN_OVER), "{:?}", shown.seen);
    daemon.approves();
    shown.until("it has run");
    assert_eq!(shown.program.wait().unwrap().code(), Some(7));
    assert_eq!(daemon.asked(), ["drop g4t9"]);
}

#[test]
fn without_one_it_is_asked_for() {
    let (mut shown, daemon, _dir) = run(false);
    assert!(!shown.seen.contains("pending already"), "{:?}", shown.seen);
    daemon.approves();
    shown.until("it has run");
    assert_eq!(shown.program.wait().unwrap().code(), Some(7));
    assert_eq!(daemon.asked(), ["request admin", "drop g4t9"]);
}

#[test]
fn an_end_of_the_wait_takes_back_what_it_has_asked_for_itself_only() {
    for (own, said, asked) in [
        (true, "take it back:  stint cancel 7kq2", &[][..]),
        (
            false,
            "stint: 7kq2, the request for admin, is taken back",
            &["request admin", "cancel 7kq2"],
        ),
    ] {
        let (mut shown, daemon, _dir) = run(own);
        kill(Pid::from_raw(shown.program.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        shown.until(said);
        assert_eq!(shown.program.wait().unwrap().code(), Some(4), "{:?}", shown.seen);
        assert_eq!(daemon.asked(), asked);
        assert!(!shown.seen.contains("it has run"));
    }
}
