//! The module's reports of sessions: what runs elevated, under which grant, whose process it is, and
//! where it was put so that all of it can be ended.

use std::collections::{BTreeSet, HashSet};
use std::io;

use stint_proto::{Event, GrantId, PamItems, RoleName, Uid, UserName};

use super::{Engine, Peer};
use crate::domain::control_group::Group;
use crate::domain::entrances::Entrance;
use crate::domain::gate::Ruling;
use crate::domain::human::Process;
use crate::domain::manner::Manner;
use crate::process;
use crate::record::Entry;
use crate::sessions::{Guest, Place, Placed, place};
use crate::store::{Eviction, EvictionOf, Session, Write};

/// What is left to do once an answer is sent. It waits for nothing.
pub type Then = Box<dyn FnOnce() + Send>;

/// A session that has begun.
pub struct Opened {
    /// Its id, for [`Engine::session_closed`].
    pub id: String,
    /// The control group that its process has still to enter, before it starts anything; who cannot
    /// comes back with [`Engine::session_outside`].
    pub enters: Option<Group>,
    /// What is left to do once this is said.
    pub then: Option<Then>,
}

impl Engine {
    /// Notes that a session has begun, and puts it where it can be found: into this group that was
    /// made for it, if there is one. What begins when its grant has just ended is ended at once.
    ///
    /// Without such a group the kernel may hold up the thread that has this done, while others change
    /// its tree.
    ///
    /// # Errors
    /// When the kernel gives no random bytes for an id, or does not know the peer any more.
    pub async fn session_opened(
        &self,
        peer: Peer,
        items: &PamItems,
        entrance: Option<Entrance>,
    ) -> io::Result<Opened> {
        let (process, threads) = match &entrance {
            Some(entrance) => (entrance.process, 1),
            None => process::identify_with_threads(peer.pid)?,
        };
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
        let entrance = entrance.filter(|entrance| grant.as_ref() == Some(&entrance.grant));
        let was_there = entrance.is_some();
        let entrance = entrance.or_else(|| {
            grant.as_ref().and_then(|grant| self.entrance_for(peer, process, threads, grant))
        });
        let (id, enters) = match entrance {
            Some(entrance) => (entrance.session, Some(entrance.group)),
            None => (new_id()?, None),
        };
        let mut session = Session {
            id: id.clone(),
            grant: grant.clone(),
            user,
            uid,
            service: items.service.clone(),
            tty: items.tty.clone(),
            process,
            group: enters.clone(),
            opened_at: self.now().wall,
        };
        let mut text =
            format!("{} opens a session of {} as {}", session.user, session.service, items.user);
        match (&enters, &grant, &known) {
            (Some(group), Some(grant), Some((_, service))) => {
                self.state().entrances.learn(service);
                text.push_str(&in_group(group));
                // From now on it counts whether the process has entered it.
                self.settle_later(group.clone(), description(&session, grant));
            }
            (None, Some(grant), _) => {
                text.push_str(&self.put_into_place(peer, &mut session, grant).await);
            }
            _ => {}
        }
        // What tells whose session it is but its group's name is durable before anything runs.
        let is_named = grant.as_ref().is_none_or(|grant| session.is_named_by(grant));
        {
            // Under the lock, as it may be put elsewhere or closed from here on.
            let mut state = self.state();
            state.sessions.insert(id.clone(), session.clone());
            if is_named {
                self.store.note_later(Write::SessionOpened(session.clone()));
            }
        }
        // An end that is still to come finds it now.
        let late = match (&grant, &role) {
            (Some(grant), Some(role)) => self.late(grant, role, &session),
            _ => Vec::new(),
        };
        // What is to be told before the end is due at a time of its own.
        self.rearm_later();
        let mut entry = self.about_session(Event::SessionOpened, &session, grant, role, text);
        entry.at = session.opened_at;
        let then: Option<Then> = if was_there && is_named && late.is_empty() {
            // There is no decision in it: its place in the record is not waited for.
            let record = self.record.clone();
            Some(Box::new(move || record.note_later(entry)))
        } else {
            self.record.note_later(entry);
            None
        };
        self.relist_if_unnamed(&session);
        if !is_named {
            self.store_or_keep(vec![Write::SessionOpened(session)]).await;
        }
        self.end_late(late).await;
        Ok(Opened { id, enters, then })
    }

    /// Puts a session where all of it can be found; says where that is, for the record.
    pub(super) async fn put_into_place(
        &self,
        peer: Peer,
        session: &mut Session,
        grant: &GrantId,
    ) -> String {
        let description = description(session, grant);
        let guest = Guest {
            pid: peer.pid,
            login: peer.real_uid == Uid::ROOT,
            uid: session.uid,
            grant,
            session: &session.id,
            description: &description,
        };
        let Placed { place, made, trouble } =
            place(self.tree.as_ref(), self.bus().as_ref(), guest).await;
        let mut text = match place {
            Place::Group(group) => {
                let text = in_group(&group);
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
        text
    }

    /// Where sessions are put, as things are.
    pub(super) fn keeps_sessions(&self) -> &'static str {
        match (&self.tree, self.bus()) {
            (None, _) => "nowhere",
            (Some(_), None) => "control groups",
            (Some(_), Some(_)) => "systemd",
        }
    }

    /// What is to be ended of a session of which a grant ended while it was being put into its place:
    /// whoever ended the grant may not have found it there yet.
    pub(super) fn late(
        &self,
        grant: &GrantId,
        role: &RoleName,
        session: &Session,
    ) -> Vec<Eviction> {
        let now = self.now();
        let group = session.group.as_ref();
        let mut grants = group.map_or_else(|| vec![grant.clone()], |at| at.grants_with(grant));
        grants.retain(|id| !self.state().index.get(id).is_some_and(|grant| grant.holds(now)));
        let Ok(user) = session.user.parse::<UserName>() else { return Vec::new() };
        let Manner { leave, grace } = Manner::of(self.policy().roles.get(role));
        let eviction = |grant| {
            let of = EvictionOf::Sessions { grant, role: role.clone(), uid: session.uid };
            Eviction { of, user: user.clone(), leave, grace }
        };
        grants.into_iter().map(eviction).collect()
    }

    /// Has that ended. Owed durably, as every eviction.
    pub(super) async fn end_late(&self, late: Vec<Eviction>) {
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

/// What a session is, for people who look at units.
fn description(session: &Session, grant: &GrantId) -> String {
    format!("{} of {} under {grant}", session.service, session.user)
}

/// A new id for a session.
pub(super) fn new_id() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn in_group(group: &Group) -> String {
    format!(", in {}", group.name())
}
