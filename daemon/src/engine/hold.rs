//! Grants that the policy holds itself, by `[[grants]]`: given at a load, and tried again where
//! something stood in the way. Who is meant is asked for before the turn comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stint_policy::{HeldGrant, Policy};
use stint_proto::Event;

use super::Engine;
use super::give::names_user;
use crate::accounts::{self, Account, AccountError};
use crate::domain::deadline::Deadline;
use crate::domain::grant::{Grant, Stage};
use crate::store::Write;

/// How long the account database may take over one entry.
const LIMIT: Duration = Duration::from_secs(5);

/// An entry that is not over, and whose account it names.
pub(super) struct Holder {
    entry: HeldGrant,
    account: Result<Account, Unheld>,
}

/// Why an entry is not held.
enum Unheld {
    /// It cannot be; the policy or the accounts have to change first.
    Never(String),
    /// Not now; it is tried again.
    NotYet(String),
}

impl Engine {
    /// Whom the entries name that are not over and not held.
    pub(super) async fn holders(&self, policy: &Policy) -> Vec<Holder> {
        let mut holders = Vec::new();
        for entry in self.unheld(policy) {
            let (user, named) = (entry.user.clone(), names_user(policy, &entry.role, &entry.user));
            let asked = move || accounts::resolve_for_grant(&user, named);
            let account = match self.lookups.ask(LIMIT, asked).await {
                Some(Ok(account)) => Ok(account),
                Some(Err(error @ AccountError::Database { .. })) => {
                    Err(Unheld::NotYet(error.to_string()))
                }
                Some(Err(error)) => Err(Unheld::Never(error.to_string())),
                None => Err(Unheld::NotYet("the account database did not answer".to_owned())),
            };
            holders.push(Holder { entry, account });
        }
        holders
    }

    /// The entries for this host that are not over and not held.
    fn unheld(&self, policy: &Policy) -> Vec<HeldGrant> {
        let now = self.now();
        let state = self.state();
        let held: BTreeMap<&str, &Grant> = state
            .index
            .iter()
            .filter_map(|grant| grant.policy_key.as_deref().map(|key| (key, grant)))
            .collect();
        let here = |entry: &HeldGrant| policy.role_here(&entry.role, &self.host).is_some();
        policy
            .grants
            .iter()
            .filter(|entry| here(entry) && entry.until > now.wall)
            .filter(|entry| !held.contains_key(entry.key().as_str()))
            .cloned()
            .collect()
    }

    /// Gives what `[[grants]]` says, and never was. The caller holds `changes` and enforces
    /// afterwards. Returns what began, and a line for each entry that could not; what may be given
    /// later is an alarm from then on, and is tried again.
    pub(super) async fn hold_from_policy(
        &self,
        policy: &Policy,
        holders: Vec<Holder>,
    ) -> (Vec<Grant>, Vec<String>) {
        let (mut given, mut notes, mut waiting) = (Vec::new(), Vec::new(), None);
        let still: Vec<String> = self.unheld(policy).iter().map(HeldGrant::key).collect();
        // Where the state cannot be read, nothing is given: it could be over.
        let spent = self.store.spent_policy_keys().await;
        let revoked = self.revoked_since_signed().await;
        // With the next policy that is current they are held.
        let is_current = self.takes_new().is_ok();
        for Holder { entry, account } in holders {
            if entry.signed && !is_current {
                continue;
            }
            let held = match (&spent, &revoked, account) {
                (Ok(spent), ..)
                    if spent.contains(&entry.key()) || !still.contains(&entry.key()) =>
                {
                    continue;
                }
                (Ok(_), Ok(revoked), _) if entry.signed && revoked.contains(&entry.user) => {
                    let why = "what its user holds was revoked after this was signed";
                    Err(Unheld::Never(why.to_owned()))
                }
                (Ok(_), Ok(_), Ok(account)) => self.hold(&entry, &account).await,
                (Ok(_), Ok(_), Err(unheld)) => Err(unheld),
                (Err(error), ..) | (_, Err(error), _) => Err(Unheld::NotYet(error.to_string())),
            };
            match held {
                Ok(grant) => given.push(grant),
                Err(Unheld::Never(problem)) => notes.push(format!("{}: {problem}", entry.at)),
                Err(Unheld::NotYet(problem)) => {
                    let what = format!("{} of {} is not held yet", entry.role, entry.user);
                    notes.push(format!("{}: {what}: {problem}", entry.at));
                    waiting = Some(format!("{what}: {problem}"));
                }
            }
        }
        self.state().unheld = waiting;
        self.rearm.notify_one();
        (given, notes)
    }

    /// Tries again to give what the policy holds and could not be given.
    pub(super) async fn hold_again(&self) {
        let policy = self.policy();
        let holders = self.holders(&policy).await;
        let changing = self.changes.lock().await;
        // Another policy has tried its own.
        if Arc::ptr_eq(&policy, &self.policy()) {
            self.hold_from_policy(&policy, holders).await;
            self.enforce().await;
        }
        drop(changing);
    }

    async fn hold(&self, entry: &HeldGrant, account: &Account) -> Result<Grant, Unheld> {
        let id = self.new_id().await.map_err(|refusal| Unheld::NotYet(refusal.message))?;
        let now = self.now();
        let deadline = Deadline::from_wall(entry.until, now);
        let grant = Grant::from_policy(id, account.uid, entry, deadline).begun_if_due(now);
        let event = match grant.stage {
            Stage::Active => Event::GrantActivated,
            Stage::Scheduled | Stage::Ended { .. } => Event::GrantScheduled,
        };
        let text = format!(
            "{} for {} until {}, held from the policy",
            grant.role, grant.user, entry.until
        );
        let told = self.about(event, &grant, "policy", text);
        let mut writes = vec![Write::Grant(grant.clone()), Write::Record(told.clone())];
        writes.extend(self.beginning(std::slice::from_ref(&grant)).await);
        self.store.change(writes).await.map_err(|error| Unheld::NotYet(error.to_string()))?;
        self.state().index.put(grant.clone());
        self.record.tell(&told);
        Ok(grant)
    }
}
