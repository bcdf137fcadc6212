//! A terminal of its own for the command, and what is shown there.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::write;

/// Longer than a slow machine takes for what is waited for, in milliseconds.
const LIMIT: u16 = 30_000;

/// The command and the terminal that it is shown on.
pub struct Shown {
    pub program: Child,
    pub near: File,
    pub far: OwnedFd,
    /// How the terminal was set.
    pub before: Termios,
    /// What was shown since something was typed.
    pub seen: String,
}

impl Shown {
    /// Starts it on a new terminal.
    pub fn new(command: &mut Command) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
        // No other test's program may keep this terminal open.
        for end in [&master, &slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        let before = tcgetattr(&slave).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let program = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Self { program, near: File::from(master), far: slave, before, seen: String::new() }
    }

    /// Reads until this has come. Blanks are not sent where there are some already, so it is one
    /// word. A program that sends on and on without it is not waited for either.
    pub fn until(&mut self, wanted: &str) {
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
    pub fn type_until(&mut self, keys: &str, wanted: &str) {
        self.seen.clear();
        write(&self.near, keys.as_bytes()).unwrap();
        self.until(wanted);
    }
}
