//! Grants and roles in tables and sentences.

use jiff::tz::TimeZone;
use stint_policy::text::harmless;
use stint_proto::{Grant, GrantState, GroupName, Origin, RoleSummary, ServiceName, Timestamp};

use super::residue::in_a_line;
use super::table::table;
use super::times::{clock, length};

/// Now and here: what turns a point in time into what a clock shows.
#[derive(Clone, Debug)]
pub struct Here {
    /// The point in time.
    pub now: Timestamp,
    /// The zone.
    pub zone: TimeZone,
}

impl Here {
    /// The system's clock and zone.
    pub fn system() -> Self {
        // TZ may name a zone that is none; where nothing says which, clocks show UTC.
        let unset = || std::env::var_os("TZ").is_none();
        let zone = TimeZone::try_system();
        let zone =
            zone.unwrap_or_else(|_| if unset() { TimeZone::UTC } else { TimeZone::unknown() });
        Self { now: crate::clock::wall(), zone }
    }

    /// A time as the clock shows it.
    pub fn clock(&self, time: Timestamp) -> String {
        clock(time, self.now, &self.zone)
    }
}

/// `sudo, group docker, polkit org.freedesktop.login1.reboot`.
pub fn opens(services: &[ServiceName], groups: &[GroupName], polkit: &[String]) -> String {
    let sudo = services.iter().any(|name| name.as_str() == "sudo");
    let doors = services.iter().filter(|name| !(sudo && name.as_str() == "sudo-i"));
    let doors = doors.map(ToString::to_string);
    let groups = groups.iter().map(|name| format!("group {name}"));
    let actions = polkit.iter().map(|action| format!("polkit {}", harmless(action)));
    doors.chain(groups).chain(actions).collect::<Vec<_>>().join(", ")
}

/// What a grant opens: `sudo, group docker`, without what somebody took away by hand.
pub fn opened(grant: &Grant) -> String {
    let opens = opens(&grant.services, &grant.groups, &grant.polkit);
    let without = grant.without.iter().map(|what| harmless(what)).collect::<Vec<_>>().join(", ");
    if without.is_empty() { opens } else { format!("{opens} (by hand without {without})") }
}

/// What is left of it, or when it starts.
pub fn left(grant: &Grant, here: &Here) -> String {
    match grant.state {
        GrantState::Scheduled => {
            format!("starts in {}", length(grant.starts_at.micros_since(here.now)))
        }
        GrantState::Active => length(grant.expires_at.micros_since(here.now)),
        GrantState::Ended => "-".to_owned(),
    }
}

/// Who gave it.
pub fn given_by(grant: &Grant) -> String {
    if grant.origin == Origin::Policy {
        return "(policy)".to_owned();
    }
    if grant.approvals.is_empty() {
        return grant.granted_by.clone();
    }
    grant.approvals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What one person holds.
pub fn held(grants: &[Grant], here: &Here) -> String {
    let rows: Vec<_> = grants
        .iter()
        .map(|grant| {
            vec![
                grant.role.to_string(),
                opened(grant),
                left(grant, here),
                here.clock(grant.expires_at),
                given_by(grant),
                grant.id.to_string(),
            ]
        })
        .collect();
    table(&["ROLE", "OPENS", "LEFT", "ENDS", "APPROVED BY", "GRANT"], &rows)
}

/// What heads the columns of [`row`].
pub const HEADINGS: [&str; 9] =
    ["GRANT", "USER", "ROLE", "STATE", "FROM", "UNTIL", "LEFT", "BY", "REASON"];

/// Grants of many.
pub fn list(grants: &[Grant], here: &Here) -> String {
    let rows: Vec<_> = grants.iter().map(|grant| row(grant, here)).collect();
    table(&HEADINGS, &rows)
}

/// One of them.
pub fn row(grant: &Grant, here: &Here) -> Vec<String> {
    let state = match grant.end_reason {
        Some(reason) => reason.to_string(),
        None if grant.without.is_empty() => grant.state.to_string(),
        None => format!("{}, without {}", grant.state, grant.without.join(", ")),
    };
    vec![
        grant.id.to_string(),
        grant.user.to_string(),
        grant.role.to_string(),
        state,
        here.clock(grant.starts_at),
        here.clock(grant.ended_at.unwrap_or(grant.expires_at)),
        left(grant, here),
        given_by(grant),
        grant.reason.clone(),
    ]
}

/// Roles.
pub fn roles(roles: &[RoleSummary]) -> String {
    let rows: Vec<_> = roles
        .iter()
        .map(|role| {
            vec![
                role.name.to_string(),
                opens(&role.services, &role.groups, &role.polkit),
                role.default_duration.to_string(),
                role.max_duration.to_string(),
                approvals(role),
                if role.eligible { "yes" } else { "no" }.to_owned(),
                role.description.clone(),
            ]
        })
        .collect();
    let headings = ["ROLE", "OPENS", "USUALLY", "AT MOST", "APPROVALS", "FOR YOU", "DESCRIPTION"];
    table(&headings, &rows)
}

/// `1 of bob, %leads`.
fn approvals(role: &RoleSummary) -> String {
    match (role.break_glass, role.approvals) {
        (true, _) => "none, reviewed later".to_owned(),
        (false, 0) => "none".to_owned(),
        (false, number) => format!("{number} of {}", role.approvers.join(", ")),
    }
}

/// What was granted, in a sentence or two.
pub fn granted(grant: &Grant, here: &Here) -> String {
    let (role, user, id) = (&grant.role, &grant.user, &grant.id);
    let until = here.clock(grant.expires_at);
    let sentence = if grant.state == GrantState::Scheduled {
        format!("{role} for {user} from {} until {until} ({id})", here.clock(grant.starts_at))
    } else {
        format!("{role} for {user} until {until} ({id})")
    };
    if grant.groups.is_empty() {
        return sentence;
    }
    format!("{sentence}\nShells that {user} has open keep their old groups: log in again.")
}

/// The use of a break-glass role, whole, for whoever reviews it.
pub fn in_full(grant: &Grant, here: &Here) -> String {
    let opens = opened(grant);
    let how = grant.end_reason.map_or_else(String::new, |how| format!("; {how}"));
    let until = here.clock(grant.ended_at.unwrap_or(grant.expires_at));
    let reason = if grant.reason.is_empty() { "none given" } else { &grant.reason };
    let mut facts = vec![
        ("who", format!("{} (uid {})", grant.user, grant.uid)),
        ("role", grant.role.to_string()),
        // A role that is gone from the policy opens nothing any more.
        ("opens", if opens.is_empty() { "nothing now".to_owned() } else { opens }),
        ("from", here.clock(grant.starts_at)),
        ("until", format!("{until}{how}")),
        ("reason", reason.to_owned()),
    ];
    facts.extend(grant.ticket.clone().map(|ticket| ("ticket", ticket)));
    // What names files is long, and comes last.
    facts.extend(grant.residue.as_ref().map(|left| ("meanwhile", in_a_line(left))));
    let verb = if grant.state == GrantState::Ended { "used" } else { "uses" };
    let heading = format!("{}: {} {verb} {}", grant.id, grant.user, grant.role);
    super::table::facts(&heading, &facts)
}

/// What ended, in a line.
pub fn ended(grant: &Grant) -> String {
    format!("{} of {} has ended ({})", grant.role, grant.user, grant.id)
}

/// A policy problem or a message that may have lines, made harmless line by line.
pub fn lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A grant to show.
    pub fn example() -> Grant {
        Grant {
            id: "g4t9".parse().unwrap(),
            user: "alice".parse().unwrap(),
            uid: stint_proto::Uid(1000),
            role: "admin".parse().unwrap(),
            state: GrantState::Active,
            starts_at: "2026-11-23T14:02:00Z".parse().unwrap(),
            expires_at: "2026-11-23T14:32:00Z".parse().unwrap(),
            ended_at: None,
            end_reason: None,
            origin: Origin::Admin,
            reason: "disk full".into(),
            ticket: None,
            granted_by: "root".into(),
            approvals: Vec::new(),
            request: None,
            reviewed_by: None,
            services: vec!["sudo".parse().unwrap(), "sudo-i".parse().unwrap()],
            groups: Vec::new(),
            polkit: Vec::new(),
            residue: None,
            without: Vec::new(),
        }
    }

    /// A role to show.
    pub fn role() -> RoleSummary {
        let hour = stint_proto::Length::from_seconds(3600).unwrap();
        RoleSummary {
            name: "admin".parse().unwrap(),
            description: String::new(),
            services: Vec::new(),
            groups: Vec::new(),
            polkit: Vec::new(),
            sudo: Vec::new(),
            max_duration: hour,
            default_duration: hour,
            approvals: 2,
            approvers: vec!["bob".into(), "%leads".into()],
            break_glass: false,
            reason: true,
            ticket: Some("^INC-\\d+$".into()),
            eligible: true,
        }
    }

    fn here() -> Here {
        Here { now: "2026-11-23T14:03:40Z".parse().unwrap(), zone: TimeZone::UTC }
    }

    #[test]
    fn a_grant_is_told_in_a_sentence() {
        let mut grant = example();
        assert_eq!(granted(&grant, &here()), "admin for alice until 14:32 (g4t9)");
        grant.groups = vec!["docker".parse().unwrap()];
        assert_eq!(
            granted(&grant, &here()),
            "admin for alice until 14:32 (g4t9)\n\
             Shells that alice has open keep their old groups: log in again."
        );
    }

    #[test]
    fn whoever_reviews_sees_everything_and_nothing_that_moves_a_cursor() {
        let mut grant = example();
        let shown =
            |grant: &Grant| anstream::adapter::strip_str(&in_full(grant, &here())).to_string();
        grant.reason = "x\u{1b}[2J\n  until 15:00".into();
        assert_eq!(
            shown(&grant),
            "g4t9: alice uses admin\n  \
               who       alice (uid 1000)\n  \
               role      admin\n  \
               opens     sudo\n  \
               from      14:02\n  \
               until     14:32\n  \
               reason    x\\u{1b}[2J\\n  until 15:00"
        );
        grant.state = GrantState::Ended;
        grant.ended_at = Some("2026-11-23T14:03:00Z".parse().unwrap());
        grant.end_reason = Some(stint_proto::EndReason::Dropped);
        grant.ticket = Some("INC-\u{202e}1".into());
        grant.reason.clear();
        grant.services.clear();
        assert_eq!(
            shown(&grant),
            "g4t9: alice used admin\n  \
               who       alice (uid 1000)\n  \
               role      admin\n  \
               opens     nothing now\n  \
               from      14:02\n  \
               until     14:03; dropped\n  \
               reason    none given\n  \
               ticket    INC-\\u{202e}1"
        );
    }

    #[test]
    fn a_role_says_who_approves_it() {
        let mut role = role();
        assert_eq!(approvals(&role), "2 of bob, %leads");
        role.approvals = 0;
        assert_eq!(approvals(&role), "none");
        role.break_glass = true;
        assert_eq!(approvals(&role), "none, reviewed later");
    }

    #[test]
    fn what_is_held_shows_what_is_left() {
        let mut policy = example();
        policy.origin = Origin::Policy;
        policy.services.clear();
        policy.groups = vec!["docker".parse().unwrap()];
        let text = held(&[example(), policy], &here());
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "  ROLE   OPENS         LEFT    ENDS   APPROVED BY  GRANT\n  \
               admin  sudo          28 min  14:32  root         g4t9\n  \
               admin  group docker  28 min  14:32  (policy)     g4t9"
        );
    }
}
