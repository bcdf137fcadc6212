//! What is shown: lists, status, roles, explanations, health. Changes nothing.

use std::time::Duration;

use stint_policy::explain::{Held, Question, explain};
use stint_policy::{Role, Subject as PolicySubject};
use stint_proto::{
    Alarm, ErrorCode, Explain, Explanation, Grant as Shown, Health, ListFilter, Request, RoleName,
    RoleSummary, SUDO_SERVICES, SYNC_ACCOUNT, ServiceName, Status, Uid, UserName,
};

use super::check::local_time;
use super::residue::tell;
use super::{Engine, Refusal, State};
use crate::accounts;
use crate::domain::pending::Pending;

/// The most grants that one answer holds: more would not fit into a message of the bus, which
/// breaks off with whoever sends it.
const LIST_LIMIT: usize = 20_000;
/// How long the account database may take to say who somebody is.
const LIMIT: Duration = Duration::from_secs(5);

impl Engine {
    /// The grants that fit the filter, of everybody, or of `only` alone.
    ///
    /// # Errors
    /// [`Refusal`] when the state cannot be read, or the filter names somebody or something that
    /// is not there and that no grant is of.
    pub async fn list(
        &self,
        filter: &ListFilter,
        only: Option<&UserName>,
    ) -> Result<Vec<Shown>, Refusal> {
        let policy = self.policy();
        let user = only.or(filter.user.as_ref());
        let fits = |grant: &crate::domain::grant::Grant| {
            user.is_none_or(|user| grant.user == *user)
                && filter.role.as_ref().is_none_or(|role| grant.role == *role)
        };
        let mut shown: Vec<Shown> = if filter.ended {
            let ended = self.store.ended(user.cloned(), filter.role.clone()).await?;
            let mut shown: Vec<Shown> =
                ended.iter().map(|stored| self.shown(&policy, &stored.grant)).collect();
            // What others did meanwhile is not its holder's to know.
            if only.is_none() {
                let of = self.store.residues(user.cloned(), filter.role.clone()).await?;
                tell(&mut shown, of);
            }
            shown
        } else {
            Vec::new()
        };
        let mut running: Vec<Shown> = {
            let state = self.state();
            let held = state.index.iter().filter(|grant| fits(grant));
            held.map(|grant| self.shown(&policy, grant)).collect()
        };
        self.mark_withdrawn(&mut running);
        running.sort_by_key(|grant| grant.starts_at);
        shown.append(&mut running);
        if shown.len() > LIST_LIMIT {
            let text = format!(
                "{} grants fit, and one answer holds {LIST_LIMIT}: narrow it by --user or --role",
                shown.len()
            );
            return Err(Refusal::new(ErrorCode::Failed, text));
        }
        if shown.is_empty() && only.is_none() {
            self.known(filter.user.as_ref(), filter.role.as_ref()).await?;
        }
        Ok(shown)
    }

    /// Refuses a name that nobody has: nothing was found, but perhaps because it is mistyped.
    pub(super) async fn known(
        &self,
        user: Option<&UserName>,
        role: Option<&RoleName>,
    ) -> Result<(), Refusal> {
        if let Some(role) = role.filter(|role| !self.policy().roles.contains_key(*role)) {
            let text = format!("the policy has no role {role}; stint roles shows them");
            return Err(Refusal::new(ErrorCode::Invalid, text));
        }
        match user {
            Some(user) => self.uid_of(user.clone()).await.map(drop),
            None => Ok(()),
        }
    }

    /// How things stand for this caller.
    ///
    /// # Errors
    /// [`Refusal`] when the state cannot be read.
    pub async fn status(&self, uid: Uid) -> Result<Status, Refusal> {
        let user = self.name_of(uid).await;
        let grants = match &user {
            Some(user) => self.list(&ListFilter::default(), Some(user)).await?,
            None => Vec::new(),
        };
        let eligible = match &user {
            Some(user) => self.roles(uid, Some(user)).await.into_iter(),
            None => Vec::new().into_iter(),
        };
        let eligible = eligible.filter(|role| role.eligible).map(|role| role.name).collect();
        let to_decide = match &user {
            Some(user) => self.to_decide(user, uid).await,
            None => 0,
        };
        let remote = self.remote();
        let state = self.state();
        let root = uid == Uid::ROOT;
        Ok(Status {
            host: self.host.clone(),
            user,
            grants,
            requests: own_requests(&state.pending, uid),
            to_decide,
            eligible,
            gate_mode: state.policy.gate.mode.to_string(),
            alarms: if root { self.alarms(&state) } else { Vec::new() },
            notes: if root { state.drift.notes() } else { Vec::new() },
            policy_problem: state.policy_problem.clone().filter(|_| root),
            remote: remote.filter(|_| root),
        })
    }

    /// The roles of this host, and for which the caller is eligible.
    pub async fn roles(&self, uid: Uid, user: Option<&UserName>) -> Vec<RoleSummary> {
        let policy = self.policy();
        let groups = match user {
            Some(user) => self.standing_groups(&self.public_lookups, user, LIMIT).await,
            None => std::collections::BTreeSet::new(),
        };
        let eligible = |role: &Role| {
            user.is_some_and(|user| {
                policy.eligible_by(role, PolicySubject { user, uid, groups: &groups }).is_some()
            })
        };
        policy
            .roles_here(&self.host)
            .map(|role| RoleSummary {
                name: role.name.clone(),
                description: role.description.clone(),
                services: role.services.iter().cloned().collect(),
                groups: role.groups.clone(),
                polkit: role.polkit.iter().map(ToString::to_string).collect(),
                sudo: role.sudo_lines(),
                max_duration: role.max_duration,
                default_duration: role.default_duration,
                approvals: role.approvals_needed(),
                approvers: role.approvers.iter().map(ToString::to_string).collect(),
                break_glass: role.break_glass,
                reason: role.reason.required,
                ticket: role.ticket.as_ref().map(ToString::to_string),
                eligible: eligible(role),
            })
            .collect()
    }

    /// Why the gate would let somebody in, or not.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such account, or the state cannot be read.
    pub async fn explain(&self, asked: Explain, caller: Uid) -> Result<Explanation, Refusal> {
        let (user, uid) = match asked.user {
            Some(user) => self.uid_of(user).await?,
            None => match self.name_of(caller).await {
                Some(user) => (user, caller),
                None => {
                    let text = format!("no account of this host has the number {caller}");
                    return Err(Refusal::new(ErrorCode::Invalid, text));
                }
            },
        };
        let service = match asked.service {
            Some(service) => service,
            None => default_service()?,
        };
        let now = self.now();
        let at = asked.at.unwrap_or(now.wall);
        let groups = self.standing_groups(&self.public_lookups, &user, LIMIT).await;
        let policy = self.policy();
        let held: Vec<Held> = {
            let state = self.state();
            let grants = state.index.of_uid(uid);
            grants
                .filter(|grant| grant.user == user && !grant.is_due(now))
                .map(|grant| Held {
                    id: grant.id.clone(),
                    role: grant.role.clone(),
                    starts_at: grant.starts_at,
                    expires_at: grant.deadline.wall,
                })
                .collect()
        };
        let subject = PolicySubject { user: &user, uid, groups: &groups };
        let clock = |time| local_time(time, now.wall);
        let known = self.known_of_all(&policy, uid).await?;
        let facts = |role: &RoleName| known.get(role).cloned().unwrap_or_default();
        let question =
            Question { service: &service, held: &held, facts: &facts, at, clock: &clock };
        let explained = explain(&policy, &self.host, subject, &question);
        let (verdict, because) = (explained.verdict, explained.because);
        Ok(Explanation { user, service, at, verdict, because })
    }

    /// How the daemon itself is.
    pub async fn health(&self) -> Health {
        let kernel_audit = self.record.audit().takes().await.as_str().to_owned();
        let now = self.now();
        let (kind, lost_events) = self.record.health();
        let high_water = self.trusted_wall(now);
        let remote = self.remote();
        let state = self.state();
        let active = state.index.iter().filter(|grant| grant.holds(now)).count();
        let groups: std::collections::BTreeSet<_> =
            state.policy.roles_here(&self.host).flat_map(|role| role.groups.clone()).collect();
        let with_polkit =
            state.policy.roles_here(&self.host).filter(|role| !role.polkit.is_empty());
        Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            wall: now.wall,
            boot: now.boot,
            high_water,
            backend: state.backend.clone(),
            gate_mode: state.policy.gate.mode.to_string(),
            active: u32::try_from(active).unwrap_or(u32::MAX),
            alarms: self.alarms(&state),
            notes: state.drift.notes(),
            policy_problem: state.policy_problem.clone(),
            remote,
            exempt: state.policy.gate.exempt.iter().map(ToString::to_string).collect(),
            groups: groups.into_iter().collect(),
            polkit_roles: with_polkit.map(|role| role.name.clone()).collect(),
            record: kind.as_str().to_owned(),
            lost_events,
            kernel_audit,
            sessions: self.keeps_sessions().to_owned(),
            uid: Uid(nix::unistd::geteuid().as_raw()),
        }
    }

    pub(super) fn alarms(&self, state: &State) -> Vec<Alarm> {
        let mut alarms = state.alarms.shown();
        alarms.extend(self.hooks.alarms());
        alarms.extend(self.record.signing().alarm());
        alarms
    }

    /// Whether this is who may bring signed documents.
    pub async fn carries(&self, uid: Uid) -> bool {
        let is_sync = |name: UserName| name.as_str() == SYNC_ACCOUNT;
        uid == Uid::ROOT || self.name_of(uid).await.is_some_and(is_sync)
    }

    /// The name of this number, if it has one that stint can say.
    pub async fn name_of(&self, uid: Uid) -> Option<UserName> {
        if uid == Uid::ROOT {
            return "root".parse().ok();
        }
        let found = self.public_lookups.ask(LIMIT, move || accounts::by_uid(uid)).await;
        found.and_then(Result::ok).flatten().map(|account| account.name)
    }

    /// Who acts, for the record: the account's name, or its number.
    pub async fn called(&self, uid: Uid) -> String {
        let name = self.name_of(uid).await;
        name.map_or_else(|| format!("uid {uid}"), |name| name.to_string())
    }

    pub(super) async fn uid_of(&self, user: UserName) -> Result<(UserName, Uid), Refusal> {
        let asked = user.clone();
        let refuse = |code, text| Err(Refusal::new(code, text));
        match self.public_lookups.ask(LIMIT, move || accounts::by_name(&asked)).await {
            Some(Ok(Some(account))) => Ok((user, account.uid)),
            Some(Ok(None)) => {
                refuse(ErrorCode::Invalid, format!("there is no account \"{user}\" on this host"))
            }
            Some(Err(error)) => refuse(ErrorCode::Failed, error.to_string()),
            None => refuse(
                ErrorCode::Failed,
                format!("the account database did not say in time who {user} is; try again"),
            ),
        }
    }
}

fn own_requests(pending: &Pending, uid: Uid) -> Vec<Request> {
    let mut own: Vec<Request> =
        pending.iter().filter(|request| request.uid == uid).map(|r| r.shown()).collect();
    own.sort_by_key(|request| request.created_at);
    own
}

fn default_service() -> Result<ServiceName, Refusal> {
    let [sudo, _] = SUDO_SERVICES;
    sudo.parse()
        .map_err(|error: stint_proto::BadName| Refusal::new(ErrorCode::Failed, error.to_string()))
}
