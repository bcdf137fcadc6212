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

/// Whether the connection ended before the store said anything.
pub(super) fn is_cut(error: &etcd_client::Error) -> bool {
    matches!(error, etcd_client::Error::GRpcStatus(status) if status.source().is_some())
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
    match last.to_string().as_str() {
        "Timeout expired" => "the store does not answer".to_owned(),
        "connection closed" => "the connection was closed".to_owned(),
        other => harmless(other),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    /// An error behind which there is another.
    #[derive(Debug)]
    struct Behind(Box<dyn Error + Send + Sync>);

    impl fmt::Display for Behind {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("transport error")
        }
    }

    impl Error for Behind {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn the_innermost_reason_is_told_and_nothing_moves_a_cursor() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let deep = Behind(Box::new(Behind(Box::new(io::Error::other(tls)))));
        assert!(of(&deep).contains("nobody whom this host believes"), "{}", of(&deep));
        let refused = Behind(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)));
        assert_eq!(of(&refused), "the server takes no connections");
        let strange = Behind(Box::new(io::Error::other("no\u{1b}[2J")));
        assert_eq!(of(&strange), "no\\u{1b}[2J");
    }

    #[test]
    fn what_the_store_says_is_its_word_and_all_else_a_connection_that_is_lost() {
        let said = |code, text: &str| {
            etcd_client::Error::GRpcStatus(tonic::Status::new(code, text.to_owned()))
        };
        let denied = said(Code::PermissionDenied, "etcdserver: permission denied");
        assert_eq!(words(&denied), "the store says: permission denied");
        assert!(!is_lost(&denied) && !is_compacted(&denied) && !is_cut(&denied));
        let text = "etcdserver: mvcc: required revision has been compacted";
        assert!(is_compacted(&said(Code::OutOfRange, text)));
        assert!(!is_lost(&said(Code::OutOfRange, text)));
        assert!(is_lost(&said(Code::Unavailable, "etcdserver: no leader")));
        let broken = tonic::Status::from_error(Box::new(Behind("Timeout expired".into())));
        let broken = etcd_client::Error::GRpcStatus(broken);
        assert!(is_lost(&broken) && is_cut(&broken));
        assert_eq!(words(&broken), "the store does not answer");
    }
}
