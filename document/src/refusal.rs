//! Why a document is not believed. What comes from the document or from a file is made harmless here.

use std::fmt;

use stint_policy::text::{harmless, quoted};
use stint_proto::Timestamp;

use crate::Kind;

/// Why a document is not believed, in one message: what was found, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is larger than [`crate::SIZE_LIMIT`].
    TooBig {
        /// Its size in bytes.
        size: usize,
    },
    /// Its text is no UTF-8, or has a line that a terminal could be misled by.
    NotText,
    /// There is nothing before the first signature.
    NoText,
    /// No signature follows the text.
    Unsigned,
    /// A signature has no end.
    CutOff,
    /// There are more than [`crate::SIGNATURES`].
    TooMany,
    /// Something that is no signature stands where one should.
    Stray {
        /// The line, from 1.
        line: usize,
    },
    /// A signature cannot be read.
    Unreadable {
        /// Which, from 1.
        number: usize,
        /// Why.
        why: &'static str,
    },
    /// It is signed for something that is not stint's, or for two things.
    Namespace {
        /// What a signature says it is for.
        found: String,
    },
    /// It is an approval with more than one signature.
    NotOne {
        /// How many it has.
        count: usize,
    },
    /// It is an approval, and its signer is whoever fits a pattern.
    Pattern {
        /// The file that says so.
        signers: String,
        /// In which line, from 1.
        line: usize,
        /// With which key.
        key: String,
    },
    /// A signature is of another text, or of another key.
    Broken {
        /// Which, from 1.
        number: usize,
    },
    /// None of the signers may sign this here.
    NotAllowed {
        /// The file that says who may.
        signers: String,
        /// Why, for each signature.
        why: Vec<String>,
    },
    /// It is signed as one thing and says that it is another.
    Kind {
        /// What it is signed as.
        signed: Kind,
        /// What it says it is.
        says: String,
    },
    /// What it says cannot be read.
    Content {
        /// The line, from 1; 0 where it is about no line.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// Its time has not come.
    Early {
        /// When it comes.
        not_before: Timestamp,
    },
    /// Its time is over.
    Late {
        /// Since when.
        not_after: Timestamp,
    },
    /// It is for other hosts.
    OtherHosts {
        /// This one.
        host: String,
        /// Those.
        hosts: Vec<String>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooBig { size } => {
                write!(f, "it has {size} bytes; {} are the most", crate::SIZE_LIMIT)
            }
            Self::NotText => write!(f, "it is no text in UTF-8"),
            Self::NoText => write!(f, "there is no text before its signature"),
            Self::Unsigned => write!(
                f,
                "it is not signed, or cut off: after its last line break a signature has to follow, \
                 as ssh-keygen -Y sign makes it"
            ),
            Self::CutOff => write!(f, "it is cut off: its last signature has no end"),
            Self::TooMany => {
                write!(f, "it has more than {} signatures", crate::SIGNATURES)
            }
            Self::Stray { line } => {
                write!(f, "line {line}: only signatures may follow a signature")
            }
            Self::Unreadable { number, why } => write!(f, "signature {number}: {why}"),
            Self::Namespace { found } => write!(
                f,
                "it is signed as {}; policy@stint, grant@stint, revocation@stint and approval@stint \
                 are known (ssh-keygen -n), one for all of its signatures",
                quoted(found)
            ),
            Self::NotOne { count } => write!(
                f,
                "it has {count} signatures, and an approval is one approver's: each signs one of \
                 their own"
            ),
            Self::Pattern { signers, line, key } => write!(
                f,
                "line {line} of {} lets the key {key} sign approvals as whoever fits a pattern: it \
                 has to name the account of one approver, letter by letter",
                harmless(signers)
            ),
            Self::Broken { number } => write!(
                f,
                "signature {number} is not of this text: it was changed after it was signed"
            ),
            Self::NotAllowed { signers, why } => {
                write!(f, "nobody who signed it may: {} ({})", why.join("; "), harmless(signers))
            }
            Self::Kind { signed, says } => write!(
                f,
                "it is signed as {} and says that it is a {}",
                signed.namespace(),
                quoted(says)
            ),
            Self::Content { line: 0, what } => f.write_str(what),
            Self::Content { line, what } => write!(f, "line {line}: {what}"),
            Self::Early { not_before } => {
                write!(f, "it counts from {not_before} on; if that is past, this clock is wrong")
            }
            Self::Late { not_after } => write!(f, "its time is over, since {not_after}"),
            Self::OtherHosts { host, hosts } => {
                write!(f, "it is for {}, and this is {}", hosts.join(", "), harmless(host))
            }
        }
    }
}

impl std::error::Error for Refusal {}
