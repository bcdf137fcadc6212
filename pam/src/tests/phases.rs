//! The account and session phases from PAM's items to a decision, against a stintd that is a
//! script. The refusals first.

use std::io::{Read, Write};

use super::common::{FakePam, alice, close, decide, open};
use super::fake::{ERROR, FakeDaemon, Message, RETURN};
use crate::account::{Decision, Facts};
use crate::handle::{Level, Tone};
use crate::session::Outcome;

const NOWHERE: &str = "/nonexistent/pam.sock";

fn nowhere() -> Facts<'static> {
    alice(NOWHERE)
}

fn told(pam: &FakePam, message: &Message) -> Decision {
    let fake = FakeDaemon::saying(message.greeted());
    let decision = decide(pam, &[], alice(&fake.socket()));
    fake.heard();
    decision
}

#[test]
fn no_daemon_is_a_denial_with_a_reason_and_a_log_line() {
    let pam = FakePam::sudo();
    assert_eq!(decide(&pam, &[], nowhere()), Decision::Out);
    let line = "stint: sudo is gated by stint, and stintd does not answer, so nobody is let in. \
                root: systemctl status stintd";
    assert_eq!(*pam.said.borrow(), [(Tone::Error, line.to_owned())]);
    assert_eq!(pam.errors(), ["denied: stintd cannot be reached: No such file or directory"]);
}

#[test]
fn a_bad_option_denies_even_root_and_is_logged() {
    let pam = FakePam::sudo().with("user", b"root").with("ruser", b"root");
    let facts = Facts { real_uid: 0, ..nowhere() };
    assert_eq!(decide(&pam, &[c"nopasswd"], facts), Decision::Out);
    assert!(pam.errors()[0].contains("unknown option \"nopasswd\""), "{:?}", pam.errors());
    assert_eq!(decide(&pam, &[c"timeout=0"], facts), Decision::Out);
    assert_eq!(pam.said.borrow().len(), 2);
}

#[test]
fn items_that_cannot_be_used_deny() {
    let long = [b'x'; 257];
    for item in ["service", "user", "ruser", "tty", "rhost"] {
        for value in [&b"a\nb"[..], b"\x1b[2J", b"\xff", "a\u{202e}b".as_bytes(), &long] {
            let pam = FakePam::sudo().with(item, value);
            assert_eq!(decide(&pam, &[], nowhere()), Decision::Out);
            assert!(pam.words()[0].contains("cannot use"), "{item} {value:?}");
            assert!(pam.errors()[0].chars().all(|c| !c.is_control()));
        }
    }
    let pam = FakePam { withheld: true, ..FakePam::sudo() };
    assert_eq!(decide(&pam, &[], nowhere()), Decision::Out);
    let pam = FakePam::sudo().with("service", b"");
    assert_eq!(decide(&pam, &[], nowhere()), Decision::Out);
    assert_eq!(pam.errors(), ["denied: PAM_SERVICE is not set"]);
}

#[test]
fn a_denial_is_told_in_three_harmless_lines_although_pam_is_silent() {
    let long = "x".repeat(1000);
    let lines = ["stint: no\n\u{1b}]0;owned\u{7}", &long, "three", "four"];
    let pam = FakePam::sudo();
    assert_eq!(told(&pam, &Message::answer("deny", &lines)), Decision::Out);
    let said = pam.said.borrow();
    assert_eq!(said.len(), 3);
    assert_eq!(said[0], (Tone::Error, "stint: no??]0;owned?".to_owned()));
    assert_eq!(said[1].1.chars().count(), 200);
    assert!(pam.errors().is_empty(), "the daemon has recorded it; the module need not");
}

#[test]
fn a_denial_without_words_is_told_all_the_same() {
    let pam = FakePam::sudo();
    assert_eq!(told(&pam, &Message::answer("deny", &[])), Decision::Out);
    assert_eq!(pam.words(), ["stint: sudo needs a grant, and you hold none that opens it."]);
}

#[test]
fn an_answer_that_is_none_denies_and_is_logged() {
    let error = Message { error: Some("a.b.C"), ..Message::of(ERROR, "s", &"allow") };
    for message in [error, Message::answer("maybe", &[]), Message::of(RETURN, "b", &true)] {
        let pam = FakePam::sudo();
        assert_eq!(told(&pam, &message), Decision::Out);
        assert!(pam.words()[0].contains("could not answer"), "{:?}", pam.words());
        assert_eq!(pam.errors().len(), 1);
    }
}

#[test]
fn quiet_says_nothing_and_still_denies() {
    let pam = FakePam::sudo();
    assert_eq!(decide(&pam, &[c"quiet"], nowhere()), Decision::Out);
    let fake = FakeDaemon::saying(Message::answer("deny", &["no"]).greeted());
    assert_eq!(decide(&pam, &[c"quiet"], alice(&fake.socket())), Decision::Out);
    assert!(pam.words().is_empty());
}

#[test]
fn only_root_itself_is_not_asked_about() {
    let root = Facts { real_uid: 0, ..nowhere() };
    let pam = FakePam::sudo().with("ruser", b"root").with("user", b"root");
    assert_eq!(decide(&pam, &[], nowhere()), Decision::Out, "the name alone");
    assert_eq!(decide(&FakePam::sudo(), &[], root), Decision::Out, "the uid alone");
    assert_eq!(decide(&pam, &[], root), Decision::In);
}

#[test]
fn allow_lets_in_and_speaks_only_when_pam_may() {
    let pam = FakePam::sudo();
    assert_eq!(told(&pam, &Message::answer("allow", &["hello"])), Decision::In);
    assert!(pam.words().is_empty());
    let fake = FakeDaemon::saying(Message::answer("allow", &["hello"]).greeted());
    let socket = fake.socket();
    let facts = Facts { silent: false, ..alice(&socket) };
    assert_eq!(decide(&pam, &[c"debug"], facts), Decision::In);
    assert_eq!(*pam.said.borrow(), [(Tone::Info, "hello".to_owned())]);
    assert!(pam.logged.borrow().iter().all(|(level, _)| *level == Level::Debug));
}

#[test]
fn a_session_that_cannot_be_reported_fails_to_open() {
    let mut pam = FakePam::sudo();
    assert_eq!(open(&mut pam, &[], nowhere()), Outcome::Failed);
    assert_eq!(open(&mut pam, &[c"oops"], nowhere()), Outcome::Failed);
    for id in ["", "a b", "a\nb", &"x".repeat(129)] {
        let fake = FakeDaemon::saying(Message::of(RETURN, "ss", &(id, "")).greeted());
        assert_eq!(open(&mut pam, &[], alice(&fake.socket())), Outcome::Failed, "{id:?}");
    }
    assert_eq!(pam.session, None);
    assert_eq!(pam.errors().len(), 6);
    assert!(pam.words().is_empty());
}

#[test]
fn a_session_is_reported_and_its_end_too() {
    let mut pam = FakePam::sudo();
    let fake = FakeDaemon::saying(Message::of(RETURN, "ss", &("s-17", "")).greeted());
    assert_eq!(open(&mut pam, &[], alice(&fake.socket())), Outcome::Done);
    assert!(fake.heard().windows(12).any(|part| part == b"EnterSession"));
    assert_eq!(pam.session.as_deref(), Some("s-17"));

    // It says nothing, and is not waited for.
    let fake = FakeDaemon::new(|_| ());
    close(&pam, &[], alice(&fake.socket()));
    let heard = fake.heard();
    assert!(heard.windows(12).any(|part| part == b"CloseSession"));
    assert!(heard.ends_with(b"\x04\0\0\0s-17\0"));
    assert!(pam.errors().is_empty(), "{:?}", pam.errors());
}

/// Answers one caller after the other with these bytes, whatever is asked; heard the last.
fn in_turn(answers: Vec<Vec<u8>>) -> FakeDaemon {
    FakeDaemon::serving(move |listener| {
        let mut heard = Vec::new();
        for bytes in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&bytes).unwrap();
            heard.clear();
            stream.read_to_end(&mut heard).unwrap();
        }
        heard
    })
}

#[test]
fn a_group_that_cannot_be_entered_is_told_of() {
    for group in ["/no/such/group", "/../etc", "/a/../../../tmp", "relative"] {
        let mut pam = FakePam::sudo();
        let empty = Message { body: vec![], ..Message::of(RETURN, "", &"") };
        let opened = Message::of(RETURN, "ss", &("s-17", group));
        let fake = in_turn(vec![opened.greeted(), empty.greeted()]);
        assert_eq!(open(&mut pam, &[], alice(&fake.socket())), Outcome::Done);
        let heard = fake.heard();
        assert!(heard.windows(12).any(|part| part == b"PlaceSession"), "{group}");
        assert!(heard.ends_with(b"\x04\0\0\0s-17\0"));
        assert!(pam.errors().is_empty(), "{:?}", pam.errors());
        assert_eq!(pam.session.as_deref(), Some("s-17"));

        let fake = FakeDaemon::saying(opened.greeted());
        assert_eq!(open(&mut pam, &[], alice(&fake.socket())), Outcome::Done);
        assert!(pam.errors()[0].starts_with("session s-17 is in no group of its own: "));
    }
}

#[test]
fn an_end_that_cannot_be_reported_is_logged() {
    let pam = FakePam { session: Some("s-17".to_owned()), ..FakePam::sudo() };
    close(&pam, &[], nowhere());
    assert!(pam.errors()[0].starts_with("the end of session s-17 is not reported"));
    let pam = FakePam::sudo();
    close(&pam, &[], nowhere());
    assert!(pam.errors().is_empty(), "nothing was opened");
}

#[test]
fn roots_sessions_are_not_reported() {
    let mut pam = FakePam::sudo().with("ruser", b"root");
    assert_eq!(open(&mut pam, &[], Facts { real_uid: 0, ..nowhere() }), Outcome::Done);
    assert_eq!(pam.session, None);
}

#[test]
fn an_id_that_pam_will_not_keep_is_logged() {
    let mut pam = FakePam { forgetful: true, ..FakePam::sudo() };
    let fake = FakeDaemon::saying(Message::of(RETURN, "ss", &("s-17", "")).greeted());
    assert_eq!(open(&mut pam, &[], alice(&fake.socket())), Outcome::Done);
    assert_eq!(pam.errors(), ["the end of session s-17 will not be reported"]);
}
