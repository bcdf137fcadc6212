//! One line of `allowed_signers`, read as OpenSSH reads it (ALLOWED SIGNERS in ssh-keygen(1)).

use base64ct::{Base64, Encoding};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::public::KeyData;
use stint_policy::text::quoted;

use crate::signature::key_of;

/// Who may sign, by one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// Whose key it is: a list of patterns.
    pub(crate) principals: String,
    /// What is said beside.
    pub(crate) options: Options,
    /// The key.
    pub(crate) key: KeyData,
}

/// What a line says beside whose the key is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The key signs certificates, not documents.
    pub(crate) authority: bool,
    /// For what it may sign: a list of patterns; for anything if absent.
    pub(crate) namespaces: Option<String>,
    /// From when, in seconds since 1970.
    pub(crate) valid_after: Option<i64>,
    /// Until when, itself included.
    pub(crate) valid_before: Option<i64>,
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Reads a line; `None` where it is empty or a comment.
pub(crate) fn read(number: usize, text: &str, zone: &TimeZone) -> Result<Option<Line>, String> {
    let text = text.trim_matches(BLANKS);
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (principals, rest) = principals(text)?;
    let first = rest.split(BLANKS).next().unwrap_or_default();
    let (options, key) = if is_kind(first) {
        (Options::default(), key(rest)?)
    } else {
        let (words, rest) = past_options(rest).ok_or("a quote is not closed")?;
        (options(words, zone)?, key(rest)?)
    };
    Ok(Some(Line { number, principals: principals.to_owned(), options, key }))
}

/// The line as `allowed_signers` would have it: a public key alone speaks for any name.
pub(crate) fn of_any_host(text: &str) -> String {
    let first = text.trim_matches(BLANKS).split(BLANKS).next().unwrap_or_default();
    if is_kind(first) { format!("* {text}") } else { text.to_owned() }
}

fn principals(text: &str) -> Result<(&str, &str), String> {
    let none = || format!("{} has no key", quoted(text));
    let (principals, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("a quote is not closed")?,
        None => text.split_once(BLANKS).ok_or_else(none)?,
    };
    if principals.is_empty() {
        return Err("it names nobody".to_owned());
    }
    if !crate::pattern::means_any(principals) {
        return Err(format!("{} only says who is not meant", quoted(principals)));
    }
    Ok((principals, rest.trim_start_matches(BLANKS)))
}

/// Whether a word is a kind of key, known or a certificate's.
fn is_kind(word: &str) -> bool {
    let known = ssh_key::Algorithm::new(word);
    word.ends_with("-cert-v01@openssh.com")
        || known.is_ok_and(|known| !matches!(known, ssh_key::Algorithm::Other(_)))
}

/// A key's type and the key in base64; what follows is a comment.
fn key(text: &str) -> Result<KeyData, String> {
    let mut words = text.split(BLANKS).filter(|word| !word.is_empty());
    let name = words.next().unwrap_or_default();
    let Some(base64) = words.next() else {
        return Err(format!("{} is no key", quoted(text)));
    };
    let unknown = || format!("{} is no kind of key that is known", quoted(name));
    if name.ends_with("-cert-v01@openssh.com") {
        return Err("a certificate stands here; name its authority, as cert-authority".to_owned());
    }
    let name = ssh_key::Algorithm::new(name).map_err(|_| unknown())?;
    if matches!(name, ssh_key::Algorithm::Other(_) | ssh_key::Algorithm::Dsa) {
        return Err(unknown());
    }
    let blob = Base64::decode_vec(base64).map_err(|_| "its key is no base64".to_owned())?;
    let key = key_of(&blob).ok_or("its key cannot be read")?;
    if key.algorithm() != name {
        return Err(format!("its key is {}, not {name}", key.algorithm()));
    }
    Ok(key)
}

/// Options end at the first blank outside quotes; `None` where a quote does not end.
fn past_options(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if !quoted && BLANKS.contains(&c) => {
                let (options, rest) = text.split_at(at);
                return Some((options, rest.trim_start_matches(BLANKS)));
            }
            _ => {}
        }
    }
    (!quoted).then_some((text, ""))
}

fn options(text: &str, zone: &TimeZone) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = text;
    loop {
        let end = rest.find(['=', ',']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let lower = name.to_ascii_lowercase();
        rest = if lower == "cert-authority" {
            options.authority = true;
            after
        } else {
            if !["namespaces", "valid-after", "valid-before"].contains(&lower.as_str()) {
                return Err(format!(
                    "{} is no option; there are cert-authority, namespaces=\"…\", \
                     valid-after=\"…\" and valid-before=\"…\"",
                    quoted(name)
                ));
            }
            let (value, after) = value(name, after)?;
            let twice = match lower.as_str() {
                "namespaces" => options.namespaces.replace(value).is_some(),
                "valid-after" => options.valid_after.replace(time(&value, zone)?).is_some(),
                _ => options.valid_before.replace(time(&value, zone)?).is_some(),
            };
            if twice {
                return Err(format!("{} stands there twice", quoted(name)));
            }
            after
        };
        match rest.strip_prefix(',') {
            Some(more) if !more.is_empty() => rest = more,
            None if rest.is_empty() => return Ok(options),
            _ => return Err(format!("{} stands where a comma or a blank should", quoted(rest))),
        }
    }
}

/// The text in quotes after an equals sign, and what follows.
fn value<'a>(name: &str, text: &'a str) -> Result<(String, &'a str), String> {
    let missing = || format!("{} needs a value in quotes", quoted(name));
    let inner = text.strip_prefix("=\"").ok_or_else(missing)?;
    let mut value = String::new();
    let mut letters = inner.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        match c {
            '"' => return Ok((value, inner.get(at + 1..).unwrap_or_default())),
            '\\' if letters.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            c => value.push(c),
        }
    }
    Err(format!("the value of {} has no closing quote", quoted(name)))
}

/// `YYYYMMDD` or `YYYYMMDDHHMM[SS]`, in UTC with a `Z` and else in the host's own zone.
fn time(text: &str, zone: &TimeZone) -> Result<i64, String> {
    let bad = || format!("{} is no time; such as 20261231Z or 202612311800Z", quoted(text));
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, &TimeZone::UTC),
        None => (text, zone),
    };
    let fits = matches!(digits.len(), 8 | 12 | 14);
    if !fits || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(bad());
    }
    let whole = format!("{digits:0<14}");
    let time = DateTime::strptime("%Y%m%d%H%M%S", whole).map_err(|_| bad())?;
    zone.to_timestamp(time).map(|time| time.as_second()).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFrlhjmRhTQ6XmHZBTpEXVRjWX8LpNVwHIK0zKHTRzPH";

    fn of(text: &str) -> Result<Option<Line>, String> {
        read(7, text, &TimeZone::UTC)
    }

    #[test]
    fn says_what_is_wrong_with_a_line() {
        for (text, wanted) in [
            ("alice", "has no key"),
            ("alice ssh-ed25519", "is no key"),
            ("\"alice ssh-ed25519", "a quote is not closed"),
            (&format!("!alice {KEY}"), "only says who is not meant"),
            ("alice ssh-ed25519 AAAA", "its key cannot be read"),
            ("alice ssh-ed25519 ****", "its key is no base64"),
            (&KEY.replace("ssh-ed25519 ", "alice ssh-rsa "), "its key is ssh-ed25519, not ssh-rsa"),
            (
                &format!("alice ssh-ed25519-cert-v01@openssh.com x {KEY}"),
                "a certificate stands here",
            ),
            ("alice ssh-dss AAAA", "is no kind of key"),
            ("alice ssh-ed448 AAAA", "is no option"),
            (&format!("alice no-touch-required {KEY}"), "is no option"),
            (&format!("alice namespaces=policy@stint {KEY}"), "needs a value in quotes"),
            (&format!("alice namespaces=\"policy@stint {KEY}"), "a quote is not closed"),
            (&format!("alice namespaces=\"a\",namespaces=\"b\" {KEY}"), "twice"),
            (&format!("alice namespaces=\"a\"x {KEY}"), "where a comma or a blank should"),
            (&format!("alice cert-authority, {KEY}"), "where a comma or a blank should"),
            (&format!("alice valid-after=\"2026\" {KEY}"), "is no time"),
            (&format!("alice valid-after=\"20261301Z\" {KEY}"), "is no time"),
            (&format!("alice valid-after=\"+2026123\" {KEY}"), "is no time"),
        ] {
            let found = of(text).unwrap_err();
            assert!(found.contains(wanted), "{text}: {found}");
        }
    }

    #[test]
    fn reads_what_openssh_reads() {
        assert_eq!(of("  "), Ok(None));
        assert_eq!(of("# alice ssh-ed25519 x"), Ok(None));
        let plain = of(&format!("alice@example.org,bob {KEY} a comment")).unwrap().unwrap();
        assert_eq!((plain.number, plain.principals.as_str()), (7, "alice@example.org,bob"));
        assert_eq!(plain.options, Options::default());
        let text = format!(
            "\"*@example.org\" Cert-Authority,NAMESPACES=\"policy@*,\\\"x\",valid-after=\"20260102Z\",\
             valid-before=\"202601020304\"\t{KEY}"
        );
        let line = of(&text).unwrap().unwrap();
        assert_eq!(line.principals, "*@example.org");
        assert_eq!(
            line.options,
            Options {
                authority: true,
                namespaces: Some("policy@*,\"x".to_owned()),
                valid_after: Some(1_767_312_000),
                valid_before: Some(1_767_323_040),
            }
        );
    }
}
