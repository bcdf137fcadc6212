//! A grant ends: by the clock, by revocation, whatever becomes of the daemon, of the host or of
//! the wall clock meanwhile; and then nothing of it is left, not in a shell that was open before.

use crate::common::{
    SOON, assert_denied, assert_let_in, assert_says, builder, event_of, gate, gated, grant,
    has_rules, id, is_in, kill, listed, next_boot, sudos, with_boots,
};
use serde_json::Value;
use stint_tests::{Host, Suite, eventually};

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
groups   = ["video"]
password = false

[roles.typed]
sudo = [{ commands = ["ALL"] }]
"#;

fn micros(entry: &Value) -> i64 {
    let text =
        entry["_SOURCE_REALTIME_TIMESTAMP"].as_str().or(entry["__REALTIME_TIMESTAMP"].as_str());
    text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no time: {entry}"))
}

/// A time of a grant's document in microseconds, as `date` of the host reads it.
fn time(host: &Host, grant: &Value, field: &str) -> i64 {
    let text = grant[field].as_str().unwrap_or_else(|| panic!("no {field}: {grant}"));
    let nanos: i64 = host.ok(&format!("date -d {text} +%s%N")).trim().parse().unwrap();
    nanos / 1000
}

/// The events of one grant, in the order of the journal.
fn events(host: &Host, id: &str) -> Vec<String> {
    let entries = host.journal(&format!("STINT_GRANT={id}"));
    let name = |entry: &Value| entry["STINT_EVENT"].as_str().unwrap_or_default().to_owned();
    entries.iter().map(name).collect()
}

fn it_ends_by_itself(suite: Suite) {
    let host = gated(suite, POLICY);
    let mut shell = host.shell("alice");
    assert_denied(&host, &mut shell, "before");
    let before = host.as_user("bob", "sudo -n id -u");
    assert_says(&before, "sudo: a password is required", "bob has no rule");
    assert!(!is_in(&host, "alice", "video"));

    let given = grant(&host, "alice admin --for 5s");
    let bobs = grant(&host, "bob admin --for 5s");
    assert_let_in(&host, &mut shell, "while it runs");
    assert_eq!(host.as_user("bob", "sudo -n id -u").stdout, "0\n", "the rule of the grant");
    assert!(is_in(&host, "alice", "video"));
    assert!(has_rules(&host));

    let ended = event_of(&host, "grant.expired", id(&given));
    let late = micros(&ended) - time(&host, &given, "expires_at");
    assert!((0..2_000_000).contains(&late), "it ended {late} µs after its time");
    event_of(&host, "grant.expired", id(&bobs));
    assert_denied(&host, &mut shell, "in the shell that was open");
    assert_denied(&host, &mut host.shell("alice"), "in a new shell");
    assert_says(&host.as_user("bob", "sudo -n id -u"), "sudo: a password is required", "bob");
    eventually("the group to go", SOON, || (!is_in(&host, "alice", "video")).then_some(()));
    assert!(!has_rules(&host), "the rules outlived the grants");

    assert_eq!(listed(&host, id(&given))["end_reason"], "expired");
    let events = events(&host, id(&given));
    for event in ["grant.activated", "group.added", "check.allowed", "grant.expired"] {
        assert!(events.iter().any(|found| found == event), "no {event}: {events:?}");
    }
    assert_eq!(events.first().map(String::as_str), Some("grant.activated"), "{events:?}");
    for (event, count) in [("check.denied", 2), ("group.removed", 2), ("sudo_rule.written", 2)] {
        let entries = host.journal_of(&format!("STINT_EVENT={event}"), count, SOON);
        assert!(entries.iter().all(|entry| entry["MESSAGE_ID"].is_string()), "{entries:?}");
    }
    assert_eq!(ended["STINT_USER"], "alice");
    assert_eq!(ended["STINT_UID"], "1000");
    assert_eq!(ended["STINT_ROLE"], "admin");
    let line = format!("admin for alice ({}) has ended: its time is over", id(&given));
    assert_eq!(ended["MESSAGE"], line.as_str());
}

#[test]
fn on_bookworm_a_grant_opens_sudo_for_its_time_and_ends_in_the_shell_that_was_open() {
    it_ends_by_itself(Suite::Bookworm);
}

#[test]
fn on_trixie_a_grant_opens_sudo_and_sudo_rs_for_its_time_and_ends_in_the_shell_that_was_open() {
    it_ends_by_itself(Suite::Trixie);
}

#[test]
fn no_ticket_of_sudo_or_sudo_rs_outlives_a_grant() {
    for suite in Suite::ALL {
        let host = gated(suite, POLICY);
        let mut shell = host.shell("bob");
        for way in sudos(suite) {
            let asking = way.trim_end_matches(" -n");
            let given = grant(&host, "bob typed --for 1h");
            let unasked = shell.run(&format!("{way} id -u"));
            assert_ne!(unasked.status, 0, "{way} asks for no password: {unasked}");
            let typed = shell.run_with_password(&format!("{asking} id -u"), "pw-bob");
            assert_eq!((typed.status, typed.stdout.lines().last()), (0, Some("0")), "{typed}");
            let cached = shell.run(&format!("{way} id -u"));
            assert_eq!(cached.status, 0, "{way} keeps no ticket: {cached}");
            host.ok(&format!("stint revoke {} --reason over", id(&given)));
            let left = host.ok("ls /run/sudo/ts /run/sudo-rs/ts 2>/dev/null; true");
            let theirs = |line: &&str| matches!(*line, "bob" | "1001");
            assert_eq!(left.lines().find(theirs), None, "{way}: {left}");
            // A grant alone does not bring the ticket back.
            let again = grant(&host, "bob typed --for 1h");
            let asked = shell.run(&format!("{way} id -u"));
            assert_ne!(asked.status, 0, "{way}: an old ticket counts: {asked}");
            host.ok(&format!("stint revoke {} --reason over", id(&again)));
        }
    }
}

#[test]
fn a_revoked_grant_is_over_at_once_whichever_way_it_is_named() {
    let host = gated(Suite::Trixie, POLICY);
    let nobody = host.run("stint revoke zzzz --reason x");
    assert_eq!(
        (nobody.status, nobody.stderr.as_str()),
        (5, "stint: no running grant has the id zzzz; stint list shows them\n")
    );
    assert_eq!(host.run("stint revoke --all --reason ''").status, 2);
    assert_eq!(host.run("stint revoke --reason x").status, 2);
    let by_user = host.as_user("alice", "stint revoke --all --reason x");
    assert_eq!(
        (by_user.status, by_user.stderr.as_str()),
        (3, "stint revoke is root's: run it as root\n")
    );

    let mut shell = host.shell("alice");
    let others = grant(&host, "bob typed --for 1h");
    for way in ["ID", "--user alice", "--role admin", "--all"] {
        let given = grant(&host, "alice admin --for 1h");
        assert_let_in(&host, &mut shell, way);
        assert!(is_in(&host, "alice", "video"));
        let prefix = &id(&given)[..3];
        let named = way.replace("ID", prefix);
        let said = host.ok(&format!("stint revoke {named} --reason 'left the team'"));
        let line = format!("admin of alice has ended ({})\n", id(&given));
        assert!(said.contains(&line), "{way}: {said}");
        assert_denied(&host, &mut shell, way);
        assert!(!is_in(&host, "alice", "video"), "{way}");
        let ended = listed(&host, id(&given));
        assert_eq!((&ended["state"], &ended["end_reason"]), (&"ended".into(), &"revoked".into()));
        let entry = event_of(&host, "grant.revoked", id(&given));
        assert_eq!(entry["STINT_ACTOR"], "root");
        assert_eq!(entry["STINT_REASON"], "left the team");
        let state = if way == "--all" { "ended" } else { "active" };
        assert_eq!(listed(&host, id(&others))["state"], state, "{way}");
        assert_eq!(has_rules(&host), way != "--all", "{way}");
    }
}

#[test]
fn a_scheduled_grant_is_denied_before_its_time_begins_by_itself_and_ends() {
    let host = gated(Suite::Bookworm, POLICY);
    let past = host.run("stint grant alice admin --at 2026-01-01T00:00:00Z --for 1h --reason x");
    assert_eq!(
        (past.status, past.stderr.as_str()),
        (2, "stint: a grant cannot begin in the past (2026-01-01T00:00:00.000Z is over)\n")
    );
    let mut shell = host.shell("alice");
    assert_denied(&host, &mut shell, "before it was given");
    let given = grant(&host, "alice admin --at +6s --for 6s");
    assert_eq!(given["state"], "scheduled");
    let early = shell.run("sudo -n id -u");
    let text = format!("stint: your grant of admin ({}) starts at ", id(&given));
    assert_ne!(early.status, 0, "{early}");
    assert!(early.stdout.contains(&text), "{early}");
    assert!(!has_rules(&host) && !is_in(&host, "alice", "video"), "it is given before its time");

    let begun = event_of(&host, "grant.activated", id(&given));
    let late = micros(&begun) - time(&host, &given, "starts_at");
    assert!((0..2_000_000).contains(&late), "it began {late} µs after its time");
    eventually("its group", SOON, || is_in(&host, "alice", "video").then_some(()));
    assert_let_in(&host, &mut shell, "in its time");
    event_of(&host, "grant.expired", id(&given));
    assert_denied(&host, &mut shell, "after its time");
    assert_eq!(
        events(&host, id(&given))
            .iter()
            .filter(|event| event.starts_with("grant."))
            .collect::<Vec<_>>(),
        ["grant.scheduled", "grant.activated", "grant.expired"]
    );
}

#[test]
fn of_two_grants_the_later_end_counts() {
    let host = gated(Suite::Trixie, POLICY);
    let mut shell = host.shell("alice");
    assert_denied(&host, &mut shell, "before");
    let first = grant(&host, "alice admin --for 3s");
    let second = grant(&host, "alice admin --for 1h");
    event_of(&host, "grant.expired", id(&first));
    assert_let_in(&host, &mut shell, "by the second");
    assert!(is_in(&host, "alice", "video"));
    host.ok(&format!("stint revoke {} --reason over", id(&second)));
    assert_denied(&host, &mut shell, "after both");
    assert!(!is_in(&host, "alice", "video"));
}

#[test]
fn a_grant_lives_through_restarts_kills_and_reboots_and_ends_when_it_was_to_end() {
    let mut host = gate(with_boots(builder(Suite::Bookworm, POLICY)).boot());
    assert_denied(&host, &mut host.shell("alice"), "before");
    let given = grant(&host, "alice admin --for 1h");
    let same = |host: &Host, when: &str| {
        assert_let_in(host, &mut host.shell("alice"), when);
        assert!(is_in(host, "alice", "video"), "{when}");
        let now = listed(host, id(&given));
        assert_eq!(now["state"], "active", "{when}");
        assert_eq!(now["expires_at"], given["expires_at"], "{when}");
    };
    host.ok("systemctl restart stintd.service");
    same(&host, "after a restart");
    kill(&host);
    same(&host, "after kill -9");
    next_boot(&host);
    host.reboot();
    same(&host, "after a reboot");
    let short = grant(&host, "alice admin --for 4s");
    next_boot(&host);
    host.power_cut();
    same(&host, "after a power cut");
    let ended = event_of(&host, "grant.expired", id(&short));
    let early = time(&host, &short, "expires_at") - micros(&ended);
    assert!(early <= 0, "it ended {early} µs before its time");
    host.ok("stint revoke --all --reason over");
    assert_denied(&host, &mut host.shell("alice"), "after the end");
}

/// Keeps the daemon dead until `revive`.
fn keep_dead(host: &Host) {
    host.write("/run/systemd/system/stintd.service.d/dead.conf", "0644", "[Service]\nRestart=no\n");
    // Nor does anything else take back what is over.
    host.ok("systemctl daemon-reload && systemctl stop stint-sweep.path stint-sweep.timer");
    kill(host);
}

fn revive(host: &Host) {
    host.ok("rm -r /run/systemd/system/stintd.service.d && systemctl daemon-reload");
    host.ok("systemctl start stintd.service");
}

#[test]
fn what_ended_while_the_daemon_was_dead_is_taken_back_before_its_first_answer() {
    let host = gated(Suite::Trixie, POLICY);
    let given = grant(&host, "alice admin --for 4s");
    assert_let_in(&host, &mut host.shell("alice"), "before");
    keep_dead(&host);
    let end = time(&host, &given, "expires_at");
    eventually("the end of the grant", SOON, || {
        let now: i64 = host.ok("date +%s%N").trim().parse().unwrap();
        (now / 1000 > end).then_some(())
    });
    assert!(has_rules(&host), "nobody was there to take the rules back");
    assert!(is_in(&host, "alice", "video"), "nobody was there to take the group back");
    revive(&host);
    assert!(!has_rules(&host), "the rules are still there after the start");
    assert!(!is_in(&host, "alice", "video"), "the group is still there after the start");
    assert_denied(&host, &mut host.shell("alice"), "after the start");
    assert_eq!(listed(&host, id(&given))["end_reason"], "expired");
    event_of(&host, "grant.expired", id(&given));
}

#[test]
fn on_bookworm_sudo_itself_ends_a_rule_that_nobody_takes_back() {
    let host = gated(Suite::Bookworm, POLICY);
    let given = grant(&host, "bob admin --for 6s");
    keep_dead(&host);
    // Without the gate and without the daemon, sudo has nothing but the rule.
    host.ok("stint gate off sudo");
    assert_eq!(host.as_user("bob", "sudo -n id -u").stdout, "0\n", "while it runs");
    let end = time(&host, &given, "expires_at");
    let refused = eventually("sudo to refuse", SOON, || {
        let output = host.as_user("bob", "sudo -n id -u");
        (!output.ok()).then_some(output)
    });
    assert_says(&refused, "sudo: a password is required", "after the end");
    let now: i64 = host.ok("date +%s%N").trim().parse().unwrap();
    assert!(now / 1000 - end > -1_000_000, "sudo ended it more than a second too early");
    assert!(has_rules(&host), "the rule was taken back, so this shows nothing");
}
