//! The board on a terminal of its own, with no daemon and with a small one: what it shows, what it
//! sends, and that it gives the terminal back as it was, however it ends.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::tcgetattr;
use nix::unistd::{Pid, write};

use crate::daemon::Running;
use crate::stint;
use crate::terminal::Shown;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// The board on a terminal.
fn board(variables: &[(&str, &str)]) -> Shown {
    Shown::new(stint(&["watch"]).env("TERM", "xterm-256color").envs(variables.iter().copied()))
}

/// The end of a board: the terminal is as it was.
fn ended(mut shown: Shown) -> (std::process::ExitStatus, String) {
    shown.until(LEAVE);
    let status = shown.program.wait().unwrap();
    assert_eq!(tcgetattr(&shown.far).unwrap(), shown.before);
    assert!(shown.seen.contains("\x1b[?2004l"), "pasting as before: {:?}", shown.seen);
    assert!(shown.seen.contains("\x1b[?25h"), "a cursor again: {:?}", shown.seen);
    (status, shown.seen)
}

#[test]
fn says_that_the_daemon_is_away_and_quits_on_q() {
    let mut shown = board(&[]);
    shown.until(ENTER);
    shown.until("reached:");
    assert_ne!(tcgetattr(&shown.far).unwrap(), shown.before);
    write(&shown.near, b"q").unwrap();
    let (status, seen) = ended(shown);
    assert_eq!(status.code(), Some(0), "{seen:?}");
}

#[test]
fn gives_the_terminal_back_when_a_signal_ends_it() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut shown = board(&[]);
        shown.until("reached:");
        kill(Pid::from_raw(shown.program.id().try_into().unwrap()), signal).unwrap();
        let (status, seen) = ended(shown);
        assert_eq!(status.signal(), Some(signal as i32), "{seen:?}");
    }
}

#[test]
fn ends_when_its_terminal_is_gone() {
    let mut shown = board(&[]);
    shown.until("reached:");
    let Shown { program: mut board, near, far, .. } = shown;
    drop((near, far));
    assert_eq!(board.wait().unwrap().code(), Some(1));
}

#[test]
fn under_no_color_nothing_has_a_style() {
    let bold = "\x1b[1m";
    let mut shown = board(&[("NO_COLOR", "1")]);
    shown.until("reached:");
    write(&shown.near, b"\x03").unwrap();
    let (status, seen) = ended(shown);
    assert_eq!(status.code(), Some(0));
    assert!(!seen.contains(bold), "{seen:?}");

    let mut shown = board(&[]);
    shown.until("reached:");
    write(&shown.near, b"q").unwrap();
    assert!(ended(shown).1.contains(bold));
}

#[test]
fn without_a_terminal_it_says_what_to_type() {
    let output = stint(&["watch"]).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    let wanted = "stint: watch needs a terminal. Where there is none:  stint pending, stint list\n";
    assert_eq!((output.status.code(), error.as_str()), (Some(2), wanted));
    assert!(output.stdout.is_empty());
}

/// A board with the small daemon behind it, which goes away with what is returned last.
fn with_daemon() -> (Shown, Running, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("bus");
    let daemon = Running::at(&socket);
    let address = format!("unix:path={}", socket.display());
    let mut shown = board(&[("DBUS_SYSTEM_BUS_ADDRESS", &address)]);
    shown.until("7kq2");
    (shown, daemon, dir)
}

#[test]
fn approves_what_was_shown_and_shows_what_came_of_it() {
    let (mut shown, daemon, _dir) = with_daemon();
    shown.type_until("a", "(uid");
    assert!(daemon.decided().is_empty());
    shown.type_until("y", "(g4t9).");
    assert_eq!(daemon.decided(), [("7kq2".into(), "the-digest".into())]);
    let (left, back) = (shown.seen.find(LEAVE), shown.seen.find(ENTER));
    let asked = shown.seen.find("Approving 7kq2");
    assert!(left.is_some() && left < asked && asked < back, "{:?}", shown.seen);
    shown.type_until("\r", "pending for you");
    write(&shown.near, b"q").unwrap();
    assert_eq!(ended(shown).0.code(), Some(0));
}

#[test]
fn denies_for_a_reason_and_shows_a_refusal() {
    let (mut shown, daemon, _dir) = with_daemon();
    shown.type_until("d", "Why");
    shown.type_until("\x1b[200~not\nnow\x1b[201~", "now_");
    assert!(daemon.decided().is_empty(), "a pasted line end is no Enter");
    shown.type_until("\r", "own");
    assert_eq!(daemon.decided(), [("7kq2".into(), "not now".into())]);
    write(&shown.near, b"q").unwrap();
    assert_eq!(ended(shown).0.code(), Some(0));
}

#[test]
fn a_daemon_that_goes_away_comes_back_by_itself() {
    let (mut shown, daemon, dir) = with_daemon();
    drop(daemon);
    std::fs::remove_file(dir.path().join("bus")).unwrap();
    shown.until("reached:");
    shown.seen.clear();
    let again = Running::at(&dir.path().join("bus"));
    again.change(|state| state.decided.push((String::new(), String::new())));
    shown.until("pending for you");
    write(&shown.near, b"q").unwrap();
    assert_eq!(ended(shown).0.code(), Some(0));
}
