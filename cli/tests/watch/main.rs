//! The board on a terminal of its own, with no daemon and with a small one: what it shows, what it
//! sends, and that it gives the terminal back as it was, however it ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod daemon;

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::{Pid, write};

use daemon::Running;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
/// Longer than a slow machine takes for what is waited for, in milliseconds.
const LIMIT: u16 = 30_000;

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stint"));
    command
        .arg("watch")
        .env_clear()
        .env("TERM", "xterm-256color")
        .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env("TZ", "UTC");
    command
}

/// The board and the terminal that it is shown on.
struct Shown {
    board: Child,
    near: File,
    far: OwnedFd,
    before: Termios,
    seen: String,
}

impl Shown {
    fn new(variables: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
        // No other test's board may keep this terminal open.
        for end in [&master, &slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        let before = tcgetattr(&slave).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let board = command()
            .envs(variables.iter().copied())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Self { board, near: File::from(master), far: slave, before, seen: String::new() }
    }

    /// Reads until this has come. Blanks are not sent where there are some already, so it is one
    /// word. A board that sends on and on without it is not waited for either.
    fn until(&mut self, wanted: &str) {
        let mut part = [0; 4096];
        for _ in 0..200 {
            if self.seen.contains(wanted) {
                break;
            }
            let mut ready = [PollFd::new(self.near.as_fd(), PollFlags::POLLIN)];
            let some = poll(&mut ready, PollTimeout::from(LIMIT)).unwrap();
            assert_ne!(some, 0, "no {wanted:?} in {:?}", self.seen);
            let read = self.near.read(&mut part).unwrap();
            self.seen.push_str(&String::from_utf8_lossy(part.get(..read).unwrap()));
        }
        assert!(self.seen.contains(wanted), "no {wanted:?} in {:?}", self.seen);
    }

    /// Types, and reads until this has come of it.
    fn type_until(&mut self, keys: &str, wanted: &str) {
        self.seen.clear();
        write(&self.near, keys.as_bytes()).unwrap();
        self.until(wanted);
    }

    /// The end: the terminal is as it was.
    fn ended(mut self) -> (ExitStatus, String) {
        self.until(LEAVE);
        let status = self.board.wait().unwrap();
        assert_eq!(tcgetattr(&self.far).unwrap(), self.before);
        assert!(self.seen.contains("\x1b[?2004l"), "pasting as before: {:?}", self.seen);
        assert!(self.seen.contains("\x1b[?25h"), "a cursor again: {:?}", self.seen);
        (status, self.seen)
    }
}

#[test]
fn says_that_the_daemon_is_away_and_quits_on_q() {
    let mut shown = Shown::new(&[]);
    shown.until(ENTER);
    shown.until("reached:");
    assert_ne!(tcgetattr(&shown.far).unwrap(), shown.before);
    write(&shown.near, b"q").unwrap();
    let (status, seen) = shown.ended();
    assert_eq!(status.code(), Some(0), "{seen:?}");
}

#[test]
fn gives_the_terminal_back_when_a_signal_ends_it() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut shown = Shown::new(&[]);
        shown.until("reached:");
        kill(Pid::from_raw(shown.board.id().try_into().unwrap()), signal).unwrap();
        let (status, seen) = shown.ended();
        assert_eq!(status.signal(), Some(signal as i32), "{seen:?}");
    }
}

#[test]
fn ends_when_its_terminal_is_gone() {
    let mut shown = Shown::new(&[]);
    shown.until("reached:");
    let Shown { mut board, near, far, .. } = shown;
    drop((near, far));
    assert_eq!(board.wait().unwrap().code(), Some(1));
}

#[test]
fn under_no_color_nothing_has_a_style() {
    let bold = "\x1b[1m";
    let mut shown = Shown::new(&[("NO_COLOR", "1")]);
    shown.until("reached:");
    write(&shown.near, b"\x03").unwrap();
    let (status, seen) = shown.ended();
    assert_eq!(status.code(), Some(0));
    assert!(!seen.contains(bold), "{seen:?}");

    let mut shown = Shown::new(&[]);
    shown.until("reached:");
    write(&shown.near, b"q").unwrap();
    assert!(shown.ended().1.contains(bold));
}

#[test]
fn without_a_terminal_it_says_what_to_type() {
    let output = command().stdin(Stdio::null()).output().unwrap();
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
    let mut shown = Shown::new(&[("DBUS_SYSTEM_BUS_ADDRESS", &address)]);
    shown.until("7kq2");
    (shown, daemon, dir)
}

#[test]
fn approves_what_was_shown_and_shows_what_came_of_it() {
    let (mut shown, daemon, _dir) = with_daemon();
    shown.type_until("a", "(uid");
    assert!(daemon.decided.lock().unwrap().is_empty());
    shown.type_until("y", "(g4t9).");
    assert_eq!(*daemon.decided.lock().unwrap(), [("7kq2".into(), "the-digest".into())]);
    let (left, back) = (shown.seen.find(LEAVE), shown.seen.find(ENTER));
    let asked = shown.seen.find("Approving 7kq2");
    assert!(left.is_some() && left < asked && asked < back, "{:?}", shown.seen);
    shown.type_until("\r", "pending for you");
    write(&shown.near, b"q").unwrap();
    assert_eq!(shown.ended().0.code(), Some(0));
}

#[test]
fn denies_for_a_reason_and_shows_a_refusal() {
    let (mut shown, daemon, _dir) = with_daemon();
    shown.type_until("d", "Why");
    shown.type_until("\x1b[200~not\nnow\x1b[201~", "now_");
    assert!(daemon.decided.lock().unwrap().is_empty(), "a pasted line end is no Enter");
    shown.type_until("\r", "own");
    assert_eq!(*daemon.decided.lock().unwrap(), [("7kq2".into(), "not now".into())]);
    write(&shown.near, b"q").unwrap();
    assert_eq!(shown.ended().0.code(), Some(0));
}

#[test]
fn a_daemon_that_goes_away_comes_back_by_itself() {
    let (mut shown, daemon, dir) = with_daemon();
    drop(daemon);
    std::fs::remove_file(dir.path().join("bus")).unwrap();
    shown.until("reached:");
    shown.seen.clear();
    let again = Running::at(&dir.path().join("bus"));
    again.decided.lock().unwrap().push((String::new(), String::new()));
    shown.until("pending for you");
    write(&shown.near, b"q").unwrap();
    assert_eq!(shown.ended().0.code(), Some(0));
}
