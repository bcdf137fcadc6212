//! `stint watch`.

use stint_proto::{ApproveOrder, DenyOrder};

use crate::agent;
use crate::args::WatchArgs;
use crate::failure::Outcome;
use crate::watch::{Word, run as board};

/// Shows the board; a decision goes to the daemon as it is, and whoever decides may be asked for
/// their password meanwhile.
pub fn run(args: &WatchArgs) -> Outcome {
    if args.fleet {
        return super::fleet::watch::run(args);
    }
    board(|decision| {
        let id = decision.shown.id.clone();
        match &decision.word {
            Word::Approve => {
                let digest = decision.shown.digest.clone();
                agent::call("Approve", &ApproveOrder { id, digest, note: None })
            }
            Word::Deny(reason) => agent::call("Deny", &DenyOrder { id, reason: reason.clone() }),
        }
    })
}
