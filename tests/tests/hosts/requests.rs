//! Every rule of the policy for requests holds in the daemon: by command and by raw call, whoever
//! asks what the policy does not allow is refused with one message, and nothing has changed.

use std::fmt::Write as _;

use stint_tests::{Host, Suite};

use crate::common::{SOON, builder, document, event_of, id};
use crate::workflow::{
    UNASKED, approve, ask, call, everything, line, look, outcome, pending, refused, text,
};

const POLICY: &str = r#"
[approvals]
authenticate = false

[requests]
max_pending_per_user = 3
max_pending = 4

[roles.admin]
sudo = [{ commands = ["ALL"] }]
eligible = ["%engineers"]
approvers = ["bob"]
max_duration = "4h"
reason = { min_length = 5 }

[roles.others]
groups = ["games"]
eligible = ["carol"]
approvals = 0

[roles.ticketed]
groups = ["games"]
eligible = ["%engineers"]
approvals = 0
ticket = '^INC-\d+$'

[roles.resting]
groups = ["games"]
eligible = ["%engineers"]
approvals = 0
cooldown = "1h"

[roles.rationed]
groups = ["games"]
eligible = ["%engineers"]
approvals = 0
daily_budget = "1h"
max_duration = "2h"

[roles.single]
groups = ["games"]
eligible = ["%engineers"]
approvals = 0
max_active = 1

[roles.orphan]
groups = ["games"]
eligible = ["%engineers"]

[roles.elsewhere]
groups = ["games"]
eligible = ["%engineers"]
hosts = ["db-*"]
"#;

/// alice and carol are engineers; one role is closed today and open three days from now.
fn host() -> Host {
    let mut policy = POLICY.to_owned();
    let host = builder(Suite::Bookworm, &policy).boot();
    host.ok("groupadd engineers && gpasswd -a alice engineers && gpasswd -a carol engineers");
    let day = host.ok("LC_ALL=C date -u -d '+3 days' +%a");
    write!(
        policy,
        "[roles.closed]\ngroups = [\"games\"]\neligible = [\"%engineers\"]\napprovals = 0\n\
         hours = \"{} 00:00-24:00 UTC\"\n",
        day.trim()
    )
    .unwrap();
    host.load_policy(&policy);
    host
}

/// What is asked, on the bus and by command, and words of the refusal.
struct Case {
    bus: &'static [(&'static str, &'static str, &'static str)],
    command: &'static str,
    status: i32,
    words: &'static str,
}

const REASON: (&str, &str, &str) = ("reason", "s", "'for a test'");

const CASES: &[Case] = &[
    Case {
        bus: &[("role", "s", "nothing"), REASON],
        command: "nothing --reason 'for a test'",
        status: 2,
        words: "there is no role nothing",
    },
    Case {
        bus: &[("role", "s", "elsewhere"), REASON],
        command: "elsewhere --reason 'for a test'",
        status: 3,
        words: "does not exist on web-1",
    },
    Case {
        bus: &[("role", "s", "others"), REASON],
        command: "others --reason 'for a test'",
        status: 3,
        words: "is not eligible",
    },
    Case {
        bus: &[("role", "s", "admin"), ("duration", "t", "14401"), REASON],
        command: "admin --for 4h1s --reason 'for a test'",
        status: 3,
        words: "at most 4h",
    },
    Case {
        bus: &[("role", "s", "admin"), ("reason", "s", "abc")],
        command: "admin --reason abc",
        status: 3,
        words: "at least 5",
    },
    Case {
        bus: &[("role", "s", "admin"), ("reason", "s", "'   '")],
        command: "admin --reason '   '",
        status: 2,
        words: "reason",
    },
    Case {
        bus: &[("role", "s", "admin"), ("reason", "s", "\"$(printf %065536d 0)\"")],
        command: "admin --reason \"$(printf %065536d 0)\"",
        status: 2,
        words: "512",
    },
    Case {
        bus: &[("role", "s", "ticketed"), REASON],
        command: "ticketed --reason 'for a test' </dev/null",
        status: 2,
        words: "ticket",
    },
    Case {
        bus: &[("role", "s", "ticketed"), ("ticket", "s", "CHG-7"), REASON],
        command: "ticketed --ticket CHG-7 --reason 'for a test'",
        status: 3,
        words: "CHG-7",
    },
    Case {
        bus: &[("role", "s", "closed"), REASON],
        command: "closed --reason 'for a test'",
        status: 3,
        words: "hours",
    },
    Case {
        bus: &[("role", "s", "orphan"), REASON],
        command: "orphan --reason 'for a test'",
        status: 3,
        words: "approv",
    },
    Case {
        bus: &[("role", "s", "rationed"), ("duration", "t", "3601"), REASON],
        command: "rationed --for 1h1s --reason 'for a test'",
        status: 3,
        words: "1h",
    },
    Case {
        bus: &[("role", "s", "admin"), ("starts_at", "x", "1000000"), REASON],
        command: "admin --at 1970-01-02T00:00:00Z --reason 'for a test'",
        status: 2,
        words: "past",
    },
];

/// Refused on the bus and by command, in one line, and nothing has changed.
fn refused_both_ways(host: &Host, case: &Case) {
    let before = everything(host);
    refused(&call(host, "alice", "Request", case.bus), case.words);
    let output = host.as_user("alice", &format!("stint request {}", case.command));
    assert_eq!(output.status, case.status, "{}: {output}", case.command);
    assert!(output.stderr.contains(case.words), "{}: {output}", case.command);
    assert!(output.stderr.lines().count() <= 3 && output.stdout.is_empty(), "{output}");
    assert_eq!(everything(host), before, "{}: something was changed", case.command);
}

#[test]
fn what_the_policy_does_not_allow_is_refused_by_command_and_by_raw_call() {
    let host = host();
    for case in CASES {
        refused_both_ways(&host, case);
    }
    // A refusal is an event, with the policy for its actor.
    let refusals = host.journal_of("STINT_EVENT=request.denied STINT_ACTOR=policy", 2, SOON);
    assert!(refusals.iter().all(|event| event["STINT_DECISION"] == "denied"), "{refusals:?}");
}

#[test]
fn what_was_held_and_what_others_hold_is_counted() {
    let host = host();
    ask(&host, "alice", "resting").unwrap();
    refused(&ask(&host, "alice", "resting"), "stint extend");
    call(&host, "alice", "Drop", &[]).unwrap();
    refused(&ask(&host, "alice", "resting"), "1h");
    ask(&host, "carol", "resting").expect("the rest is alice's");
    let half: &[_] = &[("role", "s", "rationed"), ("duration", "t", "2400"), REASON];
    call(&host, "alice", "Request", half).unwrap();
    let more = host.as_user("alice", "stint drop");
    assert!(more.ok(), "{more}");
    // It is time that is counted, not grants: what was given back has cost nothing.
    call(&host, "alice", "Request", half).unwrap();
    let id_held =
        text(&document(&host.as_user("alice", "stint list --json").stdout)[0], "id").to_owned();
    let over: &[_] = &[("id", "s", id_held.as_str()), ("duration", "t", "2400")];
    refused(&call(&host, "alice", "Extend", over), "1h");
    ask(&host, "alice", "single").unwrap();
    refused(&ask(&host, "carol", "single"), "hold");
}

#[test]
fn nobody_may_have_more_than_so_many_requests_pending() {
    let mut policy = POLICY.to_owned();
    for number in 1..=4 {
        write!(
            policy,
            "[roles.wait-{number}]\ngroups = [\"games\"]\neligible = [\"alice\", \"carol\"]\n\
             approvers = [\"bob\"]\n"
        )
        .unwrap();
    }
    let host = builder(Suite::Bookworm, &policy).boot();
    for number in 1..=3 {
        pending(&host, "alice", &format!("wait-{number}"));
    }
    let before = everything(&host);
    refused(&ask(&host, "alice", "wait-4"), "3");
    refused(&ask(&host, "alice", "wait-1"), "stint wait");
    assert_eq!(everything(&host), before);
    pending(&host, "carol", "wait-1");
    refused(&ask(&host, "carol", "wait-2"), "4");
    ask(&host, "carol", "others").expect("what needs no approval waits for nobody");
}

#[test]
fn root_and_system_accounts_ask_for_nothing() {
    let policy = format!(
        "{UNASKED}[roles.r]\ngroups = [\"games\"]\neligible = [\"%daemon\"]\napprovals = 0\n"
    );
    let host = builder(Suite::Bookworm, &policy).boot();
    let root = host.run(&line("Request", "a{sv}", "2 role s r reason s x"));
    refused(&outcome(&root), "root");
    host.ok("usermod -s /bin/sh daemon");
    let system = host.run(&format!(
        "runuser -u daemon -- {}",
        line("Request", "a{sv}", "2 role s r reason s x")
    ));
    refused(&outcome(&system), "system account");
}

#[test]
fn the_clock_of_a_grant_starts_when_it_is_granted() {
    let host = host();
    let request = pending(&host, "alice", "admin");
    stint_tests::clock::pause(std::time::Duration::from_millis(2_200));
    let approved = approve(&host, "bob", &request).unwrap();
    let grant = document(&host.ok("stint list --json"))[0].clone();
    assert_eq!(grant["id"], approved["grant"]);
    let event = event_of(&host, "grant.activated", id(&grant));
    assert_eq!(event["STINT_REQUEST"], request["id"]);
    let seconds = |key: &str| -> i64 {
        let time = text(&grant, key);
        host.ok(&format!("date -d '{time}' +%s")).trim().parse().unwrap()
    };
    assert_eq!(seconds("expires_at") - seconds("starts_at"), 1_800);
    let asked = request["created_at"].as_i64().unwrap() / 1_000_000;
    assert!(seconds("starts_at") >= asked + 2, "{grant}");
}

#[test]
fn a_request_lapses_and_survives_a_crash_until_then() {
    let policy = format!(
        "{UNASKED}[requests]\nlapse_after = \"12s\"\n[roles.admin]\nsudo = [{{ commands = [\"ALL\"] }}]\n\
         eligible = [\"alice\"]\napprovers = [\"bob\"]\n"
    );
    let host = builder(Suite::Bookworm, &policy).boot();
    let request = pending(&host, "alice", "admin");
    crate::common::kill(&host);
    assert_eq!(look(&host, &request)["state"], "pending");
    let lapsed = stint_tests::eventually("the lapse", SOON, || {
        let now = look(&host, &request);
        (now["state"] != "pending").then_some(now)
    });
    assert_eq!((&lapsed["state"], &lapsed["ended_by"]), (&"lapsed".into(), &"policy".into()));
    refused(&approve(&host, "bob", &request), "lapsed");
    let matches = format!("STINT_EVENT=request.lapsed STINT_REQUEST={}", text(&request, "id"));
    assert_eq!(host.journal_of(&matches, 1, SOON).len(), 1, "each transition is recorded once");
}

#[test]
fn a_hostile_reason_is_one_harmless_record_and_one_harmless_line() {
    let host = host();
    const HOSTILE: &str =
        "\"$(printf 'red \\033[31m\\nSTINT_EVENT=grant.activated \\342\\200\\256 it')\"";
    let order: &[_] = &[("role", "s", "admin"), ("reason", "s", HOSTILE)];
    let request = call(&host, "alice", "Request", order).unwrap();
    let matches = format!("STINT_EVENT=request.created STINT_REQUEST={}", text(&request, "id"));
    let events = host.journal_of(&matches, 1, SOON);
    let reason = text(&events[0], "STINT_REASON");
    assert!(reason.starts_with("red \\u{1b}[31m\\u{a}STINT_EVENT"), "{reason}");
    for command in ["stint pending", "stint approve --yes zzzz; stint pending --json"] {
        let shown = host.as_user("bob", command).text();
        assert!(shown.contains("red "), "{shown}");
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        assert!(!shown.contains('\u{202e}') || shown.trim_start().starts_with('['), "{shown:?}");
    }
}
