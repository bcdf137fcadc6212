//! An access review put together from what the daemon hands over, piece by piece: grants by their
//! beginning, links of the record by their numbers. What is kept does not grow with the record. Asks
//! nothing and shows nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;
use stint_proto::{
    EligibleEntry, Event, GrantState, Link, Origin, ReviewedGrant, RoleName, Timestamp, UserName,
};

/// How many grants, and how many changes from outside, are kept one by one: the newest. All count.
const KEPT: usize = 20_000;
/// The time in which it is counted how often somebody takes a role, in microseconds.
pub const WEEK: i64 = 7 * 86_400_000_000;
/// How often in a week is too often, if nothing is said: twice each working day.
pub const OFTEN: u32 = 10;

/// Of which time the review is: `from` and all later, before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Not before then.
    pub from: Timestamp,
    /// Before then.
    pub until: Timestamp,
}

impl Period {
    /// Its length, in microseconds.
    pub fn micros(self) -> i64 {
        self.until.micros_since(self.from)
    }
}

/// What the record counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Let in at a door.
    pub allowed: u64,
    /// Turned away.
    pub denied: u64,
    /// Let in because the gate only observes.
    pub observed: u64,
    /// Requests that were made.
    pub requested: u64,
    /// Those that were denied, by an approver or by the policy.
    pub refused: u64,
    /// Policies that came into force.
    pub policies: u64,
    /// Times that events could not be delivered somewhere.
    pub gaps: u64,
}

/// What came about outside stint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// When it was seen.
    pub at: Timestamp,
    /// What.
    pub event: String,
    /// Whose.
    pub user: Option<String>,
    /// Of which group.
    pub group: Option<String>,
    /// Of which grant.
    pub grant: Option<String>,
    /// The record's own line.
    pub message: String,
    /// Which link of the record.
    pub link: i64,
}

/// What somebody had of one role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// How many grants.
    pub grants: u64,
    /// For how long altogether, in microseconds; where two overlap it counts once.
    pub held: i64,
    /// Whether one runs.
    pub active: bool,
    /// When the last began.
    pub last: Option<Timestamp>,
    /// The most that began in a week.
    pub most: u32,
    /// Whether one came of their own eligibility.
    pub used: bool,
    /// When those of the last week began.
    window: VecDeque<i64>,
    /// Until when it is counted already.
    counted: i64,
}

/// Everything that a review shows.
#[derive(Debug)]
pub struct Review {
    /// Of which host.
    pub host: String,
    /// Of which time.
    pub period: Period,
    /// How often in a week is too often.
    pub often: u32,
    /// When the record begins, if it is later than what was asked for.
    pub begins: Option<Timestamp>,
    /// Whether something of it was cut off before that.
    pub cut: bool,
    /// What the record counts.
    pub counts: Counts,
    /// How many grants there were.
    pub total: u64,
    /// The newest of them, by their beginning; and older ones that are to be looked at.
    grants: VecDeque<ReviewedGrant>,
    older: VecDeque<ReviewedGrant>,
    /// Who had what.
    pub pairs: BTreeMap<(UserName, RoleName), Pair>,
    /// Who is eligible now.
    pub eligible: Vec<EligibleEntry>,
    /// What came about outside stint: the newest.
    pub outside: VecDeque<Outside>,
    /// How much more there was.
    pub more_outside: u64,
    /// Grants of which the record says that they left something, or may have.
    left: BTreeSet<String>,
}

impl Review {
    /// One without anything in it yet.
    pub fn new(host: String, period: Period, often: u32) -> Self {
        Self {
            host,
            period,
            often,
            begins: None,
            cut: false,
            counts: Counts::default(),
            total: 0,
            grants: VecDeque::new(),
            older: VecDeque::new(),
            pairs: BTreeMap::new(),
            eligible: Vec::new(),
            outside: VecDeque::new(),
            more_outside: 0,
            left: BTreeSet::new(),
        }
    }

    /// Takes a grant in; the next has begun no earlier. The record comes first: it says which are
    /// to be looked at.
    pub fn take_grant(&mut self, reviewed: ReviewedGrant) {
        let grant = &reviewed.grant;
        if grant.starts_at >= self.period.until {
            return;
        }
        self.total += 1;
        let of = (grant.user.clone(), grant.role.clone());
        self.pairs.entry(of).or_default().take(&reviewed, self.period);
        self.grants.push_back(reviewed);
        if self.grants.len() > KEPT
            && let Some(oldest) = self.grants.pop_front().filter(|one| self.is_notable(one))
        {
            self.older.push_back(oldest);
            if self.older.len() > KEPT {
                self.older.pop_front();
            }
        }
    }

    /// Takes a link of the record in.
    pub fn take_link(&mut self, link: &Link) {
        if link.at < self.period.from || link.at >= self.period.until {
            return;
        }
        let fields = link.read_fields();
        let field = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let count = link.times();
        let Some(event) = Event::ALL.iter().find(|event| event.as_str() == link.event) else {
            return;
        };
        let counts = &mut self.counts;
        let counter = match event {
            Event::CheckAllowed if field("STINT_DECISION").as_deref() == Some("observed") => {
                &mut counts.observed
            }
            Event::CheckAllowed => &mut counts.allowed,
            Event::CheckDenied => &mut counts.denied,
            Event::RequestCreated => &mut counts.requested,
            Event::RequestDenied => &mut counts.refused,
            Event::PolicyLoaded => &mut counts.policies,
            Event::AuditGap => &mut counts.gaps,
            Event::GrantResidue => {
                if self.left.len() < KEPT {
                    self.left.extend(field("STINT_GRANT"));
                }
                return;
            }
            Event::GroupDrift | Event::SudoRuleDrift | Event::AccountChanged => {
                self.outside.push_back(Outside {
                    at: link.at,
                    event: link.event.clone(),
                    user: field("STINT_USER"),
                    group: field("STINT_GROUP"),
                    grant: field("STINT_GRANT"),
                    message: link.message.clone(),
                    link: link.seq,
                });
                if self.outside.len() > KEPT {
                    self.outside.pop_front();
                    self.more_outside += 1;
                }
                return;
            }
            _ => return,
        };
        *counter = counter.saturating_add(count);
    }

    /// The grants that are kept one by one, by their beginning.
    pub fn grants(&self) -> impl DoubleEndedIterator<Item = &ReviewedGrant> {
        self.older.iter().chain(&self.grants)
    }

    /// How many are not.
    pub fn more_grants(&self) -> u64 {
        let kept = u64::try_from(self.older.len() + self.grants.len()).unwrap_or(u64::MAX);
        self.total.saturating_sub(kept)
    }

    /// The uses of roles for emergencies.
    pub fn emergencies(&self) -> Vec<&ReviewedGrant> {
        self.grants().filter(|one| one.grant.origin == Origin::BreakGlass).collect()
    }

    /// Grants while which something changed that is looked at, or after which it could not be.
    pub fn with_residue(&self) -> Vec<&ReviewedGrant> {
        self.grants().filter(|one| self.has_residue(one)).collect()
    }

    fn has_residue(&self, one: &ReviewedGrant) -> bool {
        let found = one.grant.residue.as_ref().is_some_and(|left| left.count > 0);
        found || self.left.contains(one.grant.id.as_str())
    }

    fn is_notable(&self, one: &ReviewedGrant) -> bool {
        one.grant.origin == Origin::BreakGlass || self.has_residue(one)
    }

    /// Who took which role too often.
    pub fn too_often(&self) -> Vec<(&UserName, &RoleName, &Pair)> {
        let all = self.pairs.iter().map(|((user, role), pair)| (user, role, pair));
        all.filter(|(_, _, pair)| pair.most >= self.often).collect()
    }

    /// The accounts of an entry that have taken its role, and those that have not.
    pub fn users_of<'a>(&self, entry: &'a EligibleEntry) -> (Vec<&'a UserName>, Vec<&'a UserName>) {
        let users = entry.users.iter().map(|one| &one.user);
        users.partition(|user| self.used(user, &entry.role))
    }

    /// The entries that nobody used. Of one of which it is not known whom it names, that cannot be
    /// said.
    pub fn unused(&self) -> Vec<&EligibleEntry> {
        let known = self.eligible.iter().filter(|entry| entry.known.is_some());
        known.filter(|entry| self.users_of(entry).0.is_empty()).collect()
    }

    /// Whether the account database did not say whom the entries name.
    pub fn is_unjudged(&self) -> bool {
        self.eligible.iter().any(|entry| entry.known.is_none())
    }

    /// The entries that some used, and some did not.
    pub fn partly_used(&self) -> Vec<&EligibleEntry> {
        let some = |entry: &&EligibleEntry| {
            let (used, unused) = self.users_of(entry);
            !used.is_empty() && !unused.is_empty()
        };
        self.eligible.iter().filter(some).collect()
    }

    fn used(&self, user: &UserName, role: &RoleName) -> bool {
        self.pairs.get(&(user.clone(), role.clone())).is_some_and(|pair| pair.used)
    }

    /// How many people held something.
    pub fn holders(&self) -> usize {
        self.pairs.keys().map(|(user, _)| user).collect::<BTreeSet<_>>().len()
    }

    /// For how long roles were held altogether, in microseconds.
    pub fn held(&self) -> i64 {
        self.pairs.values().fold(0, |sum, pair| sum.saturating_add(pair.held))
    }

    /// How many grants run.
    pub fn active(&self) -> usize {
        self.grants().filter(|one| one.grant.state == GrantState::Active).count()
    }

    /// How many uses of roles for emergencies nobody has reviewed.
    pub fn unreviewed(&self) -> usize {
        self.emergencies().iter().filter(|one| one.grant.reviewed_by.is_none()).count()
    }
}

/// From when to when it was held within the period, in microseconds; nothing where it was not.
pub fn span(one: &ReviewedGrant, period: Period) -> Option<(i64, i64)> {
    let grant = &one.grant;
    if grant.state == GrantState::Scheduled {
        return None;
    }
    let end = grant.ended_at.unwrap_or(grant.expires_at).min(period.until).micros();
    let start = grant.starts_at.max(period.from).micros();
    (end > start).then_some((start, end))
}

impl Pair {
    fn take(&mut self, one: &ReviewedGrant, period: Period) {
        let grant = &one.grant;
        let start = grant.starts_at.micros();
        self.grants += 1;
        self.last = Some(grant.starts_at);
        self.active |= grant.state == GrantState::Active;
        self.used |= matches!(grant.origin, Origin::Request | Origin::BreakGlass);
        if let Some((from, to)) = span(one, period) {
            self.held += (to - from.max(self.counted)).max(0);
            self.counted = self.counted.max(to);
        }
        if grant.starts_at >= period.from {
            self.window.push_back(start);
            while self.window.front().is_some_and(|first| start - first >= WEEK) {
                self.window.pop_front();
            }
            self.most = self.most.max(u32::try_from(self.window.len()).unwrap_or(u32::MAX));
        }
    }
}
