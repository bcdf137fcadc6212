//! Metrics as text: Prometheus' exposition format 0.0.4, which the node exporter's textfile collector
//! takes too. Knows the form alone, and lets nothing break it.

use std::fmt::Write;

use stint_proto::Metric;

/// All of them, in their order.
pub fn text(metrics: &[Metric]) -> String {
    let mut out = String::new();
    for metric in metrics.iter().filter(|metric| is_name(&metric.name)) {
        let name = &metric.name;
        // Writing into memory does not fail.
        let _ = writeln!(out, "# HELP {name} {}", escaped(&metric.help, false));
        let _ = writeln!(out, "# TYPE {name} {}", metric.kind);
        for sample in &metric.samples {
            let of = sample.labels.iter().filter(|(label, _)| is_name(label));
            let labels: Vec<String> =
                of.map(|(label, value)| format!("{label}=\"{}\"", escaped(value, true))).collect();
            let labels =
                if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let suffix = &sample.suffix;
            let _ = writeln!(out, "{name}{suffix}{labels} {}", sample.value);
        }
    }
    out
}

/// Whether this is a name of a metric or a label. One that is none is left out: the rest is of use
/// without it.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

fn escaped(text: &str, quoted: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quoted { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use stint_proto::MetricKind;

    use super::*;

    #[test]
    fn what_a_label_says_stays_in_its_label() {
        let forged = "a\"} 1\nstint_alarms 0\\";
        let checks = Metric::new(MetricKind::Counter, "stint_checks_total", "One\nline.")
            .with(&[("service", forged), ("no name", "x")], 2.0);
        let odd = Metric::new(MetricKind::Gauge, "no name", "x").with(&[], 1.0);
        let shown = text(&[checks, odd]);
        assert_eq!(
            shown,
            "# HELP stint_checks_total One\\nline.\n# TYPE stint_checks_total counter\n\
             stint_checks_total{service=\"a\\\"} 1\\nstint_alarms 0\\\\\"} 2\n"
        );
    }

    #[test]
    fn numbers_are_written_out() {
        let mut late = Metric::new(MetricKind::Histogram, "late_seconds", "L.");
        late.add("_bucket", &[("le", "+Inf")], 1e15);
        late.add("_sum", &[], 0.000_25);
        let shown = text(&[late]);
        assert!(shown.contains("late_seconds_bucket{le=\"+Inf\"} 1000000000000000\n"), "{shown}");
        assert!(shown.ends_with("late_seconds_sum 0.00025\n"), "{shown}");
    }
}
