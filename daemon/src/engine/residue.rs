//! What grants leave: how the host is when one begins, and again once it is over and what ran under
//! it has been ended. One look serves all that begin, or end, together. A look decides nothing and
//! holds up no end, and a beginning for a moment at the most.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stint_proto::{Event, Grant as Shown, GrantId, Residue};
use tokio::sync::Notify;

use super::{Engine, Lookups};
use crate::clock::Moment;
use crate::domain::grant::{Grant, Stage};
use crate::record::Entry;
use crate::residue::{Look, Own, Part, Picture, Report, compare, digest, told};
use crate::store::{
    Compared, FirstLook, FirstPicture, Left, Membership, StoreError, ToCompare, Write,
};

/// How long a beginning waits for a look ahead of it.
const AHEAD: Duration = Duration::from_secs(1);
/// How long it waits while it holds up others; what takes longer is looked at after it.
const BRIEFLY: Duration = Duration::from_millis(500);
/// How long any other look may take.
const PATIENTLY: Duration = Duration::from_secs(10);
/// How old a look may be that serves for one more beginning, in microseconds.
const FRESH: i64 = 500_000;
/// How old one may be that was made ahead of it: who began to wait for `changes` then may have
/// waited for as long.
const WAITED: i64 = 5_000_000;
/// How long no beginning waits for a look after one that took too long, in microseconds.
const SLOW: i64 = 10_000_000;
/// How many things one answer names, of all grants together.
const NAMED: usize = 20_000;
/// The pause before another try where the state cannot be written.
const PAUSE: Duration = Duration::from_secs(60);
/// Why nothing was seen of a host that did not answer.
const HUNG: &str = "a file system of the host did not answer in time";
/// Why nothing can be compared.
const NO_FIRST: &str = "nobody had looked before the grant was over";

/// Looks, the latest of them, and whether one is wanted.
pub(super) struct Watched {
    look: Look,
    looking: Lookups,
    /// What a look before a beginning has found.
    ahead: Mutex<Option<Ahead>>,
    /// The latest look that a grant has begun with.
    latest: Mutex<Option<(Moment, FirstLook)>>,
    /// When a look has taken too long for somebody who waited.
    slow: Mutex<Option<Moment>>,
    wanted: Notify,
}

/// A look at what stint does not write to.
#[derive(Clone)]
struct Ahead {
    from: Moment,
    done: Moment,
    picture: Arc<Picture>,
}

impl Watched {
    /// Nothing was looked at yet; what is owed from an earlier run is wanted.
    pub(super) fn new(look: Look) -> Self {
        let wanted = Notify::new();
        wanted.notify_one();
        let (looking, ahead, latest) = (Lookups::default(), Mutex::default(), Mutex::default());
        Self { look, looking, ahead, latest, slow: Mutex::default(), wanted }
    }

    /// Something is to be looked after.
    pub(super) fn look_now(&self) {
        self.wanted.notify_one();
    }

    /// Whether a look has taken too long of late: no beginning waits for the next one then.
    fn is_slow(&self, now: Moment) -> bool {
        let since = *self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| now.boot - since.boot < SLOW)
    }

    fn note_slow(&self, is_slow: bool, now: Moment) {
        if is_slow && !self.is_slow(now) {
            *self.slow.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
    }

    fn ahead(&self) -> MutexGuard<'_, Option<Ahead>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latest(&self) -> MutexGuard<'_, Option<(Moment, FirstLook)>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// What is to be written with the beginning of these grants, as far as they begin now: how the
    /// host is before they count. The caller holds `changes`.
    pub(super) async fn beginning(&self, grants: &[Grant]) -> Vec<Write> {
        let begin: Vec<&Grant> =
            grants.iter().filter(|grant| grant.stage == Stage::Active).collect();
        if begin.is_empty() {
            return Vec::new();
        }
        let first = self.first_look().await;
        begin.into_iter().map(|grant| Write::Begun(grant.id.clone(), first.clone())).collect()
    }

    /// Looks at most of the host before `changes` is taken for a beginning, so that no end has to
    /// wait for a slow disk.
    pub(super) async fn look_ahead(&self) {
        let now = self.now();
        let is_there = || {
            let ahead = self.residue.ahead();
            ahead.as_ref().is_some_and(|ahead| now.boot - ahead.done.boot <= FRESH)
        };
        if self.residue.is_slow(now) || is_there() {
            return;
        }
        let ahead = self.rest(AHEAD).await;
        self.residue.note_slow(ahead.is_none(), now);
        *self.residue.ahead() = ahead;
    }

    async fn first_look(&self) -> FirstLook {
        let now = self.now();
        let latest = self.residue.latest().clone();
        if let Some((_, first)) = latest.filter(|(done, _)| now.boot - done.boot <= FRESH) {
            return first;
        }
        let ahead = self.residue.ahead().clone();
        let rest = match ahead.filter(|ahead| now.boot - ahead.done.boot <= WAITED) {
            Some(ahead) => Some(ahead),
            None if self.residue.is_slow(now) => None,
            None => self.rest(BRIEFLY).await,
        };
        let (from, picture) = match rest {
            Some(Ahead { from, picture, .. }) => {
                (from, self.shared(BRIEFLY, picture, |whole| kept(&whole)).await)
            }
            None => (now, None),
        };
        let first = FirstLook { since: from.wall, picture };
        if first.picture.is_some() {
            *self.residue.latest() = Some((self.now(), first.clone()));
        } else {
            self.residue.note_slow(true, now);
            self.residue.look_now();
        }
        first
    }

    /// How the places are that stint does not write to; `None` if that is not known in time.
    async fn rest(&self, limit: Duration) -> Option<Ahead> {
        let (look, from) = (self.residue.look.clone(), self.now());
        let asked = move || Arc::new(look.look(Part::Rest, &Own::default()));
        let picture = self.residue.looking.ask(limit, asked).await?;
        Some(Ahead { from, done: self.now(), picture })
    }

    /// With the others, what is made of them; the caller holds `changes`.
    async fn shared<T: Send + 'static>(
        &self,
        limit: Duration,
        rest: Arc<Picture>,
        then: impl FnOnce(Picture) -> T + Send + 'static,
    ) -> Option<T> {
        let owned = self.state().owned.clone();
        let (look, mechanisms) = (self.residue.look.clone(), Arc::clone(&self.mechanisms));
        let asked = move || {
            let pair = |own: Membership| (own.user.to_string(), own.group.to_string());
            let members = owned.into_iter().map(pair).collect();
            let files = mechanisms.lock().unwrap_or_else(PoisonError::into_inner).own_files();
            let shared = look.look(Part::Shared, &Own { members, files });
            then(Arc::unwrap_or_clone(rest).with(shared))
        };
        self.residue.looking.ask(limit, asked).await
    }

    /// Looks after grants for as long as the daemon runs. To be called once.
    pub async fn serve_residue(self: Arc<Self>) -> Infallible {
        loop {
            self.residue.wanted.notified().await;
            while !self.look_after().await {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Looks for all that is wanted now. `false` if it is to be tried again.
    pub(super) async fn look_after(&self) -> bool {
        match self.try_to_look_after().await {
            Ok(()) => true,
            Err(error) => {
                self.alarm_state(&error);
                false
            }
        }
    }

    async fn try_to_look_after(&self) -> Result<(), StoreError> {
        if self.store.any_unseen().await? {
            let (since, picture) = self.patiently().await;
            let first = FirstLook { since: since.wall, picture: Some(kept(&picture)) };
            self.store.change(vec![Write::SeenLate(first)]).await?;
        }
        loop {
            let to_compare = self.store.to_compare(self.stubborn()).await?;
            if to_compare.0.is_empty() {
                return Ok(());
            }
            let (from, now) = self.patiently().await;
            let (writes, entries) = self.left(to_compare, &now, from);
            self.store.change(writes).await?;
            for entry in &entries {
                self.record.tell(entry);
            }
        }
    }

    async fn patiently(&self) -> (Moment, Picture) {
        let from = self.now();
        let Some(rest) = self.rest(PATIENTLY).await else { return (from, Picture::blind(HUNG)) };
        let changing = self.changes.lock().await;
        let whole = self.shared(PATIENTLY, rest.picture, |whole| whole).await;
        drop(changing);
        (from, whole.unwrap_or_else(|| Picture::blind(HUNG)))
    }

    /// Grants under which something still runs that cannot be ended.
    fn stubborn(&self) -> BTreeSet<String> {
        let state = self.state();
        let keys = state.unended.keys();
        keys.filter_map(|key| key.strip_prefix("sessions ").map(str::to_owned)).collect()
    }

    fn left(
        &self,
        (ended, pictures): ToCompare,
        now: &Picture,
        from: Moment,
    ) -> (Vec<Write>, Vec<Entry>) {
        let (until, files) = (from.wall, now.files());
        let micros = self.now().boot.saturating_sub(from.boot);
        let mut reports: HashMap<(Option<String>, bool), Arc<Report>> = HashMap::new();
        let (mut writes, mut entries) = (Vec::new(), Vec::new());
        for Compared { grant, digest, since, late, boot_id } in ended {
            let same_boot = boot_id == self.store.boot_id();
            let report = reports.entry((digest.clone(), same_boot)).or_insert_with(|| {
                let before = digest.as_ref().and_then(|digest| pictures.get(digest));
                Arc::new(match before {
                    Some(before) => compare(before, now, same_boot),
                    None => compare(&Picture::blind(NO_FIRST), now, same_boot),
                })
            });
            let what = format!("{} for {} ({})", grant.role, grant.user, grant.id);
            let only_since = late.then(|| since.to_string());
            if let Some(text) = told(&what, only_since.as_deref(), report) {
                let entry = self.about(Event::GrantResidue, &grant, "stintd", text);
                writes.push(Write::Record(entry.clone()));
                writes.extend(self.outgoing(&entry, None, Some(&grant)));
                entries.push(entry);
            }
            let (grant, report) = (grant.id, Arc::clone(report));
            let left = Left { grant, since, late, until, files, micros, report };
            writes.push(Write::Left(left));
        }
        writes.push(Write::PicturesForgotten);
        (writes, entries)
    }
}

fn kept(picture: &Picture) -> Arc<FirstPicture> {
    // Texts, numbers and maps of texts: there is nothing that could not be written as JSON.
    let text = serde_json::to_string(picture).unwrap_or_default();
    let digest = digest(&text);
    Arc::new(FirstPicture { digest, text })
}

/// Puts what they left to the grants that are shown: what was found goes to the latest first, up to
/// so much of all of them; how much it was is told of each.
pub(super) fn tell(shown: &mut [Shown], mut residues: HashMap<GrantId, Residue>) {
    let mut left = NAMED;
    for grant in shown.iter_mut().rev() {
        let Some(mut residue) = residues.remove(&grant.id) else { continue };
        residue.found.truncate(left);
        left -= residue.found.len();
        grant.residue = Some(residue);
    }
}
