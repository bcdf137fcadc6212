//! Waiting and looking: until a request is decided, until something on a board changes, and what
//! awaits a decision.

use std::time::Duration;

use stint_policy::Policy;
use stint_proto::{PastRequest, RecordPage, Request as Shown, RequestId, Timestamp, Uid, UserName};
use tokio::time::{sleep, timeout};

use super::decide::no_such;
use super::person::{BusCaller, Person};
use super::{Engine, Refusal};
use crate::domain::index::NotOne;
use crate::domain::request::Request;

/// The longest that one call waits; a client that waits longer calls again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Engine {
    /// The request, as soon as it is no longer pending, or as it is after `seconds`.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such request that the caller may see.
    pub async fn await_request(
        &self,
        id: &RequestId,
        seconds: u64,
        caller: &BusCaller,
    ) -> Result<Shown, Refusal> {
        let late = sleep(wait_of(seconds));
        tokio::pin!(late);
        let mut serial = self.serial.subscribe();
        loop {
            serial.mark_unchanged();
            let request = self.request_seen_by(id, caller).await?;
            if !request.is_pending() {
                return Ok(request.shown());
            }
            tokio::select! {
                _ = serial.changed() => {}
                () = &mut late => return Ok(request.shown()),
            }
        }
    }

    /// A number that is another as soon as something that boards show has changed; `seen` is the
    /// one that the caller has.
    pub async fn follow(&self, seen: u64, seconds: u64) -> u64 {
        let mut serial = self.serial.subscribe();
        let differs = serial.wait_for(|now| *now != seen);
        // The sender lives as long as the engine, so the only error is that the time is over.
        drop(timeout(wait_of(seconds), differs).await);
        *self.serial.borrow()
    }

    /// The pending requests on which the caller may decide; all of them for root and for readers
    /// of the record.
    ///
    /// # Errors
    /// [`Refusal`] when it is not known who calls.
    pub async fn pending(&self, uid: Uid) -> Result<Vec<Shown>, Refusal> {
        let Some(user) = self.name_of(uid).await else { return Ok(Vec::new()) };
        let person = self.stands_as(user, uid).await?;
        let all = self.sees_all(&person);
        let mut shown: Vec<Shown> = {
            let policy = self.policy();
            let state = self.state();
            let theirs = |request: &&Request| all || may_decide(&policy, &person, request);
            let seen = state.pending.iter().filter(theirs);
            seen.map(Request::shown).collect()
        };
        shown.sort_by_key(|request| request.created_at);
        Ok(shown)
    }

    /// On how many pending requests this account may decide as an approver; 0 where it is not known
    /// in time who they are.
    pub(super) async fn to_decide(&self, user: &UserName, uid: Uid) -> u32 {
        if self.state().pending.count() == 0 {
            return 0;
        }
        let Ok(person) = self.stands_as(user.clone(), uid).await else { return 0 };
        let policy = self.policy();
        let state = self.state();
        let theirs = state.pending.iter().filter(|request| may_decide(&policy, &person, request));
        u32::try_from(theirs.count()).unwrap_or(u32::MAX)
    }

    /// Every request since then, with what was known of its requester.
    ///
    /// # Errors
    /// [`Refusal`] when the state cannot be read.
    pub async fn history(&self, since: Timestamp) -> Result<Vec<PastRequest>, Refusal> {
        let requests = self.store.requests_since(since).await?;
        let past = |request: Request| PastRequest {
            request: request.shown(),
            groups: request.groups.into_iter().collect(),
        };
        Ok(requests.into_iter().map(past).collect())
    }

    /// Links of the record after `after`, none older than `since`.
    ///
    /// # Errors
    /// [`Refusal`] when the state cannot be read.
    pub async fn links(&self, after: i64, since: Timestamp) -> Result<RecordPage, Refusal> {
        Ok(self.store.links(after, since).await?)
    }

    /// Whether this account may see everything.
    ///
    /// # Errors
    /// [`Refusal`] when the account database does not answer.
    pub async fn reads_all(&self, uid: Uid) -> Result<bool, Refusal> {
        if uid == Uid::ROOT || self.policy().audit_readers.is_empty() {
            return Ok(uid == Uid::ROOT);
        }
        let Some(user) = self.name_of(uid).await else { return Ok(false) };
        Ok(self.sees_all(&self.stands_as(user, uid).await?))
    }

    /// A request, pending or over, that the caller may see. Others do not exist for them.
    async fn request_seen_by(
        &self,
        id: &RequestId,
        caller: &BusCaller,
    ) -> Result<Request, Refusal> {
        let request = self.request_like(id).await?;
        if request.uid == caller.uid || caller.uid == Uid::ROOT {
            return Ok(request);
        }
        let Some(user) = self.name_of(caller.uid).await else { return Err(no_such(id)) };
        let person: Person = self.stands_as(user, caller.uid).await?;
        if self.sees(&person, &request) { Ok(request) } else { Err(no_such(id)) }
    }

    /// The request, pending or over, whose id begins like this.
    pub(super) async fn request_like(&self, id: &RequestId) -> Result<Request, Refusal> {
        let found = self.state().pending.find(id).cloned();
        match found {
            Ok(request) => Ok(request),
            Err(NotOne::Several(count)) => Err(Refusal::several("requests", id, count)),
            Err(NotOne::None) => {
                let mut over = self.store.ended_requests(id).await?;
                match (over.pop(), over.len()) {
                    (Some(request), 0) => Ok(request),
                    (None, _) => Err(no_such(id)),
                    (Some(_), more) => Err(Refusal::several("requests", id, more + 1)),
                }
            }
        }
    }

    /// Whether they may see this request: their own, one they may decide on, or any for root and
    /// readers of the record.
    pub(super) fn sees(&self, person: &Person, request: &Request) -> bool {
        request.uid == person.uid
            || may_decide(&self.policy(), person, request)
            || self.sees_all(person)
    }
}

fn may_decide(policy: &Policy, person: &Person, request: &Request) -> bool {
    request.uid != person.uid
        && policy.roles.get(&request.role).is_some_and(|role| Engine::approves(person, role))
}

fn wait_of(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_WAIT)
}
