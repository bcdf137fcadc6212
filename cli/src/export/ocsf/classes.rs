//! Which class and activity of OCSF an event of the record is. A table; docs/export.md shows it.

use stint_proto::Event;

/// A class of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What has no class of its own, or lacks what its class needs.
    Base,
    /// A file of the host's.
    FileActivity,
    /// The log itself.
    EventLog,
    /// Somebody has to look at it.
    Finding,
    /// An account.
    AccountChange,
    /// A session began or ended.
    Authentication,
    /// Whether somebody may.
    AuthorizeSession,
    /// Something that is managed: a request, a policy.
    Entity,
    /// A privilege came or went.
    UserAccess,
    /// A membership.
    Group,
    /// The state of the host.
    ConfigState,
}

impl Class {
    /// Its number (`class_uid`) and its name.
    pub const fn id(self) -> (u32, &'static str) {
        match self {
            Self::Base => (0, "Base Event"),
            Self::FileActivity => (1001, "File System Activity"),
            Self::EventLog => (1008, "Event Log Activity"),
            Self::Finding => (2004, "Detection Finding"),
            Self::AccountChange => (3001, "Account Change"),
            Self::Authentication => (3002, "Authentication"),
            Self::AuthorizeSession => (3003, "Authorize Session"),
            Self::Entity => (3004, "Entity Management"),
            Self::UserAccess => (3005, "User Access Management"),
            Self::Group => (3006, "Group Management"),
            Self::ConfigState => (5019, "Device Config State Change"),
        }
    }

    /// The number and name of its category.
    pub const fn category(self) -> (u32, &'static str) {
        let number = self.id().0 / 1000;
        let name = match number {
            1 => "System Activity",
            2 => "Findings",
            3 => "Identity & Access Management",
            5 => "Discovery",
            _ => "Uncategorized",
        };
        (number, name)
    }
}

/// What an event is in OCSF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its class.
    pub class: Class,
    /// The number of its activity in that class; 99 where the class has no word for it.
    pub activity: u32,
    /// The name of its activity.
    pub name: &'static str,
    /// Whether it went as it was meant to.
    pub success: bool,
}

/// What an event is whose name nobody knows.
pub const UNKNOWN: Mapping =
    Mapping { class: Class::Base, activity: 0, name: "Unknown", success: true };

/// The class has no word for it.
const OTHER: u32 = 99;

/// What an event is.
pub const fn mapping(event: Event) -> Mapping {
    let (class, activity, name) = match event {
        Event::RequestCreated | Event::GrantScheduled => (Class::Entity, 1, "Create"),
        Event::RequestApproved => (Class::Entity, OTHER, "Approve"),
        Event::RequestDenied => (Class::Entity, OTHER, "Deny"),
        Event::RequestCancelled => (Class::Entity, OTHER, "Cancel"),
        Event::ReviewAttested => (Class::Entity, OTHER, "Attest"),
        Event::StandingAdopted => (Class::Entity, OTHER, "Adopt"),
        Event::StandingRestored => (Class::Entity, OTHER, "Restore"),
        Event::RequestLapsed => (Class::Entity, OTHER, "Lapse"),
        Event::GrantActivated => (Class::UserAccess, 1, "Assign Privileges"),
        Event::GrantExtended => (Class::UserAccess, OTHER, "Extend"),
        Event::GrantExpired | Event::GrantRevoked | Event::GrantDropped | Event::GrantSwept => {
            (Class::UserAccess, 2, "Revoke Privileges")
        }
        Event::CheckAllowed | Event::CheckDenied | Event::CallDenied => {
            (Class::AuthorizeSession, 1, "Assign Privileges")
        }
        Event::GroupAdded => (Class::Group, 3, "Add User"),
        Event::GroupRemoved => (Class::Group, 4, "Remove User"),
        Event::GroupFailed => (Class::Group, OTHER, "Add or Remove User"),
        Event::GroupDrift => (Class::Group, OTHER, "Drift"),
        Event::SudoRuleWritten
        | Event::SudoRuleFailed
        | Event::PolkitRuleWritten
        | Event::PolkitRuleFailed => (Class::FileActivity, 3, "Update"),
        Event::SessionOpened => (Class::Authentication, 1, "Logon"),
        Event::SessionClosed | Event::SessionTerminated => (Class::Authentication, 2, "Logoff"),
        Event::SessionWarned => (Class::Authentication, OTHER, "Warn"),
        Event::SessionLeft => (Class::Authentication, OTHER, "Leave"),
        Event::PolicyLoaded
        | Event::PolicyRejected
        | Event::SourceSynced
        | Event::SourceRejected => (Class::Entity, 3, "Update"),
        Event::SourceStale => (Class::Entity, OTHER, "Stale"),
        Event::ClockStepped => (Class::ConfigState, 1, "Log"),
        Event::AccountChanged => (Class::AccountChange, OTHER, "Change"),
        Event::BreakGlassUsed | Event::GrantResidue | Event::SudoRuleDrift => {
            (Class::Finding, 1, "Create")
        }
        Event::BreakGlassReviewed => (Class::Finding, 3, "Close"),
        Event::AuditGap => (Class::EventLog, OTHER, "Gap"),
        Event::AuditCut => (Class::EventLog, 2, "Delete"),
        Event::AuditCheckpoint => (Class::EventLog, OTHER, "Checkpoint"),
    };
    Mapping { class, activity, name, success: !failed(event) }
}

const fn failed(event: Event) -> bool {
    matches!(
        event,
        Event::RequestDenied
            | Event::CheckDenied
            | Event::CallDenied
            | Event::GroupFailed
            | Event::SudoRuleFailed
            | Event::PolkitRuleFailed
            | Event::PolicyRejected
            | Event::SourceRejected
            | Event::SourceStale
            | Event::AuditGap
    )
}
