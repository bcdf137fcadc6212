//! What changes below a key, told as it happens. A connection that is lost is made again, and the watch
//! goes on where it was; where that is no longer known to the store, it is said that changes were missed.

use std::time::Duration;

use stint_policy::sync::Etcd;
use stint_proto::store::{Answer, Trouble};
use tokio::sync::oneshot;

use super::ask::entry;
use super::{Why, tell};
use crate::chance;
use crate::store::{Change, Heard, Start, Watch, connect, words};

/// The first pause after a loss, in milliseconds; each is twice the one before, give or take a half.
const PAUSE: u64 = 500;
/// The longest.
const PAUSE_MOST: u64 = 15_000;

/// How a watch ended.
enum Ended {
    /// The connection is lost, or the store is.
    Lost(String),
    /// What was asked for is too long ago.
    Compacted,
    /// Nobody listens any more.
    Unheard,
}

/// Watches until the program ends. `begun` is told whether it has begun at all.
pub async fn run(
    etcd: Etcd,
    prefix: String,
    (after, most): (i64, usize),
    begun: oneshot::Sender<Result<(), Why>>,
) {
    let mut watching = Watching { etcd, prefix, most, from: after.saturating_add(1) };
    let mut watch = match watching.begin().await {
        // Whoever asked waits for it.
        Ok(watch) => {
            let _ = begun.send(Ok(()));
            watch
        }
        Err(why) => {
            let _ = begun.send(Err((Trouble::Away, why)));
            return;
        }
    };
    loop {
        match watching.follow(watch).await {
            Ended::Unheard => return,
            // It begins again with what is now, and whoever listens looks at everything.
            Ended::Compacted => {
                watching.from = 0;
                if !tell(&Answer::Anew) {
                    return;
                }
            }
            Ended::Lost(why) => {
                if !tell(&Answer::Lost(why)) {
                    return;
                }
            }
        }
        watch = watching.again().await;
        if !tell(&Answer::Found) {
            return;
        }
    }
}

struct Watching {
    etcd: Etcd,
    prefix: String,
    most: usize,
    /// The revision from which on changes are told; 0 for those that come from now on.
    from: i64,
}

impl Watching {
    async fn begin(&self) -> Result<Watch, String> {
        let client = connect(&self.etcd).await?;
        let start = Start { prefix: &self.prefix, revision: self.from };
        Watch::open(&client, &[start]).await.map_err(|error| words(&error))
    }

    /// Begins again, however long it takes; never at once, as the store may end it again.
    async fn again(&self) -> Watch {
        let mut pause = PAUSE;
        loop {
            let spread = u64::from(chance()) % pause;
            tokio::time::sleep(Duration::from_millis(pause / 2 + spread)).await;
            if let Ok(watch) = self.begin().await {
                return watch;
            }
            pause = pause.saturating_mul(2).min(PAUSE_MOST);
        }
    }

    async fn follow(&mut self, mut watch: Watch) -> Ended {
        loop {
            match watch.next().await {
                Ok(Heard::Changes { changes, revision, .. }) => {
                    self.from = revision;
                    if !changes.into_iter().all(|change| self.pass_on(change)) {
                        return Ended::Unheard;
                    }
                }
                Ok(Heard::Compacted) => return Ended::Compacted,
                Ok(Heard::Ended(why)) => return Ended::Lost(why),
                Err(error) => return Ended::Lost(words(&error)),
            }
        }
    }

    fn pass_on(&self, change: Change) -> bool {
        tell(&match change {
            Change::Put(found) => Answer::Put(entry(found, self.most)),
            Change::Deleted(key) => Answer::Deleted(String::from_utf8_lossy(&key).into_owned()),
        })
    }
}
