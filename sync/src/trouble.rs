//! Why nothing came, in words for people: one line without anything that moves a cursor. Decides
//! nothing.

use std::io;

use rustls::CertificateError;
use stint_policy::text::harmless;
use ureq::{Error, Timeout};

/// One line for what went wrong.
pub fn words(error: &Error) -> String {
    match error {
        Error::HostNotFound => "the host's name was not found".to_owned(),
        Error::Timeout(Timeout::Resolve) => "looking up the host's name took too long".to_owned(),
        Error::Timeout(Timeout::Connect) => "connecting took longer than 10 s".to_owned(),
        Error::Timeout(_) => "it took longer than 30 s in all".to_owned(),
        Error::Rustls(error) => of_tls(error),
        Error::Io(error) => of_io(error),
        Error::LargeResponseHeader(..) => "the head of the answer is larger than 16 KiB".to_owned(),
        Error::ConnectProxyFailed(why) => format!("the proxy refuses: {}", harmless(why)),
        other => harmless(&other.to_string()),
    }
}

/// One line for what the kernel or a stream said.
pub(crate) fn of_io(error: &io::Error) -> String {
    if let Some(inner) = error.get_ref() {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return of_tls(tls);
        }
        if let Some(own) = inner.downcast_ref::<Error>() {
            return words(own);
        }
    }
    // std knows no kind for it.
    let text = error.to_string();
    if let Some(why) = text.strip_prefix("failed to lookup address information: ") {
        return format!("the host's name was not found: {}", harmless(why));
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the connection ended in the middle".to_owned(),
        io::ErrorKind::ConnectionRefused => "the server takes no connections".to_owned(),
        io::ErrorKind::TimedOut => "the server does not answer".to_owned(),
        _ => {
            // The kernel's words, without the number that the error's own text has.
            let errno = error.raw_os_error().map(nix::errno::Errno::from_raw);
            errno.map_or_else(|| harmless(&text), |errno| errno.desc().to_owned())
        }
    }
}

/// One line for what became of TLS.
pub(crate) fn of_tls(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(why) = error else {
        return format!("TLS: {}", harmless(&error.to_string()));
    };
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired, by this host's clock".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate does not count yet, by this host's clock".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "the server's certificate is signed by nobody whom this host believes".to_owned()
        }
        CertificateError::Revoked => "the server's certificate is revoked".to_owned(),
        other => {
            format!("the server's certificate is not believed: {}", harmless(&format!("{other:?}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_within_errors_are_found_and_nothing_moves_a_cursor() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = Error::Io(io::Error::other(tls));
        assert!(words(&wrapped).contains("nobody whom this host believes"));
        let deep = Error::Io(io::Error::other(Error::Timeout(Timeout::Global)));
        assert_eq!(words(&deep), "it took longer than 30 s in all");
        let told = words(&Error::ConnectProxyFailed("no\u{1b}[2J\n".to_owned()));
        assert_eq!(told, "the proxy refuses: no\\u{1b}[2J\\n");
        let lookup = "failed to lookup address information: Name or service not known";
        let told = words(&Error::Io(io::Error::other(lookup)));
        assert_eq!(told, "the host's name was not found: Name or service not known");
        let unreachable = io::Error::from_raw_os_error(nix::errno::Errno::ENETUNREACH as i32);
        assert_eq!(words(&Error::Io(unreachable)), "Network is unreachable");
    }
}
