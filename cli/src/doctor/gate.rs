//! Findings about PAM files.

use stint_proto::MODULE_FILE;

use super::{Finding, Rank};
use crate::gate::inspect::{Standing, describe};
use crate::gate::places::Places;
use crate::pam::block::Terms;
use crate::pam::stack::Leak;

/// Whether sudo, and sudo -i where it has a service of its own, ask at all.
pub fn sudo(sudo: Option<&Standing>, sudo_i: Option<&Standing>) -> Vec<Finding> {
    let Some(sudo) = sudo else {
        let text = "There is no PAM service sudo, so nothing of sudo can be gated.";
        return vec![Finding::new(Rank::Wrong, text, "install sudo, then  stint gate on sudo")];
    };
    let asks = |standing: &Standing| standing.asks();
    if !asks(sudo) {
        let text = "sudo is not gated: its PAM file does not ask stint.";
        return vec![Finding::new(Rank::Open, text, "stint gate on sudo")];
    }
    if sudo_i.is_some_and(|standing| !asks(standing)) {
        let text = "sudo is gated, but sudo -i is not: it has a PAM file of its own.";
        return vec![Finding::new(Rank::Open, text, "stint gate on sudo")];
    }
    Vec::new()
}

/// What is wrong with the services that ask.
pub fn services(all: &[Standing], terms: Option<&Terms>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for standing in all {
        let name = &standing.service;
        if let Some(line) = standing.torn {
            let text =
                format!("{name}: line {line} is one end of the gate's lines without the other.");
            findings.push(Finding::new(Rank::Wrong, text, "stint gate off --all"));
        }
        let mode_only = standing.observes() && matches!(standing.leak, Some(Leak::Weak(_)));
        if let Some(leak) =
            standing.leak.as_ref().filter(|leak| **leak != Leak::Absent && !mode_only)
        {
            let text = format!("{name} {}.", describe(leak));
            let mend = if standing.block.is_some() {
                format!("stint gate off {name}, then  stint gate on {name}")
            } else {
                format!("take the line out that names {MODULE_FILE}, then  stint gate on {name}")
            };
            findings.push(Finding::new(Rank::Open, text, mend));
        }
        if terms.is_some_and(|terms| standing.differs(terms)) {
            findings.push(mismatch(standing, terms));
        }
    }
    findings
}

fn mismatch(standing: &Standing, terms: Option<&Terms>) -> Finding {
    let name = &standing.service;
    let text = match standing.block.as_ref().zip(terms) {
        Some((found, terms)) if found.mode != terms.mode => {
            format!("{name}: the PAM file says {}, the policy {}.", found.mode, terms.mode)
        }
        Some((found, terms)) if found.prompt != terms.prompt => {
            let (file, policy) =
                if found.prompt { ("prompts", "does not") } else { ("does not prompt", "does") };
            format!("{name}: the PAM file {file}, the policy {policy}.")
        }
        _ => format!("{name}: who is exempt in the PAM file is not who is in the policy."),
    };
    Finding::new(Rank::Wrong, text, format!("stint gate on {name}"))
}

/// Whether a module that is named is there.
pub fn module(places: &Places, all: &[Standing]) -> Option<Finding> {
    let named = all.first()?;
    if places.module().is_some() {
        return None;
    }
    let text = format!(
        "{} names {MODULE_FILE}, which is in no PAM module folder: nobody gets in there.",
        named.service
    );
    Some(Finding::new(Rank::Wrong, text, "stint gate off --all, or install stint again"))
}

/// What the rest of the host says that can undo what sudo's PAM file says.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// The module is installed.
    pub module: bool,
    /// sudo's own settings go past its PAM file.
    pub bypass: bool,
    /// The policy only observes, so stintd denies nobody.
    pub observe: bool,
}

/// Whether sudo is really gated, in a sentence.
pub fn closing(sudo: Option<&Standing>, around: Around) -> (bool, String) {
    let text = match sudo {
        None => "sudo is not gated: it has no PAM file.",
        Some(standing) if !standing.asks() => {
            "sudo is not gated: its sudoers rules alone say who gets in."
        }
        Some(standing) if standing.observes() || (around.observe && standing.asks()) => {
            "sudo is not gated: it is only observed, and nobody is denied."
        }
        Some(standing) if !standing.denies() => {
            "sudo is not gated: its PAM file lets a denial through."
        }
        Some(_) if around.bypass => "sudo is not gated: its own settings go past its PAM file.",
        Some(_) if !around.module => "sudo is shut: the module is missing, so nobody gets in.",
        Some(_) => return (true, "sudo is gated: who holds no grant is denied.".to_owned()),
    };
    (false, text.to_owned())
}

#[cfg(test)]
mod tests {
    use stint_policy::GateMode;

    use super::*;
    use crate::gate::inspect::judge;
    use crate::pam::{block, fixtures};

    fn terms(mode: GateMode) -> Terms {
        Terms { mode, prompt: false, exempt: Vec::new() }
    }

    fn at(text: &str) -> Standing {
        judge("sudo", text, &|name| fixtures::file("debian12", name))
    }

    fn gated(mode: GateMode) -> Standing {
        let text = fixtures::file("debian12", "sudo").unwrap();
        let files = |name: &str| fixtures::file("debian12", name);
        at(&block::put_in(&text, "sudo", &terms(mode), &files).unwrap())
    }

    #[test]
    fn finds_every_way_past_sudo() {
        let open = at("@include common-account\n");
        assert_eq!(sudo(Some(&open), None)[0].rank, Rank::Open);
        assert!(!closing(Some(&open), Around { module: true, bypass: false, observe: false }).0);
        assert_eq!(sudo(Some(&gated(GateMode::Enforce)), Some(&open)).len(), 1);

        let passed = at("account sufficient pam_localuser.so\naccount required pam_stint.so\n");
        let found = services(std::slice::from_ref(&passed), None);
        assert_eq!(found[0].rank, Rank::Open);
        assert!(found[0].text.contains("/etc/pam.d/sudo:1"), "{found:?}");
        assert!(!closing(Some(&passed), Around { module: true, bypass: false, observe: false }).0);

        let observed = gated(GateMode::Observe);
        assert_eq!(services(std::slice::from_ref(&observed), Some(&terms(GateMode::Observe))), []);
        assert!(
            !closing(Some(&observed), Around { module: true, bypass: false, observe: false }).0
        );
        assert!(
            !closing(
                Some(&gated(GateMode::Enforce)),
                Around { module: false, bypass: false, observe: false }
            )
            .0
        );
        assert!(
            !closing(
                Some(&gated(GateMode::Enforce)),
                Around { module: true, bypass: true, observe: false }
            )
            .0
        );
    }

    #[test]
    fn finds_what_the_policy_says_otherwise() {
        let found = services(&[gated(GateMode::Observe)], Some(&terms(GateMode::Enforce)));
        assert_eq!(found[0].text, "sudo: the PAM file says observe, the policy enforce.");
        let exempt = Terms { exempt: vec!["%ops".parse().unwrap()], ..terms(GateMode::Enforce) };
        let found = services(&[gated(GateMode::Enforce)], Some(&exempt));
        assert_eq!(found[0].mend, "stint gate on sudo");
    }

    #[test]
    fn a_policy_that_observes_gates_nothing() {
        let around = Around { module: true, bypass: false, observe: true };
        assert!(!closing(Some(&gated(GateMode::Enforce)), around).0);
    }

    #[test]
    fn a_gated_sudo_has_no_finding() {
        let good = gated(GateMode::Enforce);
        assert_eq!(sudo(Some(&good), Some(&good)), []);
        assert_eq!(services(std::slice::from_ref(&good), Some(&terms(GateMode::Enforce))), []);
        assert_eq!(
            closing(Some(&good), Around { module: true, bypass: false, observe: false }),
            (true, "sudo is gated: who holds no grant is denied.".to_owned())
        );
    }
}
