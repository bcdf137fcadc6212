//! The gate's question and the module's reports of sessions.
//!
//! Who asks is what the kernel says of the peer; PAM's items are claims, and where they do not
//! agree with the kernel nobody is let in.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use stint_policy::{Policy, Subject as PolicySubject};
use stint_proto::{
    CheckAnswer, Decision, Event, GrantId, GroupName, PamItems, RoleName, ServiceName, Timestamp,
    Uid, UserName, Verdict,
};

use super::{Engine, Lookups};
use crate::accounts;
use crate::domain::gate::{Ruling, Subject, Ways, decide, denial_lines};
use crate::record::{Entry, harmless};
use crate::store::{Session, Write};

/// How long a denial may wait to find out whom to ask for what.
const COURTESY: Duration = Duration::from_millis(500);

/// The process at the other end of the module's socket, as the kernel attests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its process id, when it connected.
    pub pid: i32,
    /// Its real uid: who started sudo, su or doas; 0 for sshd and its like.
    pub real_uid: Uid,
}

/// Why a question gets no ruling.
enum Unclear {
    Service,
    User,
    Account,
}

impl Engine {
    /// Answers the module. Never fails: what is not clear is a denial.
    pub async fn check(&self, peer: Peer, items: &PamItems) -> CheckAnswer {
        let (subject, service) = match self.who(peer, items).await {
            Ok(known) => known,
            Err(unclear) => return self.refuse_unclear(peer, items, &unclear),
        };
        let policy = self.policy();
        let ruling = self.decide(&policy, &subject, &BTreeSet::new(), &service);
        let (ruling, groups) = match ruling {
            Ruling::Denied(_) | Ruling::Observed(_) => {
                // Only here can groups matter: an exemption by group counts, and the person is told
                // a way in.
                let groups = self.standing_groups(&self.lookups, &subject.user, COURTESY).await;
                let again = self.decide(&policy, &subject, &groups, &service);
                let own_name =
                    !matches!(again, Ruling::Exempt(_)) || self.is_own_name(&subject).await;
                // Groups go by name, so the name has to be the account's own.
                (if own_name { again } else { ruling }, groups)
            }
            decided => (decided, BTreeSet::new()),
        };
        self.record_ruling(&ruling, &subject, &service);
        match ruling {
            Ruling::Denied(denial) => {
                let ways = self.ways(&policy, &subject, &groups, &service);
                let clock = |at| local_time(at, self.now().wall);
                let lines = denial_lines(&denial, &self.host, &subject, &service, &ways, clock);
                CheckAnswer { verdict: Verdict::Deny, lines }
            }
            Ruling::Allowed { .. } | Ruling::Exempt(_) | Ruling::Observed(_) => {
                CheckAnswer { verdict: Verdict::Allow, lines: Vec::new() }
            }
        }
    }

    /// Hands over to the state what answers to the module have put off, now that they are sent.
    pub fn hand_over(&self) {
        self.store.hand_over();
    }

    fn decide(
        &self,
        policy: &Policy,
        subject: &Subject,
        groups: &BTreeSet<GroupName>,
        service: &ServiceName,
    ) -> Ruling {
        let now = self.now();
        let state = self.state();
        decide(policy, &self.host, &state.index, subject, groups, service, now)
    }

    /// Who stands at the door: the real uid's account by the name PAM gives, or, where the caller
    /// is root itself (sshd), the account that PAM names.
    async fn who(&self, peer: Peer, items: &PamItems) -> Result<(Subject, ServiceName), Unclear> {
        let service: ServiceName = items.service.parse().map_err(|_| Unclear::Service)?;
        let claimed = items.subject(peer.real_uid);
        let user: UserName = claimed.parse().map_err(|_| Unclear::User)?;
        if peer.real_uid != Uid::ROOT {
            return Ok((Subject { uid: peer.real_uid, user }, service));
        }
        let asked = user.clone();
        let found = self.lookups.ask(COURTESY * 4, move || accounts::by_name(&asked)).await;
        match found {
            Some(Ok(Some(account))) => Ok((Subject { uid: account.uid, user }, service)),
            _ => Err(Unclear::Account),
        }
    }

    /// Whether the name that PAM gave is the first of this uid's account.
    async fn is_own_name(&self, subject: &Subject) -> bool {
        let uid = subject.uid;
        let found = self.lookups.ask(COURTESY, move || accounts::by_uid(uid)).await;
        found.and_then(Result::ok).flatten().is_some_and(|account| account.name == subject.user)
    }

    fn refuse_unclear(&self, peer: Peer, items: &PamItems, unclear: &Unclear) -> CheckAnswer {
        let claimed = items.subject(peer.real_uid).to_owned();
        let why = match unclear {
            Unclear::Service => "the PAM service has no name that stint takes",
            Unclear::User => "the account has no name that stint takes",
            Unclear::Account => "the account was not found in time",
        };
        let mut entry = Entry::new(
            self.now().wall,
            Event::CheckDenied,
            format!("{claimed} was denied {}: {why}", items.service),
        );
        entry.decision = Some(Decision::Denied);
        entry.user = Some(claimed);
        entry.uid = Some(peer.real_uid);
        entry.service = Some(items.service.clone());
        self.record.note_later(entry);
        let line = format!("stint: {} is gated, and {why}.", harmless(&items.service));
        CheckAnswer { verdict: Verdict::Deny, lines: vec![line] }
    }

    fn record_ruling(&self, ruling: &Ruling, subject: &Subject, service: &ServiceName) {
        let user = &subject.user;
        let (event, decision, grant, role, text) = match ruling {
            Ruling::Allowed { grant, role } => (
                Event::CheckAllowed,
                Decision::Allowed,
                Some(grant.clone()),
                Some(role.clone()),
                format!("{user} passes {service} by {role} ({grant})"),
            ),
            Ruling::Exempt(entry) => (
                Event::CheckAllowed,
                Decision::Allowed,
                None,
                None,
                format!("{user} passes {service}, exempt as {entry}"),
            ),
            Ruling::Observed(_) => (
                Event::CheckAllowed,
                Decision::Observed,
                None,
                None,
                format!("{user} would be denied {service}; the gate only observes"),
            ),
            Ruling::Denied(_) => (
                Event::CheckDenied,
                Decision::Denied,
                None,
                None,
                format!("{user} is denied {service}: no grant opens it"),
            ),
        };
        let mut entry = Entry::new(self.now().wall, event, text).about(user, subject.uid);
        entry.decision = Some(decision);
        entry.grant = grant;
        entry.role = role;
        entry.service = Some(service.to_string());
        self.record.note_later(entry);
    }

    fn ways(
        &self,
        policy: &Policy,
        subject: &Subject,
        groups: &BTreeSet<GroupName>,
        service: &ServiceName,
    ) -> Ways {
        let asked = PolicySubject { user: &subject.user, uid: subject.uid, groups };
        let ways = policy.ways_in(service, &self.host, asked);
        let names = |roles: Vec<&stint_policy::Role>| -> Vec<RoleName> {
            roles.into_iter().map(|role| role.name.clone()).collect()
        };
        Ways { eligible: names(ways.eligible), others: names(ways.others) }
    }

    /// The groups in which this account stands without stint; none where the database does not
    /// say in time, which can only refuse.
    pub(super) async fn standing_groups(
        &self,
        lookups: &Lookups,
        user: &UserName,
        limit: Duration,
    ) -> BTreeSet<GroupName> {
        let given: Vec<GroupName> = {
            let state = self.state();
            let owned = state.owned.iter().filter(|membership| membership.user == *user);
            owned.map(|membership| membership.group.clone()).collect()
        };
        let asked = user.clone();
        let answer = lookups.ask(limit, move || accounts::standing_groups(&asked, &given)).await;
        answer.and_then(Result::ok).unwrap_or_default()
    }

    /// Notes that a session has begun; its id is for [`Engine::session_closed`].
    ///
    /// # Errors
    /// When the kernel gives no random bytes for an id.
    pub async fn session_opened(
        &self,
        peer: Peer,
        items: &PamItems,
    ) -> Result<String, getrandom::Error> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)?;
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

/// A time as the clock on the wall of this host shows it; with the date when it is not today.
pub(super) fn local_time(at: Timestamp, now: Timestamp) -> String {
    let zone = TimeZone::system();
    let local = |time: Timestamp| {
        jiff::Timestamp::from_microsecond(time.micros())
            .map(|time| time.to_zoned_datetime(zone.clone()))
    };
    match (local(at), local(now)) {
        (Ok(at), Ok(now)) if at.date() == now.date() => at.strftime("%H:%M").to_string(),
        (Ok(at), _) => at.strftime("%Y-%m-%d %H:%M").to_string(),
        (Err(_), _) => at.to_string(),
    }
}
