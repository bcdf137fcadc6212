//! A histogram as Prometheus has it: how many lengths of time were not above each of some bounds.
//! Atomics only; reads no clock.

use std::sync::atomic::{AtomicU64, Ordering};

use stint_proto::Metric;

/// Lengths of time, counted by bounds that stay as they are.
#[derive(Debug)]
pub struct Histogram {
    /// In microseconds, growing.
    bounds: &'static [u64],
    /// How many fell between the bound before and this; at the end those above all.
    counts: Vec<AtomicU64>,
    /// Of all of them, in microseconds.
    sum: AtomicU64,
}

impl Histogram {
    /// An empty one with these bounds, in microseconds, growing.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a length of so many microseconds.
    pub fn observe(&self, micros: u64) {
        let place = self.bounds.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(micros, Ordering::Relaxed);
        }
    }

    /// Adds what was counted so far to a metric of this kind. Lengths are in seconds there.
    #[must_use]
    pub fn fill(&self, mut metric: Metric) -> Metric {
        let mut so_far = 0;
        for (number, count) in self.counts.iter().enumerate() {
            so_far += count.load(Ordering::Relaxed);
            let bound = self.bounds.get(number);
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |at| seconds(*at).to_string());
            metric.add("_bucket", &[("le", &bound)], as_float(so_far));
        }
        metric.add("_sum", &[], seconds(self.sum.load(Ordering::Relaxed)));
        metric.add("_count", &[], as_float(so_far));
        metric
    }
}

/// A number as Prometheus has it; above 2^53 it is rounded.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a metric is a float wherever it is used")]
pub fn as_float(number: u64) -> f64 {
    number as f64
}

fn seconds(micros: u64) -> f64 {
    as_float(micros) / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use stint_proto::MetricKind;

    use super::*;

    #[test]
    fn a_bound_takes_in_what_lies_on_it_and_each_bucket_those_before() {
        let histogram = Histogram::new(&[1_000, 2_500_000]);
        for length in [0, 1_000, 1_001, 2_500_000, 2_500_001] {
            histogram.observe(length);
        }
        let metric = histogram.fill(Metric::new(MetricKind::Histogram, "x_seconds", "X."));
        let shown: Vec<(String, f64)> = metric
            .samples
            .iter()
            .map(|sample| {
                let le = sample.labels.first().map(|(_, le)| le.as_str()).unwrap_or_default();
                (format!("{} {le}", sample.suffix), sample.value)
            })
            .collect();
        let expected = [
            ("_bucket 0.001", 2.0),
            ("_bucket 2.5", 4.0),
            ("_bucket +Inf", 5.0),
            ("_sum ", 5.002_002),
            ("_count ", 5.0),
        ];
        assert_eq!(shown, expected.map(|(name, value)| (name.to_owned(), value)));
    }
}
