//! The account phase: in or not. Everything that is not exactly a yes is a no.

use std::ffi::CStr;

use stint_ask::{Daemon, Deadline, NoAnswer};
use stint_proto::{CheckAnswer, PamItems, Verdict};

use crate::handle::{Handle, Level, Tone};
use crate::items::read_items;
use crate::options::Options;
use crate::prompt::{self, Typed};
use crate::say;

/// What the account phase decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a decision that nobody reads lets everybody in"]
pub enum Decision {
    /// Let in.
    In,
    /// Not.
    Out,
}

/// Whom a call is about and whom it may ask.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The process's real uid.
    pub real_uid: stint_proto::Uid,
    /// Whether PAM was told to be silent; denials are told all the same.
    pub silent: bool,
    /// Where stintd listens.
    pub daemon: Daemon<'a>,
}

/// Decides whether the gate opens.
pub fn decide(handle: &impl Handle, args: &[&CStr], facts: Facts<'_>) -> Decision {
    let options = match Options::parse(args) {
        Ok(options) => options,
        Err(error) => {
            handle.log(Level::Error, &format!("denied: {error}"));
            handle.tell(Tone::Error, &say::bad_line());
            return Decision::Out;
        }
    };
    let deadline = Deadline::after(options.timeout);
    let items = match read_items(handle) {
        Ok(items) => items,
        Err(error) => {
            handle.log(Level::Error, &format!("denied: {error}"));
            tell(handle, options, &[say::bad_item()]);
            return Decision::Out;
        }
    };
    if items.are_of_root(facts.real_uid) {
        debug(handle, options, "root is not gated");
        return Decision::In;
    }
    let call = Call { handle, options, facts, items: &items };
    match stint_ask::check(facts.daemon, &items, deadline) {
        Ok(answer) if options.prompt && !options.quiet && prompt::can_ask(&items, &answer) => {
            call.prompted(&answer)
        }
        answer => call.decided(answer),
    }
}

/// One call of the account phase, with what it needs to come to a decision.
struct Call<'a, H> {
    handle: &'a H,
    options: Options,
    facts: Facts<'a>,
    items: &'a PamItems,
}

impl<H: Handle> Call<'_, H> {
    /// What an answer comes to, and what the person is told.
    fn decided(&self, answer: Result<CheckAnswer, NoAnswer>) -> Decision {
        let Self { handle, options, facts, items } = *self;
        match answer {
            Ok(CheckAnswer { verdict: Verdict::Allow, lines, .. }) => {
                debug(handle, options, "stintd answered: allow");
                if !options.quiet && !facts.silent {
                    say::lines(handle, Tone::Info, &lines);
                }
                Decision::In
            }
            Ok(CheckAnswer { verdict: Verdict::Deny, lines, .. }) => {
                debug(handle, options, "stintd answered: deny");
                if lines.is_empty() {
                    tell(handle, options, &[say::denied(&items.service)]);
                } else {
                    tell(handle, options, &lines);
                }
                Decision::Out
            }
            Err(error) => {
                handle.log(Level::Error, &format!("denied: {error}"));
                tell(handle, options, &[no_answer(&error, &items.service)]);
                Decision::Out
            }
        }
    }

    /// Tells the person why they are denied and asks what for. What they ask for is brought to
    /// stintd within a timeout of its own: the time in which they typed does not count.
    fn prompted(&self, denied: &CheckAnswer) -> Decision {
        let (why, how) = denied.lines.split_at(denied.lines.len().min(1));
        tell(self.handle, self.options, why);
        match prompt::ask(self.handle, self.items, &denied.offers) {
            Typed::Asked(asked) => {
                let deadline = Deadline::after(self.options.timeout);
                self.decided(stint_ask::request_at_door(self.facts.daemon, &asked, deadline))
            }
            Typed::Nothing => {
                debug(self.handle, self.options, "nothing was asked for");
                tell(self.handle, self.options, how);
                Decision::Out
            }
        }
    }
}

fn no_answer(error: &NoAnswer, service: &str) -> String {
    if error.is_silence() { say::no_answer(service) } else { say::bad_answer(service) }
}

fn tell(handle: &impl Handle, options: Options, lines: &[String]) {
    if !options.quiet {
        say::lines(handle, Tone::Error, lines);
    }
}

/// Logs a line if the option `debug` is on.
pub(crate) fn debug(handle: &impl Handle, options: Options, line: &str) {
    if options.debug {
        handle.log(Level::Debug, line);
    }
}
