//! Hooks: programs of the administrator's that are told of every event. Only root's are run,
//! without privilege; one that hangs, fails or floods holds up nobody; nothing is lost.

use crate::common::{SOON, alarms, builder, document, kill};
use serde_json::Value;
use std::time::Duration;
use stint_tests::{Host, Suite, eventually};

const POLICY: &str = r#"
[gate]
mode = "enforce"

[roles.admin]
description = "Anything as root"
sudo = [{ run_as = "root", commands = ["ALL"] }]
eligible = ["alice"]
approvers = ["bob"]
approvals = 1
max_duration = "4h"
ticket = '^INC-\d+$'
"#;

const FOLDER: &str = "/etc/stint/hooks.d";

/// A hook that says what it is told, under its name.
fn tells(name: &str) -> String {
    format!("#!/bin/sh\necho \"{name} $STINT_EVENT $STINT_DELIVERY $(cat)\"\n")
}

fn hook(host: &Host, name: &str, text: &str) {
    host.write(&format!("{FOLDER}/{name}"), "0755", text);
}

/// alice asks for the role and takes it back, as often as this: two events each time.
fn ask(host: &Host, times: u32) {
    for number in 0..times {
        let line = format!(
            "stint request admin --for 30m --reason 'number {number} of these' \
                            --ticket INC-{number} --json"
        );
        let asked = host.as_user("alice", &line);
        assert!(asked.ok(), "{asked}");
        let id = document(&asked.stdout)["id"].as_str().unwrap().to_owned();
        let taken_back = host.as_user("alice", &format!("stint cancel {id}"));
        assert!(taken_back.ok(), "{taken_back}");
    }
}

/// What hooks have said so far, oldest first.
fn said(host: &Host) -> Vec<String> {
    // Whoever asks asks again; while a hook floods, the journal is never done with all of it.
    let lines = host.ok("journalctl -q --all --no-pager --output=json -t stint-hook");
    let entries = lines.lines().map(document);
    entries.filter_map(|entry| entry["MESSAGE"].as_str().map(str::to_owned)).collect()
}

/// The events that this hook has been told, once it was told as many as this: each as its number
/// and its document.
fn told(host: &Host, name: &str, count: usize) -> Vec<(u64, Value)> {
    eventually(&format!("{count} events told to {name}"), SOON, || {
        let events = told_so_far(host, name);
        (events.len() >= count).then_some(events)
    })
}

/// The events that this hook has been told so far.
fn told_so_far(host: &Host, name: &str) -> Vec<(u64, Value)> {
    let start = format!("{name} ");
    let lines = said(host);
    let mine = lines.iter().filter_map(|line| line.strip_prefix(&start));
    mine.map(|line| {
        let mut words = line.splitn(3, ' ');
        let event = words.next().unwrap();
        let number = words.next().unwrap().parse().unwrap();
        let body = document(words.next().unwrap());
        assert_eq!(body["event"], event, "{body}");
        (number, body)
    })
    .collect()
}

/// Asserts that these are request.created and request.cancelled in turn, in order.
fn assert_in_order(events: &[(u64, Value)]) {
    assert_all_in_order(events, usize::MAX);
}

/// The same, where the tickets begin anew after so many requests.
fn assert_all_in_order(events: &[(u64, Value)], tickets: usize) {
    assert!(events.windows(2).all(|pair| pair[0].0 < pair[1].0), "{events:?}");
    for (at, (_, body)) in events.iter().enumerate() {
        let (event, number) = (["request.created", "request.cancelled"][at % 2], at / 2 % tickets);
        assert_eq!(body["event"], event, "{body}");
        assert_eq!(body["request"]["ticket"], format!("INC-{number}"), "{body}");
    }
}

#[test]
fn what_others_could_have_put_there_is_not_run_and_is_named() {
    let host = builder(Suite::Trixie, POLICY).boot();
    for (name, mode) in [("open", "0777"), ("dotted.sh", "0755"), ("plain", "0644")] {
        host.write(&format!("{FOLDER}/{name}"), mode, tells(name));
    }
    hook(&host, "alices", &tells("alices"));
    host.ok(&format!("chown alice {FOLDER}/alices && ln -s {FOLDER}/alices {FOLDER}/link"));
    hook(&host, "good", &tells("good"));
    ask(&host, 1);
    told(&host, "good", 2);
    let lines = said(&host);
    assert!(lines.iter().all(|line| line.starts_with("good ")), "{lines:?}");
    let alarms = alarms(&host);
    for name in ["open", "dotted.sh", "plain", "alices", "link"] {
        let path = format!("{FOLDER}/{name}: ");
        assert!(alarms.iter().any(|alarm| alarm.contains(&path)), "{name}: {alarms:?}");
    }
    host.ok(&format!("chmod 0777 {FOLDER}"));
    ask(&host, 1);
    eventually("an alarm about the folder", SOON, || {
        let named = |alarm: &String| alarm.contains(&format!("{FOLDER}: others than root"));
        crate::common::alarms(&host).iter().any(named).then_some(())
    });
    assert_eq!(said(&host).len(), 2, "nothing of a folder that all may write is run");
}

/// What keeps a wild hook from starving the host, as systemd shows it.
const LIMITS: [(&str, &str); 7] = [
    ("CPUWeight", "10"),
    ("IOWeight", "10"),
    ("TasksMax", "64"),
    ("MemoryMax", "268435456"),
    ("MemorySwapMax", "0"),
    ("TimeoutStartUSec", "30s"),
    ("TimeoutStopUSec", "5s"),
];

#[test]
fn a_hook_has_no_privilege_and_reads_what_others_must_not() {
    const LOOKS: &str = "#!/bin/sh\n\
        echo \"who $(id -un):$(id -gn)\"\n\
        grep -E 'NoNewPrivs|CapEff|CapBnd' /proc/self/status\n\
        for path in /etc/x /var/x /usr/x /home/alice/x /root/x; do\n\
        if touch $path; then echo \"wrote $path\"; fi; done 2>/dev/null\n\
        cat /var/lib/stint/state.sqlite >/dev/null 2>&1 && echo 'read the state'\n\
        echo $(cat | wc -l) line\n\
        sleep 4\n";
    for suite in Suite::ALL {
        let host = builder(suite, POLICY).boot();
        hook(&host, "looks", LOOKS);
        let secret = "between these two";
        let line =
            format!("stint request admin --for 30m --reason '{secret}' --ticket INC-1 --json");
        assert!(host.as_user("alice", &line).ok());
        let unit = eventually("the hook's unit", SOON, || {
            let list = "systemctl list-units --plain --no-legend 'stint-hook-looks-*'";
            host.ok(list).split_whitespace().next().map(str::to_owned)
        });
        for (property, value) in LIMITS {
            let shown = host.ok(&format!("systemctl show -P {property} {unit}"));
            assert_eq!(shown.trim(), value, "{suite:?}: {property}");
        }
        let shown = host.as_user("carol", &format!("systemctl show {unit}; systemctl cat {unit}"));
        assert!(shown.stdout.contains("Id=stint-hook-looks-"), "{shown}");
        assert!(!shown.stdout.contains(secret) && !shown.stdout.contains("StandardInputData=e"));
        eventually("the hook's last line", SOON, || {
            said(&host).iter().any(|line| line == "1 line").then_some(())
        });
        let lines = said(&host);
        assert_eq!(lines[0], "who stint-hooks:stint-hooks");
        assert!(lines.contains(&"NoNewPrivs:\t1".to_owned()), "{lines:?}");
        assert!(lines.contains(&"CapEff:\t0000000000000000".to_owned()), "{lines:?}");
        assert!(lines.contains(&"CapBnd:\t0000000000000000".to_owned()), "{lines:?}");
        assert!(
            !lines.iter().any(|l| l.starts_with("wrote") || l.starts_with("read")),
            "{lines:?}"
        );
        eventually("the end of the unit", SOON, || {
            host.ok("systemctl list-units --all --no-legend 'stint-hook-*'")
                .is_empty()
                .then_some(())
        });
    }
}

/// The limits of a hook that never ends by itself, shorter than they are ([`LIMITS`]).
const SOONER: &str = "[Service]\nTimeoutStartSec=6s\nTimeoutStopSec=1s\n";

#[test]
fn a_hook_that_hangs_fails_or_floods_holds_up_nobody_and_nothing_is_lost() {
    let mut builder = builder(Suite::Bookworm, POLICY);
    for name in ["hangs", "floods"] {
        let drop_in = format!("/etc/systemd/system/stint-hook-{name}-.service.d/sooner.conf");
        builder = builder.file(&drop_in, 0o644, SOONER);
    }
    let host = builder.boot();
    hook(&host, "fails", "#!/bin/sh\nexit 3\n");
    hook(&host, "floods", "#!/bin/sh\nexec yes flood\n");
    hook(&host, "hangs", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n");
    hook(&host, "good", &tells("good"));
    ask(&host, 5);
    assert_in_order(&told(&host, "good", 10));
    let flood = said(&host).iter().filter(|line| *line == "flood").count();
    assert!((1..2_000).contains(&flood), "{flood} lines of a flood");
    eventually("an alarm about the hook that fails", SOON, || {
        alarms(&host).iter().any(|alarm| alarm.starts_with("hook fails fails")).then_some(())
    });

    // A crash in the middle, with a run of "hangs" under way; then all are mended.
    eventually("a run of the one that hangs", SOON, || {
        let runs = "systemctl list-units --plain --no-legend 'stint-hook-hangs-*'";
        let unit = host.ok(runs).split_whitespace().next()?.to_owned();
        let shown = host.ok(&format!("systemctl show -P TimeoutStartUSec -P SubState {unit}"));
        (shown == "6s\nstart\n" || shown == "start\n6s\n").then_some(())
    });
    kill(&host);
    for name in ["fails", "floods", "hangs"] {
        host.ok(&format!(
            "cp {FOLDER}/good /root/new && sed -i 's/good/{name}/' /root/new && \
                          cat /root/new >{FOLDER}/{name}"
        ));
    }
    ask(&host, 1);
    for name in ["fails", "floods", "hangs"] {
        let events = eventually(&format!("all events at {name}"), Duration::from_secs(240), || {
            let mut events = told_so_far(&host, name);
            // One may have been told twice, with the same number; none is missing.
            events.dedup_by_key(|(number, _)| *number);
            (events.len() == 12).then_some(events)
        });
        assert_all_in_order(&events, 5);
    }
    assert!(host.journal("STINT_EVENT=audit.gap").is_empty());
}

/// Settings for each example; 0640, and of the group that hooks are in.
const SETTINGS: [(&str, &str); 3] = [
    (
        "mail",
        r#"{"server": "127.0.0.1:2525", "from": "stint@example.org", "to": ["leads@example.org"],
            "domain": "example.org"}"#,
    ),
    (
        "webhook",
        r#"{"url": "http://127.0.0.1:8080/chat", "secret": "s3cret", "events": ["request.created"]}"#,
    ),
    ("ticket", r#"{"url": "http://127.0.0.1:8080", "token": "t0ken"}"#),
];

#[test]
fn the_examples_reach_a_mail_server_a_chat_and_a_ticket_system() {
    for suite in Suite::ALL {
        let host = builder(suite, POLICY).boot();
        host.write("/root/receiver.py", "0600", include_str!("receiver.py"));
        host.ok("systemd-run -q --unit=receiver python3 /root/receiver.py");
        eventually("the receiver", SOON, || {
            host.run("nc -z 127.0.0.1 8080 && nc -z 127.0.0.1 2525").ok().then_some(())
        });
        for (name, settings) in SETTINGS {
            host.ok(&format!(
                "install -m 0755 /usr/share/doc/stint/examples/hooks/{name} {FOLDER}/{name}
                 install -m 0640 -g stint-hooks /dev/null /etc/stint/hook-{name}.json"
            ));
            let path = format!("/etc/stint/hook-{name}.json");
            host.write(&path, "0640", settings);
        }
        // Nothing is taken at first, and nothing is lost by that.
        host.ok("touch /run/broken");
        let reason = "a reason with a line\\nBcc: all@example.org";
        let asked = host.as_user(
            "alice",
            &format!("stint request admin --for 30m --reason '{reason}' --ticket INC-7 --json"),
        );
        let id = document(&asked.stdout)["id"].as_str().unwrap().to_owned();
        let received = |what: &str| {
            eventually(what, SOON, || {
                let lines = host.run("cat /run/received").stdout;
                let mut documents = lines.lines().map(document);
                documents.find(|got| match what {
                    "a refused call" => got["status"] == 503,
                    "mail" => got["mail"].is_array(),
                    path => got["path"] == path && got["status"] == 200,
                })
            })
        };
        received("a refused call");
        host.ok("rm /run/broken");
        let mail = received("mail");
        assert_eq!(mail["to"], serde_json::json!(["<leads@example.org>"]));
        let text = mail["mail"].as_array().unwrap();
        let has = |line: &str| text.iter().any(|found| found == line);
        assert!(has("user: alice") && has(&format!("On web-1:  stint approve {id}")), "{mail}");
        assert!(!text.iter().any(|line| line.as_str().unwrap().starts_with("Bcc")), "{mail}");

        let chat = received("/chat");
        assert_eq!(chat["signed"], true, "{chat}");
        assert_eq!(chat["body"]["event"]["request"]["id"], id.as_str());
        let comment = received("/rest/api/2/issue/INC-7/comment");
        assert!(comment["body"]["body"].as_str().unwrap().ends_with(&format!("({id})")));
        assert_eq!(comment["headers"]["Authorization"], "Bearer t0ken");
        eventually("the end of all alarms", SOON, || alarms(&host).is_empty().then_some(()));
        let secret = host.as_user("carol", "cat /etc/stint/hook-webhook.json");
        assert_ne!(secret.status, 0, "a secret that everybody can read");
    }
}
