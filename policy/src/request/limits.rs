//! When, how much and how many: a role's hours, cooldown, daily budget, holders at once, and the
//! longest that it is held in one go.

use std::collections::BTreeMap;

use stint_proto::{Length, RoleName, Timestamp, Uid, UserName};

use super::{RequestRefusal, Spell};
use crate::text::harmless;
use crate::{Position, Role};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Which limit stands against a request. Times are kept as the person's clock shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitRefusal {
    /// It would begin outside the role's hours.
    Hours {
        /// The role.
        role: RoleName,
        /// The hours.
        hours: String,
        /// When it would begin.
        asked: String,
        /// When they begin next, if that is known.
        next: Option<String>,
        /// Where the policy says so.
        at: Position,
    },
    /// The last grant has not been over for long enough.
    Cooldown {
        /// The role.
        role: RoleName,
        /// The requester.
        user: UserName,
        /// How long it has to be over.
        rest: Length,
        /// When it has been.
        free: String,
        /// Where the policy says so.
        at: Position,
    },
    /// The requester would have more of it in a day than one may have.
    Budget {
        /// The role.
        role: RoleName,
        /// The requester.
        user: UserName,
        /// How much they had in the 24 hours before the grant would begin.
        had: Option<Length>,
        /// How much a day may have.
        most: Length,
        /// How much of it is left; nothing if absent.
        left: Option<Length>,
        /// When the first of what was had is a day old.
        more: Option<String>,
        /// Where the policy says so.
        at: Position,
    },
    /// As many others hold it then as may.
    Full {
        /// The role.
        role: RoleName,
        /// The most at once.
        most: u32,
        /// When the first of them ends.
        free: String,
        /// Where the policy says so.
        at: Position,
    },
    /// With more time the grant would be longer than the role is given.
    Stretched {
        /// The role.
        role: RoleName,
        /// The longest.
        max: Length,
        /// How much of it is left to ask for; nothing if absent.
        left: Option<Length>,
        /// Where the policy says so.
        at: Position,
    },
}

impl LimitRefusal {
    pub(super) const fn at(&self) -> &Position {
        match self {
            Self::Hours { at, .. }
            | Self::Cooldown { at, .. }
            | Self::Budget { at, .. }
            | Self::Full { at, .. }
            | Self::Stretched { at, .. } => at,
        }
    }

    pub(super) fn what(&self) -> String {
        match self {
            Self::Hours { role, hours, asked, next, .. } => {
                let next = next.as_ref().map(|next| format!("; they begin again at {next}"));
                let (hours, next) = (harmless(hours), next.unwrap_or_default());
                format!("{asked} is outside the hours of {role}, {hours}{next}")
            }
            Self::Cooldown { role, user, rest, free, .. } => format!(
                "{user} may have {role} again {rest} after the last grant of it, from {free} on"
            ),
            Self::Budget { role, had: None, most, .. } => {
                format!("{role} is given for at most {most} a day: --for {most}")
            }
            Self::Budget { role, user, had: Some(had), most, left, more, .. } => {
                let had = format!("{user} had {role} for {had} in the 24 hours before");
                let more = more.as_deref().map(|more| format!("; there is more from {more} on"));
                let more = more.unwrap_or_default();
                match left {
                    Some(left) => format!("{had}, and of {most} a day {left} are left{more}"),
                    None => format!("{had}, and {most} a day are the most{more}"),
                }
            }
            Self::Full { role, most, free, .. } => {
                let others =
                    if *most == 1 { "one other".to_owned() } else { format!("{most} others") };
                format!(
                    "{role} is held by {others} then, and no more may hold it at once; the first of \
                     them ends at {free}"
                )
            }
            Self::Stretched { role, max, left: Some(left), .. } => {
                format!(
                    "{role} is held for at most {max} in one go, so {left} more are left to ask for"
                )
            }
            Self::Stretched { role, max, left: None, .. } => {
                format!("{role} is held for at most {max} in one go, and this grant has all of it")
            }
        }
    }
}

/// Whose request for which role is looked at.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) role: &'a Role,
    pub(super) user: &'a UserName,
    pub(super) uid: Uid,
    pub(super) spells: &'a [Spell],
    pub(super) others: &'a [(Uid, Spell)],
    pub(super) clock: &'a dyn Fn(Timestamp) -> String,
}

impl Limits<'_> {
    /// Whether the point is within the hours.
    pub(super) fn hours(&self, at: Timestamp) -> Result<(), RequestRefusal> {
        let Some(hours) = self.role.hours.as_ref().filter(|hours| !hours.contain(at)) else {
            return Ok(());
        };
        Err(LimitRefusal::Hours {
            role: self.role.name.clone(),
            hours: hours.to_string(),
            asked: (self.clock)(at),
            next: hours.next_opening(at).map(self.clock),
            at: self.role.place("hours").clone(),
        }
        .into())
    }

    /// Whether every grant that began before `start` has been over for long enough by then.
    pub(super) fn cooldown(&self, start: Timestamp) -> Result<(), RequestRefusal> {
        let Some(rest) = self.role.cooldown else { return Ok(()) };
        let last = self.before(start).map(|spell| spell.ends_at).max();
        let free = last.map(|end| Timestamp(end.micros().saturating_add(rest.micros())));
        match free.filter(|free| *free > start) {
            None => Ok(()),
            Some(free) => Err(LimitRefusal::Cooldown {
                role: self.role.name.clone(),
                user: self.user.clone(),
                rest,
                free: (self.clock)(free),
                at: self.role.place("cooldown").clone(),
            }
            .into()),
        }
    }

    /// Whether what was held in the 24 hours before `start` leaves `micros` of a day's budget.
    pub(super) fn budget(&self, start: Timestamp, micros: i64) -> Result<(), RequestRefusal> {
        let Some(most) = self.role.daily_budget else { return Ok(()) };
        let day_before = Timestamp(start.micros().saturating_sub(DAY));
        let mut spells: Vec<Spell> = self
            .before(start)
            .map(|spell| Spell {
                starts_at: spell.starts_at.max(day_before),
                ends_at: spell.ends_at.min(start),
            })
            .filter(|spell| spell.starts_at < spell.ends_at)
            .collect();
        spells.sort_by_key(|spell| spell.starts_at);
        let had = covered(&spells);
        if had.saturating_add(micros) <= most.micros() {
            return Ok(());
        }
        let more = spells.first().map(|spell| spell.starts_at.micros().saturating_add(DAY));
        Err(LimitRefusal::Budget {
            role: self.role.name.clone(),
            user: self.user.clone(),
            had: length_of(had.saturating_add(SECOND - 1)),
            most,
            left: length_of(most.micros().saturating_sub(had)),
            more: more.map(|more| (self.clock)(Timestamp(more))),
            at: self.role.place("daily_budget").clone(),
        }
        .into())
    }

    /// Whether there is room for one more holder at every point from `from` to `until`.
    pub(super) fn room(&self, from: Timestamp, until: Timestamp) -> Result<(), RequestRefusal> {
        let Some(most) = self.role.max_active else { return Ok(()) };
        let others = self.others.iter().filter(|(uid, spell)| {
            *uid != self.uid && spell.starts_at < until && from < spell.ends_at
        });
        let mut changes: Vec<(Timestamp, bool, Uid)> = others
            .filter(|(_, spell)| spell.starts_at < spell.ends_at)
            .flat_map(|(uid, spell)| {
                [(spell.starts_at.max(from), true, *uid), (spell.ends_at, false, *uid)]
            })
            .collect();
        // Ends come before beginnings at the same point: until then, and no longer.
        changes.sort();
        let mut holders: BTreeMap<Uid, u32> = BTreeMap::new();
        let mut full = false;
        for (at, begins, uid) in changes {
            let grants = holders.entry(uid).or_default();
            if begins {
                *grants = grants.saturating_add(1);
                full |= u32::try_from(holders.len()).is_ok_and(|count| count >= most);
                continue;
            }
            *grants = grants.saturating_sub(1);
            if *grants > 0 {
                continue;
            }
            holders.remove(&uid);
            if full {
                return Err(LimitRefusal::Full {
                    role: self.role.name.clone(),
                    most,
                    free: (self.clock)(at),
                    at: self.role.place("max_active").clone(),
                }
                .into());
            }
        }
        Ok(())
    }

    /// Whether a grant from `start` to `end` may be `by` longer.
    pub(super) fn stretch(
        &self,
        start: Timestamp,
        end: Timestamp,
        by: Length,
    ) -> Result<(), RequestRefusal> {
        let max = self.role.max_duration;
        let left = max.micros().saturating_sub(end.micros_since(start));
        if by.micros() <= left {
            return Ok(());
        }
        Err(LimitRefusal::Stretched {
            role: self.role.name.clone(),
            max,
            left: length_of(left),
            at: self.role.place("max_duration").clone(),
        }
        .into())
    }

    /// The requester's spells that began before this point.
    fn before(&self, start: Timestamp) -> impl Iterator<Item = &Spell> {
        self.spells
            .iter()
            .filter(move |spell| spell.starts_at < start && spell.starts_at < spell.ends_at)
    }
}

/// How many microseconds the spells cover, in the order of their beginnings; what two of them
/// cover counts once.
fn covered(spells: &[Spell]) -> i64 {
    let mut sum: i64 = 0;
    let mut reached: Option<Timestamp> = None;
    for spell in spells {
        let from = reached.map_or(spell.starts_at, |reached| reached.max(spell.starts_at));
        sum = sum.saturating_add(spell.ends_at.micros_since(from).max(0));
        reached = Some(from.max(spell.ends_at));
    }
    sum
}

/// The whole seconds of it; `None` where there is none.
fn length_of(micros: i64) -> Option<Length> {
    Length::from_seconds(u64::try_from(micros / SECOND).ok()?)
}
