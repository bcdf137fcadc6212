//! The bus: who calls comes from the kernel, every method is in one table of who may call it, the
//! name is root's alone, and what is malformed changes nothing.

use crate::common;
use crate::parley::Piece::{Text, True};
use crate::parley::{all_grants, ask, check, dictionary, gated, grant, json, prepared, refused};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use stint_tests::{Host, Output, Suite, eventually};

const PATIENCE: Duration = Duration::from_secs(20);

/// Whom a method is for. The contract's table, written down a second time on purpose.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Module,
    Root,
    /// Root and readers of the record, of whom this policy names none.
    Readers,
    /// The same; root's call comes to a refusal of another kind.
    AReader,
    /// Root and whoever fetches; what is brought here is no document.
    Carrier,
    Everyone,
    /// Everybody, in matters of their own: these calls come to a refusal of another kind.
    Person,
}

/// Every method with a well-formed call of it.
const TABLE: [(&str, For, &str, &str); 36] = [
    ("Check", For::Module, "(sssss)", "sudo alice alice '' ''"),
    ("RequestAtDoor", For::Module, "((sssss)sss)", "sudo root alice '' '' admin x ''"),
    ("EnterSession", For::Module, "(sssss)", "sudo root alice '' ''"),
    ("PlaceSession", For::Module, "s", "0"),
    ("CloseSession", For::Module, "s", "0"),
    ("RunGroups", For::Module, "s", "g4t9"),
    ("Grant", For::Root, "a{sv}", "4 user s alice role s admin duration t 600 reason s x"),
    ("Revoke", For::Root, "a{sv}", "2 all b true reason s x"),
    ("Reload", For::Root, "", ""),
    ("Deliver", For::Carrier, "say", "here 1 120"),
    ("SourceReport", For::Root, "ss", "here gone"),
    ("Publication", For::Root, "tt", "9999 0"),
    ("Health", For::Root, "", ""),
    ("List", For::Everyone, "a{sv}", "1 ended b false"),
    ("Status", For::Everyone, "", ""),
    ("Roles", For::Everyone, "", ""),
    ("Explain", For::Everyone, "a{sv}", "0"),
    ("History", For::Readers, "x", "0"),
    ("Record", For::Readers, "xx", "0 0"),
    ("CheckpointKey", For::AReader, "", ""),
    ("GrantsSince", For::Readers, "x(xs)", "0 0 ''"),
    ("Eligible", For::Readers, "", ""),
    ("Attest", For::AReader, "a{sv}", "3 word s keep grant s zzzz note s x"),
    ("Metrics", For::Readers, "", ""),
    ("Standing", For::Readers, "", ""),
    ("StandingChanged", For::Root, "a{sv}", "2 adopted b true lines as 1 x"),
    ("Pending", For::Everyone, "", ""),
    ("Follow", For::Everyone, "tt", "9999 0"),
    ("Request", For::Person, "a{sv}", "2 role s admin reason s x"),
    ("Extend", For::Person, "a{sv}", "2 id s zzzz duration t 60"),
    ("Cancel", For::Person, "s", "zzzz"),
    ("Drop", For::Person, "a{sv}", "0"),
    ("Await", For::Person, "st", "zzzz 0"),
    ("Approve", For::Person, "a{sv}", "2 id s zzzz digest s x"),
    ("Deny", For::Person, "a{sv}", "2 id s zzzz reason s x"),
    ("Review", For::Person, "a{sv}", "2 id s zzzz note s x"),
];

fn line(member: &str, signature: &str, arguments: &str) -> String {
    let what = "org.stint.Stint1 /org/stint/Stint1 org.stint.Stint1";
    let signature = if signature.is_empty() { String::new() } else { format!("'{signature}'") };
    format!(
        "busctl --system --timeout=20 --json=short -- call {what} {member} {signature} {arguments}"
    )
}

/// What came back over the bus.
fn data(output: &Output) -> Value {
    assert!(output.ok(), "{output}");
    json(&output.stdout)["data"][0].clone()
}

/// busctl has words of its own for AccessDenied, and for no other error.
fn is_denied(output: &Output, what: &str) {
    assert_eq!(output.stderr, "Call failed: Access denied\n", "{what}");
    assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{what}");
}

/// It was not the caller that was refused, but what they asked for.
fn is_heard(output: &Output, member: &str) {
    assert_eq!(output.status, 1, "{member}: {output}");
    assert!(output.stderr.starts_with("Call failed: "), "{member}: {output}");
    assert!(!output.stderr.contains("Access denied"), "{member}: {output}");
}

/// The methods that the object has now, with the signature of what they take.
fn methods(xml: &str) -> BTreeMap<String, String> {
    let value = |line: &str, name: &str| {
        let rest = line.split_once(&format!("{name}=\""))?.1;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let mut found = BTreeMap::new();
    let mut method = String::new();
    for line in interface(xml).lines() {
        if line.starts_with("<method") {
            method = value(line, "name").expect("a method has a name");
            found.insert(method.clone(), String::new());
        } else if line.starts_with("<arg") && line.contains("direction=\"in\"") {
            let taken = value(line, "type").expect("an argument has a type");
            found.get_mut(&method).expect("an argument is a method's").push_str(&taken);
        }
    }
    found
}

/// The one interface of ours in introspection data, a line a line, without blanks at its ends.
fn interface(xml: &str) -> String {
    let start = xml.find("<interface name=\"org.stint.Stint1\">").expect("the interface");
    let end = start + xml[start..].find("</interface>").expect("its end");
    xml[start..end].lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

fn live_xml(host: &Host) -> String {
    host.ok("busctl introspect --xml-interface org.stint.Stint1 /org/stint/Stint1")
}

fn daemon(host: &Host) -> String {
    host.ok("systemctl show -P MainPID -P NRestarts stintd.service")
}

#[test]
fn every_method_is_refused_to_whom_the_table_does_not_name() {
    let host = gated(Suite::Bookworm);
    let live = methods(&live_xml(&host));
    let table: BTreeMap<_, _> =
        TABLE.iter().map(|(name, _, taken, _)| ((*name).to_owned(), (*taken).to_owned())).collect();
    assert_eq!(live, table, "a method is not in this table, or one of the table is not there");
    let before = all_grants(&host);
    for (member, whom, signature, arguments) in TABLE {
        let output = host.as_user("alice", &line(member, signature, arguments));
        match whom {
            For::Module | For::Root | For::Readers | For::AReader | For::Carrier => {
                is_denied(&output, member);
            }
            For::Everyone => assert!(output.ok(), "{member}: {output}"),
            For::Person => is_heard(&output, member),
        }
    }
    assert_eq!(all_grants(&host), before, "a refused call changed something");
    for (member, whom, signature, arguments) in TABLE {
        let output = host.run(&line(member, signature, arguments));
        match whom {
            For::Module => is_denied(&output, member),
            For::Person | For::AReader | For::Carrier => is_heard(&output, member),
            For::Root | For::Readers | For::Everyone => assert!(output.ok(), "{member}: {output}"),
        }
    }
    assert_eq!(all_grants(&host)[0]["end_reason"], "revoked", "root's calls took effect");
}

#[test]
fn nobody_but_root_owns_the_name() {
    let host = prepared(Suite::Trixie).boot();
    let own = |name: &str| {
        format!(
            "busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
             RequestName su {name} 7"
        )
    };
    let refuses = |user: &str, name: &str| {
        let output = host.as_user(user, &own(name));
        is_denied(&output, &format!("{user} owns {name}"));
    };
    let names = ["org.stint.Stint1", "org.stint.Stint1.Check", "org.stint.Stint1.a.b"];
    names.iter().for_each(|name| refuses("alice", name));
    // Nor while it is free.
    host.ok("systemctl mask --runtime stintd.service && systemctl stop stintd.service");
    names.iter().for_each(|name| refuses("alice", name));
    let sub_name = host.run(&own("org.stint.Stint1.Check"));
    is_denied(&sub_name, "root has no use for a sub-name");
    assert_eq!(host.ok(&own("org.stint.Stint1")), "u 1\n", "root may");
}

#[test]
fn a_person_sees_nobody_else() {
    let host = gated(Suite::Bookworm);
    let hers = grant(&host, "alice", "admin", "--for 10m");
    let his = grant(&host, "bob", "crew", "--for 10m");
    let ended = grant(&host, "bob", "admin", "--for 10m");
    host.ok(&format!("stint revoke {ended} --reason 'a test'"));

    let as_alice = |member: &str, signature: &str, arguments: &str| {
        host.as_user("alice", &line(member, signature, arguments))
    };
    let about_bob = as_alice("Explain", "a{sv}", "1 user s bob");
    is_denied(&about_bob, "alice asks about bob");
    let said = "stint: only root may ask about others; leave --user out to ask about yourself\n";
    refused(&host.as_user("alice", "stint explain --user bob"), 3, said);
    for filter in [
        "0",
        "1 user s bob",
        "1 ended b false",
        "1 ended b true",
        "2 ended b false user s bob",
        "2 ended b true user s bob",
    ] {
        let shown = data(&as_alice("List", "a{sv}", filter));
        let ids: Vec<_> =
            shown.as_array().unwrap().iter().map(|grant| &grant["id"]["data"]).collect();
        assert_eq!(ids, [&Value::from(hers.clone())], "{filter}");
    }
    assert_eq!(
        data(&as_alice("List", "a{sv}", "2 ended b true role s crew")),
        Value::Array(Vec::new())
    );
    let status = as_alice("Status", "", "").stdout;
    assert!(
        status.contains(&hers) && !status.contains(&his) && !status.contains("bob"),
        "{status}"
    );
    assert_eq!(data(&as_alice("Explain", "a{sv}", "0"))["user"]["data"], "alice");
    assert_eq!(data(&as_alice("Explain", "a{sv}", "1 user s alice"))["verdict"]["data"], "allow");

    for filter in ["0", "1 ended b false"] {
        let all = data(&host.run(&line("List", "a{sv}", filter)));
        assert_eq!(all.as_array().unwrap().len(), 2, "root sees both with {filter}: {all}");
    }
    assert_eq!(
        data(&host.run(&line("Explain", "a{sv}", "1 user s bob")))["verdict"]["data"],
        "deny"
    );
}

#[test]
fn what_is_malformed_is_refused_and_changes_nothing() {
    let host = gated(Suite::Trixie);
    let before = (all_grants(&host), daemon(&host));
    let long = "x".repeat(65_536);
    let order = |rest: &str, count: u32| format!("{count} user s alice role s admin {rest}");
    let calls = [
        ("Grant", "a{sv}", order("reason s x colour s red", 4)),
        ("Grant", "a{sv}", order("reason s x duration s 30m", 4)),
        ("Grant", "a{sv}", order("reason s x duration x -600", 4)),
        ("Grant", "a{sv}", order("reason s x duration t 0", 4)),
        ("Grant", "a{sv}", order("reason s x duration t 18446744073709551615", 4)),
        ("Grant", "a{sv}", order("reason s x duration t 14401", 4)),
        ("Grant", "a{sv}", order("reason s x starts_at x -9223372036854775808", 4)),
        ("Grant", "a{sv}", order("reason s x starts_at x 9223372036854775807", 4)),
        ("Grant", "a{sv}", order("reason u 7", 3)),
        ("Grant", "a{sv}", order("reason s ''", 3)),
        ("Grant", "a{sv}", order(&format!("reason s {long}"), 3)),
        ("Grant", "a{sv}", order(&format!("reason s x ticket s {long}"), 4)),
        ("Grant", "a{sv}", "2 user s alice role s admin".to_owned()),
        ("Grant", "a{sv}", "0".to_owned()),
        ("Grant", "a{sv}", "3 user s '%wheel' role s admin reason s x".to_owned()),
        ("Grant", "a{sv}", "3 user s ALL role s admin reason s x".to_owned()),
        ("Grant", "a{sv}", "3 user s alice role s ../admin reason s x".to_owned()),
        ("Grant", "a{sv}", format!("3 user s {long} role s admin reason s x")),
        ("Grant", "ssts", "alice admin 600 x".to_owned()),
        ("Grant", "", String::new()),
        ("Grant", "a{sv}s", "3 user s alice role s admin reason s x more".to_owned()),
        ("Revoke", "a{sv}", "1 reason s x".to_owned()),
        ("Revoke", "a{sv}", "1 all b true".to_owned()),
        ("Revoke", "a{sv}", "2 all b false reason s x".to_owned()),
        ("Revoke", "a{sv}", "3 all b true user s alice reason s x".to_owned()),
        ("Revoke", "a{sv}", "2 all b true reason s ''".to_owned()),
        ("Revoke", "a{sv}", "3 all b true reason s x force b true".to_owned()),
        ("Revoke", "a{sv}", "2 all s true reason s x".to_owned()),
        ("List", "a{sv}", "2 ended b false owner s bob".to_owned()),
        ("List", "a{sv}", "2 ended b false user u 1000".to_owned()),
        ("Explain", "a{sv}", "1 service s ../../etc/shadow".to_owned()),
        ("Explain", "a{sv}", "1 host s other".to_owned()),
        ("Reload", "s", "now".to_owned()),
    ];
    for (member, signature, arguments) in calls {
        let output = host.run(&line(member, signature, &arguments));
        let shown: String = arguments.chars().take(80).collect();
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{member} {shown}: {output}");
        assert!(output.stderr.starts_with("Call failed: "), "{member} {shown}: {output}");
        assert_eq!(output.stderr.lines().count(), 1, "{member} {shown}: {output}");
        assert!(output.stderr.len() < 1000, "{member} {shown} is said again at length");
    }
    // A time at the ends of the calendar is answered or refused, and ends nothing.
    for at in ["-9223372036854775808", "9223372036854775807", "0"] {
        let output = host.run(&line("Explain", "a{sv}", &format!("2 user s alice at x {at}")));
        assert!(output.status <= 1, "{output}");
    }
    assert_eq!((all_grants(&host), daemon(&host)), before);
}

#[test]
fn a_boolean_that_a_raw_call_leaves_out_is_false() {
    let host = gated(Suite::Trixie);
    let ended = grant(&host, "alice", "admin", "--for 10m");
    let his = grant(&host, "bob", "crew", "--for 10m");
    let call = |member: &str, arguments: &str| data(&host.run(&line(member, "a{sv}", arguments)));
    let ids = |grants: Value| -> Vec<String> {
        let grants = grants.as_array().unwrap().iter();
        grants.map(|grant| grant["id"]["data"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(call("Revoke", "2 user s alice reason s x")), [ended.as_str()]);
    assert_eq!(ids(call("List", "0")), [his.as_str()]);
    assert_eq!(ids(call("List", "1 role s admin")), [""; 0]);
    assert_eq!(ids(call("List", "2 ended b true role s admin")), [ended.as_str()]);
    assert_eq!(ids(call("Revoke", &format!("2 id s {his} reason s x"))), [his.as_str()]);
}

#[test]
fn a_caller_who_is_gone_is_refused() {
    let host = gated(Suite::Bookworm);
    let order = TABLE.iter().find(|row| row.0 == "Grant").unwrap();
    let order = line(order.0, order.2, order.3);
    host.ok("busctl monitor >/run/seen 2>&1 & echo $! >/run/monitor");
    let seen = |text: &str| {
        eventually(&format!("{text:?} on the bus"), PATIENCE, || {
            host.run(&format!("grep -qF '{text}' /run/seen")).ok().then_some(())
        });
    };
    seen("Monitoring bus message stream.");
    // The order waits in stintd's socket until root, who gave it, has left.
    let stintd = common::daemon(&host);
    host.freeze(&stintd);
    host.ok(&order.replace("busctl ", "busctl --expect-reply=no "));
    seen("Member=Grant");
    host.thaw(&stintd);
    seen("Could not get credentials of name");
    assert!(host.run(&order).ok(), "the same order of one who waits is carried out");
    let grants = all_grants(&host);
    assert_eq!(grants.as_array().unwrap().len(), 1, "an order of nobody was carried out: {grants}");
    host.ok("kill $(cat /run/monitor)");
}

#[test]
fn the_modules_socket_is_roots_and_takes_nothing_but_the_modules_questions() {
    let host = gated(Suite::Bookworm);
    assert_eq!(host.ok("stat -c %a,%U,%G /run/stint/pam.sock"), "600,root,root\n");
    assert_eq!(host.ok("stat -c %a,%U,%G /run/stint"), "755,root,root\n");
    for user in ["alice", "bob"] {
        let output = host.as_user(user, "nc -U /run/stint/pam.sock </dev/null");
        assert_eq!(output.status, 1, "{output}");
        assert!(output.stderr.contains("Permission denied"), "{output}");
        let output = host.as_user(user, "rm -f /run/stint/pam.sock");
        assert!(output.stderr.contains("Permission denied"), "{output}");
    }
    let before = all_grants(&host);
    for (member, whom, _, _) in TABLE {
        if whom == For::Module {
            continue;
        }
        let (signature, body) = match member {
            "Grant" => {
                let order =
                    [("user", Text("alice")), ("role", Text("admin")), ("reason", Text("x"))];
                ("a{sv}", dictionary(&order))
            }
            "Revoke" => ("a{sv}", dictionary(&[("all", True), ("reason", Text("x"))])),
            "List" => ("a{sv}", dictionary(&[("ended", True)])),
            "Explain" => ("a{sv}", dictionary(&[("user", Text("alice"))])),
            _ => ("", Vec::new()),
        };
        let answer = ask(&host, member, signature, &body, 1);
        assert!(answer.ok(), "{member}: {answer}");
        let shown = answer.stdout.escape_debug();
        for part in [
            "org.freedesktop.DBus.Error.AccessDenied".to_owned(),
            format!("{member} is called over the system bus"),
        ] {
            assert!(answer.stdout.contains(&part), "{member}: {shown}");
        }
    }
    assert_eq!(all_grants(&host), before);
    let denied = check(&host, ["sudo", "alice", "alice", "", ""], 1).stdout;
    assert!(denied.contains("deny") && denied.contains("needs a grant"), "{denied:?}");
    grant(&host, "alice", "admin", "--for 10m");
    let allowed = check(&host, ["sudo", "alice", "alice", "", ""], 1).stdout;
    assert!(allowed.contains("allow"), "{allowed:?}");
}

#[test]
fn the_installed_interface_is_the_live_one_and_there_is_nothing_beside_it() {
    for suite in Suite::ALL {
        let host = prepared(suite).boot();
        let live = live_xml(&host);
        let installed = host.ok("cat /usr/share/dbus-1/interfaces/org.stint.Stint1.xml");
        assert_eq!(interface(&installed), interface(&live), "{suite:?}");
        for other in ["<signal", "<property"] {
            assert!(!interface(&live).contains(other), "{suite:?} has a {other}");
        }
        let names: Vec<_> = live
            .lines()
            .filter_map(|line| line.trim().strip_prefix("<interface name=\""))
            .collect();
        for name in &names {
            let known =
                name.starts_with("org.stint.Stint1\"") || name.starts_with("org.freedesktop.DBus.");
            assert!(known, "{suite:?} has an interface {name}");
        }
        assert!(!names.iter().any(|name| name.contains("ObjectManager")), "{names:?}");
        let objects = host.ok("busctl tree --list org.stint.Stint1");
        assert_eq!(objects, "/\n/org\n/org/stint\n/org/stint/Stint1\n", "{suite:?}");
    }
}
