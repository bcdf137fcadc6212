//! Hosts that only watch: a connection, an account, a look and a watch, and nothing is verified, kept up
//! or said of themselves. The floor for what stint-sync does.

use std::sync::Arc;

use etcd_client::{GetOptions, WatchOptions};
use stint_proto::fleet;
use stint_sync::store;
use tokio::task::{JoinHandle, spawn_local};

use super::tally::Tally;
use super::{Places, name};

/// Starts the host of this number.
pub(crate) fn start(places: &Places, host: usize, tally: &Arc<Tally>) -> JoinHandle<()> {
    let etcd = places.settings(&name(host), "1m").etcd.expect("it has a store");
    let tally = tally.clone();
    spawn_local(async move {
        let mut client = store::connect(&etcd).await.expect("the store is there");
        let options = GetOptions::new().with_prefix();
        let there = client.get(fleet::FLEET, Some(options)).await.expect("it may");
        for value in there.kvs() {
            tally.note(host, value.value());
        }
        let next = there.header().expect("each answer has one").revision() + 1;
        let options = WatchOptions::new().with_prefix().with_start_revision(next);
        let mut watch = client.watch(fleet::FLEET, Some(options)).await.expect("it may");
        while let Ok(Some(answer)) = watch.message().await {
            for value in answer.events().iter().filter_map(|event| event.kv()) {
                tally.note(host, value.value());
            }
        }
    })
}
