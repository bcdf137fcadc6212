//! One line on the terminals of those who are logged in and whom it concerns. Best effort: nobody
//! is waited for, and a terminal that takes nothing now is told nothing.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::OFlag;
use stint_policy::Principal;
use stint_proto::{Uid, UserName};
use tokio::sync::{mpsc, watch};
use zbus::Connection;

use super::logind::{Seat, is_terminal_name, seats};
use crate::record::harmless;

/// The most notices that wait; what comes on top is told to nobody, as the next one says more.
const WAITING_LIMIT: usize = 256;
/// How long all of one notice may take.
const LIMIT: Duration = Duration::from_secs(20);
/// `mesg n` takes this from a terminal's mode.
const TAKES_MESSAGES: u32 = 0o020;

/// Whom a notice is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// This account.
    User(Uid),
    /// Whoever is one of these by standing, but for this account: nobody approves for themselves.
    Approvers {
        /// As the policy names them.
        of: Vec<Principal>,
        /// Who asked.
        but: Uid,
    },
}

/// A line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// For whom.
    pub audience: Audience,
    /// The line, without `stint:` before it. It is escaped here.
    pub line: String,
    /// Shown on terminals that take no messages (`mesg n`) too, with a bell.
    pub urgent: bool,
}

/// Says who is an approver: the daemon, which knows what is standing.
pub trait Standing: Send + Sync {
    /// Whether this account is one of these, by standing membership.
    fn is_one_of(
        &self,
        uid: Uid,
        user: &UserName,
        principals: &[Principal],
    ) -> impl Future<Output = bool> + Send;
}

/// A handle on the terminals; cheap to clone.
#[derive(Clone, Debug)]
pub struct Notices(mpsc::Sender<Notice>);

/// The notices that wait; [`run`] takes them.
#[derive(Debug)]
pub struct Waiting(mpsc::Receiver<Notice>);

impl Notices {
    /// A queue of notices.
    #[must_use]
    pub fn new() -> (Self, Waiting) {
        let (sender, receiver) = mpsc::channel(WAITING_LIMIT);
        (Self(sender), Waiting(receiver))
    }

    /// Has this told. Never waits.
    pub fn tell(&self, notice: Notice) {
        if self.0.try_send(notice).is_err() {
            eprintln!("stintd: too many notices wait for terminals; one is told to nobody");
        }
    }
}

/// Tells what waits, for as long as the daemon runs. Without a bus nobody is told: what happened
/// is in the record and in `stint pending`.
pub async fn run(
    mut waiting: Waiting,
    standing: impl Standing,
    bus: watch::Receiver<Option<Connection>>,
) -> Infallible {
    while let Some(notice) = waiting.0.recv().await {
        let connection = bus.borrow().clone();
        let Some(connection) = connection else { continue };
        match tokio::time::timeout(LIMIT, tell(&connection, &standing, &notice)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("stintd: terminals: {}", harmless(&error.to_string())),
            Err(_) => eprintln!("stintd: terminals: logind does not answer in time"),
        }
    }
    std::future::pending().await
}

async fn tell(
    connection: &Connection,
    standing: &impl Standing,
    notice: &Notice,
) -> zbus::Result<()> {
    let seats = seats(connection).await?;
    // Asked once for each account, however many terminals it has.
    let mut asked: Vec<(Uid, String, bool)> = Vec::new();
    for seat in seats {
        let known = asked.iter().find(|(uid, user, _)| (*uid, user) == (seat.uid, &seat.user));
        let meant = match known {
            Some((.., meant)) => *meant,
            None => {
                let meant = is_meant(standing, &notice.audience, &seat).await;
                asked.push((seat.uid, seat.user.clone(), meant));
                meant
            }
        };
        if meant {
            // One that takes nothing now, or whose session has just ended, is passed over.
            drop(write(&Path::new("/dev").join(&seat.terminal), seat.uid, notice));
        }
    }
    Ok(())
}

async fn is_meant(standing: &impl Standing, audience: &Audience, seat: &Seat) -> bool {
    match audience {
        Audience::User(uid) => *uid == seat.uid,
        Audience::Approvers { but, .. } if *but == seat.uid => false,
        Audience::Approvers { of, .. } => match seat.user.parse() {
            Ok(user) => standing.is_one_of(seat.uid, &user, of).await,
            Err(_) => false,
        },
    }
}

/// Writes a line, with a bell, on a terminal as PAM names it, if it is this account's: now or not
/// at all. One that takes nothing now, or is gone, is told nothing.
pub fn tell_terminal(uid: Uid, name: &str, line: String) {
    let name = name.strip_prefix("/dev/").unwrap_or(name);
    if is_terminal_name(name) {
        let notice = Notice { audience: Audience::User(uid), line, urgent: true };
        drop(write(&Path::new("/dev").join(name), uid, &notice));
    }
}

/// Writes the line at once or not at all: nothing here waits for a terminal.
fn write(path: &Path, uid: Uid, notice: &Notice) -> io::Result<()> {
    let mut terminal = open(path, uid, notice.urgent)?;
    let bell = if notice.urgent { "\u{7}" } else { "" };
    let line = format!("\r\n{bell}stint: {}\r\n", harmless(&notice.line));
    terminal.write(line.as_bytes()).map(drop)
}

/// Opens a terminal that is this account's and takes messages. What was opened is judged, not what
/// the path may mean a moment later.
fn open(path: &Path, uid: Uid, urgent: bool) -> io::Result<File> {
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let terminal = OpenOptions::new().write(true).custom_flags(flags.bits()).open(path)?;
    let data = terminal.metadata()?;
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !data.file_type().is_char_device() || !terminal.is_terminal() {
        return refuse("it is no terminal");
    }
    if data.uid() != uid.0 {
        return refuse("it is somebody else's");
    }
    if !urgent && data.mode() & TAKES_MESSAGES == 0 {
        return refuse("it takes no messages");
    }
    Ok(terminal)
}

#[cfg(test)]
mod tests;
