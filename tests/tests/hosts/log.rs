//! The record when the log is not what it should be: it hangs, it is away for a while, or there is
//! no journal at all. Nobody is held up, and what is lost is counted and told.

use crate::common::{SOON, document};
use crate::parley::{DENIED, POLICY, check, gated, grant};
use crate::record::{assert_state_agrees, events, record_in_state};
use std::time::Duration;
use stint_tests::{Deadline, Suite, eventually};

/// More than wait for a full log, so that some are lost.
const FLOOD: u32 = 40_000;

#[test]
fn a_log_that_hangs_holds_up_nobody_and_losses_are_counted_and_told() {
    let host = gated(Suite::Bookworm);
    // sudo itself waits for a full log; this is about stint.
    host.write("/etc/sudoers.d/quiet", "0440", "Defaults !syslog\n");
    let mut alice = host.shell("alice");
    let journald = host.ok("systemctl show -P MainPID systemd-journald.service").trim().to_owned();
    host.freeze(&journald);
    let flood = check(&host, ["sudo", "carol", "carol", "", ""], FLOOD);
    assert!(flood.stdout.contains("deny"), "{flood:?}");
    let clock = Deadline::after(SOON);
    let refused = alice.run("sudo -n true");
    assert!(refused.stdout.starts_with(DENIED), "{refused}");
    assert!(clock.elapsed() < Duration::from_secs(2), "sudo was held up: {:?}", clock.elapsed());
    host.thaw(&journald);

    // No event has to come first for those that wait to be sent.
    let gap = host.journal_of("STINT_EVENT=audit.gap", 1, SOON);
    assert_eq!(gap.len(), 1, "told once: {gap:?}");
    let text = gap[0]["MESSAGE"].as_str().unwrap();
    let lost: usize = text
        .strip_suffix(" events could not be delivered to the system's log")
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("{text}"));
    assert!(lost > 0);
    let told = usize::try_from(FLOOD).unwrap() - lost;
    // Among what was lost is the checkpoint of each thousand links, which is in the log alone.
    let checkpoints = lost / 1_000 + 1;
    let carols = host.journal("STINT_EVENT=check.denied STINT_USER=carol").len();
    assert!((told..=told + checkpoints).contains(&carols), "{carols} of {told}");
    assert_eq!(host.journal("STINT_EVENT=check.denied STINT_USER=alice").len(), 1);
    let doctor = host.run("stint doctor").stdout;
    assert!(doctor.contains(&format!("{lost} events did not reach the journal")), "{doctor}");

    let in_state = record_in_state(&host);
    let carols = in_state.iter().filter(|(_, fields)| fields["STINT_USER"] == "carol").count();
    assert_eq!(carols, usize::try_from(FLOOD).unwrap(), "the state has them all");
    assert_eq!(in_state.iter().filter(|(event, _)| event == "audit.gap").count(), 1);
}

#[test]
fn a_journal_that_is_away_for_a_while_gets_every_event_later() {
    let host = gated(Suite::Trixie);
    let before = events(&host, 0).len();
    let journald = host.ok("systemctl show -P MainPID systemd-journald.service").trim().to_owned();
    host.freeze(&journald);
    // Fewer than may wait, more than the socket takes by itself.
    let asked = check(&host, ["sudo", "carol", "carol", "", ""], 700);
    assert!(asked.stdout.contains("deny"), "{asked:?}");
    host.thaw(&journald);
    let all = host.journal_of("STINT_EVENT=check.denied STINT_USER=carol", 700, SOON);
    assert_eq!(all.len(), 700);
    assert_eq!(events(&host, before).len(), 700, "and nothing beside");
    assert_state_agrees(&host);
}

/// A syslog daemon in a few lines: writes what comes to `/dev/log` into a file.
const SYSLOG: &str = r#"
use strict; use IO::Socket::UNIX; use Socket;
unlink $ARGV[0];
my $socket = IO::Socket::UNIX->new(Local => $ARGV[0], Type => SOCK_DGRAM) or die "bind: $!\n";
chmod 0666, $ARGV[0];
open my $file, ">>", "/run/syslog.txt" or die; $file->autoflush(1);
while (defined $socket->recv(my $line, 65536)) { print $file "$line\x00\n" }
"#;

#[test]
fn without_a_journal_events_go_to_dev_log() {
    let host = gated(Suite::Bookworm);
    let skip = record_in_state(&host).len();
    host.write("/root/syslog.pl", "0600", SYSLOG);
    host.ok(
        "units='systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket \
             systemd-journald-audit.socket'
        systemctl mask --runtime $units; systemctl stop $units
        rm -f /run/systemd/journal/socket /dev/log
        systemd-run -q --unit=syslog perl /root/syslog.pl /dev/log",
    );
    let until = |what: &str| {
        eventually(what, SOON, || host.run(what).ok().then_some(()));
    };
    until("test -S /dev/log");
    host.write("/etc/stint/policy.toml", "0644", format!("{POLICY}\n[audit]\nsign = true\n"));
    host.ok("systemctl restart stintd.service");
    assert_ne!(host.as_user("alice", "sudo -n true").status, 0);
    let hers = grant(&host, "alice", "admin", "--ticket 'two\nlines \"quoted\"'");
    assert_eq!(document(&host.ok("stint doctor --json || true"))["sudo_gated"], true);

    until("grep -q grant.activated /run/syslog.txt");
    let text = String::from_utf8(host.read("/run/syslog.txt")).unwrap();
    let lines: Vec<&str> =
        text.split_terminator("\0\n").filter(|line| line.contains(" stintd[")).collect();
    // How far the chain has come is no event of the state.
    let is_event = |line: &&&str| {
        line.contains("STINT_EVENT=") && !line.contains("STINT_EVENT=\"audit.checkpoint\"")
    };
    let events: Vec<_> = lines.iter().filter(is_event).collect();
    assert!(events.iter().all(|line| !line.contains('\n')), "an event of two lines: {events:?}");
    let denied = events.iter().find(|line| line.contains("check.denied")).expect("the denial");
    assert!(denied.starts_with("<84>"), "authpriv.warning: {denied}");
    let fields = "STINT_EVENT=\"check.denied\" STINT_DECISION=\"denied\" STINT_USER=\"alice\" \
                  STINT_UID=\"1000\" STINT_SERVICE=\"sudo\"";
    assert!(denied.ends_with(fields), "{denied}");
    let given = events.iter().find(|line| line.contains("grant.activated")).expect("the grant");
    assert!(given.starts_with("<85>"), "authpriv.notice: {given}");
    for part in [
        format!("STINT_GRANT=\"{hers}\""),
        "STINT_REASON=\"a test\"".to_owned(),
        "STINT_TICKET=\"two\\u{a}lines \\\"quoted\\\"\"".to_owned(),
    ] {
        assert!(given.contains(&part), "{part}: {given}");
    }
    let in_state = eventually("the state to have every event", Duration::from_secs(2), || {
        Some(record_in_state(&host)).filter(|record| record.len() >= skip + events.len())
    });
    let wanted: Vec<_> = in_state[skip..].iter().map(|(event, _)| event.as_str()).collect();
    let told: Vec<_> = events
        .iter()
        .map(|line| line.split("STINT_EVENT=\"").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    assert_eq!(told, wanted, "each once, in order");
    // Nothing says who wrote these lines but what is signed.
    host.ok("systemctl restart stintd.service; stint audit key >/root/web-1.pub");
    let unsaid = host.run("stint audit verify --checkpoints /run/syslog.txt");
    assert!(unsaid.status == 1 && unsaid.stderr.contains("this is no checkpoint"), "{unsaid}");
    let signed = "stint audit verify --checkpoints /run/syslog.txt --key /root/web-1.pub";
    let told = host.ok(signed);
    assert!(told.contains(" of web-1 are signed by SHA256:"), "{told}");
    host.ok("sed -i 's/STINT_LINK=\"/&1/' /run/syslog.txt");
    assert!(host.run(signed).stdout.contains(" is not as it was signed"));
}
