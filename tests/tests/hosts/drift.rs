//! Changes by hand in the middle of a grant: noticed, recorded, never fought over; what stint gave ends
//! all the same. Caches say what is true.

use crate::common::{
    SOON, assert_let_in, assert_says, builder, daemon, document, event_of, gate, gated, grant,
    has_rules, id, is_in, kill, listed, status,
};
use serde_json::Value;
use stint_tests::{Host, Suite, eventually};

fn policy(backend: &str) -> String {
    format!(
        "[groups]\nbackend = \"{backend}\"\n\
         [roles.admin]\nsudo = [{{ commands = [\"ALL\"] }}]\npassword = false\n\
         [roles.media]\ngroups = [\"audio\"]\ngrace = \"1s\"\n\
         [roles.sound]\ngroups = [\"audio\", \"video\"]\n"
    )
}

/// The messages of these events, waiting until there are so many.
fn said(host: &Host, event: &str, count: usize) -> Vec<String> {
    let entries = host.journal_of(&format!("STINT_EVENT={event}"), count, SOON);
    entries.iter().map(|entry| entry["MESSAGE"].as_str().unwrap_or_default().to_owned()).collect()
}

fn notes(host: &Host) -> Vec<String> {
    let status = status(host);
    let notes = status["notes"].as_array().unwrap_or_else(|| panic!("no notes: {status}"));
    notes.iter().map(|note| note["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The grant of this id, which runs.
fn running(host: &Host, id: &str) -> Value {
    let found = listed(host, id);
    assert_eq!(found["state"], "active", "{found}");
    found
}

/// Takes alice out of audio as an administrator would.
fn take_out(host: &Host, backend: &str) {
    match backend {
        "files" => host.ok("gpasswd -d alice audio"),
        _ => host.ok("rm /run/userdb/alice:audio.membership"),
    };
}

fn a_removal_by_hand_stands(suite: Suite, backend: &str) {
    let host = gated(suite, &policy(backend));
    assert!(!is_in(&host, "alice", "audio"));
    let given = grant(&host, "alice media --for 1h");
    assert!(is_in(&host, "alice", "audio"));
    let mut shell = host.shell("alice");
    shell.start("id -Gn; sleep 7001");
    shell.expect("audio");
    take_out(&host, backend);
    let what =
        format!("alice was taken out of audio by hand, which stands: {} goes on", id(&given));
    let drift = event_of(&host, "group.drift", id(&given));
    assert_eq!(drift["MESSAGE"], format!("{what} without that group"));
    assert_eq!((&drift["STINT_USER"], &drift["STINT_GROUP"]), (&"alice".into(), &"audio".into()));
    assert_eq!(running(&host, id(&given))["without"], document("[\"group audio\"]"));
    assert!(host.run("pgrep -xf 'sleep 7001'").ok(), "a removal is not the end of the grant");

    // Over changes of other grants, a reload, a crash.
    let stands = |when: &str| {
        assert!(!is_in(&host, "alice", "audio"), "it came back {when}");
        let text = format!("alice was taken out of audio by hand: {} goes on", id(&given));
        let notes = notes(&host);
        assert_eq!(notes, [format!("{text} without that group")], "{when}");
    };
    stands("at once");
    grant(&host, "bob media --for 1h");
    assert!(is_in(&host, "bob", "audio"));
    stands("with a grant of somebody else's");
    host.ok("stint reload");
    stands("with a reload");
    kill(&host);
    eventually("stintd again", SOON, || host.run("stint status").ok().then_some(()));
    stands("with a start of stintd");
    let told = host.ok("stint status") + &host.ok("stint list") + &host.run("stint doctor").stdout;
    assert!(told.contains("Changed by hand, which stands:\n  alice was taken out of"), "{told}");
    assert!(told.contains("active, without group audio"), "{told}");
    assert!(
        told.contains(&format!("Mend it:  stint revoke {} --reason TEXT", id(&given))),
        "{told}"
    );
    let own = host.as_user("alice", "stint").stdout;
    assert!(own.contains("group audio (by hand without group audio)"), "{own}");

    // A later grant is a later decision.
    let later = grant(&host, "alice media --for 1h");
    assert!(is_in(&host, "alice", "audio"));
    host.ok(&format!("stint revoke {} --reason over", id(&later)));
    eventually("the end of the later grant", SOON, || {
        (!is_in(&host, "alice", "audio")).then_some(())
    });
    stands("with the end of another");
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    assert_eq!(notes(&host), [] as [&str; 0]);
    assert_eq!(host.run("grpck -r").status, 0);
    assert_eq!(said(&host, "group.drift", 1).len(), 1, "it is said once");
}

#[test]
fn on_bookworm_a_removal_from_etc_group_stands() {
    a_removal_by_hand_stands(Suite::Bookworm, "files");
}

#[test]
fn on_trixie_a_removal_from_etc_group_stands() {
    a_removal_by_hand_stands(Suite::Trixie, "files");
}

#[test]
fn on_bookworm_a_removed_drop_in_stands() {
    a_removal_by_hand_stands(Suite::Bookworm, "userdb");
}

#[test]
fn on_trixie_a_removed_drop_in_stands() {
    a_removal_by_hand_stands(Suite::Trixie, "userdb");
}

#[test]
fn who_carries_what_was_taken_out_by_hand_is_ended_with_the_grant() {
    let host = gated(Suite::Trixie, &policy("files"));
    let given = grant(&host, "alice media --for 1h");
    let mut shell = host.shell("alice");
    shell.start("sleep 7002");
    eventually("the program", SOON, || host.run("pgrep -xf 'sleep 7002'").ok().then_some(()));
    take_out(&host, "files");
    event_of(&host, "group.drift", id(&given));
    kill(&host);
    eventually("stintd again", SOON, || host.run("stint status").ok().then_some(()));
    assert!(host.run("pgrep -xf 'sleep 7002'").ok(), "it was ended before the grant");
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    eventually("its end", SOON, || (!host.run("pgrep -xf 'sleep 7002'").ok()).then_some(()));
    let ended = said(&host, "session.terminated", 1);
    assert!(ended[0].starts_with("alice's membership in audio is over"), "{ended:?}");
}

#[test]
fn what_an_administrator_gives_is_theirs() {
    for suite in Suite::ALL {
        // Taken out and put in again: no longer stint's.
        let host = gated(suite, &policy("files"));
        let given = grant(&host, "alice media --for 1h");
        take_out(&host, "files");
        event_of(&host, "group.drift", id(&given));
        host.ok("usermod -aG audio alice");
        let other = grant(&host, "alice sound --for 1h");
        assert!(is_in(&host, "alice", "video") && is_in(&host, "alice", "audio"));
        host.ok("stint revoke --all --reason over");
        assert!(is_in(&host, "alice", "audio"), "a standing member was put out");
        eventually("the end of what stint gave", SOON, || {
            (!is_in(&host, "alice", "video")).then_some(())
        });
        assert_eq!(listed(&host, id(&other))["state"], "ended");
        assert_eq!(host.run("grpck -r").status, 0);
        drop(host);

        // Beside a drop-in.
        let host = gated(suite, &policy("userdb"));
        let given = grant(&host, "alice media --for 1h");
        host.ok("usermod -aG audio alice");
        host.ok(&format!("stint revoke {} --reason over", id(&given)));
        assert_eq!(host.run("ls -A /run/userdb").stdout, "");
        assert!(is_in(&host, "alice", "audio"), "a standing member was put out");
        let told = said(&host, "group.drift", 1);
        assert!(told[0].starts_with("alice is in audio by /etc/group or another"), "{told:?}");
    }
}

fn the_rule_file_is_not_fought_over(suite: Suite) {
    let host = gated(suite, &policy("files"));
    let mut shell = host.shell("alice");
    // Only what stint gives: her standing rule is in the way here.
    host.ok("rm /etc/sudoers.d/standing");
    let given = grant(&host, "alice admin --for 1h");
    assert_let_in(&host, &mut shell, "by her grant");

    let text = host.ok("cat /etc/sudoers.d/stint");
    for (change, how) in [
        ("echo 'bob ALL=(ALL) ALL' >>/etc/sudoers.d/stint", "its text is another"),
        ("chmod 0400 /etc/sudoers.d/stint", "its owner or mode is another"),
        (
            "mv /etc/sudoers.d/stint /root/stint && ln -s /root/stint /etc/sudoers.d/stint",
            "it is no file",
        ),
    ] {
        let before = host.journal("STINT_EVENT=sudo_rule.drift").len();
        host.ok(change);
        let told = said(&host, "sudo_rule.drift", before + 1).pop().unwrap();
        let what = format!("/etc/sudoers.d/stint was changed by hand ({how}); the next change of");
        assert!(told.starts_with(&what), "{told}");
        assert!(!told.contains("bob"), "what somebody wrote is in the record: {told}");
        let edited =
            "/etc/sudoers.d/stint was changed by hand; the next change of grants replaces it";
        assert_eq!(notes(&host), [edited]);
        let doctor = host.run("stint doctor").stdout;
        assert!(doctor.contains("replaces it.  Mend it:  stint reload"), "{doctor}");
        assert!(host.run("test -e /etc/sudoers.d/stint").ok());
        assert_ne!(
            host.ok("stat -c '%F %a' /etc/sudoers.d/stint; cat /etc/sudoers.d/stint"),
            format!("regular file 440\n{text}"),
            "it is fought over"
        );
        host.ok("stint reload");
        assert_eq!(host.ok("cat /etc/sudoers.d/stint"), text);
        assert_eq!(notes(&host), [] as [&str; 0]);
        assert_let_in(&host, &mut shell, "with the rules as they were");
    }

    host.ok("rm /etc/sudoers.d/stint");
    let told = event_of(&host, "sudo_rule.drift", id(&given));
    assert_eq!(
        told["MESSAGE"],
        format!(
            "/etc/sudoers.d/stint was removed by hand, which stands: {} goes on without sudo rules",
            id(&given)
        )
    );
    let other = grant(&host, "bob admin --for 1h");
    host.ok("stint reload");
    kill(&host);
    eventually("stintd again", SOON, || host.run("stint status").ok().then_some(()));
    let rules = host.ok("cat /etc/sudoers.d/stint");
    assert!(rules.contains("#1001 ") && !rules.contains("#1000 "), "{rules}");
    assert_eq!(running(&host, id(&given))["without"], document("[\"sudo rules\"]"));
    assert_eq!(running(&host, id(&other))["without"], document("[]"));
    assert_says(&shell.run("sudo -n id -u"), "sudo: a password is required", "without her rules");
    // A later grant has rules of its own.
    let later = grant(&host, "alice admin --for 1h");
    assert_let_in(&host, &mut shell, "by the later one");
    host.ok(&format!("stint revoke {} --reason over", id(&later)));
    assert!(!host.ok("cat /etc/sudoers.d/stint").contains("#1000 "));
    host.ok("echo 'carol ALL=(ALL) ALL' >>/etc/sudoers.d/stint; stint revoke --all --reason over");
    assert!(!has_rules(&host), "the file outlived its grants");
    assert_eq!(notes(&host), [] as [&str; 0]);
}

#[test]
fn on_bookworm_the_rule_file_is_not_fought_over() {
    the_rule_file_is_not_fought_over(Suite::Bookworm);
}

#[test]
fn on_trixie_the_rule_file_is_not_fought_over() {
    the_rule_file_is_not_fought_over(Suite::Trixie);
}

/// How often the daemon has opened one of these, by what strace has written.
fn looks(host: &Host) -> usize {
    let trace = host.run("cat /run/trace").stdout;
    trace.lines().filter(|line| line.contains("\"passwd\"") || line.contains("\"group\"")).count()
}

#[test]
fn what_has_nothing_to_do_with_grants_wakes_nothing() {
    let host = gated(Suite::Trixie, &policy("files"));
    let watched = |host: &Host| {
        let pid = daemon(host);
        host.run(&format!("ls -l /proc/{pid}/fd | grep -c inotify")).stdout.trim().to_owned()
    };
    assert_eq!(watched(&host), "0", "nothing is held, and something is watched");
    let given = grant(&host, "alice media --for 1h");
    eventually("the watch", SOON, || (watched(&host) == "1").then_some(()));
    let pid = daemon(&host);
    host.ok(&format!(
        "strace -f -e trace=openat -o /run/trace -p {pid} >/dev/null 2>&1 </dev/null & \
         echo $! >/run/strace; sleep 3"
    ));
    let before = looks(&host);
    host.ok(
        "for n in $(seq 100); do echo $n >/etc/motd; echo $n >/etc/new$n; mv /etc/new$n /etc/x; \
         done; rm /etc/x; sleep 2",
    );
    assert_eq!(looks(&host), before, "{}", host.ok("cat /run/trace"));
    // So it would have been seen.
    host.ok("gpasswd -a carol video");
    eventually("a look", SOON, || (looks(&host) > before).then_some(()));
    host.ok("kill $(cat /run/strace)");
    assert!(is_in(&host, "alice", "audio"));
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    eventually("the end of the watch", SOON, || (watched(&host) == "0").then_some(()));
}

#[test]
fn where_nothing_can_be_watched_it_is_said_and_changes_are_noticed_later() {
    // The call fails, as it does where the limit is reached.
    let unit = "[Service]\nSystemCallFilter=~inotify_init1\n";
    let path = "/etc/systemd/system/stintd.service.d/watch.conf";
    let host = gate(builder(Suite::Bookworm, &policy("files")).file(path, 0o644, unit).boot());
    let given = grant(&host, "alice media --for 1h");
    let unwatched = "changes by hand are noticed only now and then, as nothing can be watched: ";
    eventually("the word of it", SOON, || {
        notes(&host).iter().any(|note| note.starts_with(unwatched)).then_some(())
    });
    assert!(host.run("stint doctor").stdout.contains(unwatched));
    take_out(&host, "files");
    grant(&host, "bob media --for 1h");
    event_of(&host, "group.drift", id(&given));
    assert!(!is_in(&host, "alice", "audio"), "it came back");
    host.ok("stint revoke --all --reason over");
}

/// Whether somebody is in audio, as every program of the host is told. nscd remembers what it
/// answers.
fn cached(host: &Host, user: &str) -> bool {
    let groups = host.ok(&format!("id -Gn {user}"));
    groups.split_whitespace().any(|word| word == "audio")
}

#[test]
fn a_cache_says_what_is_true_right_after_a_grant_and_its_end() {
    for suite in Suite::ALL {
        for backend in ["files", "userdb"] {
            let conf = "enable-cache group yes\npositive-time-to-live group 3600\n\
                        negative-time-to-live group 3600\ncheck-files group no\nshared group no\n";
            let builder = builder(suite, &policy(backend)).file("/etc/nscd.conf", 0o644, conf);
            let host = gate(builder.boot());
            host.ok("mkdir -p /run/nscd; systemctl start nscd.service");
            assert!(!cached(&host, "alice") && !cached(&host, "bob"));
            host.ok("sed -i '/^audio:/s/$/bob/' /etc/group");
            assert!(!cached(&host, "bob"), "it remembers nothing, so it needs not be told");
            let given = grant(&host, "alice media --for 1h");
            assert!(cached(&host, "alice"), "{suite:?}, {backend}: it does not know of the grant");
            host.ok(&format!("stint revoke {} --reason over", id(&given)));
            assert!(!cached(&host, "alice"), "{suite:?}, {backend}: it still knows of the grant");
            assert!(host.ok("systemctl is-active nscd.service").starts_with("active"));
        }
    }
}
