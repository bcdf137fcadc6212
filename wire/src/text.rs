//! Which characters somebody else's text may keep on a terminal, in a log and in a PAM message. One
//! rule for the module, the daemon and the command.

/// The most lines that a person is shown by one call.
pub const MOST_LINES: usize = 3;

/// The most characters of a line that a person is shown; what is longer is cut.
pub const LONGEST_LINE: usize = 200;

/// Whether a character may be shown as it is: no control character, and nothing that is invisible
/// or changes the direction of what follows.
#[must_use]
pub fn is_harmless(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_more_than_be_read_is_not_harmless() {
        for c in ['\n', '\r', '\t', '\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}'] {
            assert!(!is_harmless(c), "{c:?}");
        }
        for c in ['\u{200b}', '\u{200f}', '\u{2028}', '\u{feff}', '\u{e0041}', '\u{ad}'] {
            assert!(!is_harmless(c), "{c:?}");
        }
        for c in ['a', ' ', 'ß', '語', '🙂', '…', '"', '\\'] {
            assert!(is_harmless(c), "{c:?}");
        }
    }
}
