//! The account phase: in or not. Everything that is not exactly a yes is a no.

use core::ffi::CStr;
use core::iter::once;

use stint_ask::{Daemon, Deadline, Line, NoAnswer, Room, Say};
use stint_wire::{Given, Items, Verdict};

use crate::handle::{Handle, Level, Tone};
use crate::items::OwnItems;
use crate::options::Options;
use crate::prompt::{self, Words};
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
    pub real_uid: u32,
    /// Whether PAM was told to be silent; denials are told all the same.
    pub silent: bool,
    /// Where stintd listens.
    pub daemon: Daemon<'a>,
}

/// Decides whether the gate opens.
pub fn decide<'a>(
    handle: &impl Handle,
    arguments: impl Iterator<Item = &'a CStr>,
    facts: Facts<'_>,
) -> Decision {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(error) => {
            log_denial(handle, &error);
            say::lines(handle, Tone::Error, once(say::BAD_LINE));
            return Decision::Out;
        }
    };
    let deadline = Deadline::after(options.timeout);
    let mut items = OwnItems::default();
    let items = match items.read(handle) {
        Ok(items) => items,
        Err(error) => {
            log_denial(handle, &error);
            tell(handle, options, once(say::BAD_ITEM));
            return Decision::Out;
        }
    };
    if items.are_of_root(facts.real_uid) {
        debug(handle, options, ["root is not gated"]);
        return Decision::In;
    }
    let call = Call { handle, options, facts, items };
    match stint_ask::check(facts.daemon, &items, deadline, &mut Room::default()) {
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
    items: Items<'a>,
}

impl<H: Handle> Call<'_, H> {
    /// What an answer comes to, and what the person is told.
    #[inline(never)]
    fn decided(&self, answer: Result<Given<'_>, NoAnswer<'_>>) -> Decision {
        let Self { handle, options, facts, items } = *self;
        match answer {
            Ok(Given { verdict: Verdict::Allow, lines, .. }) => {
                debug(handle, options, ["stintd answered: allow"]);
                if !options.quiet && !facts.silent {
                    say::lines(handle, Tone::Info, lines);
                }
                Decision::In
            }
            Ok(Given { verdict: Verdict::Deny, lines, .. }) => {
                debug(handle, options, ["stintd answered: deny"]);
                if lines.is_empty() {
                    tell(handle, options, once(say::denied(items.service).as_str()));
                } else {
                    tell(handle, options, lines);
                }
                Decision::Out
            }
            Err(error) => {
                log_denial(handle, &error);
                tell(handle, options, once(no_answer(&error, items.service).as_str()));
                Decision::Out
            }
        }
    }

    /// Tells the person why they are denied and asks what for. What they ask for is brought to
    /// stintd within a timeout of its own: the time in which they typed does not count.
    // Apart, as its memory is for those who are prompted.
    #[inline(never)]
    fn prompted(&self, denied: &Given<'_>) -> Decision {
        let mut how = denied.lines.clone();
        tell(self.handle, self.options, how.next().into_iter());
        let mut words = Words::default();
        let Some(asked) = prompt::ask(self.handle, self.items, denied.offers.clone(), &mut words)
        else {
            debug(self.handle, self.options, ["nothing was asked for"]);
            tell(self.handle, self.options, how);
            return Decision::Out;
        };
        let deadline = Deadline::after(self.options.timeout);
        let mut room = Room::default();
        let answer = stint_ask::request_at_door(self.facts.daemon, &asked, deadline, &mut room);
        self.decided(answer)
    }
}

fn no_answer(error: &NoAnswer<'_>, service: &str) -> Line {
    if error.is_silence() { say::no_answer(service) } else { say::bad_answer(service) }
}

#[inline(never)]
fn log_denial(handle: &impl Handle, error: &impl Say) {
    handle.log(Level::Error, &Line::saying(["denied: "], error));
}

fn tell<'a>(handle: &impl Handle, options: Options, lines: impl Iterator<Item = &'a str>) {
    if !options.quiet {
        say::lines(handle, Tone::Error, lines);
    }
}

/// Logs a line of these parts if the option `debug` is on.
#[inline(never)]
pub(crate) fn debug<const N: usize>(handle: &impl Handle, options: Options, parts: [&str; N]) {
    if options.debug {
        handle.log(Level::Debug, &Line::of(parts));
    }
}
