//! What stands on the screen: to the letter where it matters, and at every size something.

use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, proptest};
use stint_proto::{Grant, Origin, Request};

use super::{blank, board, drawn, grant, letters, request, tell, text};
use crate::watch::fit::width;
use crate::watch::model::Model;
use crate::watch::update::{Input, Key};

fn requests() -> Vec<Request> {
    let mut restore = request("7kq2", "bob", "db-restore");
    restore.approvals_needed = 2;
    restore.approvals = vec!["carol".parse().unwrap()];
    restore.starts_at = Some("2026-11-23T16:00:00Z".parse().unwrap());
    restore.created_at = "2026-11-23T12:00:00Z".parse().unwrap();
    let mut longer = request("8m3x", "erin", "containers");
    longer.extends = Some("k2mf".parse().unwrap());
    longer.reason = String::new();
    vec![request("9tt4", "alice", "admin"), restore, longer]
}

fn grants() -> Vec<Grant> {
    let mut containers = grant("k2mf", "erin", "containers");
    containers.origin = Origin::Policy;
    containers.expires_at = "2026-11-23T16:00:00Z".parse().unwrap();
    containers.services.clear();
    containers.groups = vec!["docker".parse().unwrap()];
    let mut soon = grant("m7pp", "dave", "restart-web");
    soon.expires_at = "2026-11-23T14:05:00Z".parse().unwrap();
    soon.approvals = vec!["carol".parse().unwrap(), "bob".parse().unwrap()];
    vec![containers, grant("g4t9", "frank", "admin"), soon]
}

/// The lines at the top, the last line, and blank ones between.
#[track_caller]
fn shows(model: &mut Model, (wide, high): (u16, u16), top: &[&str], keys: &str) {
    let mut wanted: Vec<&str> = top.to_vec();
    wanted.resize(usize::from(high) - 1, "");
    wanted.push(keys);
    let shown = text(model, wide, high);
    assert_eq!(shown.lines().collect::<Vec<_>>(), wanted, "\n{shown}");
}

const KEYS: &str = "a approve  d deny  Enter details  Tab part  ? help  q quit  j/k move";

#[test]
fn the_board_at_80_by_24() {
    let mut model = board(requests(), grants());
    letters(&mut model, "j");
    let top = [
        "stint on web-1                                                             14:03",
        "[Pending requests: 3]",
        "  ID    USER   ROLE        FOR       FROM         WAITING  APPROVALS  REASON",
        "  7kq2  bob    db-restore  30m       16:00        2 h 04   1 of 2     disk full…",
        "> 8m3x  erin   containers  30m more  end of k2mf  3 min    0 of 1",
        "  9tt4  alice  admin       30m       now          3 min    0 of 1     disk full…",
        "",
        " Running grants: 3",
        "  USER   ROLE         OPENS         LEFT                ENDS   APPROVED BY",
        "  dave   restart-web  sudo          2 min   █████░░░░░  14:05  carol, bob",
        "  frank  admin        sudo          29 min  ██████████  14:32  root",
        "  erin   containers   group docker  1 h 57  ██████████  16:00  (policy)",
    ];
    shows(&mut model, (80, 24), &top, KEYS);
}

#[test]
fn the_board_at_120_by_40() {
    let mut model = board(requests(), grants());
    tell(&mut model, Input::Key(Key::Tab));
    let top = [
        "stint on web-1                                                                                                     14:03",
        " Pending requests: 3",
        "  ID    USER   ROLE        FOR       FROM         WAITING  APPROVALS  REASON",
        "  7kq2  bob    db-restore  30m       16:00        2 h 04   1 of 2     disk full on web-1",
        "  8m3x  erin   containers  30m more  end of k2mf  3 min    0 of 1",
        "  9tt4  alice  admin       30m       now          3 min    0 of 1     disk full on web-1",
        "",
        "[Running grants: 3]",
        "  USER   ROLE         OPENS         LEFT                ENDS   APPROVED BY",
        "> dave   restart-web  sudo          2 min   █████░░░░░  14:05  carol, bob",
        "  frank  admin        sudo          29 min  ██████████  14:32  root",
        "  erin   containers   group docker  1 h 57  ██████████  16:00  (policy)",
    ];
    shows(&mut model, (120, 40), &top, KEYS);
}

#[test]
fn an_empty_board() {
    let mut model = board(Vec::new(), Vec::new());
    let top = [
        "stint on web-1                                         14:03",
        "[Pending requests: 0]",
        "  No request is pending for you.",
        "",
        "",
        " Running grants: 0",
        "  No grant is running.",
    ];
    shows(
        &mut model,
        (60, 14),
        &top,
        "a approve  d deny  Enter details  Tab part  ? help  q quit …",
    );
}

#[test]
fn a_request_in_full() {
    let mut model = board(requests(), grants());
    letters(&mut model, "a");
    let top = [
        "stint on web-1                                         14:03",
        "Approve request 7kq2?",
        "  who          bob (uid 1001)",
        "  role         db-restore",
        "  confers      sudo as root: ALL",
        "               group docker",
        "  for          30m",
        "  from         16:00",
        "  reason       disk full on web-1",
        "  ticket       INC-4711",
        "  asked        12:00; lapses 2026-11-24 14:00",
        "  approvals    1 of 2: carol",
        "  approvers    carol, %leads",
    ];
    shows(&mut model, (60, 22), &top, "y approve exactly this  Esc back");
}

#[test]
fn an_extension_and_a_grant_in_full() {
    let mut model = board(requests(), grants());
    letters(&mut model, "j");
    tell(&mut model, Input::Key(Key::Enter));
    let shown = text(&mut model, 60, 22);
    assert!(shown.contains("\n  extends      k2mf, whose end moves by 30m\n"), "{shown}");
    assert!(shown.contains("\n  reason       none given\n"), "{shown}");
    tell(&mut model, Input::Key(Key::Back));
    tell(&mut model, Input::Key(Key::Tab));
    tell(&mut model, Input::Key(Key::Enter));
    let shown = text(&mut model, 60, 22);
    assert!(shown.contains("\n  approved by  carol, bob\n"), "{shown}");
}

#[test]
fn a_long_list_shows_the_chosen_row() {
    let ids = (b'a'..=b'h').map(|letter| format!("2{}", char::from(letter)));
    let mut model = board(ids.map(|id| request(&id, "bob", "admin")).collect(), grants());
    let shown = text(&mut model, 80, 16);
    assert!(shown.contains("[Pending requests: 8, shown 1-4]"), "{shown}");
    assert!(shown.contains("> 2a") && !shown.contains("2h"), "{shown}");
    tell(&mut model, Input::Key(Key::Last));
    let shown = text(&mut model, 80, 16);
    assert!(shown.contains("[Pending requests: 8, shown 5-8]"), "{shown}");
    assert!(shown.contains("> 2h") && !shown.contains("2a"), "{shown}");
}

/// What would take a terminal over, or pass for something else.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\r\n> 9tt4  root\t\u{202e}nimda\u{2066}\
                       \u{200b}\u{feff}語語🙂e\u{301}";

fn hostile() -> Model {
    let mut bad = request("9tt4", "alice", "admin");
    bad.reason = HOSTILE.into();
    bad.ticket = Some(HOSTILE.into());
    bad.confers = vec![HOSTILE.into()];
    bad.approvers = vec![HOSTILE.into()];
    let mut held = grant("g4t9", "frank", "admin");
    held.granted_by = HOSTILE.into();
    held.reason = HOSTILE.into();
    let mut model = board(vec![bad], vec![held]);
    model.title = stint_policy::text::harmless(HOSTILE);
    tell(&mut model, Input::Away(HOSTILE.into()));
    model
}

/// No cell holds anything that is more than to be read, and the text is there, escaped.
#[track_caller]
fn harmless(model: &mut Model, rows: usize) {
    let buffer = drawn(model, 200, 60, true);
    for cell in buffer.content() {
        let fine = cell.symbol().chars().all(stint_proto::text::is_harmless);
        assert!(fine, "{:?}", cell.symbol());
    }
    let shown = text(model, 200, 60);
    assert!(
        shown.contains("x\\u{1b}[2J\\u{1b}]0;t\\u{7}\\u{9b}31m\\r\\n> 9tt4  root\\t"),
        "{shown}"
    );
    assert_eq!(shown.lines().filter(|line| line.starts_with("> 9tt4")).count(), rows, "{shown}");
}

#[test]
fn hostile_text_is_harmless_everywhere() {
    let mut model = hostile();
    harmless(&mut model, 1);
    letters(&mut model, "a");
    harmless(&mut model, 0);
    tell(&mut model, Input::Key(Key::Back));
    tell(&mut model, Input::Key(Key::Tab));
    harmless(&mut model, 0);
    tell(&mut model, Input::Key(Key::Enter));
    harmless(&mut model, 0);
    let refusal = crate::failure::Failure::failed(HOSTILE.replace('\n', " "));
    tell(&mut model, Input::Decided(Box::new(Err(refusal))));
    let shown = text(&mut model, 200, 60);
    assert!(shown.contains("stint: x\\u{1b}[2J"), "{shown}");
}

#[test]
fn what_is_folded_cannot_pass_for_another_fact() {
    let mut bad = request("9tt4", "alice", "admin");
    bad.reason = format!("x{}confers      nothing at all", " ".repeat(27));
    let mut model = board(vec![bad], Vec::new());
    letters(&mut model, "a");
    let shown = text(&mut model, 44, 24);
    let facts: Vec<_> = shown.lines().filter(|line| line.starts_with("  confers")).collect();
    assert_eq!(facts, ["  confers      sudo as root: ALL"], "{shown}");
    assert!(shown.contains("nothing at all"), "{shown}");
}

#[test]
fn no_color_means_no_style_and_loses_nothing() {
    let mut model = board(requests(), grants());
    for keys in ["", "a"] {
        letters(&mut model, keys);
        let (plain, styled) = (drawn(&mut model, 80, 24, false), drawn(&mut model, 80, 24, true));
        let reset = drawn(&mut blank(), 1, 1, false).content()[0].style();
        assert!(plain.content().iter().all(|cell| cell.style() == reset));
        assert!(styled.content().iter().any(|cell| cell.style() != reset));
        let symbols = |buffer: &ratatui::buffer::Buffer| {
            buffer.content().iter().map(|cell| cell.symbol().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(symbols(&plain), symbols(&styled));
    }
}

#[test]
fn every_small_size_shows_something() {
    for keys in ["", "?", "a", "d"] {
        for (wide, high) in (1..=14).flat_map(|wide| (1..=14).map(move |high| (wide, high))) {
            let mut model = board(requests(), grants());
            letters(&mut model, keys);
            let shown = text(&mut model, wide, high);
            assert!(!shown.trim().is_empty(), "{keys} {wide} {high}");
        }
    }
}

fn any_key() -> impl Strategy<Value = Key> {
    let keys = [
        Key::Up,
        Key::Down,
        Key::PageUp,
        Key::PageDown,
        Key::First,
        Key::Last,
        Key::Tab,
        Key::Enter,
        Key::Back,
        Key::Erase,
        Key::Letter('a'),
        Key::Letter('d'),
        Key::Letter('?'),
        Key::Letter('y'),
        Key::Letter('語'),
    ];
    proptest::sample::select(keys.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_size_shows_something_and_panics_nowhere(
        (wide, high) in (1u16..=200, 1u16..=60),
        keys in proptest::collection::vec(any_key(), 0..12),
        rows in 0usize..40,
        seconds in any::<i32>(),
        reason in ".{0,80}",
    ) {
        let mut model = hostile();
        let requests = (0..rows).filter_map(|row| {
            let id = stint_proto::RequestId::from_random(&[3, u8::try_from(row).ok()?, 5, 7])?;
            Some(Request { reason: reason.clone(), ..request(id.as_str(), "bob", "admin") })
        });
        let snapshot = crate::watch::model::Snapshot::here(requests.collect(), grants());
        tell(&mut model, Input::Size(wide, high));
        tell(&mut model, Input::News(snapshot));
        let now = stint_proto::Timestamp::from_micros(
            model.here.now.micros() + i64::from(seconds) * 1_000_000,
        );
        tell(&mut model, Input::Now(now));
        for key in keys {
            let _any = model.update(Input::Key(key));
            let lines = crate::watch::board::screen(&model);
            prop_assert!(lines.len() <= usize::from(high));
            prop_assert!(lines.iter().all(|(line, _)| width(line) <= usize::from(wide)));
            let shown = text(&mut model, wide, high);
            prop_assert!(!shown.trim().is_empty());
        }
    }
}
