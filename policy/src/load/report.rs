//! Collects what is found, in whatever order, and hands it out in the order of the files.

use std::fmt::Display;
use std::str::FromStr;

use stint_proto::{BadLength, BadName, Length};

use super::source::Source;
use super::table::Node;
use crate::text::quoted;
use crate::{Diagnostic, Severity};

/// What has been found so far.
#[derive(Default)]
pub(super) struct Report {
    found: Vec<(usize, Diagnostic)>,
}

impl Report {
    pub(super) fn syntax(&mut self, source: &Source<'_>) {
        self.found.extend(source.syntax_errors().map(|error| (source.number, error)));
    }

    pub(super) fn error(&mut self, node: &Node<'_>, message: &str, hint: &str) {
        self.add(Severity::Error, node, message, hint);
    }

    pub(super) fn warning(&mut self, node: &Node<'_>, message: &str, hint: &str) {
        self.add(Severity::Warning, node, message, hint);
    }

    /// On a line that TOML complained of, only TOML has a say.
    fn add(&mut self, severity: Severity, node: &Node<'_>, message: &str, hint: &str) {
        if node.source.is_bad_line(node.span.start) {
            return;
        }
        let mut told = node.source.diagnostic(severity, node.span.clone());
        told.key.clone_from(&node.key);
        message.clone_into(&mut told.message);
        hint.clone_into(&mut told.hint);
        self.found.push((node.source.number, told));
    }

    /// A name out of a text or a key.
    pub(super) fn parsed_name<T: FromStr<Err = BadName>>(&mut self, node: &Node<'_>) -> Option<T> {
        let bad = match node.text()?.parse() {
            Ok(name) => return Some(name),
            Err(bad) => bad,
        };
        self.error(node, &format!("{} is no {}", bad.found, bad.kind), bad.why);
        None
    }

    /// Anything else out of a text.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        node: &Node<'_>,
        hint: impl FnOnce(&E) -> &'static str,
    ) -> Option<T>
    where
        T: FromStr<Err = E>,
    {
        match node.text()?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(node, &error.to_string(), hint(&error));
                None
            }
        }
    }

    pub(super) fn parsed_length(&mut self, node: &Node<'_>) -> Option<Length> {
        let text = node.text()?;
        let (message, hint) = match text.parse() {
            Ok(length) => return Some(length),
            Err(BadLength::Unreadable(_)) => ("is no duration", DURATIONS),
            Err(BadLength::NotPositive(_)) => ("is no time at all", "\"1s\" is the shortest"),
            Err(BadLength::TooLong(_)) => ("is too long", "\"366d\" is the longest"),
        };
        self.error(node, &format!("{} {message}", quoted(text)), hint);
        None
    }

    /// Everything, in the order of the files: in vain if there is an error, else what is odd.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        self.found.sort_by_key(|(file, told)| (*file, told.line, told.column, told.severity));
        let found: Vec<Diagnostic> = self.found.into_iter().map(|(_, told)| told).collect();
        if found.iter().any(Diagnostic::is_error) { Err(found) } else { Ok(found) }
    }
}

/// What durations look like.
pub(super) const DURATIONS: &str = "such as \"4h\", \"90m\", \"1h30m\"";
