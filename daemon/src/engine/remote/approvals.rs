//! Signed approvals: an approver's word on a request of this host, signed wherever they were. Here is
//! found out whose word it is; it is judged as the word of whoever calls over the bus is
//! ([`crate::engine::decide`]), but that the signature is the proof, and polkit is not asked.

use std::collections::BTreeSet;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use stint_document::{Approval, Approver, Header, Verdict, Verified};
use stint_policy::text::quoted;
use stint_proto::{Delivery, DeliveryOutcome, ErrorCode, UserName};

use super::delivery;
use crate::accounts::{self, Account, AccountError};
use crate::engine::decide::{Signature, Word, no_such};
use crate::engine::{Engine, Refusal};
use crate::store::{Digest, TakenDocument};

/// How long the account database may take to say who an approver is.
const LIMIT: Duration = Duration::from_secs(5);
/// How many names of somebody a message shows.
const SHOWN: usize = 5;

impl Engine {
    /// Takes an approver's word on a request.
    ///
    /// # Errors
    /// [`Refusal`], with [`ErrorCode::Failed`] where it may be brought again as it is, and else with
    /// [`ErrorCode::Refused`]. Nothing was changed, except where the word counted and what came of it
    /// could not be applied: then it is not to be brought again.
    pub(super) async fn take_approval(
        &self,
        verified: &Verified,
        header: &Header,
        approval: Approval,
    ) -> Result<Delivery, Refusal> {
        let Some(approver) = &verified.approver else {
            return refuse("nobody has signed it".to_owned());
        };
        let taken = TakenDocument {
            digest: by_this_key(verified.digest, &approver.key),
            kind: verified.kind,
            grant: None,
            user: None,
            not_before: header.not_before,
            taken_at: self.now().wall,
        };
        let digest = taken.digest;
        if self.store.is_taken(digest).await? {
            let text = format!("what it says of {} counted already", approval.request);
            return Ok(delivery(verified, DeliveryOutcome::Known, text));
        }
        let account = self.account_of(approver.clone()).await?;
        let by = account.name.clone();
        let signature = Signature { key: approver.key.clone(), taken };
        match Box::pin(self.weigh(account, &approval, signature)).await {
            Ok(text) => Ok(delivery(verified, DeliveryOutcome::Taken, text)),
            Err(no) => {
                let counted = self.store.is_taken(digest).await.unwrap_or(false);
                Err(of_theirs(&no, &approval, &by, counted))
            }
        }
    }

    /// The account whose word it is.
    async fn account_of(&self, approver: Approver) -> Result<Account, Refusal> {
        let asked = move || {
            let account = one_account(&approver, &accounts::by_name)?;
            accounts::has_own_number(&account).map_err(|error| not_asked(&error))?;
            Ok(account)
        };
        self.public_lookups.ask(LIMIT, asked).await.unwrap_or_else(|| {
            let text = "the account database did not say in time who the approver is; try again";
            Err(Refusal::new(ErrorCode::Failed, text))
        })
    }

    /// Judges the word of this account, and lets it count: what came of it, in one line.
    async fn weigh(
        &self,
        account: Account,
        approval: &Approval,
        signature: Signature,
    ) -> Result<String, Refusal> {
        let Approval { role, digest, .. } = approval;
        if !self.policy().remote.as_ref().is_some_and(|remote| remote.approves(role)) {
            return refuse(format!(
                "this host's own policy lets no signed approval decide on requests for {role} \
                 ([remote] approvals)"
            ));
        }
        let person = self.stands_as(account.name, account.uid).await?;
        let request = self.request_like(&approval.request).await?;
        if request.id != approval.request {
            return Err(no_such(&approval.request));
        }
        if request.user != approval.user || request.role != *role {
            return refuse(format!(
                "it is about {role} for {}, and {} is a request for something else",
                approval.user, request.id
            ));
        }
        let note = approval.note.clone();
        let word = Word { person, id: request.id, note, signature: Some(signature) };
        let (request, text) = match approval.verdict {
            Verdict::Approve => self.approve_by(word, digest).await?,
            Verdict::Deny => self.deny_by(word, Some(digest)).await?,
        };
        Ok(match request.shown().grant {
            Some(grant) => format!("{text}; it is granted ({grant})"),
            None => text,
        })
    }
}

fn refuse<T>(text: String) -> Result<T, Refusal> {
    Err(Refusal::new(ErrorCode::Refused, text))
}

/// What a document is known by: two approvers may sign the same text, and each of them counts.
fn by_this_key(text: Digest, key: &str) -> Digest {
    Sha256::new().chain_update(text).chain_update(key).finalize().into()
}

/// A refusal, for whoever carries the document and whoever signed it. What `counted` is not to be brought
/// again, though what came of it failed.
fn of_theirs(no: &Refusal, approval: &Approval, by: &UserName, counted: bool) -> Refusal {
    let word = match approval.verdict {
        Verdict::Approve => "approval",
        Verdict::Deny => "denial",
    };
    let code = match no.code {
        ErrorCode::Failed if !counted => ErrorCode::Failed,
        _ => ErrorCode::Refused,
    };
    let text = format!("{by}'s {word} of {}: {}", approval.request, no.message);
    Refusal::new(code, text)
}

fn not_asked(error: &AccountError) -> Refusal {
    let code = match error {
        AccountError::Database { .. } => ErrorCode::Failed,
        _ => ErrorCode::Refused,
    };
    Refusal::new(code, error.to_string())
}

/// The one account of this host that an approver is.
///
/// # Errors
/// [`Refusal`] when they are none, or could be more than one: then it is nobody's word.
fn one_account(
    approver: &Approver,
    by_name: &dyn Fn(&UserName) -> Result<Option<Account>, AccountError>,
) -> Result<Account, Refusal> {
    let key = &approver.key;
    let mut found = Vec::new();
    for name in approver.all.iter().filter_map(|name| name.parse().ok()) {
        found.extend(by_name(&name).map_err(|error| not_asked(&error))?);
    }
    match found.as_slice() {
        [] => refuse(format!(
            "the key {key} is {} here, and no account of this host is called that",
            listed(&approver.all)
        )),
        [one] if approver.names.contains(one.name.as_str()) => Ok(one.clone()),
        [one] => refuse(format!(
            "the key {key} is {}'s, under whose name it may not sign approvals now",
            one.name
        )),
        several => {
            let names = several.iter().map(|account| account.name.to_string()).collect();
            refuse(format!(
                "the key {key} is {}, each an account of this host: who approves needs a key of \
                 their own",
                listed(&names)
            ))
        }
    }
}

/// Some names, harmless.
fn listed(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "nobody's by name".to_owned();
    }
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| quoted(name)).collect();
    let more = if names.len() > SHOWN { " and others" } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use stint_proto::Uid;

    use super::*;

    /// A host with these accounts.
    fn host(name: &UserName) -> Result<Option<Account>, AccountError> {
        let account = |uid| Account { uid: Uid(uid), gid: uid, name: name.clone() };
        Ok(match name.as_str() {
            "alice" => Some(account(1000)),
            "bob" => Some(account(1001)),
            "broken" => {
                let error = nix::errno::Errno::EIO;
                return Err(AccountError::Database { asked: "broken".to_owned(), error });
            }
            _ => None,
        })
    }

    fn approver(names: &[&str], others: &[&str]) -> Approver {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let all = [names, others].concat();
        let key = "SHA256:k".to_owned();
        Approver { key, names: set(names), all: set(&all) }
    }

    #[test]
    fn an_approver_is_exactly_one_account() {
        let name = |approver: &Approver| one_account(approver, &host).map(|one| one.name);
        let bob: UserName = "bob".parse().unwrap();
        assert_eq!(name(&approver(&["bob"], &[])), Ok(bob.clone()));
        assert_eq!(name(&approver(&["bob", "lead@example.org", "on call"], &[])), Ok(bob));
        for (names, others, wanted) in [
            (&["lead@example.org"][..], &[][..], "no account of this host is called that"),
            (&[], &[], "no account of this host is called that"),
            (&["alice", "bob"], &[], "each an account of this host"),
            (&["bob"], &["alice"], "each an account of this host"),
            (&["lead@example.org"], &["alice"], "may not sign approvals now"),
        ] {
            let refusal = name(&approver(names, others)).unwrap_err();
            assert!(refusal.message.contains(wanted), "{names:?} {others:?}: {refusal}");
            assert_eq!(refusal.code, ErrorCode::Refused);
        }
        // Who the others are may be known later.
        assert_eq!(name(&approver(&["bob"], &["broken"])).unwrap_err().code, ErrorCode::Failed);
    }

    #[test]
    fn what_counted_is_not_brought_again_and_what_failed_may_be() {
        let [one, other] = ["SHA256:a", "SHA256:b"].map(|key| by_this_key([1; 32], key));
        assert_ne!(one, other, "of the same text by two");
        let approval = Approval {
            request: "7kq2".parse().unwrap(),
            verdict: Verdict::Deny,
            user: "alice".parse().unwrap(),
            role: "admin".parse().unwrap(),
            digest: String::new(),
            note: None,
        };
        let bob = "bob".parse().unwrap();
        let of = |code, counted| of_theirs(&Refusal::new(code, "no"), &approval, &bob, counted);
        assert_eq!(of(ErrorCode::Failed, false).code, ErrorCode::Failed);
        assert_eq!(of(ErrorCode::Failed, true).code, ErrorCode::Refused);
        assert_eq!(of(ErrorCode::NoSuchId, false).code, ErrorCode::Refused);
        assert_eq!(of(ErrorCode::Denied, false).message, "bob's denial of 7kq2: no");
    }
}
