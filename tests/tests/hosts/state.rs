//! The state: nobody else's to read, one daemon's at a time, denies when it is damaged, and when
//! its disk is full nothing is granted and every end still comes.

use crate::common::{
    SOON, alarms, assert_denied, assert_let_in, assert_says, builder, event_of, gate, gated, grant,
    has_rules, id, is_in, listed, quiet,
};
use serde_json::Value;
use stint_tests::{Host, Suite, eventually};

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
groups   = ["video"]
password = false
"#;

const AWAY: &str = "\
stint: sudo is gated by stint, and stintd does not answer, so nobody is let in. root: systemctl status stintd
";

#[test]
fn the_state_is_roots_alone() {
    let host = gated(Suite::Bookworm, POLICY);
    let denied = host.as_user("alice", "ls /var/lib/stint; cat /var/lib/stint/state.sqlite");
    assert_eq!((denied.ok(), denied.stdout.as_str()), (false, ""), "{denied}");
    let given = grant(&host, "alice admin --for 1h");
    assert_eq!(host.ok("stat -c '%a %U:%G' /var/lib/stint"), "700 root:root\n");
    let files = host.ok("find /var/lib/stint -type f -printf '%m %u %f\\n'");
    assert!(files.contains("600 root state.sqlite\n"), "{files}");
    for line in files.lines() {
        assert!(line.starts_with("600 root "), "{line}");
    }
    assert_eq!(listed(&host, id(&given))["state"], "active");
}

#[test]
fn the_state_is_one_daemons_at_a_time() {
    let host = gated(Suite::Trixie, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    let busy = "stintd: a stintd is running already (it holds /var/lib/stint/lock): \
                systemctl stop stintd.socket stintd\n";
    let ending = host.run("stintd --end-all 'of no use'");
    assert_eq!((ending.status, ending.stderr.as_str()), (1, busy));
    let status = host.run("stintd --end-all");
    assert_eq!(status.status, 2, "{status}");
    let second = host.run("stintd");
    assert_eq!((second.status, second.stderr.as_str()), (1, busy));
    assert_let_in(&host, &mut host.shell("alice"), "the first goes on");

    host.ok("systemctl stop stintd.socket stintd.service");
    let ended = host.run("stintd --end-all 'the host is handed back'");
    let said = "1 grant ended; everything that stint gave is taken back\n";
    assert_eq!((ended.status, ended.stdout.as_str()), (0, said), "{ended}");
    assert!(!has_rules(&host) && !is_in(&host, "alice", "video"));
    host.ok("systemctl start stintd.socket stintd.service");
    assert_denied(&host, &mut host.shell("alice"), "after all has ended");
    let ended = listed(&host, id(&given));
    assert_eq!((&ended["state"], &ended["end_reason"]), (&"ended".into(), &"revoked".into()));
    let entry = event_of(&host, "grant.revoked", id(&given));
    assert_eq!(entry["STINT_REASON"], "the host is handed back");
}

/// Leaves no byte on the state's disk.
fn fill(host: &Host) {
    let _ = host.run("cat /dev/zero >/var/lib/stint/ballast; sync");
    let left = host.ok("df --output=avail /var/lib/stint | tail -n 1");
    assert_eq!(left.trim(), "0");
}

#[test]
fn on_a_full_disk_nothing_is_granted_and_every_end_still_comes() {
    let host = gate(builder(Suite::Trixie, POLICY).small("/var/lib/stint", "3m", "0700").boot());
    let mut shell = host.shell("alice");
    assert_denied(&host, &mut shell, "before");
    let revoked = grant(&host, "bob admin --for 1h");
    let expiring = grant(&host, "alice admin --for 8s");
    let scheduled = grant(&host, "carol admin --at +10s --for 1h");
    fill(&host);
    let refused = host.run("stint grant carol admin --for 1h --reason x");
    assert_eq!(
        (refused.status, refused.stderr.as_str()),
        (1, "stint: the state could not be written or read: database or disk is full\n")
    );
    assert_says(&host.as_user("carol", "sudo -n id"), "sudo: a password is required", "refused");
    assert_let_in(&host, &mut shell, "a check needs no disk");

    host.ok(&format!("stint revoke {} --reason 'left the team'", id(&revoked)));
    assert_says(&host.as_user("bob", "sudo -n id"), "sudo: a password is required", "revoked");
    assert!(!is_in(&host, "bob", "video"), "the revoked grant left its group");
    event_of(&host, "grant.expired", id(&expiring));
    assert_denied(&host, &mut shell, "after the end");
    eventually("its group to go", SOON, || (!is_in(&host, "alice", "video")).then_some(()));
    assert!(!has_rules(&host), "the rules outlived the grants");
    let alarm = "the state cannot be written (is its disk full?): what has ended stays ended, \
                 nothing new is granted";
    let unlisted = "what is given cannot be listed for stint-sweep, so nothing new is granted: ";
    let standing = alarms(&host);
    assert!(standing.iter().any(|text| text == alarm), "{standing:?}");
    let known = |text: &String| text == alarm || text.starts_with(unlisted);
    assert!(standing.iter().all(known), "{standing:?}");
    assert!(host.run("stint doctor").stdout.contains(alarm));

    // A scheduled grant does not begin, costs no work while it waits, and begins when it can.
    host.ok("sleep 4");
    assert_eq!(listed(&host, id(&scheduled))["state"], "scheduled");
    let busy = || -> u64 {
        let pid = host.ok("systemctl show -P MainPID stintd.service").trim().to_owned();
        let stat = host.ok(&format!("cut -d ' ' -f 14,15 /proc/{pid}/stat"));
        stat.split_whitespace().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    };
    let before = busy();
    host.ok("sleep 2");
    let ticks = busy() - before;
    assert!(ticks < 20, "stintd worked {ticks} of 200 ticks while it could do nothing");

    host.ok("rm /var/lib/stint/ballast");
    quiet(&host);
    event_of(&host, "grant.activated", id(&scheduled));
    assert_eq!(host.as_user("carol", "sudo -n id -u").stdout, "0\n");
    host.ok("systemctl restart stintd.service");
    for (grant, reason) in [(&revoked, "revoked"), (&expiring, "expired")] {
        assert_eq!(listed(&host, id(grant))["end_reason"], reason, "it was forgotten");
    }
    assert_eq!(listed(&host, id(&scheduled))["state"], "active");
    let record = host.run("journalctl --sync; stint audit verify");
    assert!(record.ok() && record.stdout.contains(" confirm it up to link "), "{record}");
    for (grant, event) in [(&revoked, "grant.revoked"), (&expiring, "grant.expired")] {
        let shown = host.ok(&format!("stint log --grant {} --event {event}", id(grant)));
        assert_eq!(shown.lines().count(), 1, "what ended on a full disk is in the record: {shown}");
    }
}

/// A stintd that has started lets alice in, and ends bob's grant whole.
fn answers_and_ends(host: &Host, bobs: &Value) {
    eventually("stintd to answer again", SOON, || {
        host.as_user("alice", "sudo -n id -u").stdout.contains('0').then_some(())
    });
    event_of(host, "grant.expired", id(bobs));
    assert_says(&host.as_user("bob", "sudo -n id"), "sudo: a password is required", "over");
    eventually("its group to go", SOON, || (!is_in(host, "bob", "video")).then_some(()));
}

/// Two alarms stand: neither the state nor the list can be written.
fn assert_unwritten(host: &Host) {
    let alarms = alarms(host);
    let [list, state] = alarms.as_slice() else { panic!("{alarms:?}") };
    assert!(list.starts_with("what is given cannot be listed"), "{alarms:?}");
    assert!(state.starts_with("the state cannot be written"), "{alarms:?}");
}

#[test]
fn a_start_without_room_for_one_more_file_still_answers_and_ends_what_is_over() {
    let small = builder(Suite::Trixie, POLICY).small("/var/lib/stint", "3m,nr_inodes=32", "0700");
    let host = gate(small.boot());
    let lasting = grant(&host, "alice admin --for 1h");
    let expiring = grant(&host, "bob admin --for 10s");
    host.ok("systemctl stop stintd.socket stintd.service; cd /var/lib/stint; \
         n=0; while touch file$n; do n=$((n + 1)); done 2>/dev/null; ! test -e state.sqlite-wal");
    assert!(!host.run("touch /var/lib/stint/x").ok(), "there is room");
    host.ok("systemctl start stintd.socket stintd.service");
    answers_and_ends(&host, &expiring);
    let refused = host.run("stint grant carol admin --for 1h --reason x");
    assert_eq!(refused.status, 1, "{refused}");
    assert_unwritten(&host);

    host.ok("rm /var/lib/stint/file*");
    quiet(&host);
    host.ok("systemctl restart stintd.service");
    assert_eq!(listed(&host, id(&expiring))["end_reason"], "expired", "it was forgotten");
    assert_eq!(listed(&host, id(&lasting))["state"], "active");
}

#[test]
fn a_start_on_a_full_disk_still_answers_and_ends_what_is_over() {
    let host = gate(builder(Suite::Trixie, POLICY).small("/var/lib/stint", "3m", "0700").boot());
    let lasting = grant(&host, "alice admin --for 1h");
    let expiring = grant(&host, "bob admin --for 10s");
    fill(&host);
    // Killed, so that the next one finds what a crash leaves, and no room for more.
    host.ok("systemctl kill -s KILL stintd.service");
    answers_and_ends(&host, &expiring);
    assert_eq!(listed(&host, id(&lasting))["state"], "active", "the policy was lost with the disk");

    host.ok("rm /var/lib/stint/ballast");
    quiet(&host);
    host.ok("systemctl restart stintd.service");
    assert_eq!(listed(&host, id(&expiring))["end_reason"], "expired", "it was forgotten");
}

#[test]
fn a_start_on_a_read_only_disk_still_answers_and_ends_what_is_over() {
    let host = gate(builder(Suite::Bookworm, POLICY).small("/var/lib/stint", "3m", "0700").boot());
    let lasting = grant(&host, "alice admin --for 1h");
    let expiring = grant(&host, "bob admin --for 10s");
    // Killed, so that it leaves what a crash does; the disk is free once it is dead.
    host.ok("mkdir /run/systemd/system/stintd.service.d && \
         printf '[Service]\\nRestart=no\\n' >/run/systemd/system/stintd.service.d/dead.conf && \
         systemctl daemon-reload && systemctl kill -s KILL stintd.service");
    eventually("a read-only disk", SOON, || {
        host.run("mount -o remount,ro /var/lib/stint").ok().then_some(())
    });
    host.ok("systemctl start stintd.service");
    assert!(!host.run("touch /var/lib/stint/x").ok(), "it can be written");
    answers_and_ends(&host, &expiring);
    let refused = host.run("stint grant carol admin --for 1h --reason x");
    assert_eq!(refused.status, 1, "{refused}");
    assert_unwritten(&host);

    host.ok("mount -o remount,rw /var/lib/stint");
    // A unit that started meanwhile has a mount of its own, and of the command's flag a copy; the
    // kernel alone, after an error of the disk, sets none.
    host.set_writable("stintd.service", "/var/lib/stint", true);
    quiet(&host);
    host.ok("systemctl restart stintd.service");
    assert_eq!(listed(&host, id(&expiring))["end_reason"], "expired", "it was forgotten");
    assert_eq!(listed(&host, id(&lasting))["state"], "active");
}

#[test]
fn what_the_policy_holds_is_given_once_a_full_disk_has_room() {
    let host = gate(builder(Suite::Trixie, POLICY).small("/var/lib/stint", "3m", "0700").boot());
    host.write_policy(&format!(
        "{POLICY}\n[[grants]]\nuser = \"bob\"\nrole = \"admin\"\nfrom = 2026-01-01T00:00:00Z\n\
         until = 2056-01-01T00:00:00Z\nreason = \"on duty\"\n"
    ));
    fill(&host);
    host.ok("systemctl kill -s KILL stintd.service");
    let told = eventually("the alarm", SOON, || {
        let all = host.run("stint status").ok().then(|| alarms(&host))?;
        all.into_iter().find(|text| text.starts_with("admin of bob is not held yet: "))
    });
    assert!(told.ends_with("database or disk is full"), "{told}");
    assert!(!is_in(&host, "bob", "video"), "it is held though nobody wrote it down");
    host.ok("rm /var/lib/stint/ballast");
    quiet(&host);
    assert!(is_in(&host, "bob", "video"), "it was forgotten");
    assert_eq!(host.as_user("bob", "sudo -n id -u").stdout, "0\n");
}

#[test]
fn on_a_damaged_state_nobody_is_let_in_and_root_is_told_how_to_mend_it() {
    let host = gated(Suite::Trixie, POLICY);
    grant(&host, "alice admin --for 1h");
    let mut shell = host.shell("alice");
    assert_let_in(&host, &mut shell, "before");
    host.ok("systemctl stop stintd.socket stintd.service");
    host.ok("cd /var/lib/stint && cp state.sqlite /root/copy && rm -f state.sqlite-* && \
         size=$(stat -c %s state.sqlite) && \
         head -c $((size - 4096)) /dev/urandom | dd of=state.sqlite bs=4096 seek=1 conv=notrunc");
    host.ok("systemctl start stintd.socket; systemctl start --no-block stintd.service");
    let why = eventually("why it does not start", SOON, || {
        let told = host.ok("journalctl -u stintd.service -o cat --no-pager");
        told.lines().find(|line| line.contains("is damaged")).map(str::to_owned)
    });
    assert!(why.starts_with("stintd: /var/lib/stint/state.sqlite is damaged ("), "{why}");
    let mend = "): nobody is let in on it. Stop stintd, put a copy back or move the file away, \
                and start it again";
    assert!(why.ends_with(mend), "{why}");
    assert_says(&shell.run("sudo -n id -u"), AWAY, "on a damaged state");
    let status = host.run("stint status");
    assert_eq!(status.status, 69, "{status}");
    assert_eq!(host.run("id -u").stdout, "0\n");

    host.ok("systemctl stop stintd.socket stintd.service && mv /var/lib/stint/state.sqlite /root/damaged");
    host.ok("systemctl start stintd.socket stintd.service");
    // The shell carried a group that the list named, and has ended with it.
    assert_denied(&host, &mut host.shell("alice"), "on a new state");
    assert!(!has_rules(&host), "a rule of a grant that nobody knows is left");
    assert_eq!(host.ok("stint list --json"), "[]\n");

    host.ok("systemctl stop stintd.socket stintd.service && rm -f /var/lib/stint/state.sqlite*");
    host.ok(
        "cp /root/copy /var/lib/stint/state.sqlite && systemctl start stintd.socket stintd.service",
    );
    assert_let_in(&host, &mut host.shell("alice"), "on the copy");
}
