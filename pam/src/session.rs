//! The session phase: what runs elevated is reported when it begins and when it ends. Callers such
//! as sudo go on whatever comes of it; this is a record and not a gate.

use core::ffi::CStr;

use stint_ask::{Deadline, Errno, Line, Room, Say, harmless};
use stint_wire::Opened;

use crate::account::{Facts, debug};
use crate::handle::{Handle, Level, SessionId};
use crate::items::OwnItems;
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
pub fn open<'a>(
    handle: &mut impl Handle,
    arguments: impl Iterator<Item = &'a CStr>,
    facts: Facts<'_>,
) -> Outcome {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(error) => return not_reported(handle, &error),
    };
    let deadline = Deadline::after(options.timeout);
    let mut items = OwnItems::default();
    let items = match items.read(handle) {
        Ok(items) => items,
        Err(error) => return not_reported(handle, &error),
    };
    if items.are_of_root(facts.real_uid) {
        debug(handle, options, ["root's sessions are not reported"]);
        return Outcome::Done;
    }
    let mut room = Room::default();
    let Opened { id, group } =
        match stint_ask::open_session(facts.daemon, &items, deadline, &mut room) {
            Ok(opened) => opened,
            Err(error) => return not_reported(handle, &error),
        };
    if !group.is_empty()
        && let Err(outside) = place::enter(group)
    {
        let (group, why) = (harmless(group), Line::saying([], &outside));
        debug(handle, options, [group.as_str(), " is not entered: ", why.as_str()]);
        place_elsewhere(handle, id, outside, facts, deadline);
    }
    debug(handle, options, ["session ", id, " is open"]);
    if !handle.keep_session(&SessionId::of([id])) {
        let line = ["the end of session ", id, " will not be reported"];
        handle.log(Level::Error, &Line::of(line));
    }
    Outcome::Done
}

/// Has stintd put this process where it can find it, as it could not enter its place itself.
// Apart, as its memory is for those who cannot enter.
#[inline(never)]
fn place_elsewhere(
    handle: &impl Handle,
    id: &str,
    outside: Errno,
    facts: Facts<'_>,
    deadline: Deadline,
) {
    if let Err(error) = stint_ask::place_session(facts.daemon, id, deadline, &mut Room::default()) {
        let mut line = Line::saying(["session ", id, " is in no group of its own: "], &outside);
        line.push("; ");
        error.say(&mut line);
        handle.log(Level::Error, &line);
    }
}

/// Reports that the session ends, if its beginning was reported. There is nothing to deny any
/// more, so what fails is only logged.
pub fn close<'a>(
    handle: &impl Handle,
    arguments: impl Iterator<Item = &'a CStr>,
    facts: Facts<'_>,
) {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(error) => {
            handle.log(Level::Error, &Line::saying([], &error));
            Options::default()
        }
    };
    let Some(id) = handle.kept_session() else {
        debug(handle, options, ["no session was reported, so none ends"]);
        return;
    };
    let deadline = Deadline::after(options.timeout);
    match stint_ask::close_session(facts.daemon, id.as_str(), deadline) {
        Ok(()) => debug(handle, options, ["the end of session ", id.as_str(), " is told"]),
        Err(error) => {
            let parts = ["the end of session ", id.as_str(), " is not reported: "];
            handle.log(Level::Error, &Line::saying(parts, &error));
        }
    }
}

#[inline(never)]
fn not_reported(handle: &impl Handle, why: &impl Say) -> Outcome {
    handle.log(Level::Error, &Line::saying(["the session is not reported: "], why));
    Outcome::Failed
}
