//! Whoever decides sees exactly what they decide on before anything is sent.

use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::daemon::Running;
use crate::stint;

fn decides(arguments: &[&str]) -> (Output, Running) {
    let dir: TempDir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("bus");
    let daemon = Running::at(&socket);
    let address = format!("unix:path={}", socket.display());
    let mut command = stint(arguments);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", address).stdin(Stdio::null());
    (command.output().unwrap(), daemon)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const REQUEST: &str = "\
7kq2: alice asks for admin
  who       alice (uid 1001)
  role      admin
  confers   sudo as root: ALL
  for       30m
  from      when it is granted
  reason    disk full
";

#[test]
fn an_approval_is_of_what_was_shown() {
    let (output, daemon) = decides(&["approve", "7k", "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).starts_with(REQUEST), "{output:?}");
    assert_eq!(daemon.decided(), [("7kq2".into(), "the-digest".into())]);
    // Standard output is the document's.
    let (output, _daemon) = decides(&["approve", "7k", "--yes", "--json"]);
    assert!(text(&output.stderr).starts_with(REQUEST), "{output:?}");
    assert!(text(&output.stdout).starts_with('{'), "{output:?}");
}

#[test]
fn a_denial_shows_what_it_is_of() {
    let (output, daemon) = decides(&["deny", "7k", "--reason", "not now"]);
    assert!(text(&output.stdout).starts_with(REQUEST), "{output:?}");
    assert_eq!(text(&output.stderr), "stint: it is your own\n");
    assert_eq!(daemon.decided(), [("7kq2".into(), "not now".into())]);
    let (output, daemon) = decides(&["deny", "7k", "--reason", "not now", "--json"]);
    assert!(output.stdout.is_empty(), "{output:?}");
    assert_eq!(daemon.decided(), [("7k".into(), "not now".into())]);
}

#[test]
fn a_review_shows_what_it_is_of() {
    let (output, daemon) = decides(&["review", "g4", "--note", "as reported"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = "g4t9: alice uses admin\n  who       alice (uid 1001)\n";
    assert!(text(&output.stdout).starts_with(shown), "{output:?}");
    assert!(text(&output.stdout).ends_with("alice's use of admin is reviewed (g4t9).\n"));
    assert_eq!(daemon.decided(), [("g4t9".into(), "as reported".into())]);
    // What is none is the daemon's to refuse; and a program is shown the document alone.
    let (output, daemon) = decides(&["review", "zzzz", "--note", "x", "--json"]);
    assert!(text(&output.stdout).starts_with('{'), "{output:?}");
    assert_eq!(daemon.decided(), [("zzzz".into(), "x".into())]);
}
