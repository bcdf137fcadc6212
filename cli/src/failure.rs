//! How the command fails: one message and one exit status.

use std::fmt;

use stint_proto::ExitStatus;

/// Why a verb did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit status.
    pub status: ExitStatus,
    /// What goes to standard error, whole; empty if all has been said.
    pub message: String,
}

/// What a verb comes to.
pub type Outcome = Result<ExitStatus, Failure>;

impl Failure {
    /// A failure with its message, after the command's name.
    pub fn new(status: ExitStatus, message: impl fmt::Display) -> Self {
        Self { status, message: format!("stint: {message}") }
    }

    /// A failure whose message says itself whose it is.
    pub fn bare(status: ExitStatus, message: impl fmt::Display) -> Self {
        Self { status, message: message.to_string() }
    }

    /// Something that was asked for makes no sense.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(ExitStatus::Usage, message)
    }

    /// Something went wrong.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::new(ExitStatus::Failed, message)
    }
}

/// Refuses everybody but root.
///
/// # Errors
/// When the caller is not root.
pub fn root_only(verb: &str) -> Result<(), Failure> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let message = format!("stint {verb} is root's: run it as root");
    Err(Failure::bare(ExitStatus::Refused, message))
}
