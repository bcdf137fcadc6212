//! Text of bounded length, in memory of its own: what is said, typed and passed on. And somebody
//! else's text as one line that neither a terminal nor a log obeys.

use core::ffi::CStr;

use stint_wire::text::{LONGEST_LINE, is_harmless};

/// Text of fewer than `ROOM` bytes; what finds no room is cut off, at a character.
#[derive(Clone, Debug)]
pub struct Text<const ROOM: usize> {
    // Behind the text there is always a zero.
    bytes: [u8; ROOM],
    length: usize,
    cut: bool,
}

/// Room for a line of [`LONGEST_LINE`] characters and for some words around it.
pub type Line = Text<1_024>;

impl Line {
    /// These parts, and what there is to be said behind them.
    #[must_use]
    pub fn saying<const N: usize>(parts: [&str; N], what: &impl Say) -> Self {
        let mut line = Self::of(parts);
        what.say(&mut line);
        line
    }
}

/// What can be said in words, as a part of a line.
pub trait Say {
    /// Appends the words.
    fn say(&self, line: &mut Line);
}

impl<const ROOM: usize> Default for Text<ROOM> {
    fn default() -> Self {
        Self { bytes: [0; ROOM], length: 0, cut: false }
    }
}

impl<const ROOM: usize> Text<ROOM> {
    /// These parts, one after the other.
    #[must_use]
    pub fn of<const N: usize>(parts: [&str; N]) -> Self {
        let mut text = Self::default();
        for part in parts {
            text.push(part);
        }
        text
    }

    /// Appends. After what found no room nothing does.
    pub fn push(&mut self, text: &str) {
        if self.cut {
            return;
        }
        let room = ROOM.saturating_sub(1).saturating_sub(self.length);
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        self.cut |= end < text.len();
        let whole = text.as_bytes().get(..end).unwrap_or_default();
        let places = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (place, byte) in places.iter_mut().zip(whole) {
            *place = *byte;
        }
        self.length = self.length.saturating_add(end);
    }

    /// Appends one character.
    fn push_char(&mut self, c: char) {
        self.push(c.encode_utf8(&mut [0; 4]));
    }

    /// Appends bytes as text; what is no UTF-8 becomes U+FFFD.
    pub fn push_lossy(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            self.push(chunk.valid());
            if !chunk.invalid().is_empty() {
                self.push_char(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    /// Appends a number in digits.
    pub fn push_number(&mut self, number: u32) {
        let mut places = 1_000_000_000;
        while places > 1 && number < places {
            places /= 10;
        }
        while places > 0 {
            self.push_char(char::from_digit(number / places % 10, 10).unwrap_or('?'));
            places /= 10;
        }
    }

    /// Appends somebody else's text as [`harmless`] makes it.
    pub fn push_harmless(&mut self, text: &str) {
        let is_longer = text.chars().nth(LONGEST_LINE).is_some();
        let shown = if is_longer { LONGEST_LINE.saturating_sub(1) } else { LONGEST_LINE };
        for c in text.chars().take(shown) {
            self.push_char(if is_harmless(c) { c } else { '?' });
        }
        if is_longer {
            self.push_char('…');
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }

    /// The text as C has it: up to its first NUL.
    #[must_use]
    pub fn as_c(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    /// Whether something found no room.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

/// The text as one harmless line: other characters become `?`, and it is cut to
/// [`LONGEST_LINE`] characters.
#[must_use]
pub fn harmless(text: &str) -> Line {
    let mut line = Line::default();
    line.push_harmless(text);
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let line = harmless("a\n\r\t\u{1b}[2J\u{7f}\u{9b}1m\u{202e}\u{2066}\u{2028}\0b");
        assert_eq!(line.as_str(), "a????[2J??1m????b");
    }

    #[test]
    fn long_lines_are_cut_at_characters() {
        for long in ["ä", "🙂"] {
            let line = harmless(&long.repeat(10_000));
            assert_eq!(line.as_str().chars().count(), LONGEST_LINE);
            assert!(line.as_str().ends_with('…') && !line.is_cut());
        }
        let fits = "x".repeat(LONGEST_LINE);
        assert_eq!(harmless(&fits).as_str(), fits);
    }

    #[test]
    fn what_finds_no_room_is_cut_off() {
        let mut text = Text::<5>::of(["ab", "ä"]);
        assert_eq!((text.as_str(), text.is_cut()), ("abä", false));
        text.push("c");
        assert_eq!((text.as_str(), text.is_cut()), ("abä", true));
        let text = Text::<5>::of(["abc", "ä", "d"]);
        assert_eq!((text.as_str(), text.is_cut()), ("abc", true));
        assert_eq!(text.as_c(), c"abc");
        assert_eq!(Text::<1>::of(["a"]).as_c(), c"");
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        let mut text = Text::<16>::default();
        text.push_lossy(b"a\xff\xfeb\xc3");
        assert_eq!(text.as_str(), "a\u{fffd}\u{fffd}b\u{fffd}");
    }

    proptest! {
        #[test]
        fn a_number_is_written_as_ever(number in any::<u32>(), small in 0_u32..1_000) {
            for number in [number, small, 0, u32::MAX] {
                let mut text = Text::<16>::default();
                text.push_number(number);
                prop_assert_eq!(text.as_str(), number.to_string());
            }
        }

        #[test]
        fn a_line_is_never_cut_in_a_character(parts in prop::collection::vec("\\PC{0,9}", 0..4)) {
            let mut text = Text::<12>::default();
            let mut whole = String::new();
            for part in &parts {
                text.push(part);
                whole.push_str(part);
            }
            if !text.is_cut() {
                prop_assert_eq!(text.as_str(), whole);
            }
            prop_assert!(text.as_str().len() < 12);
        }
    }
}
