//! The module in sudo, sudo-rs, su and doas: without an answer that is stintd's, nobody is let in,
//! within the timeout and in clear words, and root is.

use crate::common::{DENIED, SOON, assert_says, builder, daemon, grant, id, listed};
use crate::doors::{
    POLICY, as_alice, assert_open, away, doors, doors_builder, gate_doors, gated_doors, grant_all,
    unbelieved,
};
use std::thread;
use std::time::Duration;
use stint_tests::{Deadline, Host, Suite, eventually};

/// A denial must come within this: the module's timeout is 3 s, and the machine may be busy.
const IN_TIME: Duration = Duration::from_secs(10);

const IMPOSTOR: &str = include_str!("impostor.pl");

/// Everybody is denied at every door, at once and in these words, and root is let in.
fn assert_shut(host: &Host, when: &str, least: Duration, text: impl Fn(&str) -> String + Sync) {
    thread::scope(|scope| {
        for door in doors(host.suite()) {
            let text = &text;
            scope.spawn(move || {
                let clock = Deadline::after(IN_TIME);
                let output = as_alice(host, &door.line("id -u"));
                let took = clock.elapsed();
                let what = format!("{}, {when}", door.program);
                assert!(least <= took && took < IN_TIME, "{what}: after {took:?}: {output}");
                assert!(!output.stdout.contains('0') && !output.ok(), "{what}: {output}");
                if door.speaks() {
                    assert_says(&output, &text(door.service), &what);
                }
            });
        }
    });
    let root = host.run("sudo -n id -u; su -c 'id -u'; su - -c 'id -u'; doas id -u");
    assert_eq!(root.stdout, "0\n0\n0\n0\n", "root, {when}: {root}");
}

fn without_stintd_nobody_is_let_in(suite: Suite) {
    let host = gated_doors(suite);
    // She holds all that there is: only the answer is missing.
    grant_all(&host);
    assert_open(&host, "stintd is there");

    let pid = daemon(&host);
    host.freeze(&pid);
    assert_shut(&host, "stopped", Duration::from_secs(3), away);
    host.thaw(&pid);
    assert_open(&host, "it goes on");

    host.ok("rm /run/stint/pam.sock");
    assert_shut(&host, "its socket is removed", Duration::ZERO, away);
    host.ok("systemctl restart stintd.socket");
    assert_open(&host, "the socket is back");

    host.ok("systemctl stop stintd.socket stintd.service && rm -r /run/stint");
    assert_shut(&host, "gone", Duration::ZERO, away);
    host.ok("mkdir -m 0755 /run/stint && touch /run/stint/pam.sock");
    assert_shut(&host, "a file in place of the socket", Duration::ZERO, away);
    host.ok("rm /run/stint/pam.sock && ln -s /dev/log /run/stint/pam.sock");
    assert_shut(&host, "another socket in its place", Duration::ZERO, away);
    host.ok("rm -r /run/stint && systemctl mask stintd.socket stintd.service");
    assert_shut(&host, "masked", Duration::ZERO, away);
    let logged = host.journal("-g 'pam_stint.sudo:account.: denied: stintd cannot be reached: '");
    assert!(logged.iter().all(|entry| entry["SYSLOG_FACILITY"] == "10"), "not in authpriv");
    assert!(logged.len() >= 4, "{logged:?}");
}

#[test]
fn without_stintd_nobody_is_let_in_but_root_on_bookworm() {
    without_stintd_nobody_is_let_in(Suite::Bookworm);
}

#[test]
fn without_stintd_nobody_is_let_in_but_root_on_trixie() {
    without_stintd_nobody_is_let_in(Suite::Trixie);
}

/// Puts somebody else behind the module's socket.
fn impersonate(host: &Host, uid: u32, mode: &str) {
    host.ok("systemctl stop 'impostor-*'; rm -rf /run/stint; mkdir -m 0755 /run/stint");
    host.ok(&format!(
        "systemd-run -q --collect --unit=impostor-{uid}-{mode} perl /root/impostor.pl /run/stint/pam.sock {uid} {mode}"
    ));
    // It listens from the moment in which a connection is taken.
    eventually("the impostor", SOON, || host.run("nc -UzN /run/stint/pam.sock").ok().then_some(()));
    host.ok("truncate -s 0 /run/stint/pam.sock.seen");
}

fn nobody_else_is_believed(suite: Suite) {
    let host = doors_builder(suite).file("/root/impostor.pl", 0o644, IMPOSTOR).boot();
    gate_doors(&host);
    host.ok("systemctl mask --now stintd.socket stintd.service");
    // What it says is what stintd would say: were it root's, it would be believed.
    impersonate(&host, 0, "allow");
    assert_open(&host, "root's own answers allow");
    for (uid, mode) in [(65534, "allow"), (65534, "garbage"), (65534, "silent"), (1000, "allow")] {
        impersonate(&host, uid, mode);
        assert_shut(&host, &format!("uid {uid} in its place: {mode}"), Duration::ZERO, unbelieved);
        let seen = host.ok("stat -c %s /run/stint/pam.sock.seen");
        assert_eq!(seen.trim().parse(), Ok(doors(suite).len()), "uid {uid} was asked so often");
        let line = format!(
            "denied: an impostor: uid {uid} listens where stintd should, and is not believed"
        );
        assert!(
            host.run(&format!("journalctl --sync && journalctl -q -g '{line}' | grep -q .")).ok(),
            "{line}"
        );
    }
    // A stintd that has lost its mind.
    for (mode, seconds, text) in [
        ("garbage", 0, unbelieved as fn(&str) -> String),
        ("close", 0, away),
        ("dribble", 3, away),
        ("silent", 3, away),
    ] {
        impersonate(&host, 0, mode);
        assert_shut(&host, &format!("root's own: {mode}"), Duration::from_secs(seconds), text);
    }
}

#[test]
fn nobody_but_root_is_believed_behind_the_socket_on_bookworm() {
    nobody_else_is_believed(Suite::Bookworm);
}

#[test]
fn nobody_but_root_is_believed_behind_the_socket_on_trixie() {
    nobody_else_is_believed(Suite::Trixie);
}

#[test]
fn options_are_obeyed_and_an_unknown_one_denies() {
    let host = builder(Suite::Bookworm, POLICY).boot();
    host.ok("stint gate on sudo && cp /etc/pam.d/sudo /root/gated");
    let options = |options: &str| {
        host.ok(&format!("sed '/^account.*stint/s/$/ {options}/' /root/gated >/etc/pam.d/sudo"));
    };
    let bad_line = "stint: a pam_stint line in /etc/pam.d has a mistake, so nobody is let in. \
                    root: journalctl -g pam_stint\n";
    grant(&host, "alice admin --for 2h");
    for (given, logged) in [
        ("oops", "unknown option \"oops\": timeout=SECONDS, quiet, prompt, debug exist"),
        ("quiet Debug", "unknown option \"Debug\": timeout=SECONDS, quiet, prompt, debug exist"),
        ("timeout=0", "timeout=\"0\" is no timeout: it takes whole seconds, 1 to 60"),
        ("timeout=61", "timeout=\"61\" is no timeout: it takes whole seconds, 1 to 60"),
    ] {
        options(given);
        assert_says(&as_alice(&host, "sudo -n id -u"), bad_line, given);
        let line = format!("pam_stint(sudo:account): denied: {logged}");
        let entries = host.journal("-t sudo -g pam_stint");
        let last = entries.last().unwrap_or_else(|| panic!("{given}: nothing in the log"));
        assert_eq!((&last["MESSAGE"], &last["SYSLOG_FACILITY"]), (&line.into(), &"10".into()));
    }
    options("timeout=5 quiet prompt debug");
    assert_eq!(as_alice(&host, "sudo -n id -u").stdout, "0\n");
    assert!(
        host.ok("journalctl --sync && journalctl -q -t sudo -p 7..7")
            .contains("stintd answered: allow")
    );

    host.ok("stint revoke --all --reason 'for a test'");
    options("quiet");
    let output = as_alice(&host, "sudo -n id -u");
    assert!(!output.ok() && !output.text().contains("stint"), "quiet: {output}");
    host.freeze(&daemon(&host));
    for (given, seconds) in [("timeout=1", 1), ("", 3), ("timeout=5", 5)] {
        options(given);
        let clock = Deadline::after(IN_TIME);
        assert_says(&as_alice(&host, "sudo -n id -u"), &away("sudo"), given);
        let took = clock.elapsed().as_secs();
        assert!((seconds..seconds + 2).contains(&took), "{given:?} took {took} s");
    }
}

#[test]
fn two_names_with_one_uid_are_told_apart_and_refused() {
    let host = builder(Suite::Bookworm, POLICY)
        .file("/etc/sudoers.d/twin", 0o440, "twin ALL=(ALL:ALL) NOPASSWD: ALL\n")
        .boot();
    host.ok("useradd -o -u 1000 -M -s /bin/sh twin && stint gate on sudo su");
    let order = "stint grant twin admin --for 1h --reason 'for a test'";
    let refused = host.run(order);
    assert_eq!(
        (refused.status, refused.stderr.as_str()),
        (2, "stint: \"twin\" shares uid 1000 with \"alice\": give each account a uid of its own\n")
    );
    let given = grant(&host, "alice admin --for 1h");
    assert_eq!(as_alice(&host, "sudo -n id -u").stdout, "0\n");
    // From here on uid 1000 is called twin, to sudo and to everybody.
    host.ok("(grep ^twin: /etc/passwd; grep -v ^twin: /etc/passwd) >/root/p && cat /root/p >/etc/passwd");
    assert_eq!(as_alice(&host, "id -un").stdout, "twin\n");
    // At once, and not only when that has ended what alice held.
    assert!(!as_alice(&host, "sudo -n id -u").ok(), "the twin is let in");
    eventually("the end of alice's grant", SOON, || {
        (listed(&host, id(&given))["end_reason"] == "policy").then_some(())
    });
    assert_says(&as_alice(&host, "sudo -n id -u"), DENIED, "the twin");
    let refused = host.run("stint grant alice admin --for 1h --reason 'for a test'");
    assert_eq!(
        (refused.status, refused.stderr.as_str()),
        (2, "stint: \"alice\" shares uid 1000 with \"twin\": give each account a uid of its own\n")
    );
    // A number that is given anew brings nothing with it.
    host.ok("sed -i '/^alice:/d' /etc/passwd /etc/shadow");
    let output = as_alice(&host, "sudo -n id -u");
    assert!(!output.ok() && !output.stdout.contains('0'), "{output}");
    assert!(output.stderr.starts_with(DENIED), "{output}");
}
