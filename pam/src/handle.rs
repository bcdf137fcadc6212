//! What the module needs of PAM, as a trait, so that its rules run without libpam. No rules here.

use std::ffi::CString;

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

/// One call of PAM.
pub trait Handle {
    /// An item; `None` if it is not set.
    ///
    /// # Errors
    /// If PAM does not answer.
    fn item(&self, item: Item) -> Result<Option<CString>, NoItem>;

    /// Shows the person one line. Whether it arrives changes nothing, so nothing is returned.
    fn tell(&self, tone: Tone, line: &str);

    /// Asks the person for one line, shown as they type it; `None` if there is nobody to ask, or
    /// they leave.
    fn ask(&self, question: &str) -> Option<String>;

    /// Writes one line to the system's log (facility authpriv).
    fn log(&self, level: Level, line: &str);

    /// Keeps the id of the session that was opened, until the PAM transaction ends; `false` if PAM
    /// would not.
    fn keep_session(&mut self, id: &str) -> bool;

    /// The id that was kept.
    fn kept_session(&self) -> Option<String>;
}
