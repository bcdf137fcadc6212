//! How two pictures differ. Values only.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stint_proto::{Finding, ResidueChange as Change, ResidueKind as Kind};

use super::picture::{EVERYWHERE, Mark, Picture};
use super::places::is_volatile;

/// How many differences are kept by name.
const KEPT: usize = 200;
/// How many places are named that were not looked at.
const UNSEEN: usize = 50;

/// What a look at the end has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many differences there are.
    pub count: u32,
    /// How many of each kind.
    pub by_kind: Vec<(Kind, u32)>,
    /// Which; what weighs most first, and not all of a great many.
    pub found: Vec<Finding>,
    /// What could not be looked at, now or before, a line each.
    pub unseen: Vec<String>,
    /// It could be looked at before, or nothing can be looked at: nobody must take silence for
    /// "nothing".
    pub went_dark: bool,
}

/// From `before` to `now`. After a boot in between, what does not outlive one is new if it was not
/// there before, whatever it looks like.
#[must_use]
pub fn compare(before: &Picture, now: &Picture, same_boot: bool) -> Report {
    let mut found = files(before, now, same_boot);
    found.extend(entries(before, now));
    found.retain(|finding| match finding.change {
        Change::New => !hides(before, &finding.path),
        Change::Gone => !hides(now, &finding.path),
        Change::Changed => true,
    });
    found.sort_by(|a, b| (a.kind, &a.path, &a.entry).cmp(&(b.kind, &b.path, &b.entry)));
    let mut by_kind: BTreeMap<Kind, u32> = BTreeMap::new();
    for finding in &found {
        *by_kind.entry(finding.kind).or_default() += 1;
    }
    let count = by_kind.values().sum();
    found.truncate(KEPT);
    let unseen: BTreeMap<&String, &String> = before.unseen.iter().chain(&now.unseen).collect();
    let went_dark = unseen.keys().any(|place| place.as_str() == EVERYWHERE)
        || now.unseen.keys().any(|place| !before.unseen.contains_key(place));
    let more = unseen.len().saturating_sub(UNSEEN);
    let lines = unseen.into_iter().map(|(place, why)| match place.as_str() {
        EVERYWHERE => why.clone(),
        _ => format!("{place}: {why}"),
    });
    let mut unseen: Vec<String> = lines.take(UNSEEN).collect();
    unseen.extend((more > 0).then(|| format!("and {more} more")));
    Report { count, by_kind: by_kind.into_iter().collect(), found, unseen, went_dark }
}

/// Whether something at this path may have been there although the picture has it not.
fn hides(picture: &Picture, path: &str) -> bool {
    picture.unseen.keys().any(|place| {
        let inside = || path.strip_prefix(place.as_str()).is_some_and(|rest| rest.starts_with('/'));
        place == EVERYWHERE || path == place || inside()
    })
}

fn files(before: &Picture, now: &Picture, same_boot: bool) -> Vec<Finding> {
    let finding = |kind: Kind, path: &String, change| Finding {
        kind,
        path: path.clone(),
        entry: String::new(),
        change,
    };
    let empty = BTreeMap::new();
    let here: BTreeSet<&String> = now.seen.values().flat_map(BTreeMap::keys).collect();
    let mut found = Vec::new();
    for (kind, files) in &now.seen {
        let old = before.seen.get(kind).unwrap_or(&empty);
        for (path, mark) in files.iter().filter(|(_, mark)| **mark != Mark::own()) {
            match old.get(path) {
                None if !is_folder(path) => found.push(finding(*kind, path, Change::New)),
                Some(old) if old != mark && (same_boot || !is_volatile(path)) => {
                    found.push(finding(*kind, path, Change::Changed));
                }
                None | Some(_) => {}
            }
        }
    }
    for (kind, files) in before.seen.iter().filter(|(kind, _)| leaves_by_going(**kind)) {
        let gone = files.iter().filter(|(path, mark)| {
            !here.contains(path) && **mark != Mark::own() && !is_folder(path) && !is_volatile(path)
        });
        found.extend(gone.map(|(path, _)| finding(*kind, path, Change::Gone)));
    }
    found
}

/// A folder that comes or goes is told by what is in it.
fn is_folder(path: &str) -> bool {
    path.ends_with('/')
}

/// Whether it opens something that this is gone: a rule that forbade, a line of a stack.
fn leaves_by_going(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Setuid | Kind::Capability | Kind::Transient | Kind::Container | Kind::Program
    )
}

fn entries(before: &Picture, now: &Picture) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let empty = BTreeMap::new();
    for (path, entries) in &now.entries {
        let old = before.entries.get(path).unwrap_or(&empty);
        let mut put = |entry: &String, change| {
            // gshadow says the same of members as group does.
            let told = |other: &Finding| other.entry == *entry && other.change == change;
            if !(entry.contains(' ') && found.iter().any(told)) {
                let (path, entry) = (path.clone(), entry.clone());
                found.push(Finding { kind: Kind::Account, path, entry, change });
            }
        };
        for (entry, mark) in entries {
            match old.get(entry) {
                None => put(entry, Change::New),
                Some(old) if old != mark => put(entry, Change::Changed),
                Some(_) => {}
            }
        }
        for entry in old.keys().filter(|entry| !entries.contains_key(*entry)) {
            put(entry, Change::Gone);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(text: &str) -> Mark {
        Mark::of(&[text.as_bytes()])
    }

    fn picture(files: &[(Kind, &str, &str)]) -> Picture {
        let mut picture = Picture::default();
        for (kind, path, text) in files {
            picture.put(*kind, (*path).to_owned(), mark(text));
        }
        picture
    }

    fn told(report: &Report) -> Vec<String> {
        let line = |one: &Finding| format!("{} {} {}{}", one.kind, one.change, one.path, one.entry);
        report.found.iter().map(line).collect()
    }

    #[test]
    fn each_difference_is_told_once_and_what_weighs_most_first() {
        let before = picture(&[
            (Kind::Cron, "/etc/crontab", "a"),
            (Kind::Pam, "/etc/pam.d/su", "a"),
            (Kind::Setuid, "/usr/bin/su", "a"),
            (Kind::Program, "/usr/local/bin/x", "a"),
        ]);
        let mut now = picture(&[
            (Kind::Cron, "/etc/crontab", "b"),
            (Kind::Setuid, "/usr/local/bin/x", "b"),
            (Kind::Unit, "/etc/systemd/a.d/", "folder"),
            (Kind::Unit, "/etc/systemd/a.d/b.conf", "a"),
            (Kind::Sudo, "/etc/sudoers.d/x", "a"),
        ]);
        now.put(Kind::Sudo, "/etc/sudoers.d/stint".to_owned(), Mark::own());
        let report = compare(&before, &now, true);
        assert_eq!(
            told(&report),
            [
                "sudo new /etc/sudoers.d/x",
                "pam gone /etc/pam.d/su",
                "setuid new /usr/local/bin/x",
                "cron changed /etc/crontab",
                "unit new /etc/systemd/a.d/b.conf",
            ]
        );
        assert!(report.count == 5 && !report.went_dark);
        assert_eq!(compare(&before, &before, false), Report::default());
    }

    #[test]
    fn what_was_not_seen_is_said_and_not_judged() {
        let mut before = picture(&[]);
        before.unseen.insert("/home/a".to_owned(), "slow".to_owned());
        let mut now = picture(&[(Kind::Ssh, "/home/a/.ssh/authorized_keys", "a")]);
        now.unseen.clone_from(&before.unseen);
        let report = compare(&before, &now, true);
        assert_eq!((report.count, report.went_dark), (0, false));
        assert_eq!(report.unseen, ["/home/a: slow"]);
        now.unseen.insert("/tmp".to_owned(), "there is too much in it".to_owned());
        now.put(Kind::Setuid, "/tmp/sh".to_owned(), mark("a"));
        before.put(Kind::Shell, "/tmp/gone".to_owned(), mark("a"));
        let report = compare(&before, &now, true);
        assert!(report.went_dark);
        assert_eq!(told(&report), ["setuid new /tmp/sh"], "it was not there before");
        let blind = Picture::blind("gone");
        let report = compare(&blind, &now, true);
        assert!(report.went_dark && report.found.is_empty());
    }

    #[test]
    fn after_a_boot_only_what_was_not_there_is_new() {
        let before = picture(&[(Kind::Transient, "/run/systemd/transient/a.service", "a")]);
        let now = picture(&[
            (Kind::Transient, "/run/systemd/transient/a.service", "b"),
            (Kind::Transient, "/run/systemd/transient/b.service", "b"),
        ]);
        assert_eq!(
            told(&compare(&before, &now, false)),
            ["transient new /run/systemd/transient/b.service"]
        );
        assert_eq!(compare(&before, &now, true).count, 2);
    }

    #[test]
    fn who_came_into_a_group_is_told_once() {
        let of = |path: &str, entries: &[&str]| {
            let entries = entries.iter().map(|entry| ((*entry).to_owned(), mark("x")));
            (path.to_owned(), entries.collect::<BTreeMap<_, _>>())
        };
        let mut before = Picture::default();
        before.entries.extend([of("/etc/group", &["sudo"]), of("/etc/gshadow", &["sudo"])]);
        let mut now = Picture::default();
        let more = ["sudo", "bob in sudo"];
        now.entries.extend([of("/etc/group", &more), of("/etc/gshadow", &more)]);
        assert_eq!(told(&compare(&before, &now, true)), ["account new /etc/groupbob in sudo"]);
    }

    #[test]
    fn a_great_many_are_counted_and_some_are_kept() {
        let paths: Vec<String> = (0..1_000).map(|n| format!("/etc/cron.d/{n:04}")).collect();
        let now: Vec<_> = paths.iter().map(|path| (Kind::Cron, path.as_str(), "a")).collect();
        let report = compare(&Picture::default(), &picture(&now), true);
        assert_eq!((report.count, report.found.len()), (1_000, KEPT));
        assert_eq!(report.by_kind, [(Kind::Cron, 1_000)]);
    }
}
