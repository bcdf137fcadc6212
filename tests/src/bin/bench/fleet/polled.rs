//! What comes over https: the same document from nginx, asked for by stint-sync's own code.

use std::time::Duration;

use serde_json::Value;
use stint_tests::clock::{pause, wall};

use super::carrier::FOLDER;
use super::{Fleet, Times, after, load};
use crate::table::Table;

/// How often each asks: as often as a thousand of them can from one machine.
const EVERY: Duration = Duration::from_secs(5);
/// Until each has asked for the first time, and some for the second.
const SETTLE: Duration = Duration::from_secs(8);

/// So many hosts ask, and a revocation is published once.
pub(super) fn polled(fleet: &mut Fleet<'_>, hosts: usize, table: &mut Table) {
    let publish = |fleet: &Fleet<'_>, document: usize| {
        fleet.carrier.host.ok(&format!(
            "cd /srv/www && cp {FOLDER}/signed/fleet-{document} .new && mv .new fleet.revoked"
        ));
        wall()
    };
    publish(fleet, 0);
    fleet.ask(&format!("poll {hosts} {}s", EVERY.as_secs()));
    pause(SETTLE);
    let looks = |fleet: &mut Fleet<'_>| {
        fleet.ask("looks").get("looks").and_then(Value::as_f64).expect("a number")
    };
    let (asked, start) = (looks(fleet), load::of(fleet.carrier.host, "nginx"));
    fleet.ask(&format!("expect {FOLDER}/signed/fleet-1"));
    let published = publish(fleet, 1);
    let times = Times(after(&fleet.ask(&format!("wait {hosts}")), published));
    let (asked, end) = (looks(fleet) - asked, load::of(fleet.carrier.host, "nginx"));
    fleet.ask("stop");
    let every = EVERY.as_secs_f64() * 1000.0;
    table.row(&format!("{hosts} ask a web server: half have it after"), times.share(50) / every);
    table.row("  99 of 100, in intervals", times.share(99) / every);
    table.row("  all, in intervals", times.last() / every);
    table.row("  nginx for a look, µs of a core", (end.cpu - start.cpu) / asked);
    table.row("    bytes on the wire", (end.wire - start.wire) / asked);
}
