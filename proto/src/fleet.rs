//! Where things lie in the store of a fleet (etcd): which keys carry documents, and which ones hosts write. The
//! store carries, and nothing in it is believed for lying there.
//!
//! ```text
//! /stint/1/fleet/…        documents for many hosts; every host reads them
//! /stint/1/in/HOST/…      documents for one host; that host reads them
//! /stint/1/out/HOST/…     what one host says of itself; that host alone writes it
//! ```

/// What all keys begin with: the form of what lies below is version 1.
pub const ROOT: &str = "/stint/1/";
/// Documents for many hosts.
pub const FLEET: &str = "/stint/1/fleet/";

/// Documents for this host.
#[must_use]
pub fn inbox(host: &str) -> String {
    format!("{ROOT}in/{host}/")
}

/// What this host says of itself.
#[must_use]
pub fn outbox(host: &str) -> String {
    format!("{ROOT}out/{host}/")
}

/// Below [`outbox`]: which host it is, and whether it publishes.
pub const HOST: &str = "host";
/// Below [`outbox`]: there while the host is connected and its stintd answers.
pub const ALIVE: &str = "alive";
/// Below [`outbox`]: its pending requests, by id.
pub const REQUESTS: &str = "requests/";
/// Below [`outbox`]: its requests that ended within a day, by id.
pub const DECISIONS: &str = "decisions/";
/// Below [`outbox`]: its grants that run or are scheduled, by id.
pub const GRANTS: &str = "grants/";

/// What every host says of itself.
pub const OUT: &str = "/stint/1/out/";

/// What this host says came of a document; the digest is [`DIGEST_DIGITS`] of it.
#[must_use]
pub fn answer(host: &str, digest: &str) -> String {
    format!("{}{ANSWERS}{digest}", outbox(host))
}

/// Where, below what a host says of itself, it says what came of documents.
pub const ANSWERS: &str = "answers/";
/// How many hexadecimal digits of the SHA-256 of a document's bytes stand for it in keys.
pub const DIGEST_DIGITS: usize = 16;

/// What a store is called among those who bring documents.
pub const SOURCE: &str = "etcd";

/// What a document of the store is called where its source is named; `key` is harmless text.
#[must_use]
pub fn source(key: &str) -> String {
    format!("{SOURCE}:{key}")
}

/// The host of which this key of [`OUT`] tells, and the rest of the key.
#[must_use]
pub fn told_by(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(OUT)?.split_once('/').filter(|(host, rest)| is_host(host) && !rest.is_empty())
}

/// Whether this may stand for a host in a key: letters, digits, dots, hyphens and underlines, 253 at
/// most, no hyphen or dot first.
#[must_use]
pub fn is_host(name: &str) -> bool {
    let letter = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
    (1..=253).contains(&name.len()) && name.bytes().all(letter) && !name.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_the_host_that_wrote_it_or_nobody() {
        assert_eq!(told_by(&format!("{}alive", outbox("web-1"))), Some(("web-1", "alive")));
        assert_eq!(told_by("/stint/1/out/a.b_c/requests/7kq2"), Some(("a.b_c", "requests/7kq2")));
        for key in [
            "/stint/1/out/",
            "/stint/1/out/x",
            "/stint/1/out//y",
            "/stint/1/out/x/",
            "/stint/1/out/../x",
            "/stint/1/out/a b/x",
            "/stint/1/in/x/y",
            "/stint/2/out/x/y",
        ] {
            assert_eq!(told_by(key), None, "{key}");
        }
    }
}
