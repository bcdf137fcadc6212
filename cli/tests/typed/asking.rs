//! Asking, waiting and deciding as they are typed: what is refused before anybody is asked.
//! Without a daemon, without a bus, without a terminal.

use std::process::{Output, Stdio};

use crate::{refuses, stint};

fn stint_in(zone: &str, arguments: &[&str]) -> Output {
    stint(arguments).env("TZ", zone).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_start_that_cannot_be_is_one_clear_line() {
    let at = |zone, time| stint_in(zone, &["request", "admin", "--reason", "x", "--at", time]);
    let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    for (output, message) in [
        (
            at("UTC", "soon"),
            "stint: \"soon\" is no time: write it such as 14:30, +30m, \"2026-12-01 09:00\" or \
             2026-12-01T09:00:00Z\n",
        ),
        (
            at("UTC", "14:30 Nowhere/City"),
            "stint: \"Nowhere/City\" is no time zone: write it such as Europe/Berlin\n",
        ),
        (
            at("Nowhere/City", "14:30"),
            "stint: the time zone is not known, as TZ names none: write the time such as +30m or \
             2026-12-01T09:00:00Z\n",
        ),
        (
            at(berlin, "2040-03-25 02:30"),
            "stint: there is no \"2040-03-25 02:30\": the clock is set forward past it; write the \
             hour before or after\n",
        ),
        (
            at(berlin, "2040-10-28 02:30"),
            "stint: \"2040-10-28 02:30\" comes twice, as the clock is set back: write \
             2040-10-28T02:30:00+02:00 or 2040-10-28T02:30:00+01:00\n",
        ),
    ] {
        refuses(&output, 2, message);
    }
    let past = at("UTC", "2020-01-01T00:00:00Z");
    let error = String::from_utf8(past.stderr).unwrap();
    assert_eq!(past.status.code(), Some(2));
    let begin = "stint: \"2020-01-01T00:00:00Z\" is past, it is ";
    assert!(error.starts_with(begin) && error.ends_with("; without --at it begins at once\n"));
    // What can be goes on to the daemon.
    assert_eq!(at(berlin, "2040-03-25 03:30").status.code(), Some(69));
}

#[test]
fn what_is_missing_or_odd_is_said_before_anybody_is_asked() {
    for (arguments, message) in [
        (
            &["approve", "7kq2"][..],
            "stint: there is no terminal to ask on: look with  stint pending  and add  --yes\n",
        ),
        (&["approve", "7kq2", "--yes", "--note", " "], "stint: the note is empty\n"),
        (&["deny", "7kq2", "--reason", ""], "stint: the reason is empty: say what it is for\n"),
        (&["review", "g4t9", "--note", ""], "stint: the note is empty\n"),
        (&["request", "admin", "--reason", "x", "--ticket", ""], "stint: the ticket is empty\n"),
        (
            &["request", "admin", "--reason", "x", "--at", "-30m"],
            "stint: \"-30m\" is no time: write it such as 14:30, +30m, \"2026-12-01 09:00\" or \
             2026-12-01T09:00:00Z\n",
        ),
        (
            &["request", "admin", "--reason", " "],
            "stint: the reason is empty: say what it is for\n",
        ),
        (
            &["wait", "7kq2", "--timeout", "0s"],
            "stint: \"0s\" is no time at all: 1s is the shortest\n",
        ),
        (&["wait", "7K"], "stint: \"7K\" is no id: ids look like g4t9\n"),
    ] {
        refuses(&stint_in("UTC", arguments), 2, message);
    }
    for arguments in [
        &["request"][..],
        &["run", "admin"],
        &["run", "admin", "true"],
        &["run", "--", "true"],
        &["extend", "g4t9"],
        &["deny", "7kq2"],
        &["review", "g4t9"],
        &["policy", "simulate", "x.toml"],
        &["policy", "simulate", "x.toml", "--replay", "--user", "alice"],
        &["policy", "simulate", "x.toml", "--user", "alice", "--role", "admin", "--since", "1d"],
    ] {
        let output = stint_in("UTC", arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {output:?}");
    }
}

#[test]
fn the_help_says_what_a_killed_run_leaves_and_what_statuses_mean() {
    for (verb, words) in [
        ("run", &["If stint itself is killed, the grant stays", "127", "126"][..]),
        ("request", &["--wait", "4 still pending when the wait ended"]),
        ("approve", &["--yes", "exactly what is shown"]),
        ("extend", &["a request that awaits"]),
    ] {
        let output = stint_in("UTC", &[verb, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(text.contains(word), "{verb}: {word}\n{text}");
        }
    }
}
