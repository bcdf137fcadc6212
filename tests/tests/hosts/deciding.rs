//! Whoever decides proves who they are, by polkit's own agent on the terminal; the command shows
//! exactly what is decided, and so does the board. A role for one command is held no longer than it.

use serde_json::Value;
use std::time::Duration;
use stint_tests::clock::pause;
use stint_tests::{Host, Shell, Suite};

use crate::common::{SOON, builder, document, is_in, plain};
use crate::workflow::{approve, look, pending, refused, text};

const POLICY: &str = r#"
[roles.admin]
sudo = [{ commands = ["ALL"] }]
eligible = ["alice"]
approvers = ["bob"]

[roles.games]
groups = ["games"]
eligible = ["alice"]
approvals = 0
"#;

/// Answers polkit's question with this password, once.
fn answered(shell: &mut Shell, command: &str, password: &str) -> (i32, String) {
    shell.start(command);
    shell.expect_within("assword:", SOON);
    // The agent throws away what was typed before it has turned the echo off.
    pause(Duration::from_millis(500));
    shell.type_line(password);
    let output = shell.finish();
    (output.status, plain(&output.stdout))
}

#[test]
fn an_approver_proves_who_they_are_for_each_decision() {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let host = builder(suite, POLICY).boot();
        let request = pending(&host, "alice", "admin");
        let id = text(&request, "id").to_owned();
        // Where nobody can ask, nothing is approved, and the refusal says what to do.
        refused(&approve(&host, "bob", &request), "terminal");
        assert_eq!(look(&host, &request)["state"], "pending");
        let mut shell = host.shell("bob");
        let command = format!("stint approve {id} --yes");
        let (status, said) = answered(&mut shell, &command, "wrong");
        assert_eq!(status, 3, "{suite:?}: {said}");
        assert_eq!(look(&host, &request)["state"], "pending");
        let (status, said) = answered(&mut shell, &command, "pw-bob");
        assert_eq!(status, 0, "{suite:?}: {said}");
        assert_eq!(look(&host, &request)["state"], "approved");
        // For the next decision they are asked again.
        host.ok("stint revoke --all --reason 'the next one'");
        let next = pending(&host, "alice", "admin");
        let deny = format!("stint deny {} --reason 'not today'", text(&next, "id"));
        let (status, said) = answered(&mut shell, &deny, "pw-bob");
        assert_eq!(status, 0, "{suite:?}: {said}");
        assert_eq!(look(&host, &next)["state"], "denied");
    }
}

#[test]
fn without_polkit_nothing_is_approved_unless_the_policy_asks_nobody() {
    let host = builder(Suite::Bookworm, POLICY).boot();
    host.ok("systemctl mask --now -q polkit.service");
    let request = pending(&host, "alice", "admin");
    refused(&approve(&host, "bob", &request), "authenticate = false");
    host.load_policy(&format!("[approvals]\nauthenticate = false\n{POLICY}"));
    assert_eq!(approve(&host, "bob", &request).unwrap()["state"], "approved");
}

#[test]
fn what_is_approved_is_shown_and_a_no_approves_nothing() {
    let host = builder(Suite::Bookworm, POLICY).boot();
    let request = pending(&host, "alice", "admin");
    let mut shell = host.shell("bob");
    shell.start(&format!("stint approve {}", &text(&request, "id")[..3]));
    let shown = shell.expect("Approve it?");
    for part in ["alice (uid 1000)", "sudo (root) ALL", "30m", "for a test"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    shell.type_line("n");
    assert_ne!(shell.finish().status, 0);
    assert_eq!(look(&host, &request)["state"], "pending");
}

#[test]
fn the_board_approves_exactly_what_it_shows() {
    let host = builder(Suite::Bookworm, POLICY).boot();
    let request = pending(&host, "alice", "admin");
    let mut shell = host.shell("bob");
    shell.run("stty rows 24 cols 100");
    shell.start("TERM=xterm stint watch");
    shell.expect(text(&request, "id"));
    shell.type_keys("a");
    // The board writes only what has changed, so a line does not come in one piece.
    shell.expect("exactl");
    shell.type_keys("y");
    shell.expect_within("assword:", SOON);
    pause(Duration::from_millis(500));
    shell.type_line("pw-bob");
    shell.expect_within("granted", SOON);
    shell.type_keys("q");
    shell.type_keys("q");
    shell.finish();
    assert_eq!(look(&host, &request)["state"], "approved");
}

#[test]
fn a_request_waits_live_and_ends_when_somebody_decides() {
    let host =
        builder(Suite::Bookworm, &format!("[approvals]\nauthenticate = false\n{POLICY}")).boot();
    let mut shell = host.shell("alice");
    shell.start("stint request admin --for 20m --reason 'the disk is full' --wait");
    let shown = shell.expect("awaits one approval, from bob");
    assert!(!shown.is_empty());
    let waiting =
        crate::workflow::outcome(&host.as_user("bob", &crate::workflow::line("Pending", "", "")));
    let request = waiting.unwrap()[0].clone();
    crate::common::kill(&host);
    approve(&host, "bob", &request).unwrap();
    let output = shell.finish();
    assert_eq!(output.status, 0, "{output}");
    assert!(output.stdout.contains("is yours until"), "{output}");
    // Ctrl-C leaves the request standing.
    host.ok("stint revoke --all --reason 'the next one'");
    shell.start("stint request admin --reason 'the disk is full' --wait");
    shell.expect("awaits one approval, from bob");
    shell.interrupt();
    let held = document(&host.as_user("alice", "stint status --json").stdout);
    assert_eq!(held["requests"].as_array().map(Vec::len), Some(1), "{held}");
}

fn grants(host: &Host) -> Vec<Value> {
    document(&host.ok("stint list --json --all")).as_array().cloned().unwrap_or_default()
}

#[test]
fn a_role_for_one_command_is_held_no_longer_than_it() {
    let host = builder(Suite::Trixie, POLICY).boot();
    let run = |what: &str| host.as_user("alice", &format!("stint run games --reason x -- {what}"));
    let output = run("id -Gn");
    assert_eq!(output.status, 0, "{output}");
    assert!(output.stdout.split_whitespace().any(|group| group == "games"), "{output}");
    assert!(!is_in(&host, "alice", "games"));
    assert_eq!(grants(&host)[0]["end_reason"], "dropped");
    assert_eq!(run("sh -c 'exit 7'").status, 7);
    assert_eq!(run("sh -c 'kill -TERM $$'").status, 143);
    assert_eq!(run("no-such-program").status, 127);
    assert!(grants(&host).iter().all(|grant| grant["state"] == "ended"), "{:?}", grants(&host));
    // A grant that is held anyway is used, and stays.
    assert!(host.as_user("alice", "stint request games --reason y").ok());
    assert!(run("true").ok());
    assert!(is_in(&host, "alice", "games"));
}

#[test]
fn a_new_policy_is_tried_on_the_requests_of_the_past() {
    let host = builder(Suite::Bookworm, POLICY).boot();
    assert!(host.as_user("alice", "stint request games --reason y").ok());
    host.write("/root/next.toml", "0644", POLICY.replace("approvals = 0", "approvers = [\"bob\"]"));
    let shown = host.ok("stint policy simulate /root/next.toml --replay --json");
    let differing = document(&shown);
    assert!(shown.contains("games"), "{shown}");
    assert_ne!(differing, serde_json::json!([]));
    host.write("/srv/same.toml", "0644", POLICY);
    let same = host.ok("stint policy simulate /srv/same.toml --replay");
    assert!(!same.contains("alice"), "{same}");
    let refused = host.as_user("alice", "stint policy simulate /srv/same.toml --replay");
    assert_eq!(refused.status, 3, "{refused}");
}
