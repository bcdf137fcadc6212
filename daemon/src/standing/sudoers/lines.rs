//! A file of sudoers as statements: comments off, continued lines joined, each with its place.

/// One statement, or an include.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What it says.
    pub(super) text: String,
    /// Its first line, from 1.
    pub(super) line: u32,
    /// All its lines, as they are.
    pub(super) raw: String,
}

/// The statements of a file; empty ones are left out.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut open: Option<Line> = None;
    for (number, raw) in (1_u32..).zip(text.split('\n')) {
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        let is_first = open.is_none();
        let (said, goes_on) = without_comment(raw, is_first);
        let line = open.get_or_insert_with(|| Line {
            text: String::new(),
            line: number,
            raw: String::new(),
        });
        if !is_first {
            line.raw.push('\n');
            line.text.push(' ');
        }
        line.raw.push_str(raw);
        line.text.push_str(said);
        if !goes_on {
            found.extend(open.take());
        }
    }
    found.extend(open);
    found.retain(|line| !line.text.trim().is_empty());
    found
}

/// The line without its comment, and whether the next one belongs to it.
fn without_comment(raw: &str, is_first: bool) -> (&str, bool) {
    let is_include =
        is_first && ["#include", "@include"].iter().any(|word| raw.trim_start().starts_with(word));
    let (mut quoted, mut escaped, mut before) = (false, false, ' ');
    for (at, letter) in raw.char_indices() {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == '"' {
            quoted = !quoted;
        } else if letter == '#' && !quoted && !is_include {
            // A number, as in `#1000`, `#-1` and `%#27`, is none.
            let rest = raw.get(at + 1..).unwrap_or_default();
            let is_number = rest.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
            if !is_number && before != '%' {
                return (raw.get(..at).unwrap_or_default(), false);
            }
        }
        before = letter;
    }
    let bare = raw.trim_end();
    let slashes = bare.chars().rev().take_while(|c| *c == '\\').count();
    match bare.strip_suffix('\\') {
        Some(rest) if slashes % 2 == 1 => (rest, true),
        _ => (raw, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, u32, String)> {
        lines(text).into_iter().map(|l| (l.text.trim().to_owned(), l.line, l.raw)).collect()
    }

    #[test]
    fn comments_go_numbers_and_quotes_stay_and_places_are_kept() {
        let text = "# all\nalice ALL=ALL # why\n\n#1000 ALL=ALL\n%#27, \"a # b\" \\\n  ALL=\\\nALL\n\
                    Defaults x # ends here \\\nbob ALL=ALL";
        assert_eq!(
            read(text),
            [
                ("alice ALL=ALL".to_owned(), 2, "alice ALL=ALL # why".to_owned()),
                ("#1000 ALL=ALL".to_owned(), 4, "#1000 ALL=ALL".to_owned()),
                (
                    "%#27, \"a # b\"    ALL= ALL".to_owned(),
                    5,
                    "%#27, \"a # b\" \\\n  ALL=\\\nALL".to_owned()
                ),
                ("Defaults x".to_owned(), 8, "Defaults x # ends here \\".to_owned()),
                ("bob ALL=ALL".to_owned(), 9, "bob ALL=ALL".to_owned()),
            ]
        );
        assert_eq!(read("#includedir /etc/sudoers.d\n").len(), 1);
        assert_eq!(read("x \\\\\ny").len(), 2, "an escaped backslash continues nothing");
    }
}
