//! Two small matchers of the policy: host name patterns and ticket shapes.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};

use crate::text::quoted;

/// The most characters of a host pattern: what DNS allows for a name.
const PATTERN_LIMIT: usize = 253;
/// The most memory that a ticket's expression may take, in bytes.
const REGEX_LIMIT: usize = 256 * 1024;

/// A host name with `*` for any run of characters and `?` for any one, whatever the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(String);

/// Why a text is no host pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern {
    /// What was found.
    pub found: String,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no host name, not even with * and ?", quoted(&self.found))
    }
}

impl std::error::Error for BadPattern {}

impl FromStr for HostPattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '?');
        if text.is_empty() || text.len() > PATTERN_LIMIT || !text.chars().all(fine) {
            return Err(BadPattern { found: text.to_owned() });
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl HostPattern {
    /// Whether it can mean one name alone.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether it is this host's full name, letter by letter but for their case.
    #[must_use]
    pub fn is_name_of(&self, host: &str) -> bool {
        self.0.eq_ignore_ascii_case(host)
    }

    /// Whether it fits the host's full name, or its name up to the first dot.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let short = host.split('.').next().unwrap_or_default();
        fits(self.0.as_bytes(), host.as_bytes()) || fits(self.0.as_bytes(), short.as_bytes())
    }
}

/// Whether a text fits a pattern: `*` is any run of bytes, `?` any one. Goes back to the last `*`
/// alone, so that no pattern takes more than pattern times name steps.
#[must_use]
pub fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == letter => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|rest| *rest == b'*')
}

/// What a ticket looks like. Two are the same if they are written the same.
#[derive(Clone, Debug)]
pub struct TicketRule {
    source: String,
    regex: Regex,
}

impl PartialEq for TicketRule {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for TicketRule {}

/// Why a text is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTicketRule {
    /// It does not read as one.
    Unreadable {
        /// What the reader says, in one line.
        why: String,
    },
    /// It would take too much memory.
    TooBig,
}

impl fmt::Display for BadTicketRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { why } => write!(f, "this is no regular expression: {why}"),
            Self::TooBig => write!(f, "this regular expression is too big"),
        }
    }
}

impl std::error::Error for BadTicketRule {}

impl FromStr for TicketRule {
    type Err = BadTicketRule;

    fn from_str(text: &str) -> Result<Self, BadTicketRule> {
        let built =
            RegexBuilder::new(text).size_limit(REGEX_LIMIT).dfa_size_limit(REGEX_LIMIT).build();
        match built {
            Ok(regex) => Ok(Self { source: text.to_owned(), regex }),
            Err(regex::Error::CompiledTooBig(_)) => Err(BadTicketRule::TooBig),
            Err(error) => {
                let shown = error.to_string();
                let last = shown.lines().last().unwrap_or_default();
                let why = last.trim_start_matches("error: ").chars().take(120).collect();
                Err(BadTicketRule::Unreadable { why })
            }
        }
    }
}

impl fmt::Display for TicketRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.source)
    }
}

impl TicketRule {
    /// Whether the ticket looks as it should.
    #[must_use]
    pub fn matches(&self, ticket: &str) -> bool {
        self.regex.is_match(ticket)
    }

    /// Whether the expression says where a ticket begins and ends; without that, anything around
    /// a match passes as well.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        self.source.starts_with('^') && self.source.ends_with('$')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_host_and_no_expression() {
        for text in ["", "web 1", "web/1", "web[12]", "wéb", "web-1\n"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text:?}");
        }
        assert!(HostPattern::from_str(&"a".repeat(254)).is_err());
        assert!(matches!("(".parse::<TicketRule>(), Err(BadTicketRule::Unreadable { .. })));
        assert_eq!("(x{900}){900}".parse::<TicketRule>(), Err(BadTicketRule::TooBig));
    }

    #[test]
    fn fits_hosts_by_their_short_or_full_name() {
        let fits =
            |pattern: &str, host: &str| pattern.parse::<HostPattern>().unwrap().matches(host);
        assert!(!fits("web-*", "db-web-1"));
        assert!(!fits("web-?", "web-10"));
        assert!(!fits("web-1.example.org", "web-1"));
        assert!(!fits("*.example.org", "web-1.example.com"));
        assert!(fits("web-*", "web-1"));
        assert!(fits("web-1", "web-1.example.org"));
        assert!(fits("WEB-?", "Web-1.example.org"));
        assert!(fits("*.example.org", "web-1.example.org"));
        assert!(fits("*", "anything"));
        assert!(fits("*a*b*c*", "xxaxxbxxc"));
        let pattern = |text: &str| text.parse::<HostPattern>().unwrap();
        assert!(!pattern("web-*").is_exact() && !pattern("web-?").is_exact());
        assert!(!pattern("web-1").is_name_of("web-1.example.org"));
        assert!(pattern("Web-1").is_exact() && pattern("Web-1").is_name_of("weB-1"));
    }

    #[test]
    fn a_ticket_is_matched_as_it_is_written() {
        let rule: TicketRule = r"^(INC|CHG)-\d+$".parse().unwrap();
        assert!(!rule.matches("CHG-"));
        assert!(!rule.matches("CHG-1\nx"));
        assert!(rule.matches("CHG-4711"));
        assert!(rule.is_anchored());
        assert!(!"INC".parse::<TicketRule>().unwrap().is_anchored());
    }

    proptest! {
        #[test]
        fn a_name_fits_itself_and_a_star(host in "[a-z0-9.-]{1,40}", pattern in "[a-z*?]{1,12}") {
            prop_assert!(host.parse::<HostPattern>().unwrap().matches(&host));
            prop_assert!("*".parse::<HostPattern>().unwrap().matches(&host));
            let both = pattern.parse::<HostPattern>().unwrap().matches(&host);
            let wider = format!("{pattern}*").parse::<HostPattern>().unwrap().matches(&host);
            prop_assert!(!both || wider);
        }
    }
}
