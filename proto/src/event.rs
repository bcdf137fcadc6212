//! The events of the record: their names, and the ids under which the journal's catalog explains
//! them. Constants only; what an event carries is put together by the daemon.

use std::fmt;

use crate::words;

/// The first 112 bits of every `MESSAGE_ID`; an event's number is the rest.
pub const MESSAGE_ID_BASE: &str = "5b1c8f0e6a7d4b53a2e94d1f7c30";

words! {
    /// What an event decided (`STINT_DECISION`).
    Decision {
        /// It let somebody in, or gave something.
        Allowed = "allowed",
        /// It did not.
        Denied = "denied",
        /// It would not have, were the gate not in `observe` mode.
        Observed = "observed",
    }
}

/// How loud an event is (`PRIORITY`, as syslog(3) counts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Priority {
    /// Somebody has to look at it now.
    Alert = 1,
    /// Something could not be done and is being tried again.
    Error = 3,
    /// Somebody was refused.
    Warning = 4,
    /// A privilege came or went.
    Notice = 5,
    /// The usual.
    Info = 6,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// Every kind of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Event {
            $($(#[$doc])* $name,)*
        }

        impl Event {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in the record (`STINT_EVENT`).
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Its number: given once, never to another.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// The event of this name; none where there is no such event.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

events! {
    /// Somebody asked for a role.
    RequestCreated = 1, "request.created";
    /// An approver said yes.
    RequestApproved = 2, "request.approved";
    /// An approver said no.
    RequestDenied = 3, "request.denied";
    /// The requester took it back.
    RequestCancelled = 4, "request.cancelled";
    /// Nobody answered in time.
    RequestLapsed = 5, "request.lapsed";
    /// A grant was made that starts later.
    GrantScheduled = 6, "grant.scheduled";
    /// A grant began.
    GrantActivated = 7, "grant.activated";
    /// A grant's end was moved.
    GrantExtended = 8, "grant.extended";
    /// A grant ended by the clock.
    GrantExpired = 9, "grant.expired";
    /// A grant was ended by somebody else, or by the policy.
    GrantRevoked = 10, "grant.revoked";
    /// A grant was ended by its holder.
    GrantDropped = 11, "grant.dropped";
    /// A check at a door let somebody in.
    CheckAllowed = 12, "check.allowed";
    /// A check at a door let nobody in.
    CheckDenied = 13, "check.denied";
    /// A membership was given.
    GroupAdded = 14, "group.added";
    /// A membership was taken back.
    GroupRemoved = 15, "group.removed";
    /// A membership could not be given or taken back yet.
    GroupFailed = 16, "group.failed";
    /// Somebody else changed what stint had given.
    GroupDrift = 17, "group.drift";
    /// The sudo rule file was replaced.
    SudoRuleWritten = 18, "sudo_rule.written";
    /// The sudo rule file could not be replaced yet.
    SudoRuleFailed = 19, "sudo_rule.failed";
    /// A session under a grant began.
    SessionOpened = 20, "session.opened";
    /// A session was told that its end is near.
    SessionWarned = 21, "session.warned";
    /// A session was ended with its grant.
    SessionTerminated = 22, "session.terminated";
    /// A session ended by itself.
    SessionClosed = 23, "session.closed";
    /// A policy came into force.
    PolicyLoaded = 24, "policy.loaded";
    /// A policy was refused; the one before stays.
    PolicyRejected = 25, "policy.rejected";
    /// A remote source was read.
    SourceSynced = 26, "source.synced";
    /// A remote document was refused.
    SourceRejected = 27, "source.rejected";
    /// A remote source is older than the policy allows.
    SourceStale = 28, "source.stale";
    /// The wall clock was set.
    ClockStepped = 29, "clock.stepped";
    /// A break-glass role was taken.
    BreakGlassUsed = 30, "break_glass.used";
    /// A break-glass use was reviewed.
    BreakGlassReviewed = 31, "break_glass.reviewed";
    /// Events could not be delivered somewhere.
    AuditGap = 32, "audit.gap";
    /// Somebody called a method that is not theirs.
    CallDenied = 33, "call.denied";
    /// A session's grant ended, and by its role the session went on.
    SessionLeft = 34, "session.left";
    /// The account of somebody who held or asked for something is gone, renamed or re-numbered.
    AccountChanged = 35, "account.changed";
    /// Somebody else changed or removed the sudo rule file.
    SudoRuleDrift = 36, "sudo_rule.drift";
    /// The polkit rule file was replaced.
    PolkitRuleWritten = 37, "polkit_rule.written";
    /// The polkit rule file could not be replaced yet, or polkit was not made to forget.
    PolkitRuleFailed = 38, "polkit_rule.failed";
    /// What came or changed on the host while a grant was held.
    GrantResidue = 39, "grant.residue";
    /// What an ended grant had given was taken back by stint-sweep, as no stintd ran.
    GrantSwept = 40, "grant.swept";
    /// How far the record's chain has come, and its hash there; in the log alone.
    AuditCheckpoint = 41, "audit.checkpoint";
    /// The oldest links of the record's chain were cut off, by retention.
    AuditCut = 42, "audit.cut";
    /// A reviewer said that something held, or somebody's eligibility, is to be kept or removed.
    ReviewAttested = 44, "review.attested";
    /// Standing privilege was turned into eligibility.
    StandingAdopted = 45, "standing.adopted";
    /// It was given back.
    StandingRestored = 46, "standing.restored";
}

impl Event {
    /// Its `MESSAGE_ID`: 32 hexadecimal digits (sd-messages(3)).
    #[must_use]
    pub fn message_id(self) -> String {
        format!("{MESSAGE_ID_BASE}{:04x}", self.number())
    }

    /// How loud it is.
    #[must_use]
    pub const fn priority(self) -> Priority {
        match self {
            // EMERG would be shown by journald to everybody who is logged in.
            Self::BreakGlassUsed => Priority::Alert,
            Self::GroupFailed
            | Self::SudoRuleFailed
            | Self::PolkitRuleFailed
            | Self::PolicyRejected
            | Self::SourceStale
            | Self::AuditGap => Priority::Error,
            Self::CheckDenied
            | Self::CallDenied
            | Self::ClockStepped
            | Self::GroupDrift
            | Self::SudoRuleDrift
            | Self::AccountChanged
            | Self::SourceRejected
            | Self::SessionLeft => Priority::Warning,
            Self::CheckAllowed
            | Self::SessionOpened
            | Self::SessionWarned
            | Self::AuditCheckpoint
            | Self::SessionClosed => Priority::Info,
            _ => Priority::Notice,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_event_has_a_number_a_name_and_an_id_of_its_own() {
        let numbers: HashSet<u16> = Event::ALL.iter().map(|event| event.number()).collect();
        let names: HashSet<&str> = Event::ALL.iter().map(|event| event.as_str()).collect();
        assert_eq!(numbers.len(), Event::ALL.len());
        assert_eq!(names.len(), Event::ALL.len());
        for event in Event::ALL {
            let id = event.message_id();
            assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
            assert_eq!(Event::named(event.as_str()), Some(*event));
        }
    }
}
