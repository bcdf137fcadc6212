//! Tables without borders: a bold line of headings, then rows, two blanks apart.

use comfy_table::{Row, Table, presets};
use stint_policy::text::harmless;

use super::{HEAD, styled};

/// A table; every cell is made harmless first.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let lines = lines(Some(headings), rows);
    let mut lines = lines.iter().map(String::as_str);
    let heading = lines.next().map(|line| styled(HEAD, line)).unwrap_or_default();
    [heading].into_iter().chain(lines.map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

/// The same without headings.
pub fn plain(rows: &[Vec<String>]) -> String {
    lines(None, rows).join("\n")
}

/// A heading, and below it a name and a value a line; every value is made harmless first.
pub fn facts(heading: &str, facts: &[(&str, String)]) -> String {
    let lines = facts.iter().map(|(name, value)| {
        let value = harmless(value);
        format!("  {name:<9} {value}").trim_end().to_owned()
    });
    [styled(HEAD, heading)].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

fn lines(headings: Option<&[&str]>, rows: &[Vec<String>]) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(headings) = headings {
        table.set_header(Row::from(headings.to_vec()));
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| harmless(cell)).collect::<Vec<_>>());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("  {}", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_typed_cannot_leave_its_cell() {
        let text = table(&["REASON"], &[vec!["a\n\u{1b}[2Jb".into()]]);
        let shown = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(shown, "  REASON\n  a\\n\\u{1b}[2Jb");
    }

    #[test]
    fn columns_line_up_and_lines_have_no_blank_end() {
        let rows = [vec!["admin".into(), "sudo".into()], vec!["c".into(), "group docker".into()]];
        let text = table(&["ROLE", "OPENS"], &rows);
        let shown = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(shown, "  ROLE   OPENS\n  admin  sudo\n  c      group docker");
    }
}
