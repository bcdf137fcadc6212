//! One file as TOML: its tree, its syntax errors, and which line and column an offset is. Knows
//! nothing of the policy's keys.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, Error};

use super::SourceFile;
use crate::{Diagnostic, Position, Severity};

/// The most syntax errors that are told of one file.
const SYNTAX_LIMIT: usize = 20;

/// What TOML says of a key that stands twice.
const DUPLICATE: &str = "duplicate key";

/// A file and its tree.
pub(super) struct Source<'a> {
    /// Its place in the order of files.
    pub(super) number: usize,
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) tree: DeTable<'a>,
    errors: Vec<Error>,
    line_starts: Vec<usize>,
    bad_lines: BTreeSet<u32>,
}

impl<'a> Source<'a> {
    pub(super) fn read(number: usize, file: &'a SourceFile) -> Self {
        let (tree, errors) = DeTable::parse_recoverable(&file.text);
        let breaks = file.text.match_indices('\n').map(|(at, _)| at + 1);
        let mut source = Self {
            number,
            path: &file.path,
            text: &file.text,
            tree: tree.into_inner(),
            errors,
            line_starts: std::iter::once(0).chain(breaks).collect(),
            bad_lines: BTreeSet::new(),
        };
        let spans = source.errors.iter().filter_map(Error::span);
        source.bad_lines = spans.map(|span| source.line(span.start)).collect();
        source
    }

    /// Whether all of it could be read.
    pub(super) fn is_whole(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether this offset is on a line that TOML already complained of.
    pub(super) fn is_bad_line(&self, offset: usize) -> bool {
        self.bad_lines.contains(&self.line(offset))
    }

    /// The number of the line that holds this offset, from 1.
    fn line(&self, offset: usize) -> u32 {
        let before = self.line_starts.partition_point(|start| *start <= offset);
        u32::try_from(before.max(1)).unwrap_or(u32::MAX)
    }

    /// Where a line lies, without its line break.
    fn line_range(&self, line: u32) -> Range<usize> {
        let number = usize::try_from(line).unwrap_or(usize::MAX);
        let start = self.line_starts.get(number - 1).copied().unwrap_or(self.text.len());
        let end = self.line_starts.get(number).map_or(self.text.len(), |next| next - 1);
        let text = self.text.get(start..end).unwrap_or_default();
        start..start + text.trim_end_matches('\r').len()
    }

    pub(super) fn position(&self, offset: usize) -> Position {
        Position { path: self.path.to_owned(), line: self.line(offset) }
    }

    /// A diagnostic that marks what of `span` is on its first line.
    pub(super) fn diagnostic(&self, severity: Severity, span: Range<usize>) -> Diagnostic {
        let line = self.line(span.start);
        let range = self.line_range(line);
        let text = self.text.get(range.clone()).unwrap_or_default();
        let start = span.start.clamp(range.start, range.end) - range.start;
        let end = span.end.clamp(range.start, range.end).saturating_sub(range.start).max(start);
        let (start, end) = (floor(text, start), floor(text, end));
        let before = text.get(..start).unwrap_or_default().chars().count();
        let mut diagnostic = Diagnostic {
            severity,
            path: self.path.to_owned(),
            line,
            column: u32::try_from(before + 1).unwrap_or(u32::MAX),
            key: String::new(),
            message: String::new(),
            source_line: None,
            caret: 0,
            caret_width: 1,
            hint: String::new(),
        };
        if !text.trim().is_empty() {
            diagnostic.show_line(text, start..end);
        }
        diagnostic
    }

    /// What TOML itself complains of. After a bracket that nothing closes it complains of all that
    /// follows; then only the first of it is told, with a word on what the cause may be.
    pub(super) fn syntax_errors(&self) -> impl Iterator<Item = Diagnostic> + '_ {
        let unclosed = self.errors.iter().any(|error| error.message().starts_with("unclosed "));
        let most = if unclosed { 1 } else { SYNTAX_LIMIT };
        let own = self.errors.iter().filter(|error| !self.follows_from_another(error));
        own.take(most).map(move |error| {
            let span = error.span().unwrap_or(self.text.len()..self.text.len());
            let mut told = self.diagnostic(Severity::Error, span.clone());
            match (error.message(), self.first_of(&span)) {
                (DUPLICATE, first) => {
                    let name = self.text.get(span).unwrap_or_default();
                    let place = first.map(|at| format!("; the first is at {at}"));
                    told.message = format!("{name} stands here twice{}", place.unwrap_or_default());
                    told.hint = "keep one of the two".to_owned();
                }
                (message, _) => {
                    told.message = format!("this is no TOML: {message}");
                    if unclosed {
                        told.hint = "is a bracket before it left open?".to_owned();
                    }
                }
            }
            told
        })
    }

    /// Whether a key stands twice only because its whole table does.
    fn follows_from_another(&self, error: &Error) -> bool {
        let Some(span) = error.span().filter(|_| error.message() == DUPLICATE) else {
            return false;
        };
        let line = self.line(span.start);
        let is_header = |line: &u32| {
            let text = self.text.get(self.line_range(*line)).unwrap_or_default();
            text.trim_start().starts_with('[')
        };
        let header = (1..=line).rev().find(is_header);
        header.is_some_and(|header| header != line && self.bad_lines.contains(&header))
    }

    /// The line above that begins as the line of `span` does up to the end of `span`.
    fn first_of(&self, span: &Range<usize>) -> Option<Position> {
        let line = self.line(span.start);
        let start = self.line_range(line).start;
        let wanted = self.text.get(start..span.end)?.trim_start();
        let closed =
            |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || "-_.".contains(c));
        let same = |above: &u32| {
            let text = self.text.get(self.line_range(*above)).unwrap_or_default();
            text.trim_start().strip_prefix(wanted).is_some_and(closed)
        };
        let above = (1..line).rev().find(same)?;
        Some(Position { path: self.path.to_owned(), line: above })
    }
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}
