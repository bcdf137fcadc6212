//! What requests and the grants that came of them rest on, looked at again: eligibility when a
//! scheduled grant starts, and everything when a policy comes into force.

use std::collections::BTreeMap;

use stint_policy::Policy;
use stint_policy::request::judge_start;
use stint_proto::{ErrorCode, GrantId, Length, Origin, RoleName, Uid, UserName};

use super::check::local_time;
use super::end::Ending;
use super::facts::About;
use super::person::Person;
use super::{Engine, Refusal};
use crate::domain::grant::Grant;
use crate::domain::request::{Request, Terms};
use crate::store::Write;

/// The people whom a change of policy may concern, by number.
pub(super) type People = BTreeMap<Uid, Person>;

/// What becomes of a pending request under another policy.
enum Under {
    /// It stays as it is.
    Same,
    /// Nobody has approved it yet: it awaits approvals on the new terms.
    Terms(Terms),
    /// It lapses, and why.
    Nothing(String),
}

impl Engine {
    /// Ends the grants that came of requests and whose holders are no longer eligible, and lets
    /// requests lapse that have lost their ground. The caller holds `changes`. Nothing is taken
    /// from who is not among the people.
    pub(super) async fn look_again(&self, policy: &Policy, people: &People) -> Vec<Grant> {
        let (grants, requests) = self.resting_on_requests();
        let ineligible: Vec<GrantId> = grants
            .iter()
            .filter(|grant| !eligible(policy, people.get(&grant.uid), &grant.role))
            .map(|grant| grant.id.clone())
            .collect();
        let ended = self.end(ineligible, &Ending::policy("its holder is no longer eligible")).await;
        for request in requests {
            let person = people.get(&request.uid);
            match under(policy, &self.host, person, &request) {
                Under::Same => {}
                Under::Terms(terms) => self.put_on_terms(request, terms).await,
                Under::Nothing(why) => self.lapse(&[request.id], &why).await,
            }
        }
        ended
    }

    fn resting_on_requests(&self) -> (Vec<Grant>, Vec<Request>) {
        let state = self.state();
        let asked = |grant: &&Grant| matches!(grant.origin, Origin::Request | Origin::BreakGlass);
        let grants = state.index.iter().filter(asked).cloned().collect();
        (grants, state.pending.iter().cloned().collect())
    }

    /// Who holds or asks for something now, and a line for each of whom the account database does
    /// not say who they are.
    pub(super) async fn people(&self) -> (People, Vec<String>) {
        let (grants, requests) = self.resting_on_requests();
        let holders = grants.into_iter().map(|grant| (grant.uid, grant.user));
        let askers = requests.into_iter().map(|request| (request.uid, request.user));
        let asked: BTreeMap<Uid, UserName> = holders.chain(askers).collect();
        let (mut people, mut notes) = (BTreeMap::new(), Vec::new());
        for (uid, user) in asked {
            match self.stands_as(user, uid).await {
                Ok(person) => drop(people.insert(uid, person)),
                Err(refusal) => notes.push(format!("{refusal}; what they hold stays")),
            }
        }
        (people, notes)
    }

    async fn put_on_terms(&self, mut request: Request, terms: Terms) {
        request.terms = terms;
        self.store_or_keep(vec![Write::Request(request.clone())]).await;
        self.state().pending.put(request);
        self.changed();
    }

    /// Whether a scheduled grant that came of a request may begin.
    ///
    /// # Errors
    /// [`Refusal`]: with [`ErrorCode::Failed`] it is not known, otherwise it may not.
    pub(super) async fn may_begin(&self, grant: &Grant) -> Result<(), Refusal> {
        // A later policy may come: it begins when it is current again.
        let waits = |refusal: Refusal| Refusal::new(ErrorCode::Failed, refusal.message);
        self.is_current(&grant.role).map_err(waits)?;
        if grant.origin == Origin::Remote {
            self.takes_new().map_err(waits)?;
        }
        if grant.origin != Origin::Request {
            return Ok(());
        }
        let policy = self.policy();
        let person = self.stands_as(grant.user.clone(), grant.uid).await?;
        let about = About { uid: grant.uid, role: &grant.role, except: Some(&grant.id) };
        let known = self.known_of(about).await?;
        let now = self.now().wall;
        let clock = |at| local_time(at, now);
        let seconds = grant.deadline.wall.micros_since(grant.starts_at) / 1_000_000;
        let length = u64::try_from(seconds).ok().and_then(Length::from_seconds);
        let length = length.ok_or_else(|| Refusal::new(ErrorCode::Refused, "its time is over"))?;
        let (subject, start, facts) = (person.subject(), grant.starts_at, known.facts());
        judge_start(&policy, &self.host, subject, &grant.role, start, length, &facts, &clock)
            .map(drop)
            .map_err(|why| Refusal::new(why.code(), why.to_string()))
    }
}

/// Whether they are eligible; whoever is not known keeps what they have.
fn eligible(policy: &Policy, person: Option<&Person>, role: &RoleName) -> bool {
    let (Some(person), Some(role)) = (person, policy.roles.get(role)) else { return true };
    policy.eligible_by(role, person.subject()).is_some()
}

fn under(policy: &Policy, host: &str, person: Option<&Person>, request: &Request) -> Under {
    let Some(role) = policy.role_here(&request.role, host) else {
        return Under::Nothing("its role is no longer in the policy".to_owned());
    };
    if !eligible(policy, person, &request.role) {
        return Under::Nothing("its requester is no longer eligible".to_owned());
    }
    if request.duration > role.max_duration {
        return Under::Nothing(format!("the role is given for at most {} now", role.max_duration));
    }
    let mut terms = Terms::of(role);
    // Somebody waits for a decision: one is needed, even where new requests need none.
    terms.approvals_needed = terms.approvals_needed.max(1);
    match (terms == request.terms, request.approvals.is_empty()) {
        (true, _) => Under::Same,
        (false, true) => Under::Terms(terms),
        (false, false) => {
            Under::Nothing("its role has changed since it was approved; ask again".to_owned())
        }
    }
}
