//! What a link's hash covers, and what is found when a link is not as it was written. Pure: links
//! come in one by one, and nothing is kept of them but the last hash.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};
use stint_proto::Link;

use crate::Seal;

/// A link's hash.
pub type Hash = [u8; 32];

/// What stands for "the hash before" in the first link.
pub const START: Hash = [0; 32];

/// Says what the bytes are, and in which version of the encoding.
const DOMAIN: &[u8] = b"stint.record.link.1\n";

/// The end of a chain: the number and the hash of its last link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 where there is none yet.
    pub seq: i64,
    /// Its hash.
    pub hash: Hash,
}

/// A link's number and hash, as they were written down elsewhere.
pub type Checkpoint = Head;

impl Head {
    /// Of a chain without links.
    pub const EMPTY: Self = Self { seq: 0, hash: START };
}

/// The hash of a link after the one with this hash: SHA-256 over the domain, the hash before, the
/// number and the time in microseconds as 64 bits, most significant first, and then boot id, event,
/// message and fields, each after its length in bytes as 64 bits. `link.hash` is not looked at.
#[must_use]
pub fn digest(before: &Hash, link: &Link) -> Hash {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(before);
    hash.update(link.seq.to_be_bytes());
    hash.update(link.at.micros().to_be_bytes());
    for text in [&link.boot_id, &link.event, &link.message, &link.fields] {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

/// What is wrong with a chain: the first thing that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The link, or its place in the chain, is not as it was written.
    Changed {
        /// Which.
        seq: i64,
    },
    /// Links are gone.
    Missing {
        /// The first that is gone.
        seq: i64,
        /// The one that stands there instead.
        found: i64,
    },
    /// A link stands where none of its number can be.
    OutOfPlace {
        /// Its number.
        seq: i64,
        /// Which should stand there.
        expected: i64,
    },
    /// The chain fits together, but this is not the link that the checkpoint is of.
    Rewritten {
        /// Which.
        seq: i64,
    },
    /// The chain begins too late, and none of its links says that all before it was cut off.
    Unsealed {
        /// The first that is gone and of which nothing is said.
        seq: i64,
        /// The last that is gone.
        last: i64,
    },
    /// A link says that all before the first was cut off, and no checkpoint knows that link.
    Unconfirmed {
        /// The last that is gone.
        last: i64,
        /// The link that says so.
        seal: i64,
    },
    /// The chain ends too early.
    Truncated {
        /// Its last link; 0 if there is none.
        last: i64,
        /// A link that is known to have been there.
        known: i64,
    },
}

impl Fault {
    /// The first link that is concerned.
    #[must_use]
    pub fn link(&self) -> i64 {
        match self {
            Self::Changed { seq }
            | Self::Missing { seq, .. }
            | Self::OutOfPlace { seq, .. }
            | Self::Unsealed { seq, .. }
            | Self::Rewritten { seq } => *seq,
            Self::Unconfirmed { .. } => 1,
            Self::Truncated { last, .. } => last.saturating_add(1),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { seq } => {
                write!(f, "link {seq} is not as it was written, or not where it was written")
            }
            Self::Missing { seq, found } => {
                write!(f, "link {seq} is missing: link {found} stands in its place")
            }
            Self::OutOfPlace { seq, expected } => {
                write!(f, "link {seq} stands where link {expected} should be")
            }
            Self::Rewritten { seq } => {
                write!(f, "link {seq} is not the one that its checkpoint is of")
            }
            Self::Unsealed { seq, last } => {
                write!(
                    f,
                    "link {seq} is missing, up to link {last}: no link says that it was cut off"
                )
            }
            Self::Unconfirmed { last, seal } => write!(
                f,
                "links up to {last} are missing: link {seal} says that they were cut off, and no \
                 checkpoint is of that link or a later one"
            ),
            Self::Truncated { last, known } => write!(
                f,
                "link {} is missing: the record ends before it, and link {known} was there",
                last.saturating_add(1)
            ),
        }
    }
}

/// Verifies a chain, link by link, against checkpoints.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// What the first link follows.
    cut: Head,
    /// What says that all before it was cut off.
    seal: Option<Seal>,
    /// Up to where other links say so.
    sealed: i64,
    head: Head,
    /// What each of these links has to be. Two that contradict each other cannot both be met.
    checkpoints: BTreeMap<i64, Vec<Hash>>,
    met: i64,
}

impl Verifier {
    /// From the beginning, against these.
    #[must_use]
    pub fn new(checkpoints: impl IntoIterator<Item = Checkpoint>) -> Self {
        Self::after(Head::EMPTY, checkpoints)
    }

    /// From what was cut off on, against these. Checkpoints of what was cut off cannot be looked at,
    /// that of the last such link excepted.
    #[must_use]
    pub fn after(cut: Head, checkpoints: impl IntoIterator<Item = Checkpoint>) -> Self {
        let mut by_link: BTreeMap<i64, Vec<Hash>> = BTreeMap::new();
        for checkpoint in checkpoints.into_iter().filter(|one| one.seq > 0) {
            by_link.entry(checkpoint.seq).or_default().push(checkpoint.hash);
        }
        Self { cut, seal: None, sealed: 0, head: cut, checkpoints: by_link, met: 0 }
    }

    /// Takes the next link, in the order of the numbers.
    ///
    /// # Errors
    /// [`Fault`] when it does not follow; then nothing after it can be judged.
    pub fn take(&mut self, link: &Link) -> Result<(), Fault> {
        if self.head == self.cut && !self.agrees(self.cut) {
            return Err(Fault::Rewritten { seq: self.cut.seq });
        }
        let expected = self.head.seq.saturating_add(1);
        let seq = link.seq;
        if seq < expected {
            return Err(Fault::OutOfPlace { seq, expected });
        }
        if seq > expected {
            return Err(Fault::Missing { seq: expected, found: seq });
        }
        let hash = digest(&self.head.hash, link);
        if link.hash != hash {
            return Err(Fault::Changed { seq });
        }
        let head = Head { seq, hash };
        if !self.agrees(head) {
            return Err(Fault::Rewritten { seq });
        }
        if self.checkpoints.contains_key(&seq) {
            self.met = seq;
        }
        self.head = head;
        if let Some(seal) = Seal::of(link).filter(|seal| seal.last.seq <= self.cut.seq) {
            self.sealed = self.sealed.max(seal.last.seq);
            if seal.last == self.cut {
                self.seal = Some(seal);
            }
        }
        Ok(())
    }

    fn agrees(&self, head: Head) -> bool {
        let known = self.checkpoints.get(&head.seq);
        known.is_none_or(|known| known.iter().all(|known| *known == head.hash))
    }

    /// There are no more links.
    ///
    /// # Errors
    /// [`Fault::Unsealed`] when the first is none that may be the first, [`Fault::Unconfirmed`] when
    /// only links that no checkpoint knows say that it may, and [`Fault::Truncated`] when a checkpoint
    /// is of a later one.
    pub fn end(&self) -> Result<(), Fault> {
        let last = self.cut.seq;
        match &self.seal {
            None if last > 0 => {
                let sealed = if self.sealed < last { self.sealed } else { 0 };
                return Err(Fault::Unsealed { seq: sealed.saturating_add(1), last });
            }
            Some(seal) if !self.checkpoints.is_empty() && self.met < seal.link => {
                return Err(Fault::Unconfirmed { last, seal: seal.link });
            }
            _ => {}
        }
        match self.checkpoints.last_key_value() {
            Some((known, _)) if *known > self.head.seq => {
                Err(Fault::Truncated { last: self.head.seq, known: *known })
            }
            _ => Ok(()),
        }
    }

    /// The last link that is good.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// What says that all before the first link was cut off; none where nothing was, or before that
    /// link has come.
    #[must_use]
    pub fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    /// The last link that a checkpoint confirms; 0 if none does. What comes after it fits
    /// together, and no more is known of it.
    #[must_use]
    pub fn confirmed(&self) -> i64 {
        self.met
    }
}

/// As 64 hexadecimal digits.
#[must_use]
pub fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// From 64 hexadecimal digits.
#[must_use]
pub fn unhex(text: &str) -> Option<Hash> {
    let mut hash = START;
    let bytes = text.as_bytes();
    if bytes.len() != 64 || !bytes.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(bytes.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests;
