//! Whose word for a server's name is believed: the certificates of a file. Read anew for each fetch,
//! so that a list that was replaced counts at once. Judges no certificate itself.

use std::path::{Path, PathBuf};

use stint_hostfiles::{ReadError, read_plain};
use stint_policy::text::harmless;
use ureq::tls::{Certificate, PemItem, parse_pem};

/// Where distributions keep the list of authorities that a host believes, as one file: Debian and
/// those that follow it, Fedora and its family, SUSE.
const HOST_LISTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// Reads the certificates of `file`, or of the host's own list; never none.
///
/// # Errors
/// With one line that says which file, and why there is nothing to believe.
pub fn read(file: Option<&Path>) -> Result<Vec<Certificate<'static>>, String> {
    let Some(path) = file else { return read_first(&HOST_LISTS.map(PathBuf::from)) };
    read_named(path, "ca_file")
}

/// Reads the certificates of a file that a key of the settings names; never none.
///
/// # Errors
/// As [`read`].
pub fn read_named(path: &Path, key: &str) -> Result<Vec<Certificate<'static>>, String> {
    read_file(path).map_err(|error| format!("{key}: {error}"))
}

/// Of the first of these that is there.
fn read_first(lists: &[PathBuf]) -> Result<Vec<Certificate<'static>>, String> {
    for path in lists {
        match read_plain(path) {
            Err(ReadError::Missing { .. }) => {}
            _ => return read_file(path),
        }
    }
    Err("this host has no list of authorities to believe; install ca-certificates, or name a \
         ca_file"
        .to_owned())
}

fn read_file(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let name = harmless(&path.to_string_lossy());
    let file = read_plain(path).map_err(|error| match error {
        ReadError::TooBig { .. } => format!("{name}: it is larger than 1 MiB"),
        other => other.to_string(),
    })?;
    let mut found = Vec::new();
    for item in parse_pem(file.text.as_bytes()) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(format!("{name}: it is no list of certificates (PEM)")),
        }
    }
    if found.is_empty() {
        return Err(format!("{name}: there is no certificate (PEM) in it"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_no_reason_to_believe_anybody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let read_path = || read(Some(&path)).unwrap_err();
        assert!(read_path().contains("there is no such file"), "{}", read_path());
        std::fs::write(&path, "nothing\n").unwrap();
        assert!(read_path().contains("there is no certificate"), "{}", read_path());
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n")
            .unwrap();
        assert!(read_path().contains("no list of certificates"), "{}", read_path());
        std::fs::write(&path, vec![b'x'; 1024 * 1024 + 1]).unwrap();
        assert!(read_path().contains("larger than 1 MiB"), "{}", read_path());
        assert!(read_path().starts_with("ca_file: "));
    }

    #[test]
    fn the_first_list_that_is_there_is_the_hosts() {
        let folder = tempfile::tempdir().unwrap();
        let lists = [folder.path().join("a"), folder.path().join("b")];
        assert!(read_first(&lists).unwrap_err().contains("ca-certificates"));
        std::fs::write(&lists[1], "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();
        assert_eq!(read_first(&lists).unwrap().len(), 1);
        std::fs::write(&lists[0], "").unwrap();
        assert!(read_first(&lists).unwrap_err().contains("there is no certificate"));
    }
}
