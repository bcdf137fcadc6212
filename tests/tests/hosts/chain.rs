//! The record is a chain: whatever is done to it is found and named, by the command, and by
//! anybody who reads how it is made; what left the host shows what the host alone could not.

use crate::common::{SOON, document, kill};
use crate::parley::{POLICY, check, gated, grant, prepared, refused};
use crate::record::assert_state_agrees;
use rusqlite::Connection;
use stint_tests::{Host, Output, Suite, eventually};

const STATE: &str = "var/lib/stint/state.sqlite";

/// Some events, of every kind that is easily had, all of them in the state.
fn with_events(host: &Host) {
    for _ in 0..3 {
        assert_ne!(host.as_user("alice", "sudo -n true").status, 0);
    }
    let hers = grant(host, "alice", "admin", "--for 1h");
    assert!(host.as_user("alice", "sudo -n true").ok());
    host.ok(&format!("stint revoke {hers} --reason over"));
}

fn verify(host: &Host) -> Output {
    host.run("journalctl --sync; stint audit verify")
}

/// The number of the last link, of a record that is whole.
fn whole(host: &Host) -> i64 {
    let output = verify(host);
    assert!(output.ok(), "{output}");
    let number = output.stdout.strip_prefix("The record is whole: ");
    let number = number.and_then(|rest| rest.split(' ').next()).and_then(|n| n.parse().ok());
    number.unwrap_or_else(|| panic!("{output}"))
}

fn in_state(host: &Host, sql: &str) {
    let state = Connection::open(host.root().join(STATE)).unwrap();
    state.busy_timeout(SOON).unwrap();
    state.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The record is broken, and this is said of it.
#[track_caller]
fn broken(output: &Output, says: &str) {
    assert_eq!(output.status, 1, "{output}");
    let first = output.stdout.lines().next().unwrap_or_default();
    assert_eq!(first, format!("The record is broken: {says}."), "{output}");
}

#[test]
fn nobody_else_reads_the_record_and_readers_do() {
    let policy = format!("{POLICY}\n[audit]\nreaders = [\"carol\"]\n");
    let host = prepared(Suite::Trixie).file("/etc/stint/policy.toml", 0o644, policy).boot();
    host.ok("groupadd crew && groupadd engineers && stint reload && stint gate on sudo");
    let denied = "stint: Record is root's, and theirs who may read the record\n";
    for verb in ["log", "audit verify"] {
        refused(&host.as_user("alice", &format!("stint {verb}")), 3, denied);
    }
    let verified = host.as_user("carol", "stint audit verify");
    assert!(verified.ok() && verified.stdout.starts_with("The record is whole: "), "{verified}");
    let log = host.as_user("carol", "stint log --event call.denied --user alice");
    assert_eq!(log.stdout.lines().count(), 2, "{log}");
    host.ok("systemctl stop stintd.socket stintd.service; systemctl mask --runtime stintd.service");
    assert_eq!(host.run("stint audit verify").status, 69);
    let alone = host.run(&format!("stint audit verify --state /{STATE}"));
    assert!(alone.ok(), "{alone}");
}

#[test]
fn a_record_is_whole_whatever_happens_to_the_daemon() {
    for suite in Suite::ALL {
        let mut host = gated(suite);
        with_events(&host);
        let first = whole(&host);
        // Events come in while it is verified.
        let meanwhile = host.run(
            "(for i in $(seq 30); do runuser -u alice -- sudo -n true; done) 2>/dev/null &
             for i in 1 2 3 4 5; do stint audit verify >/dev/null || exit 1; done; wait",
        );
        assert!(meanwhile.ok(), "{suite:?}: {meanwhile}");
        // A death costs the state what was recorded in the moment before it.
        assert_state_agrees(&host);
        kill(&host);
        eventually("stintd to be back", SOON, || host.run("stint status").ok().then_some(()));
        host.ok("systemctl restart stintd.service");
        with_events(&host);
        host.reboot();
        with_events(&host);
        // The log is started anew and begins new files while events come.
        host.ok("(for i in $(seq 40); do runuser -u alice -- sudo -n true; done) 2>/dev/null &
             systemctl restart systemd-journald; journalctl --rotate
             systemctl restart systemd-journald; journalctl --rotate; wait");
        assert_state_agrees(&host);
        assert!(whole(&host) > first, "{suite:?}");
        // Checkpoints of each orderly start and stop, and they agree.
        let checkpoints = host.journal("STINT_EVENT=audit.checkpoint");
        assert!(checkpoints.len() >= 2, "{suite:?}: {checkpoints:?}");
        assert!(verify(&host).stdout.contains(" it up to link "), "{suite:?}");
        // A log that has forgotten them is no reason to say that they are well.
        host.ok("journalctl --rotate --vacuum-time=1us");
        let forgotten = verify(&host).stdout;
        assert!(forgotten.contains("Why: this host's journal has none"), "{suite:?}: {forgotten}");
    }
}

#[test]
fn whatever_is_changed_in_the_file_is_found_and_named() {
    for suite in Suite::ALL {
        let host = gated(suite);
        with_events(&host);
        host.ok("systemctl stop stintd.socket stintd.service");
        let last = {
            let state = Connection::open(host.root().join(STATE)).unwrap();
            state.query_row("SELECT max(seq) FROM record", [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert!(last > 8);
        host.ok(&format!("cp /{STATE} /root/good"));
        let changed = "link 5 is not as it was written, or not where it was written";
        let cut = format!(
            "link {} is missing: the record ends before it, and link {last} was there",
            last - 1
        );
        for (sql, says) in [
            ("UPDATE record SET message = 'nothing' WHERE seq = 5", changed),
            ("UPDATE record SET fields = '{}' WHERE seq = 5", changed),
            ("UPDATE record SET at = at + 1 WHERE seq = 5", changed),
            ("UPDATE record SET event = 'check.allowed ' WHERE seq = 5", changed),
            ("UPDATE record SET hash = zeroblob(32) WHERE seq = 5", changed),
            ("UPDATE record SET hash = NULL WHERE seq = 5", changed),
            (
                "DELETE FROM record WHERE seq = 5",
                "link 5 is missing: link 6 stands in its place",
            ),
            (
                "DELETE FROM record WHERE seq = 5;
                 UPDATE record SET seq = -seq WHERE seq > 5; UPDATE record SET seq = -seq - 1 WHERE seq < 0",
                changed,
            ),
            (
                "UPDATE record SET seq = 0 WHERE seq = 5; UPDATE record SET seq = 5 WHERE seq = 6;
                 UPDATE record SET seq = 6 WHERE seq = 0",
                changed,
            ),
            (
                "INSERT INTO record SELECT 0, at, boot_id, event, message, fields, hash FROM record
                 WHERE seq = 5",
                "link 0 stands where link 1 should be",
            ),
            ("DELETE FROM record WHERE seq > (SELECT max(seq) - 2 FROM record)", &cut),
        ] {
            host.ok(&format!("cp /root/good /{STATE}"));
            in_state(&host, sql);
            let output = host.run(&format!("stint audit verify --state /{STATE}"));
            broken(&output, says);
            // A copy, as an auditor has it.
            host.ok(&format!("cp /{STATE} /root/copy"));
            broken(&host.run("stint audit verify --state /root/copy"), says);
        }
        // The same through the daemon, which goes on from where the record was.
        host.ok("systemctl start stintd.socket stintd.service");
        with_events(&host);
        let gap = format!("link {} is missing: link {} stands in its place", last - 1, last + 1);
        broken(&verify(&host), &gap);
    }
}

#[test]
fn what_left_the_host_shows_what_the_host_alone_cannot() {
    let host = gated(Suite::Trixie);
    with_events(&host);
    host.ok("systemctl stop stintd.socket stintd.service");
    host.ok("journalctl --sync; journalctl -o json STINT_EVENT=audit.checkpoint >/root/elsewhere");
    // The tail goes, and the head is made to fit.
    in_state(
        &host,
        "DELETE FROM record WHERE seq > (SELECT max(seq) - 3 FROM record);
         UPDATE chain SET seq = (SELECT max(seq) FROM record),
             hash = (SELECT hash FROM record ORDER BY seq DESC LIMIT 1)",
    );
    host.ok(&format!("cp /{STATE} /root/copy"));
    let alone = host.run("stint audit verify --state /root/copy");
    assert!(alone.ok(), "{alone}");
    assert!(alone.stdout.contains("No checkpoint was found"), "{alone}");
    let seen = host.run("stint audit verify --state /root/copy --checkpoints - </root/elsewhere");
    assert_eq!(seen.status, 1, "{seen}");
    assert!(seen.stdout.contains("the record ends before it"), "{seen}");
    let of_journal = host.run(&format!("stint audit verify --state /{STATE}"));
    assert_eq!(of_journal.status, 1, "{of_journal}");
    host.ok("systemctl start stintd.socket stintd.service");
    with_events(&host);
    assert_eq!(verify(&host).status, 1, "the journal of the host itself, with the daemon");

    // Nobody else's entries count.
    let host = gated(Suite::Trixie);
    let forged = "printf 'MESSAGE=x\\nMESSAGE_ID=5b1c8f0e6a7d4b53a2e94d1f7c300029\\nSTINT_EVENT=audit.checkpoint\\nSTINT_LINK=99999\\nSTINT_HASH=%064d\\n' 0 | logger --journald";
    assert!(host.as_user("alice", forged).ok());
    eventually("the forged entry", SOON, || {
        (!host.journal("STINT_LINK=99999").is_empty()).then_some(())
    });
    whole(&host);
}

#[test]
fn a_log_is_read_by_time_by_name_and_as_it_comes() {
    let host = gated(Suite::Bookworm);
    assert_eq!(host.run("stint log --event no.such").status, 2);
    assert_eq!(host.run("stint log --since tomorrow").status, 2);
    host.write("/root/hostile", "0600", "a\n\u{1b}[2J\u{202e}STINT_USER=mallory");
    with_events(&host);
    host.ok("stint grant alice admin --reason \"$(cat /root/hostile)\"");
    let denied = host.ok("stint log --user alice --event check.denied --since 1h");
    assert_eq!(denied.lines().count(), 3, "{denied}");
    assert!(denied.lines().all(|line| line.contains("  check.denied ")), "{denied}");
    assert_eq!(host.ok("stint log --until 2001-01-01"), "");
    for line in
        ["stint log", "stint log --json", "script -qec 'stint log --event check.allowed' /dev/null"]
    {
        let shown = host.ok(line);
        let plain = shown.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "").replace('\r', "");
        assert!(!plain.contains(['\u{1b}', '\u{202e}']), "{line}: {shown:?}");
    }
    let all = host.ok("stint log --json");
    for line in all.lines() {
        let event = document(line);
        assert_eq!(event["event"], event["STINT_EVENT"], "{line}");
        assert!(event["time"].as_str().unwrap().ends_with('Z'), "{line}");
    }
    let given = host.ok("stint log --event grant.activated --json --role admin");
    let hostile = document(given.lines().last().unwrap());
    assert_eq!(hostile["STINT_REASON"], "a\\u{a}\\u{1b}[2J\\u{202e}STINT_USER=mallory");

    let followed = host.run(
        "timeout 10 stint log --follow --event check.denied --user bob >/root/followed & sleep 2
         runuser -u bob -- sudo -n true 2>/dev/null; wait; cat /root/followed",
    );
    assert_eq!(followed.stdout.lines().count(), 1, "{followed}");
}

/// The verifier of docs/record.md, as it stands there.
fn documented() -> &'static str {
    let text = include_str!("../../../docs/record.md");
    let (_, rest) = text.split_once("```python\n").expect("a verifier in docs/record.md");
    rest.split_once("```").expect("its end").0
}

#[test]
fn anybody_can_write_a_verifier() {
    let host = gated(Suite::Trixie);
    with_events(&host);
    assert!(check(&host, ["sudo", "döner\u{202e}", "döner", "", ""], 2).ok());
    host.ok("systemctl stop stintd.socket stintd.service");
    host.ok(&format!("cp /{STATE} /root/copy.sqlite"));
    host.write("/root/verify.py", "0600", documented());
    let verify = || {
        let output = host.run("python3 /root/verify.py /root/copy.sqlite");
        (output.ok(), output.stdout)
    };
    let (good, said) = verify();
    assert!(good && said.starts_with("whole: "), "{said}");
    Connection::open(host.root().join("root/copy.sqlite"))
        .unwrap()
        .execute_batch("UPDATE record SET message = 'x' WHERE seq = 4")
        .unwrap();
    assert_eq!(verify(), (false, "link 4 is broken\n".to_owned()));
}
