//! `stint watch --fleet`: the board of all hosts, and decisions from it, signed and published.

use stint_document::Verdict;
use stint_proto::{ExitStatus, Request};

use super::decide::{carry, told};
use crate::args::WatchArgs;
use crate::failure::{Failure, Outcome};
use crate::fleet::approve::Came;
use crate::fleet::{Config, Fleet};
use crate::watch::{Decision, Word, run_fleet};

/// Shows the board. Which key signs has to be known only once something is decided.
pub fn run(args: &WatchArgs) -> Outcome {
    // What is wrong with it is told before the screen is taken.
    let config = Config::read()?;
    let store = {
        let config = config.clone();
        move || config.store()
    };
    run_fleet(store, |decision| decide(&config, args, decision))
}

/// Takes a word to its host, by a connection of its own.
fn decide(config: &Config, args: &WatchArgs, decision: &Decision) -> Result<Request, Failure> {
    let key = config.key(args.sign.as_deref())?;
    let Some(host) = &decision.shown.host else {
        return Err(Failure::failed("it is of no host"));
    };
    let (mut fleet, host) = Fleet::of_host(config.store()?, host)?;
    let word = match &decision.word {
        Word::Approve => (Verdict::Approve, None),
        Word::Deny(reason) => (Verdict::Deny, Some(reason.clone())),
    };
    let request = &decision.shown.it;
    let came = carry(&mut fleet, (&host, request), word, &key)?;
    match came {
        Came::Counted(now) => Ok(*now),
        // What is not decided yet is said as it is, and stays on the board as it was.
        came => told(&host, request, &came)
            .and_then(|text| Err(Failure::bare(ExitStatus::Pending, text))),
    }
}
