//! Numbers for monitoring, as the daemon hands them to whoever prints them. What each of them says is
//! in `docs/metrics.md`.

use serde::{Deserialize, Serialize};
use zbus::{DeserializeDict, SerializeDict, Type};

crate::words! {
    wire;
    /// How a metric moves.
    MetricKind {
        /// It only grows, from 0 at the start of the daemon.
        Counter = "counter",
        /// It goes up and down.
        Gauge = "gauge",
        /// How many were not above each of some bounds.
        Histogram = "histogram",
    }
}

/// One number of a metric (`(sa(ss)d)` on the wire).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct Sample {
    /// What its name has behind the metric's: `_bucket`, `_sum` or `_count` of a histogram, else
    /// nothing.
    pub suffix: String,
    /// Its labels and their values.
    pub labels: Vec<(String, String)>,
    /// The number.
    pub value: f64,
}

/// A metric with all its samples.
#[derive(Clone, Debug, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Metric {
    /// Its name, as Prometheus has it.
    pub name: String,
    /// What it says, in a line.
    pub help: String,
    /// How it moves.
    pub kind: MetricKind,
    /// Its numbers.
    pub samples: Vec<Sample>,
}

impl Metric {
    /// A metric without numbers yet.
    #[must_use]
    pub fn new(kind: MetricKind, name: &str, help: &str) -> Self {
        Self { name: name.to_owned(), help: help.to_owned(), kind, samples: Vec::new() }
    }

    /// With one number more, under these labels.
    #[must_use]
    pub fn with(mut self, labels: &[(&str, &str)], value: f64) -> Self {
        self.add("", labels, value);
        self
    }

    /// Adds a number.
    pub fn add(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned()));
        let labels = labels.collect();
        self.samples.push(Sample { suffix: suffix.to_owned(), labels, value });
    }
}
