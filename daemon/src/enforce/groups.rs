//! Which backend gives memberships, and bringing a host to the memberships that stint shall own.
//! Never takes away a membership that stint does not own.

use std::collections::BTreeSet;
use std::fmt;

use stint_policy::Backend;

use super::change::{Action, Change, Intend, Membership, Outcome};
use super::group_files::Etc;
use super::userdb::Userdb;

/// One way to give memberships.
#[derive(Clone, Debug)]
pub enum Groups {
    /// In /etc/group and /etc/gshadow.
    Files(Etc),
    /// By drop-ins in /run/userdb.
    Userdb(Userdb),
}

/// The backend of the policy cannot work on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoNssSystemd;

impl fmt::Display for NoNssSystemd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "groups.backend is \"userdb\", but group: in /etc/nsswitch.conf lacks systemd: \
             install libnss-systemd and write \"group: files systemd\" there",
        )
    }
}

impl std::error::Error for NoNssSystemd {}

/// What came of [`Groups::bring_about`].
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupReport {
    /// Given now, and owned from now on; those that stint owned and somebody had removed, too.
    pub added: Vec<Membership>,
    /// Taken back, or gone already: no longer owned.
    pub removed: Vec<Membership>,
    /// Wanted, and there without stint: not owned.
    pub standing: Vec<Membership>,
    /// What could not be done, and why.
    pub failed: Vec<(Membership, Action, String)>,
}

/// Whether `group:` in the text of nsswitch.conf names systemd.
fn has_systemd(nsswitch: &str) -> bool {
    nsswitch
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter_map(|line| line.split_once(':'))
        .filter(|(database, _)| database.trim() == "group")
        .any(|(_, sources)| sources.split_whitespace().any(|source| source == "systemd"))
}

/// What the policy's backend comes to on a host with this nsswitch.conf: never
/// [`Backend::Auto`].
///
/// # Errors
/// When the policy asks for userdb and the host would not look there.
pub fn choose(asked: Backend, nsswitch: &str) -> Result<Backend, NoNssSystemd> {
    match (asked, has_systemd(nsswitch)) {
        (Backend::Files, _) | (Backend::Auto, false) => Ok(Backend::Files),
        (Backend::Userdb | Backend::Auto, true) => Ok(Backend::Userdb),
        (Backend::Userdb, false) => Err(NoNssSystemd),
    }
}

impl Groups {
    /// Brings the host from what stint owns by this backend to what it shall own. Running it again
    /// changes nothing more; after a crash it finishes what was begun.
    ///
    /// `intend` is called at most once, before anything takes effect, with what will really change.
    pub fn bring_about(
        &self,
        desired: &BTreeSet<Membership>,
        owned: &BTreeSet<Membership>,
        intend: &mut Intend<'_>,
    ) -> GroupReport {
        let removals = owned.difference(desired).map(|membership| (membership, Action::Remove));
        let additions = desired.iter().map(|membership| (membership, Action::Add));
        let changes: Vec<Change> = removals
            .chain(additions)
            .map(|(membership, action)| Change { membership: membership.clone(), action })
            .collect();
        let outcomes = match self {
            Self::Files(etc) => etc.apply(&changes, intend).map_err(|error| error.to_string()),
            Self::Userdb(userdb) => {
                userdb.apply(&changes, owned, intend).map_err(|error| error.to_string())
            }
        };
        report(changes, outcomes, owned)
    }
}

fn report(
    changes: Vec<Change>,
    outcomes: Result<Vec<Outcome>, String>,
    owned: &BTreeSet<Membership>,
) -> GroupReport {
    let mut report = GroupReport::default();
    let outcomes = match outcomes {
        Ok(outcomes) => outcomes,
        Err(why) => vec![Outcome::Failed(why); changes.len()],
    };
    for (Change { membership, action }, outcome) in changes.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Added => report.added.push(membership),
            Outcome::AlreadyMember if owned.contains(&membership) => {}
            Outcome::AlreadyMember => report.standing.push(membership),
            Outcome::Removed | Outcome::WasNotMember => report.removed.push(membership),
            Outcome::Failed(why) => report.failed.push((membership, action, why)),
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn userdb_is_refused_where_nobody_would_look() {
        for text in ["", "group: files\n", "# group: files systemd\n", "passwd: systemd\n"] {
            assert_eq!(choose(Backend::Userdb, text), Err(NoNssSystemd), "{text:?}");
            assert_eq!(choose(Backend::Auto, text), Ok(Backend::Files), "{text:?}");
        }
        let message = NoNssSystemd.to_string();
        assert!(message.contains("group: files systemd"), "{message}");
    }

    #[test]
    fn auto_is_userdb_where_it_works() {
        let text = "passwd: files\ngroup:          files systemd # both\n";
        assert_eq!(choose(Backend::Auto, text), Ok(Backend::Userdb));
        assert_eq!(choose(Backend::Userdb, text), Ok(Backend::Userdb));
        assert_eq!(choose(Backend::Files, text), Ok(Backend::Files));
    }

    fn set(names: &[(&str, &str)]) -> BTreeSet<Membership> {
        names.iter().map(|(user, group)| (user.parse().unwrap(), group.parse().unwrap())).collect()
    }

    #[test]
    fn a_standing_member_is_neither_owned_nor_removed() {
        let dir = tempfile::tempdir().unwrap();
        let text = "docker:x:1:alice\nadm:x:2:\n";
        fs::write(dir.path().join("group"), text).unwrap();
        let groups = Groups::Files(Etc { dir: dir.path().into(), patience: Duration::ZERO });
        let (none, both) = (set(&[]), set(&[("alice", "docker"), ("alice", "adm")]));
        let mut owned = BTreeSet::new();
        let mut intend = |changes: &[Change]| {
            owned.extend(changes.iter().map(|change| change.membership.clone()));
            Ok(())
        };
        let report = groups.bring_about(&both, &none, &mut intend);
        assert_eq!(report.standing, Vec::from_iter(set(&[("alice", "docker")])));
        assert_eq!(report.added, Vec::from_iter(set(&[("alice", "adm")])));
        assert_eq!(owned, set(&[("alice", "adm")]));
        let report = groups.bring_about(&none, &owned, &mut |_| Ok(()));
        assert_eq!(report.removed, Vec::from_iter(owned));
        assert_eq!(fs::read_to_string(dir.path().join("group")).unwrap(), text);
    }

    #[test]
    fn what_somebody_removed_comes_back_and_what_is_gone_is_disowned() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("group"), "docker:x:1:\nadm:x:2:\n").unwrap();
        let groups = Groups::Files(Etc { dir: dir.path().into(), patience: Duration::ZERO });
        let owned = set(&[("alice", "docker"), ("alice", "adm"), ("alice", "gone")]);
        let desired = set(&[("alice", "docker")]);
        let report = groups.bring_about(&desired, &owned, &mut |_| Ok(()));
        assert_eq!(report.added, Vec::from_iter(set(&[("alice", "docker")])));
        assert_eq!(report.removed, Vec::from_iter(set(&[("alice", "adm"), ("alice", "gone")])));
        assert_eq!(report.failed, []);
        assert_eq!(groups.bring_about(&desired, &desired, &mut |_| Ok(())), GroupReport::default());
    }

    #[test]
    fn a_failure_names_each_membership_and_changes_nothing() {
        let groups = Groups::Files(Etc { dir: "/nonexistent".into(), patience: Duration::ZERO });
        let report = groups.bring_about(
            &set(&[("alice", "docker")]),
            &set(&[("alice", "adm")]),
            &mut |_| panic!("nothing is intended"),
        );
        let actions: Vec<Action> = report.failed.iter().map(|(_, action, _)| *action).collect();
        assert_eq!(actions, [Action::Remove, Action::Add]);
        assert!(report.failed[0].2.contains("/nonexistent"));
    }
}
