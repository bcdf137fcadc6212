//! Standing privilege, by holder: who is root here, by what, why, and what ends it.

use stint_policy::text::harmless;
use stint_proto::{Standing, StandingEnd, StandingPrivilege, StandingWeight};

use super::grants::Here;
use super::{BAD, HEAD, ODD, count, styled};

/// Everything that was found.
pub fn standing(found: &Standing, host: &str, here: &Here) -> String {
    let mut lines = vec![headline(found, host)];
    let mut of: Option<&str> = None;
    for held in found.held.iter().filter(|held| held.weight != StandingWeight::Unknown) {
        if of != Some(&held.who) {
            lines.push(String::new());
            lines.push(styled(HEAD, &holder(held)));
            of = Some(&held.who);
        }
        lines.extend(privilege(held, here));
    }
    let unknown: Vec<&StandingPrivilege> =
        found.held.iter().filter(|held| held.weight == StandingWeight::Unknown).collect();
    if !unknown.is_empty() {
        lines.push(String::new());
        let text =
            "Not counted: one command or program each, and whether it leads further is not known";
        lines.push(styled(HEAD, text));
        lines.extend(unknown.iter().map(|held| {
            let why = held.why.first().map(|why| harmless(why)).unwrap_or_default();
            format!("  {}: {}: {why}", harmless(&held.who), harmless(&held.how))
        }));
    }
    if !found.unseen.is_empty() {
        lines.push(String::new());
        lines.push(styled(ODD, "Not looked at, or not as it seems"));
        lines.extend(found.unseen.iter().map(|line| format!("  {}", harmless(line))));
    }
    let adoptable = found.held.iter().filter(|held| held.end != StandingEnd::ByHand).count();
    if adoptable > 0 {
        let of_them = count(adoptable, "can become", "can become");
        lines.push(String::new());
        lines.push(format!("{of_them} something to ask for instead:  stint standing --adopt"));
    }
    lines.join("\n")
}

fn headline(found: &Standing, host: &str) -> String {
    let number = usize::try_from(found.count).unwrap_or(usize::MAX);
    let host = harmless(host);
    if number == 0 {
        return format!("No standing privilege is left on {host}, as far as it can be seen.");
    }
    let text = count(number, "standing privilege", "standing privileges");
    styled(BAD, &format!("{text} on {host}: held with no end, and no request needed."))
}

fn holder(held: &StandingPrivilege) -> String {
    let who = harmless(&held.who);
    match held.uid {
        Some(uid) if held.person || uid.0 == 0 => format!("{who} (uid {uid})"),
        Some(uid) => format!("{who} (uid {uid}, no person's account)"),
        None => who,
    }
}

fn privilege(held: &StandingPrivilege, here: &Here) -> Vec<String> {
    let weight = match held.weight {
        StandingWeight::Root => "root",
        StandingWeight::Near => "near",
        StandingWeight::Unknown => "?",
    };
    let password = if held.nopasswd { ", no password asked" } else { "" };
    let uncounted = if held.counts { "" } else { ", not counted" };
    let how = harmless(&held.how);
    let since = here.clock(held.since);
    let mut lines = vec![format!("  {weight}  {how}{password}{uncounted}  (known since {since})")];
    lines.extend(held.why.iter().map(|why| format!("        {}", harmless(why))));
    if !held.by_hand.is_empty() {
        lines.push(format!("        end it:  {}", harmless(&held.by_hand)));
    }
    lines
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use stint_proto::{StandingKind, Uid};

    /// A membership of alice's.
    pub fn example() -> StandingPrivilege {
        StandingPrivilege {
            kind: StandingKind::Group,
            weight: StandingWeight::Root,
            counts: true,
            who: "alice".to_owned(),
            uid: Some(Uid(1000)),
            person: true,
            how: "member of sudo".to_owned(),
            why: vec!["everything as root (sudo, /etc/sudoers:50)".to_owned()],
            since: "2026-11-23T14:02:00Z".parse().unwrap(),
            end: StandingEnd::Group,
            by_hand: "gpasswd -d alice sudo".to_owned(),
            group: Some("sudo".to_owned()),
            path: None,
            line: None,
            rule: None,
            principals: Vec::new(),
            instead: Some("sudo".to_owned()),
            nopasswd: false,
        }
    }

    /// All of a host with these.
    pub fn found(held: Vec<StandingPrivilege>) -> Standing {
        Standing {
            at: "2026-11-23T14:02:00Z".parse().unwrap(),
            count: u32::try_from(held.iter().filter(|held| held.counts).count()).unwrap(),
            held,
            unseen: Vec::new(),
            ways: Vec::new(),
            exempt: Vec::new(),
            ways_of_root: vec!["by ssh".to_owned()],
        }
    }

    fn shown(found: &Standing) -> String {
        let zone = jiff::tz::TimeZone::UTC;
        let here = Here { now: "2026-11-23T15:00:00Z".parse().unwrap(), zone };
        anstream::adapter::strip_str(&standing(found, "web-1", &here)).to_string()
    }

    #[test]
    fn one_glance_says_who_why_and_what_ends_it() {
        let key = StandingPrivilege {
            kind: StandingKind::Key,
            who: "root".to_owned(),
            uid: Some(Uid(0)),
            person: false,
            how: "key SHA256:x (ssh-rsa, \"a\u{1b}[2J\") in /root/.ssh/authorized_keys:1"
                .to_owned(),
            end: StandingEnd::ByHand,
            ..example()
        };
        assert_eq!(
            shown(&found(vec![key, example()])),
            "2 standing privileges on web-1: held with no end, and no request needed.\n\n\
             root (uid 0)\n  \
               root  key SHA256:x (ssh-rsa, \"a\\u{1b}[2J\") in /root/.ssh/authorized_keys:1  (known since 14:02)\n        \
                     everything as root (sudo, /etc/sudoers:50)\n        end it:  gpasswd -d alice sudo\n\n\
             alice (uid 1000)\n  root  member of sudo  (known since 14:02)\n        \
                     everything as root (sudo, /etc/sudoers:50)\n        end it:  gpasswd -d alice sudo\n\n\
             1 can become something to ask for instead:  stint standing --adopt"
        );
        assert_eq!(
            shown(&found(Vec::new())),
            "No standing privilege is left on web-1, as far as it can be seen."
        );
    }
}
