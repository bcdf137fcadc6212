//! What people do at the store: root admits hosts, a publisher puts a document there.

use std::path::Path;
use std::time::Duration;

use etcd_client::{Client, Permission, PermissionType, UserAddOptions};
use serde_json::{Value, json};
use stint_proto::fleet;
use stint_sync::store;
use stint_tests::Deadline;
use stint_tests::clock::wall;
use tokio::task::JoinSet;

use super::{Places, name};

/// How many hosts are admitted at once.
const AT_ONCE: usize = 16;
/// How long a store that was killed may take to answer again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives the first so many hosts an account each, and a role with the rights of a host.
pub(crate) async fn admit(places: &Places, hosts: usize) -> Value {
    let began = wall();
    let mut workers = JoinSet::new();
    for first in 0..AT_ONCE {
        let client = connect(places, "root").await;
        workers.spawn_local(async move {
            for host in (first..hosts).step_by(AT_ONCE) {
                admit_one(client.clone(), &name(host)).await.expect("root may");
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.expect("it admits its share");
    }
    json!({ "took": super::micros(wall().saturating_sub(began)) })
}

async fn admit_one(mut client: Client, host: &str) -> Result<(), etcd_client::Error> {
    client.user_add(host, "", Some(UserAddOptions::new().with_no_pwd())).await?;
    client.role_add(host).await?;
    for (kind, prefix) in [
        (PermissionType::Read, fleet::FLEET.to_owned()),
        (PermissionType::Read, fleet::inbox(host)),
        (PermissionType::Readwrite, fleet::outbox(host)),
    ] {
        let permission = Permission::new(kind, prefix).with_prefix();
        client.role_grant_permission(host, permission).await?;
    }
    client.user_grant_role(host, host).await?;
    Ok(())
}

/// Puts a document where every host reads it; returns when it began to.
pub(crate) async fn publish(places: &Places, file: &str, document: Vec<u8>) -> Duration {
    let mut client = connect(places, "root").await;
    let name = Path::new(file).file_name().expect("a file").to_string_lossy();
    let key = format!("{}revocations/{name}", fleet::FLEET);
    let began = wall();
    client.put(key, document, None).await.expect("it may");
    began
}

/// How many entries the store's log has had: every change, each lease among them.
pub(crate) async fn raft_index(places: &Places) -> u64 {
    let mut client = connect(places, "root").await;
    client.status().await.expect("the store answers").raft_index()
}

/// Connects, again and again if nobody is there yet.
async fn connect(places: &Places, name: &str) -> Client {
    let etcd = places.settings(name, "1m").etcd.expect("it has a store");
    let deadline = Deadline::after(PATIENCE);
    loop {
        match store::connect(&etcd).await {
            Ok(client) => return client,
            Err(why) => assert!(!deadline.passed(), "{why}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
