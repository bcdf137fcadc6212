//! What is asked and answered over the interface. One type a question, one an answer.

use serde::{Deserialize, Serialize};
use zbus::{DeserializeDict, SerializeDict, Type, as_variant};

use crate::{
    Grant, GrantId, GroupName, Length, Offer, Remote, Request, RoleName, ServiceName, Timestamp,
    Uid, UserName, words,
};

/// What PAM says of a call: the module's question in the account phase, its report in the session
/// phase. All of it is a claim; who is asking is read from the kernel. Absent items are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct PamItems {
    /// `PAM_SERVICE`; never empty.
    pub service: String,
    /// `PAM_USER`: the target for su, who authenticated for sudo, who logs in for sshd.
    pub user: String,
    /// `PAM_RUSER`: the invoker; empty for sshd.
    pub ruser: String,
    /// `PAM_TTY`.
    pub tty: String,
    /// `PAM_RHOST`.
    pub rhost: String,
}

/// What comes of the report of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct OpenedSession {
    /// The session's id, for the report of its end.
    pub id: String,
    /// The control group that the process enters itself, as a thread, before it starts anything: its
    /// path from the root of the tree. Empty where it need not.
    pub group: String,
}

impl PamItems {
    /// Whose call it is, by name, as [`stint_wire::Items::subject`] says.
    #[must_use]
    pub fn subject(&self, real_uid: Uid) -> &str {
        self.borrowed().subject(real_uid.0)
    }
}

words! { wire;
    /// What the gate says.
    Verdict {
        /// Let in.
        Allow = "allow",
        /// Do not.
        Deny = "deny",
    }
}

/// The answer to the question whether [`PamItems`] may pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct CheckAnswer {
    /// In or not. The module takes anything but `allow` for a denial.
    pub verdict: Verdict,
    /// What the person is told: at most three lines, none of them with a control character.
    pub lines: Vec<String>,
    /// With a denial: what the person may ask for there and then, most fitting first.
    pub offers: Vec<Offer>,
}

/// What root orders with `stint grant`.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", deny_unknown_fields)]
pub struct GrantOrder {
    /// Who shall hold it.
    pub user: UserName,
    /// What.
    pub role: RoleName,
    /// For how long; the role's default if absent.
    pub duration: Option<Length>,
    /// From when; now if absent.
    pub starts_at: Option<Timestamp>,
    /// What for.
    pub reason: String,
    /// The ticket it refers to.
    pub ticket: Option<String>,
}

/// What root orders with `stint revoke`: exactly one of the four says which grants.
// zbus' own derive knows no default for what is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, Deserialize, Type)]
#[zbus(signature = "dict")]
#[serde(deny_unknown_fields)]
pub struct RevokeOrder {
    /// The grant whose id begins like this, if only one does.
    #[serde(default, with = "as_variant::optional")]
    pub id: Option<GrantId>,
    /// Every grant of this user.
    #[serde(default, with = "as_variant::optional")]
    pub user: Option<UserName>,
    /// Every grant of this role.
    #[serde(default, with = "as_variant::optional")]
    pub role: Option<RoleName>,
    /// Every grant; `false` if absent.
    #[serde(default, with = "as_variant")]
    pub all: bool,
    /// What for.
    #[serde(with = "as_variant")]
    pub reason: String,
}

/// Which grants to list.
// zbus' own derive knows no default for what is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, Deserialize, Type)]
#[zbus(signature = "dict")]
#[serde(default, deny_unknown_fields)]
pub struct ListFilter {
    /// Ended ones too; `false` if absent.
    #[serde(with = "as_variant")]
    pub ended: bool,
    /// Instead of all others the uses of break-glass roles that await the caller's review, running
    /// and ended; `false` if absent.
    #[serde(with = "as_variant")]
    pub to_review: bool,
    /// Of this user only.
    #[serde(with = "as_variant::optional")]
    pub user: Option<UserName>,
    /// Of this role only.
    #[serde(with = "as_variant::optional")]
    pub role: Option<RoleName>,
}

/// Something that stint could not yet do, and is trying again.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Alarm {
    /// What could not be done, and why, in one line.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// How often it has been tried.
    pub tries: u32,
}

/// How things stand for the caller: `stint status`.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Status {
    /// This host's name.
    pub host: String,
    /// Who is asking, by name; absent if the account has none that stint can name.
    pub user: Option<UserName>,
    /// What the caller holds, scheduled or active.
    pub grants: Vec<Grant>,
    /// The caller's own requests that are pending.
    pub requests: Vec<Request>,
    /// How many requests the caller may approve or deny.
    pub to_decide: u32,
    /// Roles of this host for which the caller is eligible.
    pub eligible: Vec<RoleName>,
    /// `enforce` or `observe`.
    pub gate_mode: String,
    /// What could not be done yet; root sees all, others none.
    pub alarms: Vec<Alarm>,
    /// What somebody changed by hand and stint lets stand; root sees all, others none.
    pub notes: Vec<Note>,
    /// What is wrong with the policy on disk, if it was refused; root alone.
    pub policy_problem: Option<String>,
    /// How signed documents stand, where the host takes any; root alone.
    pub remote: Option<Remote>,
}

/// A role as `stint roles` shows it.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct RoleSummary {
    /// Its name.
    pub name: RoleName,
    /// What the policy says of it.
    pub description: String,
    /// The doors that it opens.
    pub services: Vec<ServiceName>,
    /// The groups that it gives.
    pub groups: Vec<GroupName>,
    /// The polkit actions that it allows.
    pub polkit: Vec<String>,
    /// The sudo rules that it gives, as sudoers would write them, without a user.
    pub sudo: Vec<String>,
    /// The longest grant.
    pub max_duration: Length,
    /// The usual grant.
    pub default_duration: Length,
    /// How many approvals a request needs.
    pub approvals: u32,
    /// Who may approve, as the policy writes them: `bob`, `%leads`.
    pub approvers: Vec<String>,
    /// Whether it is for emergencies: no approval, loud, and once until somebody has reviewed it.
    pub break_glass: bool,
    /// Whether a request needs a reason.
    pub reason: bool,
    /// What a request's ticket looks like; absent where none is asked for.
    pub ticket: Option<String>,
    /// Whether the caller is eligible.
    pub eligible: bool,
}

/// What `stint explain` asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", deny_unknown_fields)]
pub struct Explain {
    /// About whom; root alone may ask about others.
    pub user: Option<UserName>,
    /// About which door; sudo if absent.
    pub service: Option<ServiceName>,
    /// As of when; now if absent.
    pub at: Option<Timestamp>,
}

/// Why the gate would say what it would say.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Explanation {
    /// About whom.
    pub user: UserName,
    /// About which door.
    pub service: ServiceName,
    /// As of when.
    pub at: Timestamp,
    /// What it would say.
    pub verdict: Verdict,
    /// Why, a sentence a line, with the lines of the policy that say so.
    pub because: Vec<String>,
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct ReloadReport {
    /// How many roles are in force on this host.
    pub roles: u32,
    /// Grants that the policy now gives.
    pub granted: Vec<Grant>,
    /// Grants that ended because what they rested on is gone.
    pub ended: Vec<Grant>,
    /// What is odd, but no error.
    pub warnings: Vec<String>,
    /// `enforce` or `observe`.
    pub gate_mode: String,
}

/// Something that is odd and stays so until somebody does something about it; nothing is tried again.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Note {
    /// What it is.
    pub text: String,
    /// What can be done about it.
    pub mend: String,
}

/// What `stint doctor` asks the daemon.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Health {
    /// The daemon's version.
    pub version: String,
    /// Its wall clock when it answered.
    pub wall: Timestamp,
    /// Its boot clock when it answered: microseconds since boot, suspend included.
    pub boot: i64,
    /// The latest wall clock it has ever recorded; ahead of `wall` if the clock was set back.
    pub high_water: Timestamp,
    /// How memberships are given: `files` or `userdb`.
    pub backend: String,
    /// `enforce` or `observe`.
    pub gate_mode: String,
    /// How many grants are active.
    pub active: u32,
    /// What could not be done yet.
    pub alarms: Vec<Alarm>,
    /// What somebody changed by hand and stint lets stand.
    pub notes: Vec<Note>,
    /// What is wrong with the policy on disk, if it was refused.
    pub policy_problem: Option<String>,
    /// How signed documents stand, where the host takes any.
    pub remote: Option<Remote>,
    /// Who passes the gate in the PAM files themselves, as the policy in force says.
    pub exempt: Vec<String>,
    /// Groups that roles of this host give.
    pub groups: Vec<GroupName>,
    /// Roles of this host that need polkit.
    pub polkit_roles: Vec<RoleName>,
    /// Where events go: `journal` or `syslog`.
    pub record: String,
    /// Events that could not be delivered there since the start.
    pub lost_events: u64,
    /// How the kernel's audit takes what stintd writes: "on", "off", "absent", "refused", or "held
    /// up".
    pub kernel_audit: String,
    /// Where sessions are put: "systemd", "control groups", or "nowhere".
    pub sessions: String,
    /// The uid that the daemon runs as.
    pub uid: Uid,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use zbus::Variant;
    use zbus::wire::serialized::Context;
    use zbus::wire::{Error, LE, to_bytes};

    use super::*;

    /// What comes back of a dictionary with these entries.
    fn read<T>(entries: &[(&str, Variant<'_>)]) -> Result<T, Error>
    where
        T: serde::de::DeserializeOwned + Type,
    {
        let context = Context::new(LE, 0);
        let dictionary: HashMap<&str, &Variant<'_>> =
            entries.iter().map(|(name, value)| (*name, value)).collect();
        let bytes = to_bytes(context, &dictionary).unwrap();
        bytes.deserialize().map(|(value, _)| value)
    }

    #[test]
    fn what_is_unknown_or_of_another_type_is_refused_and_a_reason_is_needed() {
        assert!(read::<ListFilter>(&[("all", true.into())]).is_err());
        assert!(read::<ListFilter>(&[("ended", "yes".into())]).is_err());
        assert!(read::<ListFilter>(&[("user", 1000_u32.into())]).is_err());
        assert!(read::<RevokeOrder>(&[("all", true.into())]).is_err());
        let force = [("all", true.into()), ("reason", "x".into()), ("force", true.into())];
        assert!(read::<RevokeOrder>(&force).is_err());
    }

    #[test]
    fn a_boolean_that_is_absent_is_false() {
        assert_eq!(read(&[]), Ok(ListFilter::default()));
        let user = Some("bob".parse().unwrap());
        let filter = ListFilter { user: user.clone(), ..ListFilter::default() };
        assert_eq!(read(&[("user", "bob".into())]), Ok(filter));
        let order = RevokeOrder { user, reason: "x".to_owned(), ..RevokeOrder::default() };
        assert_eq!(read(&[("user", "bob".into()), ("reason", "x".into())]), Ok(order.clone()));
        let all = RevokeOrder { user: None, all: true, ..order };
        assert_eq!(read(&[("all", true.into()), ("reason", "x".into())]), Ok(all));
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        let role = Some("admin".parse().unwrap());
        let filter = ListFilter { ended: true, to_review: true, user: None, role };
        let bytes = to_bytes(Context::new(LE, 0), &filter).unwrap();
        assert_eq!(bytes.deserialize::<ListFilter>().unwrap().0, filter);
    }
}
