//! What could not be done yet, and when it is tried again. Values only.

use std::collections::BTreeMap;

use stint_proto::{Alarm, Timestamp};

use crate::clock::Moment;

/// The first pause before another try, in microseconds.
const FIRST_PAUSE: i64 = 1_000_000;
/// The longest pause.
const LONGEST_PAUSE: i64 = 300_000_000;

/// The alarms that stand, by what they are about.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    standing: BTreeMap<String, Standing>,
    retry_at: Option<i64>,
    pause: i64,
}

#[derive(Debug)]
struct Standing {
    text: String,
    since: Timestamp,
    tries: u32,
}

impl Alarms {
    /// Takes the failures of a try: new ones begin to stand, those that are not among them are
    /// over. Returns those that are new, for the record, and sets the time of the next try.
    pub(super) fn replace(&mut self, failures: Vec<(String, String)>, now: Moment) -> Vec<String> {
        let mut before = std::mem::take(&mut self.standing);
        let mut new = Vec::new();
        for (about, text) in failures {
            let standing = match before.remove(&about) {
                Some(old) => Standing { text, tries: old.tries.saturating_add(1), ..old },
                None => {
                    new.push(text.clone());
                    Standing { text, since: now.wall, tries: 1 }
                }
            };
            self.standing.insert(about, standing);
        }
        if self.standing.is_empty() {
            self.retry_at = None;
            self.pause = 0;
        } else {
            self.try_later(now, !new.is_empty());
        }
        new
    }

    /// Adds one to those that stand, without a word on the others. `true` if it is new.
    pub(super) fn add(&mut self, about: String, text: String, now: Moment) -> bool {
        let new = !self.standing.contains_key(&about);
        let standing = self.standing.entry(about);
        standing.or_insert(Standing { text, since: now.wall, tries: 0 }).tries += 1;
        self.try_later(now, new);
        new
    }

    /// Takes one away that a try has shown to be over; the others stand.
    pub(super) fn over(&mut self, about: &str) {
        self.standing.remove(about);
        if self.standing.is_empty() {
            self.retry_at = None;
            self.pause = 0;
        }
    }

    /// Sets the time of the next try: soon for what is new; else pauses grow from try to try, and
    /// what happens between two tries moves nothing.
    fn try_later(&mut self, now: Moment, new: bool) {
        if new {
            self.pause = 0;
        } else if self.retry_at.is_some_and(|at| now.boot < at) {
            return;
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.retry_at = Some(now.boot.saturating_add(self.pause));
    }

    /// When to try again, in microseconds since boot.
    pub(super) fn retry_at(&self) -> Option<i64> {
        self.retry_at
    }

    /// The alarms, as they are shown.
    pub(super) fn shown(&self) -> Vec<Alarm> {
        let show = |standing: &Standing| Alarm {
            text: standing.text.clone(),
            since: standing.since,
            tries: standing.tries,
        };
        self.standing.values().map(show).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot: i64) -> Moment {
        Moment { wall: Timestamp::from_micros(boot), boot }
    }

    #[test]
    fn what_is_new_is_tried_again_soon() {
        let mut alarms = Alarms::default();
        for _ in 0..9 {
            let now = alarms.retry_at().unwrap_or_default();
            alarms.add("state".to_owned(), "full".to_owned(), at(now));
        }
        let late = alarms.retry_at().unwrap();
        alarms.add("docker".to_owned(), "locked".to_owned(), at(late - 7));
        assert_eq!(alarms.retry_at(), Some(late - 7 + FIRST_PAUSE));
    }

    #[test]
    fn an_alarm_is_new_once_and_pauses_grow_to_a_limit() {
        let mut alarms = Alarms::default();
        let failure = || vec![("docker".to_owned(), "locked".to_owned())];
        assert_eq!(alarms.replace(failure(), at(0)), ["locked"]);
        assert_eq!(alarms.retry_at(), Some(FIRST_PAUSE));
        assert!(alarms.replace(failure(), at(FIRST_PAUSE)).is_empty());
        assert_eq!(alarms.retry_at(), Some(3 * FIRST_PAUSE));
        for _ in 0..20 {
            alarms.replace(failure(), at(alarms.retry_at().unwrap()));
        }
        let last = alarms.retry_at().unwrap() - LONGEST_PAUSE;
        alarms.replace(failure(), at(last + 1));
        assert_eq!(alarms.retry_at(), Some(last + LONGEST_PAUSE), "it is not moved in between");
        assert_eq!(alarms.shown().len(), 1);
        alarms.replace(Vec::new(), at(0));
        assert_eq!(alarms.retry_at(), None);
        assert!(alarms.shown().is_empty());
    }
}
