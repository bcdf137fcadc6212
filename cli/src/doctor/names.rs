//! Findings about name services: whether what the group backend writes is seen by anybody.

use std::fs;
use std::path::Path;

use stint_policy::text::harmless;
use stint_proto::Health;

use super::{Finding, Rank};

/// What is wrong, by the files in `etc`.
pub fn judge(health: &Health, etc: &Path) -> Vec<Finding> {
    let read = |name: &str| fs::read_to_string(etc.join(name)).unwrap_or_default();
    judge_texts(health, &read("nsswitch.conf"), &read("group"))
}

fn judge_texts(health: &Health, nsswitch: &str, group: &str) -> Vec<Finding> {
    if health.groups.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let needed = if health.backend == "userdb" { "systemd" } else { "files" };
    if !sources_of_group(nsswitch).iter().any(|source| source == needed) {
        let backend = harmless(&health.backend);
        let text = format!(
            "/etc/nsswitch.conf has no \"{needed}\" in its group line, so memberships given by \
             {backend} are not seen."
        );
        let mend = format!("sed -i 's/^group:.*/& {needed}/' /etc/nsswitch.conf");
        findings.push(Finding::new(Rank::Wrong, text, mend));
    }
    if health.backend != "userdb" {
        for name in &health.groups {
            let known = |line: &str| line.split(':').next() == Some(name.as_str());
            if !group.lines().any(known) {
                let text = format!("A role gives the group {name}, which is not in /etc/group.");
                let mend = format!("groupadd {name}");
                findings.push(Finding::new(Rank::Wrong, text, mend));
            }
        }
    }
    findings
}

/// The sources of the group line; what glibc takes if there is none.
fn sources_of_group(nsswitch: &str) -> Vec<String> {
    let lines = nsswitch.lines().filter_map(|line| line.split('#').next());
    let group = lines.filter_map(|line| line.trim().strip_prefix("group:")).next_back();
    let words = group.unwrap_or("files").split_ascii_whitespace();
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use stint_proto::{Timestamp, Uid};

    use super::*;

    fn texts(backend: &str, nsswitch: &str) -> Vec<String> {
        let health = Health {
            version: String::new(),
            wall: Timestamp::from_micros(0),
            boot: 0,
            high_water: Timestamp::from_micros(0),
            backend: backend.into(),
            gate_mode: "enforce".into(),
            active: 0,
            alarms: Vec::new(),
            notes: Vec::new(),
            policy_problem: None,
            remote: None,
            exempt: Vec::new(),
            groups: vec!["docker".parse().unwrap(), "adm".parse().unwrap()],
            polkit_roles: Vec::new(),
            record: "journal".into(),
            lost_events: 0,
            kernel_audit: "off".into(),
            sessions: "systemd".into(),
            uid: Uid::ROOT,
        };
        let found = judge_texts(&health, nsswitch, "root:x:0:\nadm:x:4:\n");
        found.into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn finds_a_backend_that_nobody_sees() {
        assert_eq!(
            texts("userdb", "passwd: files systemd\ngroup: files # systemd\n"),
            ["/etc/nsswitch.conf has no \"systemd\" in its group line, so memberships given by \
              userdb are not seen."]
        );
        assert_eq!(texts("userdb", "group:          files systemd\n"), [] as [&str; 0]);
    }

    #[test]
    fn finds_a_group_that_is_in_no_file() {
        assert_eq!(
            texts("files", "group: files\n"),
            ["A role gives the group docker, which is not in /etc/group."]
        );
    }
}
