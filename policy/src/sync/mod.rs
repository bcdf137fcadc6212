//! /etc/stint/sync.toml: where stint-sync fetches from. It names no role and nobody: what is fetched
//! counts for its signatures alone, whatever stands here.

mod etcd;
mod url;

use std::path::PathBuf;

use stint_proto::Length;

use crate::Diagnostic;
use crate::language::{Key, Kind, key};
use crate::load::{SourceFile, read_sync};

pub(crate) use etcd::KEYS as ETCD_KEYS;
pub use etcd::{ENDPOINTS_LIMIT, Etcd};
pub use url::{BadUrl, EndpointUrl, ProxyUrl, SourceUrl};

/// The most places to fetch from.
pub const URLS_LIMIT: usize = 16;
/// How often is looked where nothing else is said: every minute.
const EVERY: u64 = 60;
/// The shortest time between two looks, in seconds.
pub const EVERY_LEAST: u64 = 1;
/// The longest time between two looks, in seconds: a day.
pub const EVERY_MOST: u64 = 86_400;

static KEYS: &[Key] = &[
    key("urls", Kind::Texts, "none", "[\"https://policy.example.com/stint/fleet.policy\"]")
        .doc("What is fetched: https, each a document of its own. 16 at most, each of 512 characters at most; no user, password or fragment in them. One of urls and etcd has to be there."),
    key("every", Kind::Duration, "\"1m\"", "\"5m\"")
        .doc("How often is looked whether there is something new, give or take a fifth. From 1s to 1d."),
    key("ca_file", Kind::Text, "the host's own list", "\"/etc/stint/fleet-ca.pem\"")
        .doc("Certificates (PEM) of the authorities that are believed for these servers, instead of those that the host believes."),
    key("proxy", Kind::Text, "none", "\"http://proxy.example.com:3128\"")
        .doc("The proxy to go through (CONNECT). The environment names none."),
    ETCD_KEYS[0],
    ETCD_KEYS[1],
    ETCD_KEYS[2],
    ETCD_KEYS[3],
    ETCD_KEYS[4],
];

/// How often is looked where the file does not say.
pub(crate) fn default_every() -> Length {
    Length::from_seconds(EVERY).unwrap_or(Length::MAX)
}

/// Every key of the file.
#[must_use]
pub fn keys() -> &'static [Key] {
    KEYS
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is fetched, in the order of the file; none twice. Never empty where there is no store.
    pub urls: Vec<SourceUrl>,
    /// How often; within [`EVERY_LEAST`] and [`EVERY_MOST`].
    pub every: Length,
    /// Whose certificates are believed; the host's own list if absent.
    pub ca_file: Option<PathBuf>,
    /// What to go through.
    pub proxy: Option<ProxyUrl>,
    /// The store that is followed.
    pub etcd: Option<Etcd>,
}

/// Reads the file.
///
/// # Errors
/// Everything that is wrong with it, in the order of the lines.
pub fn parse(file: &SourceFile) -> Result<Settings, Vec<Diagnostic>> {
    read_sync(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings, or every error, a line each.
    pub(super) fn read(text: &str) -> Result<Settings, String> {
        let file = SourceFile { path: "sync.toml".to_owned(), text: text.to_owned() };
        parse(&file)
            .map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_line() {
        let text = "urls = [\"http://a/x\", 7, \"https://b/\", \"https://b/\"]\n\
            evry = \"1m\"\nevery = \"2d\"\nca_file = \"ca.pem\"\nproxy = \"socks5://p\"\n";
        let told = read(text).unwrap_err();
        for wanted in [
            "sync.toml:1:9: urls: \"http://a/x\" is no address to fetch from",
            "sync.toml:1:23: urls: 7 is no text",
            "sync.toml:1:40: urls: this address stands here twice",
            "sync.toml:2:1: evry: unknown key",
            "did you mean every?",
            "sync.toml:3:9: every: is out of bounds",
            "sync.toml:4:11: ca_file: this path is not absolute",
            "sync.toml:5:9: proxy: \"socks5://p\" is no address",
        ] {
            assert!(told.contains(wanted), "{wanted}\n{told}");
        }
        for (text, wanted) in [
            ("", "urls: missing, and there is no [etcd] either"),
            ("every = \"1m\"", "urls: missing"),
            ("urls = []", "there is nothing to fetch"),
            ("urls = \"https://a/\"", "is no list of texts"),
            ("urls = [", "this is no TOML"),
            ("urls = [\"https://a/\"]\nevery = \"0s\"", "is no time at all"),
            ("urls = [\"https://a/\"]\nevery = \"soon\"", "is no duration"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(wanted), "{text}: {told}");
        }
        let many: Vec<String> = (0..17).map(|n| format!("\"https://a/{n}\"")).collect();
        assert!(read(&format!("urls = [{}]", many.join(","))).unwrap_err().contains("too many"));
    }

    #[test]
    fn what_is_not_said_has_a_default_and_every_example_is_right() {
        let settings = read("urls = [\"https://a/x\"]").unwrap();
        assert_eq!((settings.every.seconds(), settings.urls.len()), (60, 1));
        assert_eq!((settings.ca_file, settings.proxy), (None, None));
        let written = keys().iter().filter(|key| key.kind != Kind::Table);
        let lines = written.map(|key| format!("{} = {}\n", key.path, key.example));
        let settings = read(&lines.collect::<String>()).unwrap();
        assert_eq!(settings.every.seconds(), 300);
        assert!(settings.ca_file.is_some() && settings.proxy.is_some());
        assert!(keys().iter().all(|key| key.doc.ends_with('.')));
    }
}
