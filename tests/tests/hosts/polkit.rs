//! polkit actions as part of a role: allowed from the grant to its end and no longer, stintd alive or
//! not; what polkit remembers goes with the rule; and what cannot be written is an alarm.

use serde_json::Value;
use std::time::Duration;
use stint_tests::clock::pause;
use stint_tests::{Host, HostBuilder, Output, Shell, Suite, eventually};

use crate::common::{SOON, alarms, builder, event_of, grant, id, is_in, kill, listed, quiet};

const POLICY: &str = r#"
[roles.clock]
polkit   = ["org.example.set", "org.example.show"]
password = false

[roles.keeper]
polkit   = ["org.example.set"]
password = false

[roles.asked]
polkit   = ["org.example.kept"]

[roles.units]
polkit   = ["org.freedesktop.systemd1.manage-units"]
password = false

[roles.programs]
polkit   = ["org.freedesktop.policykit.exec"]
password = false

[roles.media]
groups   = ["video"]
"#;

const ACTIONS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/PolicyKit/1/policyconfig.dtd">
<policyconfig>
  <action id="org.example.set"><description>Set</description><message>Set</message>
    <defaults><allow_any>no</allow_any><allow_inactive>no</allow_inactive>
      <allow_active>no</allow_active></defaults></action>
  <action id="org.example.show"><description>Show</description><message>Show</message>
    <defaults><allow_any>auth_admin</allow_any><allow_inactive>auth_admin</allow_inactive>
      <allow_active>auth_admin</allow_active></defaults></action>
  <action id="org.example.kept"><description>Kept</description><message>Kept</message>
    <defaults><allow_any>auth_self_keep</allow_any><allow_inactive>auth_self_keep</allow_inactive>
      <allow_active>auth_self_keep</allow_active></defaults></action>
</policyconfig>
"#;

const FILE: &str = "/etc/polkit-1/rules.d/40-stint.rules";
/// polkit's answers, as pkcheck has them for its status.
const YES: i32 = 0;
const NO: i32 = 1;
const ASKS: i32 = 2;

/// A host with this file's policy and actions, to be told more about.
pub fn with(suite: Suite) -> HostBuilder {
    let actions = "/usr/share/polkit-1/actions/org.example.policy";
    builder(suite, POLICY).file(actions, 0o644, ACTIONS)
}

/// What polkit says of this action of this user's, where nobody is asked.
fn check(host: &Host, user: &str, action: &str) -> i32 {
    host.as_user(user, &format!("pkcheck --action-id {action} --process $$")).status
}

/// polkit reads its rules a moment after they were written.
fn becomes(host: &Host, user: &str, action: &str, answer: i32) {
    eventually(&format!("{answer} for {user}'s {action}"), SOON, || {
        (check(host, user, action) == answer).then_some(())
    });
}

fn rules(host: &Host) -> Option<String> {
    host.run(&format!("test -e {FILE}")).ok().then(|| String::from_utf8(host.read(FILE)).unwrap())
}

fn block(grant: &Value, user: &str, uid: u32, role: &str, actions: &str) -> String {
    let until = grant["expires_at"].as_str().unwrap();
    let end: String = until.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(end.len(), 17, "{until}");
    format!(
        "// grant {}: {role} for {user} until {until}\n\
         polkit.addRule(function (action, subject) {{\n    \
             if (subject.user === \"{user}\" &&\n        \
                 (subject.uid === undefined || subject.uid === {uid}) &&\n        \
                 Date.now() < @ &&\n        \
                 {actions}.indexOf(action.id) >= 0) {{\n        \
                 return polkit.Result.YES;\n    \
             }}\n\
         }});\n",
        id(grant)
    )
}

/// The text with `@` for the numbers of milliseconds, each of which is checked against its line.
fn without_ends(host: &Host, text: &str) -> String {
    let mut until = String::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some((_, time)) = line.split_once(" until ") {
            until = host.ok(&format!("date -u -d {time} +%s%3N")).trim().to_owned();
        }
        lines.push(line.replace(&format!("< {until} "), "< @ ") + "\n");
    }
    lines.concat()
}

fn polkitd(host: &Host) -> String {
    host.ok("systemctl show -P MainPID polkit.service").trim().to_owned()
}

#[test]
fn an_action_is_allowed_from_the_grant_to_its_end() {
    for suite in Suite::ALL {
        let host = with(suite).boot();
        for user in ["alice", "bob"] {
            assert_eq!(check(&host, user, "org.example.set"), NO, "{suite:?} {user}");
            assert_eq!(check(&host, user, "org.example.show"), ASKS, "{suite:?} {user}");
        }
        let before = polkitd(&host);
        assert_eq!(rules(&host), None, "there is a rule file without a grant");
        let media = grant(&host, "carol media --for 1h");
        assert_eq!(rules(&host), None, "a role without actions writes rules");
        let first = grant(&host, "alice clock --for 1h");
        for action in ["org.example.set", "org.example.show"] {
            becomes(&host, "alice", action, YES);
            assert_ne!(check(&host, "bob", action), YES, "{suite:?}: somebody else");
        }
        assert_eq!(check(&host, "alice", "org.example.kept"), ASKS, "another action");
        let second = grant(&host, "bob clock --for 2h");
        let over = grant(&host, "alice keeper --for 30m");
        becomes(&host, "bob", "org.example.set", YES);
        let text = rules(&host).unwrap();
        let actions = r#"["org.example.set","org.example.show"]"#;
        let blocks = [
            block(&first, "alice", 1000, "clock", actions),
            block(&second, "bob", 1001, "clock", actions),
            block(&over, "alice", 1000, "keeper", r#"["org.example.set"]"#),
        ];
        let shown = without_ends(&host, &text);
        assert!(blocks.iter().all(|block| shown.contains(block)), "{shown}\n{blocks:?}");
        assert_eq!(shown.lines().count(), 2 + 3 * 9, "{shown}");
        assert_eq!(
            host.ok(&format!("stat -c '%a %U:%G %F' {FILE}")),
            "644 root:root regular file\n"
        );
        event_of(&host, "grant.activated", id(&over));
        let _ = host.journal_of("STINT_EVENT=polkit_rule.written", 3, SOON);
        // Another grant of hers gives it too; what only the first gave is gone.
        host.ok(&format!("stint revoke {} --reason over", id(&first)));
        becomes(&host, "alice", "org.example.show", ASKS);
        assert_eq!(check(&host, "alice", "org.example.set"), YES);
        host.ok(&format!("stint revoke {} --reason over", id(&over)));
        becomes(&host, "alice", "org.example.set", NO);
        assert_eq!(check(&host, "bob", "org.example.show"), YES, "{suite:?}");
        assert!(host.as_user("bob", "stint drop").ok());
        becomes(&host, "bob", "org.example.set", NO);
        assert_eq!(rules(&host), None, "a rule file without a rule is left");
        assert_eq!(host.run("ls -A /etc/polkit-1/rules.d").stdout, "");
        assert_eq!(listed(&host, id(&media))["state"], "active");
        assert_eq!(polkitd(&host), before, "nobody was asked, so there was nothing to forget");
    }
}

/// Lets polkit ask on this terminal, and gives this answer.
fn asked(shell: &mut Shell, action: &str, password: &str) -> i32 {
    ask(shell, action);
    answer(shell, password).status
}

fn ask(shell: &mut Shell, action: &str) {
    let agent = "--allow-user-interaction --enable-internal-agent";
    shell.start(&format!("pkcheck --action-id {action} --process $$ {agent}"));
    shell.expect_within("assword:", SOON);
    // The agent throws away what was typed before it has turned the echo off.
    pause(Duration::from_millis(500));
}

fn answer(shell: &mut Shell, password: &str) -> Output {
    shell.type_line(password);
    shell.finish()
}

#[test]
fn what_polkit_remembers_goes_with_the_rule() {
    for suite in Suite::ALL {
        let host = with(suite).boot();
        let mut shell = host.shell("alice");
        // Kept, as the action itself says: this shell is believed for minutes.
        assert_eq!(asked(&mut shell, "org.example.kept", "pw-alice"), YES, "{suite:?}");
        let quick = "pkcheck --action-id org.example.kept --process $$";
        assert_eq!(shell.run(quick).status, YES, "{suite:?}: kept");
        let before = polkitd(&host);
        let first = grant(&host, "alice asked --for 1h");
        assert!(rules(&host).unwrap().contains("return polkit.Result.AUTH_SELF;\n"));
        host.ok(&format!("stint revoke {} --reason over", id(&first)));
        eventually("polkit anew", SOON, || (polkitd(&host) != before).then_some(()));
        eventually("the end of what was kept", SOON, || {
            (shell.run(quick).status == ASKS).then_some(())
        });
        // With the grant she is asked each time, for her own password, and for the wrong one no.
        let second = grant(&host, "alice asked --for 1h");
        pause(Duration::from_secs(1));
        assert_ne!(asked(&mut shell, "org.example.kept", "wrong"), YES, "{suite:?}");
        assert_eq!(asked(&mut shell, "org.example.kept", "pw-alice"), YES, "{suite:?}");
        assert_eq!(
            shell.run(quick).status,
            ASKS,
            "{suite:?}: nothing is kept of a rule of stint's"
        );
        // A question that is open at the end is answered in vain.
        let before = polkitd(&host);
        ask(&mut shell, "org.example.kept");
        host.ok(&format!("stint revoke {} --reason over", id(&second)));
        eventually("polkit anew", SOON, || {
            let now = polkitd(&host);
            (now != before && now != "0").then_some(())
        });
        let late = answer(&mut shell, "pw-alice");
        assert_ne!(late.status, YES, "{suite:?}: {late}");
        eventually("an end of notes", SOON, || {
            (host.ok("ls /run/stint") == "pam.sock\n").then_some(())
        });
        quiet(&host);
    }
}

#[test]
fn what_a_dead_daemon_has_not_seen_to_is_seen_to_by_the_next() {
    let host = with(Suite::Trixie).boot();
    assert_eq!(check(&host, "alice", "org.example.kept"), ASKS);
    let before = polkitd(&host);
    // As it is when stintd dies between the new rules and polkit's restart.
    host.ok("touch /run/stint/polkit-remembers");
    kill(&host);
    eventually("polkit anew", SOON, || (polkitd(&host) != before).then_some(()));
    eventually("an end of notes", SOON, || {
        (host.ok("ls /run/stint") == "pam.sock\n").then_some(())
    });
    assert_eq!(check(&host, "alice", "org.example.kept"), ASKS);
    quiet(&host);
}

#[test]
fn a_rule_ends_by_itself_though_stintd_is_dead_or_stopped() {
    for suite in Suite::ALL {
        let host = with(suite).boot();
        assert_eq!(check(&host, "alice", "org.example.set"), NO);
        let given = grant(&host, "alice clock --for 12s");
        becomes(&host, "alice", "org.example.set", YES);
        match suite {
            Suite::Bookworm => {
                host.ok("systemctl mask --runtime -q stintd.socket stintd.service; \
                 kill -KILL $(systemctl show -P MainPID stintd.service); \
                 systemctl stop stintd.socket stintd.service")
            }
            Suite::Trixie => host.ok("kill -STOP $(systemctl show -P MainPID stintd.service)"),
        };
        becomes(&host, "alice", "org.example.set", NO);
        assert!(rules(&host).unwrap().contains(id(&given)), "somebody else took the rule away");
        match suite {
            Suite::Bookworm => host
                .ok("systemctl unmask --runtime -q stintd.socket stintd.service; \
                 systemctl start stintd.socket stintd.service"),
            Suite::Trixie => host.ok("kill -CONT $(systemctl show -P MainPID stintd.service)"),
        };
        event_of(&host, "grant.expired", id(&given));
        eventually("the end of the file", SOON, || rules(&host).is_none().then_some(()));
    }
}

#[test]
fn where_the_rules_cannot_be_written_nothing_is_granted_and_the_end_is_tried_for_ever() {
    for suite in Suite::ALL {
        let host = with(suite).boot();
        let nothing = |why: &str| {
            let output = host.run("stint grant alice clock --for 1h --reason x");
            assert_eq!(output.status, 1, "{output}");
            assert_eq!(output.stderr, format!("stint: nothing was granted: {why}\n"));
            assert_eq!(host.ok("stint list --json"), "[]\n");
            assert_eq!(check(&host, "alice", "org.example.set"), NO);
        };
        let folder = "/etc/polkit-1/rules.d";
        host.set_writable("stintd.service", folder, false);
        nothing(&format!("{folder}/.40-stint.rules.new: Read-only file system (os error 30)"));
        let media = grant(&host, "alice media --for 1h");
        assert!(is_in(&host, "alice", "video"), "a role without actions needs no rules");
        host.ok(&format!("stint revoke {} --reason over", id(&media)));
        host.set_writable("stintd.service", folder, true);
        let given = grant(&host, "alice clock --for 1h");
        becomes(&host, "alice", "org.example.set", YES);
        host.set_writable("stintd.service", folder, false);
        host.ok(&format!("stint revoke {} --reason over", id(&given)));
        let standing = alarms(&host);
        assert!(standing.iter().any(|text| text.contains("40-stint.rules")), "{standing:?}");
        assert!(host.run("stint doctor").text().contains("40-stint.rules"));
        let _ = host.journal_of("STINT_EVENT=polkit_rule.failed", 1, SOON);
        host.set_writable("stintd.service", folder, true);
        quiet(&host);
        becomes(&host, "alice", "org.example.set", NO);
        assert_eq!(rules(&host), None);
    }
}

#[test]
fn without_polkit_a_role_that_needs_it_says_so() {
    let host = with(Suite::Bookworm).boot();
    host.ok("systemctl mask -q --now polkit.service && rmdir /etc/polkit-1/rules.d");
    // The daemon's own mounts hold on to the folder.
    host.ok("systemctl restart stintd.service");
    let output = host.run("stint grant alice clock --for 1h --reason x");
    assert_eq!(output.status, 1, "{output}");
    let why = "this host has no polkit that reads rules (/etc/polkit-1/rules.d is not there): \
               install polkitd";
    assert_eq!(output.stderr, format!("stint: nothing was granted: {why}\n"));
    let found = host.run("stint doctor").text();
    let missing = "The role asked has polkit actions, and this host has no polkit that reads rules";
    assert!(found.contains(missing), "{found}");
    grant(&host, "alice media --for 1h");
    quiet(&host);
}

#[test]
fn a_polkit_that_hangs_holds_up_nothing_and_is_an_alarm() {
    let host = with(Suite::Bookworm)
        .file(
            "/etc/systemd/system/polkit.service.d/hang.conf",
            0o644,
            "[Service]\nExecStop=/bin/sh -c 'test ! -e /run/hang || exec sleep 80'\n",
        )
        .boot();
    assert_eq!(check(&host, "alice", "org.example.kept"), ASKS);
    let give = || {
        grant(&host, "alice asked --for 1h");
        grant(&host, "alice media --for 1h");
    };
    let over = || {
        host.ok("stint revoke --user alice --reason over");
        assert!(!is_in(&host, "alice", "video"));
        assert_eq!(rules(&host), None);
    };
    // One that is stopped is woken by systemd, to end.
    give();
    let hung = polkitd(&host);
    host.ok(&format!("kill -STOP {hung}"));
    over();
    let anew = |old: &str| {
        eventually("polkit anew", SOON, || (polkitd(&host) != old).then_some(()));
        quiet(&host);
    };
    anew(&hung);
    // One that does not end is an alarm until it has.
    pause(Duration::from_secs(4));
    give();
    let hung = polkitd(&host);
    host.ok("touch /run/hang");
    over();
    let text = "polkit may still take a password for what has ended";
    eventually("the alarm", SOON * 2, || {
        alarms(&host).iter().any(|alarm| alarm.starts_with(text)).then_some(())
    });
    let _ = host.journal_of("STINT_EVENT=polkit_rule.failed", 1, SOON);
    host.ok("rm /run/hang; kill $(systemctl show -P ControlPID polkit.service)");
    anew(&hung);
}

#[test]
fn no_policy_can_write_more_into_the_file_than_actions() {
    let host = with(Suite::Trixie).boot();
    let given = grant(&host, "alice clock --for 1h");
    let before = rules(&host);
    for action in [
        r#"org.example.set\"].concat([action.id]) || [\""#,
        r"org.example.set\n",
        r"org.example.set\\",
        "org.example.*",
        "org.example.set org.example.kept",
        "",
        "'",
        "*/",
        r"\u2028",
    ] {
        host.write_policy(&format!("[roles.clock]\npolkit = [\"{action}\"]\n"));
        let output = host.run("stint reload");
        assert_eq!(output.status, 1, "{action}: {output}");
        assert!(output.stderr.contains("is no polkit action"), "{action}: {output}");
        assert_eq!(rules(&host), before, "{action}");
    }
    assert_eq!(listed(&host, id(&given))["state"], "active");
    // An action that makes root is worth a word, and is granted all the same.
    let checked = host.run("stint policy check /etc/stint/policy.toml");
    assert_ne!(checked.status, 0);
    host.write_policy(POLICY);
    let checked = host.run("stint policy check /etc/stint/policy.toml");
    assert_eq!(checked.status, 0, "{checked}");
    for action in ["org.freedesktop.systemd1.manage-units", "org.freedesktop.policykit.exec"] {
        let warned = format!("whoever may do {action} is as good as root");
        assert!(checked.text().contains(&warned), "{checked}");
    }
}

#[test]
fn an_upgrade_keeps_the_rules_and_a_removal_takes_them_away() {
    let host = with(Suite::Trixie).boot();
    grant(&host, "alice clock --for 1h");
    grant(&host, "alice asked --for 1h");
    becomes(&host, "alice", "org.example.set", YES);
    host.ok("systemctl restart stintd.service");
    assert_eq!(check(&host, "alice", "org.example.set"), YES);
    let before = polkitd(&host);
    host.ok("dpkg -r stint");
    assert_eq!(rules(&host), None);
    becomes(&host, "alice", "org.example.set", NO);
    assert_ne!(polkitd(&host), before);
}
