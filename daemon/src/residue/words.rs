//! A report as the one line of an event.

use stint_proto::{Finding, TEXT_LIMIT};

use super::Report;
use crate::record::{counted, harmless};

/// How long the names may be together, in characters as they are recorded: the line is cut at
/// [`TEXT_LIMIT`], and what stands before them is to be whole.
const ROOM: usize = TEXT_LIMIT - 240;

/// What is told of this report: `what` is the grant. `None` if there is nothing to tell.
#[must_use]
pub fn told(what: &str, since: Option<&str>, report: &Report) -> Option<String> {
    if report.count == 0 && !report.went_dark {
        return None;
    }
    let since = since.map_or_else(String::new, |since| format!(" (seen since {since} only)"));
    let mut parts = Vec::new();
    if report.count > 0 {
        let kinds = report.by_kind.iter().map(|(kind, count)| format!("{count} {kind}"));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let count = usize::try_from(report.count).unwrap_or(usize::MAX);
        let things = counted(count, "thing");
        let names = names(report);
        parts.push(format!("{things} changed on this host, by whomever ({kinds}): {names}"));
    }
    if report.went_dark {
        let unseen = report.unseen.first().map(String::as_str).unwrap_or_default();
        let more = report.unseen.len().saturating_sub(1);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        parts.push(format!("not looked at: {unseen}{more}"));
    }
    Some(format!("while {what} was held{since}, {}", parts.join("; ")))
}

fn names(report: &Report) -> String {
    let mut text = String::new();
    let (mut room, mut named) = (ROOM, 0_u32);
    for finding in &report.found {
        let name = format!("{} {}", finding.change, name(finding));
        let length = harmless(&name).chars().count() + 2;
        let Some(left) = room.checked_sub(length) else { break };
        room = left;
        if named > 0 {
            text.push_str(", ");
        }
        text.push_str(&name);
        named += 1;
    }
    match report.count.saturating_sub(named) {
        0 => text,
        more if named == 0 => format!("{more} whose names are too long for this line"),
        more => format!("{text} and {more} more"),
    }
}

/// A path, and an entry in it; in quotes where it holds what could be taken for the line's own.
fn name(finding: &Finding) -> String {
    let plain =
        |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@:=".contains(c));
    let quoted = |text: &String| if plain(text) { text.clone() } else { format!("{text:?}") };
    let path = quoted(&finding.path);
    if finding.entry.is_empty() {
        return path;
    }
    // "bob in sudo" is the one entry with blanks, and of harmless names.
    let entry = finding.entry.split(' ').all(plain).then(|| finding.entry.clone());
    format!("{path}: {}", entry.unwrap_or_else(|| format!("{:?}", finding.entry)))
}

#[cfg(test)]
mod tests {
    use stint_proto::{ResidueChange, ResidueKind};

    use super::*;

    fn finding(path: &str, entry: &str) -> Finding {
        let (kind, change) = (ResidueKind::Sudo, ResidueChange::New);
        Finding { kind, path: path.to_owned(), entry: entry.to_owned(), change }
    }

    fn report(found: Vec<Finding>) -> Report {
        let count = u32::try_from(found.len()).unwrap();
        Report { count, by_kind: vec![(ResidueKind::Sudo, count)], found, ..Report::default() }
    }

    #[test]
    fn silence_means_nothing_was_found_and_nothing_else() {
        assert_eq!(told("x", None, &Report::default()), None);
        let dark = Report { unseen: vec!["/tmp: slow".to_owned()], ..Report::default() };
        assert_eq!(told("x", None, &dark), None, "as it was before");
        let dark = Report { went_dark: true, ..dark };
        assert_eq!(told("x", None, &dark).unwrap(), "while x was held, not looked at: /tmp: slow");
    }

    #[test]
    fn a_hostile_name_stands_for_itself_alone() {
        let found = vec![
            finding("/etc/sudoers.d/a, new /etc/shadow\n\u{1b}[2J", ""),
            finding("/etc/group", "bob in sudo"),
        ];
        let text = told("admin for alice (g4t9)", Some("14:00"), &report(found)).unwrap();
        assert_eq!(
            text,
            "while admin for alice (g4t9) was held (seen since 14:00 only), 2 things changed on \
             this host, by whomever (2 sudo): new \"/etc/sudoers.d/a, new /etc/shadow\\n\\u{1b}[2J\", \
             new /etc/group: bob in sudo"
        );
    }

    #[test]
    fn the_line_is_never_cut() {
        let long = |n: usize| finding(&format!("/etc/sudoers.d/{n}{}", "\u{202e}".repeat(9)), "");
        let text = told("x", None, &report((0..99).map(long).collect())).unwrap();
        assert!(text.contains(" and "), "{text}");
        assert!(!harmless(&text).contains("(cut)"));
        let text = told("x", None, &report(vec![finding(&"/x".repeat(500), "")])).unwrap();
        assert!(text.ends_with("1 whose names are too long for this line"), "{text}");
    }
}
