//! What a grant leaves: nothing is named where nothing was done, everything that can be seen where
//! something was, each once and by nobody's name; and never what a file says.

use std::collections::BTreeSet;

use crate::common::{
    SOON, alarms, builder, document, event_of, gate, grant, id, kill, listed, next_boot, with_boots,
};
use serde_json::Value;
use stint_tests::{Host, HostBuilder, Suite, eventually};

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
groups   = ["video"]
polkit   = ["org.freedesktop.timedate1.set-time"]
password = false
grace    = "1s"

[roles.containers]
groups = ["audio"]
grace  = "1s"
"#;

/// A host that has cron's folders, as one with cron does.
fn host(suite: Suite) -> HostBuilder {
    let keep = |builder: HostBuilder, folder: &str| {
        builder.file(&format!("/etc/{folder}/.placeholder"), 0o644, "")
    };
    ["cron.d", "cron.daily"].into_iter().fold(builder(suite, POLICY), keep)
}

/// Ends a grant, and returns what it left.
fn residue(host: &Host, given: &Value) -> Value {
    host.ok(&format!("stint revoke {} --reason 'enough'", id(given)));
    left(host, given)
}

/// What a grant that is over left.
fn left(host: &Host, given: &Value) -> Value {
    eventually("the look after the grant", SOON, || {
        let left = listed(host, id(given))["residue"].clone();
        (!left.is_null()).then_some(left)
    })
}

/// What was found, as in `new sudo /etc/sudoers.d/x`.
fn found(left: &Value) -> Vec<String> {
    let word = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let line = |one: &Value| {
        let entry = word(one, "entry");
        let entry = if entry.is_empty() { entry } else { format!(" {entry}") };
        format!("{} {} {}{entry}", word(one, "change"), word(one, "kind"), word(one, "path"))
    };
    left["found"].as_array().into_iter().flatten().map(line).collect()
}

fn sudo(host: &Host, line: &str) {
    let done = host.as_user("alice", &format!("sudo -n sh -ec '{line}'"));
    assert!(done.ok(), "{line}: {done}");
}

/// How many pictures, and grants to be compared with one, the state holds.
fn kept(host: &Host) -> String {
    host.ok("python3 -c 'import sqlite3
db = sqlite3.connect(\"/var/lib/stint/state.sqlite\")
print(*[db.execute(\"SELECT count(*) FROM \" + name).fetchone()[0] for name in (\"pictures\", \"first_looks\")])'")
}

fn a_grant_that_changes_nothing_leaves_nothing(suite: Suite) {
    let host = gate(host(suite).boot());
    let other = grant(&host, "bob containers --for 1h");
    let given = grant(&host, "alice admin --for 1h");
    sudo(&host, "true");
    host.ok("grep -q alice /etc/sudoers.d/stint || stint list | grep -q alice");
    let more = grant(&host, "carol admin --for 1h");
    for given in [&given, &more, &other] {
        let left = residue(&host, given);
        assert_eq!((found(&left), &left["count"]), (Vec::<String>::new(), &0.into()), "{left}");
        assert_eq!((&left["late"], &left["unseen"]), (&false.into(), &Value::Array(vec![])));
        assert!(left["since"].as_str() <= left["until"].as_str(), "{left}");
        assert_eq!(
            host.journal(&format!("STINT_EVENT=grant.residue STINT_GRANT={}", id(given))).len(),
            0
        );
    }
    assert_eq!(kept(&host), "0 0\n", "a picture outlived what it was for");
    assert!(!host.ok("stint list --all").contains("Changed on this host"));
    // One that never began has nothing to answer for.
    let later = grant(&host, "alice admin --at +1h --for 1h");
    host.ok(&format!("stint revoke {} --reason enough", id(&later)));
    assert_eq!(listed(&host, id(&later))["residue"], Value::Null);
}

#[test]
fn a_grant_that_changes_nothing_leaves_nothing_on_bookworm() {
    a_grant_that_changes_nothing_leaves_nothing(Suite::Bookworm);
}

#[test]
fn a_grant_that_changes_nothing_leaves_nothing_on_trixie() {
    a_grant_that_changes_nothing_leaves_nothing(Suite::Trixie);
}

/// Everything that somebody might leave, a line each, and how it is named.
const LEFT: &[(&str, &[&str])] = &[
    (
        "echo \"alice ALL=(ALL) NOPASSWD: ALL\" >/etc/sudoers.d/mallory",
        &["new sudo /etc/sudoers.d/mallory"],
    ),
    ("chmod 0777 /etc/cron.d", &["changed cron /etc/cron.d/"]),
    ("echo \"* * * * * root true\" >/etc/cron.d/mallory", &["new cron /etc/cron.d/mallory"]),
    (
        "mkdir -p /var/spool/cron/crontabs && echo \"* * * * * true\" >/var/spool/cron/crontabs/root",
        &["new cron /var/spool/cron/crontabs/root"],
    ),
    (
        "mkdir -p /var/spool/cron/atjobs && echo true >/var/spool/cron/atjobs/a00001019c0000",
        &["new at /var/spool/cron/atjobs/a00001019c0000"],
    ),
    (
        "printf \"[Service]\\nExecStart=/bin/true\\n\" >/etc/systemd/system/mallory.service",
        &["new unit /etc/systemd/system/mallory.service"],
    ),
    (
        "mkdir /etc/systemd/system/ssh.service.d && echo >/etc/systemd/system/ssh.service.d/x.conf",
        &["new unit /etc/systemd/system/ssh.service.d/x.conf"],
    ),
    (
        "systemd-run -q --unit=lives-on sleep 600",
        &["new transient /run/systemd/transient/lives-on.service"],
    ),
    (
        "mkdir -p -m 700 /root/.ssh && echo key >/root/.ssh/authorized_keys",
        &["new ssh /root/.ssh/authorized_keys"],
    ),
    (
        "mkdir -p /home/bob/.ssh && echo key >/home/bob/.ssh/authorized_keys",
        &["new ssh /home/bob/.ssh/authorized_keys"],
    ),
    (
        "useradd -M -N mallory",
        &[
            "new account /etc/passwd mallory",
            "new account /etc/shadow mallory",
            "new account /etc/subuid mallory",
            "new account /etc/subgid mallory",
        ],
    ),
    ("echo carol:another-word | chpasswd", &["changed account /etc/shadow carol"]),
    ("usermod -aG sudo bob", &["new account /etc/group bob in sudo"]),
    ("echo \"# mine\" >>/etc/pam.d/su", &["changed pam /etc/pam.d/su"]),
    ("rm /etc/pam.d/other", &["gone pam /etc/pam.d/other"]),
    (
        "cp /bin/dash /usr/local/bin/rootshell && chmod u+s /usr/local/bin/rootshell",
        &["new setuid /usr/local/bin/rootshell"],
    ),
    ("cp /bin/dash /tmp/rootshell && chmod u+s /tmp/rootshell", &["new setuid /tmp/rootshell"]),
    (
        "mkdir /home/alice/in && cp /bin/dash /home/alice/in/sh && chmod g+s /home/alice/in/sh",
        &["new setuid /home/alice/in/sh"],
    ),
    (
        "cp /bin/dash /usr/bin/capable && setfattr -n security.capability -v 0x0100000280000000000000000000000000000000 /usr/bin/capable",
        &["new capability /usr/bin/capable"],
    ),
    ("echo \"#!/bin/sh\" >/usr/local/sbin/ls", &["new program /usr/local/sbin/ls"]),
    ("echo >/etc/ld.so.preload", &["new loader /etc/ld.so.preload"]),
    (
        "mkdir -p /run/userdb && echo {} >/run/userdb/alice:root.membership",
        &["new account /run/userdb/alice:root.membership"],
    ),
    (
        "touch /etc/stint/policy.d/x.toml || { mkdir /etc/stint/policy.d && touch /etc/stint/policy.d/x.toml; }",
        &["new stint /etc/stint/policy.d/x.toml"],
    ),
    // Names that would pretend to be something else, or lead somewhere.
    ("touch \"/etc/cron.d/a, new shadow: root\"", &["new cron /etc/cron.d/a, new shadow: root"]),
    (
        "touch \"$(printf \"/etc/sudoers.d/x\\n\\033[2Jy\")\"",
        &["new sudo /etc/sudoers.d/x\n\u{1b}[2Jy"],
    ),
    ("ln -s /root /etc/cron.daily/elsewhere", &["new cron /etc/cron.daily/elsewhere"]),
];

fn everything_that_can_be_seen_is_named_once(suite: Suite) {
    let host = gate(host(suite).boot());
    let given = grant(&host, "alice admin --for 1h");
    let mut wanted = BTreeSet::new();
    for (line, names) in LEFT {
        sudo(&host, line);
        wanted.extend(names.iter().map(|name| (*name).to_owned()));
    }
    kill(&host);
    let left = residue(&host, &given);
    let found = found(&left);
    let once: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(once, wanted);
    assert_eq!(found.len(), once.len(), "named twice: {found:#?}");
    assert_eq!(found[0], "new sudo /etc/sudoers.d/mallory", "what weighs most comes first");
    assert_eq!((&left["count"], &left["late"]), (&found.len().into(), &false.into()), "{left}");

    let event = event_of(&host, "grant.residue", id(&given));
    let text = event["MESSAGE"].as_str().unwrap();
    let start = format!(
        "while admin for alice ({}) was held, {} things changed on this host, by whomever (2 sudo, ",
        id(&given),
        found.len()
    );
    assert!(text.starts_with(&start), "{text}");
    assert!(text.contains(": new /etc/sudoers.d/mallory, ") && text.contains(" more"), "{text}");
    assert!(!text.contains(['\n', '\u{1b}']) && !text.contains("(cut)"), "{text}");
    assert_eq!((&event["STINT_USER"], &event["PRIORITY"]), (&"alice".into(), &"5".into()));
    assert_eq!(host.journal("STINT_EVENT=grant.residue").len(), 1);
    let shown = host.ok("stint list --all");
    assert!(shown.contains("Changed on this host while grants were held, by whomever:"), "{shown}");
    assert!(
        shown.contains(&format!("{}   new", id(&given))) && !shown.contains('\u{1b}'),
        "{shown}"
    );
    let own = document(&host.as_user("alice", "stint list --all --json").stdout);
    assert_eq!(own[0]["residue"], Value::Null, "what others did is not hers to know");

    // Hashes and contents stay where they were.
    let secrets = host.ok("cut -d : -f 2 /etc/shadow | grep '^\\$'");
    let mut texts =
        host.ok("cat /var/lib/stint/state.sqlite*; journalctl --no-pager -o export | cat -v");
    texts.push_str(&left.to_string());
    for secret in secrets.lines() {
        assert!(!texts.contains(secret), "a hash is where it does not belong");
    }
}

#[test]
fn everything_that_can_be_seen_is_named_once_on_bookworm() {
    everything_that_can_be_seen_is_named_once(Suite::Bookworm);
}

#[test]
fn everything_that_can_be_seen_is_named_once_on_trixie() {
    everything_that_can_be_seen_is_named_once(Suite::Trixie);
}

#[test]
fn what_overlapping_grants_leave_is_told_of_each_from_its_own_beginning() {
    let host = gate(host(Suite::Trixie).boot());
    let first = grant(&host, "alice admin --for 1h");
    sudo(&host, "touch /etc/cron.d/one");
    host.ok("sleep 1");
    let second = grant(&host, "bob containers --for 1h");
    sudo(&host, "touch /etc/cron.d/two");
    assert_eq!(kept(&host), "2 2\n");
    let one = "new cron /etc/cron.d/one";
    let two = "new cron /etc/cron.d/two";
    assert_eq!(found(&residue(&host, &second)), [two]);
    assert_eq!(kept(&host), "1 1\n");
    sudo(&host, "rm /etc/cron.d/two");
    assert_eq!(found(&residue(&host, &first)), [one]);
    assert_eq!(kept(&host), "0 0\n");
    // Grants that begin together share a picture.
    host.load_policy(&format!(
        "{POLICY}\n[[grants]]\nuser = \"alice\"\nrole = \"admin\"\nfrom = 2020-01-01T00:00:00Z\n\
         until = 2099-01-01T00:00:00Z\nreason = \"x\"\n[[grants]]\nuser = \"bob\"\nrole = \"admin\"\n\
         from = 2020-01-01T00:00:00Z\nuntil = 2099-01-01T00:00:00Z\nreason = \"x\"\n"
    ));
    assert_eq!(kept(&host), "1 2\n");
}

#[test]
fn what_a_boot_brings_is_told_and_what_it_takes_is_not() {
    let mut host = gate(with_boots(host(Suite::Bookworm)).boot());
    let given = grant(&host, "alice admin --for 2h");
    sudo(&host, "echo x >/etc/cron.d/before; systemd-run -q --unit=ends-with-it sleep 600");
    next_boot(&host);
    host.reboot();
    sudo(&host, "echo x >/etc/cron.d/after; systemd-run -q --unit=lives-on sleep 600");
    assert_eq!(
        found(&residue(&host, &given)),
        [
            "new cron /etc/cron.d/after",
            "new cron /etc/cron.d/before",
            "new transient /run/systemd/transient/lives-on.service",
        ]
    );
    assert!(alarms(&host).is_empty());
}

#[test]
fn what_ends_while_stintd_is_away_is_looked_after() {
    let host = gate(host(Suite::Trixie).boot());
    let given = grant(&host, "alice admin --for 4s");
    sudo(&host, "touch /etc/cron.d/x");
    host.ok("systemctl stop stintd.socket stintd.service; sleep 5; touch /etc/cron.d/y");
    host.ok("systemctl start stintd.socket stintd.service");
    let names = ["new cron /etc/cron.d/x", "new cron /etc/cron.d/y"];
    assert_eq!(found(&left(&host, &given)), names);
    // What an earlier stint has given is looked at from now on, and that is said.
    let old = grant(&host, "alice admin --for 1h");
    host.ok("systemctl stop stintd.socket stintd.service; python3 -c 'import sqlite3
db = sqlite3.connect(\"/var/lib/stint/state.sqlite\")
db.execute(\"DELETE FROM first_looks\"); db.commit()'");
    host.ok("touch /etc/cron.d/unseen; systemctl start stintd.socket stintd.service");
    eventually("the late look", SOON, || (kept(&host) == "1 1\n").then_some(()));
    sudo(&host, "touch /etc/cron.d/z");
    let after = residue(&host, &old);
    assert_eq!(
        (found(&after), &after["late"]),
        (vec!["new cron /etc/cron.d/z".to_owned()], &true.into())
    );
    let event = event_of(&host, "grant.residue", id(&old));
    assert!(event["MESSAGE"].as_str().unwrap().contains(" was held (seen since 2"), "{event}");
}

#[test]
fn a_look_that_sees_nothing_is_never_silent() {
    let host = gate(host(Suite::Trixie).boot());
    host.write(
        "/etc/systemd/system/stintd.service.d/blind.conf",
        "0644",
        "[Service]\nCapabilityBoundingSet=~CAP_SYS_PTRACE\n",
    );
    let given = grant(&host, "alice admin --for 1h");
    host.ok("systemctl daemon-reload && systemctl restart stintd.service");
    let left = residue(&host, &given);
    assert_eq!(left["count"], 0);
    let why = left["unseen"][0].as_str().unwrap();
    assert!(why.starts_with("the host cannot be seen: "), "{why}");
    let event = event_of(&host, "grant.residue", id(&given));
    let text = format!("while admin for alice ({}) was held, not looked at: {why}", id(&given));
    assert_eq!(event["MESSAGE"], text.as_str());
}
