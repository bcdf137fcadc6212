//! stint-policy(5), from the policy's own table of keys.

use stint_policy::language::{Key, Kind, keys};

use super::roff::Page;

/// The page.
pub fn page() -> String {
    let mut page =
        Page::new("stint-policy", 5, "who may hold which role on a host, and for how long");
    page.heading("DESCRIPTION");
    page.text(
        "The policy is /etc/stint/policy.toml and then every /etc/stint/policy.d/*.toml in name \
         order, in TOML. The files and their folders must be root's and not writable by others, \
         and none of them may be a link. A key that is not known is an error. A policy with an \
         error never replaces the one in force. After a change:",
    );
    page.example("stint policy check\nstint reload");
    page.text(
        "Users are written alice, groups %engineers. Durations are written \"90s\", \"30m\", \
         \"1h30m\" or \"2d\".",
    );
    page.heading("KEYS");
    for key in keys() {
        // A table within a table has no section of its own: what follows is not in it.
        let heading = matches!(key.kind, Kind::Table | Kind::Tables) && key.table().is_empty();
        if heading {
            page.subheading(key.path);
            page.text(key.doc);
        } else {
            page.term(&format!("{} ({})", key.path, key.kind.word()), &meaning(key));
        }
    }
    page.heading("EXAMPLE");
    page.example(EXAMPLE);
    page.finish("stint(1), stintd(8), pam_stint(8), sudoers(5)")
}

pub(super) fn meaning(key: &Key) -> String {
    let mut text = key.doc.to_owned();
    if let Kind::Word(words) = key.kind {
        text.push_str(&format!(" One of: {}.", words.join(", ")));
    }
    if let Kind::Number { min, max } = key.kind {
        text.push_str(&format!(" From {min} to {max}."));
    }
    if key.required {
        text.push_str(" It must be there.");
    } else if !key.default.is_empty() {
        text.push_str(&format!(" Default: {}.", key.default));
    }
    text.push_str(&format!(" Example: {}", key.example));
    text
}

/// Every key of the language once, with what it means in a few words.
const EXAMPLE: &str = r##"[gate]
mode   = "enforce"               # "observe": log what would be denied, deny nothing
exempt = ["%ops-emergency"]      # they pass without a grant, while stintd is dead too
prompt = true                    # ask for the reason in the middle of a sudo

[audit]
readers = ["%auditors"]          # see everything, change nothing
keep    = "400d"                 # older events go; else never
sign    = true                   # checkpoints of the record, by a key of this host's

[requests]
lapse_after          = "24h"     # a request that nobody decides on
max_pending_per_user = 5
max_pending          = 1000      # on the whole host

[approvals]
authenticate = true              # approvers type their password; false: they do not

[notify]
terminals = true                 # lines on the terminals of approvers and requesters

[groups]
backend = "auto"                 # "files": /etc/group; "userdb": by nss-systemd

[remote]                         # what signed documents may do here; without it, nothing
roles       = ["containers"]     # roles of this file that they may give
define      = ["fleet-*"]        # roles of their own that they may bring
approvals   = ["fleet-*"]        # roles that people on other hosts may approve
max_age     = "7d"
offline     = "new"              # out of date: or "running", "nothing"
offline_for = "24h"
publish     = true               # requests and grants are seen in the store of the fleet

[roles.admin]
description      = "Anything as root"
sudo             = [{ run_as = "root", commands = ["ALL"] }]
eligible         = ["%engineers", "alice"]    # who may ask for it
approvers        = ["%leads"]                 # who may approve, never of their own
approvals        = 2                          # how many of them; 0: a reason will do
max_duration     = "4h"
default_duration = "30m"                      # where no duration is asked for
reason           = { required = true, min_length = 10 }
ticket           = '^(INC|CHG)-\d+$'          # without it none is asked for
hours            = "Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00 Europe/Berlin"
cooldown         = "10m"                      # from the end of a grant to the next
daily_budget     = "4h"                       # in 24 hours, for each user
max_active       = 2                          # holders at once
password         = true                       # false: sudo and polkit ask for none
record           = true                       # sudo keeps what goes in and out
on_expiry        = "terminate"                # or "leave": name them, end nothing
warn_before      = ["5m", "1m"]               # before the end, to its sessions
grace            = "10s"                      # between the polite signal and SIGKILL

[roles.containers]               # a role can give groups
groups    = ["docker"]
eligible  = ["%engineers"]
approvals = 0

[roles.restart-web]              # and it can be narrow
sudo      = [{ commands = ["/usr/bin/systemctl restart nginx"] }]
services  = ["su"]               # doors that it opens besides sudo
polkit    = ["org.freedesktop.systemd1.reload-daemon"]  # as polkit calls it
hosts     = ["web-*"]            # it is there on these hosts only
eligible  = ["bob"]
approvers = ["%leads"]

[roles.rescue]                   # no approval, loud, once until it is reviewed
sudo        = [{ commands = ["ALL"] }]
eligible    = ["%oncall"]
approvers   = ["%leads"]         # they are told, and may review it
break_glass = true

[[grants]]                       # held from this file, with no request
user   = "bob"
role   = "containers"
from   = 2026-12-01T09:00:00Z
until  = 2026-12-01T17:00:00Z
reason = "CHG-4711 change window""##;

#[cfg(test)]
mod tests {
    use stint_policy::language::keys;
    use stint_policy::{SourceFile, parse};

    #[test]
    fn the_example_is_a_policy() {
        let file = SourceFile { path: "example".into(), text: super::EXAMPLE.into() };
        let policy = parse(&[file], "web-1", None).unwrap().policy;
        assert_eq!((policy.roles.len(), policy.grants.len()), (4, 1));
    }

    #[test]
    fn the_example_has_every_key_and_fits_a_terminal() {
        let words: Vec<&str> = super::EXAMPLE
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .collect();
        for key in keys() {
            let name = key.path.rsplit('.').find(|part| *part != "NAME").unwrap();
            assert!(words.contains(&name), "{}", key.path);
        }
        for line in super::EXAMPLE.lines() {
            assert!(line.chars().count() <= 90, "{line}");
        }
    }
}
