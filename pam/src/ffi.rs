//! Where the module meets libpam: its handle, its items, its log, the conversation, and data that it
//! keeps between two calls. No rules.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::marker::PhantomData;
use core::ptr;

use stint_ask::Line;

use crate::handle::{Handle, Item, Level, NoItem, SessionId, Tone, Typed};

// Linux-PAM, _pam_types.h.
/// All is well.
pub const PAM_SUCCESS: c_int = 0;
/// The module has a fault, or is asked what it does not do.
pub const PAM_SERVICE_ERR: c_int = 3;
/// Not let in.
pub const PAM_PERM_DENIED: c_int = 6;
/// The session cannot be opened or closed.
pub const PAM_SESSION_ERR: c_int = 14;
/// The flag of who wants no messages.
pub const PAM_SILENT: c_int = 0x8000;
const PAM_SERVICE: c_int = 1;
const PAM_USER: c_int = 2;
const PAM_TTY: c_int = 3;
const PAM_RHOST: c_int = 4;
const PAM_CONV: c_int = 5;
const PAM_RUSER: c_int = 8;
const PAM_PROMPT_ECHO_ON: c_int = 2;
const PAM_ERROR_MSG: c_int = 3;
const PAM_TEXT_INFO: c_int = 4;

/// libpam's handle, whose inside is its own.
#[repr(C)]
pub struct Opaque {
    _private: [u8; 0],
}

/// libpam's handle, as C passes it.
pub type RawHandle = *mut Opaque;

/// `struct pam_message`.
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// `struct pam_response`.
#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

/// `struct pam_conv`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Conversation {
    converse: Option<
        unsafe extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    >,
    data: *mut c_void,
}

type Cleanup = unsafe extern "C" fn(RawHandle, *mut c_void, c_int);

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_get_item(handle: RawHandle, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_set_data(
        handle: RawHandle,
        name: *const c_char,
        data: *mut c_void,
        cleanup: Option<Cleanup>,
    ) -> c_int;
    fn pam_get_data(handle: RawHandle, name: *const c_char, data: *mut *const c_void) -> c_int;
    fn pam_syslog(handle: RawHandle, priority: c_int, format: *const c_char, ...);
}

/// Under this name PAM keeps the session's id between open and close: a string of strdup's.
const SESSION: &CStr = c"pam_stint_session";

/// The arguments that stand behind the module's name.
pub struct Arguments<'a> {
    left: usize,
    next: *const *const c_char,
    lifetime: PhantomData<&'a CStr>,
}

impl Arguments<'_> {
    /// # Safety
    /// There are `count` of them, each a NUL-terminated string, that stay as they are for as long as
    /// this and what it gives are used.
    pub unsafe fn new(count: c_int, first: *const *const c_char) -> Self {
        let left = usize::try_from(count).unwrap_or(0);
        Self { left, next: first, lifetime: PhantomData }
    }
}

impl<'a> Iterator for Arguments<'a> {
    type Item = &'a CStr;

    fn next(&mut self) -> Option<&'a CStr> {
        self.left = self.left.checked_sub(1)?;
        // SAFETY: by the promise given to `new` there is one more, a NUL-terminated string.
        unsafe {
            let argument = CStr::from_ptr(*self.next);
            self.next = self.next.add(1);
            Some(argument)
        }
    }
}

/// libpam's handle, for the length of one call.
pub struct Pam(RawHandle);

impl Pam {
    /// # Safety
    /// The handle is libpam's, and lives for as long as this is used.
    pub unsafe fn new(handle: RawHandle) -> Self {
        Self(handle)
    }

    /// An item, which may be null; PAM keeps it as it is until it is called again.
    fn raw_item(&self, item: c_int) -> Result<*const c_void, NoItem> {
        let mut value = ptr::null();
        // SAFETY: pam_get_item (Linux-PAM, pam_modules.h) takes a live handle, which the promise
        // given to `new` is, any number, and a place for one pointer.
        let code = unsafe { pam_get_item(self.0, item, &raw mut value) };
        if code == PAM_SUCCESS { Ok(value) } else { Err(NoItem) }
    }

    /// Says one thing to the person. With what they answered `read` is called, if they did.
    fn converse<R>(&self, style: c_int, text: &Line, read: impl FnOnce(&CStr) -> R) -> Option<R> {
        let conversation = self.raw_item(PAM_CONV).ok()?.cast::<Conversation>();
        // SAFETY: the item PAM_CONV, where it is not null, is libpam's own struct pam_conv, which lives
        // until the application sets another; so its members are copied before it is called.
        let Conversation { converse, data } = *unsafe { conversation.as_ref()? };
        let message = Message { style, text: text.as_c().as_ptr() };
        let mut messages: *const Message = &raw const message;
        let mut responses: *mut Response = ptr::null_mut();
        // SAFETY: pam_conv(3): an array of one pointer to a message, a place for the responses, and
        // the application's own pointer. All of it outlives the call.
        let code = unsafe { converse?(1, &raw mut messages, &raw mut responses, data) };
        if code != PAM_SUCCESS || responses.is_null() {
            // Whether the application has allocated something all the same cannot be known.
            return None;
        }
        // SAFETY: pam_conv(3): after success it is an array of one response, of malloc's, and what
        // was answered is null or a string of malloc's. Both are the module's to free, once.
        unsafe {
            let answer = (*responses).text;
            let read = if answer.is_null() { None } else { Some(read(CStr::from_ptr(answer))) };
            libc::free(answer.cast());
            libc::free(responses.cast());
            read
        }
    }
}

impl Handle for Pam {
    fn item<R>(&self, item: Item, read: impl FnOnce(Option<&CStr>) -> R) -> Result<R, NoItem> {
        let value = self.raw_item(match item {
            Item::Service => PAM_SERVICE,
            Item::User => PAM_USER,
            Item::Ruser => PAM_RUSER,
            Item::Tty => PAM_TTY,
            Item::Rhost => PAM_RHOST,
        })?;
        if value.is_null() {
            return Ok(read(None));
        }
        // SAFETY: these five items are NUL-terminated strings, of PAM's own memory, which stays as
        // it is until PAM is called again; `read` has no handle to do so.
        Ok(read(Some(unsafe { CStr::from_ptr(value.cast()) })))
    }

    fn tell(&self, tone: Tone, line: &Line) {
        let style = match tone {
            Tone::Error => PAM_ERROR_MSG,
            Tone::Info => PAM_TEXT_INFO,
        };
        // sudo-rs without a terminal fails every message: that must not change the answer.
        let _ = self.converse(style, line, |_| ());
    }

    fn ask<'a>(&self, question: &Line, answer: &'a mut Typed) -> Option<&'a Typed> {
        self.converse(PAM_PROMPT_ECHO_ON, question, |typed| answer.push_lossy(typed.to_bytes()))?;
        Some(answer)
    }

    fn log(&self, level: Level, line: &Line) {
        let priority = match level {
            Level::Error => libc::LOG_ERR,
            Level::Debug => libc::LOG_DEBUG,
        };
        // SAFETY: pam_syslog (Linux-PAM, pam_ext.h) takes a live handle, and a printf format with
        // its arguments: a literal with one %s, and a NUL-terminated string that outlives the call.
        unsafe { pam_syslog(self.0, priority, c"%s".as_ptr(), line.as_c().as_ptr()) }
    }

    fn keep_session(&mut self, id: &SessionId) -> bool {
        // SAFETY: strdup takes a NUL-terminated string; pam_set_data (Linux-PAM, pam_modules.h) a
        // live handle, a name, data that may be anything, and what frees it, which for a string of
        // strdup's is free. Where PAM does not keep it, it is freed here.
        unsafe {
            let copy = libc::strdup(id.as_c().as_ptr());
            if copy.is_null() {
                return false;
            }
            let kept = pam_set_data(self.0, SESSION.as_ptr(), copy.cast(), Some(forget_session));
            if kept != PAM_SUCCESS {
                libc::free(copy.cast());
            }
            kept == PAM_SUCCESS
        }
    }

    fn kept_session(&self) -> Option<SessionId> {
        let mut data = ptr::null();
        // SAFETY: pam_get_data takes a live handle, a name and a place for one pointer.
        let code = unsafe { pam_get_data(self.0, SESSION.as_ptr(), &raw mut data) };
        if code != PAM_SUCCESS || data.is_null() {
            return None;
        }
        // SAFETY: the name is this module's own, and keep_session alone stores under it: a
        // NUL-terminated string, which PAM keeps until it is called again.
        let id = unsafe { CStr::from_ptr(data.cast()) };
        Some(SessionId::of([id.to_str().ok()?]))
    }
}

/// PAM lets go of the session's id.
unsafe extern "C" fn forget_session(_: RawHandle, id: *mut c_void, _: c_int) {
    // SAFETY: PAM calls this once with what keep_session stored, which is a string of strdup's.
    unsafe { libc::free(id) }
}
