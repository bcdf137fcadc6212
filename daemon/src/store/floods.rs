//! The same denial again and again becomes one link with a count. Pure: it counts, and says when a
//! count is over; the caller gives the time, and writes.
//!
//! The first few of a window are links at once, as people type. What follows them within the window
//! is counted. A count that is not a link yet is in the state all the same, with the next batch, so
//! that a crash loses no more of it than of other events.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use stint_proto::{Decision, Link, Timestamp};

use super::chain_rows;
use crate::record::{Entry, Repeated};
use stint_record::Head;

/// How long a window is, in microseconds of the boot clock: long enough that a flood which lasts adds
/// a handful of links a minute, and short enough that somebody who follows the record sees its size.
const WINDOW_MICROS: i64 = 60_000_000;
/// How many of a window are links of their own.
const LINKS: u32 = 5;
/// How many windows are kept; of more, the one that ends first is ended at once.
const WINDOWS: usize = 256;

/// What is the same in the same denial: everything but the time.
type Same = (String, Vec<(&'static str, String)>);

/// A count, as it stands.
#[derive(Clone, Debug)]
pub struct Count {
    /// Which, since the start.
    id: i64,
    /// The last that was counted, with how many there were.
    pub(super) entry: Entry,
}

struct Window {
    id: i64,
    ends: i64,
    links: u32,
    counted: Option<Entry>,
    /// It has grown since it was written.
    grown: bool,
}

impl Window {
    fn count(&self) -> Option<Count> {
        Some(Count { id: self.id, entry: self.counted.clone()? })
    }
}

/// Every denial of late.
#[derive(Default)]
pub(super) struct Floods {
    windows: HashMap<Same, Window>,
    last_id: i64,
    over: Vec<Count>,
}

impl Floods {
    /// Takes an event, at this boot time. Gives it back if it is to be a link of its own.
    pub(super) fn take(&mut self, entry: Entry, now: i64) -> Option<Entry> {
        if entry.decision != Some(Decision::Denied) {
            return Some(entry);
        }
        let same = (entry.message.clone(), entry.fields());
        if self.windows.get(&same).is_some_and(|window| window.ends <= now) {
            self.end(&same);
        }
        let Some(window) = self.windows.get_mut(&same) else {
            self.make_room(now);
            self.last_id = self.last_id.saturating_add(1);
            let ends = now.saturating_add(WINDOW_MICROS);
            let window = Window { id: self.last_id, ends, links: 1, counted: None, grown: false };
            self.windows.insert(same, window);
            return Some(entry);
        };
        if window.links < LINKS {
            window.links += 1;
            return Some(entry);
        }
        let before = window.counted.as_ref().and_then(|counted| counted.repeated);
        let mut entry = entry;
        entry.repeated = Some(Repeated {
            count: before.map_or(1, |before| before.count.saturating_add(1)),
            since: before.map_or(entry.at, |before| before.since),
        });
        window.counted = Some(entry);
        window.grown = true;
        None
    }

    /// Ends the windows whose time is over, or all of them: what they counted is to become links.
    pub(super) fn end_until(&mut self, now: Option<i64>) -> Vec<Count> {
        let over = |window: &Window| now.is_none_or(|now| window.ends <= now);
        let ended: Vec<Same> = self
            .windows
            .iter()
            .filter(|(_, window)| over(window))
            .map(|(same, _)| same.clone())
            .collect();
        ended.iter().for_each(|same| self.end(same));
        self.over.sort_by_key(|count| count.id);
        std::mem::take(&mut self.over)
    }

    /// When the next count is over; none where nothing is counted.
    pub(super) fn next_end(&self) -> Option<i64> {
        let counting = self.windows.values().filter(|window| window.counted.is_some());
        counting.map(|window| window.ends).min()
    }

    /// Whether a count is to be written, as it stands or as a link.
    pub(super) fn has_grown(&self) -> bool {
        !self.over.is_empty() || self.windows.values().any(|window| window.grown)
    }

    /// The counts that have grown since they were [`written`](Self::written).
    pub(super) fn grown(&self) -> Vec<Count> {
        let grown = self.windows.values().filter(|window| window.grown);
        grown.filter_map(Window::count).collect()
    }

    /// They are written.
    pub(super) fn written(&mut self) {
        self.windows.values_mut().for_each(|window| window.grown = false);
    }

    fn end(&mut self, same: &Same) {
        self.over.extend(self.windows.remove(same).and_then(|window| window.count()));
    }

    fn make_room(&mut self, now: i64) {
        if self.windows.len() < WINDOWS {
            return;
        }
        let over = self.end_until(Some(now));
        self.over = over;
        if self.windows.len() >= WINDOWS
            && let Some((same, _)) = self.windows.iter().min_by_key(|(_, window)| window.ends)
        {
            let same = same.clone();
            self.end(&same);
        }
    }
}

/// Writes a count that is no link yet.
pub(super) fn put(connection: &Connection, boot_id: &str, count: &Count) -> rusqlite::Result<()> {
    let link = chain_rows::unnumbered(boot_id, &count.entry);
    connection
        .prepare_cached("INSERT OR REPLACE INTO floods VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            count.id,
            link.at.micros(),
            link.boot_id,
            link.event,
            link.message,
            link.fields
        ])
        .map(drop)
}

/// Makes a link of a count that is over. Returns where the chain ends then.
pub(super) fn seal(
    connection: &Connection,
    boot_id: &str,
    head: Head,
    count: &Count,
) -> rusqlite::Result<Head> {
    connection.prepare_cached("DELETE FROM floods WHERE id = ?1")?.execute([count.id])?;
    chain_rows::add(connection, boot_id, head, &count.entry)
}

/// Makes links of the counts that a daemon before this one has left. Returns where the chain ends
/// then.
pub(super) fn seal_left(connection: &Connection, mut head: Head) -> rusqlite::Result<Head> {
    let left: Vec<Link> = connection
        .prepare("SELECT at, boot_id, event, message, fields FROM floods ORDER BY id")?
        .query_map([], |row| {
            Ok(Link {
                seq: 0,
                at: Timestamp(row.get(0)?),
                boot_id: row.get(1)?,
                event: row.get(2)?,
                message: row.get(3)?,
                fields: row.get(4)?,
                hash: Vec::new(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    if left.is_empty() {
        return Ok(head);
    }
    for link in left {
        head = chain_rows::append(connection, head, link)?;
    }
    connection.execute("DELETE FROM floods", [])?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use stint_proto::Event;

    use super::*;

    fn denied(who: &str, at: i64) -> Entry {
        let mut entry =
            Entry::new(Timestamp(at), Event::CheckDenied, format!("{who} is denied sudo"));
        entry.decision = Some(Decision::Denied);
        entry.user = Some(who.to_owned());
        entry
    }

    /// How many these stand for, and since when.
    fn counts(counts: &[Count]) -> Vec<(u64, i64, i64)> {
        let repeated = |count: &Count| {
            let Repeated { count: number, since } = count.entry.repeated.unwrap();
            (number, since.micros(), count.entry.at.micros())
        };
        counts.iter().map(repeated).collect()
    }

    #[test]
    fn a_few_are_links_and_the_rest_of_a_minute_is_a_count() {
        let mut floods = Floods::default();
        let links = (0..1_000).filter(|at| floods.take(denied("a", *at), *at).is_some()).count();
        assert_eq!(links, 5);
        assert_eq!(floods.next_end(), Some(WINDOW_MICROS));
        assert!(floods.end_until(Some(WINDOW_MICROS - 1)).is_empty());
        assert_eq!(counts(&floods.grown()), [(995, 5, 999)]);
        floods.written();
        assert!(!floods.has_grown() && floods.grown().is_empty());
        assert_eq!(counts(&floods.end_until(Some(WINDOW_MICROS))), [(995, 5, 999)]);
        assert_eq!(floods.next_end(), None);
        assert!(floods.take(denied("a", 1), WINDOW_MICROS).is_some(), "and a new window begins");
    }

    #[test]
    fn a_window_that_nobody_ended_is_ended_by_the_next_denial() {
        let mut floods = Floods::default();
        (0..7).for_each(|at| drop(floods.take(denied("a", at), at)));
        assert!(floods.take(denied("a", 9), WINDOW_MICROS).is_some());
        assert!(floods.has_grown());
        assert_eq!(counts(&floods.end_until(Some(WINDOW_MICROS))), [(2, 5, 6)]);
    }

    #[test]
    fn only_the_same_is_counted_together_and_only_denials() {
        let mut floods = Floods::default();
        for at in 0..5 {
            assert!(floods.take(denied("a", at), at).is_some());
            assert!(floods.take(denied("b", at), at).is_some());
        }
        let mut other = denied("a", 6);
        other.service = Some("su".into());
        assert!(floods.take(other, 6).is_some());
        for at in 0..100 {
            let mut allowed = denied("a", at);
            allowed.decision = Some(Decision::Allowed);
            assert!(floods.take(allowed, at).is_some());
        }
    }

    #[test]
    fn many_different_ones_take_no_more_room_and_lose_no_count() {
        let mut floods = Floods::default();
        let mut counted = 0;
        let mut links = 0;
        for who in 0..3_000 {
            for at in 0..8 {
                links +=
                    u64::from(floods.take(denied(&who.to_string(), at), who * 10 + at).is_some());
            }
            assert!(floods.windows.len() <= WINDOWS);
        }
        for count in floods.end_until(None) {
            counted += count.entry.repeated.unwrap().count;
        }
        assert_eq!((links, counted), (15_000, 9_000));
    }
}
