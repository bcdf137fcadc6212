//! Telling holders, on the terminals of their sessions, that the end is near, and that it is there.

use std::collections::BTreeMap;

use stint_proto::{Event, GrantId, Length, RoleName, Timestamp};

use super::Engine;
use super::check::local_time;
use crate::clock::Moment;
use crate::domain::grant::Grant;
use crate::domain::manner::Manner;
use crate::notices::tell_terminal;
use crate::store::{Eviction, EvictionOf, Session};

/// A warning that is due for a grant: how long before its end the last one was, and for which end.
/// An extension moves the end, and all warnings with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Warned {
    end: Timestamp,
    before: Length,
}

/// The grants under which sessions are open, with what their role says of warnings.
type Watched = BTreeMap<GrantId, (Grant, Vec<Length>)>;

/// How long before the end a grant is to be warned now: the shortest of those that have come, if
/// nobody was told of it yet.
fn due(
    end: Timestamp,
    warnings: &[Length],
    told: Option<Warned>,
    now: Timestamp,
) -> Option<Length> {
    let left = end.micros_since(now);
    let come = warnings.iter().copied().filter(|before| left <= before.micros()).min()?;
    let was_told = told.is_some_and(|told| told.end == end && told.before <= come);
    (left > 0 && !was_told).then_some(come)
}

/// When the next warning is due.
fn next(end: Timestamp, warnings: &[Length], now: Timestamp) -> Option<Timestamp> {
    let times = warnings
        .iter()
        .map(|before| Timestamp::from_micros(end.micros().saturating_sub(before.micros())));
    times.filter(|at| *at > now).min()
}

impl Engine {
    fn watched(&self) -> Watched {
        let state = self.state();
        let grants = state.sessions.values().filter_map(|session| session.grant.as_ref());
        let with_role = |id: &GrantId| {
            let grant = state.index.get(id)?;
            let role = state.policy.roles.get(&grant.role)?;
            Some((id.clone(), (grant.clone(), role.warn_before.clone())))
        };
        grants.filter_map(with_role).collect()
    }

    /// When somebody is to be warned next, on the wall clock.
    pub(super) fn next_warning(&self, now: Moment) -> Option<Timestamp> {
        let watched = self.watched().into_values();
        watched.filter_map(|(grant, warnings)| next(grant.deadline.wall, &warnings, now.wall)).min()
    }

    /// Warns the sessions whose time has come.
    pub(super) fn warn(&self, now: Moment) {
        let watched = self.watched();
        let mut told = {
            let mut state = self.state();
            let mut told = std::mem::take(&mut state.warned);
            // Each is told once, however many sessions they open in the last minutes.
            told.retain(|id, _| state.index.get(id).is_some());
            told
        };
        for (id, (grant, warnings)) in &watched {
            let end = grant.deadline.wall;
            let Some(before) = due(end, warnings, told.get(id).copied(), now.wall) else {
                continue;
            };
            told.insert(id.clone(), Warned { end, before });
            self.warn_sessions(grant, now);
        }
        self.state().warned = told;
    }

    fn warn_sessions(&self, grant: &Grant, now: Moment) {
        let Grant { id, role, .. } = grant;
        let end = grant.deadline.wall;
        let left = rounded(end.micros_since(now.wall));
        let line = format!(
            "{role} ends in {left} ({}); {}. To keep it:  stint extend {id} --for 15m",
            local_time(end, now.wall),
            self.fate(role),
        );
        self.tell_sessions(id, &line);
        let text =
            format!("{role} for {} ({id}) ends in {left}: its sessions were told", grant.user);
        self.record.note(self.about(Event::SessionWarned, grant, "stintd", text));
    }

    fn fate(&self, role: &RoleName) -> &'static str {
        let leaves = Manner::of(self.policy().roles.get(role)).leave;
        if leaves { "this session goes on without it" } else { "this session ends with it" }
    }

    /// Tells sessions that they end now.
    pub(super) fn announce_end_of_sessions(&self, eviction: &Eviction) {
        if let EvictionOf::Sessions { grant, role, .. } = &eviction.of {
            self.tell_sessions(grant, &format!("{role} ({grant}) is over; this session ends now"));
        }
    }

    fn tell_sessions(&self, grant: &GrantId, line: &str) {
        let sessions: Vec<Session> = {
            let state = self.state();
            let open = state.sessions.values();
            open.filter(|session| session.grant.as_ref() == Some(grant)).cloned().collect()
        };
        for session in sessions {
            // It is their own doing, so `mesg n` does not keep it from them.
            tell_terminal(session.uid, &session.tty, line.to_owned());
        }
    }
}

/// What is left, as people say it: whole minutes, or seconds below one. In microseconds.
fn rounded(left: i64) -> String {
    let seconds = left.max(0).saturating_add(999_999) / 1_000_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        _ => format!("{} min", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn lengths(seconds: &[u64]) -> Vec<Length> {
        seconds.iter().map(|seconds| Length::from_seconds(*seconds).unwrap()).collect()
    }

    #[test]
    fn each_warning_is_given_once_and_the_later_ones_count() {
        let (end, warnings) = (at(1_000), lengths(&[300, 60]));
        assert_eq!(due(end, &warnings, None, at(600)), None);
        let five = due(end, &warnings, None, at(700)).unwrap();
        assert_eq!(five.seconds(), 300);
        let told = Some(Warned { end, before: five });
        assert_eq!(due(end, &warnings, told, at(800)), None);
        let one = due(end, &warnings, told, at(940)).unwrap();
        assert_eq!(one.seconds(), 60);
        let told = Some(Warned { end, before: one });
        assert_eq!(due(end, &warnings, told, at(950)), None);
        assert_eq!(due(end, &warnings, None, at(1_000)), None, "it is over");
    }

    #[test]
    fn an_extension_moves_the_warnings_with_the_end() {
        let warnings = lengths(&[60]);
        let told = Some(Warned { end: at(1_000), before: warnings[0] });
        assert_eq!(due(at(2_000), &warnings, told, at(950)), None);
        assert!(due(at(2_000), &warnings, told, at(1_950)).is_some());
        assert_eq!(next(at(2_000), &warnings, at(950)), Some(at(1_940)));
        assert_eq!(next(at(2_000), &warnings, at(1_940)), None);
    }

    #[test]
    fn a_session_that_begins_late_is_told_the_nearest_only() {
        let warnings = lengths(&[300, 60]);
        assert_eq!(due(at(1_000), &warnings, None, at(970)).unwrap().seconds(), 60);
    }

    #[test]
    fn what_is_left_reads_as_people_say_it() {
        let text = |seconds: i64| rounded(seconds * 1_000_000);
        assert_eq!(text(300), "5 min");
        assert_eq!(text(299), "5 min");
        assert_eq!(text(59), "59 s");
        assert_eq!(text(-5), "0 s");
    }
}
