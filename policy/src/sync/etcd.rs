//! `[etcd]`: a store that is reached over TLS with a certificate of one's own. The same table in sync.toml
//! and in a person's fleet.toml. Reads none of the files that it names.

use std::path::PathBuf;

use super::EndpointUrl;
use crate::language::{Key, Kind, key};

/// The most members of a store that are named.
pub const ENDPOINTS_LIMIT: usize = 8;

/// A store, and how it is known that it is the one meant and that we are we.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etcd {
    /// Its members, in the order of the file; never empty, none twice.
    pub endpoints: Vec<EndpointUrl>,
    /// Certificates of the authorities that are believed for it, and no others.
    pub ca_file: PathBuf,
    /// Our certificate; its name (CN) is our account there.
    pub cert_file: PathBuf,
    /// The key to it.
    pub key_file: PathBuf,
}

/// The keys of the table.
pub(crate) const KEYS: [Key; 5] = [
    key("etcd", Kind::Table, "none", "{ … }")
        .doc("A store that is followed: what is put there for this host arrives at once."),
    key("etcd.endpoints", Kind::Texts, "", "[\"https://etcd-1.example.com:2379\"]")
        .doc("Its members: https, a name and a port. 8 at most; one that answers is enough.")
        .required(),
    key("etcd.ca_file", Kind::Text, "", "\"/etc/stint/etcd-ca.pem\"")
        .doc(
            "Certificates (PEM) of the authorities that are believed for the store; no others are.",
        )
        .required(),
    key("etcd.cert_file", Kind::Text, "", "\"/etc/stint/etcd-client.pem\"")
        .doc("The certificate (PEM) that is shown to the store; its CN is the account there.")
        .required(),
    key("etcd.key_file", Kind::Text, "", "\"/etc/stint/etcd-client.key\"")
        .doc("The key to it (PEM), which nobody else may read.")
        .required(),
];

#[cfg(test)]
mod tests {
    use crate::sync::tests::read;

    const FILES: &str = "ca_file = \"/ca\"\ncert_file = \"/cert\"\nkey_file = \"/key\"\n";

    #[test]
    fn a_store_alone_is_enough() {
        let text = format!("[etcd]\nendpoints = [\"https://a:2379\", \"https://b/\"]\n{FILES}");
        let settings = read(&text).unwrap();
        let etcd = settings.etcd.unwrap();
        assert!(settings.urls.is_empty());
        assert_eq!(
            etcd.endpoints.iter().map(|one| one.as_str()).collect::<Vec<_>>(),
            ["https://a:2379", "https://b"]
        );
        assert_eq!(etcd.key_file, std::path::Path::new("/key"));
    }

    #[test]
    fn everything_that_is_wrong_with_it_is_told_at_once() {
        let told = read(
            "[etcd]\nendpoints = [\"http://a:2379\", \"https://b\", \"https://b/\", \"https://c/v3\"]\n\
             ca_file = \"ca.pem\"\ncert_file = \"~/x\"\nendpoint = 1\n",
        )
        .unwrap_err();
        for wanted in [
            "2:14: etcd.endpoints: \"http://a:2379\" is no address",
            "2:44: etcd.endpoints: this address stands here twice",
            "2:58: etcd.endpoints: \"https://c/v3\" is no address",
            "3:11: etcd.ca_file: this path is not absolute",
            "4:13: etcd.cert_file: this path is not absolute",
            "5:1: etcd.endpoint: unknown key",
            "1:2: etcd.key_file: missing",
        ] {
            assert!(told.contains(wanted), "{wanted}\n{told}");
        }
        let many: Vec<String> = (0..9).map(|n| format!("\"https://a{n}\"")).collect();
        for (text, wanted) in [
            ("etcd = 7".to_owned(), "is no table"),
            (format!("[etcd]\nendpoints = []\n{FILES}"), "there is nobody to ask"),
            (format!("[etcd]\nendpoints = [{}]\n{FILES}", many.join(",")), "too many"),
        ] {
            let told = read(&text).unwrap_err();
            assert!(told.contains(wanted), "{text}: {told}");
        }
    }
}
