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
    /// Given now, and owned from now on.
    pub added: Vec<Membership>,
    /// Owned, not known to be in its place, and found there.
    pub found: Vec<Membership>,
    /// Given before, and taken away by somebody else since.
    pub missing: Vec<Membership>,
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
    /// changes nothing more; after a crash it finishes what was begun. What was `seen` in its place
    /// and is there no more is missing, and is not given again.
    ///
    /// `intend` is called at most once, before anything takes effect, with what will really change.
    pub fn bring_about(
        &self,
        desired: &BTreeSet<Membership>,
        owned: &BTreeSet<Membership>,
        seen: &BTreeSet<Membership>,
        intend: &mut Intend<'_>,
    ) -> GroupReport {
        let removals = owned.difference(desired).map(|membership| (membership, Action::Remove));
        let additions = desired.iter().map(|membership| {
            let is_seen = owned.contains(membership) && seen.contains(membership);
            (membership, if is_seen { Action::Keep } else { Action::Add })
        });
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

    /// Which of these memberships are not in their place. Takes no lock and changes nothing; where
    /// what is there cannot be read whole, nothing is missing.
    #[must_use]
    pub fn missing(&self, memberships: &BTreeSet<Membership>) -> BTreeSet<Membership> {
        if memberships.is_empty() {
            return BTreeSet::new();
        }
        match self {
            Self::Files(etc) => etc.missing(memberships),
            Self::Userdb(userdb) => userdb.missing(memberships),
        }
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
            Outcome::AlreadyMember if action == Action::Keep => {}
            Outcome::AlreadyMember if owned.contains(&membership) => report.found.push(membership),
            Outcome::AlreadyMember => report.standing.push(membership),
            Outcome::Removed | Outcome::WasNotMember => report.removed.push(membership),
            Outcome::Missing => report.missing.push(membership),
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
        let report = groups.bring_about(&both, &none, &none, &mut intend);
        assert_eq!(report.standing, Vec::from_iter(set(&[("alice", "docker")])));
        assert_eq!(report.added, Vec::from_iter(set(&[("alice", "adm")])));
        assert_eq!(owned, set(&[("alice", "adm")]));
        let report = groups.bring_about(&none, &owned, &owned, &mut |_| Ok(()));
        assert_eq!(report.removed, Vec::from_iter(owned));
        assert_eq!(fs::read_to_string(dir.path().join("group")).unwrap(), text);
    }

    #[test]
    fn what_was_never_seen_is_given_and_what_is_gone_is_disowned() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("group"), "docker:x:1:\nadm:x:2:\n").unwrap();
        let groups = Groups::Files(Etc { dir: dir.path().into(), patience: Duration::ZERO });
        let owned = set(&[("alice", "docker"), ("alice", "adm"), ("alice", "gone")]);
        let desired = set(&[("alice", "docker")]);
        let report = groups.bring_about(&desired, &owned, &set(&[]), &mut |_| Ok(()));
        assert_eq!(report.added, Vec::from_iter(set(&[("alice", "docker")])));
        assert_eq!(report.removed, Vec::from_iter(set(&[("alice", "adm"), ("alice", "gone")])));
        assert_eq!(report.failed, []);
        let report = groups.bring_about(&desired, &desired, &set(&[]), &mut |_| Ok(()));
        assert_eq!(report.found, Vec::from_iter(desired.clone()));
        let report = groups.bring_about(&desired, &desired, &desired, &mut |_| Ok(()));
        assert_eq!(report, GroupReport::default());
    }

    #[test]
    fn what_somebody_took_away_does_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("group");
        let groups = Groups::Files(Etc { dir: dir.path().into(), patience: Duration::ZERO });
        let owned = set(&[("alice", "docker"), ("alice", "adm")]);
        let mut never = |_: &[Change]| -> Result<(), String> { panic!("nothing is intended") };
        // Half of a file, or none, says nothing.
        for text in ["", "docker:x:1:alice\nadm:x:2:al"] {
            fs::write(&file, text).unwrap();
            assert_eq!(groups.missing(&owned), set(&[]), "{text:?}");
        }
        fs::write(&file, "docker:x:1:bob\nadm:x:2:alice\n").unwrap();
        assert_eq!(groups.missing(&owned), set(&[("alice", "docker")]));
        let report = groups.bring_about(&owned, &owned, &owned, &mut never);
        assert_eq!(report.missing, Vec::from_iter(set(&[("alice", "docker")])));
        assert_eq!(fs::read(&file).unwrap(), b"docker:x:1:bob\nadm:x:2:alice\n");
        fs::remove_file(&file).unwrap();
        assert_eq!(groups.missing(&owned), set(&[]));
    }

    #[test]
    fn a_failure_names_each_membership_and_changes_nothing() {
        let groups = Groups::Files(Etc { dir: "/nonexistent".into(), patience: Duration::ZERO });
        let report = groups.bring_about(
            &set(&[("alice", "docker")]),
            &set(&[("alice", "adm")]),
            &set(&[]),
            &mut |_| panic!("nothing is intended"),
        );
        let actions: Vec<Action> = report.failed.iter().map(|(_, action, _)| *action).collect();
        assert_eq!(actions, [Action::Remove, Action::Add]);
        assert!(report.failed[0].2.contains("/nonexistent"));
    }
}
