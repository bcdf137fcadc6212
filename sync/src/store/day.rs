//! A lease of a day that many things share: each alone would cost the store more than the thing.

use std::time::Duration;

use etcd_client::{Client, Error};

use super::within;
use crate::clock;

/// How long what is put on it stays at the least, in seconds: a day.
const KEPT: i64 = 86_400;
/// For how long new things are put on the same one, in seconds.
const USED: i64 = 3_600;

/// The one that is used now.
#[derive(Debug, Default)]
pub(crate) struct DayLease {
    /// Its number, and since when it is used.
    used: Option<(i64, Duration)>,
}

impl DayLease {
    /// Its number.
    ///
    /// # Errors
    /// When the store does not give one.
    pub(crate) async fn id(&mut self, client: &Client) -> Result<i64, Error> {
        let now = clock::since_boot();
        if let Some((id, since)) = self.used
            && now.saturating_sub(since).as_secs() < USED.unsigned_abs()
        {
            return Ok(id);
        }
        let id = within(client.lease_client().grant(KEPT + USED, None)).await?.id();
        self.used = Some((id, now));
        Ok(id)
    }

    /// It may be gone: the next thing is put on another one.
    pub(crate) fn forget(&mut self) {
        self.used = None;
    }
}
