//! The command over the store of a fleet, typed by people with certificates of their own: whatever the
//! store says, what is shown is harmless, what is forged cannot be approved, and what people sign is what
//! they were shown. What hosts say is put there by hand here.

use serde_json::{Value, json};
use std::thread;
use stint_tests::{Host, Network, Output, Right, Screen, Store, Suite, eventually, with_etcd};

use crate::common::{SOON, document};
use crate::workflow::UNASKED;

const POLICY: &str = r#"
[audit]
readers = ["carol"]

[roles.admin]
sudo      = [{ commands = ["ALL"] }]
eligible  = ["alice", "bob"]
approvers = ["carol"]
"#;

/// A store, and a host on which people type.
struct Desk<'a> {
    store: Store<'a>,
    host: &'a Host,
}

impl Desk<'_> {
    /// Puts what a host says of itself.
    fn says(&self, host: &str, rest: &str, value: impl ToString) {
        self.store.put(&format!("/stint/1/out/{host}/{rest}"), value.to_string());
    }

    /// A host that is known; and there.
    fn known(&self, host: &str, there: bool) {
        let itself =
            json!({ "host": host, "version": "1", "serial": 7, "since": "x", "publishes": true });
        self.says(host, "host", itself);
        if there {
            self.says(host, "alive", 1);
        }
    }

    /// Takes something out of the store.
    fn delete(&self, what: &str) {
        let output = self.store.ctl(&format!("del {what}"));
        assert!(output.ok(), "{what}: {output}");
    }

    /// What carol is shown, which moves no cursor.
    fn shown(&self, line: &str, status: i32) -> String {
        let output = self.carol(line);
        assert_eq!(output.status, status, "{line}: {output}");
        let text = output.text();
        let harmless = |c: char| c == '\n' || (!c.is_control() && c != '\u{202e}');
        assert!(text.chars().all(harmless), "{line}: {text:?}");
        text
    }

    fn carol(&self, line: &str) -> Output {
        self.host.as_user("carol", line)
    }

    /// What is typed while a host is there that answers so to the document that comes of it.
    fn answered(&self, line: &str, below: &str, host: &str, says: &Value) -> (Output, String) {
        let before = self.store.keys(below);
        thread::scope(|scope| {
            let typed = scope.spawn(|| self.carol(line));
            let key = eventually("a document in the store", SOON, || {
                self.store.keys(below).into_iter().find(|key| !before.contains(key))
            });
            let digest =
                format!("get --print-value-only '{key}' | head -c -1 | sha256sum | head -c 16");
            let digest = self.store.ctl(&digest).stdout;
            self.says(host, &format!("answers/{}", digest.trim()), says);
            (typed.join().unwrap(), key)
        })
    }
}

/// A request of the desk's own stintd, as another host would say it.
fn of_host(request: &Value, host: &str) -> Value {
    let mut said = request.clone();
    said["host"] = host.into();
    said
}

#[test]
fn nothing_is_believed_for_lying_in_the_store() {
    let network = Network::of(&["carrier", "desk"]);
    let carrier = with_etcd(Host::bare(Suite::Bookworm).hostname("carrier").on(&network)).boot();
    let host = Host::builder(Suite::Bookworm)
        .hostname("desk")
        .on(&network)
        .file("/etc/stint/policy.toml", 0o644, format!("{UNASKED}{POLICY}"))
        .boot();
    let desk = Desk { store: Store::open(&carrier), host: &host };

    who_has_no_right_is_told_so(&desk);
    let ask = "stint request admin --reason 'disk full' --json";
    let request = document(&host.as_user("alice", ask).stdout);
    what_is_forged_or_malformed_is_told_apart(&desk, &request);
    a_word_is_of_what_was_shown_and_waits_for_its_host(&desk, &request);
    a_host_that_answers_is_heard(&desk, &request);
    grants_are_listed_and_ended_everywhere(&desk);
    documents_go_where_they_belong(&desk);
    the_board_is_live(&desk, &request);
    a_store_that_is_away_is_told(&desk, &carrier);
}

fn who_has_no_right_is_told_so(desk: &Desk<'_>) {
    let said = desk.host.run("stint pending --fleet");
    assert_eq!(said.status, 3, "{said}");
    assert!(said.stderr.contains("is never root: run it as yourself"), "{said}");
    let said = desk.host.run("stint-sync --store /etc/stint/fleet.toml </dev/null");
    assert!(!said.ok() && said.stderr.contains("is never root"), "{said}");
    // Without a word on where the store is, and with a wrong one.
    let said = desk.shown("stint pending --fleet", 1);
    assert!(said.contains("neither /home/carol/.config/stint/fleet.toml nor /etc/stint"), "{said}");
    desk.host.write("/etc/stint/fleet.toml", "0644", "sign_wiht = \"~/.ssh/id\"\n[etcd]\n");
    let said = desk.shown("stint list --fleet", 1);
    for wanted in ["fleet.toml:1:1: sign_wiht: unknown key", "sign_with?", "endpoints: missing"] {
        assert!(said.contains(wanted), "{said}");
    }
    // A host's certificate reads nothing of the others.
    desk.store.admit_person(desk.host, "bob", Right::Host);
    let said = desk.host.as_user("bob", "stint pending --fleet");
    assert_eq!(said.status, 3, "{said}");
    assert!(said.stderr.contains("stint: the store does not let you: "), "{said}");
    // Whoever has no certificate that the store knows.
    desk.store.admit_person(desk.host, "carol", Right::Publisher);
    let key = "~/.config/stint/etcd-client.key";
    let said = desk.shown(&format!("mv {key} {key}.away; stint pending --fleet"), 69);
    assert!(said.contains("etcd-client.key"), "{said}");
    desk.shown(&format!("mv {key}.away {key}"), 0);
    assert_eq!(
        desk.shown("stint pending --fleet", 0),
        "No request is pending on any host that publishes its own.\n"
    );
    let said = desk.shown("stint approve web-1/7kq2 --yes", 2);
    assert!(said.contains("say which SSH key signs"), "{said}");
    desk.shown(
        "mkdir -m 700 ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 && \
         sed -i '1i sign_with = \"~/.ssh/id_ed25519\"' ~/.config/stint/fleet.toml",
        0,
    );
    let said = desk.shown("stint approve web-1/7kq2 --yes", 5);
    assert!(said.contains("the store knows no host \"web-1\""), "{said}");
    // A slash too many, and what is no host.
    let said = desk.shown("stint approve web-1/7kq2/x --yes", 2);
    assert!(said.contains("is no id"), "{said}");
    let said = desk.shown("stint approve ../7kq2 --yes", 2);
    assert!(said.contains("is no host name: type HOST/ID"), "{said}");
}

fn what_is_forged_or_malformed_is_told_apart(desk: &Desk<'_>, request: &Value) {
    let id = request["id"].as_str().unwrap();
    desk.known("web-1", false);
    desk.known("web-2", true);
    desk.says("web-1", &format!("requests/{id}"), of_host(request, "web-1"));
    // The same with another role than the digest is of; with what moves a cursor; a whole megabyte;
    // another host's; half of one; no text at all.
    let mut forged = of_host(request, "web-2");
    forged["id"] = "3aaa".into();
    forged["reason"] = "x\u{1b}[2J\u{202e}\nweb-1/9zzz".into();
    desk.says("web-2", "requests/3aaa", &forged);
    let mut huge = of_host(request, "web-2");
    huge["reason"] = "x".repeat(1_000_000).into();
    desk.says("web-2", &format!("requests/{id}"), huge);
    desk.says("web-2", "requests/4bbb", of_host(request, "web-1"));
    desk.says("web-2", "requests/5ccc", "{\"host\": \"web-2\", \"id\": ");
    desk.store.put("/stint/1/out/web-2/requests/6ddd", [0xff, 0xfe, 0x00, 0x1b]);
    desk.store.put("/stint/1/out/web-2/requests/\u{1b}[2J", "{}");

    let said = desk.shown("stint pending --fleet", 0);
    let line = said.lines().find(|line| line.contains(&format!("web-1/{id} (away)"))).unwrap();
    assert!(line.contains("alice") && line.contains("admin"), "{said}");
    let apart = said.split("Not to be trusted").nth(1).unwrap_or_else(|| panic!("{said}"));
    assert!(apart.contains("web-2/3aaa") && !apart.contains(&format!("web-1/{id}")), "{said}");
    assert!(said.contains("x\\u{1b}[2J\\u{202e}\\nweb-1/9zzz"), "{said}");
    assert!(
        said.contains("Not shown, as it cannot be used: 5 entries of the store; the first is"),
        "{said}"
    );
    assert!(said.contains("Away, and shown as they last were: web-1"), "{said}");
    let all = document(&desk.carol("stint pending --fleet --json").stdout);
    assert_eq!(all["unusable"], 5);
    let claims: Vec<_> = all["requests"].as_array().unwrap().iter().collect();
    assert_eq!(claims.len(), 2, "{all}");
    for claim in claims {
        assert_eq!(claim["as_claimed"], claim["host"] == "web-1", "{claim}");
    }
    // What is forged is not signed for, by whatever name.
    for line in ["stint approve web-2/3aaa --yes", "stint deny web-2/3 --reason no"] {
        let said = desk.shown(line, 3);
        assert!(said.contains("web-2/3aaa is not to be trusted"), "{said}");
    }
    for line in [&format!("stint approve web-2/{id} --yes"), "stint approve web-9/3aaa --yes"] {
        desk.shown(line, 5);
    }
    assert!(desk.store.keys("/stint/1/in/").is_empty());
    assert!(desk.store.keys("/stint/1/fleet/").is_empty());
}

/// The documents before a host, each as the command reads it.
fn inbox(desk: &Desk<'_>, host: &str) -> Vec<(String, Value)> {
    let read = |key: String| {
        let text = desk.store.ctl(&format!("get --print-value-only '{key}'")).stdout;
        // etcdctl ends it with a line break of its own.
        desk.host.write("/tmp/document", "0644", text.strip_suffix('\n').unwrap_or(&text));
        let line = format!("stint policy inspect --host {host} --json /tmp/document");
        let read = document(&desk.host.run(&line).stdout);
        (key, read)
    };
    desk.store.keys(&format!("/stint/1/in/{host}/")).into_iter().map(read).collect()
}

fn a_word_is_of_what_was_shown_and_waits_for_its_host(desk: &Desk<'_>, request: &Value) {
    let id = request["id"].as_str().unwrap();
    let said = desk.shown(&format!("stint approve web-1/{id}"), 2);
    assert!(said.contains("there is no terminal to ask on"), "{said}");
    // Any unique beginning will do.
    let said = desk.shown(&format!("stint approve web-1/{} --yes --note fine", &id[..3]), 4);
    for wanted in [
        format!("web-1/{id}: alice asks for admin"),
        "host      web-1".to_owned(),
        "web-1 is away. Your word lies in the store until".to_owned(),
    ] {
        assert!(said.contains(&wanted), "{wanted}\n{said}");
    }
    let inbox = inbox(desk, "web-1");
    let [(key, read)] = inbox.as_slice() else { panic!("{inbox:?}") };
    assert!(key.starts_with(&format!("/stint/1/in/web-1/approvals/{id}.")), "{key}");
    assert_eq!(read["hosts"], json!(["web-1"]), "{read}");
    let word = &read["approval"];
    for (field, wanted) in [
        ("request", id),
        ("verdict", "approve"),
        ("user", "alice"),
        ("role", "admin"),
        ("note", "fine"),
        ("digest", request["digest"].as_str().unwrap()),
    ] {
        assert_eq!(word[field], wanted, "{read}");
    }
    // It goes by itself.
    let lease = desk.store.ctl(&format!("get -w json '{key}'"));
    assert!(lease.stdout.contains("\"lease\":"), "{lease}");
    // Said again it takes its place, and does not lie beside it.
    let said = desk.carol(&format!("stint deny web-1/{id} --reason 'not today' --json"));
    assert_eq!((said.status, said.stderr.as_str()), (4, ""), "{said}");
    let said = document(&said.stdout);
    assert_eq!((&said["outcome"], &said["host"]), (&"away".into(), &"web-1".into()), "{said}");
    let inbox = self::inbox(desk, "web-1");
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    assert_eq!(inbox[0].1["approval"]["verdict"], "deny");
}

fn a_host_that_answers_is_heard(desk: &Desk<'_>, request: &Value) {
    let id = request["id"].as_str().unwrap();
    desk.delete("--prefix /stint/1/in/");
    desk.says("web-1", "alive", 1);
    let approve = format!("stint approve web-1/{id} --yes");
    let below = "/stint/1/in/web-1/";
    let refused = json!({ "key": "k", "at": "x", "outcome": "refused",
        "message": "carol may not\u{1b}[2J approve admin" });
    let (said, _) = desk.answered(&approve, below, "web-1", &refused);
    assert_eq!(said.status, 3, "{said}");
    assert!(
        said.stderr.contains("stint: web-1 refuses it: carol may not\\u{1b}[2J approve admin"),
        "{said}"
    );
    desk.delete("--prefix /stint/1/in/");
    // Granted: the host says so with its answer, and that the request is over.
    let mut granted = of_host(request, "web-1");
    granted["state"] = "approved".into();
    granted["grant"] = "g4t9".into();
    granted["approvals"] = json!(["carol"]);
    let taken = json!({ "key": "k", "at": "x", "outcome": "taken", "message": "counted" });
    let (said, key) = thread::scope(|scope| {
        let typed = scope.spawn(|| desk.answered(&approve, below, "web-1", &taken));
        eventually("the word", SOON, || (!desk.store.keys(below).is_empty()).then_some(()));
        desk.says("web-1", &format!("decisions/{id}"), &granted);
        desk.delete(&format!("/stint/1/out/web-1/requests/{id}"));
        typed.join().unwrap()
    });
    assert_eq!(said.status, 0, "{said}");
    assert!(said.stdout.contains("On web-1: alice has admin for 30m (g4t9)."), "{said}");
    assert!(key.contains(id), "{key}");
    let said = desk.shown(&approve, 3);
    assert!(said.contains(&format!("web-1: {id} was granted: admin for alice")), "{said}");
}

fn grants_are_listed_and_ended_everywhere(desk: &Desk<'_>) {
    for (host, id, user) in [("web-1", "g4t9", "alice"), ("web-2", "h5aa", "bob")] {
        let grant = json!({
            "id": id, "user": user, "uid": 1000, "role": "admin", "state": "active", "host": host,
            "starts_at": "2026-11-23T14:02:00Z", "expires_at": "2099-11-23T14:32:00Z",
            "ended_at": null, "end_reason": null, "origin": "request", "reason": "x\u{1b}[2J",
            "ticket": null, "granted_by": "carol", "approvals": ["carol"], "request": null,
            "reviewed_by": null, "services": ["sudo"], "groups": [], "residue": null, "without": [],
        });
        desk.says(host, &format!("grants/{id}"), grant);
    }
    let said = desk.shown("stint list --fleet", 0);
    assert!(said.contains("web-1") && said.contains("h5aa") && said.contains("x\\u{1b}"), "{said}");
    let said = desk.shown("stint list --fleet --user bob", 0);
    assert!(said.contains("h5aa") && !said.contains("g4t9"), "{said}");
    let said = desk.shown("stint list --fleet --all", 2);
    assert!(said.contains("cannot be used with"), "{said}");

    // One host is there and does it, one is away.
    desk.delete("/stint/1/out/web-1/alive");
    desk.delete("--prefix /stint/1/in/");
    let taken = json!({ "key": "k", "at": "x", "outcome": "taken", "message": "ended 1" });
    let line = "stint revoke --fleet --user bob --reason 'left the team'";
    let (said, key) = desk.answered(line, "/stint/1/fleet/", "web-2", &taken);
    assert_eq!(said.status, 4, "{said}");
    assert!(said.stdout.contains("The end of what bob holds: done on 1 of 2 hosts."), "{said}");
    assert!(said.stdout.contains("Away, and done when they come back: web-1"), "{said}");
    assert!(key.starts_with("/stint/1/fleet/revocations/"), "{key}");
    // Of one host alone, by the beginning of its id.
    let line = "stint revoke web-2/h5 --reason 'done early' --json";
    let refused = json!({ "key": "k", "at": "x", "outcome": "refused", "message": "nobody may" });
    let (said, key) = desk.answered(line, "/stint/1/in/web-2/", "web-2", &refused);
    assert_eq!(said.status, 3, "{said}");
    let said = document(&said.stdout);
    let told = json!([{ "host": "web-2", "outcome": "refused", "message": "nobody may" }]);
    assert_eq!((&said["hosts"], &said["key"]), (&told, &key.as_str().into()), "{said}");
    let (_, read) = inbox(desk, "web-2").remove(0);
    assert_eq!(read["revocation"]["grant"], "h5aa", "{read}");
    desk.shown("stint revoke web-2/zz --reason 'done early'", 5);
    for line in [
        "stint revoke --fleet --reason x",
        "stint revoke --fleet g4t9 --reason x",
        "stint revoke --fleet --role admin --reason x",
    ] {
        let said = desk.shown(line, 2);
        assert!(said.contains("--user"), "{line}: {said}");
    }
}

fn documents_go_where_they_belong(desk: &Desk<'_>) {
    desk.shown("printf '[roles.fleet-web]\\nservices = [\"su\"]\\n' >fleet.toml", 0);
    let sign = "stint policy sign fleet.toml --key ~/.ssh/id_ed25519 --hosts";
    desk.shown(&format!("{sign} 'web-*' --serial 20 -o new.policy"), 0);
    desk.shown(&format!("{sign} 'web-*' --serial 10 -o old.policy"), 0);
    desk.shown(&format!("{sign} web-2 --serial 30 -o own.policy"), 0);
    let taken = json!({ "key": "k", "at": "x", "outcome": "taken", "message": "policy 20" });
    let line = "stint policy publish new.policy --name fleet";
    let (said, key) = desk.answered(line, "/stint/1/fleet/", "web-2", &taken);
    assert_eq!(said.status, 4, "{said}");
    assert!(said.stdout.contains("Policy 20: done on 1 of 2 hosts."), "{said}");
    assert_eq!(key, "/stint/1/fleet/policy/fleet");
    // An older one is not put in its place without a word.
    let said = desk.shown("stint policy publish old.policy --name fleet", 2);
    assert!(said.contains("the store holds policy 20 there, which is later than 10"), "{said}");
    let (said, key) =
        desk.answered("stint policy publish own.policy", "/stint/1/in/", "web-2", &taken);
    assert_eq!(said.status, 0, "{said}");
    assert_eq!(key, "/stint/1/in/web-2/policy/own");
    // What is no document, or was changed since, goes nowhere.
    let before = desk.store.keys("/stint/1/fleet/");
    desk.shown("sed -i s/fleet-web/fleet-web2/ new.policy", 0);
    for file in ["fleet.toml", "new.policy"] {
        let said = desk.shown(&format!("stint policy publish {file}"), 1);
        assert!(said.contains("is not published"), "{said}");
    }
    assert_eq!(desk.store.keys("/stint/1/fleet/"), before);
    // An approver may publish no policy; the store says so, and nothing is there.
    desk.store.admit_person(desk.host, "alice", Right::Approver);
    desk.host.ok("cp ~carol/own.policy ~carol/old.policy /tmp/ && chmod 644 /tmp/*.policy");
    let said = desk.host.as_user("alice", "stint policy publish /tmp/old.policy --name other");
    assert_eq!(said.status, 3, "{said}");
    assert!(said.stderr.contains("the store does not let you"), "{said}");
    assert_eq!(desk.store.keys("/stint/1/fleet/"), before);
}

fn the_board_is_live(desk: &Desk<'_>, request: &Value) {
    let id = request["id"].as_str().unwrap();
    let mut shell = desk.host.shell("carol");
    shell.run("stty rows 24 cols 110 onlcr");
    let mut screen = Screen::new(24, 110);
    shell.start("TERM=xterm stint watch --fleet");
    let has = |words: &[&str], screen: &Screen| {
        screen.lines().iter().any(|line| words.iter().all(|word| line.contains(word)))
    };
    shell.watch(&mut screen, "the board", |screen| has(&["web-2", "admin", "bob"], screen));
    assert!(has(&["request is not what the store claims"], &screen), "{:?}", screen.lines());
    // It comes by itself.
    desk.says("web-2", &format!("requests/{id}"), of_host(request, "web-2"));
    shell.watch(&mut screen, "the request", |screen| has(&["web-2", id, "alice"], screen));
    shell.type_keys("d");
    let title = format!("Deny request web-2/{id}?");
    shell.watch(&mut screen, "its page", |screen| has(&[&title], screen));
    desk.delete("/stint/1/out/web-2/alive");
    shell.type_keys("not on a Friday\r");
    shell.watch(&mut screen, "what came of it", |screen| has(&["web-2 is away."], screen));
    let (key, read) = inbox(desk, "web-2").into_iter().find(|(key, _)| key.contains(id)).unwrap();
    assert_eq!(read["approval"]["note"], "not on a Friday", "{key}: {read}");
    shell.type_keys("\rq");
    shell.watch(&mut screen, "the end", |screen| !screen.is_taken());
}

fn a_store_that_is_away_is_told(desk: &Desk<'_>, carrier: &Host) {
    carrier.ok("systemctl stop etcd");
    for line in [
        "stint pending --fleet",
        "stint list --fleet --json",
        "stint approve web-1/7kq2 --yes",
        "stint revoke --fleet --user bob --reason 'left the team'",
        "stint policy publish own.policy",
    ] {
        let said = desk.shown(line, 69);
        assert!(said.contains("stint: the store cannot be reached: "), "{line}: {said}");
    }
}
