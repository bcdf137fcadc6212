//! Runs the driver in a host and keeps what it measured. It judges nothing.

use std::time::Duration;

use stint_tests::Host;

use crate::PROGRAMS;

/// What a whole run of the driver may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// What was measured of one candidate, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    whole: Vec<u32>,
    loading: Vec<u32>,
}

impl Samples {
    /// The median, in microseconds.
    pub(crate) fn micros(&self) -> f64 {
        median(&self.whole) / 1000.0
    }

    /// The median of the loading alone, in microseconds.
    pub(crate) fn loading_micros(&self) -> f64 {
        median(&self.loading) / 1000.0
    }

    /// The longest, in milliseconds.
    pub(crate) fn slowest_millis(&self) -> f64 {
        self.whole.iter().max().copied().map_or(0.0, f64::from) / 1_000_000.0
    }

    /// How many times the other's median this one's is.
    pub(crate) fn ratio(&self, other: &Self) -> f64 {
        median(&self.whole) / median(&other.whole)
    }

    /// Takes in what was measured in another turn.
    pub(crate) fn extend(&mut self, turns: Vec<Self>) {
        for turn in turns {
            self.whole.extend(turn.whole);
            self.loading.extend(turn.loading);
        }
    }
}

fn median(samples: &[u32]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let at = |index: usize| sorted.get(index).copied().map(f64::from).expect("samples");
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { at(middle) } else { (at(middle - 1) + at(middle)) / 2.0 }
}

/// Has the driver measure the candidates, in turns; returns their samples in the same order.
pub(crate) fn drive(host: &Host, rounds: usize, candidates: &[String]) -> Vec<Samples> {
    drive_after(host, "true", rounds, candidates)
}

/// The same, by a driver that has first done this.
pub(crate) fn drive_after(
    host: &Host,
    first: &str,
    rounds: usize,
    candidates: &[String],
) -> Vec<Samples> {
    let line = format!("{first} && {PROGRAMS}/driver {rounds} {}", candidates.join(" "));
    let output = host.run_with(&line, b"", PATIENCE);
    assert!(output.ok(), "{line}: {output}");
    let found = read(&output.stdout, candidates.len());
    for samples in &found {
        assert_eq!(samples.whole.len(), rounds, "the driver measured every round");
    }
    found
}

/// Reads lines of a candidate's number, a time and perhaps the part of it that was loading.
pub(crate) fn read(lines: &str, candidates: usize) -> Vec<Samples> {
    let mut found = vec![Samples::default(); candidates];
    for said in lines.lines() {
        let mut words = said.split(' ').map(|word| word.parse::<u32>().expect("a number"));
        let (Some(candidate), Some(whole)) = (words.next(), words.next()) else {
            panic!("the driver said {said:?}");
        };
        let samples = usize::try_from(candidate).ok().and_then(|at| found.get_mut(at));
        let samples = samples.unwrap_or_else(|| panic!("the driver said {said:?}"));
        samples.whole.push(whole);
        samples.loading.extend(words.next());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Samples, median};

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(&[9, 1, 5]).to_bits(), 5.0_f64.to_bits());
        assert_eq!(median(&[9, 1, 5, 7]).to_bits(), 6.0_f64.to_bits());
    }

    #[test]
    fn a_ratio_is_of_medians() {
        let of = |whole: &[u32]| Samples { whole: whole.to_vec(), loading: Vec::new() };
        assert_eq!(of(&[30, 1, 40]).ratio(&of(&[20, 20, 900])).to_bits(), 1.5_f64.to_bits());
    }
}
