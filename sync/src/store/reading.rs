//! Reading all documents of a store as they lay there at one moment, one after the other, in the order in
//! which they are handed over. Holds one page at a time.

use std::collections::VecDeque;

use etcd_client::{Client, Error};
use stint_policy::text::harmless;

use super::order::{Span, spans};
use super::pages::{Entry, Pages};

/// The most documents of one folder that are looked at.
pub(super) const KEYS_LIMIT: usize = 10_000;

/// What is still to be read.
pub(super) struct Reading {
    client: Client,
    revision: i64,
    spans: VecDeque<Span>,
    pages: Option<Pages>,
    entries: VecDeque<Entry>,
    /// How many of this span were read, and where it began.
    count: usize,
    folder: String,
    /// What was not read for being too much.
    pub(super) overfull: Option<String>,
}

impl Reading {
    pub(super) fn new(client: &Client, prefixes: &[String], revision: i64) -> Self {
        Self {
            client: client.clone(),
            revision,
            spans: spans(prefixes),
            pages: None,
            entries: VecDeque::new(),
            count: 0,
            folder: String::new(),
            overfull: None,
        }
    }

    /// The next document; none at the end. Nothing is lost if it is given up while it waits.
    ///
    /// # Errors
    /// When the store does not give it.
    pub(super) async fn next(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                self.count += 1;
                if self.count <= KEYS_LIMIT {
                    return Ok(Some(entry));
                }
                self.overfull = Some(format!(
                    "there are more than {KEYS_LIMIT} documents at {}, and the rest is not looked \
                     at; delete there what is over",
                    self.folder
                ));
                self.entries.clear();
                self.pages = None;
            }
            if let Some(pages) = &mut self.pages {
                match pages.next().await? {
                    Some(page) => self.entries.extend(page),
                    None => self.pages = None,
                }
                continue;
            }
            let Some(span) = self.spans.pop_front() else { return Ok(None) };
            self.count = 0;
            self.folder = harmless(&String::from_utf8_lossy(&span.from));
            self.pages = Some(Pages::new(&self.client, span, self.revision));
        }
    }
}
