//! What of a store is offered to stintd at all, and under which name. Looks at sizes alone.

use stint_policy::text::harmless;
use stint_proto::fleet;

use crate::fetch::SIZE_LIMIT;

/// The most bytes of a key that is looked at.
pub(super) const KEY_LIMIT: usize = 400;
/// The most characters of a source's name: a key that is made harmless can be longer than itself.
const NAME_LIMIT: usize = 500;

/// Why it is not even offered.
pub(super) fn unfit(key: &[u8], value: Option<&[u8]>) -> Option<&'static str> {
    match value {
        _ if key.len() > KEY_LIMIT => Some("its key is longer than 400 bytes"),
        None => Some("it is larger than 1 MiB, the most a document may be"),
        Some([]) => Some("it is empty"),
        Some(value) => u64::try_from(value.len())
            .map_or(true, |size| size > SIZE_LIMIT)
            .then_some("it is larger than 1 MiB, the most a document may be"),
    }
}

/// How the document at a key is called, of however many characters its key is.
pub(super) fn name(key: &[u8]) -> String {
    let name = fleet::source(&harmless(&String::from_utf8_lossy(key)));
    match name.chars().count() > NAME_LIMIT {
        true => name.chars().take(NAME_LIMIT).chain(['…']).collect(),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_or_nothing_is_not_offered() {
        let most = usize::try_from(SIZE_LIMIT).unwrap();
        assert_eq!(unfit(b"/k", Some(&vec![b'x'; most])), None);
        for (key, value) in [
            (b"/k".to_vec(), Some(vec![b'x'; most + 1])),
            (b"/k".to_vec(), Some(Vec::new())),
            (b"/k".to_vec(), None),
            (vec![b'k'; KEY_LIMIT + 1], Some(vec![b'x'])),
        ] {
            assert!(unfit(&key, value.as_deref()).is_some());
        }
    }

    #[test]
    fn a_name_is_one_line_that_stintd_takes_whatever_the_key() {
        assert_eq!(name(b"/stint/1/fleet/policy/web"), "etcd:/stint/1/fleet/policy/web");
        for key in [vec![0x1b; KEY_LIMIT], vec![0xff; 5_000], b"a\nb".to_vec()] {
            let name = name(&key);
            assert!(name.chars().count() <= 501 && harmless(&name) == name, "{name}");
        }
    }
}
