//! Tables and values with their places, read against the table of keys: unknown keys and wrong
//! types are found here, so that the readers of roles and grants see only values of the right
//! type.

use std::ops::Range;

use stint_proto::Length;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::report::{DURATIONS, Report};
use super::source::Source;
use crate::language::{Key, Kind};
use crate::text;

/// A value, or a key, and where it stands.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) source: &'a Source<'a>,
    /// Its full name.
    pub(super) key: String,
    /// What is marked in messages about it.
    pub(super) span: Range<usize>,
    content: Content<'a>,
}

#[derive(Clone, Copy)]
enum Content<'a> {
    Key(&'a str, &'a Spanned<DeValue<'a>>),
    Value(&'a DeValue<'a>),
    Nothing,
}

/// A table whose keys the language knows.
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    /// The language: every key of the file.
    keys: &'static [Key],
    /// Its full name; empty for the top.
    name: String,
    /// Its name in the language: `roles.NAME`.
    path: &'static str,
    span: Range<usize>,
    values: &'a DeTable<'a>,
}

impl<'a> Node<'a> {
    /// The text of a text, or of a key.
    pub(super) fn text(&self) -> Option<&'a str> {
        match self.content {
            Content::Key(text, _) => Some(text),
            Content::Value(value) => value.as_str(),
            Content::Nothing => None,
        }
    }

    pub(super) fn value(&self) -> Option<&'a DeValue<'a>> {
        match self.content {
            Content::Key(_, value) => Some(value.get_ref()),
            Content::Value(value) => Some(value),
            Content::Nothing => None,
        }
    }

    /// The value as it is written, cut to a few words.
    fn snippet(&self) -> String {
        let written = self.source.text.get(self.span.clone()).unwrap_or_default();
        let line = written.lines().next().unwrap_or_default().trim();
        let mut short: String = line.chars().take(40).collect();
        if short.len() < written.trim().len() {
            short.push('…');
        }
        if short.is_empty() { "this".to_owned() } else { short }
    }

    fn refuse_type(&self, report: &mut Report, key: &Key) {
        let hint = match key.kind {
            Kind::Duration | Kind::Durations => DURATIONS.to_owned(),
            _ => format!("such as {}", key.example),
        };
        report.error(self, &format!("{} {}", self.snippet(), key.kind.denial()), &hint);
    }

    /// A role's table, of an entry of `roles`, which is `within`.
    pub(super) fn as_role(&self, report: &mut Report, within: &Table<'a>) -> Option<Table<'a>> {
        let Content::Key(_, value) = self.content else { return None };
        match value.get_ref() {
            DeValue::Table(values) => Some(
                Table {
                    source: self.source,
                    keys: within.keys,
                    name: self.key.clone(),
                    path: "roles.NAME",
                    span: self.span.clone(),
                    values,
                }
                .checked(report),
            ),
            _ => {
                report.error(self, "this is no table", "such as [roles.admin]");
                None
            }
        }
    }
}

impl<'a> Table<'a> {
    pub(super) fn top(source: &'a Source<'a>, keys: &'static [Key]) -> Self {
        Table { source, keys, name: String::new(), path: "", span: 0..0, values: &source.tree }
    }

    /// The keys that may stand in it.
    fn known(&self) -> impl Iterator<Item = &'static Key> + use<> {
        let path = self.path;
        self.keys.iter().filter(move |key| key.table() == path)
    }

    fn checked(self, report: &mut Report) -> Self {
        self.check_keys(report);
        self
    }

    fn name_of(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn key_node(
        &self,
        key: &'a Spanned<DeString<'a>>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Node<'a> {
        Node {
            source: self.source,
            key: self.name_of(key.get_ref()),
            span: key.span(),
            content: Content::Key(key.get_ref(), value),
        }
    }

    /// Whether the file could be read to its end: if not, what is missing may stand in the rest.
    pub(super) fn is_whole(&self) -> bool {
        self.source.is_whole()
    }

    /// The place of the table itself.
    pub(super) fn node(&self) -> Node<'a> {
        let (source, key, span) = (self.source, self.name.clone(), self.span.clone());
        Node { source, key, span, content: Content::Nothing }
    }

    /// Its keys, whatever they are, in the order of the file.
    pub(super) fn entries(&self) -> Vec<Node<'a>> {
        let mut nodes: Vec<Node<'a>> =
            self.values.iter().map(|(key, value)| self.key_node(key, value)).collect();
        nodes.sort_by_key(|node| node.span.start);
        nodes
    }

    /// Refuses keys that the language does not know.
    pub(super) fn check_keys(&self, report: &mut Report) {
        for node in self.entries() {
            let Content::Key(found, _) = node.content else { continue };
            if self.known().any(|key| key.name() == found) {
                continue;
            }
            let names: Vec<&str> = self.known().map(Key::name).collect();
            let hint = match text::closest(found, names.iter().copied()) {
                Some(name) => format!("did you mean {name}?"),
                None if names.len() <= 8 => format!("known here: {}", names.join(", ")),
                None => "stint-policy(5) lists the keys".to_owned(),
            };
            report.error(&node, "unknown key", &hint);
        }
    }

    /// The place of a key, for whoever only wants to know where it is.
    pub(super) fn key_of(&self, name: &str) -> Option<Node<'a>> {
        self.values.get_key_value(name).map(|(key, value)| self.key_node(key, value))
    }

    /// A value of the type that the language asks for, or nothing, which has been reported if
    /// there was something.
    fn get(&self, report: &mut Report, name: &str) -> Option<(Node<'a>, &'a DeValue<'a>)> {
        let key = self.known().find(|key| key.name() == name)?;
        let Some(value) = self.values.get(name) else {
            if key.required && self.source.is_whole() {
                let mut node = self.node();
                node.key = self.name_of(name);
                report.error(&node, "missing", &format!("such as {name} = {}", key.example));
            }
            return None;
        };
        let node = Node {
            source: self.source,
            key: self.name_of(name),
            span: value.span(),
            content: Content::Value(value.get_ref()),
        };
        let fits = matches!(
            (key.kind, value.get_ref()),
            (Kind::Table, DeValue::Table(_))
                | (Kind::Tables | Kind::Texts | Kind::Durations, DeValue::Array(_))
                | (Kind::Text | Kind::Word(_) | Kind::Duration | Kind::Days, DeValue::String(_))
                | (Kind::Number { .. }, DeValue::Integer(_))
                | (Kind::Flag, DeValue::Boolean(_))
                | (Kind::Time, DeValue::Datetime(_))
        );
        if !fits {
            node.refuse_type(report, key);
            return None;
        }
        Some((node, value.get_ref()))
    }

    /// A value, of whatever type.
    pub(super) fn any(&self, report: &mut Report, name: &str) -> Option<Node<'a>> {
        self.get(report, name).map(|(node, _)| node)
    }

    /// A table in this one.
    pub(super) fn table(&self, report: &mut Report, name: &str) -> Option<Table<'a>> {
        let (node, value) = self.get(report, name)?;
        let key = self.known().find(|key| key.name() == name)?;
        let table = Table {
            source: self.source,
            keys: self.keys,
            name: node.key,
            path: key.path,
            span: self.key_of(name)?.span,
            values: value.as_table()?,
        };
        Some(if key.path == "roles" { table } else { table.checked(report) })
    }

    /// A list of tables.
    pub(super) fn tables(&self, report: &mut Report, name: &str) -> Vec<Table<'a>> {
        let key = self.known().find(|key| key.name() == name);
        let (Some((node, value)), Some(key)) = (self.get(report, name), key) else {
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in value.as_array().into_iter().flat_map(|items| items.iter()) {
            let item_node = node.item(item);
            match item.get_ref() {
                DeValue::Table(values) => {
                    let (source, keys, span) = (self.source, self.keys, item.span());
                    let name = node.key.clone();
                    let table = Table { source, keys, name, path: key.path, span, values };
                    tables.push(table.checked(report));
                }
                _ => report.error(
                    &item_node,
                    &format!("{} is no table", item_node.snippet()),
                    &format!("such as {}", key.example),
                ),
            }
        }
        tables
    }

    /// A list of texts.
    pub(super) fn texts(&self, report: &mut Report, name: &str) -> Option<Vec<Node<'a>>> {
        let (node, value) = self.get(report, name)?;
        let key = self.known().find(|key| key.name() == name)?;
        let mut texts = Vec::new();
        for item in value.as_array()?.iter() {
            let item_node = node.item(item);
            if item.get_ref().is_str() {
                texts.push(item_node);
            } else {
                let message = format!("{} is no text", item_node.snippet());
                report.error(&item_node, &message, &format!("such as {}", key.example));
            }
        }
        Some(texts)
    }

    pub(super) fn flag(&self, report: &mut Report, name: &str, default: bool) -> bool {
        self.get(report, name).and_then(|(_, value)| value.as_bool()).unwrap_or(default)
    }

    pub(super) fn number(&self, report: &mut Report, name: &str) -> Option<u32> {
        let (node, value) = self.get(report, name)?;
        let key = self.known().find(|key| key.name() == name)?;
        let Kind::Number { min, max } = key.kind else { return None };
        let integer = value.as_integer()?;
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        match number.and_then(|number| u32::try_from(number).ok()) {
            Some(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                let message = format!("{} is out of bounds", node.snippet());
                report.error(&node, &message, &format!("a whole number from {min} to {max}"));
                None
            }
        }
    }

    /// One of the words that the language has for the key.
    pub(super) fn word<T>(
        &self,
        report: &mut Report,
        name: &str,
        from_word: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (node, value) = self.get(report, name)?;
        let found = value.as_str()?;
        let word = from_word(found);
        if word.is_none()
            && let Some(Key { kind: Kind::Word(words), .. }) =
                self.known().find(|key| key.name() == name)
        {
            let choice: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let message = format!("{} is not known here", text::quoted(found));
            report.error(&node, &message, &format!("one of {}", choice.join(", ")));
        }
        word
    }

    pub(super) fn length(&self, report: &mut Report, name: &str) -> Option<Length> {
        let (node, _) = self.get(report, name)?;
        report.parsed_length(&node)
    }
}

impl<'a> Node<'a> {
    /// An item of this list.
    fn item(&self, item: &'a Spanned<DeValue<'a>>) -> Node<'a> {
        let (source, key) = (self.source, self.key.clone());
        Node { source, key, span: item.span(), content: Content::Value(item.get_ref()) }
    }
}
