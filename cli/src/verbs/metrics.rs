//! `stint metrics`.

use std::path::Path;

use stint_hostfiles::put_file;
use stint_proto::{ExitStatus, Metric, MetricKind};

use crate::args::MetricsArgs;
use crate::failure::{Failure, Outcome};
use crate::{bus, exposition, out};

/// Prints numbers for monitoring, or puts them into a file.
pub fn run(args: &MetricsArgs) -> Outcome {
    let asked = bus::call_running::<Vec<Metric>>("Metrics");
    let Some(file) = &args.output else {
        out::print(&exposition::text(&all(asked?)));
        return Ok(ExitStatus::Done);
    };
    match asked {
        Ok(metrics) => put(file, &all(metrics)).map(|()| ExitStatus::Done),
        // Whoever reads the file is to know at once, not to go on with what was.
        Err(failure) if failure.status == ExitStatus::Unavailable => {
            put(file, &[up(false)])?;
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}

/// What the daemon counts, and what this command finds out itself. A metric that needs no daemon is
/// added here.
fn all(of_daemon: Vec<Metric>) -> Vec<Metric> {
    let mut metrics = vec![up(true)];
    metrics.extend(of_daemon);
    metrics
}

fn up(answers: bool) -> Metric {
    let help = "1 if stintd answers, 0 if it does not.";
    Metric::new(MetricKind::Gauge, "stint_up", help).with(&[], f64::from(u8::from(answers)))
}

/// Replaces the file whole, so that nobody reads half of it.
fn put(file: &Path, metrics: &[Metric]) -> Result<(), Failure> {
    // A bare name is one of this folder.
    let file = std::path::absolute(file).map_err(Failure::failed)?;
    // A terminal or a pipe, or a link to one, would be gone.
    if file.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        let name = stint_policy::text::quoted(&file.to_string_lossy()).to_string();
        let text = format!("{name} is no ordinary file, so it is left as it is");
        return Err(Failure::usage(text));
    }
    put_file(&file, exposition::text(metrics).as_bytes(), 0o644).map_err(Failure::failed)
}
