//! Sessions whose process was to enter a control group itself and is outside it still: put into a
//! place as those that enter none.

use stint_proto::{GrantId, RoleName};

use super::{Engine, Peer};
use crate::domain::control_group::Group;
use crate::process;
use crate::store::{Session, Write};

impl Engine {
    /// Puts the session of a process that says itself that it could not enter its group into a
    /// place; returns once it is there. `false` when no such session of this process is open.
    pub async fn session_outside(&self, peer: Peer, id: &str) -> bool {
        let Ok(process) = process::identify(peer.pid) else { return false };
        let session = self.state().sessions.get(id).cloned();
        match session.filter(|session| session.process == process) {
            Some(session) => self.place_again(session).await,
            None => false,
        }
    }

    /// Puts a session into a place whose process has not entered this group of threads and says
    /// nothing of it: its caller did not wait for the answer.
    pub(super) async fn place_who_stayed_outside(&self, group: &Group) {
        let Some((tree, login)) = self.tree.as_ref().zip(group.login_around()) else { return };
        let session = {
            let state = self.state();
            state.sessions.values().find(|open| open.group.as_ref() == Some(group)).cloned()
        };
        let Some(session) = session else { return };
        let pid = session.process.pid;
        let is_there = tree.work(move |tree| tree.of(pid)).await.is_ok_and(|now| now == login);
        if is_there && process::identify(pid).is_ok_and(|now| now == session.process) {
            self.place_again(session).await;
        }
    }

    async fn place_again(&self, mut session: Session) -> bool {
        let Some(grant) = session.grant.clone() else { return true };
        if let Some((tree, group)) = self.tree.as_ref().zip(session.group.clone()) {
            let pid = session.process.pid;
            if tree.work(move |tree| tree.holds(&group, pid)).await.unwrap_or(false) {
                // By the other of the two ways to here.
                return true;
            }
        }
        let peer = Peer { pid: session.process.pid, real_uid: session.uid };
        let place = self.put_into_place(peer, &mut session, &grant).await;
        eprintln!(
            "stintd: process {} did not enter the control group of session {}, which is now{}",
            peer.pid,
            session.id,
            place.trim_start_matches(',')
        );
        let moved =
            [Write::SessionClosed(session.id.clone()), Write::SessionOpened(session.clone())];
        let mut kept = Vec::new();
        if let Some(open) = self.state().sessions.get_mut(&session.id) {
            open.group.clone_from(&session.group);
            // Under the lock, as it may be closed right now.
            if session.is_named_by(&grant) {
                moved.into_iter().for_each(|write| self.store.note_later(write));
            } else {
                kept.extend(moved);
            }
        }
        self.relist_if_unnamed(&session);
        self.store_or_keep(kept).await;
        let Some(role) = self.role_of(&grant).await else { return false };
        self.end_late(self.late(&grant, &role, &session)).await;
        true
    }

    /// The role of a grant, which may have ended.
    async fn role_of(&self, id: &GrantId) -> Option<RoleName> {
        let known = self.state().index.get(id).map(|grant| grant.role.clone());
        if known.is_some() {
            return known;
        }
        let found = self.store.grants_like(id).await.ok()?;
        found.into_iter().find(|grant| grant.id == *id).map(|grant| grant.role)
    }
}
