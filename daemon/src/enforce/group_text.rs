//! The text of a group or gshadow file, changed in the member field of named groups and nowhere
//! else: order, comments, NIS lines, odd lines and a missing final newline stay to the byte.
//! Pure: no file is touched here.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use stint_proto::{GroupName, UserName};

const FIELDS: usize = 4;

/// A group or gshadow file, line by line. Both have four fields, members last.
#[derive(Clone, Debug)]
pub(super) struct GroupText {
    lines: Vec<Vec<u8>>,
    places: BTreeMap<Vec<u8>, Place>,
    /// The members of the groups that were asked for, by line: a batch asks for one group often.
    open: BTreeMap<usize, Members>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    One(usize),
    Many,
}

/// What stands in the way of a group's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadLine {
    /// There is none.
    Absent,
    /// There is more than one.
    Twice,
    /// It has not four fields.
    Malformed {
        /// Which line, from 1.
        line: usize,
    },
}

impl GroupText {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let lines: Vec<Vec<u8>> =
            bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let mut places = BTreeMap::new();
        for (at, line) in lines.iter().enumerate() {
            // glibc skips blanks before a name, so a name behind blanks is that group, too.
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            let name = name.trim_ascii().to_vec();
            places.entry(name).and_modify(|place| *place = Place::Many).or_insert(Place::One(at));
        }
        Self { lines, places, open: BTreeMap::new() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            match self.open.get(&at) {
                Some(members) => members.write(line, &mut out),
                None => out.extend_from_slice(line),
            }
        }
        out
    }

    /// Whether the text ends with a line's end. One that does not may be half written.
    pub(super) fn is_whole(&self) -> bool {
        self.lines.last().is_some_and(|line| line.ends_with(b"\n"))
    }

    fn members(&mut self, group: &GroupName) -> Result<&mut Members, BadLine> {
        let at = match self.places.get(group.as_str().as_bytes()) {
            None => return Err(BadLine::Absent),
            Some(Place::Many) => return Err(BadLine::Twice),
            Some(Place::One(at)) => *at,
        };
        match self.open.entry(at) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(place) => {
                let line = self.lines.get(at).ok_or(BadLine::Absent)?;
                if line.split(|byte| *byte == b':').count() != FIELDS {
                    return Err(BadLine::Malformed { line: at.saturating_add(1) });
                }
                Ok(place.insert(Members::of(line)))
            }
        }
    }

    /// Whether the group's line names the user.
    pub(super) fn has(&mut self, group: &GroupName, user: &UserName) -> Result<bool, BadLine> {
        self.members(group).map(|members| members.has(user))
    }

    /// Adds the user at the end of the group's members; false if they are one already.
    pub(super) fn add(&mut self, group: &GroupName, user: &UserName) -> Result<bool, BadLine> {
        let members = self.members(group)?;
        if members.has(user) {
            return Ok(false);
        }
        members.push(user.as_str().as_bytes());
        Ok(true)
    }

    /// Takes the user out of the group's members; false if they are none.
    pub(super) fn remove(&mut self, group: &GroupName, user: &UserName) -> Result<bool, BadLine> {
        self.members(group).map(|members| members.remove(user))
    }
}

/// The members of one line, as they are written there; those that were taken out leave a gap, so
/// that the others keep their places.
#[derive(Clone, Debug, Default)]
struct Members {
    written: Vec<Option<Vec<u8>>>,
    places: HashMap<Vec<u8>, Vec<usize>>,
}

impl Members {
    fn of(line: &[u8]) -> Self {
        let mut members = Self::default();
        let (_, field, _) = parts(line);
        if !field.is_empty() {
            field.split(|byte| *byte == b',').for_each(|name| members.push(name));
        }
        members
    }

    fn push(&mut self, name: &[u8]) {
        let place = self.written.len();
        self.places.entry(name.trim_ascii().to_vec()).or_default().push(place);
        self.written.push(Some(name.to_vec()));
    }

    fn has(&self, user: &UserName) -> bool {
        self.places.contains_key(user.as_str().as_bytes())
    }

    fn remove(&mut self, user: &UserName) -> bool {
        let Some(places) = self.places.remove(user.as_str().as_bytes()) else { return false };
        for place in places {
            if let Some(written) = self.written.get_mut(place) {
                *written = None;
            }
        }
        true
    }

    /// Writes the line with these members.
    fn write(&self, line: &[u8], out: &mut Vec<u8>) {
        let (head, _, end) = parts(line);
        out.extend_from_slice(head);
        for (count, name) in self.written.iter().flatten().enumerate() {
            if count > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name);
        }
        out.extend_from_slice(end);
    }
}

/// A line's fields before the members, the members, and its end.
fn parts(line: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (body, end) = match line.strip_suffix(b"\n") {
        Some(body) => (body, &b"\n"[..]),
        None => (line, &b""[..]),
    };
    let members = body.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    let (head, members) = body.split_at(body.len() - members.len());
    (head, members, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(name: &str) -> UserName {
        name.parse().unwrap()
    }

    fn group(name: &str) -> GroupName {
        name.parse().unwrap()
    }

    #[test]
    fn refuses_lines_that_are_not_clear() {
        for (text, why) in [
            ("", BadLine::Absent),
            ("dockers:x:1:\n#docker:x:1:\n+docker\n", BadLine::Absent),
            ("docker:x:1:\ndocker:x:2:\n", BadLine::Twice),
            ("docker:x:1:\n docker:x:2:\n", BadLine::Twice),
            ("a:x:1:\ndocker:x:1\n", BadLine::Malformed { line: 2 }),
            ("docker:x:1:a:b\n", BadLine::Malformed { line: 1 }),
        ] {
            let mut read = GroupText::parse(text.as_bytes());
            assert_eq!(read.add(&group("docker"), &user("alice")), Err(why), "{text:?}");
            assert_eq!(read.remove(&group("docker"), &user("alice")), Err(why), "{text:?}");
            assert_eq!(read.bytes(), text.as_bytes());
        }
    }

    #[test]
    fn a_part_of_a_name_is_no_name() {
        let text = b"docker:x:1:alice2,malice,ALICE\nalice:x:2:\n";
        assert_eq!(GroupText::parse(text).has(&group("docker"), &user("alice")), Ok(false));
    }

    #[test]
    fn changes_the_member_field_alone() {
        let mut text = GroupText::parse(b"# mine\n+@nis\n\ndocker:x:1:bob\nz:x:2:");
        assert_eq!(text.add(&group("docker"), &user("alice")), Ok(true));
        assert_eq!(text.add(&group("docker"), &user("alice")), Ok(false));
        assert_eq!(text.add(&group("z"), &user("alice")), Ok(true));
        let bytes = text.bytes();
        assert_eq!(bytes, b"# mine\n+@nis\n\ndocker:x:1:bob,alice\nz:x:2:alice");
        assert_eq!(text.remove(&group("docker"), &user("bob")), Ok(true));
        assert_eq!(text.bytes(), b"# mine\n+@nis\n\ndocker:x:1:alice\nz:x:2:alice");
    }

    proptest! {
        #[test]
        fn added_and_removed_is_as_before(
            before in "([ -~]{0,20}\n){0,5}",
            members in "[a-z, ]{0,20}",
            after in "(\n[ -~]{0,20}){0,5}\n?",
        ) {
            let bytes = format!("{before}docker:x:99:{members}{after}").into_bytes();
            let mut text = GroupText::parse(&bytes);
            prop_assume!(text.has(&group("docker"), &user("zoe")) == Ok(false));
            prop_assert_eq!(text.add(&group("docker"), &user("zoe")), Ok(true));
            prop_assert_eq!(GroupText::parse(&text.bytes()).has(&group("docker"), &user("zoe")), Ok(true));
            prop_assert_eq!(text.remove(&group("docker"), &user("zoe")), Ok(true));
            prop_assert_eq!(text.bytes(), bytes);
        }
    }
}
