//! What a host says of itself lies in a real store as the host shows it, whatever was killed, cut, refused
//! or restarted; and nobody else can write it there.

use serde_json::{Value, json};
use std::time::Duration;
use stint_tests::{Host, Network, Output, Store, Suite, eventually, with_etcd};

use crate::common::{SOON, daemon, document, grant, id, kill};
use crate::workflow::{pending, text};

/// For what comes after a lease has run out, or a refusal is tried again.
const LONG: Duration = Duration::from_secs(180);

/// The policy; bob decides.
fn policy(publish: bool) -> String {
    format!(
        "[approvals]\nauthenticate = false\n[remote]\npublish = {publish}\n\
         [roles.admin]\nsudo = [{{ commands = [\"ALL\"] }}]\neligible = [\"alice\"]\n\
         approvers = [\"bob\"]\n"
    )
}

/// A store and the one host that publishes in it.
struct Fleet<'a> {
    store: Store<'a>,
    host: &'a Host,
}

impl Fleet<'_> {
    /// What the host says there, below its name.
    fn said(&self, key: &str) -> Option<Value> {
        let key = format!("/stint/1/out/web-1/{key}");
        let output = self.store.ctl(&format!("get --print-value-only {key}"));
        assert!(output.ok(), "{output}");
        Some(output.stdout.trim()).filter(|text| !text.is_empty()).map(document)
    }

    fn comes(&self, key: &str) -> Value {
        eventually(key, LONG, || self.said(key))
    }

    fn goes(&self, key: &str) {
        eventually(&format!("the end of {key}"), LONG, || self.said(key).is_none().then_some(()));
    }

    /// The ids of what lies in a folder.
    fn ids(&self, folder: &str) -> Vec<String> {
        let prefix = format!("/stint/1/out/web-1/{folder}");
        let keys = self.store.keys(&prefix);
        keys.iter().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect()
    }

    /// Waits until what lies there is what the host shows, and nothing else.
    fn agrees(&self, when: &str) {
        eventually(&format!("{when}: the store says what the host shows"), LONG, || {
            let pending = document(&self.host.ok("stint pending --json"));
            let held = document(&self.host.ok("stint list --json"));
            (self.lie("requests/", &pending) && self.lie("grants/", &held)).then_some(())
        });
    }

    fn lie(&self, folder: &str, shown: &Value) -> bool {
        let shown = shown.as_array().unwrap();
        self.ids(folder).len() == shown.len()
            && shown.iter().all(|one| {
                let said = self.said(&format!("{folder}{}", text(one, "id")));
                said.is_some_and(|said| said["host"] == "web-1" && without_host(said) == *one)
            })
    }

    /// As the host, from elsewhere with its certificate.
    fn as_host(&self, carrier: &Host, line: &str) -> Output {
        let files =
            "--cacert=/srv/store/ca.pem --cert=/srv/store/web-1.pem --key=/srv/store/web-1.key";
        carrier.run(&format!(
            "ETCDCTL_API=3 etcdctl --endpoints {} {files} {line}",
            self.store.endpoint()
        ))
    }
}

fn without_host(mut said: Value) -> Value {
    said.as_object_mut().unwrap().remove("host");
    said
}

/// What stint-sync has told.
fn told(host: &Host, what: &str) -> usize {
    let lines = host.journal("_SYSTEMD_UNIT=stint-sync.service SYSLOG_IDENTIFIER=stint-sync");
    let lines = lines.iter().filter_map(|entry| entry["MESSAGE"].as_str());
    lines.filter(|line| line.contains(what)).count()
}

#[test]
fn a_store_says_what_a_host_shows_whatever_is_killed_cut_or_refused() {
    let network = Network::of(&["carrier", "web-1"]);
    let carrier = with_etcd(Host::bare(Suite::Bookworm).hostname("carrier").on(&network)).boot();
    let host = Host::builder(Suite::Trixie)
        .hostname("web-1")
        .on(&network)
        .file("/etc/stint/policy.toml", 0o644, policy(true))
        .boot();
    let fleet = Fleet { store: Store::open(&carrier), host: &host };
    fleet.store.admit_host(&host);

    without_the_right_it_is_told_once_and_documents_are_followed(&fleet);
    nobody_else_may_write_or_read_there(&fleet, &carrier);
    what_is_asked_decided_and_held_is_said(&fleet);
    what_a_killed_one_left_is_put_right(&fleet);
    a_cut_network_takes_the_sign_of_life_and_nothing_else(&fleet);
    a_stintd_that_is_stopped_is_not_started_and_is_away(&fleet);
    a_store_that_is_started_again_is_written_on(&fleet, &carrier);
    turned_off_nothing_is_left_but_that_it_is_there(&fleet);
}

fn without_the_right_it_is_told_once_and_documents_are_followed(fleet: &Fleet<'_>) {
    let (store, host) = (&fleet.store, fleet.host);
    let rights = |line: &str| {
        let done = store.ctl(line);
        assert!(done.ok(), "{done}");
    };
    rights("role revoke-permission host-web-1 --prefix=true /stint/1/out/web-1/");
    let settings = format!("{}\n", store.table("/etc/stint"));
    host.write("/etc/stint/sync.toml", "0644", settings.as_bytes());
    host.ok("systemctl restart stint-sync");
    let refused = "this host is not published: the store says: permission denied";
    eventually("a word of it", LONG, || (told(host, refused) > 0).then_some(()));
    store.put("/stint/1/fleet/policy/bad", "this is no document");
    eventually("a document", LONG, || (told(host, "fleet/policy/bad: ") > 0).then_some(()));
    let sources = crate::common::status(host)["remote"]["sources"].to_string();
    assert!(sources.contains("what this host publishes"), "{sources}");
    assert_eq!(store.keys("/stint/1/out/"), Vec::<String>::new());
    rights("role grant-permission host-web-1 --prefix=true readwrite /stint/1/out/web-1/");
    let about = fleet.comes("host");
    assert_eq!((&about["host"], &about["publishes"]), (&json!("web-1"), &json!(true)));
    assert_eq!(about["serial"], Value::Null);
    fleet.comes("alive");
    assert_eq!(told(host, refused), 1);
    eventually("the end of the trouble", LONG, || {
        (told(host, "this host is published again") == 1).then_some(())
    });
    assert!(store.ctl("del /stint/1/fleet/policy/bad").ok());
}

fn nobody_else_may_write_or_read_there(fleet: &Fleet<'_>, carrier: &Host) {
    for line in [
        "put /stint/1/out/web-2/alive 1",
        "del --prefix /stint/1/out/",
        "get --prefix /stint/1/out/",
        "put /stint/1/in/web-1/approvals/x y",
        "get --prefix /stint/1/in/web-2/",
    ] {
        let done = fleet.as_host(carrier, line);
        assert!(!done.ok() && done.text().contains("permission denied"), "{line}: {done}");
    }
    assert!(fleet.as_host(carrier, "get /stint/1/out/web-1/host").ok());
}

fn what_is_asked_decided_and_held_is_said(fleet: &Fleet<'_>) {
    let host = fleet.host;
    let request = pending(host, "alice", "admin");
    let id_asked = text(&request, "id");
    let said = fleet.comes(&format!("requests/{id_asked}"));
    let shown = document(&host.ok("stint pending --json"))[0].clone();
    assert_eq!(said["digest"], shown["digest"]);
    assert_eq!(without_host(said), shown);
    let denied = host.as_user("bob", &format!("stint deny {id_asked} --reason 'not today'"));
    assert!(denied.ok(), "{denied}");
    let decision = fleet.comes(&format!("decisions/{id_asked}"));
    assert_eq!((&decision["state"], &decision["note"]), (&json!("denied"), &json!("not today")));
    fleet.goes(&format!("requests/{id_asked}"));

    let held = grant(host, "alice admin --for 1h");
    let later = grant(host, "bob admin --for 1h --at +1h");
    fleet.comes(&format!("grants/{}", id(&held)));
    fleet.comes(&format!("grants/{}", id(&later)));
    fleet.agrees("after grants");
    host.ok(&format!("stint revoke {} --reason 'over'", id(&held)));
    fleet.goes(&format!("grants/{}", id(&held)));
    let short = grant(host, "alice admin --for 10s");
    fleet.comes(&format!("grants/{}", id(&short)));
    fleet.goes(&format!("grants/{}", id(&short)));
    fleet.agrees("after an end by the clock");
}

fn what_a_killed_one_left_is_put_right(fleet: &Fleet<'_>) {
    let host = fleet.host;
    let held = grant(host, "alice admin --for 1h");
    fleet.comes(&format!("grants/{}", id(&held)));
    host.ok("systemctl kill -s KILL stint-sync");
    host.ok(&format!("stint revoke {} --reason 'over'", id(&held)));
    pending(host, "alice", "admin");
    for key in ["grants/left", "requests/left", "decisions/left", "answers/left"] {
        fleet.store.put(&format!("/stint/1/out/web-1/{key}"), "{}");
    }
    fleet.agrees("after a kill");
    fleet.goes("decisions/left");
    assert_eq!(
        fleet.said("answers/left"),
        Some(json!({})),
        "what came of documents is not its own"
    );
}

fn a_cut_network_takes_the_sign_of_life_and_nothing_else(fleet: &Fleet<'_>) {
    let host = fleet.host;
    fleet.comes("alive");
    let requests = fleet.ids("requests/");
    host.unplug();
    host.ok("stint revoke --all --reason 'nobody hears it'");
    let unheard = grant(host, "bob admin --for 1h");
    fleet.goes("alive");
    assert_eq!(fleet.ids("requests/"), requests);
    assert!(fleet.said("host").is_some());
    host.plug_in();
    fleet.comes("alive");
    fleet.comes(&format!("grants/{}", id(&unheard)));
    fleet.agrees("after a cut");
}

fn a_stintd_that_is_stopped_is_not_started_and_is_away(fleet: &Fleet<'_>) {
    let host = fleet.host;
    host.ok("systemctl stop stintd.socket stintd.service 2>&1");
    fleet.goes("alive");
    assert_eq!(daemon(host), "0", "somebody started it");
    host.ok("systemctl start stintd.socket stintd.service");
    fleet.comes("alive");
    kill(host);
    eventually("stintd", SOON, || host.run("stint status").ok().then_some(()));
    let held = grant(host, "alice admin --for 1h");
    fleet.comes(&format!("grants/{}", id(&held)));
}

fn a_store_that_is_started_again_is_written_on(fleet: &Fleet<'_>, carrier: &Host) {
    let held = grant(fleet.host, "alice admin --for 1h --at +2h");
    carrier.ok("systemctl kill -s KILL etcd; systemctl restart etcd");
    eventually("etcd", LONG, || fleet.store.ctl("get x").ok().then_some(()));
    fleet.comes(&format!("grants/{}", id(&held)));
    fleet.host.ok("stint revoke --all --reason 'over'");
    fleet.goes(&format!("grants/{}", id(&held)));
    fleet.agrees("after the store was killed");
}

fn turned_off_nothing_is_left_but_that_it_is_there(fleet: &Fleet<'_>) {
    let host = fleet.host;
    grant(host, "alice admin --for 1h");
    fleet.agrees("before it is turned off");
    assert!(!fleet.ids("requests/").is_empty() && !fleet.ids("decisions/").is_empty());
    host.write("/etc/stint/policy.toml", "0644", policy(false).as_bytes());
    host.ok("stint reload");
    eventually("nothing of it", LONG, || {
        let left = ["requests/", "decisions/", "grants/"].map(|folder| fleet.ids(folder));
        left.iter().all(Vec::is_empty).then_some(())
    });
    assert_eq!(fleet.comes("host")["publishes"], json!(false));
    fleet.comes("alive");
    pending_or_held_stays_here(fleet);
}

/// And nothing new comes: what else lies there is the same a while and a change later.
fn pending_or_held_stays_here(fleet: &Fleet<'_>) {
    let held = grant(fleet.host, "bob admin --for 1h");
    // A change that is told, after it.
    let before = fleet.comes("host");
    kill(fleet.host);
    eventually("another start", LONG, || {
        (fleet.said("host")?["since"] != before["since"]).then_some(())
    });
    assert_eq!(fleet.ids("grants/"), Vec::<String>::new(), "{held}");
}
