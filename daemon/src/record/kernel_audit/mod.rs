//! Grants, their ends and memberships in the kernel's audit too, where it is on: for those who watch
//! a host with auditd. Whatever becomes of it, nobody waits for it and nothing fails for it: the
//! record is elsewhere. A thread of its own, as the kernel may hold whoever writes.

mod message;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use nix::errno::Errno;
use stint_proto::words;
use tokio::sync::oneshot;

use self::message::Message;
use self::socket::Socket;
use crate::record::Entry;

/// How many records may wait while the kernel holds the thread: as many as ten thousand grants that
/// end together, with their groups.
const WAITING_LIMIT: usize = 20_000;
/// How long somebody who asks waits.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// How long a daemon that stops waits for the last records.
const LAST_RECORDS: Duration = Duration::from_secs(1);
/// A message of no length: the kernel refuses it where it would take a longer one.
const EMPTY: Message = Message { kind: 2301, text: String::new() };

words! {
    /// How the kernel's audit takes what stintd writes.
    Takes {
        /// It takes it.
        On = "on",
        /// It is switched off, and drops it.
        Off = "off",
        /// This kernel has none, or none for this host.
        Absent = "absent",
        /// It takes nothing from this process.
        Refused = "refused",
        /// It has held the thread for a while: its backlog is full.
        HeldUp = "held up",
    }
}

enum Job {
    Write(Message),
    Ask(oneshot::Sender<Takes>),
    Stop(std::sync::mpsc::Sender<()>),
}

/// The way to the kernel's audit. Cheap to clone; never waits.
#[derive(Clone)]
pub struct KernelAudit {
    /// None where there is no audit.
    queue: Option<SyncSender<Job>>,
    exe: Arc<str>,
    lost: Arc<AtomicU64>,
}

impl KernelAudit {
    /// The host's.
    #[must_use]
    pub fn of_host() -> Self {
        let found = std::env::current_exe().unwrap_or_default();
        let exe = found.to_string_lossy().into();
        let lost: Arc<AtomicU64> = Arc::default();
        let queue = Socket::open().ok().and_then(|socket| spawn(socket, Arc::clone(&lost)));
        Self { queue, exe, lost }
    }

    /// None: nothing is ever written.
    #[must_use]
    pub fn none() -> Self {
        Self { queue: None, exe: "".into(), lost: Arc::default() }
    }

    /// Writes what this event is there. Most are nothing.
    pub fn write(&self, entry: &Entry) {
        let Some(queue) = &self.queue else { return };
        if let Some(message) = message::of(entry, &self.exe)
            && queue.try_send(Job::Write(message)).is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How it takes what is written.
    pub async fn takes(&self) -> Takes {
        let Some(queue) = &self.queue else { return Takes::Absent };
        let (tell, told) = oneshot::channel();
        if queue.try_send(Job::Ask(tell)).is_err() {
            return Takes::HeldUp;
        }
        let answer = tokio::time::timeout(ANSWER_LIMIT, told).await;
        answer.ok().and_then(Result::ok).unwrap_or(Takes::HeldUp)
    }

    /// How many records it should have taken and has not, since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits a moment for what is still to be written; nothing can be written any more.
    pub fn close(&self) {
        let (tell, told) = channel();
        if self.queue.as_ref().is_some_and(|queue| queue.try_send(Job::Stop(tell)).is_ok()) {
            // Who is held up for longer loses the last of them.
            told.recv_timeout(LAST_RECORDS).ok();
        }
    }
}

fn spawn(socket: Socket, lost: Arc<AtomicU64>) -> Option<SyncSender<Job>> {
    let (queue, jobs) = sync_channel(WAITING_LIMIT);
    let thread = std::thread::Builder::new().name("audit".to_owned());
    thread.spawn(move || serve(socket, &jobs, &lost)).ok().map(|_| queue)
}

fn serve(mut socket: Socket, jobs: &Receiver<Job>, lost: &AtomicU64) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Write(message) => match socket.send(message.kind, &message.text) {
                // Who never takes anything loses nothing.
                Ok(()) | Err(Errno::EPERM | Errno::ECONNREFUSED) => {}
                Err(_) => drop(lost.fetch_add(1, Ordering::Relaxed)),
            },
            // Whoever asked may have gone.
            Job::Ask(tell) => drop(tell.send(judge(socket.send(EMPTY.kind, &EMPTY.text)))),
            Job::Stop(tell) => {
                tell.send(()).ok();
                return;
            }
        }
    }
}

/// What the answer to an empty record says: audit that is off looks at nothing, and audit that is on
/// refuses it for its length, once it has found that this process may write at all.
fn judge(answer: Result<(), Errno>) -> Takes {
    match answer {
        Ok(()) => Takes::Off,
        Err(Errno::EINVAL) => Takes::On,
        Err(_) => Takes::Refused,
    }
}

#[cfg(test)]
mod tests {
    use stint_proto::{Event, Timestamp};

    use super::*;

    fn begun() -> Entry {
        Entry::new(Timestamp::from_micros(0), Event::GrantActivated, String::new())
    }

    #[tokio::test]
    async fn where_there_is_none_nothing_is_lost_and_nobody_waits() {
        let audit = KernelAudit::none();
        audit.write(&begun());
        assert_eq!((audit.takes().await, audit.lost()), (Takes::Absent, 0));
        audit.close();
    }

    #[tokio::test]
    async fn a_kernel_that_holds_the_thread_holds_nobody_else_and_losses_are_counted() {
        let (queue, jobs) = sync_channel(2);
        let audit = KernelAudit { queue: Some(queue), exe: "x".into(), lost: Arc::default() };
        audit.write(&begun());
        assert_eq!(audit.takes().await, Takes::HeldUp, "nobody answers");
        audit.write(&begun());
        audit.write(&begun());
        assert_eq!(audit.lost(), 2);
        audit.write(&Entry::new(Timestamp::from_micros(0), Event::CheckDenied, String::new()));
        assert_eq!(audit.lost(), 2, "a check is nothing there");
        drop(jobs);
        assert_eq!(audit.takes().await, Takes::HeldUp);
        audit.close();
    }

    #[test]
    fn what_the_kernel_answers_to_an_empty_record_says_how_it_stands() {
        assert_eq!(judge(Ok(())), Takes::Off);
        assert_eq!(judge(Err(Errno::EINVAL)), Takes::On);
        assert_eq!(judge(Err(Errno::EPERM)), Takes::Refused);
        assert_eq!(judge(Err(Errno::ECONNREFUSED)), Takes::Refused);
    }
}
