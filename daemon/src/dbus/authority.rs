//! Who may call what. One table; a method that is not in it is nobody's.

use stint_proto::{ErrorCode, Uid};

use crate::engine::{Peer, Refusal};

/// Who is calling, as the kernel and the bus attest it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The module, in a process that root privilege runs, over the module's socket.
    Module(Peer),
    /// A process of this uid, over the system bus.
    Bus(Uid),
}

/// Whom a method is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// The module alone: it speaks for others, which nobody on the bus may.
    Module,
    /// Root, over the bus.
    Root,
    /// Everybody on the bus, about themselves; the method looks at who it is.
    Everyone,
}

/// The table.
pub const TABLE: [(&str, For); 11] = [
    ("Check", For::Module),
    ("OpenSession", For::Module),
    ("CloseSession", For::Module),
    ("Grant", For::Root),
    ("Revoke", For::Root),
    ("Reload", For::Root),
    ("Health", For::Root),
    ("List", For::Everyone),
    ("Status", For::Everyone),
    ("Roles", For::Everyone),
    ("Explain", For::Everyone),
];

/// Whether this caller may call this method.
///
/// # Errors
/// [`Refusal`] with [`ErrorCode::Denied`] if not.
pub fn authorize(method: &str, caller: Caller) -> Result<(), Refusal> {
    let whom = TABLE.iter().find(|(name, _)| *name == method).map(|(_, whom)| *whom);
    match (whom, caller) {
        (Some(For::Module), Caller::Module(_))
        | (Some(For::Root), Caller::Bus(Uid::ROOT))
        | (Some(For::Everyone), Caller::Bus(_)) => Ok(()),
        (Some(For::Module), Caller::Bus(_)) => {
            Err(denied(format!("{method} is the PAM module's alone")))
        }
        (Some(For::Root), Caller::Bus(_)) => Err(denied(format!("{method} is root's"))),
        (Some(For::Root | For::Everyone), Caller::Module(_)) => {
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
            assert!(authorize(method, Caller::Bus(Uid(1000))).is_err() || whom == For::Everyone);
            assert!(authorize(method, Caller::Bus(Uid::ROOT)).is_err() == (whom == For::Module));
            assert!(authorize(method, MODULE).is_err() == (whom != For::Module));
        }
        assert!(authorize("Anything", Caller::Bus(Uid::ROOT)).is_err());
        assert!(authorize("check", MODULE).is_err(), "names are case-sensitive");
    }
}
