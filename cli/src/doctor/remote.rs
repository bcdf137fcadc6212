//! Findings about signed documents: the policy, who may sign, who brings them.

use stint_policy::text::harmless;
use stint_proto::{Remote, SIGNERS_FILE};

use super::{Finding, Rank};

/// What is wrong with them.
pub fn judge(remote: &Remote) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (true, Some(serial), Some(until)) = (remote.stale, remote.serial, remote.current_until) {
        let text = format!("The signed policy {serial} is out of date since {until}.");
        findings.push(Finding::new(Rank::Wrong, text, "stint policy sign, and bring it here"));
    }
    for problem in &remote.problems {
        let problem = harmless(problem);
        findings.push(if problem.starts_with(SIGNERS_FILE) {
            Finding::new(Rank::Odd, format!("{problem}."), format!("mend {SIGNERS_FILE}"))
        } else {
            let text = format!("The signed policy that is kept is not in force: {problem}.");
            Finding::new(Rank::Wrong, text, "mend what it names, then  stint reload")
        });
    }
    for source in remote.sources.iter().filter(|source| !source.error.is_empty()) {
        let text = format!("{}: {}.", harmless(&source.name), harmless(&source.error));
        findings.push(Finding::new(Rank::Odd, text, "stint status; journalctl -u stint-sync"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_is_not_named_and_what_is_not_is_once() {
        let source = |error: &str| stint_proto::Source {
            name: "web".into(),
            at: stint_proto::Timestamp(0),
            good_at: None,
            error: error.into(),
        };
        let mut remote = Remote {
            serial: Some(7),
            signers: "lead".into(),
            not_before: None,
            current_until: Some(stint_proto::Timestamp(0)),
            stale: false,
            problems: Vec::new(),
            sources: vec![source("")],
        };
        assert_eq!(judge(&remote), []);
        remote.stale = true;
        remote.problems = vec![format!("{SIGNERS_FILE}:3: x"), "line 1: y".to_owned()];
        remote.sources.push(source("down"));
        let ranks: Vec<Rank> = judge(&remote).into_iter().map(|finding| finding.rank).collect();
        assert_eq!(ranks, [Rank::Wrong, Rank::Odd, Rank::Wrong, Rank::Odd]);
    }
}
