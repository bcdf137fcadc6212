//! The sign that a host is there: a key on a lease that is kept alive. Who kills the host, cuts its network
//! or stops its stintd takes it away within half a minute.

use std::time::Duration;

use etcd_client::{Client, PutOptions};
use stint_proto::fleet::{ALIVE, outbox};
use tokio::sync::watch::Receiver;
use tokio::time::{sleep, timeout};

use super::book::Failed;
use crate::store::within;

/// How long the key stays without a word, in seconds.
const LEASE: i64 = 30;
/// How often the lease is kept alive; the store writes nothing for it.
const EVERY: Duration = Duration::from_secs(10);
/// How long until it is tried again where the store refuses; whoever writes the rest tells of it.
const REFUSED: Duration = Duration::from_secs(30);

/// Keeps the key there while stintd answers, under the host's name that it says; until the connection is
/// lost, and then says why.
pub async fn keep(client: &Client, mut answers: Receiver<Option<String>>) -> String {
    loop {
        let Ok(host) = answers.wait_for(Option::is_some).await.map(|host| host.clone()) else {
            return "nobody says whether stintd answers".to_owned();
        };
        match keep_one(client, &mut answers, &host.unwrap_or_default()).await {
            Ok(()) => {}
            Err(Failed::Refused(_)) => sleep(REFUSED).await,
            Err(Failed::Lost(why)) => return why,
        }
    }
}

/// Until the lease is over, as after a while without stintd.
async fn keep_one(
    client: &Client,
    answers: &mut Receiver<Option<String>>,
    host: &str,
) -> Result<(), Failed> {
    let mut leases = client.lease_client();
    let lease = within(leases.grant(LEASE, None)).await?.id();
    let options = PutOptions::new().with_lease(lease);
    let key = format!("{}{ALIVE}", outbox(host));
    within(client.kv_client().put(key, "1", Some(options))).await?;
    loop {
        // The time is over, or stintd has come or gone.
        drop(timeout(EVERY, answers.changed()).await);
        match answers.borrow_and_update().as_deref() {
            Some(name) if name == host => {}
            Some(_) => return Ok(()),
            None => continue,
        }
        // A lease that is over is an error of the client's own; the store says so itself.
        if within(leases.keep_alive(lease)).await.is_err()
            && within(leases.time_to_live(lease, None)).await?.ttl() <= 0
        {
            return Ok(());
        }
    }
}
