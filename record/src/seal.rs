//! What a link says of links that were cut off before it: which was the last, and its hash, so that
//! what is left follows something that is known.

use stint_proto::{Event, Link, Timestamp};

use crate::{Head, unhex};

/// What an `audit.cut` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The link that says it.
    pub link: i64,
    /// When that was.
    pub at: Timestamp,
    /// The first that was cut off.
    pub first: i64,
    /// The last that was cut off.
    pub last: Head,
    /// When the first had been recorded.
    pub since: Option<Timestamp>,
    /// When the last had been.
    pub until: Option<Timestamp>,
}

impl Seal {
    /// What this link says was cut off, if it is about that at all.
    #[must_use]
    pub fn of(link: &Link) -> Option<Self> {
        if link.event != Event::AuditCut.as_str() {
            return None;
        }
        let fields = link.read_fields();
        let text = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
        let number = |name: &str| text(name)?.parse().ok();
        let time = |name: &str| text(name)?.parse().ok();
        Some(Self {
            link: link.seq,
            at: link.at,
            first: number("STINT_FIRST")?,
            last: Head { seq: number("STINT_LINK")?, hash: unhex(text("STINT_HASH")?)? },
            since: time("STINT_SINCE"),
            until: time("STINT_UNTIL"),
        })
    }
}
