//! What is counted while the daemon runs, for monitoring. Counting never waits and never fails, and
//! a check pays one short lock for it. Nothing here knows a name of somebody or a text that somebody
//! typed: what is counted by is a word of stint's own, or the name of a PAM service, of which only so
//! many are told apart.

mod histogram;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

pub use histogram::{Histogram, as_float};
use stint_proto::{Decision, EndReason, Event, ServiceName};

use crate::record::Entry;

/// How many PAM services are told apart; checks at further ones are counted together.
const MOST_SERVICES: usize = 64;
/// The name under which those are counted, and those at what is no name of a service.
const OTHER: &str = "other";

/// From the asking to the last approval, in microseconds: a minute to a day.
const APPROVAL: &[u64] = &[
    15_000_000,
    60_000_000,
    300_000_000,
    900_000_000,
    1_800_000_000,
    3_600_000_000,
    14_400_000_000,
    86_400_000_000,
];
/// From a grant's deadline until what it gave is taken back, in microseconds.
const LATENESS: &[u64] = &[
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    30_000_000,
    300_000_000,
];

/// The counters. They begin at 0 with every start of the daemon.
#[derive(Debug)]
pub struct Counters {
    events: Vec<AtomicU64>,
    /// Checks by service, in the order of [`Decision::WORDS`].
    checks: Mutex<BTreeMap<String, [u64; Decision::WORDS.len()]>>,
    refused: AtomicU64,
    granted: AtomicU64,
    ended: Vec<AtomicU64>,
    delayed: AtomicU64,
    /// Requests that needed approvals, from when they were made until they had them.
    pub approval: Histogram,
    /// Ends by the clock.
    pub lateness: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        let zeros = |number| (0..number).map(|_| AtomicU64::new(0)).collect();
        Self {
            events: zeros(Event::ALL.len()),
            checks: Mutex::default(),
            refused: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            ended: zeros(EndReason::WORDS.len()),
            delayed: AtomicU64::new(0),
            approval: Histogram::new(APPROVAL),
            lateness: Histogram::new(LATENESS),
        }
    }
}

impl Counters {
    /// Counts an event that is recorded.
    pub fn event(&self, entry: &Entry) {
        if let Some(count) = self.events.get(entry.event as usize) {
            add(count);
        }
        match entry.event {
            Event::CheckAllowed | Event::CheckDenied => self.check(entry),
            // Without a request the policy refused it: nobody was asked.
            Event::RequestDenied if entry.request.is_none() => add(&self.refused),
            _ => {}
        }
    }

    fn check(&self, entry: &Entry) {
        let service = entry.service.as_deref().unwrap_or_default();
        let Some(decision) = entry.decision else { return };
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let service = if checks.contains_key(service) {
            service
        } else if checks.len() < MOST_SERVICES && service.parse::<ServiceName>().is_ok() {
            checks.insert(service.to_owned(), Default::default());
            service
        } else {
            checks.entry(OTHER.to_owned()).or_default();
            OTHER
        };
        let counts = checks.get_mut(service);
        if let Some(count) = counts.and_then(|counts| counts.get_mut(decision as usize)) {
            *count = count.saturating_add(1);
        }
    }

    /// Counts a request that was granted.
    pub fn granted(&self) {
        add(&self.granted);
    }

    /// Counts a grant that has ended.
    pub fn ended(&self, reason: EndReason) {
        if let Some(count) = self.ended.get(reason as usize) {
            add(count);
        }
    }

    /// Counts a grant of which something could not be taken back at once when it ended.
    pub fn delayed(&self) {
        add(&self.delayed);
    }

    /// How many of these events there were.
    #[must_use]
    pub fn of(&self, event: Event) -> u64 {
        self.events.get(event as usize).map_or(0, read)
    }

    /// How many requests the policy refused when they were made.
    #[must_use]
    pub fn of_refused(&self) -> u64 {
        read(&self.refused)
    }

    /// How many requests were granted.
    #[must_use]
    pub fn of_granted(&self) -> u64 {
        read(&self.granted)
    }

    /// How many grants have ended, in the order of [`EndReason::WORDS`].
    #[must_use]
    pub fn of_ended(&self) -> Vec<u64> {
        self.ended.iter().map(read).collect()
    }

    /// How many grants were not taken back whole when they ended.
    #[must_use]
    pub fn of_delayed(&self) -> u64 {
        read(&self.delayed)
    }

    /// The checks at each service, in the order of [`Decision::WORDS`].
    #[must_use]
    pub fn of_checks(&self) -> BTreeMap<String, [u64; Decision::WORDS.len()]> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use stint_proto::Timestamp;

    use super::*;

    fn check(service: &str, decision: Decision) -> Entry {
        let event = match decision {
            Decision::Denied => Event::CheckDenied,
            Decision::Allowed | Decision::Observed => Event::CheckAllowed,
        };
        let mut entry = Entry::new(Timestamp::from_micros(0), event, String::new());
        entry.decision = Some(decision);
        entry.service = Some(service.to_owned());
        entry
    }

    #[test]
    fn checks_are_counted_by_service_and_result() {
        let counters = Counters::default();
        for decision in [Decision::Allowed, Decision::Allowed, Decision::Denied] {
            counters.event(&check("sudo", decision));
        }
        counters.event(&check("su", Decision::Observed));
        let of = |counts: [u64; 3]| -> Vec<(&str, u64)> {
            Decision::WORDS.iter().copied().zip(counts).collect()
        };
        let checks = counters.of_checks();
        assert_eq!(of(checks["sudo"]), [("allowed", 2), ("denied", 1), ("observed", 0)]);
        assert_eq!(of(checks["su"]), [("allowed", 0), ("denied", 0), ("observed", 1)]);
        assert_eq!((counters.of(Event::CheckAllowed), counters.of(Event::CheckDenied)), (3, 1));
    }

    #[test]
    fn services_that_somebody_makes_up_are_counted_together() {
        let counters = Counters::default();
        for number in 0..1_000 {
            counters.event(&check(&format!("service-{number}"), Decision::Denied));
        }
        counters.event(&check("sudo\"} 1\nstint_alarms 0", Decision::Denied));
        counters.event(&check("", Decision::Denied));
        let checks = counters.of_checks();
        assert_eq!(checks.len(), MOST_SERVICES + 1);
        let denied: u64 = checks.values().flatten().sum();
        assert_eq!(denied, 1_002);
        assert!(checks.keys().all(|name| name.parse::<ServiceName>().is_ok()), "{checks:?}");
    }

    #[test]
    fn every_event_and_every_way_to_end_has_a_counter_of_its_own() {
        let counters = Counters::default();
        for event in Event::ALL {
            counters.event(&Entry::new(Timestamp::from_micros(0), *event, String::new()));
        }
        assert!(Event::ALL.iter().all(|event| counters.of(*event) == 1));
        for word in EndReason::WORDS {
            counters.ended(EndReason::from_word(word).unwrap());
        }
        assert!(counters.of_ended().iter().all(|count| *count == 1));
        assert_eq!(counters.of_ended().len(), EndReason::WORDS.len());
    }
}
