//! What is wrong with a policy, and where, as a person reads it. Everything that comes from the
//! file is escaped here.

use std::fmt;

use crate::text;

/// The most characters of a source line that are shown.
const SHOWN: usize = 160;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy cannot be used.
    Error,
    /// It can, but something is odd.
    Warning,
}

/// One thing about one place of a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as it was named when it was read.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The character in that line, from 1.
    pub column: u32,
    /// Which key (`roles.admin.max_duration`); empty where it is about no key.
    pub key: String,
    /// What was found, and why it is wrong.
    pub message: String,
    /// The line itself, harmless; `None` at the end of the file.
    pub source_line: Option<String>,
    /// How many characters of `source_line` stand before the marked ones.
    pub caret: usize,
    /// How many characters are marked; at least one.
    pub caret_width: usize,
    /// What would be right; empty if there is nothing to add.
    pub hint: String,
}

impl Diagnostic {
    /// Whether the policy cannot be used for it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Place, key and message on one line.
    #[must_use]
    pub fn headline(&self) -> String {
        let path = text::harmless(&self.path);
        let severity = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        let key = text::harmless(&self.key);
        let parting = if key.is_empty() { "" } else { ": " };
        let message = text::harmless(&self.message);
        format!("{path}:{}:{}: {severity}{key}{parting}{message}", self.line, self.column)
    }

    /// Marks `found` (bytes within `line`) in the line as it will be shown.
    pub(crate) fn show_line(&mut self, line: &str, found: std::ops::Range<usize>) {
        let part = |range| line.get(range).map(shown).unwrap_or_default();
        let (before, marked) = (part(0..found.start), part(found.start..found.end));
        let after = part(found.end..line.len());
        let mut caret = before.chars().count();
        let mut all = format!("{before}{marked}{after}");
        self.caret_width = marked.chars().count().max(1);
        if all.chars().count() > SHOWN {
            let cut = caret.saturating_sub(40);
            all = all.chars().skip(cut).take(SHOWN).collect();
            caret -= cut;
            self.caret_width = self.caret_width.min(SHOWN.saturating_sub(caret)).max(1);
        }
        self.caret = caret;
        self.source_line = Some(all);
    }
}

/// A tab counts as one column, so it is shown as one blank.
fn shown(part: &str) -> String {
    text::harmless(&part.replace('\t', " "))
}

/// The headline, the line and the mark under it, without a line break at the end.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.headline())?;
        let hint = text::harmless(&self.hint);
        let space = if hint.is_empty() { "" } else { " " };
        match &self.source_line {
            Some(line) => {
                let (before, carets) = (" ".repeat(self.caret), "^".repeat(self.caret_width));
                write!(f, "\n{:>5} | {}", self.line, line.trim_end())?;
                write!(f, "\n      | {before}{carets}{space}{hint}")
            }
            None if hint.is_empty() => Ok(()),
            None => write!(f, "\n      | {hint}"),
        }
    }
}

impl std::error::Error for Diagnostic {}
