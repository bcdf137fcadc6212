//! A PAM made of five items and a notebook.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};

use stint_ask::{Daemon, Line};

use super::fake::own_uid;
use crate::account::{self, Decision, Facts};
use crate::handle::{Handle, Item, Level, NoItem, SessionId, Tone, Typed};
use crate::session::{self, Outcome};

pub fn alice(socket: &str) -> Facts<'_> {
    let daemon = Daemon { socket, uid: own_uid() };
    Facts { real_uid: 1000, silent: true, daemon }
}

pub fn decide(pam: &FakePam, arguments: &[&CStr], facts: Facts<'_>) -> Decision {
    account::decide(pam, arguments.iter().copied(), facts)
}

pub fn open(pam: &mut FakePam, arguments: &[&CStr], facts: Facts<'_>) -> Outcome {
    session::open(pam, arguments.iter().copied(), facts)
}

pub fn close(pam: &FakePam, arguments: &[&CStr], facts: Facts<'_>) {
    session::close(pam, arguments.iter().copied(), facts);
}

/// A PAM handle that writes everything down.
#[derive(Default)]
pub struct FakePam {
    pub items: HashMap<&'static str, CString>,
    pub withheld: bool,
    pub forgetful: bool,
    pub said: RefCell<Vec<(Tone, String)>>,
    pub logged: RefCell<Vec<(Level, String)>>,
    pub session: Option<String>,
    /// What the person types, last answer first; with none left they leave.
    pub types: RefCell<Vec<&'static str>>,
    /// What they were asked.
    pub asked: RefCell<Vec<String>>,
}

impl FakePam {
    /// alice calls sudo.
    pub fn sudo() -> Self {
        let items =
            [("service", c"sudo"), ("user", c"alice"), ("ruser", c"alice"), ("tty", c"/dev/pts/1")];
        let items = items.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Self { items, ..Self::default() }
    }

    pub fn with(mut self, item: &'static str, value: &[u8]) -> Self {
        self.items.insert(item, CString::new(value).unwrap());
        self
    }

    pub fn words(&self) -> Vec<String> {
        self.said.borrow().iter().map(|(_, line)| line.clone()).collect()
    }

    pub fn errors(&self) -> Vec<String> {
        let logged = self.logged.borrow();
        let errors = logged.iter().filter(|(level, _)| *level == Level::Error);
        errors.map(|(_, line)| line.clone()).collect()
    }
}

impl Handle for FakePam {
    fn item<R>(&self, item: Item, read: impl FnOnce(Option<&CStr>) -> R) -> Result<R, NoItem> {
        let name = match item {
            Item::Service => "service",
            Item::User => "user",
            Item::Ruser => "ruser",
            Item::Tty => "tty",
            Item::Rhost => "rhost",
        };
        if self.withheld { Err(NoItem) } else { Ok(read(self.items.get(name).map(|i| &**i))) }
    }

    fn tell(&self, tone: Tone, line: &Line) {
        self.said.borrow_mut().push((tone, line.as_str().to_owned()));
    }

    fn ask<'a>(&self, question: &Line, answer: &'a mut Typed) -> Option<&'a Typed> {
        self.asked.borrow_mut().push(question.as_str().to_owned());
        answer.push(self.types.borrow_mut().pop()?);
        Some(answer)
    }

    fn log(&self, level: Level, line: &Line) {
        self.logged.borrow_mut().push((level, line.as_str().to_owned()));
    }

    fn keep_session(&mut self, id: &SessionId) -> bool {
        if !self.forgetful {
            self.session = Some(id.as_str().to_owned());
        }
        !self.forgetful
    }

    fn kept_session(&self) -> Option<SessionId> {
        self.session.as_deref().map(|id| SessionId::of([id]))
    }
}
