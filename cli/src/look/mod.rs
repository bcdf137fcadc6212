//! How things look on a terminal: tables, times, colours. Fetches nothing, prints nothing.

pub mod fleet;
pub mod grants;
pub mod remote;
pub mod replayed;
pub mod requests;
pub mod residue;
pub mod standing;
pub mod table;
pub mod times;

use anstyle::{AnsiColor, Style};

/// What is fine.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What is wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is odd.
pub const ODD: Style = AnsiColor::Yellow.on_default();
/// What heads something.
pub const HEAD: Style = Style::new().bold();

/// The text in a style; the stream takes the style off where it does not belong.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// `1 role`, `2 roles`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
