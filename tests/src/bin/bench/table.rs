//! What was found, for people and for programs: each figure beside its aim. It measures nothing.

use std::fmt;
use std::thread::available_parallelism;

use serde_json::{Value, json};
use stint_tests::Suite;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Aim {
    /// This or less.
    AtMost(f64),
    /// Less than this.
    Below(f64),
}

impl Aim {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtMost(limit) => figure <= limit,
            Self::Below(limit) => figure < limit,
        }
    }

    const fn word(figure_is_fine: bool) -> &'static str {
        if figure_is_fine { "met" } else { "missed" }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "at most {limit}"),
            Self::Below(limit) => write!(f, "below {limit}"),
        }
    }
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    figure: f64,
    aim: Option<Aim>,
}

impl Row {
    /// Says what it should be.
    pub(crate) fn aim(&mut self, aim: Aim) {
        self.aim = Some(aim);
    }
}

/// All figures of one host.
#[derive(Debug)]
pub(crate) struct Table {
    suite: Suite,
    load: String,
    rows: Vec<Row>,
}

impl Table {
    /// An empty one. It notes how busy the machine is before anything is measured.
    pub(crate) fn new(suite: Suite) -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default().to_owned();
        Self { suite, load, rows: Vec::new() }
    }

    /// Adds a figure, without an aim.
    pub(crate) fn row(&mut self, what: &str, figure: f64) -> &mut Row {
        self.rows.push(Row { what: what.to_owned(), figure, aim: None });
        self.rows.last_mut().expect("it was just pushed")
    }

    /// As a value with stable names.
    pub(crate) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let met = row.aim.map(|aim| aim.is_met(row.figure));
            json!({
                "what": row.what.trim_start(), "figure": row.figure,
                "aim": row.aim.map(|aim| aim.to_string()), "met": met,
            })
        });
        let rows: Vec<_> = rows.collect();
        json!({ "suite": self.suite.name(), "cores": cores(), "load": self.load, "rows": rows })
    }
}

fn cores() -> usize {
    available_parallelism().map_or(0, usize::from)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { suite, load, .. } = self;
        writeln!(f, "{}, {} cores, load {load} before; times are medians", suite.name(), cores())?;
        for Row { what, figure, aim } in &self.rows {
            let shown = if *figure >= 100.0 || figure.fract() == 0.0 {
                format!("{figure:.0}")
            } else {
                format!("{figure:.2}")
            };
            write!(f, "  {what:<42}{shown:>9}")?;
            match aim {
                Some(aim) => {
                    writeln!(f, "   {:<14}{}", aim.to_string(), Aim::word(aim.is_met(*figure)))?
                }
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Aim, Table};
    use stint_tests::Suite;

    #[test]
    fn a_missed_aim_is_called_missed() {
        assert!(!Aim::AtMost(1.6).is_met(1.61) && !Aim::Below(12.0).is_met(12.0));
        assert!(Aim::AtMost(1.6).is_met(1.6) && Aim::Below(12.0).is_met(11.9));
        let mut table = Table::new(Suite::Bookworm);
        table.row("slow", 2.0).aim(Aim::AtMost(1.0));
        assert!(table.to_string().contains("at most 1     missed"), "{table}");
        assert_eq!(table.json()["rows"][0]["met"], false);
    }
}
