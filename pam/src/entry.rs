//! The entry points: from PAM's arguments to a decision, from a decision to PAM's code. No rules
//! but one: a phase that the module does not serve fails.

use core::ffi::{c_char, c_int};

use stint_ask::{Daemon, Line, kernel};
use stint_wire::PAM_SOCKET;

use crate::account::{self, Decision, Facts};
use crate::ffi::{
    Arguments, PAM_PERM_DENIED, PAM_SERVICE_ERR, PAM_SESSION_ERR, PAM_SILENT, PAM_SUCCESS, Pam,
    RawHandle,
};
use crate::handle::{Handle, Level};
use crate::session::{self, Outcome};

/// What PAM calls, by its names, and what serves it.
macro_rules! entry_points {
    ($($name:ident => $serve:ident,)*) => {$(
        /// # Safety
        /// PAM calls it, with its own handle and with `count` arguments, each a NUL-terminated
        /// string, all of which stay as they are until it returns.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            handle: RawHandle,
            flags: c_int,
            count: c_int,
            arguments: *const *const c_char,
        ) -> c_int {
            // SAFETY: the handle is PAM's own, and lives.
            let mut pam = unsafe { Pam::new(handle) };
            // SAFETY: there are as many arguments, and they stay as they are.
            let arguments = unsafe { Arguments::new(count, arguments) };
            $serve(&mut pam, arguments, flags)
        }
    )*};
}

entry_points! {
    pam_sm_acct_mgmt => account_phase,
    pam_sm_open_session => session_begins,
    pam_sm_close_session => session_ends,
    pam_sm_authenticate => auth_phase,
    pam_sm_setcred => auth_phase,
    pam_sm_chauthtok => password_phase,
}

fn account_phase(pam: &mut Pam, arguments: Arguments<'_>, flags: c_int) -> c_int {
    match account::decide(pam, arguments, facts(flags)) {
        Decision::In => PAM_SUCCESS,
        Decision::Out => PAM_PERM_DENIED,
    }
}

fn session_begins(pam: &mut Pam, arguments: Arguments<'_>, flags: c_int) -> c_int {
    match session::open(pam, arguments, facts(flags)) {
        Outcome::Done => PAM_SUCCESS,
        Outcome::Failed => PAM_SESSION_ERR,
    }
}

fn session_ends(pam: &mut Pam, arguments: Arguments<'_>, flags: c_int) -> c_int {
    session::close(pam, arguments, facts(flags));
    PAM_SUCCESS
}

/// pam_setcred(3) fails like the rest of the phase: success would be a word of consent from a line
/// that should not be there, and no credentials of stint's hang on it.
fn auth_phase(pam: &mut Pam, _: Arguments<'_>, _: c_int) -> c_int {
    misplaced(pam, "auth")
}

fn password_phase(pam: &mut Pam, _: Arguments<'_>, _: c_int) -> c_int {
    misplaced(pam, "password")
}

fn misplaced(pam: &Pam, phase: &str) -> c_int {
    let line = ["pam_stint belongs into account and session lines, not into ", phase];
    pam.log(Level::Error, &Line::of(line));
    PAM_SERVICE_ERR
}

fn facts(flags: c_int) -> Facts<'static> {
    Facts {
        real_uid: kernel::real_uid(),
        silent: flags & PAM_SILENT != 0,
        daemon: Daemon { socket: PAM_SOCKET, uid: 0 },
    }
}
