//! What the tests of the policy share: a host that is known, and short ways to load a policy.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says by failing what it expects"
)]

use std::collections::BTreeSet;

use stint_policy::{Accounts, Diagnostic, Loaded, SourceFile, parse};
use stint_proto::{GroupName, UserName};

/// The policy as the contract prints it.
pub const CONTRACT: &str = r#"
[gate]
mode    = "enforce"
exempt  = ["%ops-emergency"]

[audit]
readers = ["%auditors"]

[groups]
backend = "auto"

[roles.admin]
description      = "Anything as root"
sudo             = [{ run_as = "root", commands = ["ALL"] }]
eligible         = ["%engineers", "alice"]
approvers        = ["%leads"]
approvals        = 1
max_duration     = "4h"
default_duration = "30m"
reason           = { min_length = 10 }
ticket           = '^(INC|CHG)-\d+$'
hours            = "Mon-Fri 08:00-18:00 Europe/Berlin"
cooldown         = "10m"
daily_budget     = "4h"
max_active       = 2
password         = true
record           = false
on_expiry        = "terminate"
warn_before      = ["5m", "1m"]
grace            = "10s"

[roles.containers]
groups   = ["docker"]
eligible = ["%engineers"]
approvals = 0

[roles.restart-web]
sudo     = [{ run_as = "root", commands = ["/usr/bin/systemctl restart nginx"] }]
services = ["su"]
polkit   = ["org.freedesktop.systemd1.manage-units"]
hosts    = ["web-*"]
eligible = ["bob"]

[roles.break-glass]
sudo        = [{ commands = ["ALL"] }]
eligible    = ["%oncall"]
break_glass = true

[[grants]]
user   = "bob"
role   = "containers"
from   = 2026-12-01T09:00:00Z
until  = 2026-12-01T17:00:00Z
reason = "CHG-4711 change window"
"#;

/// A host that has these accounts and no other.
pub struct Host;

impl Accounts for Host {
    fn group_exists(&self, group: &GroupName) -> bool {
        let known =
            ["docker", "engineers", "leads", "oncall", "auditors", "ops-emergency", "wheel"];
        known.contains(&group.as_str())
    }

    fn user_exists(&self, user: &UserName) -> bool {
        ["root", "alice", "bob", "carol"].contains(&user.as_str())
    }
}

pub fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

/// One file, `p.toml`, on the host `web-1`.
pub fn load(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    parse(&[file("p.toml", text)], "web-1", Some(&Host))
}

/// What is wrong with one file, each on its own line.
pub fn errors(text: &str) -> Vec<String> {
    let found = load(text).expect_err("a refusal");
    found.iter().filter(|told| told.is_error()).map(Diagnostic::headline).collect()
}

pub fn groups(names: &[&str]) -> BTreeSet<GroupName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}
