//! What becomes of a request: every refusal, in its words, and the terms of what is not refused.
#![allow(clippy::unwrap_used, reason = "a test says by failing what it expects")]

mod common;

use common::{groups, load};
use stint_policy::request::{
    Ask, OwnedFacts, RequestRefusal, RequestTerms, Spell, judge_extension, judge_request,
    judge_start, outlook,
};
use stint_policy::{Policy, Subject};
use stint_proto::{ErrorCode, Length, Timestamp, Uid};

const POLICY: &str = r#"[requests]
lapse_after = "2h"
max_pending_per_user = 2
max_pending = 7
[roles.admin]
sudo = [{ commands = ["ALL"] }]
eligible = ["alice"]
approvers = ["bob", "%leads"]
approvals = 2
max_duration = "4h"
reason = { min_length = 10 }
ticket = '^CHG-\d+$'
hours = "Mon-Fri 08:00-18:00 UTC"
cooldown = "10m"
daily_budget = "4h"
max_active = 1
[roles.plain]
services = ["su"]
eligible = ["alice"]
approvals = 0
reason = { required = false }
[roles.lonely]
services = ["su"]
eligible = ["alice"]
[roles.fire]
services = ["su"]
eligible = ["alice"]
approvers = ["bob"]
break_glass = true
[roles.nobody]
services = ["su"]
[roles.far]
services = ["su"]
hosts = ["db-*"]
"#;

/// A Monday.
fn at(time: &str) -> Timestamp {
    format!("2026-11-23T{time}:00Z").parse().unwrap()
}

fn clock(at: Timestamp) -> String {
    at.to_string()[..16].replace('T', " ")
}

fn length(text: &str) -> Length {
    text.parse().unwrap()
}

fn spell(from: &str, until: &str) -> Spell {
    Spell { starts_at: at(from), ends_at: at(until) }
}

struct Case {
    role: &'static str,
    duration: Option<&'static str>,
    starts_at: Option<Timestamp>,
    reason: String,
    ticket: Option<&'static str>,
    facts: OwnedFacts,
    now: Timestamp,
}

fn case(role: &'static str) -> Case {
    Case {
        role,
        duration: None,
        starts_at: None,
        reason: " mend the disk ".to_owned(),
        ticket: Some("CHG-1"),
        facts: OwnedFacts::default(),
        now: at("10:00"),
    }
}

impl Case {
    fn judge<T>(&self, then: impl FnOnce(Result<RequestTerms<'_>, RequestRefusal>) -> T) -> T {
        let policy = load(POLICY).unwrap().policy;
        let (user, role, in_groups) =
            ("alice".parse().unwrap(), self.role.parse().unwrap(), groups(&[]));
        let ask = Ask {
            role: &role,
            duration: self.duration.map(length),
            starts_at: self.starts_at,
            reason: Some(&self.reason),
            ticket: self.ticket,
        };
        let subject = Subject { user: &user, uid: Uid(1000), groups: &in_groups };
        let facts = self.facts.facts();
        then(judge_request(&policy, "web-1", subject, &ask, &facts, self.now, &clock))
    }

    fn refused(self, code: ErrorCode, text: &str) {
        self.judge(|judged| {
            let refusal = judged.unwrap_err();
            assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, text));
        });
    }

    fn fine(&self) {
        self.judge(|judged| assert!(judged.is_ok(), "{judged:?}"));
    }
}

use ErrorCode::{Invalid, Refused};

#[test]
fn a_role_that_is_not_there_or_not_for_them_is_refused() {
    let roles = "admin, fire, lonely, nobody, plain";
    let text = format!("there is no role gone; the roles of this host: {roles}");
    case("gone").refused(Invalid, &text);
    case("far").refused(Refused, "far does not exist on web-1, only on db-* (p.toml:34)");
    case("nobody").refused(Refused, "nobody is eligible for nobody (p.toml:30)");
    let policy = load(POLICY).unwrap().policy;
    let (user, role, in_groups) =
        ("mallory".parse().unwrap(), "admin".parse().unwrap(), groups(&["leads"]));
    let subject = Subject { user: &user, uid: Uid(1001), groups: &in_groups };
    let facts = OwnedFacts::default();
    let told = outlook(&policy, "web-1", subject, &role, &facts.facts(), at("10:00"), &clock);
    let wanted = "mallory is not eligible for admin, only alice (p.toml:7)";
    assert_eq!(told.unwrap_err().to_string(), wanted);
    let by = policy.approver_by(&policy.roles[&role], subject).unwrap();
    assert_eq!(by.to_string(), "%leads");
}

#[test]
fn reasons_and_tickets_that_will_not_do_are_refused() {
    let said = |reason: &str| Case { reason: reason.to_owned(), ..case("admin") };
    let needs = "a request for admin needs a reason of at least 10 characters: \
                 --reason \"what for\" (p.toml:11)";
    said(" \t\n").refused(Invalid, needs);
    let short = "the reason has 9 characters, and admin asks for at least 10 (p.toml:11)";
    said("  123456789  ").refused(Refused, short);
    said(&"x".repeat(513)).refused(Invalid, "the reason has 513 characters; 512 are the most");
    said(&"é".repeat(512)).fine();
    // What does more than be read is taken as it is, and escaped wherever it is shown.
    for text in ["mend the\ndisk", "mend the \u{1b}[2J", "\u{202e}mend it all"] {
        said(text).fine();
    }
    let asked = |ticket| Case { ticket, ..case("admin") };
    let needs =
        "a request for admin needs a ticket, --ticket, that looks like ^CHG-\\d+$ (p.toml:12)";
    asked(None).refused(Invalid, needs);
    asked(Some(" ")).refused(Invalid, needs);
    let shape = "\"INC-1\" is no ticket for admin; one looks like ^CHG-\\d+$ (p.toml:12)";
    asked(Some("INC-1")).refused(Refused, shape);
}

#[test]
fn times_that_cannot_be_are_refused() {
    let long = "admin is given for at most 4h, not for 4h1s (p.toml:10)";
    Case { duration: Some("4h1s"), ..case("admin") }.refused(Refused, long);
    let from = |starts_at| Case { starts_at: Some(starts_at), ..case("plain") };
    let past = "2026-11-23 09:59 is past, it is 2026-11-23 10:00; without --at it begins at once";
    from(at("09:59")).refused(Invalid, past);
    let latest = at("10:00").checked_add(Length::MAX).unwrap();
    from(latest).fine();
    let far = "2027-11-24 10:00 is too far ahead; 2027-11-24 10:00 is the latest";
    from(Timestamp(latest.micros() + 1)).refused(Invalid, far);
    let later = "fire is for emergencies and begins at once: leave --at out (p.toml:29)";
    Case { starts_at: Some(at("11:00")), ..case("fire") }.refused(Refused, later);
}

#[test]
fn who_has_the_role_or_has_asked_for_it_is_refused() {
    let held = |role, from, until| {
        let (held, spells) = ("g4t9".parse().ok(), vec![spell(from, until)]);
        Case { facts: OwnedFacts { held, spells, ..OwnedFacts::default() }, ..case(role) }
    };
    let more = "alice holds plain already (g4t9); for more time: stint extend g4t9 --for 30m";
    held("plain", "09:00", "10:01").refused(Refused, more);
    let then = "alice has plain for a part of that time already; ask for less or for another time, \
                or give that grant back with stint drop";
    held("plain", "10:29", "11:00").refused(Refused, then);
    held("plain", "10:30", "11:00").fine();
    let pending = OwnedFacts { pending: "7kq2".parse().ok(), ..OwnedFacts::default() };
    let text = "alice has asked for admin already: stint wait 7kq2, or stint cancel 7kq2";
    Case { facts: pending, ..case("admin") }.refused(Refused, text);
    let unreviewed = OwnedFacts { unreviewed: "g4t9".parse().ok(), ..OwnedFacts::default() };
    let text = "alice has used fire (g4t9), and nobody has reviewed that; somebody else has to \
                first: stint review g4t9 --note \"what was found\" (p.toml:29)";
    Case { facts: unreviewed, ..case("fire") }.refused(Refused, text);
}

#[test]
fn too_many_pending_requests_stand_against_what_would_be_pending_alone() {
    let many = |of_user, of_all, role| {
        let (pending_of_user, pending_of_all) = (of_user, of_all);
        let facts = OwnedFacts { pending_of_user, pending_of_all, ..OwnedFacts::default() };
        Case { facts, ..case(role) }
    };
    let own = "alice has 2 requests pending, and that is the most: wait, or take one back with \
               stint cancel (p.toml:3)";
    many(2, 2, "admin").refused(Refused, own);
    let all = "7 requests are pending on this host, and that is the most: ask again when some are \
               decided (p.toml:4)";
    many(1, 7, "admin").refused(Refused, all);
    many(1, 6, "admin").fine();
    many(100, 100_000, "fire").fine();
}

#[test]
fn what_nobody_may_approve_is_refused() {
    let text = "lonely needs one approval, and the policy names nobody who may give it (p.toml:22)";
    case("lonely").refused(Refused, text);
}

#[test]
fn hours_cooldown_budget_and_holders_stand_against_it() {
    let text = "2026-11-23 18:00 is outside the hours of admin, Mon-Fri 08:00-18:00 UTC; they \
                begin again at 2026-11-24 08:00 (p.toml:13)";
    Case { now: at("18:00"), ..case("admin") }.refused(Refused, text);
    Case { starts_at: Some(at("18:00")), ..case("admin") }.refused(Refused, text);
    Case { starts_at: Some(at("17:59")), now: at("07:00"), ..case("admin") }.fine();
    let had = |from, until| {
        let facts = OwnedFacts { spells: vec![spell(from, until)], ..OwnedFacts::default() };
        Case { facts, ..case("admin") }
    };
    let text = "alice may have admin again 10m after the last grant of it, from 2026-11-23 10:01 on \
                (p.toml:14)";
    had("09:00", "09:51").refused(Refused, text);
    had("09:00", "09:50").fine();
    let text = "alice had admin for 3h45m in the 24 hours before, and of 4h a day 15m are left; \
                there is more from 2026-11-24 05:00 on (p.toml:15)";
    had("05:00", "08:45").refused(Refused, text);
    Case { duration: Some("15m"), ..had("05:00", "08:45") }.fine();
    let text = "alice had admin for 4h in the 24 hours before, and 4h a day are the most; there is \
                more from 2026-11-24 05:00 on (p.toml:15)";
    had("05:00", "09:00").refused(Refused, text);
    let other = |uid, from, until| {
        let facts =
            OwnedFacts { others: vec![(Uid(uid), spell(from, until))], ..OwnedFacts::default() };
        Case { facts, ..case("admin") }
    };
    let text = "admin is held by one other then, and no more may hold it at once; the first of them \
                ends at 2026-11-23 11:00 (p.toml:16)";
    other(1001, "09:00", "11:00").refused(Refused, text);
    other(1001, "10:29", "11:00").refused(Refused, text);
    other(1001, "10:30", "11:00").fine();
    other(1000, "09:00", "11:00").fine();
}

#[test]
fn what_is_not_refused_has_terms() {
    case("admin").judge(|judged| {
        let terms = judged.unwrap();
        assert_eq!(
            (terms.reason.as_str(), terms.ticket.as_deref()),
            ("mend the disk", Some("CHG-1"))
        );
        assert_eq!((terms.duration, terms.approvals_needed), (length("30m"), 2));
        assert_eq!((terms.starts_at, terms.lapses_at), (None, at("12:00")));
    });
    Case { starts_at: Some(at("17:00")), ..case("admin") }.judge(|judged| {
        let terms = judged.unwrap();
        assert_eq!((terms.starts_at, terms.lapses_at), (Some(at("17:00")), at("17:00")));
    });
    let bare = Case { reason: String::new(), ticket: None, ..case("plain") };
    bare.judge(|judged| {
        let terms = judged.unwrap();
        assert_eq!((terms.reason.as_str(), terms.ticket, terms.approvals_needed), ("", None, 0));
    });
    case("fire").judge(|judged| assert_eq!(judged.unwrap().approvals_needed, 0));
}

fn started(policy: &Policy, from: &str, duration: &str, facts: &OwnedFacts) -> Result<(), String> {
    let (user, role, in_groups) = ("alice".parse().unwrap(), "admin".parse().unwrap(), groups(&[]));
    let subject = Subject { user: &user, uid: Uid(1000), groups: &in_groups };
    let (from, duration, facts) = (at(from), length(duration), facts.facts());
    judge_start(policy, "web-1", subject, &role, from, duration, &facts, &clock)
        .map(|_| ())
        .map_err(|refusal| refusal.to_string())
}

#[test]
fn what_a_grant_rests_on_is_looked_at_again_when_it_starts() {
    let policy = load(POLICY).unwrap().policy;
    let none =
        OwnedFacts { pending_of_user: 100, pending: "7kq2".parse().ok(), ..OwnedFacts::default() };
    let refused = |policy: &Policy, from, duration, facts: &OwnedFacts, part: &str| {
        let told = started(policy, from, duration, facts).unwrap_err();
        assert!(told.contains(part), "{told}");
    };
    refused(&policy, "18:00", "1h", &none, "outside the hours");
    refused(&policy, "10:00", "5h", &none, "at most 4h");
    let spells = vec![spell("09:00", "09:55")];
    refused(&policy, "10:00", "1h", &OwnedFacts { spells, ..none.clone() }, "10m after");
    let spells = vec![spell("05:00", "09:00")];
    refused(&policy, "10:00", "1h", &OwnedFacts { spells, ..none.clone() }, "4h a day");
    let others = vec![(Uid(7), spell("10:30", "12:00"))];
    refused(&policy, "10:00", "1h", &OwnedFacts { others, ..none.clone() }, "held by one");
    let (held, spells) = ("g4t9".parse().ok(), vec![spell("10:30", "12:00")]);
    refused(&policy, "10:00", "1h", &OwnedFacts { held, spells, ..none.clone() }, "already");
    let without = load(&POLICY.replace("\"alice\"", "\"carol\"")).unwrap().policy;
    refused(&without, "10:00", "1h", &none, "not eligible");
    assert_eq!(started(&policy, "10:00", "4h", &none), Ok(()));
}

fn extended(
    by: &str,
    reason: Option<&str>,
    facts: &OwnedFacts,
    now: &str,
) -> Result<(Timestamp, String), String> {
    let policy = load(POLICY).unwrap().policy;
    let (user, role, in_groups) = ("alice".parse().unwrap(), "admin".parse().unwrap(), groups(&[]));
    let subject = Subject { user: &user, uid: Uid(1000), groups: &in_groups };
    let (from, until, facts) = (at("09:00"), at("11:30"), facts.facts());
    judge_extension(
        &policy,
        "web-1",
        subject,
        &role,
        from,
        until,
        length(by),
        reason,
        &facts,
        at(now),
        &clock,
    )
    .map(|terms| (terms.lapses_at, terms.reason))
    .map_err(|refusal| refusal.to_string())
}

#[test]
fn more_time_is_given_within_the_same_limits() {
    let none = OwnedFacts::default();
    let stretched =
        "admin is held for at most 4h in one go, so 1h30m more are left to ask for (p.toml:10)";
    assert_eq!(extended("1h31m", None, &none, "10:00").unwrap_err(), stretched);
    let refused = |by, reason, facts: &OwnedFacts, now, part: &str| {
        let told = extended(by, reason, facts, now).unwrap_err();
        assert!(told.contains(part), "{told}");
    };
    refused("1h", Some("short"), &none, "10:00", "at least 10");
    refused("1h", None, &none, "07:59", "outside the hours");
    let spells = vec![spell("06:00", "07:00")];
    refused("1h", None, &OwnedFacts { spells, ..none.clone() }, "10:00", "had admin for 1h");
    let others = vec![(Uid(7), spell("12:00", "13:00"))];
    refused("1h", None, &OwnedFacts { others, ..none.clone() }, "10:00", "held by one other");
    let pending = "7kq2".parse().ok();
    refused("1h", None, &OwnedFacts { pending, ..none.clone() }, "10:00", "stint cancel 7kq2");
    assert_eq!(extended("1h30m", None, &none, "10:00"), Ok((at("11:30"), String::new())));
    let longer = extended("1h", Some(" not mended yet "), &none, "09:10").unwrap();
    assert_eq!(longer, (at("11:10"), "not mended yet".to_owned()));
}

#[test]
fn what_a_role_confers_is_told_a_line_each() {
    let policy = load(common::CONTRACT).unwrap().policy;
    let confers = |role: &str| policy.roles[&role.parse().unwrap()].confers();
    assert_eq!(confers("containers"), ["group docker"]);
    let wanted = [
        "sudo (root) /usr/bin/systemctl restart nginx",
        "opens su",
        "polkit org.freedesktop.systemd1.manage-units",
    ];
    assert_eq!(confers("restart-web"), wanted);
    let text = "[roles.a]\nservices = [\"sudo\"]\n";
    let policy = load(text).unwrap().policy;
    assert_eq!(policy.roles[&"a".parse().unwrap()].confers(), ["opens sudo"]);
}
