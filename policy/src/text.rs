//! Text that somebody else wrote, made harmless for one line of a terminal or a log. Decides
//! nothing about what the text means.

pub use stint_proto::text::is_harmless;

/// The text on one line, everything that is not harmless escaped as Rust would (`\u{1b}`).
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) { shown.push(c) } else { shown.extend(c.escape_default()) }
    }
    shown
}

/// The text in double quotes, harmless, cut after 60 characters.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut shown = harmless(&text.chars().take(60).collect::<String>().replace('"', "\\\""));
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// Of `known`, the one that `found` was most likely meant to be, if any is close enough.
#[must_use]
pub fn closest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found: Vec<char> = found.chars().take(64).flat_map(char::to_lowercase).collect();
    let near = |word: &&str| distance(&found, word) <= 1 + word.len() / 4;
    known.into_iter().filter(near).min_by_key(|word| distance(&found, word))
}

/// How many letters have to be put in, taken out or changed.
fn distance(found: &[char], word: &str) -> usize {
    let mut row: Vec<usize> = (0..=found.len()).collect();
    for (above, letter) in word.chars().enumerate() {
        let mut next = vec![above + 1];
        for ((c, two), left) in found.iter().zip(row.windows(2)).zip(1_usize..) {
            let (diagonal, up) = match two {
                [diagonal, up] => (*diagonal, *up),
                _ => (0, 0),
            };
            let before = next.get(left - 1).copied().unwrap_or_default();
            let changed = diagonal + usize::from(*c != letter);
            next.push(changed.min(up + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_comes_through() {
        let shown = quoted("a\u{1b}[2J\n\u{202e}b\"\u{200b}\0\t");
        assert_eq!(shown, "\"a\\u{1b}[2J\\n\\u{202e}b\\\"\\u{200b}\\u{0}\\t\"");
        assert!(shown.chars().all(is_harmless));
        assert_eq!(quoted(&"x".repeat(61)).chars().count(), 63);
    }

    #[test]
    fn suggests_only_what_is_close() {
        let known = ["max_duration", "max_active", "hours"];
        assert_eq!(closest("max_durration", known), Some("max_duration"));
        assert_eq!(closest("Hour", known), Some("hours"));
        assert_eq!(closest("sudo", known), None);
        assert_eq!(closest("", ["ab"]), None);
    }
}
