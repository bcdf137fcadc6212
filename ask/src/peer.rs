//! The socket to stintd: one connection, one write, and one answer if there is to be one, all before
//! one deadline; and once more, should stintd die with the question in its hands.
//!
//! It never blocks without that deadline, never raises SIGPIPE, believes nobody but the uid it is
//! told to, takes no descriptors, and closes its own on every way out.

use core::time::Duration;

use stint_wire::Garbage;

use crate::clock::Deadline;
use crate::incoming::Incoming;
use crate::kernel::{self, Descriptor, Errno, Until};
use crate::text::{Line, Say};

/// How long who has asked stays awake for the answer, in nanoseconds: as long as one takes where nothing
/// is in the way. To sleep that long and be woken takes a third longer.
const AWAKE: u64 = 150_000;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The socket is not there, or nobody listens.
    Unreachable {
        /// What the kernel said.
        errno: Errno,
    },
    /// Somebody listens who is not stintd.
    Impostor {
        /// Whose process it is.
        uid: u32,
    },
    /// The deadline passed.
    TimedOut,
    /// The connection ended before the answer did.
    Closed,
    /// A system call failed on the way.
    Broken {
        /// What the kernel said.
        errno: Errno,
    },
    /// What arrived is no answer.
    Garbage(Garbage),
}

impl Say for Trouble {
    fn say(&self, line: &mut Line) {
        match self {
            Self::Unreachable { errno } => {
                line.push("stintd cannot be reached: ");
                errno.say(line);
            }
            Self::Impostor { uid } => {
                line.push("an impostor: uid ");
                line.push_number(*uid);
                line.push(" listens where stintd should, and is not believed");
            }
            Self::TimedOut => line.push("stintd did not answer within the timeout"),
            Self::Closed => line.push("stintd closed the connection without an answer"),
            Self::Broken { errno } => {
                line.push("the connection to stintd failed: ");
                errno.say(line);
            }
            Self::Garbage(Garbage(why)) => {
                line.push("garbage came where stintd should answer: ");
                line.push(why);
            }
        }
    }
}

impl From<Garbage> for Trouble {
    fn from(garbage: Garbage) -> Self {
        Self::Garbage(garbage)
    }
}

/// Where stintd listens, and who it must be.
#[derive(Clone, Copy, Debug)]
pub struct Daemon<'a> {
    /// The socket.
    pub socket: &'a str,
    /// The uid of the process behind it.
    pub uid: u32,
}

/// Sends `question` and waits until the reply is complete. Where the connection ends without one it
/// asks once more: a stintd that is killed with the question taken is started again, and systemd,
/// which holds the socket, lets the second question wait for that.
///
/// # Errors
/// Whenever there is no reply by `deadline`, whatever the reason.
pub fn exchange(
    daemon: Daemon<'_>,
    question: &[u8],
    deadline: Deadline,
    incoming: &mut Incoming<'_>,
) -> Result<(), Trouble> {
    twice_if_closed(|| {
        let stream = send_to(daemon, question, deadline)?;
        incoming.restart();
        read(&stream, deadline, incoming)
    })
}

/// Sends `notice` and does not wait: it is in stintd's hands then, or in the socket's queue, where
/// the next stintd finds it. Sent once more where the connection ends before that.
///
/// # Errors
/// When it cannot be sent by `deadline`, whatever the reason.
pub fn tell(daemon: Daemon<'_>, notice: &[u8], deadline: Deadline) -> Result<(), Trouble> {
    twice_if_closed(|| send_to(daemon, notice, deadline)).map(drop)
}

fn twice_if_closed<T>(mut attempt: impl FnMut() -> Result<T, Trouble>) -> Result<T, Trouble> {
    match attempt() {
        Err(Trouble::Closed) => attempt(),
        outcome => outcome,
    }
}

fn send_to(daemon: Daemon<'_>, bytes: &[u8], deadline: Deadline) -> Result<Descriptor, Trouble> {
    let stream = open(daemon.socket, deadline)?;
    let uid = stream.peer_uid().map_err(|errno| Trouble::Broken { errno })?;
    if uid != daemon.uid {
        return Err(Trouble::Impostor { uid });
    }
    write(&stream, bytes, deadline)?;
    Ok(stream)
}

fn open(path: &str, deadline: Deadline) -> Result<Descriptor, Trouble> {
    let stream = Descriptor::stream().map_err(|errno| Trouble::Broken { errno })?;
    loop {
        // A full backlog blocks connect for as long as this says, and no longer.
        let left = deadline.left().ok_or(Trouble::TimedOut)?;
        stream.limit_sending(left).map_err(|errno| Trouble::Broken { errno })?;
        match stream.connect(path) {
            Ok(()) | Err(Errno::IS_CONNECTED) => return Ok(stream),
            Err(Errno::INTERRUPTED | Errno::AGAIN) => {}
            Err(errno) => return Err(Trouble::Unreachable { errno }),
        }
    }
}

fn write(stream: &Descriptor, mut bytes: &[u8], deadline: Deadline) -> Result<(), Trouble> {
    while !bytes.is_empty() {
        match stream.send(bytes) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(Errno::AGAIN) => wait(stream, Until::Writable, deadline)?,
            Err(Errno::INTERRUPTED) => {}
            Err(Errno::PIPE | Errno::RESET) => return Err(Trouble::Closed),
            Err(errno) => return Err(Trouble::Broken { errno }),
        }
    }
    Ok(())
}

fn read(
    stream: &Descriptor,
    deadline: Deadline,
    incoming: &mut Incoming<'_>,
) -> Result<(), Trouble> {
    let asleep_from = kernel::monotonic().saturating_add(AWAKE);
    loop {
        match stream.receive(incoming.room()) {
            Ok(0) | Err(Errno::RESET) => return Err(Trouble::Closed),
            Ok(count) => {
                if incoming.came(count)? {
                    return Ok(());
                }
            }
            Err(Errno::AGAIN) if kernel::monotonic() < asleep_from => kernel::let_others_run(),
            // Not in recv: there the kernel also wakes who waits when stintd has read the question.
            Err(Errno::AGAIN) => wait(stream, Until::Readable, deadline)?,
            Err(Errno::INTERRUPTED) => {}
            Err(errno) => return Err(Trouble::Broken { errno }),
        }
    }
}

/// Waits until more can be sent or read, the stream has ended, or a signal came; errs once the
/// deadline passed.
fn wait(stream: &Descriptor, until: Until, deadline: Deadline) -> Result<(), Trouble> {
    let left = deadline.left().ok_or(Trouble::TimedOut)?;
    // Rounded up, so that the last millisecond is slept through and not spun through.
    let millis = left.saturating_add(Duration::from_millis(1)).as_millis();
    match stream.wait(until, i32::try_from(millis).unwrap_or(i32::MAX)) {
        Ok(false) => Err(Trouble::TimedOut),
        Ok(true) | Err(Errno::INTERRUPTED) => Ok(()),
        Err(errno) => Err(Trouble::Broken { errno }),
    }
}
