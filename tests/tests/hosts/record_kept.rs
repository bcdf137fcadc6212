//! The record over years: floods are counted, what an earlier version wrote is taken on, what is too
//! old is cut off and sealed, and what somebody else cuts off is found.

use crate::common::{SOON, document, kill};
use crate::parley::{POLICY, check, gated, prepared};
use crate::record::assert_state_agrees;
use rusqlite::{Connection, params};
use stint_proto::{Link, Timestamp};
use stint_record::{Head, digest, hex, rows};
use stint_tests::{Host, Suite, eventually};

const STATE: &str = "var/lib/stint/state.sqlite";
const DAY: i64 = 86_400_000_000;
/// How many events the old state has, one an hour, the last of them 40 days ago.
const OLD: i64 = 2_500;

fn open(host: &Host, file: &str) -> Connection {
    let state = Connection::open(host.root().join(file)).unwrap();
    state.busy_timeout(SOON).unwrap();
    state
}

fn stop(host: &Host) {
    host.ok("systemctl stop stintd.socket stintd.service");
}

fn start(host: &Host) {
    host.ok("systemctl start stintd.socket stintd.service && stint status");
}

/// How many denials of this user the record knows, and how many links say so.
fn denials(host: &Host, user: &str) -> (u64, usize) {
    let all = host.ok(&format!("stint log --event check.denied --user {user} --json"));
    let count = |line: &str| {
        let event = document(line);
        event["STINT_COUNT"].as_str().map_or(1, |count| count.parse().unwrap())
    };
    (all.lines().map(count).sum(), all.lines().count())
}

#[test]
fn a_flood_of_one_denial_is_few_links_and_a_crash_loses_none_of_it() {
    let mut host = gated(Suite::Trixie);
    let flood = |number| assert!(check(&host, ["sudo", "carol", "carol", "", ""], number).ok());
    flood(2_000);
    assert_ne!(host.as_user("alice", "sudo -n true").status, 0);
    // In the log each is an entry, in the state all are counted, at once.
    assert_state_agrees(&host);
    kill(&host);
    eventually("stintd to be back", SOON, || host.run("stint status").ok().then_some(()));
    assert_eq!(denials(&host, "carol"), (2_000, 6));
    assert_eq!(denials(&host, "alice"), (1, 1));
    let shown = host.ok("stint log --user carol");
    assert!(
        shown.contains("carol is denied sudo: no grant opens it (1995 times more)\n"),
        "{shown}"
    );
    let flood = |number| assert!(check(&host, ["sudo", "carol", "carol", "", ""], number).ok());
    flood(100);
    stop(&host);
    start(&host);
    assert_eq!(denials(&host, "carol"), (2_100, 12));
    let verified = host.run("journalctl --sync; stint audit verify");
    assert!(verified.ok() && verified.stdout.contains(" confirm it up to link "), "{verified}");
    assert_state_agrees(&host);
    // A reboot is an end as any other.
    assert!(check(&host, ["sudo", "carol", "carol", "", ""], 100).ok());
    host.reboot();
    assert_eq!(denials(&host, "carol").0, 2_200);
}

/// Puts a state of version 6 in the place of the host's own: old events, and a grant of alice's that
/// runs.
fn old_state(host: &Host) {
    stop(host);
    host.ok("rm -f /var/lib/stint/state.sqlite* /var/lib/stint/applied");
    // The log knows the one that was there.
    start(host);
    let other = host.run("journalctl --sync; stint audit verify");
    assert_eq!(other.status, 1, "{other}");
    assert!(
        other.stdout.contains("That checkpoint is older than this record, which begins at "),
        "{other}"
    );
    stop(host);
    host.ok("rm -f /var/lib/stint/state.sqlite* /var/lib/stint/applied
             journalctl --rotate --vacuum-time=1us");
    let now: i64 = host.ok("date +%s").trim().parse::<i64>().unwrap() * 1_000_000;
    let mut state = open(host, STATE);
    state.execute_batch(include_str!("state_v6.sql")).unwrap();
    let all = state.transaction().unwrap();
    for number in 0..OLD {
        let at = now - 40 * DAY - (OLD - number) * DAY / 24;
        all.execute(
            "INSERT INTO record (at, boot_id, event, message, fields) VALUES (?1, 'old', 'check.denied',
             'bob was denied su', '{\"STINT_EVENT\":\"check.denied\",\"STINT_USER\":\"bob\"}')",
            [at],
        )
        .unwrap();
    }
    all.execute(
        "INSERT INTO grants VALUES ('g4t9', 'alice', 1000, 'admin', 'active', ?1, ?2, 'old', ?2,
         NULL, NULL, 'admin', 'from before', NULL, 'root', NULL, NULL, '[]', NULL, NULL, NULL)",
        [now - DAY, now + DAY / 12],
    )
    .unwrap();
    all.execute("UPDATE clock SET high_water = ?1", [now - DAY / 24]).unwrap();
    all.commit().unwrap();
    drop(state);
    host.ok("chmod 600 /var/lib/stint/state.sqlite");
    start(host);
}

/// Lets a day pass since it was looked for what is too old, and has it looked again.
fn a_day_later(host: &Host) {
    stop(host);
    let state = open(host, STATE);
    let found = "UPDATE too_old SET at = at - ?1";
    assert_eq!(state.execute(found, [DAY]).unwrap(), 1, "nobody has looked");
    drop(state);
    start(host);
}

/// Where the record begins and how far it is confirmed, of one that is whole.
fn verified(host: &Host, how: &str) -> String {
    let output = host.run(&format!("journalctl --sync; stint audit verify {how}"));
    assert!(output.ok() && output.stdout.starts_with("The record is whole: "), "{output}");
    output.stdout
}

#[test]
fn an_old_record_is_taken_on_and_what_is_too_old_is_cut_off_and_sealed() {
    let policy = format!("{POLICY}\n[audit]\nreaders = [\"carol\"]\n");
    let host = prepared(Suite::Bookworm).file("/etc/stint/policy.toml", 0o644, &policy).boot();
    host.ok("groupadd crew && groupadd engineers && stint reload && stint gate on sudo");
    old_state(&host);
    assert!(host.as_user("alice", "sudo -n true").ok(), "what was held is held");
    assert_eq!(denials(&host, "bob"), (OLD.unsigned_abs(), usize::try_from(OLD).unwrap()));
    assert!(!verified(&host, "").contains("cut off"));
    let alone = host.as_user("carol", "stint audit verify");
    assert!(
        alone.stdout.contains("Why: you may not read this host's journal: root may"),
        "{alone}"
    );

    let short = policy.replace("[audit]", "[audit]\nkeep = \"7d\"");
    host.write_policy(&short);
    let refused = host.run("stint reload");
    assert_eq!(refused.status, 1, "{refused}");
    let why = "audit.keep: \"7d\" is no number of days to keep the record";
    assert!(refused.stderr.contains(why), "{refused}");
    host.write_policy(&policy.replace("[audit]", "[audit]\nkeep = \"60d\""));
    host.ok("stint reload");
    assert!(!verified(&host, "").contains("cut off"), "not before a day has passed");
    a_day_later(&host);
    let seal = host.journal_of("STINT_EVENT=audit.cut", 1, SOON).remove(0);
    let last: i64 = seal["STINT_LINK"].as_str().unwrap().parse().unwrap();
    // One an hour: those of the 20 days before the last are kept.
    assert!((OLD - 20 * 24 - 2..OLD - 20 * 24 + 2).contains(&last), "{seal}");
    assert_eq!(
        (seal["STINT_FIRST"].as_str(), seal["STINT_ACTOR"].as_str()),
        (Some("1"), Some("policy"))
    );
    let told = verified(&host, "");
    let begins = format!("It begins with link {}: those before, of ", last + 1);
    assert!(told.contains(&begins) && told.contains(" seals that.\n"), "{told}");
    assert_eq!(denials(&host, "bob").1, usize::try_from(OLD - last).unwrap());
    assert_eq!(host.ok("stint log --event audit.cut").lines().count(), 1);
    assert!(host.ok("stint list").contains("g4t9"), "the grant is no event");
    assert!(host.as_user("alice", "sudo -n true").ok());
    // The next day nothing more is too old, and what is younger stays.
    a_day_later(&host);
    assert_eq!(host.journal("STINT_EVENT=audit.cut").len(), 1);
    verified(&host, "");
    forge(&host, last);
}

/// Makes a chain of these links from this one on, as whoever has the file can.
fn write_anew(state: &Connection, mut head: Head, links: &[Link]) -> Head {
    state.execute("DELETE FROM record", []).unwrap();
    for link in links {
        let link = Link { seq: head.seq + 1, ..link.clone() };
        head = Head { seq: link.seq, hash: digest(&head.hash, &link) };
        let Link { seq, at, boot_id, event, message, fields, .. } = link;
        state
            .execute(
                "INSERT INTO record (seq, at, boot_id, event, message, fields, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![seq, at.micros(), boot_id, event, message, fields, head.hash],
            )
            .unwrap();
    }
    state.execute("UPDATE chain SET seq = ?1, hash = ?2", params![head.seq, head.hash]).unwrap();
    head
}

/// What else can be done to the beginning of a record that was cut at `last`, each on a copy.
fn forge(host: &Host, last: i64) {
    stop(host);
    host.ok(&format!(
        "journalctl --sync; journalctl -o json _UID=0 -t stintd >/root/log.json
         cp /{STATE} /root/good; cp /{STATE} /root/copy"
    ));
    let verify = |more: &str| host.run(&format!("stint audit verify --state /root/copy {more}"));
    let alone = verify("");
    let why = "Why: a copy of a state has none with it: give them with --checkpoints.";
    assert!(alone.ok() && alone.stdout.contains(why), "{alone}");
    host.ok("printf '5 %064d\\n' 0 | cat /root/log.json - >/root/more.json");
    let with_more = verify("--checkpoints /root/more.json");
    let of_gone = "1 other is of a link cut off since.";
    assert!(with_more.ok() && with_more.stdout.contains(of_gone), "{with_more}");
    let with = |change: &dyn Fn(&Connection), says: String, python: Option<String>| {
        host.ok("cp /root/good /root/copy");
        change(&open(host, "root/copy"));
        let output = verify("--checkpoints - </root/log.json");
        assert_eq!(output.status, 1, "{output}");
        let first = output.stdout.lines().next().unwrap();
        assert_eq!(first, format!("The record is broken: {says}."));
        if let Some(python) = python {
            let theirs = host.run("python3 /root/verify.py /root/copy");
            assert_eq!((theirs.ok(), theirs.stdout), (false, format!("{python}\n")));
        }
    };
    let text = include_str!("../../../docs/record.md");
    let (_, rest) = text.split_once("```python\n").expect("a verifier in docs/record.md");
    host.write("/root/verify.py", "0600", rest.split_once("```").expect("its end").0);
    let theirs = host.ok("python3 /root/verify.py /root/copy");
    assert!(theirs.starts_with(&format!("whole: links {} to ", last + 1)), "{theirs}");

    let (next, after) = (last + 1, last + 2);
    with(
        &|state| {
            let gone = state.execute("DELETE FROM record WHERE seq = ?1", [next]);
            assert_eq!(gone.unwrap(), 1);
        },
        format!("link {next} is missing: link {after} stands in its place"),
        Some(format!("link {next} is broken")),
    );
    with(
        &|state| {
            // More goes than the seal says, and the state says that it was cut.
            let sql =
                "UPDATE chain SET cut = ?1, cut_hash = (SELECT hash FROM record WHERE seq = ?1)";
            state.execute(sql, [after]).unwrap();
            state.execute("DELETE FROM record WHERE seq <= ?1", [after]).unwrap();
        },
        format!("link {next} is missing, up to link {after}: no link says that it was cut off"),
        Some(format!("link {next} is missing: no link says that it was cut off")),
    );
    with(
        &|state| {
            // A seal like stintd's own, at the end, for all before.
            let all = rows::page(state, 0, Timestamp(0), 100_000).unwrap().links;
            let end = all.last().unwrap();
            let fields = format!(
                "{{\"STINT_FIRST\":\"{next}\",\"STINT_LINK\":\"{}\",\"STINT_HASH\":\"{}\"}}",
                end.seq,
                hex(&end.hash.clone().try_into().unwrap())
            );
            let head = Head { seq: end.seq, hash: end.hash.clone().try_into().unwrap() };
            let seal = Link { event: "audit.cut".into(), fields, ..end.clone() };
            write_anew(state, head, &[seal]);
            let sql = "UPDATE chain SET cut = ?1, cut_hash = ?2";
            state.execute(sql, params![head.seq, head.hash]).unwrap();
        },
        {
            let end = rows::last(&open(host, "root/good")).unwrap().seq;
            let seal = end + 1;
            format!(
                "links up to {end} are missing: link {seal} says that they were cut off, and no \
                 checkpoint is of that link or a later one"
            )
        },
        None,
    );
    with(
        &|state| {
            // All of it is written anew, without a word that somebody did not like.
            let mut all = rows::page(state, 0, Timestamp(0), 100_000).unwrap().links;
            all.iter_mut().for_each(|link| link.message = link.message.replace("bob", "nobody"));
            write_anew(state, rows::cut(state).unwrap(), &all);
        },
        {
            let log = String::from_utf8(host.read("/root/log.json")).unwrap();
            let known = log.lines().map(document).filter_map(|entry| {
                let event = entry["STINT_EVENT"].as_str()?;
                event.starts_with("audit.c").then_some(())?;
                entry["STINT_LINK"].as_str()?.parse::<i64>().ok()
            });
            let first = known.filter(|link| *link > last).min().unwrap();
            format!("link {first} is not the one that its checkpoint is of")
        },
        None,
    );
}
