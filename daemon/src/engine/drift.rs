//! What others change of the files that grants rest on: noticed as it happens, while anything is
//! held. What was changed is found by comparing; nothing is ever put back here.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use stint_proto::{Event, GrantId, Note, Uid, UserName};
use tokio::io::unix::AsyncFd;

use super::Engine;
use super::mechanisms::Looked;
use super::withdrawn::withdrawn;
use crate::accounts;
use crate::domain::grant::Grant;
use crate::enforce::sudo_rule::RulesFound;
use crate::enforce::watch::{Watch, of_host};
use crate::record::Entry;
use crate::store::{Conferred, Loaded, Membership, Withdrawn};
use crate::waitable::{Waitable, waitable};

/// Between two looks: programs that change accounts write several files.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How long the account database may take to say whether somebody is a member.
const MEMBER_LIMIT: Duration = Duration::from_secs(5);
/// How many memberships that were taken back are looked at once more after one change.
const VERIFIED: usize = 100;

type Watching = AsyncFd<Waitable<Watch>>;

/// What is known of changes by hand.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// What stint owns and has seen in its place.
    pub(super) seen: BTreeSet<Membership>,
    /// What running grants confer no more.
    pub(super) withdrawn: BTreeSet<Withdrawn>,
    /// Whose rules are in the sudo rule file.
    pub(super) ruled: BTreeSet<GrantId>,
    /// What was in the rule file's place when stint had last to do with it.
    pub(super) rules: Option<RulesFound>,
    /// What somebody has put there since.
    pub(super) edited: Option<RulesFound>,
    /// Holders whose accounts are in /etc/passwd, and the other names of their numbers.
    pub(super) local: BTreeMap<(UserName, Uid), BTreeSet<String>>,
    /// What a database on the network last said against holders.
    pub(super) doubted: BTreeMap<(UserName, Uid), String>,
    /// When it was last asked, in microseconds since boot.
    pub(super) asked_at: Option<i64>,
    /// The numbers of holders whose grants have ended: what is still to be taken back of them may
    /// outlive their accounts.
    pub(super) numbers: BTreeMap<UserName, Uid>,
    /// What was taken back and is to be looked at once more.
    pub(super) unverified: Vec<Membership>,
    /// Why nothing is noticed as it happens.
    unwatched: Option<String>,
}

impl Drift {
    /// What the state knows at the start.
    pub(super) fn found(loaded: &Loaded) -> Self {
        let seen = loaded.memberships.iter().filter(|(_, is_seen)| *is_seen);
        let local = loaded.local_accounts.iter();
        Self {
            seen: seen.map(|(own, _)| own.clone()).collect(),
            withdrawn: loaded.withdrawn.clone(),
            ruled: loaded.ruled.clone(),
            local: local.map(|own| ((own.user.clone(), own.uid), own.others.clone())).collect(),
            ..Self::default()
        }
    }

    /// Whether somebody has taken away by hand what this grant conferred.
    pub(super) fn has_taken(&self, grant: &Grant, what: &Conferred) -> bool {
        !self.withdrawn.is_empty() && self.withdrawn.contains(&withdrawn(grant, what))
    }

    /// What somebody changed by hand, and what it means.
    pub(super) fn notes(&self) -> Vec<Note> {
        let withdrawn = self.withdrawn.iter().map(|Withdrawn { grant, user, what }| {
            let text = match what {
                Conferred::Group(group) => format!(
                    "{user} was taken out of {group} by hand: {grant} goes on without that group"
                ),
                Conferred::SudoRules => format!(
                    "/etc/sudoers.d/stint was removed by hand: {grant} of {user} goes on without \
                     sudo rules"
                ),
            };
            Note { text, mend: format!("stint revoke {grant} --reason TEXT") }
        });
        let edited = self.edited.iter().map(|_| Note {
            text: "/etc/sudoers.d/stint was changed by hand; the next change of grants replaces it"
                .to_owned(),
            mend: "stint reload".to_owned(),
        });
        let unwatched = self.unwatched.iter().map(|why| Note {
            text: format!(
                "changes by hand are noticed only now and then, as nothing can be watched: {why}"
            ),
            mend: "sysctl fs.inotify".to_owned(),
        });
        withdrawn.chain(edited).chain(unwatched).collect()
    }
}

impl Engine {
    /// Has what others may have changed looked at, soon.
    pub(super) fn look_soon(&self) {
        self.look.notify_one();
    }

    /// Notices what others change, for as long as the daemon runs. While nothing is held nothing is
    /// watched.
    pub async fn notice_changes(self: Arc<Self>) -> Infallible {
        let mut watch = None;
        loop {
            if self.has_anything() {
                self.keep_watching(&mut watch);
                self.look_at_changes().await;
            } else {
                watch = None;
                self.forget_accounts();
            }
            self.verify_taken_back().await;
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = self.look.notified() => {}
                result = told(watch.as_ref()) => {
                    if let Err(error) = result {
                        watch = None;
                        self.unwatched(Some(&error));
                    }
                }
            }
        }
    }

    fn has_anything(&self) -> bool {
        let state = self.state();
        state.index.iter().next().is_some()
            || state.pending.iter().next().is_some()
            || !state.owned.is_empty()
    }

    fn keep_watching(&self, watch: &mut Option<Watching>) {
        let kept = match watch.as_mut() {
            Some(watching) => watching.get_mut().0.renew(),
            None => Watch::new(of_host()).and_then(waitable).map(|new| *watch = Some(new)),
        };
        if kept.is_err() {
            *watch = None;
        }
        self.unwatched(kept.as_ref().err());
    }

    fn unwatched(&self, error: Option<&io::Error>) {
        let why = error.map(ToString::to_string);
        let mut state = self.state();
        if why.is_some() && state.drift.unwatched.is_none() {
            eprintln!("stintd: nothing can be watched: {}", why.as_deref().unwrap_or_default());
        }
        state.drift.unwatched = why;
    }

    /// Compares what stint gave with what is there, and takes in what others have changed.
    async fn look_at_changes(&self) {
        let changed = self.changed_accounts().await;
        // From here on nothing that stint itself is changing is taken for somebody else's change.
        let changing = self.changes.lock().await;
        self.end_for_accounts(changed).await;
        let (desired, owned) = self.wanted(self.now());
        let mechanisms = Arc::clone(&self.mechanisms);
        let work = tokio::task::spawn_blocking(move || {
            let mechanisms = mechanisms.lock().unwrap_or_else(PoisonError::into_inner);
            mechanisms.look(&desired, &owned)
        });
        // A look that failed is taken again with the next change.
        if let Ok(Looked { missing, rules }) = work.await {
            self.withdraw(missing).await;
            self.take_in_rules(rules).await;
        }
        drop(changing);
    }

    /// Asks the host itself about what was taken back. Who is still a member is so by somebody
    /// else's word, which stands; it is said once.
    async fn verify_taken_back(&self) {
        let mut taken = std::mem::take(&mut self.state().drift.unverified);
        taken.truncate(VERIFIED);
        for Membership { user, group, .. } in taken {
            let given_again = |own: &Membership| own.user == user && own.group == group;
            if self.state().owned.iter().any(given_again) {
                continue;
            }
            let asked = (user.clone(), group.clone());
            let ask = move || accounts::is_member(&asked.0, &asked.1);
            let is_member = self.evicting.ask(MEMBER_LIMIT, ask).await;
            if !matches!(is_member, Some(Ok(true))) {
                continue;
            }
            let text = format!(
                "{user} is in {group} by /etc/group or another database of this host: what stint \
                 gave is taken back, and that stands"
            );
            let mut entry = Entry::new(self.now().wall, Event::GroupDrift, text);
            entry.user = Some(user.to_string());
            entry.group = Some(group);
            self.record.note(entry);
        }
    }
}

/// Returns once something that matters was changed; never where nothing is watched.
async fn told(watch: Option<&Watching>) -> io::Result<()> {
    let Some(watch) = watch else { return std::future::pending().await };
    loop {
        let mut ready = watch.readable().await?;
        match watch.get_ref().0.take()? {
            Some(true) => return Ok(()),
            Some(false) => {}
            None => ready.clear_ready(),
        }
    }
}
