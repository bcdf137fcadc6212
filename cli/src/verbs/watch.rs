//! `stint watch`.

use crate::agent::Agent;
use crate::bus;
use crate::failure::Outcome;
use crate::watch::{Decision, run as board};

/// Shows the board; a decision goes to the daemon as it is, and whoever decides may be asked for
/// their password meanwhile.
pub fn run() -> Outcome {
    board(|decision| {
        let agent = Agent::start();
        let answer = match decision {
            Decision::Approve(order) => bus::call_with_password("Approve", &order),
            Decision::Deny(order) => bus::call_with_password("Deny", &order),
        };
        drop(agent);
        answer
    })
}
