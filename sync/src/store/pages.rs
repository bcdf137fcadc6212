//! Reading a part of a store as it was at one moment, in pages of bounded size, however much lies there.

use etcd_client::{Client, Error, GetOptions, KvClient};
use tonic::Code;

use super::order::Span;
use super::{SIZE_LIMIT, within};

/// The most entries of a page.
const PAGE: i64 = 64;
/// The most of one that has only keys.
const KEYS: i64 = 1_024;

/// What lies at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// What lies there; nothing if it is larger than an answer may be, or only keys are read.
    pub value: Option<Vec<u8>>,
    /// The revision of the store that put it there.
    pub revision: i64,
}

/// A part of the store that is being read.
pub struct Pages {
    kv: KvClient,
    /// What is still to be read; nothing at the end.
    rest: Option<Span>,
    revision: i64,
    /// The most entries of a page, as its size allows.
    limit: i64,
    keys_only: bool,
}

impl Pages {
    /// Begins to read, as it was at this revision; at 0, as it is when the first page comes.
    #[must_use]
    pub fn new(client: &Client, span: Span, revision: i64) -> Self {
        let kv = client.kv_client().max_decoding_message_size(SIZE_LIMIT);
        Self { kv, rest: Some(span), revision, limit: PAGE, keys_only: false }
    }

    /// Begins to read which keys there are.
    #[must_use]
    pub fn keys(client: &Client, span: Span) -> Self {
        Self { limit: KEYS, keys_only: true, ..Self::new(client, span, 0) }
    }

    /// The revision that is read; 0 before the first page.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The next page; none at the end.
    ///
    /// # Errors
    /// When the store does not give it; [`super::is_compacted`] if that moment is forgotten.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        let Some(span) = self.rest.clone() else { return Ok(None) };
        loop {
            match self.get(&span, self.limit, self.keys_only).await {
                Err(error) if is_too_large(&error) && self.limit > 1 => self.limit /= 2,
                Err(error) if is_too_large(&error) && !self.keys_only => {
                    // Only the key of what is too large.
                    self.limit = PAGE;
                    return self.get(&span, 1, true).await.map(Some);
                }
                other => return other.map(Some),
            }
        }
    }

    async fn get(&mut self, span: &Span, limit: i64, keys_only: bool) -> Result<Vec<Entry>, Error> {
        let mut options = GetOptions::new()
            .with_range(span.to.clone())
            .with_revision(self.revision)
            .with_limit(limit);
        if keys_only {
            options = options.with_keys_only();
        }
        let mut answer = within(self.kv.get(span.from.clone(), Some(options))).await?;
        if self.revision == 0 {
            self.revision = answer.header().map(|header| header.revision()).unwrap_or_default();
        }
        let more = answer.more();
        let entries: Vec<Entry> = answer
            .take_kvs()
            .into_iter()
            .map(|found| {
                let revision = found.mod_revision();
                let (key, value) = found.into_key_value();
                Entry { key, value: Some(value).filter(|_| !keys_only), revision }
            })
            .collect();
        // The next key that there can be is this one and a zero byte.
        let next = entries.last().filter(|_| more).map(|last| [&last.key[..], &[0]].concat());
        self.rest = next.map(|from| Span { from, to: span.to.clone() });
        Ok(entries)
    }
}

/// The answer is larger than we take; not the store's word for what is asked.
pub(super) fn is_too_large(error: &Error) -> bool {
    let Error::GRpcStatus(status) = error else { return false };
    matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted)
        && !status.message().starts_with("etcdserver:")
}
