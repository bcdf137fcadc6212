//! A person's fleet.toml: which store their command speaks with, as whom, and with which key they sign.
//! It confers nothing: what people may in the store is the store's to say, and what their signature is
//! worth is each host's.

use std::path::{Path, PathBuf};

use crate::Diagnostic;
use crate::language::{Key, Kind, key};
use crate::load::{SourceFile, read_fleet};
use crate::sync::{ETCD_KEYS, Etcd};

static KEYS: &[Key] = &[
    key("sign_with", Kind::Text, "none", "\"~/.ssh/id_ed25519_sk\"")
        .doc("Your SSH key, for ssh-keygen; its public half if an agent or a security key has the other. --sign names another."),
    ETCD_KEYS[0].doc("The store of the fleet.").required(),
    ETCD_KEYS[1],
    ETCD_KEYS[2],
    ETCD_KEYS[3],
    ETCD_KEYS[4],
];

/// Every key of the file.
#[must_use]
pub fn keys() -> &'static [Key] {
    KEYS
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The store.
    pub etcd: Etcd,
    /// The key that signs.
    pub sign_with: Option<PathBuf>,
}

/// Reads the file; `home` is what `~/` stands for.
///
/// # Errors
/// Everything that is wrong with it, in the order of the lines.
pub fn parse(file: &SourceFile, home: Option<&Path>) -> Result<Settings, Vec<Diagnostic>> {
    read_fleet(file, home)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let file = SourceFile { path: "fleet.toml".to_owned(), text: text.to_owned() };
        parse(&file, Some(Path::new("/home/carol")))
            .map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn a_tilde_is_the_home_of_whoever_reads_it() {
        let settings = read(
            "sign_with = \"~/.ssh/id_ed25519\"\n[etcd]\nendpoints = [\"https://etcd-1:2379\"]\n\
             ca_file = \"/etc/stint/etcd-ca.pem\"\ncert_file = \"~/etcd.pem\"\nkey_file = \"~/etcd.key\"\n",
        )
        .unwrap();
        assert_eq!(settings.sign_with.as_deref(), Some(Path::new("/home/carol/.ssh/id_ed25519")));
        assert_eq!(settings.etcd.key_file, Path::new("/home/carol/etcd.key"));
        assert_eq!(settings.etcd.ca_file, Path::new("/etc/stint/etcd-ca.pem"));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_line() {
        let told = read(
            "sign-with = \"x\"\nsign_with = \"id_ed25519\"\nurls = []\n\n[etcd]\n\
             endpoints = [\"http://a:2379\"]\ncert_file = 7\nkey_file = \"key\"\n",
        )
        .unwrap_err();
        for wanted in [
            "fleet.toml:1:1: sign-with: unknown key",
            "did you mean sign_with?",
            "fleet.toml:2:13: sign_with: this path is not absolute",
            "it begins with / or with ~/",
            "fleet.toml:3:1: urls: unknown key",
            "fleet.toml:6:14: etcd.endpoints: \"http://a:2379\" is no address",
            "fleet.toml:7:13: etcd.cert_file: 7 is no text",
            "fleet.toml:8:12: etcd.key_file: this path is not absolute",
            "etcd.ca_file: missing",
        ] {
            assert!(told.contains(wanted), "{wanted}\n{told}");
        }
        for (text, wanted) in [
            ("", "etcd: missing"),
            ("sign_with = \"/k\"", "etcd: missing"),
            ("[etcd", "this is no TOML"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(wanted), "{text}: {told}");
        }
    }

    #[test]
    fn every_example_is_right() {
        let written = keys().iter().filter(|key| key.kind != Kind::Table);
        let lines = written.map(|key| format!("{} = {}\n", key.path, key.example));
        assert!(read(&lines.collect::<String>()).unwrap().sign_with.is_some());
        assert!(keys().iter().all(|key| key.doc.ends_with('.')));
    }
}
