//! Giving: root's `stint grant`. In the contract's order: durable, armed, audited, applied, told.

use std::str::FromStr;
use std::time::Duration;

use stint_policy::order::check_grant_order;
use stint_policy::{Policy, Principal, Role};
use stint_proto::{
    ErrorCode, Event, Grant as Shown, GrantId, GrantOrder, Length, Origin, RoleName, Timestamp,
    UserName,
};

use super::decide::check_text;
use super::end::Ending;
use super::{Engine, Refusal};
use crate::accounts::{self, Account};
use crate::domain::deadline::Deadline;
use crate::domain::grant::{Grant, Stage};
use crate::store::Write;

/// How long the account database may take when a grant is made.
const ACCOUNT_LIMIT: Duration = Duration::from_secs(10);

impl Engine {
    /// Gives a role to a user, now or from a later time.
    ///
    /// # Errors
    /// [`Refusal`] when the order cannot be, or the policy does not allow it, or it could not be
    /// made durable or be applied; then nothing is held.
    pub async fn grant(&self, order: GrantOrder, actor: &str) -> Result<Shown, Refusal> {
        self.look_ahead().await;
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        let policy = self.policy();
        let terms =
            check_grant_order(&policy, &self.host, &order.role, order.duration, &order.reason)
                .map_err(|refusal| Refusal::new(refusal.code(), refusal.to_string()))?;
        self.is_current(&order.role)?;
        if let Some(ticket) = &order.ticket {
            check_text("a ticket", ticket)?;
        }
        let account = self.account(&policy, &order.role, &order.user).await?;
        let grant = self.new_grant(order, terms.duration, account, actor).await?;
        let event = match grant.stage {
            Stage::Active => Event::GrantActivated,
            Stage::Scheduled | Stage::Ended { .. } => Event::GrantScheduled,
        };
        let text = format!(
            "{} for {} ({}) from {} until {}, given by {actor}: {}",
            grant.role, grant.user, grant.id, grant.starts_at, grant.deadline.wall, grant.reason
        );
        let entry = self.about(event, &grant, actor, text);
        let mut writes = vec![Write::Grant(grant.clone()), Write::Record(entry.clone())];
        writes.extend(self.beginning(std::slice::from_ref(&grant)).await);
        writes.extend(self.outgoing(&entry, None, Some(&grant)));
        self.store.change(writes).await?;
        self.state().index.put(grant.clone());
        self.changed();
        self.record.tell(&entry);
        if grant.stage == Stage::Active {
            self.apply_or_take_back(&grant, terms.role, actor).await?;
        }
        drop(changing);
        Ok(self.shown(&policy, &grant))
    }

    /// Applies a grant that has just begun; what cannot be applied in full is not held at all.
    pub(super) async fn apply_or_take_back(
        &self,
        grant: &Grant,
        role: &Role,
        actor: &str,
    ) -> Result<(), Refusal> {
        let failures = self.enforce().await;
        let mine: Vec<String> = failures
            .into_iter()
            .filter(|failure| failure.concerns(grant, role))
            .map(|failure| failure.text)
            .collect();
        if mine.is_empty() {
            return Ok(());
        }
        let why = mine.join("; ");
        self.end(vec![grant.id.clone()], &Ending::revoked(actor, &why)).await;
        Err(Refusal::new(ErrorCode::Failed, format!("nothing was granted: {why}")))
    }

    pub(super) async fn account(
        &self,
        policy: &Policy,
        role: &RoleName,
        user: &UserName,
    ) -> Result<Account, Refusal> {
        let named = names_user(policy, role, user);
        let asked = user.clone();
        let answer = self
            .lookups
            .ask(ACCOUNT_LIMIT, move || accounts::resolve_for_grant(&asked, named))
            .await;
        match answer {
            Some(Ok(account)) => Ok(account),
            Some(Err(error)) => Err(Refusal::new(ErrorCode::Invalid, error.to_string())),
            None => Err(Refusal::new(
                ErrorCode::Failed,
                format!("the account database did not say within 10 s who {user} is; try again"),
            )),
        }
    }

    async fn new_grant(
        &self,
        order: GrantOrder,
        duration: Length,
        account: Account,
        actor: &str,
    ) -> Result<Grant, Refusal> {
        let id = self.new_id().await?;
        let now = self.now();
        let starts_at = order.starts_at.unwrap_or(now.wall);
        if starts_at < now.wall {
            let text = format!("a grant cannot begin in the past ({starts_at} is over)");
            return Err(Refusal::new(ErrorCode::Invalid, text));
        }
        let expires_at = starts_at.checked_add(duration).ok_or_else(|| too_late(starts_at))?;
        let grant = Grant {
            id,
            user: account.name,
            uid: account.uid,
            role: order.role,
            starts_at,
            deadline: Deadline::from_wall(expires_at, now),
            stage: Stage::Scheduled,
            origin: Origin::Admin,
            reason: order.reason,
            ticket: order.ticket,
            granted_by: actor.to_owned(),
            policy_key: None,
            request: None,
            approvals: Vec::new(),
            review: None,
        };
        Ok(grant.begun_if_due(now))
    }

    /// An id that was never given, to a grant or to a request: four letters, more if luck has it.
    pub(super) async fn new_id<T: FromStr>(&self) -> Result<T, Refusal> {
        for length in [4, 4, 4, 5, 6, 8, 12, 16] {
            let mut bytes = vec![0_u8; length];
            getrandom::fill(&mut bytes).map_err(|error| {
                Refusal::new(
                    ErrorCode::Failed,
                    format!("the kernel gives no random bytes: {error}"),
                )
            })?;
            let Some(id) = GrantId::from_random(&bytes) else { continue };
            if self.store.id_taken(&id).await? {
                continue;
            }
            // Both kinds of ids have the same letters: the one reads as the other.
            if let Ok(id) = id.as_str().parse() {
                return Ok(id);
            }
        }
        Err(Refusal::new(ErrorCode::Failed, "no free id was found; try again"))
    }
}

fn too_late(starts_at: Timestamp) -> Refusal {
    Refusal::new(
        ErrorCode::Invalid,
        format!("a grant from {starts_at} would end after the year 9999"),
    )
}

/// Whether the policy names this account itself, which is what a system account needs.
pub(super) fn names_user(policy: &Policy, role: &RoleName, user: &UserName) -> bool {
    let eligible = policy.roles.get(role).is_some_and(|role| {
        role.eligible.iter().any(|entry| matches!(entry, Principal::User(name) if name == user))
    });
    eligible || policy.grants.iter().any(|entry| entry.user == *user && entry.role == *role)
}
