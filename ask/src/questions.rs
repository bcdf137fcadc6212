//! The questions to stintd, and how an answer is told from anything else. Decides nothing: an
//! answer is passed on, all else is an error.

use stint_wire::header::NO_REPLY_EXPECTED;
use stint_wire::{
    Array, Decode, Encode, Garbage, Given, Items, LONGEST_QUESTION, Opened, Request, Writer,
};

use crate::clock::Deadline;
use crate::incoming::{self, Incoming, Reply, Room, returned};
use crate::kernel::effective_uid;
use crate::peer::{self, Daemon, Trouble};
use crate::text::{Line, Say};

/// The most characters of a session's id.
pub const LONGEST_ID: usize = 128;

/// Room for a question of PAM's items and for less.
const SHORT: usize = 2 * 1_024;

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer<'a> {
    /// Nothing usable came back.
    Trouble(Trouble),
    /// stintd refused to answer.
    Refused {
        /// The error's D-Bus name, as it came.
        name: &'a str,
        /// Its message, as it came.
        text: &'a str,
    },
}

impl Say for NoAnswer<'_> {
    fn say(&self, line: &mut Line) {
        match self {
            Self::Trouble(trouble) => trouble.say(line),
            Self::Refused { name, text } => {
                line.push("stintd answered with an error: ");
                line.push_harmless(name);
                line.push(": ");
                line.push_harmless(text);
            }
        }
    }
}

impl From<Trouble> for NoAnswer<'_> {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Garbage> for NoAnswer<'_> {
    fn from(garbage: Garbage) -> Self {
        Self::Trouble(Trouble::Garbage(garbage))
    }
}

impl NoAnswer<'_> {
    /// Whether nobody spoke at all: stintd is not there, or hangs.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Trouble(Trouble::Unreachable { .. } | Trouble::TimedOut | Trouble::Closed)
        )
    }
}

/// Writes a call of `member`, where there is room for it.
fn write<'a, Q: Encode>(
    room: &'a mut [u8],
    flags: u8,
    member: &str,
    question: &Q,
) -> Result<&'a [u8], Garbage> {
    let mut writer = Writer::new(room);
    incoming::call(&mut writer, effective_uid(), flags, member, question);
    writer.written().ok_or(Garbage("the question is too long"))
}

/// Asks a question of at most `ROOM` bytes; the answer stays in `room`.
fn ask<'a, const ROOM: usize, A: Decode<'a>>(
    daemon: Daemon<'_>,
    member: &str,
    question: &impl Encode,
    deadline: Deadline,
    room: &'a mut Room,
) -> Result<A, NoAnswer<'a>> {
    let mut written = [0; ROOM];
    let question = write(&mut written, 0, member, question)?;
    let mut incoming = Incoming::new(room);
    peer::exchange(daemon, question, deadline, &mut incoming)?;
    match incoming.reply()? {
        Reply::Return(message) => Ok(returned(&message)?),
        Reply::Error { name, text } => Err(NoAnswer::Refused { name, text }),
    }
}

/// Asks whether the gate is open.
///
/// # Errors
/// If there is no answer.
pub fn check<'a>(
    daemon: Daemon<'_>,
    items: &Items<'_>,
    deadline: Deadline,
    room: &'a mut Room,
) -> Result<Given<'a>, NoAnswer<'a>> {
    ask::<SHORT, _>(daemon, "Check", items, deadline, room)
}

/// Asks for a role in the person's name.
///
/// # Errors
/// If there is no answer.
pub fn request_at_door<'a>(
    daemon: Daemon<'_>,
    asked: &Request<'_>,
    deadline: Deadline,
    room: &'a mut Room,
) -> Result<Given<'a>, NoAnswer<'a>> {
    ask::<LONGEST_QUESTION, _>(daemon, "RequestAtDoor", asked, deadline, room)
}

/// Reports a session, and gets its id, and the control group that is to be entered.
///
/// # Errors
/// If there is no answer, or the id is no id.
pub fn open_session<'a>(
    daemon: Daemon<'_>,
    items: &Items<'_>,
    deadline: Deadline,
    room: &'a mut Room,
) -> Result<Opened<'a>, NoAnswer<'a>> {
    let opened: Opened<'_> = ask::<SHORT, _>(daemon, "EnterSession", items, deadline, room)?;
    let id = opened.id;
    let fine = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    if fine { Ok(opened) } else { Err(Garbage("the session's id is none").into()) }
}

/// Reports that this process could not enter the control group of its session, and waits until it
/// is put into another.
///
/// # Errors
/// If there is no answer.
pub fn place_session<'a>(
    daemon: Daemon<'_>,
    id: &str,
    deadline: Deadline,
    room: &'a mut Room,
) -> Result<(), NoAnswer<'a>> {
    ask::<SHORT, _>(daemon, "PlaceSession", &id, deadline, room)
}

/// Reports the end of a session. Nothing hangs on an answer, so none is waited for.
///
/// # Errors
/// If it cannot be reported.
pub fn close_session(daemon: Daemon<'_>, id: &str, deadline: Deadline) -> Result<(), Trouble> {
    let mut written = [0; SHORT];
    let notice = write(&mut written, NO_REPLY_EXPECTED, "CloseSession", &id)?;
    peer::tell(daemon, notice, deadline)
}

/// Asks for the numbers of the groups which the role of this grant confers, for a program that the
/// holder of the grant runs.
///
/// # Errors
/// If there is no answer, or the process's real uid does not hold this grant now.
pub fn run_groups<'a>(
    daemon: Daemon<'_>,
    grant: &str,
    deadline: Deadline,
    room: &'a mut Room,
) -> Result<Array<'a, u32>, NoAnswer<'a>> {
    ask::<SHORT, _>(daemon, "RunGroups", &grant, deadline, room)
}
