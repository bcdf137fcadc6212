//! The module in sudo, sudo-rs, su and doas: without an answer that is stintd's, nobody is let in,
//! within the timeout and in clear words, and root is; and nothing of it is left in the program
//! that asked, nor in stintd, however often and however many at once.

use crate::common::{SOON, assert_says, builder, grant};
use crate::doors::{
    Door, POLICY, alice, as_alice, away, doors, doors_builder, free_su, gate_doors, gated_doors,
    grant_all, unbelieved,
};
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;
use stint_tests::{Deadline, Host, Suite, eventually};

/// A denial must come within this: the module's timeout is 3 s, and the machine may be busy.
const IN_TIME: Duration = Duration::from_secs(10);

const IMPOSTOR: &str = include_str!("impostor.pl");

fn daemon(host: &Host) -> String {
    host.ok("systemctl show -P MainPID stintd.service").trim().to_owned()
}

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

fn assert_open(host: &Host, when: &str) {
    for door in doors(host.suite()) {
        let output = as_alice(host, &door.line("id -u"));
        assert_eq!(
            (output.status, output.stdout.as_str()),
            (0, "0\n"),
            "{}, {when}: {output}",
            door.program
        );
    }
}

fn without_stintd_nobody_is_let_in(suite: Suite) {
    let host = gated_doors(suite);
    // She holds all that there is: only the answer is missing.
    grant_all(&host);
    assert_open(&host, "stintd is there");

    let pid = daemon(&host);
    host.ok(&format!("kill -STOP {pid}"));
    assert_shut(&host, "stopped", Duration::from_secs(3), away);
    host.ok(&format!("kill -CONT {pid}"));
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
    host.ok(&format!("kill -STOP {}", daemon(&host)));
    for (given, seconds) in [("timeout=1", 1), ("", 3), ("timeout=5", 5)] {
        options(given);
        let clock = Deadline::after(IN_TIME);
        assert_says(&as_alice(&host, "sudo -n id -u"), &away("sudo"), given);
        let took = clock.elapsed().as_secs();
        assert!((seconds..seconds + 2).contains(&took), "{given:?} took {took} s");
    }
}

/// Run as root by each door: what the command and those who started it have open, block, ignore
/// and catch, and how many threads they have.
const FAMILY: &str = r#"for fd in /proc/self/fd/*; do readlink $fd; done | sort | sed 's/[0-9][0-9]*//g' >/run/family
pid=$PPID
echo command >>/run/family
grep -e ^SigBlk -e ^SigIgn -e ^SigCgt -e ^Threads /proc/self/status >>/run/family
while read name </proc/$pid/comm && echo " sudo sudo-rs su doas " | grep -q " $name "; do
    echo $name >>/run/family
    grep -e ^SigBlk -e ^SigIgn -e ^SigCgt -e ^Threads /proc/$pid/status >>/run/family
    for fd in /proc/$pid/fd/*; do echo "${fd##*/} $(readlink $fd | sed 's/[0-9][0-9]*//g')"; done >>/run/family
    pid=$(sed -n 's/^PPid:\t//p' /proc/$pid/status)
done
cat /run/family
"#;

fn nothing_is_left(suite: Suite) {
    let host = doors_builder(suite)
        .file("/usr/local/bin/family", 0o755, format!("#!/bin/sh\n{FAMILY}"))
        .boot();
    free_su(&host);
    let look = |door: &Door| {
        let family = as_alice(&host, &format!("{} 2>&1 | cat", door.line("/usr/local/bin/family")));
        let open = as_alice(&host, &door.line("ls /proc/self/fd"));
        // ls has its folder open besides. su alone passes on what it was started with.
        if door.program != "su" {
            assert_eq!(open.stdout, "0\n1\n2\n3\n", "{}: {open}", door.program);
        }
        assert!(family.stdout.contains("SigIgn"), "{}: {family}", door.program);
        family.stdout + &open.stdout
    };
    let without: Vec<String> = doors(suite).iter().map(look).collect();
    host.ok("stint gate on sudo su doas");
    grant_all(&host);
    for (door, without) in doors(suite).iter().zip(without) {
        assert!(without.contains(&format!("\n{}\n", door.program)), "{without}");
        let asked = host.journal("STINT_EVENT=check.allowed").len();
        assert_eq!(look(door), without, "{}: with the gate, and without", door.program);
        let asked_now = host.journal("STINT_EVENT=check.allowed").len();
        assert_eq!(asked_now, asked + 2, "{}: the module was not asked", door.program);
    }
}

#[test]
fn no_descriptor_thread_or_signal_is_left_behind_on_bookworm() {
    nothing_is_left(Suite::Bookworm);
}

#[test]
fn no_descriptor_thread_or_signal_is_left_behind_on_trixie() {
    nothing_is_left(Suite::Trixie);
}

/// What a door's program does to the world, as the kernel saw it: programs run, files written,
/// threads made, sockets connected.
fn deeds(host: &Host, door: &Door) -> BTreeSet<String> {
    let trace = "execve,execveat,clone,clone3,vfork,connect,bind,sendto,openat,open,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,chmod,fchmodat,chown,setitimer,timer_create";
    let line = door.line("/bin/true");
    host.ok(&format!("cd / && strace -f -qq -e trace={trace} -e signal=none -o /run/trace -u alice {line} && cat /run/trace"));
    let trace = host.ok("cat /run/trace");
    let told = |line: &str| {
        let (_, call) = line.split_once(' ')?;
        let call = call.trim_start();
        let (name, rest) = call.split_once('(')?;
        match name {
            "open" | "openat"
                if rest.contains("O_WRONLY")
                    || rest.contains("O_RDWR")
                    || rest.contains("O_CREAT") =>
            {
                Some(format!("writes {}", rest.split('"').nth(1)?))
            }
            "open" | "openat" | "sendto" => None,
            "clone" | "clone3" if !rest.contains("CLONE_THREAD") => None,
            "connect" => Some(format!("connects {}", rest.split('"').nth(1).unwrap_or(rest))),
            // The name that sd-bus binds begins with a random number.
            "bind" => Some(format!("binds {}", rest.rsplit('/').next()?)),
            _ => Some(format!("{name} {}", rest.split('"').nth(1).unwrap_or("a thread or timer"))),
        }
    };
    trace.lines().filter_map(told).collect()
}

fn one_connection_is_all(suite: Suite) {
    let host = doors_builder(suite).boot();
    free_su(&host);
    let without: Vec<_> = doors(suite).iter().map(|door| deeds(&host, door)).collect();
    host.ok("stint gate on sudo su doas");
    grant_all(&host);
    for (door, without) in doors(suite).iter().zip(without) {
        assert!(without.iter().any(|deed| deed.starts_with("execve ")), "{without:?}");
        let with = deeds(&host, door);
        let more: Vec<_> = with.difference(&without).collect();
        assert_eq!(more, ["connects /run/stint/pam.sock"], "{}", door.program);
    }
}

#[test]
fn one_connection_to_stintd_is_all_that_it_does_on_bookworm() {
    one_connection_is_all(Suite::Bookworm);
}

#[test]
fn one_connection_to_stintd_is_all_that_it_does_on_trixie() {
    one_connection_is_all(Suite::Trixie);
}

/// Open descriptors, threads and resident KiB of stintd.
fn size(host: &Host) -> (u64, u64, u64) {
    let pid = daemon(host);
    let text = host.ok(&format!(
        "ls /proc/{pid}/fd | wc -l; awk '/^Threads/ {{print $2}} /^VmRSS/ {{print $2}}' /proc/{pid}/status"
    ));
    let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    (numbers[0], numbers[2], numbers[1])
}

fn a_thousand_in_a_row_and_many_at_once(suite: Suite, sudo: &str) {
    let host = builder(suite, POLICY).boot();
    host.ok("stint gate on sudo");
    grant(&host, "alice admin --for 2h");
    let many = |count: u32, sign: &str| {
        let line = format!("for i in $(seq {count}); do {sudo} -n echo in {sign} done; wait");
        let output = host.run_with(&alice(&line), b"", Duration::from_secs(300));
        let lines = output.stdout.lines().filter(|line| *line == "in").count();
        assert_eq!(lines, count as usize, "{count}: {}", output.stderr);
    };
    many(200, "&");
    let before = size(&host);
    many(1000, ";");
    many(200, "&");
    eventually("as few descriptors and threads as before", SOON, || {
        let after = size(&host);
        (after.0 <= before.0 && after.1 <= before.1).then_some(())
    });
    let after = size(&host);
    assert!(after.2 <= before.2 + 4096, "KiB resident: {} before, {} after", before.2, after.2);
    assert_eq!(host.ok("systemctl show -P NRestarts stintd.service"), "0\n");
}

#[test]
fn a_thousand_sudos_in_a_row_and_two_hundred_at_once_neither_hang_nor_leak() {
    a_thousand_in_a_row_and_many_at_once(Suite::Bookworm, "sudo");
}

#[test]
fn a_thousand_of_sudo_rs_in_a_row_and_two_hundred_at_once_neither_hang_nor_leak() {
    a_thousand_in_a_row_and_many_at_once(Suite::Trixie, "sudo-rs");
}

fn killed_in_mid_question(suite: Suite) {
    let host = gated_doors(suite);
    grant_all(&host);
    assert_open(&host, "before");
    let (pid, before) = (daemon(&host), size(&host));
    for door in doors(suite) {
        host.ok(&format!("kill -STOP {pid}"));
        let asking = format!(
            "{} & child=$!; read go; kill -KILL $child; wait $child; echo $?",
            door.line("id -u")
        );
        thread::scope(|scope| {
            let person = scope.spawn(|| {
                let line =
                    format!("mkfifo -m 0622 /run/go 2>/dev/null; {} <>/run/go", alice(&asking));
                host.run(&line)
            });
            // The listener is one line, each question that waits for stintd another.
            eventually("a question that waits", SOON, || {
                let lines = host.ok("grep -c /run/stint/pam.sock /proc/net/unix");
                (lines.trim() != "1").then_some(())
            });
            host.ok("echo go >/run/go");
            let output = person.join().unwrap();
            assert!(output.stdout.ends_with("137\n"), "{}: {output}", door.program);
            assert!(!output.stdout.starts_with('0'), "{}: {output}", door.program);
        });
        host.ok(&format!("kill -CONT {pid}"));
        assert_open(&host, &format!("after {} was killed", door.program));
    }
    assert_eq!(daemon(&host), pid);
    eventually("as few descriptors as before", SOON, || (size(&host).0 <= before.0).then_some(()));
}

#[test]
fn who_kills_the_program_in_mid_question_harms_nobody_on_bookworm() {
    killed_in_mid_question(Suite::Bookworm);
}

#[test]
fn who_kills_the_program_in_mid_question_harms_nobody_on_trixie() {
    killed_in_mid_question(Suite::Trixie);
}

#[test]
fn a_restart_of_stintd_denies_no_sudo() {
    let host = builder(Suite::Bookworm, POLICY).boot();
    host.ok("stint gate on sudo");
    grant(&host, "alice admin --for 2h");
    let loops = alice(
        "for loop in 1 2 3 4; do \
         (while [ ! -e /run/enough ]; do sudo -n echo in || echo out; done) & done >/tmp/seen; wait",
    );
    let seen = || host.run("cat /tmp/seen").stdout;
    thread::scope(|scope| {
        let people = scope.spawn(|| host.run_with(&loops, b"", Duration::from_secs(120)));
        for _ in 0..10 {
            let before = seen().len();
            // Each of the four, and one more, since the last restart.
            eventually("sudos that go on", SOON, || (seen().len() > before + 12).then_some(()));
            host.ok("systemctl restart stintd.service");
        }
        host.ok("touch /run/enough");
        let output = people.join().unwrap();
        let log = host.ok("journalctl -q -t sudo -g pam_stint || true");
        assert!(!seen().contains("out"), "{output}{log}");
    });
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
    grant(&host, "alice admin --for 1h");
    assert_eq!(as_alice(&host, "sudo -n id -u").stdout, "0\n");
    // From here on uid 1000 is called twin, to sudo and to everybody.
    host.ok("(grep ^twin: /etc/passwd; grep -v ^twin: /etc/passwd) >/root/p && cat /root/p >/etc/passwd");
    assert_eq!(as_alice(&host, "id -un").stdout, "twin\n");
    assert_says(
        &as_alice(&host, "sudo -n id -u"),
        "stint: sudo on web-1 needs a grant, and you hold none that opens it.\n\
         stint: one is held by alice, whose number twin shares; it does not count.\n",
        "the twin",
    );
    let refused = host.run("stint grant alice admin --for 1h --reason 'for a test'");
    assert_eq!(
        (refused.status, refused.stderr.as_str()),
        (2, "stint: \"alice\" shares uid 1000 with \"twin\": give each account a uid of its own\n")
    );
    // A number that is given anew brings nothing with it.
    host.ok("sed -i '/^alice:/d' /etc/passwd /etc/shadow");
    let output = as_alice(&host, "sudo -n id -u");
    assert!(!output.ok() && !output.stdout.contains('0'), "{output}");
    assert!(output.stderr.starts_with("stint: sudo on web-1 needs a grant"), "{output}");
}
