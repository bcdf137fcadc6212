//! The entry points: from PAM's arguments to a decision, from a decision to PAM's code. No rules
//! but one: a phase that the module does not serve fails.

use core::ffi::{c_char, c_int};

use stint_ask::{Daemon, Line, kernel};
use stint_wire::PAM_SOCKET;

use crate::account::{self, Decision, Facts};
use crate::ffi::{Arguments, Pam, RawHandle};
use crate::handle::{Handle, Level};
use crate::session::{self, Outcome};

// Linux-PAM, _pam_types.h.
const PAM_SUCCESS: c_int = 0;
const PAM_SERVICE_ERR: c_int = 3;
const PAM_PERM_DENIED: c_int = 6;
const PAM_SESSION_ERR: c_int = 14;
const PAM_SILENT: c_int = 0x8000;

/// The account phase.
///
/// # Safety
/// As for every function here: PAM calls it, with its own handle and with `count` arguments, each a
/// NUL-terminated string, all of which stay as they are until it returns.
#[unsafe(no_mangle)]
unsafe extern "C" fn pam_sm_acct_mgmt(
    handle: RawHandle,
    flags: c_int,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    // SAFETY: what PAM promises is what these two need.
    let (pam, arguments) = unsafe { (Pam::new(handle), Arguments::new(count, arguments)) };
    match account::decide(&pam, arguments, facts(flags)) {
        Decision::In => PAM_SUCCESS,
        Decision::Out => PAM_PERM_DENIED,
    }
}

/// The session phase, at its beginning.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
unsafe extern "C" fn pam_sm_open_session(
    handle: RawHandle,
    flags: c_int,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    // SAFETY: what PAM promises is what these two need.
    let (mut pam, arguments) = unsafe { (Pam::new(handle), Arguments::new(count, arguments)) };
    match session::open(&mut pam, arguments, facts(flags)) {
        Outcome::Done => PAM_SUCCESS,
        Outcome::Failed => PAM_SESSION_ERR,
    }
}

/// The session phase, at its end.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
unsafe extern "C" fn pam_sm_close_session(
    handle: RawHandle,
    flags: c_int,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    // SAFETY: what PAM promises is what these two need.
    let (pam, arguments) = unsafe { (Pam::new(handle), Arguments::new(count, arguments)) };
    session::close(&pam, arguments, facts(flags));
    PAM_SUCCESS
}

/// Not served.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
unsafe extern "C" fn pam_sm_authenticate(
    handle: RawHandle,
    _: c_int,
    _: c_int,
    _: *const *const c_char,
) -> c_int {
    // SAFETY: what PAM promises is what this needs.
    misplaced(&unsafe { Pam::new(handle) }, "auth")
}

/// Fails like the rest of the auth phase: success would be a word of consent from a line that
/// should not be there, and no credentials of stint's hang on it.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
unsafe extern "C" fn pam_sm_setcred(
    handle: RawHandle,
    _: c_int,
    _: c_int,
    _: *const *const c_char,
) -> c_int {
    // SAFETY: what PAM promises is what this needs.
    misplaced(&unsafe { Pam::new(handle) }, "auth")
}

/// Not served.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
unsafe extern "C" fn pam_sm_chauthtok(
    handle: RawHandle,
    _: c_int,
    _: c_int,
    _: *const *const c_char,
) -> c_int {
    // SAFETY: what PAM promises is what this needs.
    misplaced(&unsafe { Pam::new(handle) }, "password")
}

fn facts(flags: c_int) -> Facts<'static> {
    Facts {
        real_uid: kernel::real_uid(),
        silent: flags & PAM_SILENT != 0,
        daemon: Daemon { socket: PAM_SOCKET, uid: 0 },
    }
}

fn misplaced(pam: &Pam, phase: &str) -> c_int {
    let line = ["pam_stint belongs into account and session lines, not into ", phase];
    pam.log(Level::Error, &Line::of(line));
    PAM_SERVICE_ERR
}
