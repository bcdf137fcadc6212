//! What the person reads. Text only: at most three lines, each short and free of anything that a
//! terminal or a log would obey.

use stint_ask::{Line, harmless};
use stint_wire::text::MOST_LINES;

use crate::handle::{Handle, Tone};

/// Says the first [`MOST_LINES`] lines, made harmless.
#[inline(never)]
pub fn lines<'a>(handle: &impl Handle, tone: Tone, lines: impl Iterator<Item = &'a str>) {
    for line in lines.take(MOST_LINES) {
        handle.tell(tone, &harmless(line));
    }
}

/// stintd did not answer in time, or at all.
#[must_use]
pub fn no_answer(service: &str) -> Line {
    Line::of([
        "stint: ",
        service,
        " is gated by stint, and stintd does not answer, so nobody is let in. \
         root: systemctl status stintd",
    ])
}

/// stintd, or somebody in its place, answered something that is no answer.
#[must_use]
pub fn bad_answer(service: &str) -> Line {
    Line::of([
        "stint: ",
        service,
        " is gated by stint, and stintd could not answer, so nobody is let in. root: stint doctor",
    ])
}

/// The module's line in the PAM file has a mistake.
pub const BAD_LINE: &str = "stint: a pam_stint line in /etc/pam.d has a mistake, so nobody is let \
                            in. root: journalctl -g pam_stint";

/// PAM says something that the module will not pass on.
pub const BAD_ITEM: &str = "stint: the program that asks said something that stint cannot use, so \
                            nobody is let in. root: journalctl -g pam_stint";

/// A denial for which stintd gave no words.
#[must_use]
pub fn denied(service: &str) -> Line {
    Line::of(["stint: ", service, " needs a grant, and you hold none that opens it."])
}
