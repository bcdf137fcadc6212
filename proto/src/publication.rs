//! What a host says of itself to the store of a fleet: as stintd hands it to stint-sync, which carries it.

use zbus::{DeserializeDict, SerializeDict, Type};

use crate::{Grant, Request, Timestamp};

/// All that a host publishes, as it is now (`a{sv}` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Publication {
    /// Another number as soon as something of it may have changed, and with each start of stintd.
    pub version: u64,
    /// This host's name.
    pub host: String,
    /// The version of the program that says so.
    pub program: String,
    /// When it was started.
    pub since: Timestamp,
    /// The serial of the signed policy in force; absent if there is none.
    pub serial: Option<u64>,
    /// Whether the policy has requests and grants published; where not, the lists are empty.
    pub publish: bool,
    /// The pending requests, the oldest first.
    pub requests: Vec<Request>,
    /// The grants that run or are scheduled, by their beginning.
    pub grants: Vec<Grant>,
    /// The requests that ended within a day, the latest first.
    pub ended: Vec<Request>,
    /// How many requests and grants are in none of the lists, for there being too many or for being
    /// too long.
    pub left_out: u32,
}
