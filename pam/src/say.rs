//! What the person reads. Text only: at most three lines, each short and free of anything that a
//! terminal or a log would obey.

use stint_ask::harmless;

use crate::handle::{Handle, Tone};

/// The most lines that a call says.
pub const MOST_LINES: usize = 3;

/// Says the first [`MOST_LINES`] lines, made harmless.
pub fn lines(handle: &impl Handle, tone: Tone, lines: &[impl AsRef<str>]) {
    for line in lines.iter().take(MOST_LINES) {
        handle.tell(tone, &harmless(line.as_ref()));
    }
}

/// stintd did not answer in time, or at all.
#[must_use]
pub fn no_answer(service: &str) -> String {
    format!(
        "stint: {service} is gated by stint, and stintd does not answer, so nobody is let in. \
         root: systemctl status stintd"
    )
}

/// stintd, or somebody in its place, answered something that is no answer.
#[must_use]
pub fn bad_answer(service: &str) -> String {
    format!(
        "stint: {service} is gated by stint, and stintd could not answer, so nobody is let in. \
         root: stint doctor"
    )
}

/// The module's line in the PAM file has a mistake.
#[must_use]
pub fn bad_line() -> String {
    "stint: a pam_stint line in /etc/pam.d has a mistake, so nobody is let in. \
     root: journalctl -g pam_stint"
        .to_owned()
}

/// PAM says something that the module will not pass on.
#[must_use]
pub fn bad_item() -> String {
    "stint: the program that asks said something that stint cannot use, so nobody is let in. \
     root: journalctl -g pam_stint"
        .to_owned()
}

/// A denial for which stintd gave no words.
#[must_use]
pub fn denied(service: &str) -> String {
    format!("stint: {service} needs a grant, and you hold none that opens it.")
}
