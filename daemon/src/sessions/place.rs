//! Where a session is put when it begins, so that all of it can be found at the end.

use std::io;
use std::time::Duration;

use stint_proto::{GrantId, Uid};
use zbus::{Connection, Variant};

use super::cgroup::Tree;
use crate::domain::control_group::{Group, unit_name};
use crate::systemd::{Property, start_transient};

/// How long systemd may take. The module waits for 3 s by default, and the caller of PAM forks as
/// soon as it goes on: what is not in its place by then stays outside.
const LIMIT: Duration = Duration::from_secs(2);

/// Who begins a session.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// The process that calls PAM; all of the session will be started by it.
    pub pid: i32,
    /// Whether it is one that people log in by: root's own, and put into its place by logind.
    pub login: bool,
    /// Whose session it is.
    pub uid: Uid,
    /// The grant it runs under.
    pub grant: &'a GrantId,
    /// The session's id.
    pub session: &'a str,
    /// What it is, for people who look at units.
    pub description: &'a str,
}

/// Where a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a group of the tree.
    Group(Group),
    /// Where it was: only its first process is known, and what that has started.
    Line,
}

/// Puts a session into its place. What went wrong on the way there comes with it.
pub async fn place(
    tree: Option<&Tree>,
    bus: Option<&Connection>,
    guest: Guest<'_>,
) -> (Place, Option<String>) {
    let Some(tree) = tree else {
        let why = "this host has no control groups of version 2".to_owned();
        return (Place::Line, Some(why));
    };
    let before = tree.of(guest.pid).ok();
    if guest.login
        && let Some(group) = before.clone().filter(Group::is_login)
        && group.slice_owner() == Some(guest.uid)
    {
        // logind follows a login by its group: it stays there, and the group is its own.
        return (Place::Group(group), None);
    }
    let mut grants = before.as_ref().map(Group::grants).unwrap_or_default();
    if !grants.contains(guest.grant) {
        grants.push(guest.grant.clone());
    }
    let unit = unit_name(&grants, guest.session);
    // Whose slice it is stays as it is: it tells who logged in.
    let owner = before.as_ref().and_then(Group::slice_owner).unwrap_or(guest.uid);
    let refused = match bus {
        Some(bus) => match scope(tree, bus, &unit, owner, guest).await {
            Ok(group) => return (Place::Group(group), None),
            Err(why) => why,
        },
        None => "there is no system bus".to_owned(),
    };
    match tree.make(&unit, guest.pid) {
        Ok(group) => (Place::Group(group), Some(refused)),
        Err(error) => (Place::Line, Some(format!("{refused}; its control groups: {error}"))),
    }
}

async fn scope(
    tree: &Tree,
    bus: &Connection,
    unit: &str,
    owner: Uid,
    guest: Guest<'_>,
) -> Result<Group, String> {
    let pid = u32::try_from(guest.pid).map_err(|error| error.to_string())?;
    let properties: [Property; 5] = [
        ("Description", Variant::from(guest.description.to_owned())),
        ("Slice", Variant::from(format!("user-{owner}.slice"))),
        ("PIDs", Variant::from(vec![pid])),
        ("SendSIGHUP", Variant::from(true)),
        ("CollectMode", Variant::from("inactive-or-failed")),
    ];
    start_transient(bus, unit, &properties, LIMIT).await.map_err(|error| error.to_string())?;
    match tree.of(guest.pid) {
        Ok(group) if group.as_str().ends_with(&format!("/{unit}")) => Ok(group),
        Ok(group) => Err(format!("systemd left it in {}", group.as_str())),
        Err(error) => Err(gone(&error)),
    }
}

fn gone(error: &io::Error) -> String {
    format!("its control group: {error}")
}
