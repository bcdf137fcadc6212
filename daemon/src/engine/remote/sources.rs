//! Who brings documents, how that goes, and how much of what is bad is recorded: a carrier that somebody
//! has taken over can bring another bad one each moment, and is to fill no disk with it.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use stint_policy::text::harmless;
use stint_proto::{ErrorCode, Event, Remote, Source, Timestamp, fleet};

use crate::clock::Moment;
use crate::engine::{Engine, Refusal};
use crate::record::{Entry, counted};
use crate::store::Digest;

/// The most sources that are known at once.
const SOURCES: usize = 16;
/// The most documents of a store that are known beside them: those that are in trouble.
const DOCUMENTS: usize = 16;
/// Of how many is remembered what was refused: of more than are offered again.
const REFUSED: usize = 2_048;
/// The most characters of a source's name, and of what is wrong with it.
const NAME_LIMIT: usize = 512;
const ERROR_LIMIT: usize = 1_024;
/// How many refusals are recorded one by one within so long, in microseconds.
const TOLD: u32 = 20;
const WINDOW: i64 = 600_000_000;

/// What is known of those who bring documents.
#[derive(Default)]
pub(super) struct Sources {
    known: BTreeMap<String, Source>,
    /// What was refused last of each, and why: a digest of both.
    refused: BTreeMap<String, Digest>,
    window: Window,
}

/// How much was told of late.
#[derive(Default)]
struct Window {
    since: i64,
    told: u32,
    untold: usize,
}

impl Window {
    /// Whether one more may be told, and how many were not before.
    fn take(&mut self, now: i64) -> (bool, usize) {
        let mut untold = 0;
        if now.saturating_sub(self.since) > WINDOW || self.since == 0 {
            untold = std::mem::take(&mut self.untold);
            *self = Self { since: now.max(1), ..Self::default() };
        }
        let may = self.told < TOLD;
        if may {
            self.told += 1;
        } else {
            self.untold += 1;
        }
        (may, untold)
    }
}

impl Sources {
    /// A store holds many documents, and each is a source: of those, only troubles are known, and that
    /// the store had something good.
    fn heard(&mut self, name: &str, at: Timestamp, error: &str) {
        if is_document(name) && error.is_empty() {
            self.known.remove(name);
            self.refused.remove(name);
            let error = self.known.get(fleet::SOURCE).map(|store| store.error.clone());
            self.note(fleet::SOURCE, at, &error.unwrap_or_default());
        } else {
            self.note(name, at, error);
        }
    }

    fn note(&mut self, name: &str, at: Timestamp, error: &str) {
        let alike = |source: &&Source| is_document(&source.name) == is_document(name);
        let most = if is_document(name) { DOCUMENTS } else { SOURCES };
        if !self.known.contains_key(name) && self.known.values().filter(alike).count() >= most {
            let oldest = self.known.values().filter(alike).min_by_key(|source| source.at);
            if let Some(oldest) = oldest.map(|source| source.name.clone()) {
                self.known.remove(&oldest);
            }
        }
        let source = self.known.entry(name.to_owned()).or_insert_with(|| Source {
            name: name.to_owned(),
            at,
            good_at: None,
            error: String::new(),
        });
        source.at = at;
        source.error = error.chars().take(ERROR_LIMIT).collect();
        if error.is_empty() {
            source.good_at = Some(at);
        }
    }

    /// Whether this refusal is to be recorded, and how many were not before.
    fn refuse(&mut self, name: &str, digest: Digest, why: &str, now: Moment) -> (bool, usize) {
        let refusal = digest_of(&[&digest, why.as_bytes()]);
        if self.refused.get(name) == Some(&refusal) {
            return (false, 0);
        }
        if !self.refused.contains_key(name) && self.refused.len() >= REFUSED {
            self.refused.pop_first();
        }
        self.refused.insert(name.to_owned(), refusal);
        self.window.take(now.boot)
    }
}

/// A source's name: one line of text.
///
/// # Errors
/// [`Refusal`] if it is none.
pub(super) fn name(text: &str) -> Result<String, Refusal> {
    let fine = (1..=NAME_LIMIT).contains(&text.chars().count()) && harmless(text) == text;
    if fine {
        return Ok(text.to_owned());
    }
    let text = format!("a source needs a name of one line, {NAME_LIMIT} characters at most");
    Err(Refusal::new(ErrorCode::Invalid, text))
}

/// Whether this source is one document of a store.
fn is_document(name: &str) -> bool {
    name.strip_prefix(fleet::SOURCE).is_some_and(|rest| rest.starts_with(':'))
}

/// SHA-256.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    digest_of(&[bytes])
}

fn digest_of(parts: &[&[u8]]) -> Digest {
    let mut all = Sha256::new();
    parts.iter().for_each(|part| all.update(part));
    all.finalize().into()
}

impl Engine {
    /// How it goes with a source: what is wrong, or nothing.
    ///
    /// # Errors
    /// [`Refusal`] when that is no source's name.
    pub fn source_report(&self, source: &str, error: &str) -> Result<(), Refusal> {
        let source = name(source)?;
        let at = self.now().wall;
        let lines: Vec<String> = error.lines().map(harmless).collect();
        self.state().remote.sources.heard(&source, at, &lines.join("; "));
        Ok(())
    }

    pub(super) fn source_is_good(&self, source: &str) {
        let at = self.now().wall;
        let mut state = self.state();
        state.remote.sources.refused.remove(source);
        state.remote.sources.heard(source, at, "");
    }

    pub(super) fn source_fails(&self, source: &str, why: &str) {
        let at = self.now().wall;
        self.state().remote.sources.heard(source, at, why);
    }

    /// Notes that a document was refused. The same one is recorded once, and of many the first.
    pub(super) fn source_is_refused(&self, source: &str, digest: Digest, why: &str) {
        let now = self.now();
        let first = why.lines().next().unwrap_or_default();
        let (tell, untold) = {
            let mut state = self.state();
            state.remote.sources.heard(source, now.wall, first);
            state.remote.sources.refuse(source, digest, why, now)
        };
        if untold > 0 {
            let text = format!("{} more were refused meanwhile", counted(untold, "document"));
            self.record.note(Entry::new(now.wall, Event::SourceRejected, text));
        }
        if tell {
            let text = format!("a document from {source} was refused: {first}");
            self.record.note(Entry::new(now.wall, Event::SourceRejected, text));
        }
    }

    /// The serial of the signed policy in force.
    pub(in crate::engine) fn signed_serial(&self) -> Option<u64> {
        self.state().remote.in_force.as_ref().map(super::InForce::serial)
    }

    /// How signed documents stand here; `None` where the host takes none.
    pub(in crate::engine) fn remote(&self) -> Option<Remote> {
        let latest = self.trusted_wall(self.now());
        let state = self.state();
        state.policy.remote.as_ref()?;
        let held = state.remote.in_force.as_ref();
        let current = state.until().map(|until| until.current);
        let mut problems = state.remote.signers.clone();
        let first = |text: &String| text.lines().next().map(harmless);
        problems.extend(state.remote.problem.as_ref().and_then(first));
        Some(Remote {
            serial: held.map(super::InForce::serial),
            signers: held.map(|held| held.signers.clone()).unwrap_or_default(),
            not_before: held.map(|held| held.header.not_before),
            current_until: current,
            stale: current.is_some_and(|current| latest > current),
            problems,
            sources: state.remote.sources.known.values().cloned().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        let micros = seconds * 1_000_000;
        Moment { wall: Timestamp::from_micros(micros), boot: micros }
    }

    #[test]
    fn the_same_refusal_is_told_once_and_a_flood_is_counted() {
        let mut sources = Sources::default();
        assert_eq!(sources.refuse("web", [1; 32], "unsigned", at(1)), (true, 0));
        assert_eq!(sources.refuse("web", [1; 32], "unsigned", at(2)), (false, 0));
        assert_eq!(sources.refuse("web", [1; 32], "another reason", at(3)), (true, 0));
        let mut told = 0;
        for number in 0..200_u8 {
            told += u32::from(sources.refuse("web", [number; 32], "no", at(4)).0);
        }
        assert_eq!(told, TOLD - 2);
        let (tell, untold) = sources.refuse("web", [201; 32], "no", at(4_000));
        assert!(tell && untold > 150, "{untold}");
    }

    #[test]
    fn of_a_stores_documents_only_troubles_are_known_and_they_displace_no_source() {
        let mut sources = Sources::default();
        sources.heard("https://a/", at(1).wall, "");
        sources.heard("etcd", at(2).wall, "it is full");
        for number in 0..100 {
            sources.heard(&format!("etcd:/k{number}"), at(3 + number).wall, "unsigned");
        }
        assert_eq!(sources.known.len(), 2 + DOCUMENTS);
        assert!(sources.known.contains_key("https://a/"));
        sources.heard("etcd:/k99", at(200).wall, "");
        sources.heard("etcd:/new", at(201).wall, "");
        assert_eq!(sources.known.len(), 1 + DOCUMENTS);
        let store = &sources.known["etcd"];
        assert_eq!((store.at, store.error.as_str()), (at(201).wall, "it is full"));
        for number in 0..5_000_u32 {
            let name = format!("etcd:/{number}");
            sources.refuse(&name, [1; 32], "unsigned", at(300));
        }
        assert_eq!(sources.refused.len(), REFUSED);
    }

    #[test]
    fn no_more_sources_are_known_than_there_is_room_for() {
        let mut sources = Sources::default();
        for number in 0..100 {
            sources.heard(&format!("s{number}"), at(number).wall, "down");
        }
        assert_eq!(sources.known.len(), SOURCES);
        assert!(sources.known.contains_key("s99"));
        assert!(
            name("two\nlines").is_err() && name("").is_err() && name(&"x".repeat(513)).is_err()
        );
    }
}
