//! Findings about the daemon: what it says of itself.

use stint_policy::text::harmless;
use stint_proto::{Health, Timestamp, Uid};

use super::{Finding, Rank};
use crate::look::times::length;

/// Two clocks that are read one after the other differ by the time between; more than this is
/// another clock.
const TOLERANCE: i64 = 3_000_000;

/// What is wrong with it.
pub fn judge(health: &Health, wall: Timestamp, boot: i64) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        health.remote.as_ref().map(super::remote::judge).unwrap_or_default();
    let mut add = |rank, text: String, mend: &str| findings.push(Finding::new(rank, text, mend));
    if health.uid != Uid::ROOT {
        let text = format!("stintd runs as uid {}, not as root.", health.uid);
        add(Rank::Wrong, text, "systemctl restart stintd");
    }
    if let Some(problem) = &health.policy_problem {
        let first = harmless(problem.lines().next().unwrap_or_default());
        let text = format!("The policy on disk was refused; the one before is in force: {first}.");
        add(Rank::Wrong, text, "stint policy check, then  stint reload");
    }
    for alarm in &health.alarms {
        let text = format!("Not done after {} tries: {}.", alarm.tries, harmless(&alarm.text));
        add(Rank::Wrong, text, "journalctl -t stintd");
    }
    for note in &health.notes {
        add(Rank::Odd, format!("{}.", harmless(&note.text)), &harmless(&note.mend));
    }
    let (wall_gap, boot_gap) = (health.wall.micros_since(wall), health.boot.saturating_sub(boot));
    if wall_gap.abs() > TOLERANCE || boot_gap.abs() > TOLERANCE {
        let gap = length(wall_gap.abs().max(boot_gap.abs()));
        let text = format!("stintd's clock and this command's differ by {gap}.");
        add(Rank::Wrong, text, "systemctl restart stintd");
    }
    let back = health.high_water.micros_since(health.wall);
    if back > TOLERANCE {
        let text = format!(
            "The wall clock was set back by {}: it says {}, and has said {} before; no grant is \
             longer for it.",
            length(back),
            health.wall,
            health.high_water
        );
        add(Rank::Odd, text, "timedatectl; where it is right now:  systemctl restart stintd");
    }
    match health.sessions.as_str() {
        "control groups" => {
            let text = "systemd cannot be asked: sessions are put into control groups of stintd's.";
            add(Rank::Odd, text.to_owned(), "systemctl status dbus");
        }
        "nowhere" => {
            let text = "This host has no control groups of version 2: at the end of a grant only \
                        processes are found whose parents live.";
            add(Rank::Odd, text.to_owned(), "boot with  systemd.unified_cgroup_hierarchy=1");
        }
        _ => {}
    }
    if health.lost_events > 0 {
        let (lost, to) = (health.lost_events, harmless(&health.record));
        let text = format!("{lost} events did not reach the {to}; the state has them.");
        add(Rank::Odd, text, "systemctl status systemd-journald");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health {
            version: "0.1.0".into(),
            wall: Timestamp::from_micros(1_000_000_000),
            boot: 500,
            high_water: Timestamp::from_micros(1_000_000_000),
            backend: "files".into(),
            gate_mode: "enforce".into(),
            active: 0,
            alarms: Vec::new(),
            notes: Vec::new(),
            policy_problem: None,
            remote: None,
            exempt: Vec::new(),
            groups: Vec::new(),
            polkit_roles: Vec::new(),
            record: "journal".into(),
            lost_events: 0,
            kernel_audit: "on".into(),
            sessions: "systemd".into(),
            uid: Uid::ROOT,
        }
    }

    fn texts(health: &Health) -> Vec<String> {
        let found = judge(health, Timestamp::from_micros(1_000_000_000), 500);
        found.into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn finds_clocks_that_disagree() {
        let other = Health { wall: Timestamp::from_micros(900_000_000), ..health() };
        assert_eq!(
            texts(&other),
            [
                "stintd's clock and this command's differ by 2 min.",
                "The wall clock was set back by 2 min: it says 1970-01-01T00:15:00.000Z, and has said \
                 1970-01-01T00:16:40.000Z before; no grant is longer for it."
            ]
        );
        assert_eq!(texts(&Health { boot: 10_000_000, ..health() }).len(), 1);
    }

    #[test]
    fn finds_what_was_not_done_lost_or_refused() {
        let alarm = stint_proto::Alarm {
            text: "/etc/group is locked".into(),
            since: Timestamp::from_micros(0),
            tries: 3,
        };
        let bad = Health {
            alarms: vec![alarm],
            notes: vec![stint_proto::Note {
                text: "alice was taken out of docker by hand".into(),
                mend: "stint revoke g4t9".into(),
            }],
            lost_events: 7,
            sessions: "nowhere".into(),
            policy_problem: Some("/etc/stint/policy.toml:1:1: x\nmore".into()),
            uid: Uid(7),
            ..health()
        };
        assert_eq!(
            texts(&bad),
            [
                "stintd runs as uid 7, not as root.",
                "The policy on disk was refused; the one before is in force: \
                 /etc/stint/policy.toml:1:1: x.",
                "Not done after 3 tries: /etc/group is locked.",
                "alice was taken out of docker by hand.",
                "This host has no control groups of version 2: at the end of a grant only processes \
                 are found whose parents live.",
                "7 events did not reach the journal; the state has them."
            ]
        );
    }

    #[test]
    fn a_healthy_daemon_has_no_finding() {
        assert_eq!(texts(&health()), [] as [&str; 0]);
    }
}
