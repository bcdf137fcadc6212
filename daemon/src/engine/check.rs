//! The gate's question and the module's reports of sessions.
//!
//! Who asks is what the kernel says of the peer; PAM's items are claims, and where they do not
//! agree with the kernel nobody is let in.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use stint_policy::{Policy, Subject as PolicySubject};
use stint_proto::{
    CheckAnswer, Decision, Event, GroupName, PamItems, ServiceName, Timestamp, Uid, UserName,
    Verdict,
};

use super::{Engine, Lookups};
use crate::accounts;
use crate::domain::gate::{Denial, Ruling, Subject, Ways, decide, denial_lines};
use crate::process;
use crate::record::{Entry, harmless};

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
pub(super) enum Unclear {
    /// The service has no name that stint takes.
    Service,
    /// The account has no name that stint takes.
    User,
    /// The account was not found in time.
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
        {
            let mut state = self.state();
            match &ruling {
                Ruling::Allowed { grant, role } => {
                    let passed = (grant.clone(), role.clone());
                    state.passed.put(peer.pid, subject.uid, passed, process::exists);
                }
                // What an earlier process of this number passed by is not this one's.
                _ => drop(state.passed.take(peer.pid, subject.uid)),
            }
        }
        match ruling {
            Ruling::Denied(denial) => {
                if matches!(denial, Denial::OtherName { .. }) {
                    self.look_soon();
                }
                let ways = self.ways(&policy, &subject, &groups, &service);
                let clock = |at| local_time(at, self.now().wall);
                let lines = denial_lines(&denial, &self.host, &subject, &service, &ways, clock);
                CheckAnswer { verdict: Verdict::Deny, lines, offers: ways.offers(&denial) }
            }
            Ruling::Allowed { .. } | Ruling::Exempt(_) | Ruling::Observed(_) => {
                CheckAnswer { verdict: Verdict::Allow, lines: Vec::new(), offers: Vec::new() }
            }
        }
    }

    pub(super) fn decide(
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
    pub(super) async fn who(
        &self,
        peer: Peer,
        items: &PamItems,
    ) -> Result<(Subject, ServiceName), Unclear> {
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
    pub(super) async fn is_own_name(&self, subject: &Subject) -> bool {
        let uid = subject.uid;
        let found = self.lookups.ask(COURTESY, move || accounts::by_uid(uid)).await;
        found.and_then(Result::ok).flatten().is_some_and(|account| account.name == subject.user)
    }

    pub(super) fn refuse_unclear(
        &self,
        peer: Peer,
        items: &PamItems,
        unclear: &Unclear,
    ) -> CheckAnswer {
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
        CheckAnswer { verdict: Verdict::Deny, lines: vec![line], offers: Vec::new() }
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
        let state = self.state();
        let pending =
            ways.eligible.iter().find_map(|role| state.pending.of(subject.uid, &role.name));
        Ways::new(&ways, pending)
    }

    /// The groups in which this account stands without stint; none where the database does not
    /// say in time, which can only refuse.
    pub(super) async fn standing_groups(
        &self,
        lookups: &Lookups,
        user: &UserName,
        limit: Duration,
    ) -> BTreeSet<GroupName> {
        self.standing_groups_if_known(lookups, user, limit).await.unwrap_or_default()
    }

    /// The same; `None` where the database does not say in time.
    pub(super) async fn standing_groups_if_known(
        &self,
        lookups: &Lookups,
        user: &UserName,
        limit: Duration,
    ) -> Option<BTreeSet<GroupName>> {
        let given: Vec<GroupName> = {
            let state = self.state();
            let owned = state.owned.iter().filter(|membership| membership.user == *user);
            owned.map(|membership| membership.group.clone()).collect()
        };
        let asked = user.clone();
        let answer = lookups.ask(limit, move || accounts::standing_groups(&asked, &given)).await;
        answer.and_then(Result::ok)
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
