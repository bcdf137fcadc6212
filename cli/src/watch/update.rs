//! What comes of a key, of news and of the clock: the next state, and what the loop has to do.

use stint_policy::text::{harmless, is_harmless};
use stint_proto::{Request, TEXT_LIMIT, Timestamp};

use super::model::{Ask, Decision, Effect, Mode, Model, Of, Part, Snapshot, Word};
use super::page::{at_end, outcome, page, room};
use crate::failure::Failure;

/// A key, as far as the board knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// The other part.
    Tab,
    /// Enter.
    Enter,
    /// Esc.
    Back,
    /// Backspace.
    Erase,
    /// Ctrl-U.
    EraseAll,
    /// Ctrl-C.
    Stop,
    /// A character.
    Letter(char),
}

/// Whatever comes in.
#[derive(Clone, Debug)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// A text was pasted: it is text and never a command.
    Paste(String),
    /// The screen has so many columns and lines.
    Size(u16, u16),
    /// It is so late.
    Now(Timestamp),
    /// What the daemon, or the store, says.
    News(Snapshot),
    /// Why it says nothing.
    Away(String),
    /// What was answered to a decision.
    Decided(Box<Result<Of<Request>, Failure>>),
}

impl Model {
    /// Takes an input.
    pub fn update(&mut self, input: Input) -> Effect {
        match input {
            Input::Key(key) => return self.key(key),
            Input::Paste(text) => self.paste(&text),
            Input::Size(wide, high) => {
                self.size = (wide, high);
                self.scroll(|top| top);
            }
            Input::Now(now) => self.here.now = now,
            Input::News(snapshot) => self.take(snapshot),
            Input::Away(why) => {
                let why = why.strip_prefix("stint: ").unwrap_or(&why);
                self.away = Some(harmless(why));
            }
            Input::Decided(answer) => {
                self.take_answer(&answer);
                self.open(Mode::Said(outcome(&answer)));
            }
        }
        Effect::Nothing
    }

    fn open(&mut self, mode: Mode) {
        self.mode = mode;
        self.top = 0;
    }

    fn key(&mut self, key: Key) -> Effect {
        if key == Key::Stop {
            return Effect::Quit;
        }
        if let Mode::Request(_, Ask::Deny(_)) = self.mode {
            return self.typed(key);
        }
        match (key, &self.mode) {
            (Key::Letter('q'), _) => return Effect::Quit,
            (_, Mode::Board) => self.on_board(key),
            (Key::Back, _) | (Key::Enter, Mode::Said(_)) => self.open(Mode::Board),
            (Key::Letter('n'), Mode::Request(_, Ask::Approve)) => self.open(Mode::Board),
            (Key::Letter('y'), Mode::Request(request, Ask::Approve)) => {
                let decision = Decision { shown: request.clone(), word: Word::Approve };
                return self.agreed(decision);
            }
            (Key::Letter('a'), Mode::Request(request, Ask::Nothing)) => {
                self.mode = Mode::Request(request.clone(), Ask::Approve);
            }
            (Key::Letter('d'), Mode::Request(request, Ask::Nothing)) => {
                self.mode = Mode::Request(request.clone(), Ask::Deny(String::new()));
            }
            _ => self.on_page(key),
        }
        Effect::Nothing
    }

    fn on_board(&mut self, key: Key) {
        let screen = usize::from(self.size.1 / 2).max(1);
        match key {
            Key::Up | Key::Letter('k') => self.go(|at| at.saturating_sub(1)),
            Key::Down | Key::Letter('j') => self.go(|at| at.saturating_add(1)),
            Key::PageUp => self.go(|at| at.saturating_sub(screen)),
            Key::PageDown => self.go(|at| at.saturating_add(screen)),
            Key::First => self.go(|_| 0),
            Key::Last => self.go(|_| usize::MAX),
            Key::Tab => {
                self.part = match self.part {
                    Part::Requests => Part::Grants,
                    Part::Grants => Part::Requests,
                };
            }
            Key::Letter('?') => self.open(Mode::Help),
            Key::Enter => self.show(Ask::Nothing),
            Key::Letter('a') if self.part == Part::Requests => self.show(Ask::Approve),
            Key::Letter('d') if self.part == Part::Requests => self.show(Ask::Deny(String::new())),
            _ => {}
        }
    }

    /// Shows what is chosen, as it is now.
    fn show(&mut self, ask: Ask) {
        let mode = match self.part {
            Part::Requests => {
                let chosen = self.chosen_request().cloned();
                chosen.map(|request| Mode::Request(Box::new(request), ask))
            }
            Part::Grants => {
                let chosen = self.chosen_grant().cloned();
                chosen.map(|grant| Mode::Grant(Box::new(grant)))
            }
        };
        if let Some(mode) = mode {
            self.open(mode);
        }
    }

    fn on_page(&mut self, key: Key) {
        let screen = room(self).max(1);
        match key {
            Key::Up | Key::Letter('k') => self.scroll(|top| top.saturating_sub(1)),
            Key::Down | Key::Letter('j') => self.scroll(|top| top.saturating_add(1)),
            Key::PageUp => self.scroll(|top| top.saturating_sub(screen)),
            Key::PageDown | Key::Letter(' ') => self.scroll(|top| top.saturating_add(screen)),
            Key::First => self.scroll(|_| 0),
            Key::Last => self.scroll(|_| usize::MAX),
            _ => {}
        }
    }

    /// Moves the page, never past its last line.
    fn scroll(&mut self, to: impl Fn(usize) -> usize) {
        let lines = page(self).map_or(0, |page| page.lines.len());
        self.top = to(self.top).min(lines.saturating_sub(room(self)));
    }

    /// A yes counts once the request has been shown to its last line; until then it shows more.
    fn agreed(&mut self, decision: Decision) -> Effect {
        let lines = page(self).map_or(0, |page| page.lines.len());
        if at_end(self, lines) {
            return Effect::Decide(decision);
        }
        self.on_page(Key::PageDown);
        Effect::Nothing
    }

    /// A key while the reason of a denial is typed.
    fn typed(&mut self, key: Key) -> Effect {
        let Mode::Request(request, Ask::Deny(reason)) = &mut self.mode else {
            return Effect::Nothing;
        };
        match key {
            Key::Letter(letter) => add(reason, letter),
            Key::Erase => drop(reason.pop()),
            Key::EraseAll => reason.clear(),
            Key::Back => self.open(Mode::Board),
            Key::Enter if !reason.trim().is_empty() => {
                let reason = reason.trim().to_owned();
                let decision = Decision { shown: request.clone(), word: Word::Deny(reason) };
                return Effect::Decide(decision);
            }
            Key::Up | Key::Down | Key::PageUp | Key::PageDown => self.on_page(key),
            _ => {}
        }
        Effect::Nothing
    }

    fn paste(&mut self, text: &str) {
        if let Mode::Request(_, Ask::Deny(reason)) = &mut self.mode {
            let letters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            letters.for_each(|letter| add(reason, letter));
        }
    }
}

/// Adds a character to a reason, if it may stand in one and there is room.
fn add(reason: &mut String, letter: char) {
    if is_harmless(letter) && reason.chars().count() < TEXT_LIMIT {
        reason.push(letter);
    }
}
