//! Asking at the door, against a stintd and a person that are scripts. Who is not asked first.

use std::cell::RefCell;
use std::io::{Read, Write};

use super::common::{FakePam, alice, decide};
use super::fake::{FakeDaemon, Message};
use crate::account::Decision;

const DENIED: [&str; 2] = ["stint: why", "stint: how"];

/// A stintd that denies the check with these offers, and gives the request this answer.
fn stintd(offers: &'static [(&'static str, bool, bool)], then: Message) -> FakeDaemon {
    let first = Message::offering("deny", &DENIED, offers).greeted();
    let then = then.greeted();
    FakeDaemon::serving(move |listener| {
        let mut heard = Vec::new();
        for bytes in [first, then] {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&bytes).unwrap();
            heard.clear();
            stream.read_to_end(&mut heard).unwrap();
        }
        heard
    })
}

/// A person who types these lines, one an answer, and then leaves.
fn person(lines: &[&'static str]) -> FakePam {
    let types = RefCell::new(lines.iter().rev().copied().collect());
    FakePam { types, ..FakePam::sudo() }
}

fn granted() -> Message {
    Message::answer("allow", &[])
}

/// What the person was asked who was not let in by a stintd that is asked once.
fn not_let_in(pam: &FakePam, offers: &'static [(&'static str, bool, bool)]) -> Vec<String> {
    let fake = FakeDaemon::saying(Message::offering("deny", &DENIED, offers).greeted());
    assert_eq!(decide(pam, &[c"prompt"], alice(&fake.socket())), Decision::Out);
    fake.heard();
    assert_eq!(pam.words(), DENIED, "the person is told all the same");
    pam.asked.borrow().clone()
}

#[test]
fn nobody_is_asked_where_nobody_can_answer() {
    const ADMIN: &[(&str, bool, bool)] = &[("admin", true, false)];
    assert!(not_let_in(&person(&["why"]).with("tty", b""), ADMIN).is_empty());
    assert!(not_let_in(&person(&["why"]).with("tty", b"ssh"), ADMIN).is_empty());
    assert!(not_let_in(&person(&["why"]), &[]).is_empty());
    for arguments in [&[][..], &[c"prompt", c"quiet"]] {
        let fake = FakeDaemon::saying(Message::offering("deny", &DENIED, ADMIN).greeted());
        let pam = person(&["why"]);
        assert_eq!(decide(&pam, arguments, alice(&fake.socket())), Decision::Out);
        fake.heard();
        assert!(pam.asked.borrow().is_empty());
    }
}

#[test]
fn who_leaves_or_says_nothing_asks_for_nothing() {
    const ADMIN: &[(&str, bool, bool)] = &[("admin", true, false)];
    const BOTH: &[(&str, bool, bool)] = &[("admin", true, false), ("web", true, true)];
    assert_eq!(not_let_in(&person(&[]), ADMIN).len(), 1, "Ctrl-C");
    assert_eq!(not_let_in(&person(&["  "]), ADMIN).len(), 1);
    assert_eq!(not_let_in(&person(&["root"]), BOTH).len(), 1, "no such role is offered");
    assert_eq!(not_let_in(&person(&["web", "INC-1"]), BOTH).len(), 3);
    const PLAIN: &[(&str, bool, bool)] = &[("admin", false, false)];
    assert_eq!(not_let_in(&person(&[""]), PLAIN), ["stint: ask for admin? [y/N] "]);
}

#[test]
fn what_is_too_long_is_not_cut_and_taken() {
    let yes: &str = Box::leak(format!("y{}n", " ".repeat(4_096)).into_boxed_str());
    let long: &str = Box::leak("x".repeat(4_097).into_boxed_str());
    const PLAIN: &[(&str, bool, bool)] = &[("admin", false, false)];
    const ADMIN: &[(&str, bool, bool)] = &[("admin", true, false)];
    assert_eq!(not_let_in(&person(&[yes]), PLAIN).len(), 1);
    assert_eq!(not_let_in(&person(&[long]), ADMIN).len(), 1);
}

#[test]
fn what_is_granted_lets_in_and_is_asked_for_as_it_was_typed() {
    let fake = stintd(&[("admin", true, false), ("web", true, true)], granted());
    let pam = person(&["web", " INC-1 ", "the site is down"]);
    assert_eq!(decide(&pam, &[c"prompt"], alice(&fake.socket())), Decision::In);
    assert_eq!(
        *pam.asked.borrow(),
        [
            "stint: which role, admin or web? [admin] ",
            "stint: ticket: ",
            "stint: what do you need web for? "
        ]
    );
    assert_eq!(pam.words(), ["stint: why"]);
    let heard = String::from_utf8_lossy(&fake.heard()).into_owned();
    for part in ["RequestAtDoor", "((sssss)sss)", "web\0", "INC-1\0", "the site is down\0"] {
        assert!(heard.contains(part), "{part}: {heard:?}");
    }
}

#[test]
fn what_awaits_approval_or_fails_does_not_let_in() {
    let fake = stintd(&[("admin", true, false)], Message::answer("deny", &["stint: awaits"]));
    let pam = person(&["why"]);
    assert_eq!(decide(&pam, &[c"prompt"], alice(&fake.socket())), Decision::Out);
    assert_eq!(pam.words(), ["stint: why", "stint: awaits"]);
    fake.heard();
    let fake = stintd(&[("admin", true, false)], Message::answer("perhaps", &[]));
    let pam = person(&["why"]);
    assert_eq!(decide(&pam, &[c"prompt"], alice(&fake.socket())), Decision::Out);
    assert!(pam.words()[1].contains("could not answer"), "{:?}", pam.words());
    fake.heard();
}
