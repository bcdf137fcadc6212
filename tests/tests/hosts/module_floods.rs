//! Questions without end, many at once, killed in the middle and across restarts of stintd: none
//! hangs, none is denied that should not be, and nothing of them stays in stintd.

use crate::common::{SOON, builder, daemon, grant};
use crate::doors::{POLICY, alice, assert_open, doors, gated_doors, grant_all};
use std::thread;
use std::time::Duration;
use stint_tests::{Host, Suite, eventually};

/// Open descriptors, threads and resident KiB of stintd.
fn size(host: &Host) -> (u64, u64, u64) {
    let pid = daemon(host);
    let text = host.ok(&format!(
        "ls /proc/{pid}/fd | wc -l; awk '/^Threads/ {{print $2}} /^VmRSS/ {{print $2}}' /proc/{pid}/status"
    ));
    let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    (numbers[0], numbers[2], numbers[1])
}

fn a_thousand_in_a_row_and_many_at_once(suite: Suite, program: &str) {
    let host = gated_doors(suite);
    grant_all(&host);
    let door = doors(suite).into_iter().find(|door| door.program == program);
    let line = door.unwrap_or_else(|| panic!("no {program} on {suite:?}")).line("echo in");
    let many = |count: u32, sign: &str| {
        let line = format!("for i in $(seq {count}); do {line} {sign} done; wait");
        let output = host.run_with(&alice(&line), b"", Duration::from_secs(300));
        let lines = output.stdout.lines().filter(|line| *line == "in").count();
        assert_eq!(lines, count as usize, "{program}, {count}: {}", output.stderr);
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

#[test]
fn a_thousand_of_su_in_a_row_and_two_hundred_at_once_neither_hang_nor_leak() {
    a_thousand_in_a_row_and_many_at_once(Suite::Trixie, "su");
}

#[test]
fn a_thousand_of_doas_in_a_row_and_two_hundred_at_once_neither_hang_nor_leak() {
    a_thousand_in_a_row_and_many_at_once(Suite::Bookworm, "doas");
}

fn killed_in_mid_question(suite: Suite) {
    let host = gated_doors(suite);
    grant_all(&host);
    assert_open(&host, "before");
    let (pid, before) = (daemon(&host), size(&host));
    for door in doors(suite) {
        host.freeze(&pid);
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
        host.thaw(&pid);
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
