//! What a session waits for: its place, and nothing else. That is made while sudo is on its way from
//! the check to the session, and goes again where no session comes; for the word of an end nobody
//! waits, and it is not lost. Nor does any of it go by what a process is called.

use std::time::Duration;

use crate::common::{SOON, daemon, event_of, gated, grant, id};
use crate::session_places::{POLICY, pids};
use stint_tests::{Host, Shell, Suite, eventually};

/// The login's group and what is in it.
const LOGINS: &str = "/sys/fs/cgroup/user.slice/user-1000.slice";

/// Has sudo pause between its check and its session.
fn pausing(host: &Host, pause: &str) {
    host.ok(&format!(
        "sed -i '/pam_exec/d; /^session.*pam_stint/i session optional pam_exec.so {pause}' \
         /etc/pam.d/sudo"
    ));
}

/// The groups of sessions inside a login's.
fn places(host: &Host) -> Vec<String> {
    // One that goes while it is looked at is as good as gone.
    let found = host.run(&format!("find {LOGINS}/session-*.scope -name 'stint-*.scope' -type d"));
    found.stdout.lines().map(str::to_owned).collect()
}

fn none_is_left(host: &Host) {
    eventually("the end of all groups", SOON, || places(host).is_empty().then_some(()));
}

fn runs(host: &Host, command: &str) -> bool {
    !pids(host, command).is_empty()
}

/// A shell in which sudo has opened a session before, all of which is over.
fn knowing(host: &Host) -> Shell {
    let mut shell = host.shell("alice");
    let known = shell.run("sudo -n true");
    assert!(known.ok(), "{known}");
    none_is_left(host);
    shell
}

/// Starts a sudo that pauses; returns the place that was there meanwhile, if one was seen.
fn start(host: &Host, shell: &mut Shell, pause: &str, command: &str) -> Option<String> {
    shell.start(&format!("sudo -n sh -c 'sed -n s/^0:://p /proc/self/cgroup; exec {command}'"));
    eventually("the session phase", SOON, || runs(host, pause).then_some(()));
    eventually("a place, or the end of the pause", SOON, || {
        let seen = places(host).pop();
        (seen.is_some() || !runs(host, pause)).then_some(seen)
    })
}

fn a_place_is_there_before_its_session(suite: Suite) {
    const SHORT: &str = "/bin/sleep 0.53";
    const LONG: &str = "/bin/sleep 7.53";
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    let mut shell = knowing(&host);
    pausing(&host, SHORT);
    // A machine that is busy takes longer than a place is there: then another session is looked at.
    let entered = eventually("a session in the place that was made for it", SOON, || {
        let place = start(&host, &mut shell, SHORT, "true").unwrap_or_default();
        let processes = host.run(&format!("cat {place}/cgroup.threads")).stdout;
        let seen = shell.finish();
        assert!(seen.ok(), "{seen}");
        let group = format!("/sys/fs/cgroup{}", seen.stdout.trim_end());
        assert!(group.contains(&format!("/stint-{}-", id(&given))), "{group}");
        none_is_left(&host);
        (group == place).then_some(processes)
    });
    assert_eq!(entered, "", "nobody is in it before");

    // One that nobody enters is gone while sudo still pauses, and its session gets another.
    pausing(&host, LONG);
    let place = start(&host, &mut shell, LONG, "true");
    none_is_left(&host);
    assert!(runs(&host, LONG), "its session has not begun");
    let seen = shell.finish();
    let group = format!("/sys/fs/cgroup{}", seen.stdout.trim_end());
    assert!(group.starts_with(LOGINS) && group.contains("/session-"), "it was entered: {seen}");
    assert_ne!(Some(group), place);
    none_is_left(&host);
    for opened in host.journal("STINT_EVENT=session.opened") {
        let text = opened["MESSAGE"].as_str().unwrap_or_default();
        assert!(text.ends_with(".scope"), "all of them are where they can be found: {text}");
    }
}

/// What begins after the end of its grant is ended, in the place that was made for it before, too.
fn a_grant_that_ends_before_the_session_ends_it(suite: Suite) {
    const PAUSE: &str = "/bin/sleep 0.54";
    let host = gated(suite, POLICY);
    grant(&host, "alice admin --for 1h");
    let mut shell = knowing(&host);
    host.ok("stint revoke --all --reason 'the one before'");
    pausing(&host, PAUSE);
    eventually("a session in a place of before the end", SOON, || {
        let given = grant(&host, "alice admin --for 1h");
        let place = start(&host, &mut shell, PAUSE, "sleep 6310");
        host.ok(&format!("stint revoke {} --reason over", id(&given)));
        let in_time = runs(&host, PAUSE);
        let ended = shell.finish();
        assert!(!ended.ok() && !runs(&host, "sleep 6310"), "{ended}");
        event_of(&host, "session.terminated", id(&given));
        none_is_left(&host);
        let opened = event_of(&host, "session.opened", id(&given));
        let text = opened["MESSAGE"].as_str().unwrap_or_default();
        let name = place.as_deref().and_then(|place| place.rsplit('/').next());
        (in_time && name.is_some_and(|name| text.ends_with(name))).then_some(())
    });
}

/// A process is called what it likes, and so is a sudo: neither a session nor an end goes by that.
fn a_name_that_is_no_text_hides_nobody(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    let mut shell = knowing(&host);
    // The one is of somebody else's, who holds nothing.
    let odd = |of: &str, number: u32| format!("ln -s {of} \"$(printf '/tmp/\\377{number}')\"");
    assert!(host.as_user("bob", &odd("/usr/bin/sleep", 1)).ok());
    host.ok("runuser -u bob -- sh -c '\"$(printf \"/tmp/\\3771\")\" 6331 >/dev/null 2>&1 &'");
    for link in [odd("/usr/bin/sudo", 2), odd("/usr/bin/sleep", 3)] {
        assert!(shell.run(&link).ok(), "{link}");
    }
    let inside = "\"$(printf '/tmp/\\3773')\" 6332 & trap '' TERM HUP; sleep 6333; wait";
    host.write("/root/inside", "0755", format!("#!/bin/sh\n{inside}\n"));
    shell.start("\"$(printf '/tmp/\\3772')\" -n /root/inside");
    eventually("the session", SOON, || runs(&host, "sleep 6333").then_some(()));
    let opened = event_of(&host, "session.opened", id(&given));
    let text = opened["MESSAGE"].as_str().unwrap_or_default().to_owned();
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    shell.finish();
    let running = |number: u32| host.run(&format!("pgrep -f '[ ]{number}$'")).ok();
    eventually("the end of all of it", SOON, || (!running(6332) && !running(6333)).then_some(()));
    assert!(text.ends_with(".scope"), "{text}");
    assert!(running(6331), "bob's is nobody's session");
    none_is_left(&host);
}

/// Each way a session can end while stintd cannot hear of it: sudo is over at once, and the end is
/// heard of later, by a stintd that goes on or by the next one.
fn nobody_waits_for_the_word_of_an_end(suite: Suite) {
    const HALF: Duration = Duration::from_secs(30);
    let host = gated(suite, POLICY);
    // So long would somebody wait who waited.
    host.ok("sed -i 's/\\(^session.*pam_stint.so\\).*/\\1 timeout=60/' /etc/pam.d/sudo");
    let mut shell = host.shell("alice");
    for goes_on in [true, false] {
        let given = grant(&host, "alice admin --for 1h");
        shell.start("sudo -n sleep 6320");
        eventually("the session", SOON, || runs(&host, "sleep 6320").then_some(()));
        // The state has it, too: the next stintd goes by that.
        let opened = "stint log --event session.opened --json";
        eventually("the session in the state", SOON, || {
            host.ok(opened).contains(&format!("\"{}\"", id(&given))).then_some(())
        });
        let stintd = daemon(&host);
        host.freeze(&stintd);
        host.ok("pkill -xf 'sleep 6320'");
        eventually("the end of sudo", HALF, || (!runs(&host, "sudo -n sleep 6320")).then_some(()));
        shell.finish();
        let closed = format!("STINT_EVENT=session.closed STINT_GRANT={}", id(&given));
        assert!(host.journal(&closed).is_empty(), "stintd has heard of nothing yet");
        if goes_on {
            host.thaw(&stintd);
        } else {
            host.ok(&format!("kill -KILL {stintd}"));
        }
        event_of(&host, "session.closed", id(&given));
        host.ok(&format!("stint revoke {} --reason over", id(&given)));
    }
    let events =
        ["opened", "closed"].map(|word| host.journal(&format!("STINT_EVENT=session.{word}")).len());
    assert_eq!(events, [2, 2], "each end is heard of once");
}

#[test]
fn a_place_is_there_before_its_session_bookworm() {
    a_place_is_there_before_its_session(Suite::Bookworm);
}

#[test]
fn a_place_is_there_before_its_session_trixie() {
    a_place_is_there_before_its_session(Suite::Trixie);
}

#[test]
fn a_grant_that_ends_before_the_session_ends_it_bookworm() {
    a_grant_that_ends_before_the_session_ends_it(Suite::Bookworm);
}

#[test]
fn a_name_that_is_no_text_hides_nobody_bookworm() {
    a_name_that_is_no_text_hides_nobody(Suite::Bookworm);
}

#[test]
fn a_name_that_is_no_text_hides_nobody_trixie() {
    a_name_that_is_no_text_hides_nobody(Suite::Trixie);
}

#[test]
fn nobody_waits_for_the_word_of_an_end_bookworm() {
    nobody_waits_for_the_word_of_an_end(Suite::Bookworm);
}

#[test]
fn nobody_waits_for_the_word_of_an_end_trixie() {
    nobody_waits_for_the_word_of_an_end(Suite::Trixie);
}
