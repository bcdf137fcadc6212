//! The store of a fleet (etcd), as stint-sync reaches it: over TLS, with a certificate of its own. What
//! lies there is believed by nobody for lying there.

mod answers;
mod connect;
mod day;
mod head;
mod inbox;
mod offer;
mod once;
mod order;
mod pages;
mod reading;
mod run;
mod trouble;
mod troubled;
mod watch;

use std::future::Future;
use std::io;
use std::time::Duration;

use etcd_client::Error;
use tokio::runtime::{Builder, Runtime};

pub use crate::Level;
pub use connect::{SIZE_LIMIT, check, connect};
pub(crate) use day::DayLease;
pub use once::once;
pub use order::Span;
pub use pages::{Entry, Pages};
pub use run::run;
pub use trouble::{is_compacted, is_lost, words};
pub(crate) use watch::{Change, Heard, Start, Watch};

/// How long a call may take, from the first byte to the last.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// The one runtime of whatever speaks with a store: everything of it in the thread that it is given.
///
/// # Errors
/// When the kernel has no descriptor left for it.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A call that ends in time: a store that does not go on is none.
///
/// # Errors
/// The call's own, or that it took too long.
pub async fn within<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || {
        let text = "the store did not answer within 30 s";
        Error::GRpcStatus(tonic::Status::deadline_exceeded(text))
    };
    tokio::time::timeout(CALL_LIMIT, call).await.map_err(|_| late())?
}
