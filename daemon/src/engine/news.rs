//! Telling people: what goes out to hooks with a change, and a line on terminals after it. What
//! fails here fails nobody: the record has it.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};

use stint_policy::{Policy, Principal};
use stint_proto::{Origin, Uid, UserName};
use tokio::sync::watch;
use zbus::Connection;

use super::Engine;
use super::check::local_time;
use crate::domain::gate::awaited;
use crate::domain::grant::Grant;
use crate::domain::request::{End, Request, Stage};
use crate::notices::{Audience, Notice, Standing, body, run_hooks, run_terminals};
use crate::record::Entry;
use crate::store::{OutboxEvent, Write};

impl Engine {
    /// Tells hooks and terminals for as long as the daemon runs. `bus` has the present connection to
    /// the system bus. To be called once.
    pub async fn serve_news(
        self: Arc<Self>,
        bus: watch::Receiver<Option<Connection>>,
    ) -> Infallible {
        let waiting = self.told.lock().unwrap_or_else(PoisonError::into_inner).take();
        let terminals = async {
            match waiting {
                Some(waiting) => {
                    run_terminals(waiting, StandingOf(Arc::clone(&self)), bus.clone()).await
                }
                None => std::future::pending().await,
            }
        };
        let (store, clock, record) =
            (self.store.clone(), Arc::clone(&self.clock), self.record.clone());
        let hooks = run_hooks(self.hooks.clone(), store, clock, record, bus.clone());
        tokio::select! {
            never = terminals => never,
            never = hooks => never,
        }
    }

    /// What goes out to the hooks with this event, to be written in the transaction of the change.
    pub(super) fn outgoing(
        &self,
        entry: &Entry,
        request: Option<&Request>,
        grant: Option<&Grant>,
    ) -> Option<Write> {
        let policy = self.policy();
        let request = request.map(Request::shown);
        let grant = grant.map(|grant| self.shown(&policy, grant));
        let actor = entry.actor.as_deref().unwrap_or("stintd");
        let (request, grant) = (request.as_ref(), grant.as_ref());
        let body = body(entry.event, entry.at, &self.host, request, grant, actor, &entry.message);
        Some(Write::Outbox(OutboxEvent { event: entry.event, body, at: entry.at }))
    }

    /// Tells the approvers that a request awaits them.
    pub(super) fn announce_request(&self, policy: &Policy, request: &Request) {
        let Request { id, user, role, duration, .. } = request;
        let line = format!(
            "{user} asks for {role} for {duration}: {}. To look at it:  stint approve {id}",
            request.reason
        );
        self.tell_approvers(policy, request, line, false);
    }

    /// Tells the requester that it is granted, if they had to wait; and, of a role for emergencies,
    /// every approver, whether they want to be told or not.
    pub(super) fn announce_grant(&self, policy: &Policy, request: &Request, grant: &Grant) {
        let Grant { id, user, role, .. } = grant;
        let until = local_time(grant.deadline.wall, self.now().wall);
        if grant.origin == Origin::BreakGlass && request.extends.is_none() {
            let line = format!(
                "{user} has taken {role} ({id}) until {until} with nobody's approval: {}",
                grant.reason
            );
            self.tell_approvers(policy, request, line, true);
        }
        if !request.approvals.is_empty() {
            let by = &grant.granted_by;
            self.tell_user(
                request.uid,
                format!("{by} approved {role}: it is yours until {until} ({id})"),
            );
        }
    }

    /// Tells the requester that it was denied or has lapsed.
    pub(super) fn announce_end(&self, request: &Request) {
        let Stage::Ended { how, by, .. } = &request.stage else { return };
        let (id, role) = (&request.id, &request.role);
        let line = match how {
            End::Denied(why) => format!("{by} denied your request {id} for {role}: {why}"),
            End::Lapsed(why) => format!("your request {id} for {role} has lapsed: {why}"),
            End::Approved(_) | End::Cancelled => return,
        };
        self.tell_user(request.uid, line);
    }

    /// Reminds the approvers of a request that still lacks an approval.
    pub(super) fn announce_approval(&self, policy: &Policy, request: &Request) {
        let (id, user, role) = (&request.id, &request.user, &request.role);
        let awaits = awaited(request.missing(), &request.terms.approvers);
        let line = format!("the request {id} of {user} for {role} still awaits {awaits}");
        self.tell_approvers(policy, request, line, false);
    }

    fn tell_approvers(&self, policy: &Policy, request: &Request, line: String, urgent: bool) {
        let Some(role) = policy.roles.get(&request.role) else { return };
        if urgent || policy.notify.terminals {
            let audience = Audience::Approvers { of: role.approvers.clone(), but: request.uid };
            self.notices.tell(Notice { audience, line, urgent });
        }
    }

    fn tell_user(&self, uid: Uid, line: String) {
        if self.policy().notify.terminals {
            self.notices.tell(Notice { audience: Audience::User(uid), line, urgent: false });
        }
    }
}

/// Who is an approver goes by standing membership, here as everywhere.
struct StandingOf(Arc<Engine>);

impl Standing for StandingOf {
    async fn is_one_of(&self, uid: Uid, user: &UserName, principals: &[Principal]) -> bool {
        let person = self.0.stands_as(user.clone(), uid).await;
        person.is_ok_and(|person| person.is_among(principals))
    }
}
