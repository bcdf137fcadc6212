//! The session phase: what runs elevated is reported when it begins and when it ends. Callers such
//! as sudo go on whatever comes of it; this is a record and not a gate.

use std::ffi::CStr;

use stint_ask::Deadline;
use stint_proto::OpenedSession;

use crate::account::{Facts, debug};
use crate::handle::{Handle, Level};
use crate::items::read_items;
use crate::options::Options;
use crate::place;

/// What came of reporting a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "PAM wants to know"]
pub enum Outcome {
    /// stintd knows of it, or need not.
    Done,
    /// stintd may not know of it; why is in the log.
    Failed,
}

/// Reports that a session begins, and keeps its id for the end.
pub fn open(handle: &mut impl Handle, args: &[&CStr], facts: Facts<'_>) -> Outcome {
    let failed = |handle: &dyn Fn(&str), why: &dyn std::fmt::Display| {
        handle(&format!("the session is not reported: {why}"));
        Outcome::Failed
    };
    let options = match Options::parse(args) {
        Ok(options) => options,
        Err(error) => return failed(&|line| handle.log(Level::Error, line), &error),
    };
    let deadline = Deadline::after(options.timeout);
    let items = match read_items(handle) {
        Ok(items) => items,
        Err(error) => return failed(&|line| handle.log(Level::Error, line), &error),
    };
    if items.are_of_root(facts.real_uid) {
        debug(handle, options, "root's sessions are not reported");
        return Outcome::Done;
    }
    match stint_ask::open_session(facts.daemon, &items, deadline) {
        Ok(OpenedSession { id, group }) => {
            if !group.is_empty()
                && let Err(outside) = place::enter(&group)
            {
                debug(handle, options, &format!("{group} is not entered: {outside}"));
                if let Err(error) = stint_ask::place_session(facts.daemon, &id, deadline) {
                    let line =
                        format!("session {id} is in no group of its own: {outside}; {error}");
                    handle.log(Level::Error, &line);
                }
            }
            debug(handle, options, &format!("session {id} is open"));
            if !handle.keep_session(&id) {
                handle.log(Level::Error, &format!("the end of session {id} will not be reported"));
            }
            Outcome::Done
        }
        Err(error) => failed(&|line| handle.log(Level::Error, line), &error),
    }
}

/// Reports that the session ends, if its beginning was reported. There is nothing to deny any
/// more, so what fails is only logged.
pub fn close(handle: &impl Handle, args: &[&CStr], facts: Facts<'_>) {
    let options = match Options::parse(args) {
        Ok(options) => options,
        Err(error) => {
            handle.log(Level::Error, &error.to_string());
            Options::default()
        }
    };
    let Some(id) = handle.kept_session() else {
        debug(handle, options, "no session was reported, so none ends");
        return;
    };
    let deadline = Deadline::after(options.timeout);
    match stint_ask::close_session(facts.daemon, &id, deadline) {
        Ok(()) => debug(handle, options, &format!("the end of session {id} is told")),
        Err(error) => {
            handle.log(Level::Error, &format!("the end of session {id} is not reported: {error}"));
        }
    }
}
