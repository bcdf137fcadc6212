//! The record leaves the host: in every form, by the documented queries, through rsyslog. Whatever
//! people typed, one event stays one harmless event everywhere.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::Value;
use stint_tests::{Host, HostBuilder, Suite, eventually, freezing};

use crate::common::{SOON, document};
use crate::parley::{self, check, refused};
use crate::record::events;
use crate::workflow::{approve, call, pending, text};

const STATE: &str = "/var/lib/stint/state.sqlite";

const POLICY: &str = r#"
[approvals]
authenticate = false

[audit]
readers = ["carol"]
sign = true

[roles.admin]
description = "=1+1\n\u001b[2J\u202e<script>alert(1)</script>"
sudo = [{ run_as = "root", commands = ["ALL"] }]
eligible = ["alice"]
approvers = ["bob"]
password = false

[roles.crew]
groups = ["docker"]
eligible = ["alice"]
approvers = ["bob"]

[roles.rescue]
groups = ["games"]
eligible = ["alice"]
approvers = ["bob"]
break_glass = true
"#;

/// A formula, HTML, quotes of every kind, separators, another field, escape sequences, and marks
/// that turn the direction of writing or end a line.
const HOSTILE: &str = "=cmd|' /C calc'!A0,\"x\";\t<script>alert('1')</script>&amp;\r\n+1\n@cee:{\"a\":1}\nSTINT_USER=mallory\n\u{1b}[2J\u{1b}]0;x\u{7}\u{202e}live\u{2028}b\u{85}\\u{a}\u{200b}%s'";

/// What must be nowhere: it moves a cursor, ends a line, turns or hides what follows.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
}

#[track_caller]
fn assert_harmless(text: &str, what: &str) {
    for line in text.lines() {
        assert!(!line.contains(is_harmful), "{what}: {line:?}");
        assert!(!line.trim_start().starts_with("STINT_USER=mallory"), "{what}: {line:?}");
    }
}

/// A host with this policy, not gated and not booted yet.
fn prepared(suite: Suite) -> HostBuilder {
    parley::prepared(suite).file("/etc/stint/policy.toml", 0o644, POLICY)
}

/// What auditors ask about, all of it with hostile text: the request and the grant that came of it.
fn scene(host: &Host) -> (String, String) {
    host.ok("groupadd docker && stint reload && stint gate on sudo");
    host.write("/tmp/hostile", "0644", HOSTILE);
    assert_ne!(host.as_user("alice", "sudo -n true").status, 0);
    assert!(!check(host, ["sudo", "alice\0root", "alice", "", ""], 1).stdout.contains("allow"));
    for items in [["sudo", "alice", HOSTILE, "", ""], ["sudo", "=1+1", "alice", HOSTILE, HOSTILE]] {
        let answer = check(host, items, 1);
        assert!(answer.stdout.contains("deny"), "{answer:?}");
    }
    let hostile = "\"$(cat /tmp/hostile)\"";
    let order: &[_] = &[("role", "s", "admin"), ("reason", "s", hostile)];
    let request = call(host, "alice", "Request", order).unwrap();
    let granted = approve(host, "bob", &request).unwrap();
    assert!(host.as_user("alice", "sudo -n true").ok());
    let no = pending(host, "alice", "crew");
    let deny: &[_] = &[("id", "s", text(&no, "id")), ("reason", "s", hostile)];
    call(host, "bob", "Deny", deny).unwrap();
    let by_root = format!("stint grant alice crew --reason {hostile} --ticket {hostile}");
    host.ok(&by_root);
    call(host, "alice", "Request", &[("role", "s", "rescue"), ("reason", "s", hostile)]).unwrap();
    let shown = host.as_user("bob", "stint list --to-review; stint pending; stint roles");
    assert_harmless(&shown.text(), "what a reviewer looks at");
    let used = document(&host.as_user("bob", "stint list --to-review --json").stdout);
    let review = format!("stint review {} --note {hostile}", text(&used[0], "id"));
    let reviewed = host.as_user("bob", &review);
    assert!(reviewed.ok(), "{reviewed}");
    assert_harmless(&reviewed.text(), "stint review");
    // A NUL, or what is no UTF-8, comes in nowhere.
    for bytes in ["\\377", "\\302"] {
        let order = format!("stint grant alice admin --reason \"$(printf 'a{bytes}b')\"");
        assert_eq!(host.run(&order).status, 2, "{bytes}");
    }
    host.ok("stint revoke --user alice --reason \"$(cat /tmp/hostile)\"");
    host.load_policy(&format!("{POLICY}[gate]\nmode = \"observe\"\n"));
    assert!(host.as_user("alice", "sudo -n true").ok());
    (text(&request, "id").to_owned(), text(&granted, "grant").to_owned())
}

/// The fields of events that stint gives them, sorted.
fn of_stint<'a>(events: impl IntoIterator<Item = &'a Value>) -> Vec<BTreeMap<String, String>> {
    let own = |event: &Value| {
        let fields = event.as_object().unwrap_or_else(|| panic!("{event}"));
        let named = |name: &str| name.starts_with("STINT_").then(|| name.to_owned());
        let read = fields
            .iter()
            .filter_map(|(name, value)| Some((named(name)?, value.as_str()?.to_owned())));
        read.collect::<BTreeMap<_, _>>()
    };
    let mut all: Vec<_> = events.into_iter().map(own).collect();
    all.sort();
    all
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(document).collect()
}

/// What stands in the code blocks of a document.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n')).map(|b| b.1)
}

/// Each query of docs/record.md, as it stands there.
fn the_documented_queries_agree(host: &Host, request: &str, grant: &str) {
    let text = include_str!("../../../docs/record.md");
    let (_, queries) = text.split_once("\n## Queries\n").expect("the queries of docs/record.md");
    let mut count = 0;
    for block in blocks(queries) {
        let block = block.replace("g4t9", grant).replace("7kq2", request);
        let (of_record, of_journal) = block.trim_end().split_once('\n').expect("two lines");
        assert!(of_record.starts_with("stint log ") && of_journal.starts_with("journalctl "));
        eventually("both to say the same", SOON, || {
            let recorded = lines(&host.ok(&format!("{of_record} --json")));
            let told =
                lines(&host.ok(&format!("journalctl --sync; {of_journal} -q --all -o json")));
            assert!(!told.is_empty(), "{of_journal}");
            (of_stint(&recorded) == of_stint(&told)).then_some(())
        });
        count += 1;
    }
    assert_eq!(count, 10);
}

/// The example of docs/export.md that reads a table back.
fn read_table(host: &Host, path: &str) -> Vec<Value> {
    let text = include_str!("../../../docs/export.md");
    let example = blocks(text).find(|block| block.starts_with("import csv")).expect("an example");
    let example = example.replace("november.csv", path);
    let program = format!(
        "import json\n{example}    assert not any(text.strip()[:1] in tuple('=+-@') for text in \
         row.values()), row\n    print(json.dumps(event))\n"
    );
    host.write("/root/read.py", "0600", program);
    lines(&host.ok("python3 /root/read.py"))
}

fn every_form_has_every_event(host: &Host) {
    // What a grant left behind is looked for after its end.
    let recorded = eventually("nothing more to come", SOON, || {
        let recorded = host.ok("stint log --json");
        (host.ok("sleep 1; stint log --json") == recorded).then_some(recorded)
    });
    assert_eq!(host.ok("stint audit export"), recorded);
    assert_harmless(&recorded, "JSON Lines");
    let documents = lines(&recorded);

    host.ok("stint audit export --format csv -o /root/all.csv");
    let table = String::from_utf8(host.read("/root/all.csv")).unwrap();
    let rows: Vec<&str> = table.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), documents.len() + 1, "one row, one event");
    for row in rows {
        assert_harmless(row, "CSV");
        assert!(row.starts_with('"') && row.ends_with('"'), "{row}");
    }
    let read = read_table(host, "/root/all.csv");
    assert_eq!(read.len(), documents.len());
    for (row, event) in read.iter().zip(&documents) {
        assert_eq!(row["more"], "", "a field without a column: {row}");
        for (name, value) in event.as_object().unwrap() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert!(name == "STINT_EVENT" || row[name] == *value, "{name}: {row} {event}");
        }
    }

    let ocsf = host.ok("stint audit export --format ocsf");
    assert_harmless(&ocsf, "OCSF");
    let ocsf = lines(&ocsf);
    assert_eq!(ocsf.len(), documents.len());
    for (document, event) in ocsf.iter().zip(&documents) {
        let metadata = &document["metadata"];
        let same = [(&metadata["event_code"], &event["event"]), (&metadata["uid"], &event["hash"])];
        assert!(same.iter().all(|(one, other)| one == other), "{document}");
        assert_eq!(document["message"], event["message"]);
        // An event of the gate may name nobody that there is.
        let nobody = event.get("STINT_USER").is_none();
        assert!(document["class_uid"] != 0 || nobody, "{document}");
        assert_eq!(document["class_uid"].as_u64(), document["type_uid"].as_u64().map(|n| n / 100));
    }
    let denied = host.ok("stint audit export --format ocsf --event check.denied --user alice");
    assert!(denied.contains("\"class_uid\":3003") && denied.contains("\"host\""), "{denied}");
}

fn a_file_is_whole_or_not_there(host: &Host) {
    let first = host.ok("stint audit export --event check.denied -o /root/out");
    assert!(first.ends_with(" events in \"/root/out\".\n"), "{first}");
    assert_eq!(host.ok("stat -c %a:%U /root/out"), "600:root\n");
    let there = "stint: \"/root/out\" is there already: add --replace, or name another file\n";
    refused(&host.run("stint audit export -o /root/out"), 2, there);
    host.ok("stint audit export -o /root/out --replace && stint log --json >/root/log");
    host.ok("head -n $(wc -l </root/log) /root/out | cmp - /root/log");
    let by_reader = host.as_user("carol", "stint audit export --format csv -o mine.csv");
    assert!(by_reader.ok(), "{by_reader}");
    assert_eq!(host.ok("stat -c %a:%U /home/carol/mine.csv"), "600:carol\n");
    let full = host.run("stint audit export -o /small/out");
    assert_eq!((full.status, full.stdout.as_str()), (1, ""), "{full}");
    assert!(full.stderr.contains("No space left on device"), "{full}");
    let nowhere = host.run("stint audit export -o /nowhere/out");
    assert_eq!(nowhere.status, 1, "{nowhere}");
    assert_eq!(host.ok("ls -A /small"), "");
    host.ok("stint audit export | head -n 1");
    assert_eq!(host.run("stint audit export >/dev/full").status, 1);
}

/// What a command needed of memory at most, in KiB.
fn peak(host: &Host, command: &str) -> i64 {
    let script = format!(
        "import resource, subprocess; subprocess.run('{command}', shell=True, check=True); \
         print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    );
    host.ok(&format!("python3 -c \"{script}\"")).trim().parse().expect("a number")
}

/// A record of many links, and no stintd.
fn a_long_record_needs_no_more_memory(host: &Host) {
    host.ok(&format!(
        "systemctl mask --runtime stintd.service
         systemctl stop stintd.socket stintd.service
         cp {STATE} /root/copy"
    ));
    assert_eq!(host.run("stint audit export").status, 69);
    host.ok("stint audit export --state /root/copy >/root/alone");
    host.ok("head -n $(wc -l </root/log) /root/alone | cmp - /root/log");
    let unnamed = "stint: a copy of a state does not say whose record it is: name it, such as \
                   --host web-1\n";
    refused(&host.run("stint audit export --format ocsf --state /root/copy"), 2, unnamed);
    let named =
        host.ok("stint audit export --format ocsf --state /root/copy --host db-7 | tail -n 1");
    assert_eq!(document(&named)["device"]["hostname"], "db-7");
    let export =
        |what: &str| format!("stint audit export --format {what} --state /root/copy >/dev/null");
    let small = peak(host, &export("csv"));
    Connection::open(host.root().join("root/copy"))
        .unwrap()
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
             INSERT INTO record (seq, at, boot_id, event, message, fields, hash)
             SELECT last.seq + i, last.at, last.boot_id, last.event, hex(zeroblob(1200)),
                 last.fields, last.hash
             FROM n, (SELECT * FROM record ORDER BY seq DESC LIMIT 1) AS last",
        )
        .unwrap();
    assert!(host.root().join("root/copy").metadata().unwrap().len() > 28 << 20);
    for format in ["csv", "jsonl", "ocsf --host db-7"] {
        let large = peak(host, &export(format));
        assert!(large < small + 12 * 1_024, "{format}: {small} KiB, then {large} KiB");
    }
}

/// Ended by a signal while stintd hangs, it leaves nothing.
fn a_signal_leaves_nothing(host: &Host) {
    let freeze = freezing("$(systemctl show -P MainPID stintd.service)");
    let stopped = host.run(&format!(
        "{freeze}
         stint audit export -o /root/long & pid=$!
         until ls /root/.stint-* >/dev/null 2>&1; do kill -0 $pid || exit 1; done
         kill -INT $pid; kill -TERM $pid; wait $pid; echo $?; ls -A /root | grep -e long -e '^.stint-'
         kill -CONT $(systemctl show -P MainPID stintd.service)"
    ));
    assert_eq!(stopped.stdout, "143\n", "{stopped}");
}

#[test]
fn an_export_has_every_event_and_nothing_that_harms() {
    let host = prepared(Suite::Trixie).small("/small", "16k", "0777").boot();
    let alice = "stint: Record is root's, and theirs who may read the record\n";
    let denied = host.as_user("alice", "stint audit export -o /tmp/out");
    refused(&denied, 3, alice);
    assert!(!host.run("test -e /tmp/out").ok());
    for wrong in ["--format xml", "--host x", "--replace", "alice", "--since tomorrow"] {
        assert_eq!(host.run(&format!("stint audit export {wrong}")).status, 2, "{wrong}");
    }
    let (request, grant) = scene(&host);
    for event in events(&host, 0) {
        for (name, value) in event.as_object().unwrap() {
            assert!(!value.as_str().unwrap().contains(is_harmful), "{name}: {value:?}");
        }
    }
    for shown in ["stint log", "stint list --all", "stint roles", "journalctl -x -t stintd"] {
        assert_harmless(&host.ok(shown), shown);
    }
    every_form_has_every_event(&host);
    the_documented_queries_agree(&host, &request, &grant);
    a_file_is_whole_or_not_there(&host);
    a_signal_leaves_nothing(&host);
    a_long_record_needs_no_more_memory(&host);
}

/// The second rsyslog, which stands for another host: the packaged file as it is.
const COLLECTOR: &str = "global(workDirectory=\"/var/spool/collector\")
include(file=\"/usr/share/doc/stint/examples/rsyslog/collector.conf\")
";

/// A collector that runs until it is stopped.
fn collect(host: &Host) {
    host.ok("systemd-run -q --unit=collector rsyslogd -n -iNONE -f /etc/collector.conf");
}

/// Waits until the collector has every event of the journal, each whole, in one line. What came twice
/// is the same to the byte.
fn assert_collected(host: &Host, when: &str) {
    let (told, wanted) = eventually(when, SOON, || {
        let told = lines(&host.run("sort -u /var/log/stint.jsonl").stdout);
        let mut journal = host.journal("_UID=0 SYSLOG_IDENTIFIER=stintd");
        journal.retain(|entry| entry.get("STINT_EVENT").is_some());
        (told.len() >= journal.len()).then_some((told, journal))
    });
    assert_eq!(of_stint(&told), of_stint(&wanted), "{when}");
    let mut lengths = told.iter().map(|event| event.to_string().len());
    assert!(lengths.any(|length| length > 12 << 10), "{when}: none was long");
    for event in &told {
        for (name, value) in event.as_object().unwrap() {
            let text = value.as_str().unwrap_or_else(|| panic!("{name}: {value}"));
            assert!(!text.contains(is_harmful), "{name}: {text:?}");
        }
        let of_journal = ["_BOOT_ID", "_SYSTEMD_UNIT", "MESSAGE_ID", "PRIORITY", "_HOSTNAME"];
        assert!(of_journal.iter().all(|name| event.get(name).is_some()), "{event}");
    }
    let raw = host.ok("cat /var/log/stint.jsonl");
    assert_harmless(&raw, "the collector's file");
    assert!(!host.run("test -s /var/log/stint.unread").ok(), "something was not understood");
}

#[test]
fn rsyslog_takes_every_event_to_a_collector() {
    for suite in Suite::ALL {
        let host = prepared(suite)
            .package("rsyslog")
            .package("rsyslog-relp")
            .file("/etc/collector.conf", 0o644, COLLECTOR)
            .boot();
        host.ok("mkdir /var/spool/collector && echo 127.0.0.1 collector.example >>/etc/hosts");
        scene(&host);
        host.ok(
            "install -m 0644 /usr/share/doc/stint/examples/rsyslog/30-stint.conf /etc/rsyslog.d/
            rsyslogd -N1 && rsyslogd -N1 -f /etc/collector.conf && systemctl restart rsyslog",
        );
        collect(&host);
        let long = "\"$(python3 -c 'print(chr(0xe0041) * 512)')\"";
        host.ok(&format!(
            "stint grant alice crew --reason {long} --ticket {long}; journalctl --rotate
             stint revoke --all --reason {long}"
        ));
        // Nobody but root is believed.
        let forged = "printf 'MESSAGE=x\\nSYSLOG_IDENTIFIER=stintd\\nSTINT_EVENT=check.allowed\\n\
                      STINT_USER=mallory\\n' | logger --journald";
        assert!(host.as_user("alice", forged).ok());
        assert_collected(&host, &format!("{suite:?}: what was there and what came"));
        host.ok("stint reload; journalctl --rotate; systemctl restart rsyslog; stint reload");
        assert_collected(&host, &format!("{suite:?}: what came while rsyslog was away"));
        host.ok("stint audit key >/root/web-1.pub");
        let signed = "stint audit verify --checkpoints /var/log/stint.jsonl --key /root/web-1.pub";
        let told = host.ok(signed);
        assert!(told.contains(" signed by SHA256:"), "{suite:?}: {told}");
        if suite == Suite::Trixie {
            host.ok("systemctl stop collector; stint reload; journalctl --rotate; stint reload");
            collect(&host);
            assert_collected(&host, "what came while the collector was away");
        }
        // What journald hands on by itself is the line for people, once, in the usual file.
        let mut events = events(&host, 0);
        events.retain(|event| event["_UID"] == "0");
        let usual = eventually("the lines for people", SOON, || {
            let usual = host.ok("grep -F ' stintd[' /var/log/auth.log");
            (usual.lines().count() >= events.len()).then_some(usual)
        });
        assert_harmless(&usual, "auth.log");
        for event in &events {
            let line = format!(": {}", text(event, "MESSAGE"));
            let same = events.iter().filter(|other| other["MESSAGE"] == event["MESSAGE"]).count();
            let found = usual.lines().filter(|shown| shown.ends_with(&line)).count();
            assert_eq!(found, same, "{suite:?}: {line}");
        }
    }
}
