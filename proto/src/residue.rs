//! What came, changed or went on a host while a grant was held, as it is shown. Nobody is named:
//! what happens during a grant need not be its holder's doing.

use serde::{Deserialize, Serialize};
use zbus::{DeserializeDict, SerializeDict, Type};

use crate::{Timestamp, words};

words! { wire;
    /// What something is that outlives a grant; what weighs most first.
    #[derive(PartialOrd, Ord)]
    ResidueKind {
        /// Rules of sudo or doas.
        Sudo = "sudo",
        /// An account, a group, or somebody in a group.
        Account = "account",
        /// A PAM stack, a module, or what modules read.
        Pam = "pam",
        /// Keys that open a login, and sshd's settings.
        Ssh = "ssh",
        /// A program that runs with the rights of its owner or group.
        Setuid = "setuid",
        /// A program with capabilities of its own.
        Capability = "capability",
        /// stint's own policy, hooks and programs.
        Stint = "stint",
        /// What the dynamic linker loads into programs.
        Loader = "loader",
        /// polkit's rules.
        Polkit = "polkit",
        /// What cron runs.
        Cron = "cron",
        /// What at runs.
        At = "at",
        /// A unit of systemd.
        Unit = "unit",
        /// A unit without a file of its own that runs, or waits to, as `systemd-run` makes them.
        Transient = "transient",
        /// A container that runs.
        Container = "container",
        /// Who may own names on the system bus, and call what.
        Bus = "bus",
        /// What udev runs.
        Udev = "udev",
        /// What every shell, or root's, runs at its start.
        Shell = "shell",
        /// A program before others in the search path.
        Program = "program",
    }
}

words! { wire;
    /// What became of it.
    ResidueChange {
        /// It was not there before.
        New = "new",
        /// It is not as it was before.
        Changed = "changed",
        /// It was there before.
        Gone = "gone",
    }
}

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Finding {
    /// What it is.
    pub kind: ResidueKind,
    /// Which file, or which unit.
    pub path: String,
    /// For a file of accounts, which entry of it; empty elsewhere.
    pub entry: String,
    /// What became of it.
    pub change: ResidueChange,
}

/// What a grant left, as far as it can be seen (`a{sv}` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Residue {
    /// How the host was then is what it is compared with.
    pub since: Timestamp,
    /// That was not before the grant began, but later.
    pub late: bool,
    /// When it was looked at again.
    pub until: Timestamp,
    /// How many files were looked at then, and how long that took, in microseconds.
    pub files: u32,
    /// See `files`.
    pub micros: u64,
    /// How much is not as it was.
    pub count: u32,
    /// What; not all of a great many.
    pub found: Vec<Finding>,
    /// What could not be looked at, and why, a line each.
    pub unseen: Vec<String>,
}
