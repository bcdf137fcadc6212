//! The module's reports of sessions: what runs elevated, under which grant, whose process it is, and
//! where it was put so that all of it can be ended.

use std::collections::{BTreeSet, HashSet};
use std::io;

use stint_proto::{Event, GrantId, PamItems, RoleName, Uid, UserName};

use super::{Engine, Peer};
use crate::domain::control_group::Group;
use crate::domain::gate::Ruling;
use crate::domain::human::Process;
use crate::domain::manner::Manner;
use crate::process;
use crate::record::Entry;
use crate::sessions::{Guest, Place, Placed, place};
use crate::store::{Eviction, EvictionOf, Session, Write};

impl Engine {
    /// Notes that a session has begun, and puts it where it can be found; its id is for
    /// [`Engine::session_closed`]. What begins when its grant has just ended is ended at once.
    ///
    /// Who `enters` is told of a group, if there is one, which the peer enters itself before it
    /// starts anything; who cannot comes back with [`Engine::session_outside`].
    ///
    /// # Errors
    /// When the kernel gives no random bytes for an id, or does not know the peer any more.
    pub async fn session_opened(
        &self,
        peer: Peer,
        items: &PamItems,
        enters: bool,
    ) -> io::Result<(String, Option<Group>)> {
        let process = process::identify(peer.pid)?;
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let known = self.who(peer, items).await.ok();
        let ground = known.as_ref().and_then(|(subject, service)| {
            let passed = self.state().passed.take(peer.pid, subject.uid);
            passed.or_else(|| {
                match self.decide(&self.policy(), subject, &BTreeSet::new(), service) {
                    Ruling::Allowed { grant, role } => Some((grant, role)),
                    _ => None,
                }
            })
        });
        let (user, uid) = match &known {
            Some((subject, _)) => (subject.user.to_string(), subject.uid),
            None => (items.ruser.clone(), peer.real_uid),
        };
        let (grant, role) = ground.unzip();
        let mut session = Session {
            id: id.clone(),
            grant: grant.clone(),
            user,
            uid,
            service: items.service.clone(),
            tty: items.tty.clone(),
            process,
            group: None,
            opened_at: self.now().wall,
        };
        let mut text =
            format!("{} opens a session of {} as {}", session.user, session.service, items.user);
        let mut to_enter = false;
        if let Some(grant) = &grant {
            let (place, enters) = self.put_into_place(peer, &mut session, grant, enters).await;
            text.push_str(&place);
            to_enter = enters;
        }
        self.record.note_later(self.about_session(
            Event::SessionOpened,
            &session,
            grant.clone(),
            role.clone(),
            text,
        ));
        self.state().sessions.insert(id.clone(), session.clone());
        self.relist_if_unnamed(&session);
        let opened = Write::SessionOpened(session.clone());
        match &grant {
            // Nothing but this tells whose session it is: it is durable before anything runs.
            Some(grant) if !session.is_named_by(grant) => self.store_or_keep(vec![opened]).await,
            _ => self.store.note_later(opened),
        }
        if let (Some(grant), Some(role)) = (grant, role) {
            self.end_if_late(grant, role, &session).await;
            // What is to be told before the end is due at a time of its own.
            self.rearm.notify_one();
        }
        Ok((id, session.group.filter(|_| to_enter)))
    }

    /// Puts a session where all of it can be found; says where that is, for the record, and whether
    /// its process has still to enter it.
    pub(super) async fn put_into_place(
        &self,
        peer: Peer,
        session: &mut Session,
        grant: &GrantId,
        enters: bool,
    ) -> (String, bool) {
        let description = format!("{} of {} under {grant}", session.service, session.user);
        let guest = Guest {
            pid: peer.pid,
            login: peer.real_uid == Uid::ROOT,
            uid: session.uid,
            grant,
            session: &session.id,
            description: &description,
            enters,
        };
        let Placed { place, made, to_enter, trouble } =
            place(self.tree.as_ref(), self.bus().as_ref(), guest).await;
        let mut text = match place {
            Place::Group(group) => {
                let text = format!(", in {}", group.name());
                if made {
                    self.settle_later(group.clone(), description);
                }
                session.group = Some(group);
                text
            }
            Place::Line => ", in no group of its own".to_owned(),
        };
        if let Some(trouble) = trouble {
            text.push_str(&format!(" ({trouble})"));
        }
        (text, to_enter)
    }

    /// Where sessions are put, as things are.
    pub(super) fn keeps_sessions(&self) -> &'static str {
        match (&self.tree, self.bus()) {
            (None, _) => "nowhere",
            (Some(_), None) => "control groups",
            (Some(_), Some(_)) => "systemd",
        }
    }

    /// Ends a session of which a grant ended while it was being put into its place: whoever ended
    /// the grant may not have found it there yet. Owed durably, as every eviction.
    pub(super) async fn end_if_late(&self, grant: GrantId, role: RoleName, session: &Session) {
        let now = self.now();
        let mut grants = session.group.as_ref().map(Group::grants).unwrap_or_default();
        if !grants.contains(&grant) {
            grants.push(grant);
        }
        grants.retain(|id| !self.state().index.get(id).is_some_and(|grant| grant.holds(now)));
        let Ok(user) = session.user.parse::<UserName>() else { return };
        let Manner { leave, grace } = Manner::of(self.policy().roles.get(&role));
        let eviction = |grant| {
            let of = EvictionOf::Sessions { grant, role: role.clone(), uid: session.uid };
            Eviction { of, user: user.clone(), leave, grace }
        };
        let late: Vec<Eviction> = grants.into_iter().map(eviction).collect();
        if !late.is_empty() {
            self.store_or_keep(late.iter().cloned().map(Write::EvictionOwed).collect()).await;
            self.evict(late);
        }
    }

    /// Forgets, of the sessions under what is done, those whose process is gone without a word, as
    /// after SIGKILL.
    pub(super) fn forget_dead_sessions(&self, done: &[Eviction]) {
        let grants: HashSet<&GrantId> = done
            .iter()
            .filter_map(|eviction| match &eviction.of {
                EvictionOf::Sessions { grant, .. } => Some(grant),
                EvictionOf::Group { .. } => None,
            })
            .collect();
        let open: Vec<(String, Process)> = {
            let state = self.state();
            let under = |open: &&Session| open.grant.as_ref().is_some_and(|id| grants.contains(id));
            let open = state.sessions.values().filter(under);
            open.map(|open| (open.id.clone(), open.process)).collect()
        };
        for (id, process) in open {
            let gone = match process::identify(process.pid) {
                Ok(now) => now != process,
                Err(error) => error.kind() == io::ErrorKind::NotFound,
            };
            if gone {
                // Closed by the module meanwhile, which is as well.
                let _ = self.session_closed(&id);
            }
        }
        self.hand_over();
    }

    /// Notes that a session has ended; `false` when no such session is open.
    #[must_use]
    pub fn session_closed(&self, id: &str) -> bool {
        let Some(session) = self.state().sessions.remove(id) else { return false };
        let seconds = self.now().wall.micros_since(session.opened_at) / 1_000_000;
        let text =
            format!("{} closes a session of {} after {seconds} s", session.user, session.service);
        let grant = session.grant.clone();
        self.relist_if_unnamed(&session);
        self.record.note_later(self.about_session(
            Event::SessionClosed,
            &session,
            grant,
            None,
            text,
        ));
        if let Some(group) = session.group.filter(|group| group.slice_owner().is_none()) {
            // systemd knows nothing of it, and its caller is in it until it has ended.
            self.settle_later(group, String::new());
        }
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
