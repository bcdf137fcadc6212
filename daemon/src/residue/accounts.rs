//! The files of accounts, line by line: the name of each entry, and a mark of the rest. A password's
//! hash goes into a mark and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::picture::Mark;

/// The longest text that is taken for a name.
const NAME: usize = 64;
/// What an entry is called whose name is none.
const NAMELESS: &str = "(a line without a name)";
/// How many homes are looked into.
pub(super) const HOMES: usize = 256;
/// Accounts from here on are people's.
const FIRST_PERSON: u32 = 1000;

/// The entries of a file. In one of groups (`members_at` says in which fields) everybody who is in
/// a group is an entry too, but those whom stint itself has put there.
pub(super) fn entries(
    text: &str,
    members_at: Option<usize>,
    own: &BTreeSet<(String, String)>,
) -> BTreeMap<String, Mark> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut entries = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let name = name(line);
        let mut fields: Vec<&str> = line.split(':').collect();
        if let Some(at) = members_at
            && at < fields.len()
        {
            for member in fields.remove(at).split(',').filter(|member| !member.is_empty()) {
                let is_own = own.contains(&(member.to_owned(), name.clone()));
                if !is_own && is_name(member) {
                    entries.insert(format!("{member} in {name}"), Mark::default());
                }
            }
        }
        lines.entry(name).or_default().push(fields.join(":"));
    }
    // Two lines of one name are one entry: both count.
    entries.extend(lines.into_iter().map(|(name, lines)| {
        let parts: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        (name, Mark::of(&parts))
    }));
    entries
}

/// In which field a file of groups lists who is in them.
pub(super) fn members_at(path: &str) -> Option<usize> {
    matches!(path, "/etc/group" | "/etc/gshadow").then_some(3)
}

fn name(line: &str) -> String {
    let name = line.split(':').next().unwrap_or_default();
    if line.contains(':') && is_name(name) { name.to_owned() } else { NAMELESS.to_owned() }
}

/// Anything that is short and without blanks; what is longer may be anything but a name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME && !text.contains(char::is_whitespace)
}

/// An account's home.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Home {
    /// Where it is.
    pub(super) path: String,
    /// It is a person's, or root's.
    pub(super) of_person: bool,
}

/// The homes that passwd names, each once; those of people first: they are the ones that count if
/// there are too many.
pub(super) fn homes(passwd: &str) -> Vec<Home> {
    let mut homes: BTreeMap<String, bool> = BTreeMap::new();
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let (Some(uid), Some(home)) = (fields.get(2), fields.get(5)) else { continue };
        let Ok(uid) = uid.parse::<u32>() else { continue };
        let path = PathBuf::from(home);
        let plain =
            path.components().skip(1).all(|part| matches!(part, std::path::Component::Normal(_)));
        if !home.starts_with('/') || *home == "/" || !plain {
            continue;
        }
        let of_person = uid == 0 || uid >= FIRST_PERSON && uid != 65_534;
        *homes.entry(home.trim_end_matches('/').to_owned()).or_default() |= of_person;
    }
    let mut homes: Vec<Home> =
        homes.into_iter().map(|(path, of_person)| Home { path, of_person }).collect();
    homes.sort_by_key(|home| !home.of_person);
    homes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(user: &str, group: &str) -> BTreeSet<(String, String)> {
        BTreeSet::from([(user.to_owned(), group.to_owned())])
    }

    #[test]
    fn what_stint_gave_is_left_out_and_everything_else_is_an_entry() {
        let before = entries("video:x:44:bob\n", Some(3), &BTreeSet::new());
        let with = entries("video:x:44:alice,bob\n", Some(3), &own("alice", "video"));
        assert_eq!(before, with);
        let more = entries("video:x:44:bob,carol\n", Some(3), &own("alice", "video"));
        assert!(more.contains_key("carol in video") && more["video"] == before["video"]);
        let other = entries("video:x:45:bob\n", Some(3), &BTreeSet::new());
        assert_ne!(other["video"], before["video"]);
    }

    #[test]
    fn a_second_line_of_a_name_changes_its_entry() {
        let none = BTreeSet::new();
        let one = entries("root:x:0:0::/root:/bin/sh\n", None, &none);
        let two = entries("root:x:0:0::/root:/bin/sh\nroot:x:0:0::/:/bin/sh\n", None, &none);
        assert_ne!(one["root"], two["root"]);
    }

    #[test]
    fn a_hash_is_never_a_name() {
        let hash = "$y$j9T$abcdefgh$0123456789";
        let text = format!("bob:{hash}:1::::::\n{hash}\n{}:x\n", "x".repeat(99));
        let found = entries(&text, None, &BTreeSet::new());
        assert_eq!(found.keys().collect::<Vec<_>>(), [NAMELESS, "bob"]);
        assert!(!serde_json::to_string(&found).unwrap().contains(hash));
    }

    #[test]
    fn homes_are_looked_into_once_and_none_leads_elsewhere() {
        let passwd = "root:x:0:0::/root:\na:x:1000:1:::\nb:x:1001:1::/home/b/:\nc:x:7:1::/home/b:\n\
                      d:x:1002:1::/home/../etc:\ne:x:8:1::/:\nf:x:9:1::home:\ng:x:10:1::/bin:\n";
        let homes = homes(passwd);
        let home = |path: &str, of_person| Home { path: path.to_owned(), of_person };
        assert_eq!(homes, [home("/home/b", true), home("/root", true), home("/bin", false)]);
    }
}
