//! Many hosts and one carrier: how long a revocation takes to all of them, what each host costs the
//! store, and how both grow with the number of hosts. Two hosts are booted ones, on which a membership
//! ends; the others are simulated in one process on the carrier ([`crate::simulate`]).

mod carrier;
mod load;
mod polled;
mod real;
mod stored;

use std::time::Duration;

use serde_json::Value;
use stint_tests::{Dialogue, Network, Suite};

use crate::table::Table;
use carrier::Carrier;
use real::Real;

/// How many hosts there are, the real ones among them.
const SIZES: [usize; 3] = [10, 100, 1000];
/// How many revocations are timed with each number of hosts.
const REVOCATIONS: usize = 20;
/// How many more documents there are for each: one by which it is known that all follow, one after etcd
/// was killed, one by which it is known that all watch.
const MORE: usize = 3;
/// What the simulation may take to answer; it gives up before.
const PATIENCE: Duration = Duration::from_secs(660);

/// The whole part.
pub(crate) fn measure(suite: Suite, table: &mut Table) {
    let mut names = vec![carrier::NAME];
    names.extend(real::NAMES);
    let network = Network::of(&names);
    let host = carrier::boot(suite, &network);
    let carrier = Carrier::open(&host);
    let documents = SIZES.len() * (REVOCATIONS + MORE);
    let real = real::NAMES.map(|name| Real::boot(suite, &network, name, documents));
    let [first, _] = &real;
    let signer = first.signer();
    first.sign(documents, &carrier);
    carrier.host.write(&format!("{}/allowed_signers", carrier::FOLDER), "0644", &signer);
    for host in &real {
        host.follow(&carrier, &signer);
    }
    let mut fleet = Fleet {
        simulation: carrier.simulation(SIZES.into_iter().max().unwrap_or_default() - real.len()),
        carrier,
        real,
        next: 0,
    };
    let mut before = None;
    for hosts in SIZES {
        before = Some(stored::followed(&mut fleet, hosts, before, table));
    }
    fleet.ask("stop");
    for hosts in SIZES {
        stored::watched(&mut fleet, hosts, table);
    }
    fleet.ask("stop");
    for hosts in SIZES {
        polled::polled(&mut fleet, hosts, table);
    }
}

/// All that plays a part.
struct Fleet<'a> {
    carrier: Carrier<'a>,
    simulation: Dialogue,
    real: [Real; 2],
    /// The number of the document that has not been used yet, and of the account that it is about.
    next: usize,
}

impl Fleet<'_> {
    /// Has the simulation do something, and returns what it says of it.
    fn ask(&mut self, line: &str) -> Value {
        let said = self.simulation.ask(line, PATIENCE);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{line}: {said:?}: {error}"))
    }

    /// How many of so many hosts are simulated.
    fn simulated(&self, hosts: usize) -> usize {
        hosts - self.real.len()
    }

    /// The next document: the number of its account, and where it is on the carrier.
    fn document(&mut self) -> (usize, String) {
        let account = self.next;
        self.next += 1;
        (account, format!("{}/signed/fleet-{account}", carrier::FOLDER))
    }

    /// Removes all documents from the store.
    fn forget(&mut self) {
        let said = self.carrier.store.ctl("del --prefix /stint/1/fleet/");
        assert!(said.ok(), "{said}");
    }
}

/// Times in milliseconds, in order.
#[derive(Debug, Default)]
struct Times(Vec<f64>);

impl Times {
    /// The time by which this share of them, in hundredths, is over.
    fn share(&self, share: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let index = (sorted.len() * share).div_ceil(100).saturating_sub(1);
        sorted.get(index).copied().expect("times")
    }

    /// The last of them.
    fn last(&self) -> f64 {
        self.share(100)
    }
}

/// What the simulation says of times, in milliseconds after `began`.
fn after(said: &Value, began: Duration) -> Vec<f64> {
    let times = said.as_array().unwrap_or_else(|| panic!("{said} is no list"));
    let micros = |time: &Value| time.as_f64().unwrap_or_else(|| panic!("{said} is no time"));
    times.iter().map(|time| micros(time) / 1000.0 - began.as_secs_f64() * 1000.0).collect()
}

/// When the simulation put a document, by its word.
fn moment(said: &Value) -> Duration {
    let at = said.get("at").and_then(Value::as_u64);
    Duration::from_micros(at.unwrap_or_else(|| panic!("{said} is no time")))
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn a_share_of_times_is_over_by_the_time_of_the_last_of_it() {
        let times = Times((1..=200_u32).rev().map(f64::from).collect());
        let found = [50, 99, 100].map(|share| times.share(share).to_bits());
        assert_eq!(found, [100.0, 198.0, 200.0].map(f64::to_bits));
        assert_eq!(Times(vec![7.0]).share(50).to_bits(), 7.0_f64.to_bits());
    }
}
