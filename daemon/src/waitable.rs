//! Descriptors of the kernel that tokio can wait on: timers, watches. Knows nothing of what they say.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use tokio::io::unix::AsyncFd;

/// Something that owns a descriptor.
#[derive(Debug)]
pub struct Waitable<T>(pub T);

impl<T: AsFd> AsRawFd for Waitable<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Lets tokio wait until it can be read.
///
/// # Errors
/// When the kernel does not take it.
#[expect(
    deprecated,
    reason = "its successor is unsafe because a type's as_raw_fd could lie; this one's is the \
              descriptor that the value itself owns"
)]
pub fn waitable<T: AsFd>(inner: T) -> io::Result<AsyncFd<Waitable<T>>> {
    AsyncFd::new(Waitable(inner))
}
