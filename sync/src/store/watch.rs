//! Watching two parts of a store over one stream: what was put there and what was deleted since a
//! revision. Keeps nothing and judges nothing.

use etcd_client::{Client, Error, WatchOptions, WatchStream};

use super::pages::Entry;
use super::{SIZE_LIMIT, within};

/// Which of the parts.
pub(crate) type Part = usize;

/// What is watched: everything below this, from this revision on.
pub(crate) struct Start<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) revision: i64,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Something lies there now.
    Put(Entry),
    /// Nothing does any more.
    Deleted(Vec<u8>),
}

/// What the store says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// What changed; all before this revision has been told.
    Changes {
        /// Where.
        part: Part,
        /// In this order.
        changes: Vec<Change>,
        /// From where on it would have to be told again.
        revision: i64,
    },
    /// What happened since is forgotten there: it has to be read anew.
    Compacted,
    /// It watches no more, and why.
    Ended(String),
}

/// A watch.
pub(crate) struct Watch {
    stream: WatchStream,
    revisions: Vec<i64>,
}

impl Watch {
    pub(crate) async fn open(client: &Client, from: &[Start<'_>]) -> Result<Self, Error> {
        let mut watches = client.watch_client().max_decoding_message_size(SIZE_LIMIT);
        let mut opened: Option<WatchStream> = None;
        for (part, from) in from.iter().enumerate() {
            let options = WatchOptions::new()
                .with_prefix()
                .with_start_revision(from.revision)
                .with_watch_id(id(part))
                .with_progress_notify()
                .with_fragment();
            match &mut opened {
                None => opened = Some(within(watches.watch(from.prefix, Some(options))).await?),
                Some(stream) => within(stream.watch(from.prefix, Some(options))).await?,
            }
        }
        let stream = opened.ok_or_else(|| Error::InvalidArgs("nothing to watch".to_owned()))?;
        Ok(Self { stream, revisions: from.iter().map(|from| from.revision).collect() })
    }

    /// What the store says next. Nothing is lost if this is given up while it waits.
    pub(crate) async fn next(&mut self) -> Result<Heard, Error> {
        loop {
            let Some(told) = self.stream.message().await? else {
                return Ok(Heard::Ended("the store has ended the watch".to_owned()));
            };
            if told.compact_revision() > 0 {
                return Ok(Heard::Compacted);
            }
            if told.canceled() {
                return Ok(Heard::Ended(reason(told.cancel_reason())));
            }
            let part = usize::try_from(told.watch_id() - 1).unwrap_or(usize::MAX);
            let Some(known) = self.revisions.get_mut(part).filter(|_| !told.created()) else {
                continue;
            };
            let changes: Vec<Change> = told
                .events()
                .iter()
                .filter_map(|event| event.kv())
                .map(|found| {
                    // A key that was deleted has no version.
                    if found.version() == 0 {
                        return Change::Deleted(found.key().to_vec());
                    }
                    let (key, value) = (found.key().to_vec(), Some(found.value().to_vec()));
                    Change::Put(Entry { key, value, revision: found.mod_revision() })
                })
                .collect();
            let last = told.events().iter().filter_map(|event| event.kv()).next_back();
            let revision = match last {
                // More of the same revision may follow.
                Some(last) => last.mod_revision(),
                None => told.header().map_or(0, |header| header.revision()).saturating_add(1),
            };
            *known = (*known).max(revision);
            return Ok(Heard::Changes { part, changes, revision: *known });
        }
    }
}

/// etcd's numbers for watches begin at 1: at 0 it would choose one itself.
fn id(part: Part) -> i64 {
    i64::try_from(part).unwrap_or_default().saturating_add(1)
}

fn reason(text: &str) -> String {
    let text = stint_policy::text::harmless(text);
    let why = text.rsplit("etcdserver: ").next().unwrap_or_default();
    match why {
        "" => "the store has ended the watch".to_owned(),
        why => super::trouble::said(why),
    }
}
