//! Hosts that follow the store as stint-sync does, by its own code. What stands for stintd verifies a
//! document, notes when it had it, and does nothing.

use std::sync::Arc;
use std::time::Duration;

use stint_document::{Signers, Times, read, verify};
use stint_proto::{Length, Publication, Timestamp};
use stint_sync::follow::Outcome;
use stint_sync::{Level, stintd, store};
use stint_tests::clock::wall;
use tokio::task::{JoinHandle, spawn_local};

use super::tally::Tally;
use super::{Places, micros, name};

/// The version of all that they publish.
const VERSION: u64 = 1;

/// Who may sign.
pub(crate) struct Verifier(Signers);

impl Verifier {
    /// Reads who may, as OpenSSH writes it.
    pub(crate) fn new(signers: &str) -> Self {
        let signers = Signers::read("allowed_signers", signers, &jiff::tz::TimeZone::UTC);
        assert!(signers.problems().is_empty(), "{:?}", signers.problems());
        Self(signers)
    }

    /// As stintd does, up to the point where the account database would be asked.
    pub(crate) fn verify(&self, document: &[u8]) -> Result<(), String> {
        let verified =
            verify(document, &self.0, Times::at(now())).map_err(|why| why.to_string())?;
        read(&verified, "policy").map(drop).map_err(|why| why.to_string())
    }
}

fn now() -> Timestamp {
    Timestamp::from_micros(i64::try_from(micros(wall())).expect("a time of this age of the world"))
}

/// What stands for the stintd of one host.
struct Daemon {
    host: usize,
    verifier: Arc<Verifier>,
    tally: Arc<Tally>,
    since: Timestamp,
}

impl stintd::Daemon for Daemon {
    async fn deliver(&self, _: &str, document: &[u8]) -> Outcome {
        // Others have their turn before: on hosts of their own nobody would hold up their connections.
        tokio::task::yield_now().await;
        match self.verifier.verify(document) {
            Err(why) => Outcome::Refused(why),
            Ok(()) => {
                self.tally.note(self.host, document);
                Outcome::Taken(String::new())
            }
        }
    }

    async fn report(&self, _: &str, _: &str) -> Result<(), Outcome> {
        Ok(())
    }

    /// It never is.
    async fn restarted(&self) {
        std::future::pending().await
    }

    /// It never has anything to publish but that it is there.
    async fn publication(&self, seen: u64, seconds: u64) -> Result<Publication, String> {
        if seen == VERSION {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        Ok(Publication {
            version: VERSION,
            host: name(self.host),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.since,
            serial: None,
            publish: false,
            requests: Vec::new(),
            grants: Vec::new(),
            ended: Vec::new(),
            left_out: 0,
        })
    }
}

/// Starts the host of this number.
pub(crate) fn start(
    places: &Places,
    host: usize,
    verifier: &Arc<Verifier>,
    tally: &Arc<Tally>,
) -> JoinHandle<()> {
    let etcd = places.settings(&name(host), "1m").etcd.expect("it has a store");
    let daemon = Daemon { host, verifier: verifier.clone(), tally: tally.clone(), since: now() };
    spawn_local(async move {
        // That a store which was killed is away is no news here.
        let say = |_: Level, _: &str| {};
        let every = Length::from_seconds(60).expect("a minute");
        match store::run(&etcd, every, &daemon, &say).await {}
    })
}
