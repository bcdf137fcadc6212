//! A grant's memberships: stint takes back what it added and nothing else, shares the files with
//! whoever else edits them, and never gives up on taking back.

use crate::common::{
    DENIED, SOON, alarms, assert_says, builder, document, event_of, gate, gated, grant, id, is_in,
    listed, quiet,
};
use crate::session_places::{bring_a_storm, is_raging};
use std::time::Duration;
use stint_tests::{Deadline, Host, Suite, eventually};

fn policy(backend: &str) -> String {
    format!(
        "[groups]\nbackend = \"{backend}\"\n\
         [roles.admin]\nsudo = [{{ commands = [\"ALL\"] }}]\npassword = false\n\
         [roles.media]\ngroups = [\"audio\", \"video\"]\n\
         [roles.screen]\ngroups = [\"video\"]\n\
         [roles.operator]\ngroups = [\"operator\"]\nsudo = [{{ commands = [\"ALL\"] }}]\n\
         password = false\n"
    )
}

/// Where a membership that stint gave can be seen.
fn given_in(host: &Host, backend: &str, user: &str, group: &str) -> bool {
    if backend == "userdb" {
        return host.run(&format!("test -s /run/userdb/{user}:{group}.membership")).ok();
    }
    let member = |file: &str| {
        let line = host.ok(&format!("grep '^{group}:' /etc/{file}"));
        line.trim().rsplit(':').next().unwrap().split(',').any(|name| name == user)
    };
    let (group_file, gshadow) = (member("group"), member("gshadow"));
    assert_eq!(group_file, gshadow, "group and gshadow do not agree on {user} in {group}");
    group_file
}

fn only_what_was_added_is_taken_back(suite: Suite, backend: &str) {
    let host = gated(suite, &policy(backend));
    host.ok("gpasswd -a alice video >/dev/null");
    for group in ["audio", "video"] {
        assert_eq!(is_in(&host, "alice", group), group == "video");
    }
    let given = grant(&host, "alice media --for 1h");
    assert!(is_in(&host, "alice", "audio") && is_in(&host, "alice", "video"));
    assert!(given_in(&host, backend, "alice", "audio"), "{backend} was not used");
    assert_eq!(given_in(&host, backend, "alice", "video"), backend == "files");

    let later = grant(&host, "alice media --for 1h");
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    assert!(is_in(&host, "alice", "audio"), "the later grant lost its group");
    assert_eq!(host.run("grpck -r").status, 0, "{}", host.run("grpck -r"));
    host.ok(&format!("stint revoke {} --reason over", id(&later)));
    assert!(!is_in(&host, "alice", "audio"), "the group outlived the grants");
    assert!(!given_in(&host, backend, "alice", "audio"));
    assert!(is_in(&host, "alice", "video"), "a standing member was put out");
    assert_eq!(host.run("grpck -r").status, 0, "{}", host.run("grpck -r"));
    // What somebody else gives in the meantime is theirs.
    let again = grant(&host, "bob media --for 1h");
    assert!(is_in(&host, "bob", "audio"));
    host.ok(&format!("stint revoke {} --reason over", id(&again)));
    assert!(!is_in(&host, "bob", "audio") && !is_in(&host, "bob", "video"));
    assert_eq!(host.run("ls -A /run/userdb").stdout, "");
}

/// Who carries a group that is over is found, though they start another as fast as possible and have
/// no control group that is stint's. Who does the same without the group goes on, and holds up nothing.
fn nobody_keeps_a_group_by_starting_others(suite: Suite) {
    let role = "[roles.quick]\ngroups = [\"video\"]\ngrace = \"1s\"\n";
    let host = gated(suite, &(policy("files") + role));
    bring_a_storm(&host);
    let given = grant(&host, "alice quick --for 1h");
    for (user, number) in [("alice", 6280), ("bob", 6281)] {
        let storm = format!("setsid /root/storm {number} >/dev/null 2>&1 </dev/null &");
        let started = host.as_user(user, &storm);
        assert!(started.ok(), "{started}");
        eventually("a storm", SOON, || is_raging(&host, number).then_some(()));
    }
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    let ended = host.journal_of("STINT_EVENT=session.terminated STINT_GROUP=video", 1, SOON);
    let text = ended[0]["MESSAGE"].as_str().unwrap_or_default();
    assert!(text.contains("by SIGKILL"), "{text}");
    quiet(&host);
    assert!(!is_raging(&host, 6280));
    eventually("a storm that goes on", SOON, || is_raging(&host, 6281).then_some(()));
}

#[test]
fn nobody_keeps_a_group_by_starting_others_bookworm() {
    nobody_keeps_a_group_by_starting_others(Suite::Bookworm);
}

#[test]
fn nobody_keeps_a_group_by_starting_others_trixie() {
    nobody_keeps_a_group_by_starting_others(Suite::Trixie);
}

#[test]
fn on_bookworm_files_give_back_only_what_stint_added() {
    only_what_was_added_is_taken_back(Suite::Bookworm, "files");
}

#[test]
fn on_bookworm_userdb_gives_back_only_what_stint_added() {
    only_what_was_added_is_taken_back(Suite::Bookworm, "userdb");
}

#[test]
fn on_trixie_files_give_back_only_what_stint_added() {
    only_what_was_added_is_taken_back(Suite::Trixie, "files");
}

#[test]
fn on_trixie_userdb_gives_back_only_what_stint_added() {
    only_what_was_added_is_taken_back(Suite::Trixie, "userdb");
}

/// Everything that could be seen of the two files from outside.
fn looks(host: &Host) -> String {
    host.ok("cd /etc && stat -c '%n %a %U:%G %s' group gshadow && getfacl group gshadow && \
         getfattr -d -m '^user' group && cat group gshadow")
}

#[test]
fn the_files_keep_order_comments_mode_acl_and_attributes() {
    let host = gated(Suite::Trixie, &policy("files"));
    host.ok("echo '# ours, by hand' >>/etc/group && echo 'crew::2000:carol,bob' >>/etc/group && \
         echo 'crew:!::carol,bob' >>/etc/gshadow && setfacl -m u:bob:r /etc/group && \
         setfacl -m g:audio:r /etc/gshadow && chmod 0604 /etc/group && \
         setfattr -n user.note -v ours /etc/group");
    let before = looks(&host);
    assert!(before.contains("user:bob:r--") && before.contains("user.note=\"ours\""), "{before}");
    let inode = host.ok("stat -c %i /etc/group");
    let given = grant(&host, "alice screen --for 1h");
    assert_ne!(host.ok("stat -c %i /etc/group"), inode, "it is not replaced whole");
    let during = looks(&host);
    let changed: Vec<(&str, &str)> =
        before.lines().zip(during.lines()).filter(|(old, new)| old != new).collect();
    let (sizes, lines): (Vec<_>, Vec<_>) =
        changed.into_iter().partition(|(old, _)| old.contains(" root:"));
    assert_eq!(sizes.len(), 2, "{during}");
    assert_eq!(lines, [("video:x:44:", "video:x:44:alice"), ("video:*::", "video:*::alice")]);
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    assert_eq!(looks(&host), before);
    assert_eq!(host.run("ls /etc/*.lock /etc/group.* /etc/gshadow.*").stdout, "");
}

/// Holds /etc/.pwd.lock as lckpwdf(3) does, until /run/let-go is there.
const LCKPWDF: &str = r#"
use Fcntl;
open(my $lock, ">>", "/etc/.pwd.lock") or die "$!";
my $whole = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
fcntl($lock, F_SETLKW, $whole) or die "$!";
open(my $held, ">", "/run/held") and close($held);
select(undef, undef, undef, 0.02) until -e "/run/let-go";
"#;

/// Holds /etc/group.lock as shadow-utils do, until /run/let-go is there.
const GROUP_LOCK: &str = r#"
open(my $own, ">", "/etc/group.$$") or die "$!";
print $own "$$\0";
close($own);
link("/etc/group.$$", "/etc/group.lock") or die "$!";
unlink("/etc/group.$$");
open(my $held, ">", "/run/held") and close($held);
select(undef, undef, undef, 0.02) until -e "/run/let-go";
unlink("/etc/group.lock");
"#;

fn hold(host: &Host, script: &str) -> String {
    host.write("/run/hold.pl", "0644", script);
    host.ok("rm -f /run/held /run/let-go; perl /run/hold.pl >/run/hold.log 2>&1 </dev/null & echo $! >/run/holder");
    eventually("the lock to be held", SOON, || host.run("test -e /run/held").ok().then_some(()));
    host.ok("cat /run/holder").trim().to_owned()
}

#[test]
fn the_password_lock_of_another_delays_a_grant_and_its_end_is_an_alarm_until_it_goes() {
    let host = gated(Suite::Bookworm, &policy("files"));
    hold(&host, LCKPWDF);
    host.ok("(sleep 2; touch /run/let-go) >/dev/null 2>&1 &");
    let waiting = Deadline::seconds(60);
    let given = grant(&host, "alice operator --for 1h");
    assert!(waiting.elapsed() > Duration::from_secs(1), "it did not wait for the lock");
    assert!(is_in(&host, "alice", "operator"));
    assert_eq!(host.as_user("alice", "sudo -n id -u").stdout, "0\n");

    hold(&host, LCKPWDF);
    host.ok(&format!("stint revoke {} --reason over >/run/revoked 2>&1 &", id(&given)));
    eventually("the gate to close", Duration::from_secs(5), || {
        (!host.as_user("alice", "sudo -n id -u").ok()).then_some(())
    });
    assert_says(&host.as_user("alice", "sudo -n id -u"), DENIED, "while the lock is held");
    let alarm = "alice is still in operator: /etc/.pwd.lock is held by another process";
    let told = eventually("the alarm", SOON, || Some(alarms(&host)).filter(|all| !all.is_empty()));
    assert_eq!(told, [alarm]);
    let doctor = host.run("stint doctor");
    assert_eq!(doctor.status, 1);
    assert!(doctor.stdout.contains(&format!(" tries: {alarm}.  Mend it:  ")), "{doctor}");
    assert!(host.ok("stint status").contains(&format!("\n  {alarm} (since ")));
    assert_eq!(host.journal_of("STINT_EVENT=group.failed", 1, SOON)[0]["MESSAGE"], alarm);
    assert!(is_in(&host, "alice", "operator"), "so nothing had to be tried again");
    host.ok("touch /run/let-go");
    eventually("the next try", SOON, || (!is_in(&host, "alice", "operator")).then_some(()));
    quiet(&host);
    assert_eq!(host.run("grpck -r").status, 0);
}

#[test]
fn the_group_lock_of_a_live_process_refuses_a_grant_whole_and_that_of_a_dead_one_is_taken_over() {
    let host = gated(Suite::Trixie, &policy("files"));
    let pid = hold(&host, GROUP_LOCK);
    let refused = host.run("stint grant alice operator --for 1h --reason x");
    assert_eq!(refused.status, 1, "{refused}");
    assert_eq!(
        refused.stderr,
        format!(
            "stint: nothing was granted: alice could not be put into operator: /etc/group.lock is \
             held by process {pid}\n"
        )
    );
    assert_eq!(host.ok("stint list --json"), "[]\n");
    assert!(!is_in(&host, "alice", "operator"));
    assert!(!host.run("test -e /etc/sudoers.d/stint").ok(), "its sudo rule is left");
    assert_says(&host.as_user("alice", "sudo -n id -u"), DENIED, "after the refusal");
    quiet(&host);
    host.ok("touch /run/let-go");
    eventually("the lock to go", SOON, || {
        (!host.run("test -e /etc/group.lock").ok()).then_some(())
    });

    let dead = host.ok("sh -c 'echo $$'").trim().to_owned();
    host.ok(&format!("printf '{dead}\\0' >/etc/group.lock; printf '{dead}\\0' >/etc/gshadow.lock"));
    let given = grant(&host, "alice operator --for 1h");
    assert!(is_in(&host, "alice", "operator"));
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    assert!(!is_in(&host, "alice", "operator"));
    assert_eq!(host.run("ls /etc/*.lock").stdout, "");
}

#[test]
fn an_etc_that_cannot_be_written_at_the_end_is_an_alarm_and_is_taken_back_when_it_can() {
    let host = gated(Suite::Trixie, &policy("files"));
    let mut shell = host.shell("alice");
    assert_says(&shell.run("sudo -n id -u"), DENIED, "before");
    let given = grant(&host, "alice operator --for 4s");
    assert_eq!(shell.run("sudo -n id -u").status, 0);
    host.set_writable("stintd.service", "/etc", false);
    event_of(&host, "grant.expired", id(&given));
    assert_says(&shell.run("sudo -n id -u"), DENIED, "at the end");
    assert_says(&shell.run("sudo-rs -n id -u"), DENIED, "at the end, by sudo-rs");
    let told = eventually("both alarms", SOON, || Some(alarms(&host)).filter(|all| all.len() == 2));
    assert_eq!(
        told,
        [
            "/etc/sudoers.d/stint: Read-only file system (os error 30)",
            "alice is still in operator: /etc/.pwd.lock: Read-only file system (os error 30)",
        ]
    );
    assert!(is_in(&host, "alice", "operator"), "so /etc was not read-only");
    let refused = host.run("stint grant bob operator --for 1h --reason x");
    assert_eq!(refused.status, 1, "{refused}");
    assert!(refused.stderr.starts_with("stint: nothing was granted: "), "{refused}");
    host.set_writable("stintd.service", "/etc", true);
    eventually("the group to go", SOON, || (!is_in(&host, "alice", "operator")).then_some(()));
    eventually("the rules to go", SOON, || {
        (!host.run("test -e /etc/sudoers.d/stint").ok()).then_some(())
    });
    quiet(&host);
    assert!(!is_in(&host, "bob", "operator"));
    assert_eq!(listed(&host, id(&given))["end_reason"], "expired");
}

#[test]
fn a_change_of_the_backend_moves_what_is_held() {
    let host = gated(Suite::Trixie, &policy("files"));
    let given = grant(&host, "alice screen --for 1h");
    for (old, new) in [("files", "userdb"), ("userdb", "files"), ("files", "auto")] {
        let there = if old == "auto" { "userdb" } else { old };
        assert!(given_in(&host, there, "alice", "video"), "{old}");
        host.load_policy(&policy(new));
        assert!(is_in(&host, "alice", "video"), "lost from {old} to {new}");
        assert!(!given_in(&host, there, "alice", "video"), "left behind in {old}");
    }
    assert!(given_in(&host, "userdb", "alice", "video"), "auto is userdb where it works");
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    assert!(!is_in(&host, "alice", "video"));
    host.ok("sed -i 's/^group:.*/group: files/' /etc/nsswitch.conf");
    let refused = {
        host.write_policy(&policy("userdb"));
        host.ok("stint reload");
        host.run("stint grant alice screen --for 1h --reason x")
    };
    assert_eq!(refused.status, 1, "{refused}");
    assert_eq!(
        refused.stderr,
        "stint: nothing was granted: groups.backend is \"userdb\", but group: in \
         /etc/nsswitch.conf lacks systemd: install libnss-systemd and write \"group: files \
         systemd\" there\n"
    );
}

#[test]
fn a_group_that_does_not_exist_is_refused_in_the_policy_and_at_a_grant() {
    let host = gate(builder(Suite::Bookworm, &policy("files")).boot());
    host.ok("groupadd crew");
    let with_crew = format!("{}[roles.crew]\ngroups = [\"crew\"]\n", policy("files"));
    host.load_policy(&with_crew);
    host.ok("groupdel crew");
    let refused = host.run("stint grant alice crew --for 1h --reason x");
    assert_eq!(refused.status, 1, "{refused}");
    assert!(
        refused
            .stderr
            .starts_with("stint: nothing was granted: alice could not be put into crew: "),
        "{refused}"
    );
    assert_eq!(refused.stderr.lines().count(), 1, "{refused}");
    assert_eq!(host.ok("stint list --json"), "[]\n");
    let policy = host.run("stint reload");
    assert_eq!(policy.status, 1, "{policy}");
    assert!(policy.stderr.contains("there is no group \"crew\" on this host"), "{policy}");
    let all = document(&host.ok("stint list --all --json"));
    assert_eq!(all[0]["end_reason"], "revoked", "{all}");
}
