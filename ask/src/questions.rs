//! The questions to stintd, and how an answer is told from anything else. Decides nothing: an
//! answer is passed on, all else is an error.

use std::fmt;

use nix::unistd::Uid;
use stint_proto::body::Body;
use stint_proto::{CheckAnswer, DoorRequest, GrantId, OpenedSession, PamItems};

use crate::clock::Deadline;
use crate::peer::{self, Daemon, Trouble};
use crate::text::harmless;
use crate::wire::{self, Garbage, Reply};

/// The most characters of a session's id.
const LONGEST_ID: usize = 128;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing usable came back.
    Trouble(Trouble),
    /// stintd refused to answer.
    Refused {
        /// The error's D-Bus name, made harmless.
        name: String,
        /// Its message, made harmless.
        text: String,
    },
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::Refused { name, text } => {
                write!(f, "stintd answered with an error: {name}: {text}")
            }
        }
    }
}

impl From<Trouble> for NoAnswer {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Garbage> for NoAnswer {
    fn from(garbage: Garbage) -> Self {
        Self::Trouble(Trouble::Garbage(garbage))
    }
}

impl NoAnswer {
    /// Whether nobody spoke at all: stintd is not there, or hangs.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Trouble(Trouble::Unreachable { .. } | Trouble::TimedOut | Trouble::Closed)
        )
    }
}

fn ask<Q: Body, A: Body>(
    daemon: Daemon<'_>,
    member: &'static str,
    question: &Q,
    deadline: Deadline,
) -> Result<A, NoAnswer> {
    let question = wire::call(Uid::effective().as_raw(), member, question)?;
    match peer::exchange(daemon, &question, deadline)? {
        Reply::Return(returned) => Ok(returned.value()?),
        Reply::Error { name, text } => {
            Err(NoAnswer::Refused { name: harmless(&name), text: harmless(&text) })
        }
    }
}

/// Asks whether the gate is open.
///
/// # Errors
/// If there is no answer.
pub fn check(
    daemon: Daemon<'_>,
    items: &PamItems,
    deadline: Deadline,
) -> Result<CheckAnswer, NoAnswer> {
    ask(daemon, "Check", items, deadline)
}

/// Asks for a role in the person's name.
///
/// # Errors
/// If there is no answer.
pub fn request_at_door(
    daemon: Daemon<'_>,
    asked: &DoorRequest,
    deadline: Deadline,
) -> Result<CheckAnswer, NoAnswer> {
    ask(daemon, "RequestAtDoor", asked, deadline)
}

/// Reports a session, and gets its id, and the control group that is to be entered.
///
/// # Errors
/// If there is no answer, or the id is no id.
pub fn open_session(
    daemon: Daemon<'_>,
    items: &PamItems,
    deadline: Deadline,
) -> Result<OpenedSession, NoAnswer> {
    let opened: OpenedSession = ask(daemon, "EnterSession", items, deadline)?;
    let id = &opened.id;
    let fine = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    if fine { Ok(opened) } else { Err(Garbage("the session's id is none").into()) }
}

/// Reports that this process could not enter the control group of its session, and waits until it
/// is put into another.
///
/// # Errors
/// If there is no answer.
pub fn place_session(daemon: Daemon<'_>, id: &String, deadline: Deadline) -> Result<(), NoAnswer> {
    ask(daemon, "PlaceSession", id, deadline)
}

/// Reports the end of a session. Nothing hangs on an answer, so none is waited for.
///
/// # Errors
/// If it cannot be reported.
pub fn close_session(daemon: Daemon<'_>, id: &String, deadline: Deadline) -> Result<(), NoAnswer> {
    let notice = wire::notice(Uid::effective().as_raw(), "CloseSession", id)?;
    Ok(peer::tell(daemon, &notice, deadline)?)
}

/// Asks for the numbers of the groups which the role of this grant confers, for a program that the
/// holder of the grant runs.
///
/// # Errors
/// If there is no answer, or the process's real uid does not hold this grant now.
pub fn run_groups(
    daemon: Daemon<'_>,
    grant: &GrantId,
    deadline: Deadline,
) -> Result<Vec<u32>, NoAnswer> {
    ask(daemon, "RunGroups", &grant.as_str().to_owned(), deadline)
}
