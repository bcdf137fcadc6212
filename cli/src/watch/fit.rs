//! Text that fits: cut, filled up and folded by the cells it takes on a terminal, which are not its
//! characters. Whatever comes in is made harmless first.

use ratatui::style::Style;
use ratatui::text::Span;
use stint_policy::text::harmless;

/// The cells that a text takes.
pub fn width(text: &str) -> usize {
    pieces(text).iter().map(|(_, cells)| cells).sum()
}

/// What is one sign to a reader, each with its cells; what takes none is left out.
fn pieces(text: &str) -> Vec<(String, usize)> {
    let span = Span::raw(text);
    let pieces = span.styled_graphemes(Style::new());
    let measured = pieces.map(|piece| (piece.symbol.to_owned(), Span::raw(piece.symbol).width()));
    measured.filter(|(_, cells)| *cells > 0).collect()
}

/// The text, harmless, in at most `room` cells; an ellipsis says that it was cut.
pub fn cut(text: &str, room: usize) -> String {
    let text = harmless(text);
    if width(&text) <= room {
        return text;
    }
    let (mut shown, mut used) = (String::new(), 1);
    for (piece, cells) in pieces(&text) {
        used += cells;
        if used > room {
            break;
        }
        shown.push_str(&piece);
    }
    if room > 0 {
        shown.push('…');
    }
    shown
}

/// The text, harmless, in exactly `room` cells.
pub fn fill(text: &str, room: usize) -> String {
    let text = cut(text, room);
    let blank = room.saturating_sub(width(&text));
    text + &" ".repeat(blank)
}

/// The text, harmless and whole, in lines of at most `room` cells, folded at blanks where that can
/// be. A sign wider than `room` has a line of its own.
pub fn fold(text: &str, room: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for (piece, cells) in pieces(&harmless(text)) {
        if used + cells > room && !line.is_empty() {
            let rest = match line.rfind(' ').filter(|_| piece != " ") {
                Some(blank) if !line[..blank].trim().is_empty() => {
                    let rest = line.split_off(blank);
                    rest.strip_prefix(' ').unwrap_or_default().to_owned()
                }
                _ => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest));
            used = width(&line);
            if piece == " " && line.is_empty() {
                continue;
            }
        }
        line.push_str(&piece);
        used += cells;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so_and_wide_signs_are_not_halved() {
        assert_eq!(cut("disk full", 9), "disk full");
        assert_eq!(cut("disk full", 8), "disk fu…");
        assert_eq!(cut("語語語", 5), "語語…");
        assert_eq!(cut("語語語", 4), "語…");
        assert_eq!(cut("語", 1), "…");
        assert_eq!(cut("語", 0), "");
        assert_eq!(fill("語", 4), "語  ");
    }

    #[test]
    fn what_is_folded_loses_no_word() {
        assert_eq!(fold("the disk of web-1 is full", 10), ["the disk", "of web-1", "is full"]);
        assert_eq!(fold("aaaaaaaaaaaa", 5), ["aaaaa", "aaaaa", "aa"]);
        assert_eq!(fold("a\u{1b}b", 3), ["a\\u", "{1b", "}b"]);
        assert_eq!(fold("語語", 1), ["語", "語"]);
        assert_eq!(fold("", 5), [""]);
    }
}
