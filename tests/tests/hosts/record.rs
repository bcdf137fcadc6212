//! The record: every decision is one event, in the journal before its answer and in the state soon
//! after, whatever text is in it.

use crate::common::{document, event_of};
use crate::parley::{DENIED, all_grants, check, gated, grant, refused};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::time::Duration;
use stint_tests::{Host, Suite, eventually, freezing};

/// What the contract names; `STINT_GROUP` beside it.
const FIELDS: [&str; 11] = [
    "STINT_DECISION",
    "STINT_USER",
    "STINT_UID",
    "STINT_ROLE",
    "STINT_GRANT",
    "STINT_GROUP",
    "STINT_ACTOR",
    "STINT_SERVICE",
    "STINT_REASON",
    "STINT_TICKET",
    "STINT_REQUEST",
];

const MESSAGE_ID_BASE: &str = "5b1c8f0e6a7d4b53a2e94d1f7c30";

/// The events in the journal, from the `skip`th on; how far the chain has come is no event of the
/// state.
pub fn events(host: &Host, skip: usize) -> Vec<Value> {
    let entries = host.journal("-t stintd");
    let is_event =
        |entry: &Value| entry.get("STINT_EVENT").is_some_and(|event| event != "audit.checkpoint");
    entries.into_iter().filter(is_event).skip(skip).collect()
}

/// The fields of an event that are there, as `NAME=value` without `STINT_`, in one line.
fn fields(event: &Value) -> String {
    let told = FIELDS.iter().filter_map(|name| {
        let value = event[*name].as_str()?;
        Some(format!("{}={value}", name.trim_start_matches("STINT_").to_lowercase()))
    });
    told.collect::<Vec<_>>().join(" ")
}

/// The state's record: each event and its fields, oldest first. A link with a count is as many
/// events; a count that is no link yet counts too.
pub fn record_in_state(host: &Host) -> Vec<(String, Value)> {
    let file = host.root().join("var/lib/stint/state.sqlite");
    let state = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let sql = "SELECT event, fields FROM (SELECT 1 AS part, seq, event, fields FROM record
               UNION ALL SELECT 2, id, event, fields FROM floods) ORDER BY part, seq";
    let mut rows = state.prepare(sql).unwrap();
    let read = rows.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
    let links = read.map(|row| row.map(|(event, text)| (event, document(&text))).unwrap());
    let events = |(event, fields): (String, Value)| {
        let times = fields["STINT_COUNT"].as_str().map_or(1, |count| count.parse().unwrap());
        std::iter::repeat_n((event, fields), times)
    };
    links.flat_map(events).collect()
}

/// Every event once in the journal is once in the state, with the same fields, in the same order.
pub fn assert_state_agrees(host: &Host) {
    let journal: Vec<_> = events(host, 0)
        .iter()
        .map(|event| (event["STINT_EVENT"].as_str().unwrap().to_owned(), fields(event)))
        .collect();
    let mut found = Vec::new();
    eventually("the state to have every event", Duration::from_secs(2), || {
        found =
            record_in_state(host).iter().map(|(event, all)| (event.clone(), fields(all))).collect();
        (found.len() >= journal.len()).then_some(())
    });
    // What changes a grant is durable first and told after, so another event can come between.
    let sorted = |mut events: Vec<(String, String)>| {
        events.sort();
        events
    };
    assert_eq!(sorted(found), sorted(journal));
}

/// Every event is stintd's own native entry, and the catalog explains it.
fn assert_native(host: &Host, events: &[Value]) {
    let catalog = host.ok("journalctl --list-catalog");
    for event in events {
        assert_eq!(event["SYSLOG_IDENTIFIER"], "stintd", "{event}");
        assert_eq!(event["SYSLOG_FACILITY"], "10", "authpriv: {event}");
        assert_eq!(event["_TRANSPORT"], "journal", "{event}");
        assert_eq!(event["_UID"], "0", "{event}");
        assert_eq!(event["_SYSTEMD_UNIT"], "stintd.service", "{event}");
        let id = event["MESSAGE_ID"].as_str().unwrap();
        assert!(id.starts_with(MESSAGE_ID_BASE) && id.len() == 32, "{event}");
        assert!(catalog.contains(id), "the catalog does not explain {event}");
        assert!(!event["MESSAGE"].as_str().unwrap().is_empty(), "{event}");
    }
}

#[test]
fn every_decision_is_one_entry_with_the_contracts_fields() {
    let host = gated(Suite::Trixie);
    let skip = events(&host, 0).len();
    let refused = host.as_user("alice", "sudo -n true");
    assert!(refused.stderr.starts_with(DENIED), "{refused}");
    let hers = grant(&host, "alice", "admin", "--ticket CHG-4711");
    let his = grant(&host, "bob", "crew", "--for 1h");
    assert!(host.as_user("alice", "sudo -n true").ok());
    // sudo does not wait for the word of its end.
    event_of(&host, "session.closed", &hers);
    host.ok(&format!("stint revoke {hers} --reason over && stint revoke {his} --reason over"));
    host.ok("stint reload");
    host.write_policy("[roles.admin]\nmax_duration = \"soon\"\n");
    assert_eq!(host.run("stint reload").status, 1);

    let events = events(&host, skip);
    let mut told: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["STINT_EVENT"].as_str().unwrap(), fields(event)))
        .collect();
    // What is taken back is taken back beside the telling of the end.
    for (end, taken_back) in [(8, 9), (10, 11)] {
        if told.get(taken_back).is_some_and(|last| last.starts_with("grant.revoked")) {
            told.swap(end, taken_back);
        }
    }
    let alice = "user=alice uid=1000 role=admin";
    let bob = "user=bob uid=1001 role=crew";
    let wanted = [
        "check.denied decision=denied user=alice uid=1000 service=sudo".to_owned(),
        format!("grant.activated {alice} grant={hers} actor=root reason=a test ticket=CHG-4711"),
        "sudo_rule.written ".to_owned(),
        format!("grant.activated {bob} grant={his} actor=root reason=a test"),
        format!("group.added user=bob grant={his} group=crew"),
        format!("check.allowed decision=allowed {alice} grant={hers} service=sudo"),
        format!("session.opened {alice} grant={hers} service=sudo"),
        format!("session.closed user=alice uid=1000 grant={hers} service=sudo"),
        format!("grant.revoked {alice} grant={hers} actor=root reason=over ticket=CHG-4711"),
        "sudo_rule.written ".to_owned(),
        format!("grant.revoked {bob} grant={his} actor=root reason=over"),
        "group.removed user=bob group=crew".to_owned(),
        "policy.loaded actor=root".to_owned(),
        "policy.rejected actor=root".to_owned(),
    ];
    assert_eq!(told, wanted);

    assert_native(&host, &events);
    let priorities: Vec<_> =
        events.iter().map(|event| event["PRIORITY"].as_str().unwrap()).collect();
    assert_eq!(priorities.concat(), "45555666555553", "as loud as the decision is");
    // Nor is it said a second time by another way.
    let elsewhere = host.journal("_SYSTEMD_UNIT=stintd.service");
    for event in &events {
        let same = elsewhere.iter().filter(|entry| {
            entry.get("STINT_EVENT").is_none() && entry["MESSAGE"] == event["MESSAGE"]
        });
        assert_eq!(same.count(), 0, "told twice: {event}");
    }
    assert_state_agrees(&host);
}

#[test]
fn a_checks_event_is_in_the_journal_when_sudo_returns() {
    for suite in Suite::ALL {
        let host = gated(suite);
        grant(&host, "bob", "admin", "--for 1h");
        // stintd gets no time after its answer.
        let freeze = freezing("$pid");
        let script = format!(
            "pid=$(systemctl show -P MainPID stintd.service)
            for round in 1 2 3 4 5 6 7 8; do
                runuser -u alice -- sudo -n true 2>/dev/null
                runuser -u bob -- sudo -n true || exit 1
                {freeze}
                journalctl --sync
                for event in check.denied check.allowed; do
                    printf '%s ' $(journalctl -q -o cat --output-fields=MESSAGE STINT_EVENT=$event | wc -l)
                done
                kill -CONT $pid
            done"
        );
        assert_eq!(host.ok(&script), "1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 ", "{suite:?}");
        assert_state_agrees(&host);
    }
}

#[test]
fn the_journal_explains_an_event_and_names_who_it_is_about() {
    for suite in Suite::ALL {
        let host = gated(suite);
        assert_ne!(host.as_user("alice", "sudo -n true").status, 0);
        let hers = grant(&host, "alice", "admin", "--for 1h");
        let explained = |event: &str| {
            host.ok(&format!("journalctl --sync; journalctl -q -x -n 1 STINT_EVENT={event}"))
        };
        let denied = explained("check.denied");
        for part in [
            "Subject: alice was denied sudo\n",
            "Defined-By: stint\n",
            "(uid 1000)",
            "stint grant alice ROLE --for 30m --reason \"what for\"",
        ] {
            assert!(denied.contains(part), "{suite:?}, {part:?}: {denied}");
        }
        let given = explained("grant.activated");
        let subject = format!("Subject: alice holds admin (grant {hers})\n");
        assert!(given.contains(&subject), "{suite:?}: {given}");
        assert!(given.contains("The reason given: a test"), "{suite:?}: {given}");
    }
}

/// As many people as would forge a record type it: line ends, another field, escape sequences, a
/// mark that turns the direction of writing, a line separator.
const HOSTILE: &str = "a\nSTINT_EVENT=check.allowed\nSTINT_USER=mallory\n\u{1b}[2J\u{1b}]0;x\u{7}\u{202e}live\u{2028}b\u{85}c\r";

/// One entry and no more for `event`, with nothing in any field that could do harm.
fn one_harmless(host: &Host, event: &str, skip: usize) -> Value {
    let entries = host.journal(&format!("STINT_EVENT={event}"));
    assert_eq!(entries.len(), skip + 1, "{event}: {entries:?}");
    let entry = entries.last().unwrap().clone();
    for (name, value) in entry.as_object().unwrap() {
        let text = value.as_str().unwrap_or_else(|| panic!("{name} is no text: {value}"));
        let bad = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}');
        assert!(!text.contains(bad), "{name}: {text:?}");
        assert!(text.chars().count() < 700, "{name} is long");
    }
    assert!(host.journal("STINT_USER=mallory").is_empty(), "a record was forged");
    entry
}

#[test]
fn hostile_text_is_one_harmless_record_or_refused() {
    let host = gated(Suite::Bookworm);
    let before = all_grants(&host);
    let long = "x".repeat(65_536);
    let too_long = [
        (format!("--reason {long}"), "stint: the reason is too long: 512 characters at most\n"),
        (
            format!("--reason x --ticket {long}"),
            "stint: the ticket is too long: 512 characters at most\n",
        ),
    ];
    for (more, message) in too_long {
        refused(&host.run(&format!("stint grant alice admin {more}")), 2, message);
    }
    assert_eq!(all_grants(&host), before);
    assert!(host.journal("STINT_EVENT=grant.activated").is_empty());

    host.write("/root/hostile", "0600", HOSTILE);
    let order = "text=$(cat /root/hostile; echo .); text=${text%.}
        stint grant alice admin --reason \"$text\" --ticket \"$text\" --json";
    let given = document(&host.ok(order));
    assert_eq!(
        (given["reason"].as_str(), given["ticket"].as_str()),
        (Some(HOSTILE), Some(HOSTILE))
    );
    let entry = one_harmless(&host, "grant.activated", 0);
    let reason = entry["STINT_REASON"].as_str().unwrap();
    assert!(
        reason.starts_with(
            "a\\u{a}STINT_EVENT=check.allowed\\u{a}STINT_USER=mallory\\u{a}\\u{1b}[2J"
        ),
        "{reason}"
    );
    assert_eq!(entry["STINT_TICKET"], entry["STINT_REASON"]);
    for line in ["stint list", "stint list --user alice", "journalctl -x -t stintd --no-pager"] {
        let shown = host.ok(line);
        assert!(
            !shown.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}', '\u{2028}']),
            "{line}: {shown:?}"
        );
        assert!(!shown.lines().any(|line| line.starts_with("STINT_")), "{line}: {shown}");
    }
    host.ok("text=$(cat /root/hostile; echo .); stint revoke --all --reason \"$text\"");
    one_harmless(&host, "grant.revoked", 0);
    assert_state_agrees(&host);
}

#[test]
fn hostile_names_at_the_gate_are_one_harmless_record() {
    let host = gated(Suite::Bookworm);
    // What PAM says, as a caller with root's help could have it.
    let named = [
        ["sudo", "alice", HOSTILE, "", ""],
        [HOSTILE, "alice", "alice", "", ""],
        ["sudo", "alice", "alice\u{202e}", HOSTILE, HOSTILE],
        ["sudo", "", &"x".repeat(10_000), "", ""],
        ["../../etc/shadow", "alice", "alice", "", ""],
    ];
    // Longer than any question: it is not even read to its end.
    let endless = check(&host, ["sudo", "alice", &"x".repeat(60_000), "", ""], 1);
    assert_ne!(endless.status, 0, "{endless}");
    assert!(!endless.stdout.contains("allow"), "{endless}");
    for (count, items) in named.into_iter().enumerate() {
        let answer = check(&host, items, 1);
        assert!(answer.stdout.contains("deny"), "{items:?}: {answer:?}");
        let entry = one_harmless(&host, "check.denied", count);
        assert_eq!(entry["STINT_DECISION"], "denied");
    }
    assert_state_agrees(&host);
}

/// Makes an account of this name with the uid 1500, whom sudo would let in.
fn add_account(host: &Host, name: &str) {
    host.write("/root/passwd", "0600", format!("{name}:x:1500:1500::/:/bin/sh\n"));
    host.write("/root/shadow", "0600", format!("{name}:*:20000:0:99999:7:::\n"));
    host.ok("cat /root/passwd >>/etc/passwd && cat /root/shadow >>/etc/shadow");
    host.write("/etc/sudoers.d/everybody", "0440", "#1500 ALL=(ALL) NOPASSWD: ALL\n");
}

const AS_1500: &str = "setpriv --reuid 1500 --regid 1500 --clear-groups sudo -n true";

#[test]
fn an_account_with_a_hostile_name_is_denied_and_told_of_once() {
    let host = gated(Suite::Bookworm);
    add_account(&host, "x=\"y STINT_USER=mallory");
    let output = host.run(AS_1500);
    assert_ne!(output.status, 0, "{output}");
    let line = "stint: sudo is gated, and the account has no name that stint takes.\n";
    assert!(output.stderr.starts_with(line), "{output}");
    let entry = one_harmless(&host, "check.denied", 0);
    assert_eq!(entry["STINT_USER"], "x=\"y STINT_USER=mallory");
    assert_eq!(entry["STINT_UID"], "1500");
    assert_state_agrees(&host);

    // With control characters in it the module does not even ask, and says so to the log itself.
    let host = gated(Suite::Trixie);
    add_account(&host, "e\u{1b}[2J\u{202e}x");
    let output = host.run(AS_1500);
    assert_ne!(output.status, 0, "{output}");
    let line = "stint: the program that asks said something that stint cannot use, so nobody is \
                let in. root: journalctl -g pam_stint\n";
    assert!(output.stderr.starts_with(line), "{output}");
    assert!(host.journal("STINT_EVENT=check.denied").is_empty());
    let told = host.journal("-g pam_stint");
    assert_eq!(told.len(), 1, "{told:?}");
    let message = told[0]["MESSAGE"].as_str().unwrap();
    assert!(message.contains("denied: ") && !message.contains(char::is_control), "{message:?}");
}
