//! The groups that the processes of sessions enter themselves. Where a session is to be expected it is
//! made while its process goes on from its check; one that nobody has entered a moment later is removed,
//! as every empty one is.

use std::sync::Arc;

use stint_proto::{CheckAnswer, GrantId, PamItems, Uid, Verdict};

use super::sessions::new_id;
use super::{Engine, Peer};
use crate::domain::control_group::unit_name;
use crate::domain::entrances::Entrance;
use crate::domain::human::Process;
use crate::process;

/// Work that the kernel may hold up, and that nobody waits for.
pub type Ahead = Box<dyn FnOnce() + Send>;

impl Engine {
    /// What may be done once somebody has been told that they are let in: the group of the session
    /// that is to be expected is made.
    pub fn ahead_of_session(
        self: &Arc<Self>,
        peer: Peer,
        items: &PamItems,
        answer: &CheckAnswer,
    ) -> Option<Ahead> {
        if answer.verdict != Verdict::Allow || self.tree.is_none() || !may_enter(peer) {
            return None;
        }
        if !self.state().entrances.expects(&items.service) {
            return None;
        }
        let engine = Arc::clone(self);
        let whose = format!("{} of {}", items.service, items.subject(peer.real_uid));
        Some(Box::new(move || engine.prepare(peer, &whose)))
    }

    /// Where that fails, the group is made when the session begins.
    fn prepare(&self, peer: Peer, whose: &str) {
        let passed = self.state().passed.of(peer.pid, peer.real_uid);
        let Some(grant) = passed else { return };
        let Ok((process, 1)) = process::identify_with_threads(peer.pid) else { return };
        if let Some(entrance) = self.make_entrance(process, &grant) {
            let group = entrance.group.clone();
            self.state().entrances.put(entrance);
            // It is removed then, unless somebody is in it.
            self.settle_later(group, format!("{whose} under {grant}"));
        }
    }

    /// What was made for the session that this process begins now.
    #[must_use]
    pub fn take_entrance(&self, peer: Peer) -> Option<Entrance> {
        if !self.state().entrances.has(peer.pid) {
            return None;
        }
        let Ok((process, 1)) = process::identify_with_threads(peer.pid) else { return None };
        let mut state = self.state();
        let grant = state.passed.of(peer.pid, peer.real_uid)?;
        state.entrances.take(process, &grant)
    }

    /// The group that a process of so many threads is to enter, if it can: the one that has come to be
    /// there meanwhile, or a new one. Waits while others change the tree.
    pub(super) fn entrance_for(
        &self,
        peer: Peer,
        process: Process,
        threads: u32,
        grant: &GrantId,
    ) -> Option<Entrance> {
        // Another thread would stay behind.
        if threads != 1 || !may_enter(peer) {
            return None;
        }
        let found = self.state().entrances.take(process, grant);
        found.or_else(|| self.make_entrance(process, grant))
    }

    fn make_entrance(&self, process: Process, grant: &GrantId) -> Option<Entrance> {
        let tree = self.tree.as_ref()?;
        let (login, session) = (tree.of(process.pid).ok()?, new_id().ok()?);
        let name = unit_name(&login.grants_with(grant), &session);
        let group = tree.make_to_enter(&login, &name)?;
        Some(Entrance { process, grant: grant.clone(), session, group })
    }
}

/// Of root's own programs it is not known at once whom they log in.
fn may_enter(peer: Peer) -> bool {
    peer.real_uid != Uid::ROOT
}
