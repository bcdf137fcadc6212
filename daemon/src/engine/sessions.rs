//! The module's reports of sessions: what runs elevated, under which grant, and whose process it is.

use std::collections::BTreeSet;
use std::io;

use stint_proto::{Event, GrantId, PamItems, RoleName};

use super::{Engine, Peer};
use crate::domain::gate::Ruling;
use crate::process;
use crate::record::Entry;
use crate::store::{Session, Write};

impl Engine {
    /// Notes that a session has begun; its id is for [`Engine::session_closed`].
    ///
    /// # Errors
    /// When the kernel gives no random bytes for an id, or does not know the peer any more.
    pub async fn session_opened(&self, peer: Peer, items: &PamItems) -> io::Result<String> {
        let process = process::identify(peer.pid)?;
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let known = self.who(peer, items).await.ok();
        let (grant, role) = known.as_ref().map_or((None, None), |(subject, service)| {
            match self.decide(&self.policy(), subject, &BTreeSet::new(), service) {
                Ruling::Allowed { grant, role } => (Some(grant), Some(role)),
                _ => (None, None),
            }
        });
        let (user, uid) = match &known {
            Some((subject, _)) => (subject.user.to_string(), subject.uid),
            None => (items.ruser.clone(), peer.real_uid),
        };
        let session = Session {
            id: id.clone(),
            grant: grant.clone(),
            user,
            uid,
            service: items.service.clone(),
            tty: items.tty.clone(),
            process,
            opened_at: self.now().wall,
        };
        let text =
            format!("{} opens a session of {} as {}", session.user, session.service, items.user);
        self.record.note_later(self.about_session(
            Event::SessionOpened,
            &session,
            grant,
            role,
            text,
        ));
        self.state().sessions.insert(id.clone(), session.clone());
        self.store.note_later(Write::SessionOpened(session));
        Ok(id)
    }

    /// Notes that a session has ended; `false` when no such session is open.
    #[must_use]
    pub fn session_closed(&self, id: &str) -> bool {
        let Some(session) = self.state().sessions.remove(id) else { return false };
        let seconds = self.now().wall.micros_since(session.opened_at) / 1_000_000;
        let text =
            format!("{} closes a session of {} after {seconds} s", session.user, session.service);
        let grant = session.grant.clone();
        self.record.note_later(self.about_session(
            Event::SessionClosed,
            &session,
            grant,
            None,
            text,
        ));
        self.store.note_later(Write::SessionClosed(session.id));
        true
    }

    fn about_session(
        &self,
        event: Event,
        session: &Session,
        grant: Option<GrantId>,
        role: Option<RoleName>,
        text: String,
    ) -> Entry {
        let mut entry = Entry::new(self.now().wall, event, text);
        entry.user = Some(session.user.clone());
        entry.uid = Some(session.uid);
        entry.grant = grant;
        entry.role = role;
        entry.service = Some(session.service.clone());
        entry
    }
}
