//! The store of a fleet (etcd), as stint-sync reaches it: over TLS, with a certificate of its own. What
//! lies there is believed by nobody for lying there.

mod connect;
mod trouble;

use std::io;

use tokio::runtime::{Builder, Runtime};

pub use connect::{SIZE_LIMIT, check, connect};
pub use trouble::words;

/// The one runtime of whatever speaks with a store: everything of it in the thread that it is given.
///
/// # Errors
/// When the kernel has no descriptor left for it.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
