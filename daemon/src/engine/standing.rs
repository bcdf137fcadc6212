//! Standing privilege: looked for when somebody asks, one look at a time; since when each is known is
//! in the state. What was turned into eligibility, or given back, is recorded.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stint_proto::{
    ErrorCode, Event, Standing, StandingChange, StandingKind, StandingPrivilege, TEXT_LIMIT,
};

use super::standing_ways::{Asked, ways};
use super::{Engine, Lookups, Refusal};
use crate::clock::Moment;
use crate::record::{Entry, harmless};
use crate::residue::Look;
use crate::standing;
use crate::store::Write;

/// How long a look may take: sudo's converter, and name services on the network, are waited for.
const LIMIT: Duration = Duration::from_secs(30);
/// How old a number may be that is told without another look, in microseconds.
const FRESH: i64 = 3_600_000_000;
/// How many names one event holds at the most, in characters as they are recorded.
const ROOM: usize = TEXT_LIMIT - 100;

/// The latest look, and the way to another.
#[derive(Default)]
pub(super) struct Looked {
    looking: Lookups,
    one: tokio::sync::Mutex<()>,
    latest: Mutex<Option<(Moment, u32)>>,
}

impl Engine {
    /// What is held on this host with no end.
    ///
    /// # Errors
    /// [`Refusal`] when the host does not answer in time, or the state cannot be read.
    pub async fn standing(&self) -> Result<Standing, Refusal> {
        let looking = self.standing.one.lock().await;
        let now = self.now();
        let owned = self.owned_pairs();
        let (host, clock) = (self.host.clone(), self.clock.clone());
        let asked = Asked { policy: self.policy(), host: host.clone(), owned: owned.clone() };
        let looked = move || {
            let (programs, unseen) = Look::of_host(clock).programs();
            let mut found = standing::look(&standing::of_host(&host, owned, programs));
            found.unseen.extend(unseen);
            let (ways, exempt) = ways(&asked, &found);
            (found, ways, exempt)
        };
        let (found, ways, exempt) =
            self.standing.looking.ask(LIMIT, looked).await.ok_or_else(|| {
                let text = "the host's files or its account database did not answer within 30 s";
                Refusal::new(ErrorCode::Failed, text)
            })?;
        let (mut held, mut unseen) = (found.held, found.unseen);
        // What was given while the look was under way.
        let owned = self.owned_pairs();
        let is_own = |held: &StandingPrivilege| {
            held.group
                .as_ref()
                .is_some_and(|group| owned.contains(&(held.who.clone(), group.clone())))
        };
        held.retain(|held| held.kind != StandingKind::Group || !is_own(held));
        self.since(&mut held, now, &mut unseen).await?;
        let count = held.iter().filter(|held| held.counts).count();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        *self.standing.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, count));
        drop(looking);
        let (at, ways_of_root) = (now.wall, found.ways_of_root);
        Ok(Standing { at, count, held, unseen, ways, exempt, ways_of_root })
    }

    /// How many standing privileges count on this host, by the latest look. Nobody waits for another
    /// where there is one: if it is older than an hour the next is begun. `None` if the host cannot be
    /// looked at.
    pub async fn standing_count(self: &Arc<Self>) -> Option<u32> {
        match self.latest_count() {
            Some((at, count)) => {
                if self.now().boot - at.boot >= FRESH {
                    self.look_behind();
                }
                Some(count)
            }
            None => self.standing().await.ok().map(|standing| standing.count),
        }
    }

    /// Has the first look made if there was none yet, so that who asks for the number need not wait.
    pub fn look_first(self: &Arc<Self>) {
        if self.latest_count().is_none() {
            self.look_behind();
        }
    }

    fn latest_count(&self) -> Option<(Moment, u32)> {
        *self.standing.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a look if none is under way.
    fn look_behind(self: &Arc<Self>) {
        if self.standing.one.try_lock().is_err() {
            return;
        }
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(refusal) = engine.standing().await {
                eprintln!("stintd: standing privilege was not looked for: {refusal}");
                // A number that nobody can look at is none.
                engine.forget_count();
            }
        });
    }

    fn forget_count(&self) {
        *self.standing.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Records that standing privilege was turned into eligibility, or given back.
    ///
    /// # Errors
    /// [`Refusal`] when it cannot be written down.
    pub async fn standing_changed(
        &self,
        change: &StandingChange,
        actor: &str,
    ) -> Result<(), Refusal> {
        let (event, did) = match change.adopted {
            true => (Event::StandingAdopted, "turned into eligibility"),
            false => (Event::StandingRestored, "given back as it was"),
        };
        let (mut names, mut room) = (String::new(), ROOM);
        let mut left = change.lines.len();
        for line in &change.lines {
            room = match room.checked_sub(harmless(line).chars().count() + 2) {
                Some(left) => left,
                None => break,
            };
            if !names.is_empty() {
                names.push_str("; ");
            }
            names.push_str(line);
            left -= 1;
        }
        if left > 0 {
            names.push_str(&format!(" and {left} more"));
        }
        let mut entry =
            Entry::new(self.now().wall, event, format!("standing privilege was {did}: {names}"));
        entry.actor = Some(actor.to_owned());
        self.store.change(vec![Write::Record(entry.clone())]).await?;
        self.record.tell(&entry);
        // The number is another now.
        self.forget_count();
        Ok(())
    }

    fn owned_pairs(&self) -> BTreeSet<(String, String)> {
        let state = self.state();
        let pair = |own: &crate::store::Membership| (own.user.to_string(), own.group.to_string());
        state.owned.iter().map(pair).collect()
    }

    /// Notes what is there, and says since when it is known.
    async fn since(
        &self,
        held: &mut [StandingPrivilege],
        now: Moment,
        unseen: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        let keys: BTreeSet<String> = held.iter().map(standing::key).collect();
        let seen = Write::StandingSeen { at: now.wall, keys, all: unseen.is_empty() };
        // No event: a state that cannot be written is no reason to say nothing.
        if let Err(error) = self.store.change(vec![seen]).await {
            unseen.push(format!("since when it is known could not be written down: {error}"));
        }
        let known = self.store.standing_since().await?;
        for held in held {
            let since = known.get(&standing::key(held)).copied().unwrap_or(now.wall);
            held.since = since.min(now.wall);
        }
        Ok(())
    }
}
