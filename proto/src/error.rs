//! How a refusal travels: a D-Bus error name on the bus, an exit status at the command line.

/// The exit statuses of `stint`, part of its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done.
    Done = 0,
    /// Failed: nothing was changed, or what was is said.
    Failed = 1,
    /// The command was not understood, or named somebody or something that does not exist.
    Usage = 2,
    /// Refused by policy, or by who is asking.
    Refused = 3,
    /// Still pending when the wait ended.
    Pending = 4,
    /// No such id, or more than one.
    NoSuchId = 5,
    /// The daemon cannot be reached.
    Unavailable = 69,
}

/// The errors of the interface: each has a D-Bus name and an exit status, and carries one message
/// that says what was wrong and what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// An argument cannot be: an unknown user, role or group, a bad name, a bad time.
    Invalid,
    /// The caller may not do this.
    Denied,
    /// The policy does not allow it.
    Refused,
    /// No grant has this id, or more than one begins like it.
    NoSuchId,
    /// The policy has errors and did not replace the one in force.
    PolicyRejected,
    /// Something failed; nothing was changed.
    Failed,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Invalid,
        Self::Denied,
        Self::Refused,
        Self::NoSuchId,
        Self::PolicyRejected,
        Self::Failed,
    ];

    /// Its name on the bus.
    #[must_use]
    pub const fn bus_name(self) -> &'static str {
        match self {
            Self::Invalid => "org.stint.Stint1.Error.Invalid",
            Self::Denied => "org.freedesktop.DBus.Error.AccessDenied",
            Self::Refused => "org.stint.Stint1.Error.Refused",
            Self::NoSuchId => "org.stint.Stint1.Error.NoSuchId",
            Self::PolicyRejected => "org.stint.Stint1.Error.PolicyRejected",
            Self::Failed => "org.stint.Stint1.Error.Failed",
        }
    }

    /// The error of this bus name; `None` for an error that is not the interface's own.
    #[must_use]
    pub fn from_bus_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.bus_name() == name)
    }

    /// The exit status that tells a script the same.
    #[must_use]
    pub const fn exit_status(self) -> ExitStatus {
        match self {
            Self::Invalid => ExitStatus::Usage,
            Self::Denied | Self::Refused => ExitStatus::Refused,
            Self::NoSuchId => ExitStatus::NoSuchId,
            Self::PolicyRejected | Self::Failed => ExitStatus::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_finds_its_way_back_from_the_bus() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_bus_name(code.bus_name()), Some(code));
        }
        assert_eq!(ErrorCode::from_bus_name("org.freedesktop.DBus.Error.NoReply"), None);
    }
}
