//! Single questions to the store: what lies below a key, and putting something there. A connection that
//! was lost since is made again, once for each question.

use etcd_client::{Client, Error, PutOptions};
use stint_policy::sync::Etcd;
use stint_proto::store::{self, Answer, Trouble};
use tonic::Code;

use super::Why;
use crate::store::{Entry, Pages, Span, connect, is_lost, within, words};

/// Asks the store, by a connection that is kept.
pub struct Asking {
    etcd: Etcd,
    client: Option<Client>,
}

impl Asking {
    /// Nothing is connected yet.
    pub fn new(etcd: Etcd) -> Self {
        Self { etcd, client: None }
    }

    /// Everything below a key, as it was at one revision.
    pub async fn get(&mut self, prefix: &str, most: usize) -> Result<Answer, Why> {
        self.call(async |client| {
            let mut pages = Pages::new(client, Span::below(prefix), 0);
            let mut entries = Vec::new();
            while let Some(page) = pages.next().await? {
                entries.extend(page.into_iter().map(|found| entry(found, most)));
            }
            Ok(Answer::Got { revision: pages.revision(), entries })
        })
        .await
    }

    /// Puts a value, on a lease where it is to go by itself.
    pub async fn put(
        &mut self,
        key: &str,
        value: &str,
        seconds: Option<u64>,
    ) -> Result<Answer, Why> {
        let too_long = |_| (Trouble::Failed, "it would lie there for too long".to_owned());
        let seconds = seconds.map(i64::try_from).transpose().map_err(too_long)?;
        self.call(async |client| {
            let lease = match seconds {
                None => None,
                Some(seconds) => Some(within(client.lease_grant(seconds, None)).await?.id()),
            };
            let options = lease.map(|lease| PutOptions::new().with_lease(lease));
            let put = within(client.put(key, value, options)).await;
            if put.is_err()
                && let Some(lease) = lease
            {
                // Nothing hangs on it; it goes by itself else.
                drop(within(client.lease_revoke(lease)).await);
            }
            put.map(|_| Answer::Done)
        })
        .await
    }

    /// Does it, and once more by a new connection where the old one turns out to be lost.
    async fn call(
        &mut self,
        does: impl AsyncFn(&mut Client) -> Result<Answer, Error>,
    ) -> Result<Answer, Why> {
        if let Some(client) = &mut self.client {
            match does(client).await {
                Err(error) if is_lost(&error) => self.client = None,
                done => return done.map_err(|error| why(&error)),
            }
        }
        let connected = connect(&self.etcd).await.map_err(|why| (Trouble::Away, why))?;
        does(self.client.insert(connected)).await.map_err(|error| why(&error))
    }
}

/// Why it was not done, for the command.
fn why(error: &Error) -> Why {
    let trouble = match error {
        Error::GRpcStatus(status)
            if matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated) =>
        {
            Trouble::Denied
        }
        error if is_lost(error) => Trouble::Away,
        _ => Trouble::Failed,
    };
    (trouble, words(error))
}

/// A key and its value as they are passed on.
pub fn entry(found: Entry, most: usize) -> store::Entry {
    let value = found.value.filter(|value| value.len() <= most);
    store::Entry {
        key: String::from_utf8_lossy(&found.key).into_owned(),
        value: value.and_then(|value| String::from_utf8(value).ok()),
    }
}
