//! What stint-run asks: which groups may a program have that the holder of a grant runs. Gives
//! nothing and changes nothing; what comes of it is recorded as a check, at the door "stint-run".
//!
//! It asks twice: to learn the groups, and once more when its process has them. Who stops it
//! between answer and program until the grant is over gets nothing by it: either the second answer
//! is a no, or the process had the groups when the grant ended, and is found as any other that has.

use std::time::Duration;

use stint_proto::{Decision, ErrorCode, Event, GrantId, GroupName, Timestamp, UserName};

use super::check::local_time;
use super::holder::not_held;
use super::{Engine, Peer, Refusal};
use crate::accounts;
use crate::domain::gate::Subject;
use crate::domain::grant::{Grant, Stage};
use crate::process;
use crate::record::Entry;

/// The door's name in the record. No PAM service is called that.
const DOOR: &str = "stint-run";
/// How long the account database may take to say what a group's number is. With the look at the
/// account before it, this is well within the 5 s that stint-run waits.
const LIMIT: Duration = Duration::from_secs(2);

impl Engine {
    /// The numbers of the groups which the role of this grant confers, if the peer's real uid
    /// holds it now, under its own name, and the role is on this host. An id may be cut short, as
    /// everywhere, but only among the peer's own.
    ///
    /// # Errors
    /// [`Refusal`] that says which of it is not so, or that the account database does not answer.
    pub async fn run_groups(&self, peer: Peer, id: &GrantId) -> Result<Vec<u32>, Refusal> {
        let found = self.own_grant(peer.real_uid, id);
        let grant = found.as_ref().ok().cloned();
        let outcome = match found {
            Ok(grant) => self.groups_to_run(peer, &grant).await,
            Err(refusal) => Err(refusal),
        };
        let outcome = outcome.and_then(|numbers| Ok((has_all(peer, &numbers)?, numbers)));
        // The first yes runs nothing yet, and is no event.
        if !matches!(&outcome, Ok((false, _))) {
            self.record_run(peer, id, grant.as_ref(), outcome.as_ref().err());
        }
        outcome.map(|(_, numbers)| numbers)
    }

    async fn groups_to_run(&self, peer: Peer, grant: &Grant) -> Result<Vec<u32>, Refusal> {
        self.is_held(grant)?;
        let subject = Subject { uid: peer.real_uid, user: grant.user.clone() };
        if !self.is_own_name(&subject).await {
            return Err(other_name(&grant.id, &grant.user));
        }
        let role = self.policy().role_here(&grant.role, &self.host).cloned();
        let role = role.ok_or_else(|| {
            let text = format!("the policy has no role {} on {}", grant.role, self.host);
            Refusal::new(ErrorCode::Refused, text)
        })?;
        let numbers = self.numbers_of(role.groups).await?;
        // It may have ended while the account database was asked.
        let now = self.state().index.get(&grant.id).cloned();
        self.is_held(&now.ok_or_else(|| not_held(&grant.id))?)?;
        Ok(numbers)
    }

    fn is_held(&self, grant: &Grant) -> Result<(), Refusal> {
        let now = self.now();
        if grant.holds(now) {
            return Ok(());
        }
        if grant.stage == Stage::Scheduled && !grant.is_due(now) {
            return Err(not_yet(grant, now.wall));
        }
        Err(not_held(&grant.id))
    }

    async fn numbers_of(&self, groups: Vec<GroupName>) -> Result<Vec<u32>, Refusal> {
        let asked = move || groups.iter().map(accounts::gid).collect::<Result<Vec<u32>, _>>();
        match self.lookups.ask(LIMIT, asked).await {
            Some(Ok(numbers)) => Ok(numbers),
            Some(Err(error)) => Err(Refusal::new(ErrorCode::Failed, error.to_string())),
            None => {
                let text = "the account database did not say in time which groups these are; \
                            try again";
                Err(Refusal::new(ErrorCode::Failed, text))
            }
        }
    }

    fn record_run(
        &self,
        peer: Peer,
        id: &GrantId,
        grant: Option<&Grant>,
        refusal: Option<&Refusal>,
    ) {
        let who =
            grant.map_or_else(|| format!("uid {}", peer.real_uid), |grant| grant.user.to_string());
        let (event, decision, text) = match refusal {
            None => {
                let role = grant.map_or_else(String::new, |grant| format!(" of {}", grant.role));
                let text = format!("{who} runs a program with the groups{role} ({id})");
                (Event::CheckAllowed, Decision::Allowed, text)
            }
            Some(refusal) => {
                let text = format!("{who} was denied to run a program by {id}: {refusal}");
                (Event::CheckDenied, Decision::Denied, text)
            }
        };
        let mut entry = Entry::new(self.now().wall, event, text);
        entry.decision = Some(decision);
        entry.user = Some(who);
        entry.uid = Some(peer.real_uid);
        entry.grant = grant.map(|grant| grant.id.clone());
        entry.role = grant.map(|grant| grant.role.clone());
        entry.service = Some(DOOR.to_owned());
        self.record.note_later(entry);
    }
}

/// Whether the peer's process has all of these groups.
fn has_all(peer: Peer, numbers: &[u32]) -> Result<bool, Refusal> {
    let has = process::groups(peer.pid).map_err(|error| {
        let text = format!("the kernel does not say which groups stint-run has: {error}");
        Refusal::new(ErrorCode::Failed, text)
    })?;
    Ok(numbers.iter().all(|number| has.contains(number)))
}

fn not_yet(grant: &Grant, now: Timestamp) -> Refusal {
    let text = format!("{} begins at {}", grant.id, local_time(grant.starts_at, now));
    Refusal::new(ErrorCode::Refused, text)
}

fn other_name(id: &GrantId, holder: &UserName) -> Refusal {
    let text =
        format!("{id} is {holder}'s, and your number has another name: two accounts share it");
    Refusal::new(ErrorCode::Refused, text)
}
