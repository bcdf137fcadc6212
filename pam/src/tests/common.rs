//! A PAM made of five items and a notebook.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::path::Path;

use stint_ask::Daemon;

use super::fake::own_uid;
use crate::account::Facts;
use crate::handle::{Handle, Item, Level, NoItem, Tone};

pub fn alice(socket: &Path) -> Facts<'_> {
    let daemon = Daemon { socket, uid: own_uid() };
    Facts { real_uid: stint_proto::Uid(1000), silent: true, daemon }
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
    fn item(&self, item: Item) -> Result<Option<CString>, NoItem> {
        let name = match item {
            Item::Service => "service",
            Item::User => "user",
            Item::Ruser => "ruser",
            Item::Tty => "tty",
            Item::Rhost => "rhost",
        };
        if self.withheld { Err(NoItem) } else { Ok(self.items.get(name).cloned()) }
    }

    fn tell(&self, tone: Tone, line: &str) {
        self.said.borrow_mut().push((tone, line.to_owned()));
    }

    fn ask(&self, question: &str) -> Option<String> {
        self.asked.borrow_mut().push(question.to_owned());
        self.types.borrow_mut().pop().map(str::to_owned)
    }

    fn log(&self, level: Level, line: &str) {
        self.logged.borrow_mut().push((level, line.to_owned()));
    }

    fn keep_session(&mut self, id: &str) -> bool {
        if !self.forgetful {
            self.session = Some(id.to_owned());
        }
        !self.forgetful
    }

    fn kept_session(&self) -> Option<String> {
        self.session.clone()
    }
}
