//! Processes as the record names them.

use crate::record::harmless;

/// How many are named.
const NAMED: usize = 16;

/// How many processes these are, in words.
#[must_use]
pub fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

/// Processes by name and number; not all of a great many. A process chooses its name itself.
#[must_use]
pub fn names(all: &[(String, i32)]) -> String {
    let named = all.iter().take(NAMED).map(|(name, pid)| format!("{} ({pid})", harmless(name)));
    let mut text = named.collect::<Vec<_>>().join(", ");
    if let Some(more) = all.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_processes_some_are_named_and_none_can_forge_a_line() {
        let all: Vec<_> = (1..=20).map(|pid| ("a\nb".to_owned(), pid)).collect();
        let text = names(&all);
        assert!(
            text.starts_with("a\\u{a}b (1), ") && text.ends_with("a\\u{a}b (16) and 4 more"),
            "{text}"
        );
        assert_eq!(names(&all[..1]), "a\\u{a}b (1)");
    }
}
