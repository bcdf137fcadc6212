//! What becomes of a group that stint made for a session: systemd takes it on as the scope of its
//! name once the session has lived for a while, and what is empty before that is removed. Nobody is
//! moved, but from a group of threads to its home; and nothing here ends anybody.

use zbus::Connection;

use super::cgroup::{Look, Tree};
use super::place::{NO_BUS, ask_for_scope};
use crate::domain::control_group::Group;
use crate::systemd::{self, Known, SystemdError};

/// Brings a group to where stint need not see to it any more: it is gone, or it is systemd's. One
/// that has no place with systemd is left alone while somebody is in it.
///
/// # Errors
/// Why it has to be tried again.
pub async fn settle(
    tree: &Tree,
    bus: Option<&Connection>,
    group: &Group,
    description: &str,
) -> Result<(), String> {
    let own = group.clone();
    let at_home = tree.work(move |tree| tree.bring_home(&own)).await;
    if !at_home.map_err(|error| error.to_string())? {
        return Err("not all of it can be moved to its place".to_owned());
    }
    let home = group.home();
    let group = home.as_ref().unwrap_or(group);
    let look = tidied(tree, group).await?;
    let Some(owner) = group.slice_owner() else { return Ok(()) };
    match look {
        Look::Gone => Ok(()),
        Look::Empty { ours: true } => Err("somebody has just left it".to_owned()),
        Look::Lives { pid: None, .. } => Err("all of it is in groups inside it".to_owned()),
        Look::Empty { ours: false } | Look::Lives { ours: false, .. } => {
            take_back(tree, bus.ok_or(NO_BUS)?, group).await
        }
        Look::Lives { ours: true, pid: Some(pid) } => {
            let bus = bus.ok_or(NO_BUS)?;
            mark(tree, group, false).await?;
            // One of them is enough: systemd goes by the group, and finds it there.
            match ask_for_scope(bus, group.name(), owner, pid, description).await {
                Ok(()) => Ok(()),
                Err(error @ (SystemdError::Refused(_) | SystemdError::Ended(_))) => {
                    mark(tree, group, true).await?;
                    Err(error.to_string())
                }
                // It may still come to it, or not: one that was started before may be failing.
                Err(
                    error @ (SystemdError::NotThere(_)
                    | SystemdError::TimedOut
                    | SystemdError::Runs),
                ) => Err(error.to_string()),
            }
        }
    }
}

/// Of a group that was offered before, where nobody knows what came of it, as stintd, the bus or
/// systemd ended or was too slow to say: leaves it to systemd where that keeps it, and else makes it
/// stint's own again.
async fn take_back(tree: &Tree, bus: &Connection, group: &Group) -> Result<(), String> {
    match systemd::known(bus, group.name()).await.map_err(|error| error.to_string())? {
        Known::Active(kept) if kept == group.as_str() => Ok(()),
        Known::Active(_) | Known::Other => Err("systemd has not taken it on yet".to_owned()),
        Known::Nothing => {
            mark(tree, group, true).await?;
            match tidied(tree, group).await? {
                Look::Gone => Ok(()),
                _ => Err("systemd does not know of it".to_owned()),
            }
        }
    }
}

/// What is in this group, which is removed where it is stint's own and nobody is.
async fn tidied(tree: &Tree, group: &Group) -> Result<Look, String> {
    let group = group.clone();
    let look = tree.work(move |tree| {
        tree.tidy(&group);
        tree.look(&group)
    });
    look.await.map_err(|error| error.to_string())
}

async fn mark(tree: &Tree, group: &Group, ours: bool) -> Result<(), String> {
    let group = group.clone();
    let marking = tree.work(move |tree| tree.mark(&group, ours));
    marking.await.map_err(|error| error.to_string())
}
