//! Where the module meets libpam beyond what pam-bindings offers: the log, and data that PAM keeps
//! between two calls. All of the crate's own `unsafe` is here. No rules.

use std::ffi::{CStr, CString, c_char, c_int};

use pam::constants::{PAM_ERROR_MSG, PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO};
use pam::conv::Conv;
use pam::items::{RHost, RUser, Service, Tty, User};
use pam::module::PamHandle;

use crate::handle::{Handle, Item, Level, NoItem, Tone};

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_syslog(handle: *const PamHandle, priority: c_int, format: *const c_char, ...);
}

/// Under this name PAM keeps the session's id between open and close.
const SESSION: &str = "pam_stint_session";

/// The session's id, as a type that only this file stores.
struct KeptSession(String);

/// libpam's handle, for the length of one call.
pub struct Pam<'a>(pub &'a mut PamHandle);

impl Handle for Pam<'_> {
    fn item(&self, item: Item) -> Result<Option<CString>, NoItem> {
        let text = match item {
            Item::Service => self.0.get_item::<Service<'_>>().map(|item| item.map(|i| own(i.0))),
            Item::User => self.0.get_item::<User<'_>>().map(|item| item.map(|i| own(i.0))),
            Item::Ruser => self.0.get_item::<RUser<'_>>().map(|item| item.map(|i| own(i.0))),
            Item::Tty => self.0.get_item::<Tty<'_>>().map(|item| item.map(|i| own(i.0))),
            Item::Rhost => self.0.get_item::<RHost<'_>>().map(|item| item.map(|i| own(i.0))),
        };
        text.map_err(|_| NoItem)
    }

    fn tell(&self, tone: Tone, line: &str) {
        let style = match tone {
            Tone::Error => PAM_ERROR_MSG,
            Tone::Info => PAM_TEXT_INFO,
        };
        if let Ok(Some(conversation)) = self.0.get_item::<Conv<'_>>() {
            // sudo-rs without a terminal fails every message: that must not change the answer.
            let _ = conversation.send(style, line);
        }
    }

    fn ask(&self, question: &str) -> Option<String> {
        let conversation = self.0.get_item::<Conv<'_>>().ok()??;
        let typed = conversation.send(PAM_PROMPT_ECHO_ON, question).ok()??;
        Some(String::from_utf8_lossy(typed.as_bytes()).into_owned())
    }

    fn log(&self, level: Level, line: &str) {
        let priority = match level {
            Level::Error => libc::LOG_ERR,
            Level::Debug => libc::LOG_DEBUG,
        };
        let Ok(line) = CString::new(line) else { return };
        // SAFETY: pam_syslog (Linux-PAM, pam_ext.h) reads the handle, which the reference keeps
        // valid, and a printf format with its arguments. The format is a literal with one %s, and
        // its argument a NUL-terminated string that lives until the call returns.
        unsafe { pam_syslog(&raw const *self.0, priority, c"%s".as_ptr(), line.as_ptr()) }
    }

    fn keep_session(&mut self, id: &str) -> bool {
        self.0.set_data(SESSION, Box::new(KeptSession(id.to_owned()))).is_ok()
    }

    fn kept_session(&self) -> Option<String> {
        // SAFETY: get_data requires that what is stored under the name is of the type asked for.
        // The name is this module's own, and keep_session, which alone stores under it, stores
        // this type. The value is copied before anything else is called on the handle.
        unsafe { self.0.get_data::<KeptSession>(SESSION) }.ok().map(|kept| kept.0.clone())
    }
}

/// A copy, so that nothing refers to PAM's memory after PAM is called again.
fn own(text: &CStr) -> CString {
    text.to_owned()
}
