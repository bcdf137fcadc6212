//! Ending what still runs with a privilege that is over: the sessions of a grant, and processes that
//! carry a group which is no longer theirs. What is to be ended is durable from the end of the grant
//! until it is done, so that a crash in between forgets nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use stint_proto::{GrantId, GroupName, Uid, UserName};
use tokio::sync::{Semaphore, mpsc};

use super::failure::{About, Failure};
use super::{Engine, Lookups};
use crate::accounts::{self, AccountError};
use crate::applied::key_of;
use crate::domain::control_group::Group;
use crate::domain::grant::Grant;
use crate::domain::human::Process;
use crate::domain::manner::Manner;
use crate::process;
use crate::sessions::{Tree, Whom, end_all, unknown};
use crate::store::{Eviction, EvictionOf, Write};

/// How long the account database may take to say who somebody is.
const ACCOUNT_LIMIT: Duration = Duration::from_secs(5);
/// The pauses between two tries, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// How many are carried out at once: each looks through the processes of the host.
const AT_ONCE: usize = 64;
/// How often it is looked whether a group was given again.
const AGAIN: Duration = Duration::from_millis(50);
/// How many are looked at together.
const BATCH: usize = 20_000;

/// An eviction, and how long it is put off.
pub(super) type Owed = (Duration, Eviction);

impl Engine {
    /// What is to be ended with these grants, to be written with their end.
    pub(super) fn evictions_of(&self, ended: &[Grant]) -> Vec<Eviction> {
        let policy = self.policy();
        let eviction = |grant: &Grant| {
            let manner = Manner::of(policy.roles.get(&grant.role));
            let Grant { id, role, uid, user, .. } = grant.clone();
            let of = EvictionOf::Sessions { grant: id, role, uid };
            Eviction { of, user, leave: manner.leave, grace: manner.grace }
        };
        ended.iter().map(eviction).collect()
    }

    /// Has these carried out; nobody waits for it.
    pub(super) fn evict(&self, evictions: Vec<Eviction>) {
        self.evict_after(Duration::ZERO, evictions);
    }

    /// The same, so much later.
    pub(super) fn evict_after(&self, delay: Duration, evictions: Vec<Eviction>) {
        for eviction in evictions {
            self.state().owed.insert(key_of(&eviction), eviction.clone());
            // The receiver lives as long as the engine does.
            self.evictions.send((delay, eviction)).ok();
        }
    }

    /// Carries out evictions for as long as the daemon runs. To be called once.
    pub async fn serve_evictions(self: Arc<Self>) -> Infallible {
        let Some(mut owed) = self.owed() else { return std::future::pending().await };
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut batch = Vec::new();
        while owed.recv_many(&mut batch, BATCH).await > 0 {
            let (now, later): (Vec<_>, Vec<_>) =
                batch.drain(..).partition(|(delay, _)| delay.is_zero());
            for (delay, eviction) in later {
                let evictions = self.evictions.clone();
                drop(tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    evictions.send((Duration::ZERO, eviction)).ok();
                }));
            }
            let now = now.into_iter().map(|(_, eviction)| eviction).collect();
            for eviction in self.sift(now).await {
                let (engine, places) = (Arc::clone(&self), Arc::clone(&places));
                drop(tokio::spawn(async move { engine.carry_out(&eviction, &places).await }));
            }
        }
        std::future::pending().await
    }

    /// Takes out those that meet nobody: many grants end with nothing running under them, and one
    /// look at the host serves them all. Where it fails, each is looked at by itself.
    async fn sift(&self, batch: Vec<Eviction>) -> Vec<Eviction> {
        let (tree, wanted) = (self.tree.clone(), batch.clone());
        let look = move || -> io::Result<Vec<bool>> { meets_anybody(tree.as_ref(), &wanted) };
        let Some(Ok(meets)) = self.evicting.ask(ACCOUNT_LIMIT, look).await else { return batch };
        let open: HashSet<GrantId> = {
            let state = self.state();
            state.sessions.values().filter_map(|session| session.grant.clone()).collect()
        };
        let (left, done): (Vec<_>, Vec<_>) =
            batch.into_iter().zip(meets).partition(|(eviction, meets)| {
                let is_open = match &eviction.of {
                    EvictionOf::Sessions { grant, role, .. } => {
                        open.contains(grant) || self.starts_units(role)
                    }
                    EvictionOf::Group { .. } => false,
                };
                *meets || is_open
            });
        let done: Vec<Eviction> = done.into_iter().map(|(eviction, _)| eviction).collect();
        self.evicted(&done).await;
        left.into_iter().map(|(eviction, _)| eviction).collect()
    }

    /// Carries out what is owed now, and waits for it: for the removal of the package.
    ///
    /// # Errors
    /// What could not be done, one line each.
    pub(super) async fn evict_now(&self) -> Result<(), Vec<String>> {
        let Some(mut owed) = self.owed() else { return Ok(()) };
        let mut failures = Vec::new();
        while let Ok((_, eviction)) = owed.try_recv() {
            match self.try_to_evict(&eviction).await {
                Ok(()) => self.evicted(&[eviction]).await,
                Err(text) => failures.push(text),
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }

    fn owed(&self) -> Option<mpsc::UnboundedReceiver<Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tries until it is done; an alarm stands meanwhile.
    async fn carry_out(&self, eviction: &Eviction, places: &Semaphore) {
        let (mut pause, longest) = PAUSES;
        loop {
            // It is never closed. Who waits for a grace or a pause holds up the others no longer
            // than that.
            let place = places.acquire().await;
            let Err(text) = self.try_to_evict(eviction).await else { break };
            drop(place);
            self.state().unended.insert(key_of(eviction), text.clone());
            self.residue.look_now();
            let about = About::Eviction(key_of(eviction));
            self.alarm(Failure { about, text: text.clone() }, &text);
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(longest);
        }
        self.evicted(std::slice::from_ref(eviction)).await;
    }

    async fn evicted(&self, done: &[Eviction]) {
        if done.is_empty() {
            return;
        }
        for eviction in done {
            let mut state = self.state();
            state.unended.remove(&key_of(eviction));
            state.owed.remove(&key_of(eviction));
        }
        self.relist_soon();
        self.forget_dead_sessions(done);
        // What cannot be written is looked at once more after the next start, and meets nobody.
        let writes = done.iter().cloned().map(Write::EvictionDone).collect();
        if let Err(error) = self.store.change(writes).await {
            self.alarm_state(&error);
        }
        self.residue.look_now();
    }

    async fn try_to_evict(&self, eviction: &Eviction) -> Result<(), String> {
        let whom = match &eviction.of {
            EvictionOf::Sessions { grant, role, uid } => {
                let engine_tree = self.tree.clone();
                let looked_for = grant.clone();
                let found = tokio::task::spawn_blocking(move || {
                    engine_tree.map_or(Ok(Vec::new()), |tree| tree.of_stint())
                });
                let found = found.await.map_err(io::Error::other).and_then(|found| found);
                let found = found.map_err(|error| unknown(eviction, &error))?;
                let mut whom = self.sessions_of(&looked_for, found);
                let started = self.started_under(grant, role, *uid, eviction).await;
                whom.extend(started.map_err(|error| unknown(eviction, &error))?);
                whom
            }
            EvictionOf::Group { group, uid } => self.carriers(&eviction.user, *uid, group).await?,
        };
        if !eviction.leave && !whom.is_empty() {
            self.announce_end_of_sessions(eviction);
        }
        let groups = whom.iter().filter_map(Whom::group).cloned().collect();
        let (outcome, trouble) = end_all(eviction, whom, self.given_again(eviction)).await;
        for entry in outcome.entries(eviction, self.now().wall) {
            self.record.note(entry);
        }
        self.settle_evicted(groups);
        trouble.map_or(Ok(()), Err)
    }

    /// Returns once a group that was taken back is given again.
    async fn given_again(&self, eviction: &Eviction) {
        let EvictionOf::Group { group, .. } = &eviction.of else {
            return std::future::pending().await;
        };
        loop {
            let is_owned = {
                let state = self.state();
                state.owned.iter().any(|own| own.user == eviction.user && own.group == *group)
            };
            if is_owned {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Where the sessions of this grant are, of the groups that stint has in the tree, and of those
    /// that have none of their own.
    fn sessions_of(&self, grant: &GrantId, found: Vec<(Group, Vec<GrantId>)>) -> Vec<Whom> {
        let mut groups: HashSet<_> = found
            .into_iter()
            .filter_map(|(group, grants)| grants.contains(grant).then_some(group))
            .collect();
        let mut whom = Vec::new();
        let state = self.state();
        for session in state.sessions.values().filter(|open| open.grant.as_ref() == Some(grant)) {
            match &session.group {
                Some(group) => {
                    groups.insert(group.clone());
                }
                None => whom.push(Whom::Under([session.process].into())),
            }
        }
        drop(state);
        if let Some(tree) = &self.tree {
            whom.extend(Whom::in_groups(tree, &groups));
        }
        whom
    }

    /// This user's processes that carry the group, if it is not theirs in another way. They go by
    /// number, where that is known: the account may be gone, or have another name.
    async fn carriers(
        &self,
        user: &UserName,
        uid: Option<Uid>,
        group: &GroupName,
    ) -> Result<Vec<Whom>, String> {
        let found = carried_without_right(&self.evicting, user, uid, group).await?;
        let Some((uid, gid)) = found else {
            return Ok(Vec::new());
        };
        let before = self.store.carriers(user.clone(), group.clone()).await;
        let before = before.map_err(|error| format!("{user} may still carry {group}: {error}"))?;
        let but = before.into_iter().collect();
        Ok(vec![Whom::With { uid, gids: BTreeSet::from([gid]), but }])
    }

    /// Who carries these groups already, before stint gives them: they are not stint's to end.
    pub(super) async fn carried_already(
        &self,
        fresh: BTreeMap<(UserName, GroupName), Uid>,
    ) -> BTreeMap<(UserName, GroupName), Vec<Process>> {
        if fresh.is_empty() {
            return BTreeMap::new();
        }
        let look = move || -> Option<BTreeMap<_, Vec<Process>>> {
            let mut gids: BTreeMap<GroupName, u32> = BTreeMap::new();
            for (_, group) in fresh.keys() {
                if !gids.contains_key(group) {
                    gids.insert(group.clone(), accounts::gid(group).ok()?);
                }
            }
            let mut carried: BTreeMap<(UserName, GroupName), Vec<Process>> =
                fresh.keys().map(|pair| (pair.clone(), Vec::new())).collect();
            for pid in process::all().ok()? {
                let Ok(rights) = process::rights(pid) else { continue };
                for ((user, group), uid) in &fresh {
                    let has = gids.get(group).is_some_and(|gid| rights.gids.contains(gid));
                    if has && rights.uids.contains(&uid.0) {
                        let list = carried.entry((user.clone(), group.clone()));
                        list.or_default().extend(process::identify(pid));
                    }
                }
            }
            Some(carried)
        };
        // Where the host does not say in time nobody is known, and nobody is spared.
        self.evicting.ask(ACCOUNT_LIMIT, look).await.flatten().unwrap_or_default()
    }
}

/// By which numbers they are found who carry this group as this user, who is known by number where
/// there is one; `None` where it is theirs in another way, or one of both is gone.
///
/// # Errors
/// When the account database does not say, or not in time.
pub(crate) async fn carried_without_right(
    lookups: &Lookups,
    user: &UserName,
    uid: Option<Uid>,
    group: &GroupName,
) -> Result<Option<(Uid, u32)>, String> {
    let (asked_user, asked_group) = (user.clone(), group.clone());
    let asked = move || -> Result<Option<(Uid, u32)>, AccountError> {
        let account = match uid {
            Some(uid) => accounts::by_uid(uid)?,
            None => accounts::by_name(&asked_user)?,
        };
        let Some(uid) = uid.or(account.as_ref().map(|account| account.uid)) else {
            return Ok(None);
        };
        if let Some(account) = account
            && accounts::is_member(&account.name, &asked_group)?
        {
            return Ok(None);
        }
        Ok(Some((uid, accounts::gid(&asked_group)?)))
    };
    match lookups.ask(ACCOUNT_LIMIT, asked).await {
        Some(Ok(found)) => Ok(found),
        // Nobody can be found by a group or an account that is gone.
        Some(Err(AccountError::UnknownGroup { .. } | AccountError::Unknown { .. })) => Ok(None),
        Some(Err(error)) => Err(format!("{user} may still carry {group}: {error}")),
        None => Err(format!(
            "{user} may still carry {group}: the account database does not answer in time"
        )),
    }
}

/// Whether anybody seems to be met by each of these: there is a group of that grant, or a process of
/// that account with that group. Errs on the side of yes.
fn meets_anybody(tree: Option<&Tree>, evictions: &[Eviction]) -> io::Result<Vec<bool>> {
    let groups = tree.map_or(Ok(Vec::new()), Tree::of_stint)?;
    let grants: HashSet<GrantId> = groups.into_iter().flat_map(|(_, grants)| grants).collect();
    let carries = |eviction: &&Eviction| matches!(eviction.of, EvictionOf::Group { .. });
    let carriers = match evictions.iter().find(carries) {
        Some(_) => uids_by_group()?,
        None => HashMap::new(),
    };
    let mut gids: HashMap<&GroupName, Option<u32>> = HashMap::new();
    let mut meets = Vec::with_capacity(evictions.len());
    for eviction in evictions {
        meets.push(match &eviction.of {
            EvictionOf::Sessions { grant, .. } => grants.contains(grant),
            EvictionOf::Group { group, uid } => {
                match gids.entry(group).or_insert_with(|| accounts::gid(group).ok()) {
                    Some(gid) => {
                        let is_one = |uids| is_one(&eviction.user, *uid, uids);
                        carriers.get(gid).is_some_and(is_one)
                    }
                    None => true,
                }
            }
        });
    }
    Ok(meets)
}

/// Whose processes carry each group.
fn uids_by_group() -> io::Result<HashMap<u32, HashSet<u32>>> {
    let mut found: HashMap<u32, HashSet<u32>> = HashMap::new();
    process::visit(|pid| match process::rights(pid) {
        Ok(rights) => {
            for gid in rights.gids {
                found.entry(gid).or_default().extend(&rights.uids);
            }
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    })?;
    Ok(found)
}

/// Whether this account is one of these, or may be.
fn is_one(user: &UserName, uid: Option<Uid>, uids: &HashSet<u32>) -> bool {
    if let Some(uid) = uid {
        return uids.contains(&uid.0);
    }
    match accounts::by_name(user) {
        Ok(Some(account)) => uids.contains(&account.uid.0),
        Ok(None) | Err(_) => true,
    }
}
