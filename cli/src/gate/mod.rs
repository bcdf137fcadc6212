//! The gate on this host's PAM files: what is there, what a change would write, writing it.
//! Never asks the daemon.

pub mod change;
pub mod inspect;
pub mod places;

use stint_policy::{Loaded, Policy, parse};
use stint_proto::{ExitStatus, POLICY_DROP_IN_DIR, POLICY_FILE};

use crate::failure::Failure;
use crate::pam::block::Terms;

/// What the policy in the files says about the gate.
///
/// # Errors
/// When the policy cannot be read or has errors: the gate is never put in on a guess.
pub fn terms_of_policy() -> Result<Terms, Failure> {
    let Policy { gate, .. } = policy_of_files()?.policy;
    Ok(Terms { mode: gate.mode, prompt: gate.prompt, exempt: gate.exempt })
}

/// The policy in the files of this host.
///
/// # Errors
/// When it cannot be read, must not be trusted, or has errors.
pub fn policy_of_files() -> Result<Loaded, Failure> {
    let files = stint_hostfiles::read_policy(POLICY_FILE.as_ref(), POLICY_DROP_IN_DIR.as_ref())
        .map_err(Failure::failed)?;
    parse(&files, &host_name(), None).map_err(|errors| {
        let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let text = text.join("\n");
        Failure::bare(
            ExitStatus::Failed,
            format!("{text}\nstint: the policy has errors: mend them, and check with  stint policy check"),
        )
    })
}

/// This host's name, as the kernel knows it.
pub fn host_name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
