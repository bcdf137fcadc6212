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
         \"1h30m\" or \"2d\". Keys that are not enforced yet are read and checked, and stint \
         policy check says so; nothing acts on them.",
    );
    page.heading("KEYS");
    for key in keys() {
        let heading = matches!(key.kind, Kind::Table | Kind::Tables);
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

fn meaning(key: &Key) -> String {
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
    if !key.enforced {
        text.push_str("\nThis is not enforced yet.");
    }
    text
}

const EXAMPLE: &str = r#"[roles.admin]
description  = "Anything as root"
sudo         = [{ run_as = "root", commands = ["ALL"] }]
eligible     = ["%engineers"]
max_duration = "4h"

[roles.containers]
groups   = ["docker"]
eligible = ["%engineers"]

[[grants]]
user   = "bob"
role   = "containers"
from   = 2026-12-01T09:00:00Z
until  = 2026-12-01T17:00:00Z
reason = "CHG-4711 change window""#;

#[cfg(test)]
mod tests {
    use stint_policy::{SourceFile, parse};

    #[test]
    fn the_example_is_a_policy() {
        let file = SourceFile { path: "example".into(), text: super::EXAMPLE.into() };
        let policy = parse(&[file], "web-1", None).unwrap().policy;
        assert_eq!((policy.roles.len(), policy.grants.len()), (2, 1));
    }
}
