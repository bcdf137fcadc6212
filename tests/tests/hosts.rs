//! stint's promises, each held against booted Debian hosts. One program, so that the hosts that
//! run at once are counted; one file below `hosts/` for each promise.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests report by panicking"
)]

#[path = "hosts/accounts.rs"]
mod accounts;
#[path = "hosts/approvals.rs"]
mod approvals;
#[path = "hosts/bent.rs"]
mod bent;
#[path = "hosts/break_glass.rs"]
mod break_glass;
#[path = "hosts/bus.rs"]
mod bus;
#[path = "hosts/bus_away.rs"]
mod bus_away;
#[path = "hosts/chain.rs"]
mod chain;
#[path = "hosts/checkpoints.rs"]
mod checkpoints;
#[path = "hosts/cli.rs"]
mod cli;
#[path = "hosts/clocks.rs"]
mod clocks;
#[path = "hosts/common.rs"]
mod common;
#[path = "hosts/deciding.rs"]
mod deciding;
#[path = "hosts/doctor.rs"]
mod doctor;
#[path = "hosts/doors.rs"]
mod doors;
#[path = "hosts/drift.rs"]
mod drift;
#[path = "hosts/edits.rs"]
mod edits;
#[path = "hosts/environment.rs"]
mod environment;
#[path = "hosts/etcd.rs"]
mod etcd;
#[path = "hosts/expiry.rs"]
mod expiry;
#[path = "hosts/export.rs"]
mod export;
#[path = "hosts/fault_judge.rs"]
mod fault_judge;
#[path = "hosts/fault_rounds.rs"]
mod fault_rounds;
#[path = "hosts/fault_scenes.rs"]
mod fault_scenes;
#[path = "hosts/faults.rs"]
mod faults;
#[path = "hosts/fleet.rs"]
mod fleet;
#[path = "hosts/fleet_ground.rs"]
mod fleet_ground;
#[path = "hosts/fleet_hosts.rs"]
mod fleet_hosts;
#[path = "hosts/fleet_people.rs"]
mod fleet_people;
#[path = "hosts/fleet_store.rs"]
mod fleet_store;
#[path = "hosts/fleet_words.rs"]
mod fleet_words;
#[path = "hosts/gate.rs"]
mod gate;
#[path = "hosts/gate_people.rs"]
mod gate_people;
#[path = "hosts/gate_ways.rs"]
mod gate_ways;
#[path = "hosts/ground.rs"]
mod ground;
#[path = "hosts/groups.rs"]
mod groups;
#[path = "hosts/harness.rs"]
mod harness;
#[path = "hosts/hooks.rs"]
mod hooks;
#[path = "hosts/hung.rs"]
mod hung;
#[path = "hosts/kernel_audit.rs"]
mod kernel_audit;
#[path = "hosts/log.rs"]
mod log;
#[path = "hosts/metrics.rs"]
mod metrics;
#[path = "hosts/module.rs"]
mod module;
#[path = "hosts/module_floods.rs"]
mod module_floods;
#[path = "hosts/module_traces.rs"]
mod module_traces;
#[path = "hosts/notices.rs"]
mod notices;
#[path = "hosts/output.rs"]
mod output;
#[path = "hosts/package.rs"]
mod package;
#[path = "hosts/parley.rs"]
mod parley;
#[path = "hosts/policy.rs"]
mod policy;
#[path = "hosts/polkit.rs"]
mod polkit;
#[path = "hosts/prompt.rs"]
mod prompt;
#[path = "hosts/publication.rs"]
mod publication;
#[path = "hosts/publish.rs"]
mod publish;
#[path = "hosts/record.rs"]
mod record;
#[path = "hosts/record_kept.rs"]
mod record_kept;
#[path = "hosts/requests.rs"]
mod requests;
#[path = "hosts/residue.rs"]
mod residue;
#[path = "hosts/review.rs"]
mod review;
#[path = "hosts/review_page.rs"]
mod review_page;
#[path = "hosts/run.rs"]
mod run;
#[path = "hosts/run0.rs"]
mod run0;
#[path = "hosts/session_places.rs"]
mod session_places;
#[path = "hosts/session_waits.rs"]
mod session_waits;
#[path = "hosts/sessions.rs"]
mod sessions;
#[path = "hosts/signed.rs"]
mod signed;
#[path = "hosts/signed_approvals.rs"]
mod signed_approvals;
#[path = "hosts/standing.rs"]
mod standing;
#[path = "hosts/state.rs"]
mod state;
#[path = "hosts/sudo_rule.rs"]
mod sudo_rule;
#[path = "hosts/sweep.rs"]
mod sweep;
#[path = "hosts/sync.rs"]
mod sync;
#[path = "hosts/sync_carrier.rs"]
mod sync_carrier;
#[path = "hosts/watch.rs"]
mod watch;
#[path = "hosts/watchdog.rs"]
mod watchdog;
#[path = "hosts/workflow.rs"]
mod workflow;
