//! The record as a table (RFC 4180): a header, then a row an event, whatever is in it.

use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};
use serde_json::{Map, Value};
use stint_policy::text::is_harmless;

use crate::json;
use crate::selection::Recorded;

/// The fields of the record that have a column of their own. `STINT_EVENT` is the column `event`.
const FIELDS: [&str; 14] = [
    "STINT_DECISION",
    "STINT_USER",
    "STINT_UID",
    "STINT_ROLE",
    "STINT_GRANT",
    "STINT_REQUEST",
    "STINT_GROUP",
    "STINT_ACTOR",
    "STINT_SERVICE",
    "STINT_REASON",
    "STINT_TICKET",
    "STINT_ATTESTED",
    "STINT_COUNT",
    "hash",
];

/// What stands before them, and `more` behind: fields without a column, as JSON.
const FIRST: [&str; 5] = ["link", "time", "boot_id", "event", "message"];

/// A table that is being written.
#[derive(Debug)]
pub struct Table<W: Write> {
    rows: Box<Writer<W>>,
}

impl<W: Write> Table<W> {
    /// Begins with the header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(to: W) -> io::Result<Self> {
        let mut rows = WriterBuilder::new()
            .quote_style(QuoteStyle::Always)
            .terminator(Terminator::CRLF)
            .from_writer(to);
        rows.write_record(FIRST.iter().chain(&FIELDS).chain(&["more"]))?;
        Ok(Self { rows: Box::new(rows) })
    }

    /// Takes one event.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&mut self, event: Recorded) -> io::Result<()> {
        let Value::Object(mut document) = event.document() else { return Ok(()) };
        if document.get("STINT_EVENT") == document.get("event") {
            document.remove("STINT_EVENT");
        }
        let mut column = |name: &&str| cell(&text(document.remove(*name)));
        let mut row: Vec<String> = FIRST.iter().chain(&FIELDS).map(&mut column).collect();
        row.push(if document.is_empty() { String::new() } else { cell(&more(document)) });
        Ok(self.rows.write_record(row)?)
    }

    /// Writes the rest, and gives back where it went.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(self) -> io::Result<W> {
        self.rows.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

fn more(fields: Map<String, Value>) -> String {
    json::line(&Value::Object(fields))
}

/// A value as it stands in a cell: text as it is, all else as JSON.
fn text(value: Option<Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    }
}

/// The text of a cell: in one line, and with an apostrophe in front where a spreadsheet might take
/// it for a formula, or where it begins with one. So whoever takes away one apostrophe in front has
/// the text again.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len() + 1);
    // Spaces before a formula are skipped by some; the wide ones are for East Asian keyboards.
    let first = text.chars().find(|c| !c.is_whitespace());
    let formula = first.is_some_and(|c| "=+-@'＝＋－＠".contains(c));
    if formula || text.starts_with(|c: char| c.is_control()) {
        cell.push('\'');
    }
    for c in text.chars() {
        if is_harmless(c) { cell.push(c) } else { cell.extend(c.escape_unicode()) }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::tests::example;

    fn written(events: Vec<Recorded>) -> String {
        let mut table = Table::begin(Vec::new()).unwrap();
        events.into_iter().for_each(|event| table.put(event).unwrap());
        String::from_utf8(table.end().unwrap()).unwrap()
    }

    #[test]
    fn every_text_is_quoted_and_a_row_is_an_event() {
        let shown = written(vec![example()]);
        let wanted = "\"link\",\"time\",\"boot_id\",\"event\",\"message\",\"STINT_DECISION\",\
                      \"STINT_USER\",\"STINT_UID\",\"STINT_ROLE\",\"STINT_GRANT\",\"STINT_REQUEST\",\
                      \"STINT_GROUP\",\"STINT_ACTOR\",\"STINT_SERVICE\",\"STINT_REASON\",\
                      \"STINT_TICKET\",\"STINT_ATTESTED\",\"STINT_COUNT\",\"hash\",\"more\"\r\n\
                      \"7\",\"2026-11-23T14:03:40.000Z\",\"b\",\"grant.revoked\",\
                      \"admin of alice is over\",\"\",\"alice\",\"1000\",\"admin\",\"g4t9\",\"\",\
                      \"\",\"root\",\"\",\"\",\"\",\"\",\"\",\"01ff\",\"\"\r\n";
        assert_eq!(shown, wanted);
    }

    #[test]
    fn whatever_is_in_an_event_it_is_one_row_and_no_formula() {
        let hostile = "=cmd|' /C calc'!A0\",\"x\"\r\n=1+1\u{202e}";
        let mut link = example().link;
        link.message = hostile.into();
        link.fields = serde_json::json!({ "STINT_REASON": hostile, "STINT_NEW": hostile,
            "STINT_EVENT": "check.allowed", "STINT_COUNT": 3, "STINT_ROLE": null })
        .to_string();
        let shown = written(vec![link.into(), example()]);
        assert_eq!(shown.matches("\r\n").count(), 3, "{shown}");
        assert_eq!(shown.lines().count(), 3, "{shown}");
        let mut reader = csv::Reader::from_reader(shown.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        let wanted = "'=cmd|' /C calc'!A0\",\"x\"\\u{d}\\u{a}=1+1\\u{202e}";
        assert_eq!((row.get(4), row.get(14)), (Some(wanted), Some(wanted)));
        assert_eq!(row.get(17), Some("3"));
        let more: Value = serde_json::from_str(row.get(19).unwrap()).unwrap();
        assert_eq!(more["STINT_NEW"], hostile);
        assert_eq!(more["STINT_EVENT"], "check.allowed");
    }

    #[test]
    fn no_cell_is_a_formula_and_every_one_can_be_read_back() {
        for text in
            ["=1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "\n=1", " =1", "\u{a0}=1", "＝1", "'x"]
        {
            assert!(cell(text).starts_with('\''), "{text:?}");
        }
        for text in ["", "x", "1", "a=b", " x", "(1)", "=1", "'", "''=1", "-"] {
            let cell = cell(text);
            assert_eq!(cell.strip_prefix('\'').unwrap_or(&cell), text);
        }
    }
}
