//! What is wrong on this host: looks everywhere, changes nothing. One file a place that is looked
//! at; each judges what it was handed, and this one does the handing.

mod daemon;
mod files;
mod gate;
mod kernel_audit;
mod names;
mod polkit;
mod remote;
mod sudoers;
mod sweep;

use std::path::Path;

use stint_policy::GateMode;
use stint_proto::{Health, words};

use crate::gate::inspect::{gated, standing};
use crate::gate::places::Places;
use crate::{bus, clock};

words! {
    /// How bad a finding is.
    #[derive(PartialOrd, Ord)]
    Rank {
        /// Somebody gets in without a grant.
        Open = "open",
        /// Something does not work, or will not.
        Wrong = "wrong",
        /// Something is not as it should be.
        Odd = "odd",
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub rank: Rank,
    /// What it is, in a sentence.
    pub text: String,
    /// What to type.
    pub mend: String,
}

impl Finding {
    fn new(rank: Rank, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { rank, text: text.into(), mend: mend.into() }
    }
}

/// Everything that is wrong, and whether sudo is gated.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// Whether sudo denies who holds no grant.
    pub sudo_gated: bool,
    /// That in a sentence.
    pub closing: String,
    /// Whether the kernel's audit has grants and ends too; `None` where the daemon does not say.
    pub kernel_audit: Option<String>,
}

/// Looks at this host.
pub fn examine() -> Diagnosis {
    let places = Places::system();
    let all = gated(&places);
    let sudo = standing(&places, "sudo");
    let sudo_i = standing(&places, "sudo-i");
    let terms = crate::gate::terms_of_policy();
    let observe = terms.as_ref().is_ok_and(|terms| terms.mode == GateMode::Observe);
    let sudo_settings = sudoers::read(Path::new("/"));

    let mut findings = gate::sudo(sudo.as_ref(), sudo_i.as_ref());
    findings.extend(gate::services(&all, terms.as_ref().ok()));
    findings.extend(gate::module(&places, &all));
    findings.extend(sudoers::judge(&sudo_settings));
    let mut kernel_audit = None;
    findings.extend(terms.err().map(|failure| policy_unreadable(&failure.message)));
    findings.extend(files::judge(Path::new("/")));
    match bus::call::<_, Health>("Health", &()) {
        Ok(health) => {
            findings.extend(daemon::judge(&health, clock::wall(), clock::boot()));
            findings.extend(names::judge(&health, Path::new("/etc")));
            findings.extend(polkit::judge(&health.polkit_roles, Path::new("/")));
            findings.extend(sweep::list(&health, Path::new("/")));
            findings.extend(kernel_audit::judge(&health.kernel_audit));
            kernel_audit = kernel_audit::told(&health.kernel_audit).map(str::to_owned);
        }
        Err(failure) => {
            let text = failure.message.trim_start_matches("stint: ").to_owned();
            let mend = "systemctl restart stintd.socket stintd.service";
            findings.push(Finding::new(Rank::Wrong, text, mend));
        }
    }
    findings.extend(sweep::units());
    findings.sort_by_key(|finding| finding.rank);
    let around =
        gate::Around { module: places.module().is_some(), bypass: sudo_settings.bypass(), observe };
    let (sudo_gated, closing) = gate::closing(sudo.as_ref(), around);
    Diagnosis { findings, sudo_gated, closing, kernel_audit }
}

fn policy_unreadable(message: &str) -> Finding {
    let first = message.lines().next().unwrap_or_default().trim_start_matches("stint: ");
    Finding::new(Rank::Wrong, format!("The policy cannot be used: {first}."), "stint policy check")
}
