//! What a host says of itself in a store: reading it, and writing it in transactions.

use etcd_client::{Client, Error, PutOptions, Txn, TxnOp};
use stint_proto::fleet::outbox;

use super::book::{Failed, Shelf};
use super::outbox::{Change, Texts, is_ours};
use crate::store::{DayLease, Pages, Span, is_lost, within, words};

/// The most that is read of what lies there, in bytes: several times of what is written.
const READ_LIMIT: usize = 48 * 1024 * 1024;

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match is_lost(&error) {
            true => Self::Lost(words(&error)),
            false => Self::Refused(words(&error)),
        }
    }
}

/// Over one connection.
pub struct Place<'a> {
    client: &'a Client,
    /// On what a decision is put: it goes by itself where nobody is left to take it away.
    lease: DayLease,
}

impl<'a> Place<'a> {
    /// Over this connection.
    pub fn new(client: &'a Client) -> Self {
        Self { client, lease: DayLease::default() }
    }
}

impl Shelf for Place<'_> {
    async fn read(&mut self, host: &str) -> Result<Texts, Failed> {
        let mut pages = Pages::new(self.client, Span::below(&outbox(host)), 0);
        let mut texts = Texts::new();
        let mut bytes = 0_usize;
        while let Some(page) = pages.next().await? {
            for entry in page {
                let key = String::from_utf8_lossy(&entry.key).into_owned();
                if is_ours(host, &key) {
                    let value = entry.value.unwrap_or_default();
                    bytes = bytes.saturating_add(key.len() + value.len());
                    if bytes > READ_LIMIT {
                        return Err(Failed::Refused(format!(
                            "below {} lies more than a host writes; remove it there",
                            outbox(host)
                        )));
                    }
                    texts.insert(key, String::from_utf8_lossy(&value).into_owned());
                }
            }
        }
        Ok(texts)
    }

    async fn write(&mut self, changes: &[Change]) -> Result<(), Failed> {
        let goes_by_itself =
            |change: &Change| matches!(change, Change::Put { for_a_day: true, .. });
        let lease = match changes.iter().any(goes_by_itself) {
            true => Some(self.lease.id(self.client).await?),
            false => None,
        };
        let steps: Vec<TxnOp> = changes.iter().map(|change| step(change, lease)).collect();
        let done = within(self.client.kv_client().txn(Txn::new().and_then(steps))).await;
        if done.is_err() {
            // It may be the lease that is gone.
            self.lease.forget();
        }
        Ok(done.map(drop)?)
    }
}

fn step(change: &Change, lease: Option<i64>) -> TxnOp {
    match change {
        Change::Put { key, text, for_a_day } => {
            let lease = lease.filter(|_| *for_a_day);
            let options = lease.map(|lease| PutOptions::new().with_lease(lease));
            TxnOp::put(key.as_str(), text.as_str(), options)
        }
        Change::Delete { key } => TxnOp::delete(key.as_str(), None),
    }
}
