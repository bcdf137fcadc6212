//! Ending what still runs under what is over: sessions by the names of their control groups or by
//! the list, and processes that carry a group which is no longer theirs.

use std::collections::{BTreeSet, HashSet};
use std::io;

use stint_proto::{GrantId, GroupName, Uid, UserName};
use tokio::task::JoinSet;

use super::{ACTOR, Sweep, off_thread};
use crate::applied::{Applied, Owed, Spot};
use crate::domain::human::Process;
use crate::engine::{Lookups, carried_without_right};
use crate::sessions::{Outcome, Tree, Whom, end_all, unknown};
use crate::store::{Eviction, EvictionOf};

impl Sweep<'_> {
    /// Ends what is owed, all at once; returns what is done.
    pub(super) async fn end_the_rest(&mut self, applied: &Applied) -> Vec<Eviction> {
        let tree = Tree::of_host();
        let lookups = Lookups::default();
        let mut ending = JoinSet::new();
        for Owed { eviction, carried } in applied.owed.values().cloned() {
            let (tree, lookups) = (tree.clone(), lookups.clone());
            let spots = spots_of(applied, &eviction);
            ending.spawn(async move {
                let whom = match &eviction.of {
                    EvictionOf::Sessions { grant, .. } => sessions(tree, grant.clone(), spots)
                        .await
                        .map_err(|error| unknown(&eviction, &error)),
                    EvictionOf::Group { group, uid } => {
                        carriers(&lookups, &eviction.user, *uid, group, carried).await
                    }
                };
                let (outcome, trouble) = match whom {
                    Ok(whom) => end_all(&eviction, whom, std::future::pending()).await,
                    Err(error) => (Outcome::default(), Some(error)),
                };
                (eviction, outcome, trouble)
            });
        }
        let mut done = Vec::new();
        while let Some(ended) = ending.join_next().await {
            match ended {
                Ok((eviction, outcome, trouble)) => {
                    for mut entry in outcome.entries(&eviction, self.now()) {
                        entry.actor = Some(ACTOR.to_owned());
                        self.journal.write(&entry);
                    }
                    match trouble {
                        None => done.push(eviction),
                        Some(text) => self.fail(text),
                    }
                }
                Err(error) => self.fail(error.to_string()),
            }
        }
        done
    }
}

/// Where this eviction's sessions are, beside those that their control groups name.
fn spots_of(applied: &Applied, eviction: &Eviction) -> Vec<Spot> {
    let EvictionOf::Sessions { grant, .. } = &eviction.of else { return Vec::new() };
    let of_it = applied.sessions.iter().filter(|(of, _)| of == grant);
    of_it.map(|(_, spot)| spot.clone()).collect()
}

async fn sessions(tree: Option<Tree>, grant: GrantId, spots: Vec<Spot>) -> io::Result<Vec<Whom>> {
    let looking = tree.clone();
    let found = off_thread(move || looking.map_or(Ok(Vec::new()), |tree| tree.of_stint()));
    let named = found.await??.into_iter();
    let mut groups: HashSet<_> =
        named.filter_map(|(group, grants)| grants.contains(&grant).then_some(group)).collect();
    let mut whom = Vec::new();
    for spot in spots {
        match spot {
            Spot::Group(group) => {
                groups.insert(group);
            }
            Spot::Process(process) => whom.push(Whom::Under([process].into())),
        }
    }
    if let Some(tree) = tree {
        whom.extend(Whom::in_groups(&tree, &groups));
    }
    Ok(whom)
}

async fn carriers(
    lookups: &Lookups,
    user: &UserName,
    uid: Option<Uid>,
    group: &GroupName,
    carried: Vec<Process>,
) -> Result<Vec<Whom>, String> {
    let found = carried_without_right(lookups, user, uid, group).await?;
    let but: HashSet<Process> = carried.into_iter().collect();
    let whom = found.map(|(uid, gid)| Whom::With { uid, gids: BTreeSet::from([gid]), but });
    Ok(whom.into_iter().collect())
}
