//! The record: every decision is one event, in the system's log before its answer, and in the
//! state. This room writes; what an event means is decided where it happens.

mod entry;
mod journal;
mod kernel_audit;
mod signing;

use std::sync::{Arc, Mutex, PoisonError};

pub use entry::{Cut, Entry, Repeated, counted, harmless};
pub use journal::{Journal, Kind};
pub use kernel_audit::{KernelAudit, Takes};
pub use signing::{Signing, Wished};
use stint_proto::{Event, Timestamp};
use tokio::sync::Notify;

use crate::counters::Counters;
use crate::store::{Store, Write};

/// What became of events that were not recorded as they should be, since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Losses {
    /// Never in the log.
    pub log: u64,
    /// Never in the state.
    pub state: u64,
    /// Not in the log yet.
    pub waiting: u64,
    /// Never in the kernel's audit, though that takes them.
    pub audit: u64,
}

/// Where events go. Cheap to clone; never waits.
#[derive(Clone)]
pub struct Record {
    journal: Arc<Mutex<Journal>>,
    behind: Arc<Notify>,
    store: Store,
    counters: Arc<Counters>,
    audit: KernelAudit,
    signing: Arc<Signing>,
}

impl Record {
    /// Records to this log and this state, and what is for it to the kernel's audit.
    #[must_use]
    pub fn new(journal: Journal, store: Store, audit: KernelAudit, signing: Signing) -> Self {
        Self {
            journal: Arc::new(Mutex::new(journal)),
            behind: Arc::default(),
            store,
            counters: Arc::default(),
            audit,
            signing: Arc::new(signing),
        }
    }

    /// Has the log told from now on how far the chain has come, and at once where it was not told of
    /// the last link yet. To be called when it is known whether that is to be signed.
    pub fn tell_of_chain(&self) {
        let (log, behind) = (Arc::clone(&self.journal), Arc::clone(&self.behind));
        let (counters, signing) = (Arc::clone(&self.counters), Arc::clone(&self.signing));
        // Nothing of the state is held here: it holds this.
        self.store.tell_of_chain(move |entry| {
            counters.event(entry);
            let mut entry = entry.clone();
            if entry.event == Event::AuditCheckpoint {
                signing.sign(&mut entry);
            }
            let mut journal = log.lock().unwrap_or_else(PoisonError::into_inner);
            journal.write(&entry);
            if journal.is_behind() {
                behind.notify_one();
            }
        });
    }

    /// What signs how far the chain has come.
    #[must_use]
    pub fn signing(&self) -> &Arc<Signing> {
        &self.signing
    }

    /// Records an event that changes nothing by itself: in the log at once, in the state with the
    /// next batch, within 100 ms.
    pub fn note(&self, entry: Entry) {
        self.tell(&entry);
        self.store.note(Write::Record(entry));
    }

    /// The same for an event whose answer somebody waits for: in the log at once, but the thread
    /// that writes the state is woken after the answer ([`Store::note_later`]).
    pub fn note_later(&self, entry: Entry) {
        self.tell(&entry);
        self.store.note_later(Write::Record(entry));
    }

    /// Tells the log of an event that the state holds already, with the change it is about.
    pub fn tell(&self, entry: &Entry) {
        self.counters.event(entry);
        let (gap, fell_behind) = {
            let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
            let was_behind = journal.is_behind();
            journal.write(entry);
            (journal.take_gap(), journal.is_behind() && !was_behind)
        };
        if fell_behind {
            self.behind.notify_one();
        }
        self.report_gap(gap, entry.at);
        self.audit.write(entry);
    }

    /// Waits until an event did not find room in the log: from then on somebody has to
    /// [`catch_up`](Self::catch_up), as no other event may come for a long time.
    pub async fn fell_behind(&self) {
        self.behind.notified().await;
    }

    /// Sends what waits for room in the log. Returns how many events still wait.
    #[must_use]
    pub fn catch_up(&self, now: Timestamp) -> usize {
        let gap = {
            let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
            journal.flush();
            journal.take_gap()
        };
        self.report_gap(gap, now);
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).waiting()
    }

    fn report_gap(&self, gap: Option<u64>, at: Timestamp) {
        let Some(lost) = gap else { return };
        let text = format!("{lost} events could not be delivered to the system's log");
        let entry = Entry::new(at, Event::AuditGap, text);
        self.counters.event(&entry);
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).write(&entry);
        self.store.note(Write::Record(entry));
    }

    /// Which log there is, and how many events it never got; the state's losses are added.
    #[must_use]
    pub fn health(&self) -> (Kind, u64) {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        (journal.kind(), journal.lost().saturating_add(self.store.lost()))
    }

    /// How many events never came to the log, how many never came to the state, and how many wait
    /// for room in the log.
    #[must_use]
    pub fn losses(&self) -> Losses {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = u64::try_from(journal.waiting()).unwrap_or(u64::MAX);
        let audit = self.audit.lost();
        Losses { log: journal.lost(), state: self.store.lost(), waiting, audit }
    }

    /// The way to the kernel's audit.
    #[must_use]
    pub fn audit(&self) -> &KernelAudit {
        &self.audit
    }

    /// What is counted for monitoring.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
