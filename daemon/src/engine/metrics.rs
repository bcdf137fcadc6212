//! Numbers for monitoring: what was counted since the start, and how things stand. Every label is a
//! word of stint's own, a role of the policy or the name of a PAM service; never somebody's name,
//! and nothing that somebody typed. Changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use stint_policy::GateMode;
use stint_proto::{Decision, EndReason, Event, Metric, MetricKind, RoleName, Timestamp};

use super::failure::{About, Failure};
use super::{Engine, State};
use crate::clock::Moment;
use crate::counters::{Counters, as_float};
use crate::domain::grant::{Grant, Stage};
use crate::domain::request::Request;
use crate::record::Losses;

impl Engine {
    /// All of them.
    pub async fn metrics(self: &Arc<Self>) -> Vec<Metric> {
        let mut metrics = self.of_this_daemon();
        counted(self.record.counters(), &mut metrics);
        recorded(self.record.losses(), &mut metrics);
        self.as_things_stand(&mut metrics);
        // By a look of the last hour or so; left out where the host cannot be looked at.
        if let Some(count) = self.standing_count().await {
            let help = "What is held on this host with no end and amounts to root.";
            let standing = gauge("stint_standing_privileges", help);
            metrics.push(standing.with(&[], f64::from(count)));
        }
        // What the state does not say while it cannot be read is left out.
        if let Ok(page) = self.store.links(i64::MAX, Timestamp(i64::MAX)).await {
            let last = as_float(page.head.unsigned_abs());
            let help = "The number of the last link of the record's chain.";
            metrics.push(gauge("stint_record_last_link", help).with(&[], last));
        }
        if let Ok(over) = self.store.unreviewed(None).await {
            let state = self.state();
            let running = state.index.iter().filter(|grant| grant.awaits_review()).count();
            let help = "Uses of break-glass roles that await a review.";
            let number = number(running.saturating_add(over.len()));
            metrics.push(gauge("stint_break_glass_unreviewed", help).with(&[], number));
        }
        metrics
    }

    fn of_this_daemon(&self) -> Vec<Metric> {
        let version = env!("CARGO_PKG_VERSION");
        let help = "1, with the version of stintd.";
        let build = gauge("stint_build_info", help).with(&[("version", version)], 1.0);
        let help = "When stintd was started, which is since when it counts, in seconds since 1970.";
        let started = as_float(self.started.wall.micros().unsigned_abs()) / 1_000_000.0;
        vec![build, gauge("stint_start_time_seconds", help).with(&[], started)]
    }

    /// How things stand now.
    fn as_things_stand(&self, metrics: &mut Vec<Metric>) {
        let now = self.now();
        let state = self.state();
        let mut roles: BTreeMap<&RoleName, [usize; 2]> =
            state.policy.roles_here(&self.host).map(|role| (&role.name, [0, 0])).collect();
        for grant in state.index.iter() {
            let [active, scheduled] = roles.entry(&grant.role).or_default();
            match grant.stage {
                Stage::Active if grant.holds(now) => *active += 1,
                Stage::Scheduled => *scheduled += 1,
                Stage::Active | Stage::Ended { .. } => {}
            }
        }
        let mut active = gauge("stint_grants_active", "Grants that are held, by role.");
        let mut scheduled = gauge("stint_grants_scheduled", "Grants that begin later, by role.");
        for (role, [held, later]) in roles {
            active.add("", &[("role", role.as_str())], number(held));
            scheduled.add("", &[("role", role.as_str())], number(later));
        }
        metrics.extend([active, scheduled]);
        metrics.extend(self.in_a_number(&state));
    }

    fn in_a_number(&self, state: &State) -> [Metric; 5] {
        let alarms = self.alarms(state).len();
        [
            (
                "stint_requests_pending",
                "Requests that await approvals.",
                state.pending.iter().count(),
            ),
            ("stint_sessions_open", "Sessions that run elevated.", state.sessions.len()),
            ("stint_alarms", "What could not be done yet and is tried again.", alarms),
            (
                "stint_policy_refused",
                "1 while the policy on disk is refused and the one before is in force.",
                usize::from(state.policy_problem.is_some()),
            ),
            (
                "stint_gate_enforcing",
                "1 if the policy in force denies, 0 if its gate only observes.",
                usize::from(state.policy.gate.mode == GateMode::Enforce),
            ),
        ]
        .map(|(name, help, count)| gauge(name, help).with(&[], number(count)))
    }

    /// Counts a request that is granted now.
    pub(super) fn count_granted(&self, request: &Request, now: Moment) {
        let counters = self.record.counters();
        counters.granted();
        if !request.approvals.is_empty() {
            let waited = now.wall.micros_since(request.created_at);
            counters.approval.observe(u64::try_from(waited).unwrap_or(0));
        }
    }

    /// Counts grants that have ended, with what came of taking back what they gave. How late an end
    /// by the clock was is only counted where this daemon ran when its time came.
    pub(super) fn count_ended(&self, ended: &[Grant], reason: EndReason, failures: &[Failure]) {
        let (counters, now) = (self.record.counters(), self.now());
        for grant in ended {
            counters.ended(reason);
            if failures.iter().any(|failure| keeps(failure, grant)) {
                counters.delayed();
            } else if reason == EndReason::Expired
                && grant.deadline.passed_for(self.started).is_none()
                && let Some(late) = grant.deadline.passed_for(now)
            {
                counters.lateness.observe(late.unsigned_abs());
            }
        }
    }
}

/// Whether something that this grant gave may still be there because of it.
fn keeps(failure: &Failure, grant: &Grant) -> bool {
    match &failure.about {
        About::TakingBack(user, _) => *user == grant.user,
        About::SudoRules | About::PolkitRules | About::Everything => true,
        About::Giving(..)
        | About::PolkitMemory
        | About::Tickets
        | About::State
        | About::Start
        | About::Holding
        | About::Eviction(_)
        | About::List
        | About::Caches => false,
    }
}

/// What was counted since the start.
fn counted(counters: &Counters, metrics: &mut Vec<Metric>) {
    let mut checks = counter(
        "stint_checks_total",
        "Checks at the gate, by PAM service and by what came of them.",
    );
    for (service, results) in counters.of_checks() {
        for (result, count) in Decision::WORDS.iter().zip(results) {
            checks.add("", &[("service", &service), ("result", result)], as_float(count));
        }
    }
    let mut requests = counter(
        "stint_requests_total",
        "Requests, by what became of them; refused ones were none.",
    );
    let of = |event| counters.of(event);
    let refused = counters.of_refused();
    for (state, count) in [
        ("created", of(Event::RequestCreated)),
        ("granted", counters.of_granted()),
        ("denied", of(Event::RequestDenied).saturating_sub(refused)),
        ("cancelled", of(Event::RequestCancelled)),
        ("lapsed", of(Event::RequestLapsed)),
        ("refused", refused),
    ] {
        requests.add("", &[("state", state)], as_float(count));
    }
    let help =
        "From the asking to the last approval, of requests that needed one and were granted.";
    let approval = Metric::new(MetricKind::Histogram, "stint_request_approval_seconds", help);
    let help = "Grants that have begun.";
    let begun = of(Event::GrantActivated);
    let begun = counter("stint_grants_started_total", help).with(&[], as_float(begun));
    let mut ended = counter("stint_grants_ended_total", "Grants that have ended, by how.");
    for (reason, count) in EndReason::WORDS.iter().zip(counters.of_ended()) {
        ended.add("", &[("reason", reason)], as_float(count));
    }
    let help = "From a grant's end by the clock until what it gave was taken back, if at once.";
    let late = Metric::new(MetricKind::Histogram, "stint_grant_end_lateness_seconds", help);
    let help = "Grants of which something could not be taken back at once when they ended.";
    let delayed = as_float(counters.of_delayed());
    let delayed = counter("stint_grant_ends_delayed_total", help).with(&[], delayed);
    let mut loads = counter("stint_policy_loads_total", "Policies that were read, by result.");
    loads.add("", &[("result", "loaded")], as_float(of(Event::PolicyLoaded)));
    loads.add("", &[("result", "rejected")], as_float(of(Event::PolicyRejected)));
    let mut events = counter("stint_events_total", "Events that were recorded, by name.");
    for event in Event::ALL {
        events.add("", &[("event", event.as_str())], as_float(of(*event)));
    }
    let (approval, late) = (counters.approval.fill(approval), counters.lateness.fill(late));
    metrics.extend([checks, requests, approval, begun, ended, late, delayed, loads, events]);
}

/// What became of the record.
fn recorded(losses: Losses, metrics: &mut Vec<Metric>) {
    let help = "Events that never came to the system's log, the state, or the kernel's audit.";
    let lost = counter("stint_record_lost_total", help)
        .with(&[("where", "log")], as_float(losses.log))
        .with(&[("where", "state")], as_float(losses.state))
        .with(&[("where", "audit")], as_float(losses.audit));
    let help = "Events that wait for room in the system's log.";
    let waiting = gauge("stint_record_waiting", help).with(&[], as_float(losses.waiting));
    metrics.extend([lost, waiting]);
}

fn counter(name: &str, help: &str) -> Metric {
    Metric::new(MetricKind::Counter, name, help)
}

fn gauge(name: &str, help: &str) -> Metric {
    Metric::new(MetricKind::Gauge, name, help)
}

fn number(count: usize) -> f64 {
    as_float(u64::try_from(count).unwrap_or(u64::MAX))
}
