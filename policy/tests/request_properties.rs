//! Whatever is asked for and whatever was held: no request that is not refused goes beyond what the
//! policy allows.
#![allow(clippy::unwrap_used, reason = "a test says by failing what it expects")]

mod common;

use common::{groups, load};
use proptest::prelude::*;
use stint_policy::request::{Ask, OwnedFacts, Spell, judge_extension, judge_request, judge_start};
use stint_policy::{Policy, Subject};
use stint_proto::{Length, Timestamp, Uid};

const MINUTE: i64 = 60_000_000;
/// A Monday, 10:00 UTC; times are told in minutes from here.
const NOW: i64 = 1_795_428_000_000_000;

fn point(minutes: i64) -> Timestamp {
    Timestamp(NOW + minutes * MINUTE)
}

fn minutes(count: u64) -> Length {
    Length::from_seconds(count * 60).unwrap()
}

fn spells() -> impl Strategy<Value = Vec<Spell>> {
    let spell = (-3000_i64..3000, 1_i64..600)
        .prop_map(|(from, length)| Spell { starts_at: point(from), ends_at: point(from + length) });
    proptest::collection::vec(spell, 0..6)
}

fn facts() -> impl Strategy<Value = OwnedFacts> {
    let others = proptest::collection::vec(1001_u32..1005, 6);
    (spells(), spells(), others, 0_u32..4, any::<bool>()).prop_map(
        |(spells, of_others, uids, pending_of_user, held)| OwnedFacts {
            spells,
            held: held.then(|| "g4t9".parse().unwrap()),
            others: uids.into_iter().map(Uid).zip(of_others).collect(),
            pending_of_user,
            ..OwnedFacts::default()
        },
    )
}

fn policies() -> impl Strategy<Value = Policy> {
    let limits = (1_u64..600, 1_u64..600, proptest::option::of(1_u64..600));
    let more = (proptest::option::of(1_u64..300), proptest::option::of(1_u32..4), 0_u32..3);
    (limits, more, any::<bool>(), any::<bool>()).prop_map(
        |((max, usual, budget), (rest, most, approvals), hours, break_glass)| {
            let text = "[roles.a]\nservices = [\"su\"]\neligible = [\"alice\"]\napprovers = [\"bob\"]\n\
                        hours = \"Mon-Fri 08:00-18:00 Europe/Berlin\"\n";
            let mut policy = load(text).unwrap().policy;
            let role = policy.roles.get_mut(&"a".parse().unwrap()).unwrap();
            role.max_duration = minutes(max);
            role.default_duration = minutes(usual.min(max));
            role.daily_budget = budget.map(minutes);
            role.cooldown = rest.map(minutes);
            role.max_active = most;
            role.approvals = approvals;
            role.break_glass = break_glass;
            role.hours = role.hours.take().filter(|_| hours);
            policy
        },
    )
}

/// How many minutes of these are covered, counted one by one.
fn held_minutes(spells: &[Spell], from: i64, until: i64) -> u64 {
    let covers = |at: i64| {
        let at = point(at);
        spells.iter().any(|spell| spell.starts_at <= at && at < spell.ends_at)
    };
    (from..until).filter(|at| covers(*at)).count().try_into().unwrap()
}

/// What has to hold of any grant of the role that the rules let begin, minute by minute.
fn check(
    policy: &Policy,
    facts: &OwnedFacts,
    start: i64,
    length: u64,
) -> Result<(), TestCaseError> {
    let role = policy.roles.get(&"a".parse().unwrap()).unwrap();
    let end = start + i64::try_from(length).unwrap();
    prop_assert!(minutes(length) <= role.max_duration);
    if let Some(hours) = &role.hours {
        prop_assert!(hours.contain(point(start)));
    }
    let before: Vec<Spell> =
        facts.spells.iter().copied().filter(|spell| spell.starts_at < point(start)).collect();
    if let Some(budget) = role.daily_budget {
        let had = held_minutes(&before, start - 1440, start);
        prop_assert!((had + length) * 60 <= budget.seconds(), "{had} and {length} of {budget}");
    }
    if let Some(rest) = role.cooldown {
        for spell in &before {
            prop_assert!(spell.ends_at.checked_add(rest).unwrap() <= point(start));
        }
    }
    if let Some(most) = role.max_active {
        for at in (start..end).map(point) {
            let covers = |spell: &Spell| spell.starts_at <= at && at < spell.ends_at;
            let others = facts.others.iter().filter(|(_, spell)| covers(spell));
            let uids: std::collections::BTreeSet<Uid> = others.map(|(uid, _)| *uid).collect();
            prop_assert!(uids.len() < usize::try_from(most).unwrap());
        }
    }
    if facts.held.is_some() {
        prop_assert_eq!(held_minutes(&facts.spells, start, end), 0);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_terms_go_beyond_the_policy(
        policy in policies(),
        facts in facts(),
        asked in proptest::option::of(1_u64..700),
        ahead in proptest::option::of(-100_i64..2000),
        now in -2000_i64..2000,
    ) {
        let (user, name, none) = ("alice".parse().unwrap(), "a".parse().unwrap(), groups(&[]));
        let subject = Subject { user: &user, uid: Uid(1000), groups: &none };
        let ask = Ask {
            role: &name,
            duration: asked.map(minutes),
            starts_at: ahead.map(|ahead| point(now + ahead)),
            reason: Some("why"),
            ticket: None,
        };
        let role = &policy.roles[&name];
        let judged = judge_request(
            &policy, "web-1", subject, &ask, &facts.facts(), point(now), &|at| at.to_string(),
        );
        if let Ok(terms) = judged {
            prop_assert_eq!(terms.duration, asked.map_or(role.default_duration, minutes));
            let needed = if role.break_glass { 0 } else { role.approvals };
            prop_assert!(terms.approvals_needed >= needed);
            prop_assert!(terms.lapses_at >= point(now));
            prop_assert!(ahead.is_none_or(|ahead| ahead >= 0 && !role.break_glass));
            check(&policy, &facts, now + ahead.unwrap_or(0), terms.duration.seconds() / 60)?;
        }
    }

    #[test]
    fn no_grant_starts_or_grows_beyond_the_policy(
        policy in policies(),
        facts in facts(),
        length in 1_u64..700,
        by in 1_u64..700,
        start in -2000_i64..2000,
    ) {
        let (user, name, none) = ("alice".parse().unwrap(), "a".parse().unwrap(), groups(&[]));
        let subject = Subject { user: &user, uid: Uid(1000), groups: &none };
        let role = &policy.roles[&name];
        let clock = |at: Timestamp| at.to_string();
        let (from, long, known) = (point(start), minutes(length), facts.facts());
        if judge_start(&policy, "web-1", subject, &name, from, long, &known, &clock).is_ok() {
            check(&policy, &facts, start, length)?;
        }
        let end = from.checked_add(long).unwrap();
        let more = judge_extension(
            &policy, "web-1", subject, &name, from, end, minutes(by), None, &known, from, &clock,
        );
        if let Ok(terms) = more {
            let whole = minutes(length + by);
            prop_assert!(whole <= role.max_duration);
            prop_assert!(role.hours.as_ref().is_none_or(|hours| hours.contain(from)));
            let before: Vec<Spell> =
                facts.spells.iter().copied().filter(|spell| spell.starts_at < from).collect();
            let had = held_minutes(&before, start - 1440, start) * 60;
            prop_assert!(role.daily_budget.is_none_or(|most| had + whole.seconds() <= most.seconds()));
            prop_assert!(terms.lapses_at <= end);
        }
    }

    #[test]
    fn no_text_that_is_typed_comes_through_harmful(reason in "\\PC{0,40}|.{0,40}|(\\s|\\PC){0,9}") {
        let policy = load("[roles.a]\nservices = [\"su\"]\neligible = [\"alice\"]\napprovals = 0\n")
            .unwrap().policy;
        let (user, name, none) = ("alice".parse().unwrap(), "a".parse().unwrap(), groups(&[]));
        let subject = Subject { user: &user, uid: Uid(1000), groups: &none };
        let ask = Ask {
            role: &name, duration: None, starts_at: None, reason: Some(&reason), ticket: Some(&reason),
        };
        let facts = OwnedFacts::default();
        let told = judge_request(
            &policy, "web-1", subject, &ask, &facts.facts(), point(0), &|at| at.to_string(),
        );
        match told {
            Ok(terms) => {
                prop_assert!(!terms.reason.is_empty());
            }
            Err(refusal) => {
                prop_assert!(refusal.to_string().chars().all(stint_policy::text::is_harmless));
            }
        }
    }
}
