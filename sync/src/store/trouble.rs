//! Why the store did not do what it was asked, in words for people: one line without anything that moves
//! a cursor. Decides nothing.

use std::error::Error;
use std::io;

use stint_policy::text::harmless;
use tonic::Code;

use crate::trouble::{of_io, of_tls};

/// One line for what went wrong with a call.
#[must_use]
pub fn words(error: &etcd_client::Error) -> String {
    match error {
        etcd_client::Error::GRpcStatus(status) => of_status(status),
        etcd_client::Error::TransportError(error) => of(error),
        other => harmless(&other.to_string()),
    }
}

/// What the store said, or what became of the connection.
fn of_status(status: &tonic::Status) -> String {
    if let Some(source) = status.source() {
        return of(source);
    }
    let text = harmless(status.message());
    match text.strip_prefix("etcdserver: ") {
        Some(why) => said(why),
        None if text.is_empty() => said(status.code().description()),
        None => text,
    }
}

/// What the store itself said.
pub(super) fn said(why: &str) -> String {
    format!("the store says: {why}")
}

/// Whether the connection is of no use any more, or its other end is none: then another one is to be made.
/// If not, it is the store's word on what was asked.
#[must_use]
pub fn is_lost(error: &etcd_client::Error) -> bool {
    match error {
        etcd_client::Error::GRpcStatus(status) => {
            status.source().is_some()
                || matches!(
                    status.code(),
                    Code::Unavailable
                        | Code::DeadlineExceeded
                        | Code::Cancelled
                        | Code::Unknown
                        | Code::Internal
                )
        }
        etcd_client::Error::TransportError(_) | etcd_client::Error::IoError(_) => true,
        _ => false,
    }
}

/// Whether what was asked for happened so long ago that the store has forgotten it.
#[must_use]
pub fn is_compacted(error: &etcd_client::Error) -> bool {
    let etcd_client::Error::GRpcStatus(status) = error else { return false };
    status.code() == Code::OutOfRange && status.message().contains("has been compacted")
}

/// The innermost reason that has words of its own here, or else the last one's own.
pub(super) fn of(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return of_tls(tls);
        }
        if let Some(found) = error.downcast_ref::<io::Error>()
            && (found.raw_os_error().is_some() || found.get_ref().is_none())
        {
            return of_io(found);
        }
        last = error;
        // An io::Error names what is behind its content, and not its content.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    harmless(&last.to_string())
}
