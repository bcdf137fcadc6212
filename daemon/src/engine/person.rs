//! Who acts: the account that calls, refused where somebody else is behind it.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use stint_policy::{Principal, Role, Subject as PolicySubject};
use stint_proto::{Decision, ErrorCode, Event, GroupName, RoleName, Uid, UserName};

use super::give::names_user;
use super::{Engine, Refusal};
use crate::accounts;
use crate::domain::human::{Process, other_behind};
use crate::process;
use crate::record::Entry;

/// How long the account database may take to say who somebody is.
const LIMIT: Duration = Duration::from_secs(5);

/// A caller over the bus, as the bus has it from the kernel.
#[derive(Clone, Debug)]
pub struct BusCaller {
    /// The account that calls.
    pub uid: Uid,
    /// The process that connected to the bus.
    pub pid: i32,
    /// The kernel's handle on that process, where the bus passes it on: with it no later process
    /// of its number is taken for it.
    pub handle: Option<Arc<OwnedFd>>,
}

impl BusCaller {
    /// Whether the process is known to be gone: its handle is readable then (pidfd_open(2)).
    fn is_gone(&self) -> bool {
        self.handle.as_ref().is_some_and(|handle| {
            let mut asked = [PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
            !matches!(poll(&mut asked, PollTimeout::ZERO), Ok(0))
        })
    }
}

/// Somebody who acts in their own name.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// By name.
    pub(super) user: UserName,
    /// By number.
    pub(super) uid: Uid,
    /// The groups in which they stand without stint.
    pub(super) groups: BTreeSet<GroupName>,
}

impl Person {
    /// As the policy looks at them.
    pub(super) fn subject(&self) -> PolicySubject<'_> {
        PolicySubject { user: &self.user, uid: self.uid, groups: &self.groups }
    }

    /// Whether one of these entries names them.
    pub(super) fn is_among(&self, entries: &[Principal]) -> bool {
        entries.iter().any(|entry| entry.matches(&self.user, &self.groups))
    }
}

impl Engine {
    /// The person who calls.
    ///
    /// # Errors
    /// [`Refusal`] when they are logged in as somebody else, are gone, or have no account that
    /// stint can name, or the account database does not answer.
    pub(super) async fn person(&self, caller: &BusCaller) -> Result<Person, Refusal> {
        self.acts_as_itself(caller.uid, caller.pid).await?;
        if caller.is_gone() {
            return Err(Refusal::new(ErrorCode::Denied, "the caller is gone"));
        }
        let user = self.name_of(caller.uid).await.ok_or_else(|| unnamed(caller.uid))?;
        self.stands_as(user, caller.uid).await
    }

    /// This account as a person, with the groups in which it stands.
    ///
    /// # Errors
    /// [`Refusal`] when the account database does not answer: without the groups nobody can be
    /// told whether they may.
    pub(super) async fn stands_as(&self, user: UserName, uid: Uid) -> Result<Person, Refusal> {
        let groups = self.standing_groups_if_known(&self.public_lookups, &user, LIMIT).await;
        let groups = groups.ok_or_else(|| {
            let text = format!("the account database did not say in time who {user} is; try again");
            Refusal::new(ErrorCode::Failed, text)
        })?;
        Ok(Person { user, uid, groups })
    }

    /// Refuses a process behind which somebody else is than its account.
    ///
    /// # Errors
    /// [`Refusal`] that names whom the process was started by.
    pub(super) async fn acts_as_itself(&self, uid: Uid, pid: i32) -> Result<(), Refusal> {
        let evidence = process::evidence(pid).map_err(|error| {
            let text = format!("the kernel does not say who is behind process {pid}: {error}");
            Refusal::new(ErrorCode::Denied, text)
        })?;
        let opened: HashMap<Process, Uid> = {
            let state = self.state();
            state.sessions.values().map(|open| (open.process, open.uid)).collect()
        };
        let Some(other) = other_behind(uid, &evidence, &opened) else { return Ok(()) };
        let (behind, caller) = (self.called(other).await, self.called(uid).await);
        let text = format!(
            "you are logged in as {behind} and call as {caller}: do it as {behind}, without sudo \
             or su, or log in as {caller}"
        );
        Err(Refusal::new(ErrorCode::Refused, text))
    }

    /// Refuses an account that may hold nothing: root, the system's, one that shares its number.
    ///
    /// # Errors
    /// [`Refusal`] that says which.
    pub(super) async fn may_hold(&self, person: &Person, role: &RoleName) -> Result<(), Refusal> {
        let (user, named) = (person.user.clone(), names_user(&self.policy(), role, &person.user));
        let asked = move || accounts::resolve_for_grant(&user, named);
        match self.public_lookups.ask(LIMIT, asked).await {
            Some(Ok(account)) if account.uid == person.uid => Ok(()),
            Some(Ok(_)) => Err(unnamed(person.uid)),
            Some(Err(error)) => Err(Refusal::new(ErrorCode::Refused, error.to_string())),
            None => {
                let user = &person.user;
                let text = format!("the account database did not say who {user} is; try again");
                Err(Refusal::new(ErrorCode::Failed, text))
            }
        }
    }

    /// Whether they may see everything: root, and the readers of the record.
    pub(super) fn sees_all(&self, person: &Person) -> bool {
        person.uid == Uid::ROOT || person.is_among(&self.policy().audit_readers)
    }

    /// Whether approvers have to prove who they are.
    #[must_use]
    pub fn asks_approvers(&self) -> bool {
        self.policy().approvals.authenticate
    }

    /// Records that somebody called what is not theirs.
    pub async fn call_denied(&self, caller: &BusCaller, method: &str, refusal: &Refusal) {
        let who = self.called(caller.uid).await;
        let text = format!("{who} called {method}: {refusal}");
        let mut entry = Entry::new(self.now().wall, Event::CallDenied, text);
        entry.decision = Some(Decision::Denied);
        entry.user = Some(who);
        entry.uid = Some(caller.uid);
        self.record.note(entry);
    }

    /// Whether they may decide on requests for this role.
    pub(super) fn approves(person: &Person, role: &Role) -> bool {
        person.is_among(&role.approvers)
    }
}

fn unnamed(uid: Uid) -> Refusal {
    let text = format!("no account of this host has the number {uid} for its own");
    Refusal::new(ErrorCode::Invalid, text)
}
