//! The account phase: in or not. Everything that is not exactly a yes is a no.

use std::ffi::CStr;

use stint_proto::Verdict;

use crate::ask::{self, NoAnswer};
use crate::clock::Deadline;
use crate::handle::{Handle, Level, Tone};
use crate::items::read_items;
use crate::options::Options;
use crate::peer::Daemon;
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
    let service = items.service.clone();
    match ask::check(facts.daemon, &items, deadline) {
        Ok(answer) => match answer.verdict {
            Verdict::Allow => {
                debug(handle, options, "stintd answered: allow");
                if !options.quiet && !facts.silent {
                    say::lines(handle, Tone::Info, &answer.lines);
                }
                Decision::In
            }
            Verdict::Deny => {
                debug(handle, options, "stintd answered: deny");
                if answer.lines.is_empty() {
                    tell(handle, options, &[say::denied(&service)]);
                } else {
                    tell(handle, options, &answer.lines);
                }
                Decision::Out
            }
        },
        Err(error) => {
            handle.log(Level::Error, &format!("denied: {error}"));
            tell(handle, options, &[no_answer(&error, &service)]);
            Decision::Out
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
