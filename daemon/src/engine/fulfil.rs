//! From a request that has all its approvals to the grant: a new one, or more time with one that
//! runs. In the contract's order: durable, armed, audited, applied, told.

use stint_policy::Policy;
use stint_proto::{ErrorCode, Event, Origin};

use super::{Engine, Refusal};
use crate::domain::deadline::Deadline;
use crate::domain::grant::{Grant, Stage};
use crate::domain::request::Request;
use crate::record::Entry;
use crate::store::Write;

impl Engine {
    /// Grants what was asked. `before` are events that are recorded with it, `with` is what else
    /// belongs to it. The caller holds `changes` and has judged that it may be.
    ///
    /// # Errors
    /// [`Refusal`] when it could not be made durable or be applied; then nothing is held, and a
    /// request that was pending still is.
    pub(super) async fn fulfil(
        &self,
        mut request: Request,
        policy: &Policy,
        before: Vec<Entry>,
        with: Option<Write>,
    ) -> Result<Request, Refusal> {
        let now = self.now();
        let by = request.approvals.last().map_or("policy", |approval| approval.user.as_str());
        let by = by.to_owned();
        let (grant, event) = match &request.extends {
            None => {
                let grant = self.grant_of(&request, policy, &by).await?;
                let active = grant.stage == Stage::Active;
                (grant, if active { Event::GrantActivated } else { Event::GrantScheduled })
            }
            Some(id) => {
                let running = self.state().index.get(id).cloned();
                let mut grant = running.ok_or_else(|| over(&request))?;
                if !grant.extend(request.duration, now) {
                    return Err(over(&request));
                }
                (grant, Event::GrantExtended)
            }
        };
        if !request.granted(grant.id.clone(), now.wall, &by) {
            let text = format!("the request {} is not pending any more", request.id);
            return Err(Refusal::new(ErrorCode::Refused, text));
        }
        let mut entries = before;
        entries.push(self.about_given(event, &grant, &request, &by));
        if grant.origin == Origin::BreakGlass && event != Event::GrantExtended {
            entries.push(self.about_given(Event::BreakGlassUsed, &grant, &request, &by));
        }
        let mut writes = vec![Write::Grant(grant.clone()), Write::Request(request.clone())];
        writes.extend(with);
        if event == Event::GrantActivated {
            writes.extend(self.beginning(std::slice::from_ref(&grant)).await);
        }
        writes.extend(entries.iter().cloned().map(Write::Record));
        writes
            .extend(entries.iter().filter_map(|e| self.outgoing(e, Some(&request), Some(&grant))));
        self.store.change(writes).await?;
        {
            let mut state = self.state();
            state.index.put(grant.clone());
            state.pending.put(request.clone());
        }
        self.changed();
        for entry in &entries {
            self.record.tell(entry);
        }
        self.count_granted(&request, now);
        self.announce_grant(policy, &request, &grant);
        if event == Event::GrantExtended {
            self.enforce().await;
        } else if grant.stage == Stage::Active
            && let Some(role) = policy.roles.get(&grant.role)
        {
            self.apply_or_take_back(&grant, role, "stintd").await?;
        }
        Ok(request)
    }

    async fn grant_of(
        &self,
        request: &Request,
        policy: &Policy,
        by: &str,
    ) -> Result<Grant, Refusal> {
        let id = self.new_id().await?;
        let now = self.now();
        let starts_at = request.starts_at.unwrap_or(now.wall).max(now.wall);
        let expires_at = starts_at.checked_add(request.duration).ok_or_else(|| {
            Refusal::new(ErrorCode::Invalid, "this grant would end after the year 9999")
        })?;
        let emergency = policy.roles.get(&request.role).is_some_and(|role| role.break_glass);
        let grant = Grant {
            id,
            user: request.user.clone(),
            uid: request.uid,
            role: request.role.clone(),
            starts_at,
            deadline: Deadline::from_wall(expires_at, now),
            stage: Stage::Scheduled,
            origin: if emergency { Origin::BreakGlass } else { Origin::Request },
            reason: request.reason.clone(),
            ticket: request.ticket.clone(),
            granted_by: by.to_owned(),
            policy_key: None,
            request: Some(request.id.clone()),
            approvals: request.approvals.iter().map(|given| given.user.clone()).collect(),
            review: None,
        };
        Ok(grant.begun_if_due(now))
    }

    fn about_given(&self, event: Event, grant: &Grant, request: &Request, by: &str) -> Entry {
        let (role, user, id, until) = (&grant.role, &grant.user, &grant.id, grant.deadline.wall);
        let text = match event {
            Event::GrantExtended => format!("{role} for {user} ({id}) now lasts until {until}"),
            Event::BreakGlassUsed => format!(
                "{user} has taken {role} ({id}) until {until} with nobody's approval: {}; somebody \
                 else has to look at it: stint review {id}",
                grant.reason
            ),
            _ => format!(
                "{role} for {user} ({id}) from {} until {until}, as asked: {}",
                grant.starts_at, grant.reason
            ),
        };
        let mut entry = self.about(event, grant, by, text);
        entry.request = Some(request.id.clone());
        entry
    }
}

fn over(request: &Request) -> Refusal {
    let text = format!("the grant that {} would extend is over", request.id);
    Refusal::new(ErrorCode::Refused, text)
}
