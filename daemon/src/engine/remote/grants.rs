//! Signed grants and revocations. A grant is given once, whoever brings it how often; a revocation
//! ends what runs and keeps out what was signed before it.

use std::collections::BTreeSet;

use stint_document::{Header, Revocation, Revoked, SignedGrant, Verified};
use stint_policy::order::check_grant_order;
use stint_policy::{Policy, Role};
use stint_proto::{
    Delivery, DeliveryOutcome, ErrorCode, Event, GrantId, Length, Origin, RoleName, UserName,
};

use super::delivery;
use crate::domain::deadline::Deadline;
use crate::domain::grant::{Grant, Stage};
use crate::engine::end::Ending;
use crate::engine::{Engine, Refusal};
use crate::record::{Entry, counted};
use crate::store::{Against, StoreError, TakenDocument, Write};

impl Engine {
    /// Gives what a signed document gives.
    pub(super) async fn take_grant(
        &self,
        verified: &Verified,
        header: &Header,
        signed: SignedGrant,
    ) -> Result<Delivery, Refusal> {
        let taken = TakenDocument {
            digest: verified.digest,
            kind: verified.kind,
            grant: Some(signed.id.clone()),
            user: None,
            not_before: header.not_before,
            taken_at: self.now().wall,
        };
        self.look_ahead().await;
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        if !self.is_wanted(&taken, &signed).await? {
            let text = format!("the grant {} was given already", signed.id);
            return Ok(delivery(verified, DeliveryOutcome::Known, text));
        }
        let policy = self.policy();
        let role = self.may_give(&policy, &signed.role)?;
        let signers = verified.signers();
        let grant = self.signed_grant(&policy, &signed, header, &signers).await?;
        let event = match grant.stage {
            Stage::Active => Event::GrantActivated,
            Stage::Scheduled | Stage::Ended { .. } => Event::GrantScheduled,
        };
        let text = format!(
            "{} for {} ({}) from {} until {}, signed by {signers}: {}",
            grant.role, grant.user, grant.id, grant.starts_at, grant.deadline.wall, grant.reason
        );
        let entry = self.about(event, &grant, &signers, text.clone());
        let mut writes =
            vec![Write::Grant(grant.clone()), Write::Document(taken), Write::Record(entry.clone())];
        writes.extend(self.beginning(std::slice::from_ref(&grant)).await);
        writes.extend(self.outgoing(&entry, None, Some(&grant)));
        self.store.change(writes).await?;
        self.state().index.put(grant.clone());
        self.changed();
        self.record.tell(&entry);
        // It comes once: what cannot be applied now is an alarm, and is tried again.
        let failures = match grant.stage {
            Stage::Active => self.enforce().await,
            Stage::Scheduled | Stage::Ended { .. } => Vec::new(),
        };
        drop(changing);
        let mine = failures.into_iter().filter(|failure| failure.concerns(&grant, role));
        let warnings = mine.map(|failure| failure.text).collect();
        Ok(Delivery { warnings, ..delivery(verified, DeliveryOutcome::Taken, text) })
    }

    /// Whether it is to be given: not, if it was.
    ///
    /// # Errors
    /// [`Refusal`] if it is not to be given at all.
    async fn is_wanted(
        &self,
        taken: &TakenDocument,
        signed: &SignedGrant,
    ) -> Result<bool, Refusal> {
        let refuse = |text: String| Err(Refusal::new(ErrorCode::Refused, text));
        match self.store.against(taken.clone(), signed.user.clone()).await? {
            Against::Given => return Ok(false),
            Against::Revoked => {
                return refuse(format!("{} was revoked before it came", signed.id));
            }
            Against::Other => {
                return refuse(format!("another document has given {} already", signed.id));
            }
            Against::Nothing => {}
        }
        if self.store.id_taken(&signed.id).await? {
            return refuse(format!("this host has given the id {} to something else", signed.id));
        }
        Ok(true)
    }

    /// The role, if signed documents may give it here and now.
    fn may_give<'a>(&self, policy: &'a Policy, name: &RoleName) -> Result<&'a Role, Refusal> {
        let refuse = |text: String| Err(Refusal::new(ErrorCode::Refused, text));
        let here = |role: &&Role| role.on_host(&self.host);
        let Some(role) = policy.roles.get(name).filter(here) else {
            return refuse(format!("this host has no role {name}"));
        };
        let gives = policy.remote.as_ref().is_some_and(|remote| remote.gives(name));
        if !role.signed && !gives {
            return refuse(format!(
                "this host's own policy lets no signed document give {name} ([remote] roles)"
            ));
        }
        self.takes_new()?;
        Ok(role)
    }

    /// Signed grants that this policy would not let be given.
    pub(in crate::engine) fn let_no_more(&self, policy: &Policy) -> Vec<GrantId> {
        let gives = |role: &Role| {
            role.signed || policy.remote.as_ref().is_some_and(|remote| remote.gives(&role.name))
        };
        let state = self.state();
        let signed = state.index.iter().filter(|grant| grant.origin == Origin::Remote);
        let unlet = signed.filter(|grant| !policy.roles.get(&grant.role).is_some_and(gives));
        unlet.map(|grant| grant.id.clone()).collect()
    }

    async fn signed_grant(
        &self,
        policy: &Policy,
        signed: &SignedGrant,
        header: &Header,
        signers: &str,
    ) -> Result<Grant, Refusal> {
        let refuse = |code, text: String| Err(Refusal::new(code, text));
        let now = self.now();
        let starts_at = signed.from.unwrap_or(header.not_before);
        if signed.until <= self.trusted_wall(now) {
            return refuse(ErrorCode::Refused, format!("it was over at {}", signed.until));
        }
        let seconds = signed.until.micros_since(starts_at).div_euclid(1_000_000);
        let length = u64::try_from(seconds).ok().and_then(Length::from_seconds);
        let Some(length) = length else {
            let longest = Length::MAX;
            return refuse(
                ErrorCode::Refused,
                format!("it lasts longer than {longest}, or not at all"),
            );
        };
        check_grant_order(policy, &self.host, &signed.role, Some(length), &signed.reason)
            .map_err(|no| Refusal::new(ErrorCode::Refused, no.to_string()))?;
        // The account database may be away: then it may come again.
        let account = self.account(policy, &signed.role, &signed.user).await?;
        let grant = Grant {
            id: signed.id.clone(),
            user: account.name,
            uid: account.uid,
            role: signed.role.clone(),
            starts_at,
            deadline: Deadline::from_wall(signed.until, now),
            stage: Stage::Scheduled,
            origin: Origin::Remote,
            reason: signed.reason.clone(),
            ticket: signed.ticket.clone(),
            granted_by: signers.to_owned(),
            policy_key: None,
            request: None,
            approvals: Vec::new(),
            review: None,
        };
        Ok(grant.begun_if_due(now))
    }

    /// The users whose grants a signed document ended that was signed after the signed policy in
    /// force.
    pub(in crate::engine) async fn revoked_since_signed(
        &self,
    ) -> Result<BTreeSet<UserName>, StoreError> {
        let since = self.state().remote.in_force.as_ref().map(|held| held.header.not_before);
        match since {
            Some(since) => self.store.revoked_since(since).await,
            None => Ok(BTreeSet::new()),
        }
    }

    /// Ends what a signed document ends. The gates are shut first, and nothing of it waits for a
    /// policy that is current.
    pub(super) async fn take_revocation(
        &self,
        verified: &Verified,
        header: &Header,
        revocation: Revocation,
    ) -> Result<Delivery, Refusal> {
        // What cannot be read was not taken: better ended twice than not at all.
        if self.store.is_taken(verified.digest).await.unwrap_or(false) {
            let text = "this revocation was done already".to_owned();
            return Ok(delivery(verified, DeliveryOutcome::Known, text));
        }
        let Revocation { what, reason } = revocation;
        let ids: Vec<GrantId> = {
            let state = self.state();
            let meant = state.index.iter().filter(|grant| match &what {
                Revoked::Grant(id) => grant.id == *id,
                Revoked::User(user) => grant.user == *user,
            });
            meant.map(|grant| grant.id.clone()).collect()
        };
        let signers = verified.signers();
        let ended = self.end_now(&ids, &Ending::revoked(&signers, &reason)).await;
        let (grant, user) = match &what {
            Revoked::Grant(id) => (Some(id.clone()), None),
            Revoked::User(user) => (None, Some(user.clone())),
        };
        let whose = match &what {
            Revoked::Grant(id) => format!("the grant {id}"),
            Revoked::User(user) => format!("what {user} holds"),
        };
        let text = format!(
            "{whose} is revoked by {signers}, {} ended here: {reason}",
            counted(ended.len(), "grant")
        );
        let now = self.now().wall;
        let mut entry = Entry::new(now, Event::SourceSynced, text.clone());
        entry.actor = Some(signers);
        entry.grant.clone_from(&grant);
        entry.user = user.as_ref().map(ToString::to_string);
        entry.reason = Some(reason);
        let taken = TakenDocument {
            digest: verified.digest,
            kind: verified.kind,
            grant,
            user,
            not_before: header.not_before,
            taken_at: now,
        };
        let changing = self.changes.lock().await;
        self.store_or_keep(vec![Write::Document(taken), Write::Record(entry.clone())]).await;
        drop(changing);
        self.record.tell(&entry);
        Ok(delivery(verified, DeliveryOutcome::Taken, text))
    }
}
