//! What the module needs of PAM, as a trait, so that its rules run without libpam. No rules here.

use core::ffi::CStr;

use stint_ask::{Line, Text};

/// The PAM items that the module reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// `PAM_SERVICE`.
    Service,
    /// `PAM_USER`.
    User,
    /// `PAM_RUSER`.
    Ruser,
    /// `PAM_TTY`.
    Tty,
    /// `PAM_RHOST`.
    Rhost,
}

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// `PAM_ERROR_MSG`: why the person is not let in.
    Error,
    /// `PAM_TEXT_INFO`: good to know.
    Info,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `LOG_ERR`: somebody has to mend something.
    Error,
    /// `LOG_DEBUG`: only with the option `debug`.
    Debug,
}

/// PAM would not hand out an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoItem;

/// What a person typed, of at most 4,096 bytes; stintd says what is too long for it.
pub type Typed = Text<4_097>;

/// A session's id.
pub type SessionId = Text<{ stint_ask::LONGEST_ID + 1 }>;

/// One call of PAM.
pub trait Handle {
    /// Shows an item to `read`, `None` if it is not set; PAM may change it afterwards.
    ///
    /// # Errors
    /// If PAM does not answer.
    fn item<R>(&self, item: Item, read: impl FnOnce(Option<&CStr>) -> R) -> Result<R, NoItem>;

    /// Shows the person one line. Whether it arrives changes nothing, so nothing is returned.
    fn tell(&self, tone: Tone, line: &Line);

    /// Asks the person for one line, shown as they type it; `None` if there is nobody to ask, or
    /// they leave.
    fn ask<'a>(&self, question: &Line, answer: &'a mut Typed) -> Option<&'a Typed>;

    /// Writes one line to the system's log (facility authpriv).
    fn log(&self, level: Level, line: &Line);

    /// Keeps the id of the session that was opened, until the PAM transaction ends; `false` if PAM
    /// would not.
    fn keep_session(&mut self, id: &SessionId) -> bool;

    /// The id that was kept.
    fn kept_session(&self) -> Option<SessionId>;
}
