//! The policy on a host: all that is wrong with it is told in one go, a bad one never replaces a
//! good one, nobody but root has a say in it, and what is held from it ends with it.

use crate::common::{
    DENIED, SOON, assert_denied, assert_let_in, assert_says, builder, document, event_of, gate,
    gated, grant, id, is_in, kill, listed, status,
};
use serde_json::Value;
use stint_tests::{Host, Suite, eventually};

const GOOD: &str = r#"[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false
"#;

const BAD: &str = r#"[gate]
mode = "enforced"

[roles.admin]
sudo          = [{ commands = ["systemctl restart nginx"] }]
max_duratoin  = "4h"
eligible      = ["%engineers"]

[roles.containers]
groups       = ["dokcer"]
max_duration = "4 hours"
"#;

/// All that is wrong with `BAD`, as it is shown.
const TOLD: &str = r#"/etc/stint/policy.toml:2:8: gate.mode: "enforced" is not known here
    2 | mode = "enforced"
      |        ^^^^^^^^^^ one of "enforce", "observe"
/etc/stint/policy.toml:5:32: roles.admin.sudo.commands: "systemctl" is no absolute path
    5 | sudo          = [{ commands = ["systemctl restart nginx"] }]
      |                                ^^^^^^^^^^^^^^^^^^^^^^^^^ such as "/usr/bin/systemctl restart nginx", or "ALL"
/etc/stint/policy.toml:6:1: roles.admin.max_duratoin: unknown key
    6 | max_duratoin  = "4h"
      | ^^^^^^^^^^^^ did you mean max_duration?
/etc/stint/policy.toml:10:17: roles.containers.groups: there is no group "dokcer" on this host
   10 | groups       = ["dokcer"]
      |                 ^^^^^^^^ create it first: groupadd dokcer
/etc/stint/policy.toml:11:16: roles.containers.max_duration: "4 hours" is no duration
   11 | max_duration = "4 hours"
      |                ^^^^^^^^^ such as "4h", "90m", "1h30m"
/etc/stint/policy.d/10-more.toml:1:8: roles.admin: a second role of this name; the first is at /etc/stint/policy.toml:4
    1 | [roles.admin]
      |        ^^^^^ rename one of the two, or remove it
"#;

const FIRST_LINE: &str = "/etc/stint/policy.toml:2:8: gate.mode: \"enforced\" is not known here";

#[test]
fn all_that_is_wrong_is_told_in_one_go_and_the_good_policy_stays_in_force() {
    let host = gated(Suite::Bookworm, GOOD);
    let mut shell = host.shell("alice");
    let given = grant(&host, "alice admin --for 1h");
    host.write_policy(BAD);
    host.write("/etc/stint/policy.d/10-more.toml", "0644", "[roles.admin]\ngroups = [\"video\"]\n");
    let reload = host.run("stint reload");
    assert_eq!((reload.status, reload.stdout.as_str()), (1, ""), "{reload}");
    assert_eq!(reload.stderr, format!("stint: {TOLD}"));
    let check = host.run("stint policy check");
    assert_eq!(check.status, 1, "{check}");
    let errors: String =
        check.stderr.split_inclusive('\n').filter(|line| !line.contains("warning: ")).collect();
    for line in TOLD.lines() {
        assert!(errors.contains(line), "policy check does not say {line}:\n{errors}");
    }
    assert!(check.stderr.ends_with("stint: the policy has 6 errors\n"), "{check}");

    for when in ["after the reload", "after a restart", "after a kill"] {
        assert_let_in(&host, &mut shell, when);
        assert_eq!(listed(&host, id(&given))["state"], "active", "{when}");
        let shown = host.ok("stint status");
        let refused = "The policy on disk was refused; the one before is in force:";
        assert!(shown.contains(&format!("{refused}\n{TOLD}")), "{when}: {shown}");
        let doctor = host.run("stint doctor");
        assert_eq!(doctor.status, 1, "{when}: {doctor}");
        let line = format!(
            "wrong  {refused} {FIRST_LINE}.  Mend it:  stint policy check, then  stint reload\n"
        );
        assert!(doctor.stdout.contains(&line), "{when}: {doctor}");
        let unknown = host.run("stint grant alice containers --for 1h --reason x");
        let none = "stint: there is no role containers; the roles of this host: admin\n";
        assert_eq!((unknown.status, unknown.stderr.as_str()), (2, none), "{when}");
        if when == "after the reload" {
            host.ok("systemctl restart stintd.service");
        } else {
            kill(&host);
        }
    }
    let rejected = host.journal_of("STINT_EVENT=policy.rejected", 3, SOON);
    let line = format!("the policy was refused, the one before stays in force: {FIRST_LINE}");
    assert!(rejected.iter().all(|entry| entry["MESSAGE"] == *line), "{rejected:?}");

    host.ok("rm /etc/stint/policy.d/10-more.toml");
    host.load_policy(GOOD);
    assert_eq!(status(&host)["policy_problem"], Value::Null);
    assert_let_in(&host, &mut shell, "after it was mended");
}

#[test]
fn a_policy_in_which_others_have_a_say_is_refused() {
    let host = gated(Suite::Trixie, GOOD);
    let wider = format!("{GOOD}[roles.media]\ngroups = [\"video\"]\n");
    host.write_policy(&wider);
    let file = "/etc/stint/policy.toml";
    for (harm, said, mend) in [
        (
            "chmod 0666 FILE",
            "FILE: others than root may write it (mode 0666); mend it with: chmod go-w FILE",
            "chmod 0644 FILE",
        ),
        (
            "chmod 0664 FILE",
            "FILE: others than root may write it (mode 0664); mend it with: chmod go-w FILE",
            "chmod 0644 FILE",
        ),
        (
            "chown alice FILE",
            "FILE: uid 1000 owns it, not root; mend it with: chown root FILE",
            "chown root FILE",
        ),
        (
            "mv FILE /root/real && ln -s /root/real FILE",
            "FILE: it is a symbolic link; put the file itself there",
            "rm FILE && mv /root/real FILE",
        ),
        (
            "chmod 0777 /etc/stint",
            "/etc/stint: others than root may write it (mode 0777); mend it with: chmod go-w /etc/stint",
            "chmod 0755 /etc/stint",
        ),
        (
            "mkdir -p /etc/stint/policy.d && chown bob /etc/stint/policy.d",
            "/etc/stint/policy.d: uid 1001 owns it, not root; mend it with: chown root /etc/stint/policy.d",
            "chown root /etc/stint/policy.d",
        ),
        (
            "echo '[gate]' >/etc/stint/policy.d/x.toml && chmod 0646 /etc/stint/policy.d/x.toml",
            "/etc/stint/policy.d/x.toml: others than root may write it (mode 0646); mend it with: \
             chmod go-w /etc/stint/policy.d/x.toml",
            "rm /etc/stint/policy.d/x.toml",
        ),
    ] {
        let (harm, said, mend) =
            (harm.replace("FILE", file), said.replace("FILE", file), mend.replace("FILE", file));
        host.ok(&harm);
        for ask in ["stint reload", "stint policy check"] {
            let refused = host.run(ask);
            assert_eq!((refused.status, refused.stdout.as_str()), (1, ""), "{harm}: {refused}");
            assert_eq!(refused.stderr, format!("stint: {said}\n"), "{harm}, {ask}");
        }
        let roles = host.ok("stint roles --json");
        assert!(!roles.contains("media"), "{harm}: it is in force all the same");
        host.ok(&mend);
    }
    host.ok("stint reload");
    assert!(host.ok("stint roles --json").contains("media"));
}

#[test]
fn drop_ins_are_read_in_the_order_of_their_names_and_a_hangup_reads_them_again() {
    let host = gated(Suite::Bookworm, GOOD);
    let drop_in = |name: &str, text: &str| {
        host.write(&format!("/etc/stint/policy.d/{name}"), "0644", text);
    };
    drop_in("20-b.toml", "[roles.media]\ngroups = [\"audio\"]\n");
    drop_in("10-a.toml", "[roles.media]\ngroups = [\"video\"]\n");
    drop_in("05-not-read.conf", "this is no policy\n");
    drop_in(".06-not-read.toml", "this is no policy\n");
    let refused = host.run("stint reload");
    assert_eq!(refused.status, 1, "{refused}");
    let twice = "stint: /etc/stint/policy.d/20-b.toml:1:8: roles.media: a second role of this \
                 name; the first is at /etc/stint/policy.d/10-a.toml:1\n";
    assert!(refused.stderr.starts_with(twice), "{refused}");

    drop_in("20-b.toml", "[roles.sound]\ngroups = [\"audio\"]\n");
    let roles = |host: &Host| -> Vec<String> {
        let roles = document(&host.ok("stint roles --json"));
        let name = |role: &Value| role["name"].as_str().unwrap_or_default().to_owned();
        roles.as_array().into_iter().flatten().map(name).collect()
    };
    assert_eq!(roles(&host), ["admin"], "it was read without a word");
    host.ok("systemctl reload stintd.service");
    eventually("the new policy", SOON, || (roles(&host).len() > 1).then_some(()));
    assert_eq!(roles(&host), ["admin", "media", "sound"]);
    let loaded = host.journal("STINT_EVENT=policy.loaded");
    assert_eq!(loaded.last().unwrap()["STINT_ACTOR"], "SIGHUP");

    drop_in("20-b.toml", "nonsense");
    let pid = host.ok("systemctl show -P MainPID stintd.service");
    host.ok("systemctl reload stintd.service");
    let rejected = host.journal_of("STINT_EVENT=policy.rejected", 2, SOON);
    assert_eq!(rejected.last().unwrap()["STINT_ACTOR"], "SIGHUP");
    assert_eq!(roles(&host), ["admin", "media", "sound"]);
    assert_eq!(host.ok("systemctl show -P MainPID stintd.service"), pid, "it was restarted");
}

/// An entry of `[[grants]]` for alice, from and until so many seconds from now.
fn entry(host: &Host, role: &str, from: i32, until: i32) -> String {
    let time = |seconds: i32| {
        host.ok(&format!("date -u -d '{seconds} seconds' +%Y-%m-%dT%H:%M:%SZ")).trim().to_owned()
    };
    let (from, until) = (time(from), time(until));
    format!(
        "[[grants]]\nuser = \"alice\"\nrole = \"{role}\"\nfrom = {from}\nuntil = {until}\n\
         reason = \"CHG-4711 change window\"\n"
    )
}

/// What is held or was held of one role, oldest first.
fn of_role(host: &Host, role: &str) -> Vec<Value> {
    let all = document(&host.ok(&format!("stint list --all --role {role} --json")));
    all.as_array().cloned().unwrap_or_default()
}

#[test]
fn what_the_policy_says_is_held_ends_with_its_entry_its_role_or_by_revocation() {
    let host = gate(builder(Suite::Trixie, GOOD).boot());
    let mut shell = host.shell("alice");
    let media = "[roles.media]\ngroups = [\"video\"]\n";
    assert_denied(&host, &mut shell, "before");
    let (admin, group) = (entry(&host, "admin", -60, 3600), entry(&host, "media", -60, 3600));
    host.write_policy(&format!("{GOOD}{media}{admin}{group}"));
    let said = host.ok("stint reload");
    assert!(said.starts_with("The policy is in force: 2 roles on this host, gate mode enforce.\n"));
    assert_let_in(&host, &mut shell, "by the policy");
    assert!(is_in(&host, "alice", "video"));
    let held = &of_role(&host, "admin")[0];
    assert_eq!(held["origin"], "policy");
    assert_eq!(held["reason"], "CHG-4711 change window");
    for again in ["stint reload", "systemctl restart stintd.service"] {
        host.ok(again);
        let now = of_role(&host, "admin");
        assert_eq!((now.len(), &now[0]["id"]), (1, &held["id"]), "{again} gave it anew");
    }

    // An entry that goes.
    host.load_policy(&format!("{GOOD}{media}{group}"));
    assert_denied(&host, &mut shell, "without its entry");
    assert_eq!(of_role(&host, "admin")[0]["end_reason"], "policy");
    assert!(is_in(&host, "alice", "video"), "the other entry is still there");
    // It comes back, is revoked, and stays so although its entry stands.
    host.load_policy(&format!("{GOOD}{media}{group}{admin}"));
    assert_let_in(&host, &mut shell, "with its entry");
    host.ok("stint revoke --role admin --reason 'left the team'");
    for again in ["stint reload", "systemctl restart stintd.service"] {
        host.ok(again);
        assert_denied(&host, &mut shell, &format!("revoked, after {again}"));
    }
    // A role that goes, with what root gave of it.
    let ordered = grant(&host, "alice media --for 1h");
    host.load_policy(GOOD);
    assert!(!is_in(&host, "alice", "video"), "its role is gone");
    assert_eq!(listed(&host, id(&ordered))["end_reason"], "policy");
    let told = event_of(&host, "grant.revoked", id(&ordered));
    assert_eq!(told["STINT_ACTOR"], "policy");
    assert_eq!(told["STINT_REASON"], "its role is no longer in the policy");
}

#[test]
fn what_the_policy_says_for_later_begins_and_ends_by_itself() {
    let host = gate(builder(Suite::Bookworm, GOOD).boot());
    let mut shell = host.shell("alice");
    let (later, over) = (entry(&host, "admin", 5, 9), entry(&host, "admin", -60, -5));
    host.write_policy(&format!("{GOOD}{later}{over}"));
    let said = host.run("stint reload");
    assert!(said.ok(), "{said}");
    assert!(said.stderr.contains("this grant of alice is over already"), "{said}");
    let held = of_role(&host, "admin");
    assert_eq!(held.len(), 1, "{held:?}");
    let early = shell.run("sudo -n id -u");
    assert_ne!(early.status, 0, "before its time: {early}");
    assert!(early.stdout.contains("stint: your grant of admin ("), "{early}");
    event_of(&host, "grant.activated", id(&held[0]));
    assert_let_in(&host, &mut shell, "in its time");
    event_of(&host, "grant.expired", id(&held[0]));
    assert_says(&shell.run("sudo -n id -u"), DENIED, "after its time");
    host.ok("stint reload");
    assert_denied(&host, &mut shell, "over, and loaded again");
}
