//! `stint watch`.

use crate::agent;
use crate::failure::Outcome;
use crate::watch::{Decision, run as board};

/// Shows the board; a decision goes to the daemon as it is, and whoever decides may be asked for
/// their password meanwhile.
pub fn run() -> Outcome {
    board(|decision| match decision {
        Decision::Approve(order) => agent::call("Approve", &order),
        Decision::Deny(order) => agent::call("Deny", &order),
    })
}
