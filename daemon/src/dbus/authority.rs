//! Who may call what. One table; a method that is not in it is nobody's.

use stint_proto::{ErrorCode, Uid};

use crate::engine::{Peer, Refusal};

/// Who is calling, as the kernel and the bus attest it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The module or stint-run, in a process that root privilege runs, over the module's socket.
    Module(Peer),
    /// A process of this uid, over the system bus.
    Bus(Uid),
}

/// Whom a method is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// The module and stint-run alone: they speak for others, which nobody on the bus may.
    Module,
    /// Root, over the bus.
    Root,
    /// Root, and the account that brings signed documents; the method looks at who it is.
    Carrier,
    /// Root, and those whom the policy lets read the record; the method looks at who it is.
    Readers,
    /// Everybody on the bus, about themselves; the method looks at who it is.
    Everyone,
}

/// The table.
pub const TABLE: [(&str, For); 36] = [
    ("Check", For::Module),
    ("RequestAtDoor", For::Module),
    ("EnterSession", For::Module),
    ("PlaceSession", For::Module),
    ("CloseSession", For::Module),
    ("RunGroups", For::Module),
    ("Grant", For::Root),
    ("Revoke", For::Root),
    ("Reload", For::Root),
    ("Health", For::Root),
    ("Deliver", For::Carrier),
    ("SourceReport", For::Carrier),
    ("Publication", For::Carrier),
    ("History", For::Readers),
    ("Record", For::Readers),
    ("CheckpointKey", For::Readers),
    ("GrantsSince", For::Readers),
    ("Eligible", For::Readers),
    ("Attest", For::Readers),
    ("Metrics", For::Readers),
    ("Standing", For::Readers),
    ("StandingChanged", For::Root),
    ("List", For::Everyone),
    ("Status", For::Everyone),
    ("Roles", For::Everyone),
    ("Explain", For::Everyone),
    ("Request", For::Everyone),
    ("Extend", For::Everyone),
    ("Cancel", For::Everyone),
    ("Drop", For::Everyone),
    ("Await", For::Everyone),
    ("Pending", For::Everyone),
    ("Approve", For::Everyone),
    ("Deny", For::Everyone),
    ("Review", For::Everyone),
    ("Follow", For::Everyone),
];

/// Whether this caller may call this method, and whom it is for: what is for readers is looked at
/// further, as only the policy says who they are.
///
/// # Errors
/// [`Refusal`] with [`ErrorCode::Denied`] if not.
pub fn authorize(method: &str, caller: Caller) -> Result<For, Refusal> {
    let whom = TABLE.iter().find(|(name, _)| *name == method).map(|(_, whom)| *whom);
    match (whom, caller) {
        (Some(whom @ For::Module), Caller::Module(_))
        | (Some(whom @ For::Root), Caller::Bus(Uid::ROOT))
        | (Some(whom @ (For::Carrier | For::Readers | For::Everyone)), Caller::Bus(_)) => Ok(whom),
        (Some(For::Module), Caller::Bus(_)) => {
            Err(denied(format!("{method} is for the PAM module and stint-run alone")))
        }
        (Some(For::Root), Caller::Bus(_)) => Err(denied(format!("{method} is root's"))),
        (Some(For::Root | For::Carrier | For::Readers | For::Everyone), Caller::Module(_)) => {
            Err(denied(format!("{method} is called over the system bus")))
        }
        (None, _) => Err(denied(format!("{method} is nobody's"))),
    }
}

fn denied(message: String) -> Refusal {
    Refusal::new(ErrorCode::Denied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: Caller = Caller::Module(Peer { pid: 1, real_uid: Uid::ROOT });

    #[test]
    fn nobody_calls_what_is_not_theirs() {
        for (method, whom) in TABLE {
            let open = matches!(whom, For::Everyone | For::Readers | For::Carrier);
            assert!(authorize(method, Caller::Bus(Uid(1000))).is_err() != open);
            assert!(authorize(method, Caller::Bus(Uid::ROOT)).is_err() == (whom == For::Module));
            assert!(authorize(method, MODULE).is_err() == (whom != For::Module));
        }
        assert!(authorize("Anything", Caller::Bus(Uid::ROOT)).is_err());
        assert!(authorize("check", MODULE).is_err(), "names are case-sensitive");
    }
}
