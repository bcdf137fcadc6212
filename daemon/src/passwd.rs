//! /etc/passwd itself, read without the name service: what became of the accounts that are in it. Its
//! answers are definite where those of a database on the network are not. Reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use stint_hostfiles::{open_dir, open_regular, read_all};
use stint_proto::{Uid, UserName};

/// Who is in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passwd {
    uids: BTreeMap<String, u32>,
    names: BTreeMap<u32, Vec<String>>,
    groups: BTreeMap<u32, Vec<String>>,
}

/// What became of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// It is in the file as it was; with the other names that its number has there.
    Same(BTreeSet<String>),
    /// Neither its name nor its number is in the file.
    Absent,
    /// It is not what it was.
    Other {
        /// What it is, in words that end a sentence.
        why: String,
        /// The name that its number has now, where its own name is gone.
        renamed: Option<String>,
    },
}

impl Passwd {
    /// Reads `passwd` in this folder; `None` where it cannot be read, or is not whole: something is
    /// writing it.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        let folder = open_dir(folder).ok()?;
        let (file, _) = open_regular(&folder, "passwd").ok()?;
        Self::parse(&read_all(&file).ok()?)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        if !bytes.ends_with(b"\n") {
            return None;
        }
        let mut passwd = Self::default();
        for line in String::from_utf8_lossy(bytes).lines() {
            let mut fields = line.trim_start().split(':');
            let (Some(name), Some(_), Some(uid)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let Ok(uid) = uid.parse() else { continue };
            if name.is_empty() || name.starts_with(['#', '+', '-']) {
                continue;
            }
            // Of two lines with one name, lookups find the first.
            if !passwd.uids.contains_key(name) {
                passwd.uids.insert(name.to_owned(), uid);
                passwd.names.entry(uid).or_default().push(name.to_owned());
                if let Some(gid) = fields.next().and_then(|gid| gid.parse().ok()) {
                    passwd.groups.entry(gid).or_default().push(name.to_owned());
                }
            }
        }
        // A host without root is a file that is being written.
        passwd.names.contains_key(&0).then_some(passwd)
    }

    /// The accounts whose own group has this number.
    #[must_use]
    pub fn of_primary_group(&self, gid: u32) -> Vec<String> {
        self.groups.get(&gid).cloned().unwrap_or_default()
    }

    /// What became of this account. `known` are the other names that its number had when it was
    /// first looked at; `None` if it is looked at for the first time.
    #[must_use]
    pub fn became(&self, user: &UserName, uid: Uid, known: Option<&BTreeSet<String>>) -> Became {
        let names = self.names.get(&uid.0).map(Vec::as_slice).unwrap_or_default();
        let other = |why: String, renamed: Option<&String>| Became::Other {
            why,
            renamed: renamed.cloned(),
        };
        match self.uids.get(user.as_str()) {
            Some(now) if *now == uid.0 => {}
            Some(now) => return other(format!("{user} has the uid {now} now, not {uid}"), None),
            None => {
                return match names.first() {
                    Some(first) => {
                        let why = format!("uid {uid} is called {first} now, not {user}");
                        other(why, Some(first))
                    }
                    None if known.is_some() => {
                        other(format!("the account {user} (uid {uid}) is gone"), None)
                    }
                    None => Became::Absent,
                };
            }
        }
        let others = || names.iter().filter(|name| name.as_str() != user.as_str());
        let new = others().find(|name| known.is_some_and(|known| !known.contains(*name)));
        let first = names.first().filter(|first| first.as_str() != user.as_str());
        match new.or(first) {
            Some(name) => other(format!("uid {uid} has another name now, {name}"), None),
            None => Became::Same(others().cloned().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "root:x:0:0::/root:/bin/sh\n";

    fn became(lines: &str, known: Option<&[&str]>) -> Became {
        let passwd = Passwd::parse(format!("{ROOT}{lines}").as_bytes()).unwrap();
        let known = known.map(|known| known.iter().map(ToString::to_string).collect());
        passwd.became(&"alice".parse().unwrap(), Uid(1000), known.as_ref())
    }

    fn why(lines: &str) -> String {
        match became(lines, Some(&[])) {
            Became::Other { why, .. } => why,
            same => panic!("{same:?}"),
        }
    }

    #[test]
    fn half_a_file_says_nothing() {
        for text in ["", "\n", "alice:x:1000:1000::/:/bin/sh\n", "root:x:0:0:", &ROOT[..9]] {
            assert_eq!(Passwd::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Passwd::read(Path::new("/nonexistent")), None);
    }

    #[test]
    fn an_account_is_of_the_group_that_its_line_names() {
        let lines = "alice:x:1000:7::/:\nbob:x:1001:7::/:\ncarol:x:1002:8::/:\nbent:x:1003\n";
        let passwd = Passwd::parse(format!("{ROOT}{lines}").as_bytes()).unwrap();
        assert_eq!(passwd.of_primary_group(7), ["alice", "bob"]);
        assert!(passwd.of_primary_group(9).is_empty());
    }

    #[test]
    fn tells_what_became_of_an_account() {
        let alice = "alice:x:1000:1000::/home/alice:/bin/sh\n";
        let none = BTreeSet::new();
        assert_eq!(became(alice, Some(&[])), Became::Same(none.clone()));
        assert_eq!(became(alice, None), Became::Same(none));
        assert_eq!(became("", None), Became::Absent);
        assert_eq!(why(""), "the account alice (uid 1000) is gone");
        assert_eq!(why("#alice:x:1000:1::/:\n+alice\n"), "the account alice (uid 1000) is gone");
        assert_eq!(why("alice:x:2000:1::/:\n"), "alice has the uid 2000 now, not 1000");
        assert_eq!(why("mallory:x:1000:1::/:\n"), "uid 1000 is called mallory now, not alice");
        let two = format!("{alice}mallory:x:1000:1::/:\n");
        assert_eq!(why(&two), "uid 1000 has another name now, mallory");
        let others = BTreeSet::from(["mallory".to_owned()]);
        assert_eq!(became(&two, Some(&["mallory"])), Became::Same(others.clone()));
        assert_eq!(became(&two, None), Became::Same(others));
        let before = format!("mallory:x:1000:1::/:\n{alice}");
        assert!(matches!(became(&before, None), Became::Other { .. }));
    }
}
