//! What the terminal sends, as what the board knows.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::update::{Input, Key};

/// The input that an event is, if it is one.
pub fn input(event: Event) -> Option<Input> {
    match event {
        Event::Key(event) if event.kind != KeyEventKind::Release => key(event).map(Input::Key),
        Event::Paste(text) => Some(Input::Paste(text)),
        Event::Resize(wide, high) => Some(Input::Size(wide, high)),
        _ => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        return match event.code {
            KeyCode::Char('c') => Some(Key::Stop),
            KeyCode::Char('u') => Some(Key::EraseAll),
            _ => None,
        };
    }
    // Alt with a letter is what a terminal makes of Esc and the letter typed at once.
    if event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    match event.code {
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Home => Some(Key::First),
        KeyCode::End => Some(Key::Last),
        KeyCode::Tab | KeyCode::BackTab => Some(Key::Tab),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Back),
        KeyCode::Backspace => Some(Key::Erase),
        KeyCode::Char(letter) => Some(Key::Letter(letter)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
        key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn a_letter_with_alt_or_control_is_not_the_letter() {
        for letter in ['y', 'a', 'd', 'q'] {
            assert_eq!(typed(KeyCode::Char(letter), KeyModifiers::ALT), None);
            assert_eq!(typed(KeyCode::Char(letter), KeyModifiers::CONTROL), None);
            let plain = typed(KeyCode::Char(letter), KeyModifiers::NONE);
            assert_eq!(plain, Some(Key::Letter(letter)));
        }
        assert_eq!(typed(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Stop));
    }

    #[test]
    fn a_key_that_is_let_go_is_no_key() {
        let mut event = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE);
        event.kind = KeyEventKind::Release;
        assert!(input(Event::Key(event)).is_none());
    }
}
