//! Words and documents against a store in memory, and hosts that answer as they are told to.

use std::collections::VecDeque;
use std::time::Duration;

use stint_document::{Header, Kind, Revocation, Revoked, Verdict};
use stint_proto::{ExitStatus, Request, RequestState};

use super::Fleet;
use super::answers::{self, Heard};
use super::approve::{Came, Open, find, give, signed};
use super::hosts::Hosts;
use super::hosts::tests::{asked, entry, there};
use super::publish::{Parcel, short};
use super::store::{Entry, Event, Store};
use crate::clock;
use crate::failure::Failure;

/// What somebody does when a document is put: the events that come of it.
type Does = fn(&str, &str) -> Vec<Event>;

/// A store in memory.
struct Memory {
    entries: Vec<Entry>,
    events: VecDeque<Event>,
    does: Does,
    put: Vec<(String, String, Option<u64>)>,
}

impl Store for Memory {
    fn get(&mut self, prefix: &str, _: usize) -> Result<(i64, Vec<Entry>), Failure> {
        let found = self.entries.iter().filter(|entry| entry.key.starts_with(prefix));
        Ok((1, found.cloned().collect()))
    }

    fn put(&mut self, key: &str, value: &str, seconds: Option<u64>) -> Result<(), Failure> {
        self.put.push((key.to_owned(), value.to_owned(), seconds));
        self.events.extend((self.does)(key, value));
        Ok(())
    }

    fn watch(&mut self, _: &str, _: i64) -> Result<(), Failure> {
        Ok(())
    }

    fn next(&mut self, _: Duration) -> Result<Option<Event>, Failure> {
        match self.events.pop_front() {
            Some(event) => Ok(Some(event)),
            None => Err(Failure::new(ExitStatus::Unavailable, "nothing more is heard")),
        }
    }
}

fn fleet(entries: Vec<Entry>, does: Does) -> Fleet<Memory> {
    let store = Memory { entries, events: VecDeque::new(), does, put: Vec::new() };
    let mut fleet = Fleet::whole(store).unwrap();
    fleet.watch().unwrap();
    fleet
}

fn request() -> Request {
    let lapses_at = clock::wall().checked_add("1h".parse().unwrap()).unwrap();
    let request = crate::look::requests::tests::example();
    let request = Request { lapses_at, ..request };
    Request { digest: stint_document::digest(&request), ..request }
}

/// A key of a test's, and where it lies.
fn key() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    (dir, key)
}

fn answer(document: &str, outcome: &str) -> Event {
    let value = serde_json::json!({ "key": "k", "outcome": outcome, "message": "so", "at": "x" });
    let rest = format!("answers/{}", short(document.as_bytes()));
    Event::Put(entry("web-1", &rest, value.to_string()))
}

fn said(does: Does, alive: bool) -> (Came, Fleet<Memory>) {
    let (_dir, key) = key();
    let mut entries = there("web-1");
    if !alive {
        entries.pop();
    }
    entries.push(asked("web-1", &request()));
    let mut fleet = fleet(entries, does);
    let request = find(&fleet.hosts, "web-1", "7k").unwrap();
    let of = ("web-1", &request);
    let parcel = signed(of, (Verdict::Approve, None), (&key, &fleet.hosts)).unwrap();
    (give(&mut fleet, of, &parcel).unwrap(), fleet)
}

#[test]
fn a_word_is_put_before_its_host_until_the_request_lapses() {
    let (came, fleet) = said(|_, _| Vec::new(), false);
    assert_eq!(came, Came::Open(Open::Away), "whoever is away is not waited for");
    let [(key, document, seconds)] = fleet.store.put.as_slice() else { panic!() };
    assert!(key.starts_with("/stint/1/in/web-1/approvals/7kq2."), "{key}");
    assert!((3_500..=3_601).contains(&seconds.unwrap()), "{seconds:?}");
    let verified = stint_document::look(document.as_bytes()).unwrap();
    assert!(verified.text.contains(&stint_document::digest(&request())), "{}", verified.text);
}

#[test]
fn what_its_host_says_comes_of_it() {
    let (came, _) = said(|_, document| vec![answer(document, "refused")], true);
    assert_eq!(came, Came::Refused("so".to_owned()));
    let (came, _) = said(|_, document| vec![answer(document, "failed")], true);
    assert_eq!(came, Came::Open(Open::Failed("so".to_owned())));
    let counted = |_: &str, document: &str| {
        let mut now = request();
        now.approvals.push("bob".parse().unwrap());
        vec![answer(document, "taken"), Event::Put(asked("web-1", &now))]
    };
    let Came::Counted(now) = said(counted, true).0 else { panic!() };
    assert_eq!((now.state, now.approvals.len()), (RequestState::Pending, 2));
    let granted = |_: &str, document: &str| {
        let now = Request { state: RequestState::Approved, ..request() };
        let gone = Event::Deleted("/stint/1/out/web-1/requests/7kq2".to_owned());
        vec![answer(document, "taken"), gone, Event::Put(asked("web-1", &now))]
    };
    let Came::Counted(now) = said(granted, true).0 else { panic!() };
    assert_eq!(now.state, RequestState::Approved);
}

#[test]
fn what_is_not_as_it_is_claimed_is_not_signed_for() {
    let good = asked("web-1", &request());
    let bent = Entry { value: good.value.map(|text| text.replace("dump", "dump!")), ..good };
    let hosts = Hosts::of([there("web-1"), vec![bent]].concat());
    let failure = find(&hosts, "web-1", "7kq2").unwrap_err();
    assert_eq!(failure.status, ExitStatus::Refused);
    assert!(failure.message.contains("is not to be trusted"), "{}", failure.message);
    let over = Request { state: RequestState::Cancelled, ..request() };
    let hosts = Hosts::of([there("web-1"), vec![asked("web-1", &over)]].concat());
    let failure = find(&hosts, "web-1", "7kq2").unwrap_err();
    assert_eq!(failure.status, ExitStatus::Refused);
    assert!(failure.message.contains("was taken back"), "{}", failure.message);
}

/// A revocation for these hosts, as it would be published.
fn revocation(hosts: &str, known: &Hosts) -> Parcel {
    let (_dir, key) = key();
    let header = Header {
        kind: Kind::Revocation,
        serial: None,
        not_before: clock::wall(),
        not_after: None,
        hosts: vec![hosts.parse().unwrap()],
    };
    let what = Revoked::User("bob".parse().unwrap());
    let text = stint_document::revocation(&header, &Revocation { what, reason: "x".to_owned() });
    let document = crate::sign::document(&text, Kind::Revocation, &key).unwrap();
    Parcel::of(document, "", known, clock::wall()).unwrap()
}

#[test]
fn a_document_for_one_host_lies_before_it_where_it_is_known_by_that_name() {
    let known = Hosts::of([there("web-1"), there("Web-2"), there("db-1.example")].concat());
    for (hosts, folder, meant) in [
        ("web-1", "/stint/1/in/web-1/", vec!["web-1"]),
        ("web-2", "/stint/1/in/Web-2/", vec!["Web-2"]),
        ("db-1", "/stint/1/fleet/", vec!["db-1.example"]),
        ("web-9", "/stint/1/fleet/", vec![]),
        ("web-*", "/stint/1/fleet/", vec!["Web-2", "web-1"]),
    ] {
        let parcel = revocation(hosts, &known);
        assert!(parcel.key.starts_with(&format!("{folder}revocations/")), "{}", parcel.key);
        assert_eq!(parcel.meant(&known), meant, "{hosts}");
    }
}

#[test]
fn every_host_that_is_there_is_waited_for_and_the_others_are_named() {
    let mut entries = [there("web-1"), there("web-2"), there("web-3")].concat();
    entries.retain(|entry| entry.key != "/stint/1/out/web-3/alive");
    let does = |_: &str, document: &str| {
        let gone = Event::Deleted("/stint/1/out/web-2/alive".to_owned());
        // A value that cannot be read is no answer.
        let rest = format!("answers/{}", short(document.as_bytes()));
        let bent = Event::Put(entry("web-1", &rest, "{}".to_owned()));
        vec![bent, gone, Event::Lost("cut".to_owned()), Event::Found, answer(document, "taken")]
    };
    let mut fleet = fleet(entries, does);
    let parcel = revocation("*", &fleet.hosts);
    let meant = parcel.meant(&fleet.hosts);
    let heard = answers::publish(&mut fleet, &parcel, &meant, Duration::from_secs(60)).unwrap();
    let away = heard.values().filter(|heard| **heard == Heard::Away).count();
    assert_eq!((heard.len(), away), (3, 2), "{heard:?}");
    assert_eq!(answers::status(&heard), ExitStatus::Pending);
    let shown = crate::look::fleet::answers("The end of what bob holds", &heard);
    assert_eq!(
        anstream::adapter::strip_str(&shown).to_string(),
        "The end of what bob holds: done on 1 of 3 hosts.\n  \
           Away, and done when they come back: web-2, web-3"
    );
}

#[test]
fn what_a_host_said_of_the_same_document_before_counts_where_it_says_nothing_else() {
    let mut fleet = fleet([there("web-1"), there("web-2")].concat(), |_, document| {
        vec![answer(document, "taken")]
    });
    let parcel = revocation("*", &fleet.hosts);
    for host in ["web-1", "web-2"] {
        let refused = serde_json::json!({ "outcome": "refused", "message": "no" });
        let before = entry(host, &format!("answers/{}", parcel.digest), refused.to_string());
        fleet.hosts.apply(Event::Put(before));
    }
    let meant = parcel.meant(&fleet.hosts);
    let mut publish = |meant, limit| {
        answers::publish(&mut fleet, &parcel, std::slice::from_ref(meant), limit).unwrap()
    };
    let heard = publish(&meant[0], Duration::from_secs(60));
    assert_eq!(answers::status(&heard), ExitStatus::Done, "it has said something else since");
    let heard = publish(&meant[1], Duration::ZERO);
    assert_eq!(answers::status(&heard), ExitStatus::Refused, "it has not");
}
