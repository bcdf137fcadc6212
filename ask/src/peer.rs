//! The socket to stintd: one connection, one write, and one answer if there is to be one, all before
//! one deadline; and once more, should stintd die with the question in its hands.
//!
//! It never blocks without that deadline, never raises SIGPIPE, believes nobody but the uid it is
//! told to, takes no descriptors, and closes its own on every way out.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{PeerCredentials, SendTimeout};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, getsockopt, recv, send,
    setsockopt, socket,
};
use nix::sys::time::TimeVal;

use crate::clock::Deadline;
use crate::wire::{Garbage, Incoming, Reply};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { errno } => write!(f, "stintd cannot be reached: {}", errno.desc()),
            Self::Impostor { uid } => {
                write!(f, "an impostor: uid {uid} listens where stintd should, and is not believed")
            }
            Self::TimedOut => f.write_str("stintd did not answer within the timeout"),
            Self::Closed => f.write_str("stintd closed the connection without an answer"),
            Self::Broken { errno } => {
                write!(f, "the connection to stintd failed: {}", errno.desc())
            }
            Self::Garbage(garbage) => {
                write!(f, "garbage came where stintd should answer: {garbage}")
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
    pub socket: &'a Path,
    /// The uid of the process behind it.
    pub uid: u32,
}

/// Sends `question` and waits for the reply. Where the connection ends without one it asks once
/// more: a stintd that is killed with the question taken is started again, and systemd, which
/// holds the socket, lets the second question wait for that.
///
/// # Errors
/// Whenever there is no reply by `deadline`, whatever the reason.
pub fn exchange(daemon: Daemon<'_>, question: &[u8], deadline: Deadline) -> Result<Reply, Trouble> {
    twice_if_closed(|| {
        let stream = send_to(daemon, question, deadline)?;
        read(&stream, deadline)
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

fn twice_if_closed<T>(attempt: impl Fn() -> Result<T, Trouble>) -> Result<T, Trouble> {
    match attempt() {
        Err(Trouble::Closed) => attempt(),
        outcome => outcome,
    }
}

fn send_to(daemon: Daemon<'_>, bytes: &[u8], deadline: Deadline) -> Result<OwnedFd, Trouble> {
    let stream = open(daemon.socket, deadline)?;
    let peer = getsockopt(&stream, PeerCredentials).map_err(|errno| Trouble::Broken { errno })?;
    if peer.uid() != daemon.uid {
        return Err(Trouble::Impostor { uid: peer.uid() });
    }
    write(&stream, bytes, deadline)?;
    Ok(stream)
}

fn open(path: &Path, deadline: Deadline) -> Result<OwnedFd, Trouble> {
    let address = UnixAddr::new(path).map_err(|errno| Trouble::Unreachable { errno })?;
    let stream = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
        .map_err(|errno| Trouble::Broken { errno })?;
    loop {
        // A full backlog blocks connect for as long as this says, and no longer.
        let left = deadline.left().ok_or(Trouble::TimedOut)?;
        setsockopt(&stream, SendTimeout, &timeval(left))
            .map_err(|errno| Trouble::Broken { errno })?;
        match connect(stream.as_raw_fd(), &address) {
            Ok(()) | Err(Errno::EISCONN) => return Ok(stream),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(Trouble::Unreachable { errno }),
        }
    }
}

/// At least one microsecond: zero would mean for ever.
fn timeval(left: Duration) -> TimeVal {
    let seconds = i64::try_from(left.as_secs()).unwrap_or(60);
    TimeVal::new(seconds, i64::from(left.subsec_micros()).max(1))
}

fn write(stream: &OwnedFd, mut bytes: &[u8], deadline: Deadline) -> Result<(), Trouble> {
    while !bytes.is_empty() {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        match send(stream.as_raw_fd(), bytes, flags) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(Errno::EAGAIN) => wait(stream, PollFlags::POLLOUT, deadline)?,
            Err(Errno::EINTR) => {}
            Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(Trouble::Closed),
            Err(errno) => return Err(Trouble::Broken { errno }),
        }
    }
    Ok(())
}

fn read(stream: &OwnedFd, deadline: Deadline) -> Result<Reply, Trouble> {
    let mut incoming = Incoming::default();
    let mut chunk = [0_u8; 4096];
    loop {
        // Not in recv: there the kernel also wakes who waits when stintd has read the question.
        wait(stream, PollFlags::POLLIN, deadline)?;
        match recv(stream.as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT) {
            Ok(0) | Err(Errno::ECONNRESET) => return Err(Trouble::Closed),
            Ok(count) => {
                if let Some(reply) = incoming.feed(chunk.get(..count).unwrap_or_default())? {
                    return Ok(reply);
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(Trouble::Broken { errno }),
        }
    }
}

/// Waits until more can be sent or read, the stream has ended, or a signal came; errs once the
/// deadline passed.
fn wait(stream: &OwnedFd, until: PollFlags, deadline: Deadline) -> Result<(), Trouble> {
    let left = deadline.left().ok_or(Trouble::TimedOut)?;
    // Rounded up, so that the last millisecond is slept through and not spun through.
    let timeout = PollTimeout::try_from(left.saturating_add(Duration::from_millis(1)))
        .map_err(|_| Trouble::TimedOut)?;
    match poll(&mut [PollFd::new(stream.as_fd(), until)], timeout) {
        Ok(0) => Err(Trouble::TimedOut),
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(Trouble::Broken { errno }),
    }
}
