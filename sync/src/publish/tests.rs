//! After any sequence of publications and losses the store says what the host said last.

use std::collections::BTreeSet;

use proptest::prelude::*;
use stint_proto::fleet::outbox as folder;
use stint_proto::{
    Grant, GrantState, Length, Origin, Publication, Request, RequestState, Timestamp, Uid,
};

use super::book::{Book, Failed, Shelf};
use super::outbox::{Change, Texts, VALUE_LIMIT, differences, is_ours, wanted};

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Well,
    /// It was done, and nobody hears of it.
    Unheard,
    /// It was not done.
    Lost,
    Refused,
}

/// A store in memory whose calls come to what was set down, and then to nothing bad.
#[derive(Debug, Default)]
struct Memory {
    texts: Texts,
    fates: Vec<Fate>,
    reads: usize,
}

impl Memory {
    fn fate(&mut self) -> Fate {
        self.fates.pop().unwrap_or(Fate::Well)
    }
}

fn lost<T>() -> Result<T, Failed> {
    Err(Failed::Lost("gone".to_owned()))
}

impl Shelf for &mut Memory {
    async fn read(&mut self, host: &str) -> Result<Texts, Failed> {
        self.reads += 1;
        let ours = self.texts.iter().filter(|(key, _)| is_ours(host, key));
        let ours = ours.map(|(key, text)| (key.clone(), text.clone())).collect();
        match self.fate() {
            Fate::Well => Ok(ours),
            Fate::Unheard | Fate::Lost => lost(),
            Fate::Refused => Err(Failed::Refused("no".to_owned())),
        }
    }

    async fn write(&mut self, changes: &[Change]) -> Result<(), Failed> {
        assert!((1..=128).contains(&changes.len()), "{}", changes.len());
        let fate = self.fate();
        if matches!(fate, Fate::Well | Fate::Unheard) {
            changes.iter().cloned().for_each(|change| change.made(&mut self.texts));
        }
        match fate {
            Fate::Well => Ok(()),
            Fate::Unheard | Fate::Lost => lost(),
            Fate::Refused => Err(Failed::Refused("no".to_owned())),
        }
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn id(number: u8) -> String {
    let letter = |n: u8| char::from(b"23456789abcdefgh"[usize::from(n % 16)]);
    ['a', 'b', letter(number / 16), letter(number)].iter().collect()
}

fn request(number: u8, state: RequestState, reason: &str) -> Request {
    Request {
        id: id(number).parse().unwrap(),
        user: "alice".parse().unwrap(),
        uid: Uid(1000),
        role: "admin".parse().unwrap(),
        state,
        duration: Length::from_seconds(600).unwrap(),
        starts_at: None,
        reason: reason.to_owned(),
        ticket: None,
        created_at: Timestamp::from_micros(1),
        lapses_at: Timestamp::from_micros(2),
        ended_at: None,
        approvals: Vec::new(),
        approvals_needed: 1,
        approvers: vec!["%leads".to_owned()],
        grant: None,
        extends: None,
        ended_by: None,
        note: None,
        confers: vec!["sudo (root) ALL".to_owned()],
        digest: "d1".to_owned(),
    }
}

fn grant(number: u8, reason: &str) -> Grant {
    Grant {
        id: id(number).parse().unwrap(),
        user: "bob".parse().unwrap(),
        uid: Uid(1001),
        role: "admin".parse().unwrap(),
        state: GrantState::Active,
        starts_at: Timestamp::from_micros(1),
        expires_at: Timestamp::from_micros(2),
        ended_at: None,
        end_reason: None,
        origin: Origin::Request,
        reason: reason.to_owned(),
        ticket: None,
        granted_by: "root".to_owned(),
        approvals: Vec::new(),
        request: None,
        reviewed_by: None,
        services: Vec::new(),
        groups: Vec::new(),
        polkit: Vec::new(),
        residue: None,
        without: Vec::new(),
    }
}

fn nothing() -> Publication {
    Publication {
        version: 1,
        host: "web-1".to_owned(),
        program: "1.0".to_owned(),
        since: Timestamp::from_micros(0),
        serial: None,
        publish: false,
        requests: Vec::new(),
        grants: Vec::new(),
        ended: Vec::new(),
        left_out: 0,
    }
}

fn publications() -> impl Strategy<Value = Publication> {
    let some = || proptest::collection::btree_set((0_u8..24, "[ab]"), 0..12);
    let serial = proptest::option::of(0_u64..3);
    (some(), some(), some(), serial).prop_map(|(pending, ended, held, serial)| {
        let asked = |of: BTreeSet<(u8, String)>, state| {
            of.iter().map(|(number, why)| request(*number, state, why)).collect()
        };
        Publication {
            serial,
            publish: true,
            requests: asked(pending, RequestState::Pending),
            ended: asked(ended, RequestState::Denied),
            grants: held.iter().map(|(number, why)| grant(*number, why)).collect(),
            ..nothing()
        }
    })
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        3 => Just(Fate::Well),
        1 => Just(Fate::Unheard),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Refused),
    ];
    proptest::collection::vec(fate, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn in_the_end_the_store_says_what_the_host_said_last(
        rounds in proptest::collection::vec((publications(), fates(), any::<bool>()), 1..8)
    ) {
        let others = [
            (format!("{}answers/ab", folder("web-1")), "an answer".to_owned()),
            (format!("{}alive", folder("web-1")), "1".to_owned()),
            (format!("{}requests/ab", folder("web-11")), "another host's".to_owned()),
        ];
        let mut memory = Memory { texts: others.iter().cloned().collect(), ..Memory::default() };
        let stale = format!("{}grants/left-by-a-killed-one", folder("web-1"));
        memory.texts.insert(stale, "x".to_owned());
        let mut known = None;
        for (publication, fates, again) in &rounds {
            memory.fates.clone_from(fates);
            let mut book = Book::with(&mut memory, known.take());
            let done = wait(book.bring(publication));
            // Another connection, or another process: nothing is known.
            known = book.known().filter(|_| *again && done.is_ok());
        }
        let (last, ..) = &rounds[rounds.len() - 1];
        memory.fates.clear();
        wait(Book::with(&mut memory, known).bring(last)).unwrap();
        let mut should: Texts = others.into_iter().collect();
        should.extend(wanted(last).0);
        prop_assert_eq!(&memory.texts, &should);
    }
}

#[test]
fn nothing_new_costs_no_write_and_one_look() {
    let mut memory = Memory::default();
    let publication = Publication { grants: vec![grant(1, "x")], publish: true, ..nothing() };
    let mut book = Book::new(&mut memory);
    for _ in 0..3 {
        assert_eq!(wait(book.bring(&publication)), Ok(0));
    }
    assert_eq!(memory.reads, 1);
    assert!(differences(&memory.texts, &wanted(&publication).0).is_empty());
}

#[test]
fn what_a_person_waits_for_is_not_held_up_and_what_a_fleet_says_at_once_is() {
    let remote = |number| Grant { origin: Origin::Remote, ..grant(number, "signed") };
    let before = Publication { grants: vec![grant(1, "x"), remote(2)], publish: true, ..nothing() };
    let mut memory = Memory::default();
    let mut book = Book::new(&mut memory);
    assert!(!book.can_wait(&before), "nothing is known of what lies there");
    wait(book.bring(&before)).unwrap();
    assert!(!book.can_wait(&before), "there is nothing to write");
    let asked = vec![request(5, RequestState::Pending, "x")];
    for (now, waits) in [
        (Publication { serial: Some(7), ..before.clone() }, true),
        (Publication { grants: Vec::new(), ..before.clone() }, true),
        (nothing(), false),
        (Publication { grants: vec![grant(1, "x"), remote(2), remote(3)], ..before.clone() }, true),
        (
            Publication { grants: vec![grant(1, "x"), remote(2), grant(3, "x")], ..before.clone() },
            false,
        ),
        (Publication { requests: asked.clone(), serial: Some(7), ..before.clone() }, false),
        (Publication { ended: asked, grants: Vec::new(), ..before.clone() }, false),
    ] {
        assert_eq!(book.can_wait(&now), waits, "{now:?}");
    }
    let spread = |chance| super::spread(chance).as_secs();
    assert_eq!((spread(0), spread(u32::MAX / 2), spread(u32::MAX)), (0, 2, 5));
}

#[test]
fn many_changes_are_as_many_transactions_as_the_store_takes() {
    let many = |count: usize, size: usize| -> Texts {
        (0..count).map(|n| (format!("/stint/1/out/web-1/grants/{n}"), "x".repeat(size))).collect()
    };
    let sizes = |lying: &Texts, wanted: &Texts| -> Vec<usize> {
        differences(lying, wanted).iter().map(Vec::len).collect()
    };
    assert_eq!(sizes(&Texts::new(), &many(300, 10)), [128, 128, 44]);
    assert_eq!(sizes(&many(129, 10), &Texts::new()), [128, 1]);
    assert!(sizes(&Texts::new(), &many(40, VALUE_LIMIT)).iter().all(|count| *count <= 8));
    // What was decided is there before it is taken out of what is pending.
    let before = wanted(&Publication {
        requests: vec![request(7, RequestState::Pending, "x")],
        ..nothing()
    });
    let after =
        wanted(&Publication { ended: vec![request(7, RequestState::Denied, "x")], ..nothing() });
    let changes: Vec<Change> = differences(&before.0, &after.0).concat();
    assert!(
        matches!(&changes[0], Change::Put { key, for_a_day: true, .. } if key.contains("decisions/"))
    );
    assert!(matches!(&changes[1], Change::Delete { key } if key.contains("requests/")));
    assert_eq!(changes.len(), 2);
}

#[test]
fn a_text_is_as_the_command_shows_it_names_its_host_and_moves_no_cursor() {
    let typed = "why\n\u{1b}[2J \u{202e}\u{e9} \u{1f600}";
    let publication = Publication {
        requests: vec![request(1, RequestState::Pending, typed)],
        grants: vec![grant(2, &"x".repeat(VALUE_LIMIT))],
        ..nothing()
    };
    let (texts, too_long) = wanted(&publication);
    assert_eq!(too_long, 1, "a grant is too long");
    let text = &texts[&format!("{}requests/{}", folder("web-1"), id(1))];
    assert!(text.chars().all(stint_proto::text::is_harmless), "{text:?}");
    let mut read: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(read["reason"], typed);
    assert_eq!(read.as_object_mut().unwrap().remove("host").unwrap(), "web-1");
    assert_eq!(read, stint_proto::json::asked(&publication.requests[0]));
}
