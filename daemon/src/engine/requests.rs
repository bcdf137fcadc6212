//! Asking: `stint request` and `stint extend`. What needs no approval is granted at once, the rest
//! waits for it.

use stint_policy::request::{
    Ask, OwnedFacts, RequestRefusal, RequestTerms, judge_extension, judge_request, judge_start,
};
use stint_policy::{Policy, Role};
use stint_proto::{
    Decision, ErrorCode, Event, ExtendOrder, GrantId, Request as Shown, RequestOrder, RoleName,
};

use super::check::local_time;
use super::facts::About;
use super::person::{BusCaller, Person};
use super::{Engine, Refusal};
use crate::domain::grant::Grant;
use crate::domain::request::{Request, Stage, Terms};
use crate::record::Entry;
use crate::store::Write;

impl Engine {
    /// Asks for a role.
    ///
    /// # Errors
    /// [`Refusal`] when the policy does not allow it, the caller is not who they are logged in as,
    /// or it could not be made durable or be applied; then nothing is asked and nothing is held.
    pub async fn request(&self, order: RequestOrder, caller: &BusCaller) -> Result<Shown, Refusal> {
        let person = self.person(caller).await?;
        self.ask_for(&order, &person).await.map(|request| request.shown())
    }

    /// The same for somebody who is known.
    pub(super) async fn ask_for(
        &self,
        order: &RequestOrder,
        person: &Person,
    ) -> Result<Request, Refusal> {
        self.is_current(&order.role)?;
        self.may_hold(person, &order.role).await?;
        let needs_none = |role: &Role| role.approvals_needed() == 0;
        if self.policy().roles.get(&order.role).is_some_and(needs_none) {
            self.look_ahead().await;
        }
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        let policy = self.policy();
        let RequestOrder { role, duration, starts_at, .. } = order;
        let about = About { uid: person.uid, role, except: None };
        let known = self.known_of(about).await?;
        let ask = Ask {
            role,
            duration: *duration,
            starts_at: *starts_at,
            reason: order.reason.as_deref(),
            ticket: order.ticket.as_deref(),
        };
        let now = self.now().wall;
        let clock = |at| local_time(at, now);
        let (host, subject) = (&self.host, person.subject());
        let judged = judge_request(&policy, host, subject, &ask, &known.facts(), now, &clock);
        let terms =
            judged.map_err(|why| self.refused(person, role, order.reason.as_ref(), &why))?;
        let request = self.new_request(person, terms, None).await?;
        let done = self.take_up(request, &policy).await;
        drop(changing);
        done
    }

    /// Asks for more time with a grant that the caller holds.
    ///
    /// # Errors
    /// As [`Engine::request`], and when the caller holds no such grant.
    pub async fn extend(&self, order: ExtendOrder, caller: &BusCaller) -> Result<Shown, Refusal> {
        let person = self.person(caller).await?;
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        let policy = self.policy();
        let grant = self.held_by(&person, &order.id)?;
        self.is_current(&grant.role)?;
        let about = About { uid: person.uid, role: &grant.role, except: Some(&grant.id) };
        let known = self.known_of(about).await?;
        let now = self.now();
        if !grant.holds(now) {
            let text = format!(
                "{} ({}) is not held now, so there is nothing to extend",
                grant.role, grant.id
            );
            return Err(Refusal::new(ErrorCode::Refused, text));
        }
        let judged = self.judge_more(&policy, &person, &grant, &order, &known);
        let terms = judged
            .map_err(|why| self.refused(&person, &grant.role, order.reason.as_ref(), &why))?;
        let mut request = self.new_request(&person, terms, Some(grant.id.clone())).await?;
        // What the grant is for is what more time is for, unless something else was said.
        if request.reason.is_empty() {
            request.reason.clone_from(&grant.reason);
        }
        request.ticket.clone_from(&grant.ticket);
        let done = self.take_up(request, &policy).await;
        drop(changing);
        done.map(|request| request.shown())
    }

    fn judge_more<'a>(
        &self,
        policy: &'a Policy,
        person: &Person,
        grant: &Grant,
        order: &ExtendOrder,
        known: &OwnedFacts,
    ) -> Result<RequestTerms<'a>, RequestRefusal> {
        let now = self.now().wall;
        judge_extension(
            policy,
            &self.host,
            person.subject(),
            &grant.role,
            grant.starts_at,
            grant.deadline.wall,
            order.duration,
            order.reason.as_deref(),
            &known.facts(),
            now,
            &|at| local_time(at, now),
        )
    }

    /// Judges once more whether a request may be granted now, or from its start.
    ///
    /// # Errors
    /// [`Refusal`] with what stands against it.
    pub(super) async fn may_start(
        &self,
        policy: &Policy,
        request: &Request,
        requester: &Person,
    ) -> Result<(), Refusal> {
        let now = self.now().wall;
        let (uid, role, duration) = (request.uid, &request.role, request.duration);
        self.is_current(role)?;
        let except = request.extends.as_ref();
        let start = request.starts_at.unwrap_or(now);
        let mut known = self.known_of(About { uid, role, except }).await?;
        // The request itself is no other one that stands in its way.
        known.pending = None;
        let judged = match except {
            None => {
                let (subject, facts) = (requester.subject(), known.facts());
                let clock = |at| local_time(at, now);
                judge_start(policy, &self.host, subject, role, start, duration, &facts, &clock)
                    .map(drop)
            }
            Some(id) => {
                let grant = self.state().index.get(id).cloned();
                let grant = grant.ok_or_else(|| {
                    let text = format!("the grant {id} that {} would extend is over", request.id);
                    Refusal::new(ErrorCode::Refused, text)
                })?;
                let order = ExtendOrder { id: id.clone(), duration, reason: None };
                self.judge_more(policy, requester, &grant, &order, &known).map(drop)
            }
        };
        judged.map_err(|why| Refusal::new(why.code(), why.to_string()))
    }

    /// Records that the policy refused, and says it.
    fn refused(
        &self,
        person: &Person,
        role: &RoleName,
        reason: Option<&String>,
        why: &RequestRefusal,
    ) -> Refusal {
        let refusal = Refusal::new(why.code(), why.to_string());
        if refusal.code == ErrorCode::Refused {
            let user = &person.user;
            let text = format!("{user} was refused {role}: {refusal}");
            let mut entry =
                Entry::new(self.now().wall, Event::RequestDenied, text).about(user, person.uid);
            entry.decision = Some(Decision::Denied);
            entry.role = Some(role.clone());
            entry.actor = Some("policy".to_owned());
            entry.reason = reason.cloned();
            self.record.note(entry);
        }
        refusal
    }

    async fn new_request(
        &self,
        person: &Person,
        terms: RequestTerms<'_>,
        extends: Option<GrantId>,
    ) -> Result<Request, Refusal> {
        Ok(Request {
            id: self.new_id().await?,
            user: person.user.clone(),
            uid: person.uid,
            role: terms.role.name.clone(),
            duration: terms.duration,
            starts_at: terms.starts_at,
            reason: terms.reason,
            ticket: terms.ticket,
            extends,
            created_at: self.now().wall,
            lapses_at: terms.lapses_at,
            groups: person.groups.clone(),
            terms: Terms::of(terms.role),
            approvals: Vec::new(),
            stage: Stage::Pending,
        })
    }

    /// Grants a new request that needs no approval, and lets another wait. The caller holds
    /// `changes`.
    async fn take_up(&self, request: Request, policy: &Policy) -> Result<Request, Refusal> {
        let text = format!(
            "{} asks for {} for {} ({}): {}",
            request.user, request.role, request.duration, request.id, request.reason
        );
        let created =
            self.about_request(Event::RequestCreated, &request, request.user.as_str(), text);
        if request.missing() == 0 {
            return self.fulfil(request, policy, vec![created], None).await;
        }
        let mut writes = vec![Write::Request(request.clone()), Write::Record(created.clone())];
        writes.extend(self.outgoing(&created, Some(&request), None));
        self.store.change(writes).await?;
        self.state().pending.put(request.clone());
        self.changed();
        self.record.tell(&created);
        self.announce_request(policy, &request);
        Ok(request)
    }

    /// An event about a request.
    pub(super) fn about_request(
        &self,
        event: Event,
        request: &Request,
        actor: &str,
        text: String,
    ) -> Entry {
        let mut entry = Entry::new(self.now().wall, event, text).about(&request.user, request.uid);
        entry.role = Some(request.role.clone());
        entry.request = Some(request.id.clone());
        entry.grant.clone_from(&request.extends);
        entry.actor = Some(actor.to_owned());
        entry.reason = Some(request.reason.clone());
        entry.ticket.clone_from(&request.ticket);
        entry
    }
}
