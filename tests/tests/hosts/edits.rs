//! Edits of the group files by the host's own tools, beside grants and their ends: none is lost.
//!
//! Of shadow-utils' tools, as Debian 12 and 13 have them (4.13, 4.17.4), all read the files under
//! the locks but one: gpasswd copies its group's lines before it takes them, and writes the copy.
//! Two edits of one group, one of them by gpasswd, can lose one another without stint. So gpasswd
//! edits groups that nobody else does; the others edit the very groups that stint gives.

use crate::common::{SOON, gated, grant, id, listed, quiet};
use std::collections::BTreeMap;
use stint_tests::{Host, Suite, eventually};

const POLICY: &str = r#"
[groups]
backend = "files"
[roles.media]
groups = ["audio", "video"]
[roles.screen]
groups = ["video"]
"#;

/// Kinds of edits: so many are made for each number.
const KINDS: usize = 8;

/// `$1` numbers, by four at a time. What fails is noted: all of these must work.
const EDITS: &str = r#"
edit() {
    "$@" >/dev/null 2>>/run/failed || echo "$*" >>/run/failed
}
one() { for n in $(seq $1); do edit gpasswd -a alice one$n; edit groupmod -n new$n old$n; done; }
two() { for n in $(seq $1); do edit usermod -aG two$n,video mail; edit groupadd added$n; done; }
three() { for n in $(seq $1); do edit gpasswd -d carol three$n; edit groupdel gone$n; done; }
four() {
    for n in $(seq $1); do
        edit useradd -M -d / -s /usr/sbin/nologin -N -G four$n,audio user$n
        edit usermod -aG video user$n
    done
}
one $1 & two $1 & three $1 & four $1 &
wait
touch /run/done
"#;

/// The groups that are edited.
const GROUPS: &str = r"
id=3000
for n in $(seq $1); do
    for of in one two three four old gone; do
        id=$((id + 1))
        echo $of$n:x:$id:carol >>/etc/group; echo $of$n:!::carol >>/etc/gshadow
    done
done
grpck -r && pwck -q -r
";

/// How many edits: a thousand and more where all faults are asked for, else some.
fn numbers() -> usize {
    match std::env::var("STINT_FAULTS") {
        Ok(word) if word == "all" => 1200 / KINDS,
        _ => 240 / KINDS,
    }
}

fn edits_beside_grants_lose_nothing(suite: Suite) {
    let host = gated(suite, POLICY);
    let count = numbers();
    host.write("/run/groups", "0755", GROUPS);
    host.write("/run/edits", "0755", EDITS);
    host.ok(&format!("sh /run/groups {count}"));
    host.ok(&format!("sh /run/edits {count} >/dev/null 2>&1 </dev/null &"));
    let mut rounds = 0;
    while !host.run("test -e /run/done").ok() {
        rounds += 1;
        grant_and_end(&host, rounds % 2 == 0);
    }
    println!("{}: {} edits beside {rounds} grants and ends", suite.name(), count * KINDS);
    assert!(rounds >= 2, "grants and edits did not meet in both ways: {rounds}");
    assert_eq!(host.run("cat /run/failed").stdout, "");
    quiet(&host);
    nothing_is_lost(&host, count);
}

/// Gives two roles, which have to be there, and ends them: both by hand, or one by the clock.
fn grant_and_end(host: &Host, by_hand: bool) {
    let held = if by_hand { "1h" } else { "1s" };
    let alice = grant(host, &format!("alice media --for {held}"));
    let bob = grant(host, "bob screen --for 1h");
    if by_hand {
        let members = members(host, "group");
        for (group, user) in [("audio", "alice"), ("video", "alice"), ("video", "bob")] {
            let there = members[group].iter().any(|member| member == user);
            assert!(there, "{user} was lost from {group}: {:?}", members[group]);
        }
    } else {
        eventually("the end", SOON, || {
            (listed(host, id(&alice))["state"] == "ended").then_some(())
        });
    }
    let running = if by_hand { vec![&alice, &bob] } else { vec![&bob] };
    for grant in running {
        host.ok(&format!("stint revoke {} --reason x", id(grant)));
    }
}

/// The members of every group, as one of the two files has them.
fn members(host: &Host, file: &str) -> BTreeMap<String, Vec<String>> {
    let text = String::from_utf8(host.read(&format!("/etc/{file}"))).unwrap();
    let read = |line: &str| {
        let (group, members) = (line.split(':').next(), line.rsplit(':').next());
        let members = members.unwrap_or_default().split(',').filter(|name| !name.is_empty());
        (group.unwrap_or_default().to_owned(), members.map(str::to_owned).collect())
    };
    text.lines().map(read).collect()
}

fn nothing_is_lost(host: &Host, count: usize) {
    for file in ["group", "gshadow"] {
        let mut found = members(host, file);
        for members in found.values_mut() {
            members.sort();
        }
        let is = |group: &str, wanted: &[&str]| {
            let members = found.get(group).map(|members| members.join(","));
            let wanted = (wanted != ["no such group"]).then(|| wanted.join(","));
            assert_eq!(members, wanted, "{group} in {file}");
        };
        let mut users: Vec<String> = (1..=count).map(|n| format!("user{n}")).collect();
        users.sort();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        is("audio", &users);
        is("video", &[&["mail"], users.as_slice()].concat());
        for n in 1..=count {
            is(&format!("one{n}"), &["alice", "carol"]);
            is(&format!("two{n}"), &["carol", "mail"]);
            is(&format!("three{n}"), &[]);
            is(&format!("four{n}"), &["carol", &format!("user{n}")]);
            is(&format!("new{n}"), &["carol"]);
            is(&format!("old{n}"), &["no such group"]);
            is(&format!("gone{n}"), &["no such group"]);
            is(&format!("added{n}"), &[]);
        }
    }
    host.ok("grpck -r && pwck -q -r");
}

#[test]
fn on_bookworm_edits_beside_grants_and_their_ends_lose_nothing() {
    edits_beside_grants_lose_nothing(Suite::Bookworm);
}

#[test]
fn on_trixie_edits_beside_grants_and_their_ends_lose_nothing() {
    edits_beside_grants_lose_nothing(Suite::Trixie);
}
