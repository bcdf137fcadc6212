//! `stint doctor`.

use serde_json::{Value, json};
use stint_proto::ExitStatus;

use crate::args::Json;
use crate::doctor::{Diagnosis, Rank, examine};
use crate::failure::{Outcome, root_only};
use crate::look::{BAD, GOOD, ODD, styled};
use crate::out;

/// Shows what is wrong on this host.
pub fn run(args: Json) -> Outcome {
    root_only("doctor")?;
    let diagnosis = examine();
    if args.json {
        out::json(&document(&diagnosis));
    } else {
        out::print(&text(&diagnosis));
    }
    Ok(if diagnosis.findings.is_empty() { ExitStatus::Done } else { ExitStatus::Failed })
}

fn text(diagnosis: &Diagnosis) -> String {
    let mut lines: Vec<String> = diagnosis
        .findings
        .iter()
        .map(|finding| {
            let mark = match finding.rank {
                Rank::Open => styled(BAD, "open "),
                Rank::Wrong => styled(BAD, "wrong"),
                Rank::Odd => styled(ODD, "odd  "),
            };
            format!("{mark}  {}  Mend it:  {}", finding.text, finding.mend)
        })
        .collect();
    lines.extend(diagnosis.kernel_audit.clone());
    let style = if diagnosis.sudo_gated { GOOD } else { BAD };
    lines.push(styled(style, &diagnosis.closing));
    lines.join("\n")
}

fn document(diagnosis: &Diagnosis) -> Value {
    let findings = diagnosis.findings.iter().map(|finding| {
        json!({ "rank": finding.rank.as_str(), "text": finding.text, "mend": finding.mend })
    });
    json!({
        "findings": findings.collect::<Value>(),
        "sudo_gated": diagnosis.sudo_gated,
        "closing": diagnosis.closing,
        "kernel_audit": diagnosis.kernel_audit,
    })
}
