//! Where a session is put when it begins, so that all of it can be found at the end.

use std::io;
use std::time::Duration;

use stint_proto::{GrantId, Uid};
use zbus::{Connection, Variant};

use super::cgroup::Tree;
use crate::domain::control_group::{Group, unit_name};
use crate::systemd::{Property, SystemdError, start_transient};

/// How long systemd may take. The module waits for 3 s by default, and the caller of PAM forks as
/// soon as it goes on: what is not in its place by then stays outside.
const LIMIT: Duration = Duration::from_secs(2);

/// What is said where there is no bus to ask systemd over.
pub(super) const NO_BUS: &str = "there is no system bus";

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

/// Where a session was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where it is.
    pub place: Place,
    /// Whether the group was made by stint, which has to see to it: [`super::settle`].
    pub made: bool,
    /// What went wrong on the way there.
    pub trouble: Option<String>,
}

/// Where a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a group of the tree.
    Group(Group),
    /// Where it was: only its first process is known, and what that has started.
    Line,
}

impl Placed {
    fn at(place: Place) -> Self {
        Self { place, made: false, trouble: None }
    }
}

/// Puts a session into its place. Returns once it is there: its children are born where it is.
///
/// Where its slice is there, its group is made in it at once, and systemd is not asked.
pub async fn place(tree: Option<&Tree>, bus: Option<&Connection>, guest: Guest<'_>) -> Placed {
    let Some(tree) = tree else {
        let why = "this host has no control groups of version 2".to_owned();
        return Placed { trouble: Some(why), ..Placed::at(Place::Line) };
    };
    let before = tree.of(guest.pid).ok();
    if guest.login
        && let Some(group) = before.clone().filter(Group::is_login)
        && group.slice_owner() == Some(guest.uid)
    {
        // logind follows a login by its group: it stays there, and the group is its own.
        return Placed::at(Place::Group(group));
    }
    let grants = before.as_ref().map(|group| group.grants_with(guest.grant));
    let unit = unit_name(&grants.unwrap_or_else(|| vec![guest.grant.clone()]), guest.session);
    // Whose slice it is stays as it is: it tells who logged in.
    let owner = before.as_ref().and_then(Group::slice_owner).unwrap_or(guest.uid);
    // Where that fails the slice has just ended, and systemd starts it anew.
    if let Some(slice) = tree.slice_of(owner)
        && let Ok(made) = make(tree, &slice, &unit, guest.pid).await
    {
        return made;
    }
    let refused = match bus {
        Some(bus) => match scope(tree, bus, &unit, owner, guest).await {
            Ok(group) => return Placed::at(Place::Group(group)),
            Err(why) => why,
        },
        None => NO_BUS.to_owned(),
    };
    let made = match Tree::own() {
        Some(own) => make(tree, &own, &unit, guest.pid).await,
        None => Err(io::ErrorKind::InvalidInput.into()),
    };
    match made {
        Ok(made) => Placed { trouble: made.trouble.or(Some(refused)), ..made },
        Err(error) => {
            let trouble = Some(format!("{refused}; its control groups: {error}"));
            Placed { trouble, ..Placed::at(Place::Line) }
        }
    }
}

/// Makes the group of this name there, with this process in it. What the kernel has not done in
/// time it does later: the session is there then.
async fn make(tree: &Tree, parent: &Group, unit: &str, pid: i32) -> io::Result<Placed> {
    let group = parent.child(unit).ok_or(io::ErrorKind::InvalidInput)?;
    let place = Place::Group(group.clone());
    let making = tree.work(move |tree| tree.make(&group, pid));
    let trouble = match tokio::time::timeout(LIMIT, making).await {
        Ok(made) => made.map(|()| None)?,
        Err(_) => Some("the kernel has not put it there yet".to_owned()),
    };
    Ok(Placed { place, made: true, trouble })
}

async fn scope(
    tree: &Tree,
    bus: &Connection,
    unit: &str,
    owner: Uid,
    guest: Guest<'_>,
) -> Result<Group, String> {
    let asked = ask_for_scope(bus, unit, owner, guest.pid, guest.description).await;
    asked.map_err(|error| error.to_string())?;
    match tree.of(guest.pid) {
        Ok(group) if group.as_str().ends_with(&format!("/{unit}")) => Ok(group),
        Ok(group) => Err(format!("systemd left it in {}", group.as_str())),
        Err(error) => Err(gone(&error)),
    }
}

/// Has systemd start the scope of this name in the slice of this account, with this process.
pub(super) async fn ask_for_scope(
    bus: &Connection,
    unit: &str,
    owner: Uid,
    pid: i32,
    description: &str,
) -> Result<(), SystemdError> {
    let properties: [Property; 5] = [
        ("Description", Variant::from(description.to_owned())),
        ("Slice", Variant::from(format!("user-{owner}.slice"))),
        // The kernel's numbers of processes are never negative.
        ("PIDs", Variant::from(vec![pid.unsigned_abs()])),
        ("SendSIGHUP", Variant::from(true)),
        ("CollectMode", Variant::from("inactive-or-failed")),
    ];
    start_transient(bus, unit, &properties, LIMIT).await
}

fn gone(error: &io::Error) -> String {
    format!("its control group: {error}")
}
