//! Small tables of TOML: each key is known and of its type, or what is wrong is told with its line.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use stint_policy::text::quoted;
use stint_proto::{TEXT_LIMIT, Timestamp};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Refusal;

/// The line of an offset, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Reads a text as TOML.
pub(crate) fn parse(text: &str) -> Result<DeTable<'_>, Refusal> {
    DeTable::parse(text).map(Spanned::into_inner).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        let what = error.message().lines().next().unwrap_or_default().to_owned();
        Refusal::Content { line, what }
    })
}

/// One table; the keys that are asked for are the keys that it may have.
pub(crate) struct Fields<'a> {
    text: &'a str,
    name: &'static str,
    at: usize,
    values: &'a DeTable<'a>,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Fields<'a> {
    /// The one table of this name that a text has.
    pub(crate) fn only(
        text: &'a str,
        tree: &'a DeTable<'a>,
        name: &'static str,
    ) -> Result<Self, Refusal> {
        let mut found = None;
        for (key, value) in tree {
            let line = line_of(text, key.span().start);
            match value.get_ref() {
                DeValue::Table(values) if key.get_ref() == name => found = Some((line, values)),
                _ => {
                    let what = format!("unknown key {}; there is [{name}]", quoted(key.get_ref()));
                    return Err(Refusal::Content { line, what });
                }
            }
        }
        let (at, values) = found
            .ok_or_else(|| Refusal::Content { line: 0, what: format!("it has no [{name}]") })?;
        Ok(Self { text, name, at, values, known: RefCell::default() })
    }

    fn get(&self, key: &'static str) -> Option<(usize, &'a DeValue<'a>)> {
        self.known.borrow_mut().insert(key);
        let value = self.values.get(key)?;
        Some((line_of(self.text, value.span().start), value.get_ref()))
    }

    fn missing(&self, key: &'static str) -> Refusal {
        Refusal::Content { line: self.at, what: format!("[{}] needs {key}", self.name) }
    }

    fn wrong(line: usize, key: &'static str, what: impl Display) -> Refusal {
        Refusal::Content { line, what: format!("{key}: {what}") }
    }

    /// A text with something in it, no longer than what people may type.
    pub(crate) fn text(&self, key: &'static str) -> Result<Option<String>, Refusal> {
        let Some((line, value)) = self.get(key) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| Self::wrong(line, key, "this is no text"))?;
        if text.trim().is_empty() {
            return Err(Self::wrong(line, key, "this says nothing"));
        }
        if text.chars().count() > TEXT_LIMIT {
            return Err(Self::wrong(line, key, format!("at most {TEXT_LIMIT} characters")));
        }
        Ok(Some(text.to_owned()))
    }

    /// The same, read as something.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(
        &self,
        key: &'static str,
    ) -> Result<Option<T>, Refusal> {
        let line = self.get(key).map_or(0, |(line, _)| line);
        let Some(text) = self.text(key)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| Self::wrong(line, key, error))
    }

    /// A list of such texts; not empty.
    pub(crate) fn list<T: FromStr<Err: Display>>(
        &self,
        key: &'static str,
    ) -> Result<Vec<T>, Refusal> {
        let (line, value) = self.get(key).ok_or_else(|| self.missing(key))?;
        let list = value.as_array().filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| Self::wrong(line, key, "this is no list of texts"))?;
        let read = |item: &Spanned<DeValue<'_>>| {
            let text = item.get_ref().as_str();
            let text = text.ok_or_else(|| Self::wrong(line, key, "this is no list of texts"))?;
            text.parse().map_err(|error| Self::wrong(line, key, error))
        };
        list.iter().map(read).collect()
    }

    /// A point in time with its zone.
    pub(crate) fn time(&self, key: &'static str) -> Result<Option<Timestamp>, Refusal> {
        let Some((line, value)) = self.get(key) else { return Ok(None) };
        let bad = || Self::wrong(line, key, "this is no time such as 2026-12-01T09:00:00Z");
        match value {
            DeValue::Datetime(written) if written.offset.is_some() => {
                written.to_string().parse().map(Some).map_err(|_| bad())
            }
            _ => Err(bad()),
        }
    }

    /// A whole number from 1 to 2^53, which every reader of JSON holds exactly.
    pub(crate) fn number(&self, key: &'static str) -> Result<Option<u64>, Refusal> {
        const MOST: u64 = 1 << 53;
        let Some((line, value)) = self.get(key) else { return Ok(None) };
        let number = value.as_integer().and_then(|number| match number.radix() {
            10 => number.as_str().parse::<u64>().ok(),
            _ => None,
        });
        let fits = number.filter(|number| (1..=MOST).contains(number));
        fits.map(Some)
            .ok_or_else(|| Self::wrong(line, key, format!("a whole number from 1 to {MOST}")))
    }

    /// What is there, or that it is missing.
    pub(crate) fn need<T>(&self, key: &'static str, found: Option<T>) -> Result<T, Refusal> {
        found.ok_or_else(|| self.missing(key))
    }

    /// Refuses every key that nobody has asked for.
    pub(crate) fn done(self) -> Result<(), Refusal> {
        let known = self.known.into_inner();
        for (key, _) in self.values {
            let name: &str = key.get_ref();
            if !known.contains(name) {
                let known = known.iter().copied().collect::<Vec<_>>().join(", ");
                let what = format!("unknown key {}; there are {known}", quoted(name));
                return Err(Refusal::Content { line: line_of(self.text, key.span().start), what });
            }
        }
        Ok(())
    }
}
