//! The thread that owns the state's file: batches what is told, commits what is asked.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use rusqlite::Connection;
use stint_record::Head;

use super::{Checkpoints, Job, StoreError, Write, chain_rows, rows};
use crate::clock::{Clock, KernelClock};

/// How long an event may wait for others to share its transaction, in microseconds.
const BATCH_MICROS: i64 = 50_000;
/// How many events share a transaction at the most.
const BATCH_LIMIT: usize = 512;
/// The most events that wait for a state that cannot be written; beyond it the oldest are lost.
const WAITING_LIMIT: usize = 10_000;

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
        lost,
        boot_id,
        head,
        told: (0, 0),
        checkpoints: None,
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
    lost: Arc<AtomicU64>,
    boot_id: String,
    /// Where the record's chain ends.
    head: Head,
    /// The link of the last checkpoint, and when on the boot clock.
    told: (i64, i64),
    checkpoints: Option<Checkpoints>,
}

impl Writer {
    /// Works until it is told to stop, or nobody is left to tell it anything; the file is closed
    /// when it returns.
    fn run(mut self, queue: &Receiver<Job>) -> Option<Sender<()>> {
        while let Ok(job) = queue.recv() {
            if let Some(stopped) = self.take(job) {
                return Some(stopped);
            }
            if self.notes.is_empty() {
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
        self.flush();
        None
    }

    /// Does one job; returns whom to tell when it was the last.
    fn take(&mut self, job: Job) -> Option<Sender<()>> {
        match job {
            Job::Note(write) => {
                if self.notes.len() >= WAITING_LIMIT {
                    self.notes.pop_front();
                    self.lost.fetch_add(1, Ordering::Relaxed);
                }
                self.notes.push_back(*write);
            }
            Job::Change(writes, reply) => reply(self.commit(&writes)),
            // Whoever asks hears of nothing where there is none.
            Job::Query(query) => drop(self.connection().map(|connection| query(connection))),
            Job::Checkpoints(tell) => {
                self.checkpoints = Some(tell);
                self.checkpoint();
            }
            Job::Stop(stopped) => {
                self.flush();
                self.checkpoint();
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
        let transaction = self.connection()?.transaction()?;
        for write in writes {
            rows::write(&transaction, &boot_id, write)?;
            if let Write::Record(entry) = write {
                head = chain_rows::add(&transaction, &boot_id, head, entry)?;
            }
        }
        if head.seq > before {
            chain_rows::put_head(&transaction, head)?;
        }
        rows::raise_high_water(&transaction, writes)?;
        transaction.commit()?;
        self.head = head;
        let (link, at) = self.told;
        let late = KernelClock.now().boot.saturating_sub(at) >= CHECKPOINT_MICROS;
        if late || head.seq.saturating_sub(link) >= CHECKPOINT_LINKS {
            self.checkpoint();
        }
        Ok(())
    }

    /// Tells how far the chain has come, unless that was told.
    fn checkpoint(&mut self) {
        let Some(tell) = self.checkpoints.as_ref().filter(|_| self.head.seq > self.told.0) else {
            return;
        };
        tell(self.head);
        self.told = (self.head.seq, KernelClock.now().boot);
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => super::connect(&self.path)?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Writes the batch. Where the disk is full it waits for the next one.
    fn flush(&mut self) {
        if self.notes.is_empty() {
            return;
        }
        let batch: Vec<Write> = self.notes.drain(..).collect();
        if self.commit(&batch).is_err() {
            self.notes = batch.into();
        }
    }
}

fn is_read_only(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ReadOnly)
}
