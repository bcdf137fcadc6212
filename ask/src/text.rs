//! Somebody else's text as one line that neither a terminal nor a log obeys.

use stint_proto::text::is_harmless;

/// The most characters of a line; what is longer is cut.
pub const LONGEST_LINE: usize = 200;

/// The text as one harmless line: other characters become `?`, and it is cut to
/// [`LONGEST_LINE`] characters.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut line: String =
        text.chars().take(LONGEST_LINE).map(|c| if is_harmless(c) { c } else { '?' }).collect();
    if text.chars().nth(LONGEST_LINE).is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let line = harmless("a\n\r\t\u{1b}[2J\u{7f}\u{9b}1m\u{202e}\u{2066}\u{2028}\0b");
        assert_eq!(line, "a????[2J??1m????b");
    }

    #[test]
    fn long_lines_are_cut_at_characters() {
        let line = harmless(&"ä".repeat(10_000));
        assert_eq!(line.chars().count(), LONGEST_LINE);
        assert!(line.ends_with('…'));
        assert_eq!(harmless(&"x".repeat(LONGEST_LINE)), "x".repeat(LONGEST_LINE));
    }
}
