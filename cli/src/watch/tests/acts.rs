//! What comes of keys and news: the right request, the digest that was shown, nothing by accident.

use stint_proto::{RequestState, TEXT_LIMIT};

use super::{blank, board, grant, letters, request, tell, text};
use crate::failure::Failure;
use crate::watch::model::{Decision, Effect, Mode, Model, Of, Part, Scope, Snapshot, Word};
use crate::watch::update::{Input, Key};

/// A word, and the id and the digest of the request that it is of.
type Said = Option<(String, String, Word)>;

fn approve(id: &str, digest: &str) -> Said {
    Some((id.to_owned(), digest.to_owned(), Word::Approve))
}

fn deny(id: &str, reason: &str) -> Said {
    Some((id.to_owned(), format!("digest-of-{id}"), Word::Deny(reason.to_owned())))
}

fn said(effect: Effect) -> Said {
    match effect {
        Effect::Decide(Decision { shown, word }) => {
            Some((shown.named(&shown.id), shown.digest.clone(), word))
        }
        Effect::Nothing | Effect::Quit => None,
    }
}

fn press(model: &mut Model, key: Key) -> Effect {
    model.update(Input::Key(key))
}

fn three() -> Model {
    let rows = [("2aaa", "alice"), ("3bbb", "bob"), ("4ccc", "carol")];
    board(rows.iter().map(|(id, user)| request(id, user, "admin")).collect(), Vec::new())
}

fn news(model: &mut Model, ids: &[&str]) {
    let requests = ids.iter().map(|id| request(id, "dave", "admin")).collect();
    tell(model, Input::News(Snapshot::here(requests, Vec::new())));
}

fn chosen(model: &Model) -> Option<&str> {
    model.chosen_request().map(|request| request.id.as_str())
}

#[test]
fn the_chosen_row_stays_chosen_while_rows_come_and_go() {
    let mut model = three();
    letters(&mut model, "j");
    assert_eq!(chosen(&model), Some("3bbb"));
    news(&mut model, &["22aa", "2aaa", "3bbb", "4ccc"]);
    assert_eq!(chosen(&model), Some("3bbb"), "one came above");
    news(&mut model, &["3bbb"]);
    assert_eq!(chosen(&model), Some("3bbb"), "all others went");
    news(&mut model, &["2aaa", "3bbb", "4ccc"]);
    news(&mut model, &["2aaa", "4ccc"]);
    assert_eq!(chosen(&model), Some("4ccc"), "it went: what took its place");
    news(&mut model, &["2aaa"]);
    assert_eq!(chosen(&model), Some("2aaa"), "the last went");
    news(&mut model, &[]);
    assert_eq!(chosen(&model), None);
    letters(&mut model, "jkad");
    assert_eq!(model.mode, Mode::Board);
    news(&mut model, &["5ddd"]);
    assert_eq!(chosen(&model), Some("5ddd"));
}

#[test]
fn keys_move_within_the_list() {
    let mut model = three();
    letters(&mut model, "k");
    assert_eq!(chosen(&model), Some("2aaa"));
    letters(&mut model, "jjjjj");
    assert_eq!(chosen(&model), Some("4ccc"));
    tell(&mut model, Input::Key(Key::First));
    assert_eq!(chosen(&model), Some("2aaa"));
    tell(&mut model, Input::Key(Key::Last));
    assert_eq!(chosen(&model), Some("4ccc"));
    tell(&mut model, Input::Key(Key::Tab));
    letters(&mut model, "kad");
    assert_eq!((model.part, chosen(&model)), (Part::Grants, Some("4ccc")));
    assert_eq!(model.mode, Mode::Board);
}

#[test]
fn an_approval_is_of_what_was_shown_even_if_the_list_changed_under_it() {
    let mut model = three();
    letters(&mut model, "ja");
    let mut other = request("3bbb", "bob", "admin");
    other.digest = "another".into();
    let requests = vec![request("22aa", "eve", "admin"), other];
    tell(&mut model, Input::News(Snapshot::here(requests, Vec::new())));
    assert!(text(&mut model, 80, 24).contains("It has changed since it was opened"));
    assert_eq!(said(press(&mut model, Key::Letter('y'))), approve("3bbb", "digest-of-3bbb"));

    news(&mut model, &["22aa"]);
    assert!(text(&mut model, 80, 24).contains("It is no longer pending."));
    assert_eq!(said(press(&mut model, Key::Letter('y'))), approve("3bbb", "digest-of-3bbb"));
}

#[test]
fn nothing_is_approved_without_a_question_that_was_answered() {
    let mut model = three();
    letters(&mut model, "y");
    tell(&mut model, Input::Key(Key::Enter));
    letters(&mut model, "y");
    tell(&mut model, Input::Key(Key::Enter));
    letters(&mut model, "a");
    tell(&mut model, Input::Key(Key::Enter));
    tell(&mut model, Input::Paste("y".into()));
    letters(&mut model, "n");
    assert_eq!(model.mode, Mode::Board);
    tell(&mut model, Input::Paste("ay".into()));
    assert_eq!(model.mode, Mode::Board);
    letters(&mut model, "a");
    tell(&mut model, Input::Key(Key::Back));
    letters(&mut model, "y");
}

#[test]
fn a_yes_counts_only_after_the_last_line_was_shown() {
    let mut long = request("2aaa", "alice", "admin");
    long.confers = (0..30).map(|number| format!("sudo as root: /bin/cmd{number}")).collect();
    let mut model = board(vec![long], Vec::new());
    tell(&mut model, Input::Size(80, 24));
    letters(&mut model, "a");
    assert!(text(&mut model, 80, 24).contains("There is more below"));
    letters(&mut model, "y");
    let shown = text(&mut model, 80, 24);
    assert!(shown.contains("/bin/cmd29") && shown.contains("y approve exactly this"), "{shown}");
    assert_eq!(said(press(&mut model, Key::Letter('y'))), approve("2aaa", "digest-of-2aaa"));

    tell(&mut model, Input::Size(80, 4));
    letters(&mut model, "yyy");
}

#[test]
fn a_denial_needs_a_reason_and_its_letters_are_no_commands() {
    let mut model = three();
    letters(&mut model, "jd");
    tell(&mut model, Input::Key(Key::Enter));
    letters(&mut model, "  ");
    tell(&mut model, Input::Key(Key::Enter));
    letters(&mut model, "qay not nox");
    tell(&mut model, Input::Key(Key::Erase));
    letters(&mut model, "\u{1b}\u{202e}w");
    tell(&mut model, Input::Paste(",\nask carol".into()));
    news(&mut model, &["22aa"]);
    assert!(text(&mut model, 80, 24).ends_with("  qay not now, ask carol_"));
    assert_eq!(said(press(&mut model, Key::Enter)), deny("3bbb", "qay not now, ask carol"));
    tell(&mut model, Input::Key(Key::EraseAll));
    tell(&mut model, Input::Paste("x".repeat(TEXT_LIMIT + 1)));
    assert_eq!(said(press(&mut model, Key::Enter)), deny("3bbb", &"x".repeat(TEXT_LIMIT)));
    tell(&mut model, Input::Key(Key::Back));
    assert_eq!(model.mode, Mode::Board);
}

#[test]
fn every_page_is_left_by_q_or_ctrl_c_but_a_reason_only_by_ctrl_c() {
    for keys in ["", "?", "a"] {
        let mut model = three();
        letters(&mut model, keys);
        assert_eq!(press(&mut model, Key::Letter('q')), Effect::Quit, "{keys}");
        assert_eq!(press(&mut model, Key::Stop), Effect::Quit, "{keys}");
    }
    let mut model = three();
    letters(&mut model, "dq");
    assert_eq!(press(&mut model, Key::Stop), Effect::Quit);
}

#[test]
fn the_outcome_is_shown_and_counts_at_once() {
    let mut model = three();
    letters(&mut model, "a");
    let mut answer = request("2aaa", "alice", "admin");
    answer.approvals = vec!["carol".parse().unwrap()];
    answer.approvals_needed = 2;
    tell(&mut model, Input::Decided(Box::new(Ok(Of::here(answer.clone())))));
    let said = "Your approval of 2aaa is recorded: 1 of 2 for alice, admin.";
    assert_eq!(model.mode, Mode::Said(vec![said.into()]));
    tell(&mut model, Input::Key(Key::Enter));
    assert!(text(&mut model, 80, 24).contains("1 of 2"));

    answer.state = RequestState::Approved;
    answer.grant = Some("g4t9".parse().unwrap());
    tell(&mut model, Input::Decided(Box::new(Ok(Of::here(answer.clone())))));
    let said = "2aaa is approved: alice is granted admin (g4t9).";
    assert_eq!(model.mode, Mode::Said(vec![said.into()]));
    tell(&mut model, Input::Key(Key::Enter));
    assert_eq!(chosen(&model), Some("3bbb"));

    answer.state = RequestState::Denied;
    tell(&mut model, Input::Decided(Box::new(Ok(Of::here(answer)))));
    let said = "2aaa is denied: alice does not get admin.";
    assert_eq!(model.mode, Mode::Said(vec![said.into()]));
}

#[test]
fn a_refusal_is_shown_as_the_daemon_says_it() {
    let mut model = three();
    letters(&mut model, "a");
    let why = "2aaa is not what you were shown: look again with  stint pending";
    tell(&mut model, Input::Decided(Box::new(Err(Failure::failed(why)))));
    let shown = text(&mut model, 80, 24);
    assert!(shown.contains(&format!("stint: {why}")), "{shown}");
    tell(&mut model, Input::Key(Key::Back));
    assert_eq!(chosen(&model), Some("2aaa"));
}

#[test]
fn a_daemon_that_goes_away_is_told_and_comes_back() {
    let why = "stint: stintd cannot be reached: it does not run.\u{1b}[2J";
    let mut model = blank();
    assert!(text(&mut model, 80, 24).contains("Waiting for stintd."));
    tell(&mut model, Input::Away(why.into()));
    let shown = text(&mut model, 80, 24);
    assert!(shown.contains("\nstintd cannot be reached: it does not run.\\u{1b}[2J\n"), "{shown}");
    news(&mut model, &["2aaa"]);
    assert!(!text(&mut model, 80, 24).contains("cannot be reached"));
    tell(&mut model, Input::Now("2026-11-23T14:10:00Z".parse().unwrap()));
    tell(&mut model, Input::Away(why.into()));
    let shown = text(&mut model, 80, 24);
    assert!(shown.contains("\nAs of 14:03: stintd cannot be reached: it does not run."), "{shown}");
    assert!(shown.contains("2aaa"));
    letters(&mut model, "a");
    assert!(text(&mut model, 80, 24).contains("stintd does not answer at the moment."));
}

#[test]
fn what_is_left_is_counted_by_the_clock_alone() {
    let mut model = board(Vec::new(), vec![grant("g4t9", "alice", "admin")]);
    assert!(text(&mut model, 80, 24).contains("29 min"));
    tell(&mut model, Input::Now("2026-11-23T14:31:18Z".parse().unwrap()));
    assert!(text(&mut model, 80, 24).contains("42 s"));
    tell(&mut model, Input::Now("2026-11-23T14:40:00Z".parse().unwrap()));
    assert!(text(&mut model, 80, 24).contains("0 s   ░░░░░░░░░░"));
}

#[test]
fn one_id_on_two_hosts_is_two_requests() {
    let here = blank().here;
    let mut model = Model::new("all hosts", Scope::Fleet, here);
    let of = |host: &str| Of { host: Some(host.to_owned()), it: request("3bbb", "bob", "admin") };
    let requests = vec![of("web-2"), of("web-1")];
    let held = Of { host: Some("web-3".to_owned()), it: grant("g4t9", "eve", "admin") };
    let note = "Away: web-3".to_owned();
    tell(&mut model, Input::News(Snapshot { requests, grants: vec![held], note }));
    let shown = text(&mut model, 100, 24);
    for wanted in ["stint on all hosts", "> web-1  3bbb", "  web-2  3bbb", "  web-3", "Away: web-3"]
    {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    letters(&mut model, "j");
    // The other one goes.
    let requests = vec![of("web-2")];
    tell(&mut model, Input::News(Snapshot { requests, grants: Vec::new(), note: String::new() }));
    letters(&mut model, "a");
    assert!(text(&mut model, 100, 24).contains("Approve request web-2/3bbb?"));
    assert!(text(&mut model, 100, 24).contains("host         web-2"));
    assert_eq!(said(press(&mut model, Key::Letter('y'))), approve("web-2/3bbb", "digest-of-3bbb"));
    tell(&mut model, Input::Away("stint: the store: it takes no connections".into()));
    assert!(text(&mut model, 100, 24).contains("the store does not answer at the moment."));
}
