//! Lines on a screen, with looks where looks are wanted. The text alone says everything.

use ratatui::Frame;
use ratatui::style::{Color, Modifier, Style};

use super::board::{Kind, screen};
use super::model::Model;

/// Draws the model on a frame of whatever size; without any style where `styled` is false.
pub fn draw(frame: &mut Frame<'_>, model: &Model, styled: bool) {
    let area = frame.area();
    let mut model = model.clone();
    model.size = (area.width, area.height);
    let buffer = frame.buffer_mut();
    for (y, (text, kind)) in (area.y..area.bottom()).zip(screen(&model)) {
        let style = if styled { look(kind) } else { Style::new() };
        buffer.set_stringn(area.x, y, text, usize::from(area.width), style);
    }
}

fn look(kind: Kind) -> Style {
    match kind {
        Kind::Plain => Style::new(),
        Kind::Head => Style::new().add_modifier(Modifier::BOLD),
        Kind::Chosen => Style::new().add_modifier(Modifier::REVERSED),
        Kind::Odd => Style::new().fg(Color::Yellow),
        Kind::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}
