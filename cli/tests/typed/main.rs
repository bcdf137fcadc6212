//! The command as it is typed: without a daemon, and with a small one that is played here.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asking;
mod board;
mod cli;
mod daemon;
mod deciding;
mod running;
mod terminal;

use std::path::Path;
use std::process::{Command, Output};

/// This program with these words, in an environment of its own and with no bus.
fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env("TZ", "UTC");
    command
}

/// The command with these words, in the same way.
fn stint(arguments: &[&str]) -> Command {
    command(env!("CARGO_BIN_EXE_stint").as_ref(), arguments)
}

/// Asserts that nothing was done, and what was said about it.
#[track_caller]
fn refuses(output: &Output, status: i32, message: &str) {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!((output.status.code(), error.as_str()), (Some(status), message));
    assert!(output.stdout.is_empty(), "{output:?}");
}
