//! The board as a whole, without a terminal and without a daemon.

mod acts;
mod screens;

use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use stint_proto::{Grant, Request, Uid};

use super::draw::draw;
use super::model::{Effect, Model, Scope, Snapshot};
use super::update::{Input, Key};
use crate::look::grants::Here;

/// A request that awaits one approval.
pub fn request(id: &str, user: &str, role: &str) -> Request {
    Request {
        id: id.parse().unwrap(),
        user: user.parse().unwrap(),
        uid: Uid(1001),
        role: role.parse().unwrap(),
        reason: "disk full on web-1".into(),
        ticket: Some("INC-4711".into()),
        created_at: "2026-11-23T14:00:30Z".parse().unwrap(),
        lapses_at: "2026-11-24T14:00:30Z".parse().unwrap(),
        approvals: Vec::new(),
        approvals_needed: 1,
        approvers: vec!["carol".into(), "%leads".into()],
        confers: vec!["sudo as root: ALL".into(), "group docker".into()],
        digest: format!("digest-of-{id}"),
        ..crate::look::requests::tests::example()
    }
}

/// A grant that runs until 14:32.
pub fn grant(id: &str, user: &str, role: &str) -> Grant {
    Grant {
        id: id.parse().unwrap(),
        user: user.parse().unwrap(),
        role: role.parse().unwrap(),
        ..crate::look::grants::tests::example()
    }
}

/// A board at 14:03:30 that has heard this.
pub fn board(requests: Vec<Request>, grants: Vec<Grant>) -> Model {
    let mut model = blank();
    tell(&mut model, Input::News(Snapshot::here(requests, grants)));
    model
}

/// A board at 14:03:30 that has heard nothing.
pub fn blank() -> Model {
    let here = Here { now: "2026-11-23T14:03:30Z".parse().unwrap(), zone: TimeZone::UTC };
    Model::new("web-1", Scope::Host, here)
}

/// An input after which there is nothing to do but to draw.
#[track_caller]
pub fn tell(model: &mut Model, input: Input) {
    assert_eq!(model.update(input), Effect::Nothing);
}

/// Letters typed one after the other, after each of which there is nothing to do but to draw.
#[track_caller]
pub fn letters(model: &mut Model, letters: &str) {
    letters.chars().for_each(|letter| tell(model, Input::Key(Key::Letter(letter))));
}

/// What is drawn on a screen of this size.
pub fn drawn(model: &mut Model, wide: u16, high: u16, styled: bool) -> Buffer {
    tell(model, Input::Size(wide, high));
    let mut terminal = Terminal::new(TestBackend::new(wide, high)).unwrap();
    terminal.draw(|frame| draw(frame, model, styled)).unwrap();
    terminal.backend().buffer().clone()
}

/// The same as text, without the blanks at the ends of lines.
pub fn text(model: &mut Model, wide: u16, high: u16) -> String {
    let buffer = drawn(model, wide, high, true);
    let lines = buffer.content().chunks(usize::from(wide)).map(|cells| {
        let (mut line, mut skip) = (String::new(), 0);
        for cell in cells {
            if skip == 0 {
                line.push_str(cell.symbol());
                skip = super::fit::width(cell.symbol()).max(1);
            }
            skip -= 1;
        }
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
