//! The addresses of sync.toml: taken as they are written, or refused. Resolves no name.

use std::fmt;
use std::str::FromStr;

use crate::text;

/// The most characters of an address.
const LIMIT: usize = 512;

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is too long, or has blanks or characters that are not ASCII.
    Characters,
    /// It is http, which shows to everybody on the way what is fetched.
    Plain,
    /// It is no https.
    Scheme,
    /// It is no http.
    ProxyScheme,
    /// It has a user or a password.
    User,
    /// It has a fragment.
    Fragment,
    /// It has no host, or one that is no name and no number.
    Host,
    /// Its port is none.
    Port,
    /// Something follows a proxy's port.
    Path,
    /// Something follows the port of a store's member.
    EndpointPath,
}

/// An address that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadUrl {
    found: String,
    why: Why,
}

impl BadUrl {
    /// What would be right.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.why {
            Why::Characters => "512 characters of ASCII at most, blanks written as %20",
            Why::Plain => "https: whoever is on the way reads http and can hold it back unseen",
            Why::Scheme => "such as \"https://policy.example.com/stint/fleet.policy\"",
            Why::ProxyScheme | Why::Path => "such as \"http://proxy.example.com:3128\"",
            Why::EndpointPath => "such as \"https://etcd-1.example.com:2379\"",
            Why::User => "leave user and password out: they would be in every log",
            Why::Fragment => "leave out what follows the #",
            Why::Host => "a host name, or an address in numbers, after the //",
            Why::Port => "a port from 1 to 65535",
        }
    }
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no address to fetch from", text::quoted(&self.found))
    }
}

impl std::error::Error for BadUrl {}

/// An address that is fetched from: https, a host, perhaps a port, path and query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceUrl(String);

/// A member of a store: https, a host, perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointUrl(String);

/// A proxy: http, a host, perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProxyUrl(String);

impl SourceUrl {
    /// As it is written in the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EndpointUrl {
    /// As it is written in the file, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EndpointUrl {
    type Err = BadUrl;

    fn from_str(found: &str) -> Result<Self, BadUrl> {
        let SourceUrl(url) = found.parse()?;
        let url = url.strip_suffix('/').unwrap_or(&url).to_owned();
        let authority = url.strip_prefix("https://").unwrap_or(&url);
        if authority.contains(['/', '?']) {
            return Err(BadUrl { found: found.to_owned(), why: Why::EndpointPath });
        }
        Ok(Self(url))
    }
}

impl ProxyUrl {
    /// As it is written in the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SourceUrl {
    type Err = BadUrl;

    fn from_str(found: &str) -> Result<Self, BadUrl> {
        let bad = |why| BadUrl { found: found.to_owned(), why };
        characters(found).map_err(bad)?;
        let Some(rest) = found.strip_prefix("https://") else {
            let plain = found.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("http:"));
            return Err(bad(if plain { Why::Plain } else { Why::Scheme }));
        };
        if rest.contains('#') {
            return Err(bad(Why::Fragment));
        }
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        judge_authority(authority).map_err(bad)?;
        Ok(Self(found.to_owned()))
    }
}

impl FromStr for ProxyUrl {
    type Err = BadUrl;

    fn from_str(found: &str) -> Result<Self, BadUrl> {
        let bad = |why| BadUrl { found: found.to_owned(), why };
        characters(found).map_err(bad)?;
        let rest = found.strip_prefix("http://").ok_or_else(|| bad(Why::ProxyScheme))?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(bad(Why::Path));
        }
        judge_authority(authority).map_err(bad)?;
        Ok(Self(found.to_owned()))
    }
}

fn characters(found: &str) -> Result<(), Why> {
    let printable = found.bytes().all(|byte| byte.is_ascii_graphic());
    // What RFC 3986 has no place for, and clients read in different ways.
    let clear = !found.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}']);
    if printable && clear && found.len() <= LIMIT { Ok(()) } else { Err(Why::Characters) }
}

/// A host and perhaps a port.
fn judge_authority(authority: &str) -> Result<(), Why> {
    if authority.contains('@') {
        return Err(Why::User);
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (number, port) = rest.split_once(']').ok_or(Why::Host)?;
            number.parse::<std::net::Ipv6Addr>().map_err(|_| Why::Host)?;
            ("v6", port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if !port.is_empty() {
        let number = port.strip_prefix(':').ok_or(Why::Host)?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || number.parse::<u16>().is_ok_and(|port| port == 0) {
            return Err(Why::Port);
        }
        number.parse::<u16>().map_err(|_| Why::Port)?;
    }
    judge_host(host)
}

/// A name as the DNS has them, or an address in numbers.
fn judge_host(host: &str) -> Result<(), Why> {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() <= 253 && name.split('.').all(label) { Ok(()) } else { Err(Why::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> Option<Why> {
        text.parse::<SourceUrl>().err().map(|bad| bad.why)
    }

    #[test]
    fn what_is_no_https_address_is_refused_with_what_would_be_right() {
        let long = format!("https://h/{}", "a".repeat(503));
        for (text, wanted) in [
            ("", Why::Scheme),
            ("policy.example.com/x", Why::Scheme),
            ("file:///etc/shadow", Why::Scheme),
            ("HTTPS://h/x", Why::Scheme),
            ("http://policy.example.com/x", Why::Plain),
            ("HTTP://h/", Why::Plain),
            ("https://", Why::Host),
            ("https:///x", Why::Host),
            ("https://?q", Why::Host),
            ("https://a..b/", Why::Host),
            ("https://-a/", Why::Host),
            ("https://a%2fb/", Why::Host),
            ("https://[::1/", Why::Host),
            ("https://[nothing]/", Why::Host),
            ("https://[::1]x/", Why::Host),
            ("https://h:0/", Why::Port),
            ("https://h:/", Why::Port),
            ("https://h:65536/", Why::Port),
            ("https://h:+1/", Why::Port),
            ("https://h:1:2/", Why::Port),
            ("https://bob:secret@h/", Why::User),
            ("https://h@evil/", Why::User),
            ("https://h/x#y", Why::Fragment),
            ("https://h/a b", Why::Characters),
            ("https://h/a\nb", Why::Characters),
            ("https://h\\@evil/", Why::Characters),
            ("https://bücher.example/", Why::Characters),
            (long.as_str(), Why::Characters),
        ] {
            assert_eq!(why(text), Some(wanted), "{text}");
            assert!(!text.parse::<SourceUrl>().unwrap_err().hint().is_empty());
        }
    }

    #[test]
    fn https_addresses_are_taken_as_they_are() {
        for text in [
            "https://h",
            "https://policy.example.com/stint/fleet.policy",
            "https://policy.example.com.:8443/a%20b?host=web-1&x=@y",
            "https://192.0.2.1/",
            "https://[2001:db8::1]:8443/x",
        ] {
            assert_eq!(text.parse::<SourceUrl>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_member_of_a_store_is_a_host_and_a_port_over_https() {
        for text in ["https://etcd-1:2379", "https://[::1]:2379", "https://192.0.2.1"] {
            assert_eq!(text.parse::<EndpointUrl>().unwrap().as_str(), text);
        }
        let slash: EndpointUrl = "https://etcd-1:2379/".parse().unwrap();
        assert_eq!(slash.as_str(), "https://etcd-1:2379");
        for text in
            ["http://e:2379", "e:2379", "https://e/v3", "https://e?x", "https://u@e", "https:///"]
        {
            assert!(text.parse::<EndpointUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        for text in ["http://proxy:3128", "http://proxy.example.com/", "http://[::1]:1"] {
            assert_eq!(text.parse::<ProxyUrl>().unwrap().as_str(), text);
        }
        for text in
            ["proxy:3128", "https://p", "socks5://p:1", "http://p/x", "http://u@p", "http:// "]
        {
            assert!(text.parse::<ProxyUrl>().is_err(), "{text}");
        }
    }
}
