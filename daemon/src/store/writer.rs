//! The thread that owns the state's file: batches what is told, commits what is asked.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvError, RecvTimeoutError, Sender};
use std::time::Duration;

use rusqlite::Connection;
use stint_policy::Retention;
use stint_proto::{Event, Timestamp};
use stint_record::Head;

use super::floods::{self, Floods};
use super::{Job, OfChain, StoreError, Write, chain_rows, cuts, rows};
use crate::clock::{Clock, KernelClock};
use crate::record::Entry;

/// How long an event may wait for others to share its transaction, in microseconds.
const BATCH_MICROS: i64 = 50_000;
/// How many events share a transaction at the most.
const BATCH_LIMIT: usize = 512;
/// The most events that wait for a state that cannot be written; beyond it the oldest are lost.
const WAITING_LIMIT: usize = 10_000;

/// How long it is to the next look for what is too old, in microseconds, where one failed.
const LOOK_AGAIN_MICROS: i64 = 86_400_000_000;

/// How many links there are from one checkpoint to the next at the most.
const CHECKPOINT_LINKS: i64 = 1_000;
/// How long a link waits for a checkpoint while others follow it, in microseconds.
const CHECKPOINT_MICROS: i64 = 3_600_000_000;

/// Starts the thread.
pub(super) fn spawn(
    (path, connection): (&Path, Connection),
    queue: Receiver<Job>,
    lost: Arc<AtomicU64>,
    boot_id: String,
) -> Result<(), StoreError> {
    let head = chain_rows::head(&connection)?;
    let writer = Writer {
        path: path.to_owned(),
        connection: Some(connection),
        notes: VecDeque::new(),
        floods: Floods::default(),
        left: true,
        lost,
        untold: 0,
        boot_id,
        head,
        told: (0, 0),
        of_chain: None,
        to_tell: Vec::new(),
        keep: None,
        next_look: 0,
    };
    std::thread::Builder::new()
        .name("state".to_owned())
        .spawn(move || {
            if let Some(stopped) = writer.run(&queue) {
                // Nobody waiting any more is fine: the file is closed.
                stopped.send(()).ok();
            }
        })
        .map(drop)
        .map_err(|_| StoreError::Closed)
}

struct Writer {
    path: PathBuf,
    /// None after one was given up, until the next can be opened.
    connection: Option<Connection>,
    notes: VecDeque<Write>,
    floods: Floods,
    /// A daemon before this one may have left counts that are no links.
    left: bool,
    lost: Arc<AtomicU64>,
    /// How many of them the record does not tell of yet.
    untold: u64,
    boot_id: String,
    /// Where the record's chain ends.
    head: Head,
    /// The link of the last checkpoint, and when on the boot clock.
    told: (i64, i64),
    of_chain: Option<OfChain>,
    /// What is for that, from before it was there.
    to_tell: Vec<Entry>,
    /// How long links are kept, and when, on the boot clock, it is looked for older ones.
    keep: Option<Retention>,
    next_look: i64,
}

impl Writer {
    /// Works until it is told to stop, or nobody is left to tell it anything; the file is closed
    /// when it returns.
    fn run(mut self, queue: &Receiver<Job>) -> Option<Sender<()>> {
        while let Ok(job) = self.next(queue) {
            if let Some(stopped) = job.and_then(|job| self.take(job)) {
                return Some(stopped);
            }
            self.end_floods(Some(KernelClock.now().boot));
            self.cut_what_is_old();
            if self.notes.is_empty() && !self.floods.has_grown() {
                continue;
            }
            // The first event opens a batch; 50 ms later, or at a change, it is closed.
            let close = KernelClock.now().boot.saturating_add(BATCH_MICROS);
            while self.notes.len() < BATCH_LIMIT {
                let left = close.saturating_sub(KernelClock.now().boot).max(0).unsigned_abs();
                match queue.recv_timeout(Duration::from_micros(left)) {
                    Ok(job @ Job::Note(_)) => drop(self.take(job)),
                    Ok(job) => {
                        self.flush();
                        if let Some(stopped) = self.take(job) {
                            return Some(stopped);
                        }
                        break;
                    }
                    Err(_) => break,
                }
            }
            self.flush();
        }
        self.end_floods(None);
        self.flush();
        None
    }

    /// Waits for a job, and no longer than until a count is over, or the record is to be looked at.
    fn next(&self, queue: &Receiver<Job>) -> Result<Option<Job>, RecvError> {
        let look = self.keep.map(|_| self.next_look);
        let Some(until) = self.floods.next_end().into_iter().chain(look).min() else {
            return queue.recv().map(Some);
        };
        let left = until.saturating_sub(KernelClock.now().boot).max(0).unsigned_abs();
        match queue.recv_timeout(Duration::from_micros(left)) {
            Ok(job) => Ok(Some(job)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(RecvError),
        }
    }

    /// Notes the counts that are over by now; all of them at the end.
    fn end_floods(&mut self, now: Option<i64>) {
        for count in self.floods.end_until(now) {
            self.note(Write::CountOver(count));
        }
    }

    fn note(&mut self, write: Write) {
        if self.notes.len() >= WAITING_LIMIT {
            let events = self.notes.pop_front().map_or(0, |write| write.events());
            self.lost.fetch_add(events, Ordering::Relaxed);
            self.untold = self.untold.saturating_add(events);
        }
        self.notes.push_back(write);
    }

    /// Does one job; returns whom to tell when it was the last.
    fn take(&mut self, job: Job) -> Option<Sender<()>> {
        match job {
            Job::Note(write) => {
                let kept = match *write {
                    Write::Record(entry) => {
                        self.floods.take(entry, KernelClock.now().boot).map(Write::Record)
                    }
                    write => Some(write),
                };
                kept.into_iter().for_each(|write| self.note(write));
            }
            Job::Change(writes, reply) => reply(self.commit(&writes)),
            // Whoever asks hears of nothing where there is none.
            Job::Query(query) => drop(self.connection().map(|connection| query(connection))),
            Job::OfChain(tell) => {
                self.to_tell.drain(..).for_each(|entry| tell(&entry));
                self.of_chain = Some(tell);
                self.checkpoint();
            }
            Job::Keep(keep) => {
                if keep != self.keep {
                    (self.keep, self.next_look) = (keep, 0);
                    self.cut_what_is_old();
                }
            }
            Job::Stop(stopped) => {
                self.end_floods(None);
                self.flush();
                self.checkpoint();
                self.give_up();
                return Some(stopped);
            }
        }
        None
    }

    /// A file that was opened while its disk was read-only stays so for its connection, and a write
    /// to it fails for good: then another is opened. The disk may be well again.
    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        match self.try_commit(writes) {
            Err(StoreError::Sqlite(error)) if is_read_only(&error) => {
                self.connection = None;
                self.try_commit(writes)
            }
            done => done,
        }
    }

    fn try_commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let (boot_id, mut head) = (self.boot_id.clone(), self.head);
        let before = head.seq;
        let left = self.left;
        let transaction = self.connection()?.transaction()?;
        if left {
            head = floods::seal_left(&transaction, head)?;
        }
        for write in writes {
            rows::write(&transaction, &boot_id, write)?;
            head = match write {
                Write::Record(entry) => chain_rows::add(&transaction, &boot_id, head, entry)?,
                Write::CountOver(count) => floods::seal(&transaction, &boot_id, head, count)?,
                _ => head,
            };
        }
        if head.seq > before {
            chain_rows::put_head(&transaction, head)?;
        }
        rows::raise_high_water(&transaction, writes)?;
        transaction.commit()?;
        self.head = head;
        self.left = false;
        let (link, at) = self.told;
        let late = KernelClock.now().boot.saturating_sub(at) >= CHECKPOINT_MICROS;
        if late || head.seq.saturating_sub(link) >= CHECKPOINT_LINKS {
            self.checkpoint();
        }
        Ok(())
    }

    /// Tells of a link, now or as soon as there is whom to tell.
    fn tell(&mut self, entry: Entry) {
        match &self.of_chain {
            Some(tell) => tell(&entry),
            None => self.to_tell.push(entry),
        }
    }

    /// Tells how far the chain has come, unless that was told.
    fn checkpoint(&mut self) {
        let Some(tell) = self.of_chain.as_ref().filter(|_| self.head.seq > self.told.0) else {
            return;
        };
        let now = KernelClock.now();
        let text = format!("the record has come to link {}", self.head.seq);
        let mut entry = Entry::new(now.wall, Event::AuditCheckpoint, text);
        entry.checkpoint = Some(self.head);
        tell(&entry);
        self.told = (self.head.seq, now.boot);
    }

    /// Cuts off what the policy keeps no longer, if it is time to look for it.
    fn cut_what_is_old(&mut self) {
        let now = KernelClock.now();
        let Some(keep) = self.keep.filter(|_| self.next_look <= now.boot) else { return };
        let pause = self.try_cut(keep, now.wall).unwrap_or_else(|error| {
            eprintln!("stintd: the record was not looked at for what is too old: {error}");
            LOOK_AGAIN_MICROS
        });
        self.next_look = now.boot.saturating_add(pause);
    }

    /// Looks, and cuts. Returns how long it is then to the next look, in microseconds.
    fn try_cut(&mut self, keep: Retention, now: Timestamp) -> Result<i64, StoreError> {
        let (boot_id, head) = (self.boot_id.clone(), self.head);
        let transaction = self.connection()?.transaction()?;
        let to = match cuts::look(&transaction, head, keep, now)? {
            cuts::Look::Cut(to) => to,
            cuts::Look::Later(pause) => {
                transaction.commit()?;
                return Ok(pause);
            }
        };
        match cuts::cut(&transaction, &boot_id, head, to, (keep, now))? {
            Ok((head, seal)) => {
                transaction.commit()?;
                self.head = head;
                self.tell(seal);
                // The seal itself has to leave the host.
                self.checkpoint();
                Ok(0)
            }
            Err(fault) => {
                eprintln!(
                    "stintd: nothing is cut off the record, as it is broken: {fault}. \
                     root: stint audit verify"
                );
                Ok(LOOK_AGAIN_MICROS)
            }
        }
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => super::connect(&self.path)?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Writes the batch, and the counts as they stand. Where the disk is full both wait for the next
    /// one.
    fn flush(&mut self) {
        self.end_floods(Some(KernelClock.now().boot));
        if self.notes.is_empty() && !self.floods.has_grown() {
            return;
        }
        let mut batch: Vec<Write> = self.notes.drain(..).collect();
        let noted = batch.len();
        batch.extend(self.floods.grown().into_iter().map(Write::Counted));
        let gap = (self.untold > 0).then(|| gap(self.untold));
        batch.extend(gap.clone().map(Write::Record));
        if self.commit(&batch).is_ok() {
            self.floods.written();
            self.untold = 0;
            gap.into_iter().for_each(|gap| self.tell(gap));
        } else {
            batch.truncate(noted);
            self.notes = batch.into();
        }
    }

    /// What waits cannot be written before the end: the log alone can be told. A count is found by the
    /// next daemon as far as it was written.
    fn give_up(&mut self) {
        let waiting: u64 = self.notes.iter().map(Write::events).sum();
        let lost = self.untold.saturating_add(waiting);
        if let Some(tell) = self.of_chain.as_ref().filter(|_| lost > 0) {
            tell(&gap(lost));
        }
    }
}

fn gap(lost: u64) -> Entry {
    let text = format!("{lost} events could not be written to the record (was its disk full?)");
    Entry::new(KernelClock.now().wall, Event::AuditGap, text)
}

fn is_read_only(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly)
}
