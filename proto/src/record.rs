//! The record as it is read: links of its chain, page by page.

use serde::{Deserialize, Serialize};
use zbus::{DeserializeDict, SerializeDict, Type};

use crate::Timestamp;

/// One event of the record, as it is stored (`(xxssssay)` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Link {
    /// Its number: the first is 1, and none is left out.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// In which boot.
    pub boot_id: String,
    /// What.
    pub event: String,
    /// The line for people.
    pub message: String,
    /// Its fields, as JSON, byte for byte as they are stored.
    pub fields: String,
    /// Its hash: 32 bytes over all of this and the hash before, unless somebody changed it.
    pub hash: Vec<u8>,
}

#[cfg(feature = "json")]
impl Link {
    /// Its fields; none where somebody has made something else of them.
    #[must_use]
    pub fn read_fields(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::from_str(&self.fields) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        }
    }

    /// How many events it stands for (`STINT_COUNT`): whoever counts events adds these up.
    #[must_use]
    pub fn times(&self) -> u64 {
        let fields = self.read_fields();
        let count = fields.get("STINT_COUNT").and_then(serde_json::Value::as_str);
        count.and_then(|count| count.parse().ok()).unwrap_or(1)
    }
}

/// Some links of the record.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct RecordPage {
    /// Those after the number that was asked for, and not older than the time that was.
    pub links: Vec<Link>,
    /// The last that was looked at, from which the next page goes on; absent at the end.
    pub next: Option<i64>,
    /// The number of the last link that was cut off, and its hash; absent where none was.
    pub cut: Option<i64>,
    /// Its hash.
    pub cut_hash: Option<Vec<u8>>,
    /// The number of the last link.
    pub head: i64,
    /// Its hash.
    pub head_hash: Vec<u8>,
}

/// By which key a host signs how far its record has come.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct CheckpointKey {
    /// The host, as it names itself in what it signs.
    pub host: String,
    /// The public key: `ssh-ed25519 AAAA…`.
    pub key: String,
}
