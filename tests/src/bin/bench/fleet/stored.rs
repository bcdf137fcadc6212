//! What comes over the store: by stint-sync's own code, and beside it to those who only watch.

use std::time::Duration;

use stint_tests::clock::pause;

use super::load::{self, Load};
use super::{Fleet, REVOCATIONS, Times, after, moment};
use crate::table::Table;

/// How long the store is watched while nothing happens.
const REST: Duration = Duration::from_secs(12);
/// How long the store has after something has come to all hosts: by then all have answered it.
const CALM: Duration = Duration::from_secs(6);
/// How many hosts come at once.
const AT_ONCE: usize = 100;
/// How long it is away after it was killed.
const AWAY: Duration = Duration::from_secs(3);
/// The service.
const ETCD: &str = "etcd";

/// What was found with one number of hosts, for the next to be held against.
pub(super) struct Found {
    hosts: usize,
    last: f64,
    memory: f64,
}

/// So many hosts follow: revocations, rest, and a store that is killed.
pub(super) fn followed(
    fleet: &mut Fleet<'_>,
    hosts: usize,
    before: Option<Found>,
    table: &mut Table,
) -> Found {
    let connected = come(fleet, "follow", hosts);
    eprintln!("bench: {hosts} hosts follow the store");
    let many = f64::from(u32::try_from(hosts).expect("few"));
    let revocations = f64::from(u32::try_from(REVOCATIONS).expect("few"));
    pause(CALM);
    let (raft, start) = (fleet.raft(), fleet.load());
    let (verified, lasts, ended) = revoke(fleet, hosts);
    pause(CALM);
    let end = fleet.load();
    let entries = fleet.raft() - raft;
    table.row(&format!("{hosts} hosts: verified after, ms"), verified.share(50));
    table.row("  99 of 100, ms", verified.share(99));
    let last = lasts.share(50);
    table.row("  by all, ms", last);
    if let Some(before) = &before {
        table.row(&format!("  beside {} hosts", before.hosts), last / before.last);
    }
    table.row("  a membership is gone after, ms", ended.share(50));
    table.row("  the latest, ms", ended.last());
    let cpu = (end.cpu - start.cpu) / revocations;
    table.row("  etcd for a revocation, ms of a core", cpu / 1000.0);
    table.row("    for each host, µs", cpu / many);
    table.row("    entries of its log, for each host", entries / revocations / many);
    table.row("    bytes on the wire, for each host", (end.wire - start.wire) / revocations / many);
    let memory = rest(fleet, many, before.as_ref(), table);
    table.row("  a host that comes, ms of a core", connected);
    killed(fleet, hosts, table);
    Found { hosts, last, memory }
}

/// Has hosts come, some at a time, until there are so many and all follow; how long a core worked for
/// each at the store, in milliseconds.
fn come(fleet: &mut Fleet<'_>, how: &str, hosts: usize) -> f64 {
    let simulated = fleet.simulated(hosts);
    // They find one document, whatever was there before.
    fleet.forget();
    let (account, document) = fleet.document();
    fleet.ask(&format!("put {document}"));
    let start = fleet.load();
    let mut came = 0.0;
    for some in (0..simulated).step_by(AT_ONCE).skip(1).chain([simulated]) {
        let said = fleet.ask(&format!("{how} {some}"));
        came += said.get("came").and_then(serde_json::Value::as_f64).expect("a number");
        fleet.ask(&format!("wait {some}"));
    }
    fleet.ended(account);
    (fleet.load().cpu - start.cpu) / came / 1000.0
}

/// Puts revocations, one after the other: when each simulated host had verified each, when the last had,
/// and when the membership was gone on the real ones; all after it was put, in milliseconds.
fn revoke(fleet: &mut Fleet<'_>, hosts: usize) -> (Times, Times, Times) {
    let simulated = fleet.simulated(hosts);
    let (mut all, mut lasts, mut ended) = (Times::default(), Times::default(), Times::default());
    for _ in 0..REVOCATIONS {
        let (account, document) = fleet.document();
        let put = moment(&fleet.ask(&format!("put {document}")));
        let verified = Times(after(&fleet.ask(&format!("wait {simulated}")), put));
        lasts.0.push(verified.last());
        all.0.extend(verified.0);
        for gone in fleet.ended(account) {
            ended.0.push((gone.as_secs_f64() - put.as_secs_f64()) * 1000.0);
        }
    }
    (all, lasts, ended)
}

/// What hosts cost that are merely there.
fn rest(fleet: &mut Fleet<'_>, many: f64, before: Option<&Found>, table: &mut Table) -> f64 {
    let start = fleet.load();
    pause(REST);
    let end = fleet.load();
    let minutes = REST.as_secs_f64() / 60.0;
    let share = (end.cpu - start.cpu) / REST.as_secs_f64() / 10_000.0;
    table.row("  etcd at rest, % of a core", share);
    table.row("    for each host and minute, ms", (end.cpu - start.cpu) / 1000.0 / minutes / many);
    table.row("    bytes for each host and minute", (end.wire - start.wire) / minutes / many);
    table.row("    memory, MB", end.memory);
    if let Some(before) = before {
        let more = many - f64::from(u32::try_from(before.hosts).expect("few"));
        table.row("    for each more host, KB", (end.memory - before.memory) * 1024.0 / more);
    }
    table.row("    open files", end.files);
    end.memory
}

/// The store is killed, and all come back.
fn killed(fleet: &mut Fleet<'_>, hosts: usize, table: &mut Table) {
    let simulated = fleet.simulated(hosts);
    let (account, document) = fleet.document();
    let started = fleet.carrier.kill(AWAY);
    fleet.ask(&format!("put {document}"));
    let times = Times(after(&fleet.ask(&format!("wait {simulated}")), started));
    fleet.ended(account);
    table.row("  after a kill: half follow again after, s", times.share(50) / 1000.0);
    table.row("    99 of 100, s", times.share(99) / 1000.0);
    table.row("    all, s", times.last() / 1000.0);
    eprintln!("bench: {hosts} hosts are back");
    let cpu = fleet.load().cpu / 1000.0 / f64::from(u32::try_from(hosts).expect("few"));
    table.row("    etcd meanwhile, ms of a core a host", cpu);
}

/// So many only watch.
pub(super) fn watched(fleet: &mut Fleet<'_>, hosts: usize, table: &mut Table) {
    let simulated = fleet.simulated(hosts);
    let connected = come(fleet, "watch", hosts);
    let start = fleet.load();
    let (mut all, mut lasts) = (Times::default(), Times::default());
    for document in 0..REVOCATIONS {
        let file = format!("{}/signed/fleet-{document}", super::carrier::FOLDER);
        let put = moment(&fleet.ask(&format!("put {file}")));
        let had = Times(after(&fleet.ask(&format!("wait {simulated}")), put));
        lasts.0.push(had.last());
        all.0.extend(had.0);
    }
    table.row(&format!("{hosts} bare watchers: there after, ms"), all.share(50));
    table.row("  99 of 100, ms", all.share(99));
    let hosts = f64::from(u32::try_from(hosts * REVOCATIONS).expect("few"));
    table.row("  with all, ms", lasts.share(50));
    table.row("  etcd for each, µs", (fleet.load().cpu - start.cpu) / hosts);
    table.row("  one that comes, ms of a core", connected);
}

impl Fleet<'_> {
    fn load(&self) -> Load {
        load::of(self.carrier.host, ETCD)
    }

    /// How many entries the store's log has had.
    fn raft(&mut self) -> f64 {
        self.ask("raft").get("index").and_then(serde_json::Value::as_f64).expect("an index")
    }

    /// When the account's membership was gone on each real host.
    fn ended(&self, account: usize) -> Vec<Duration> {
        self.real.iter().map(|host| host.ended(account)).collect()
    }
}
