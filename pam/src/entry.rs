//! The entry points: from PAM's arguments to a decision, from a decision to PAM's code. No rules
//! but two: a panic denies, and a phase that the module does not serve fails.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nix::unistd::Uid;
use pam::constants::{PAM_SILENT, PamFlag, PamResultCode};
use pam::module::{PamHandle, PamHooks};
use stint_ask::Daemon;
use stint_proto::PAM_SOCKET;

use crate::account::{self, Decision, Facts};
use crate::ffi::Pam;
use crate::handle::{Handle, Level};
use crate::session::{self, Outcome};

/// The module.
struct Stint;

pam::pam_hooks!(Stint);

impl PamHooks for Stint {
    fn acct_mgmt(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guard(handle, PamResultCode::PAM_PERM_DENIED, |pam| {
            match account::decide(pam, &args, facts(flags)) {
                Decision::In => PamResultCode::PAM_SUCCESS,
                Decision::Out => PamResultCode::PAM_PERM_DENIED,
            }
        })
    }

    fn sm_open_session(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guard(handle, PamResultCode::PAM_SESSION_ERR, |pam| {
            match session::open(pam, &args, facts(flags)) {
                Outcome::Done => PamResultCode::PAM_SUCCESS,
                Outcome::Failed => PamResultCode::PAM_SESSION_ERR,
            }
        })
    }

    fn sm_close_session(handle: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        guard(handle, PamResultCode::PAM_SESSION_ERR, |pam| {
            session::close(pam, &args, facts(flags));
            PamResultCode::PAM_SUCCESS
        })
    }

    fn sm_authenticate(handle: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        misplaced(handle, "auth")
    }

    /// Fails like the rest of the auth phase: success would be a word of consent from a line that
    /// should not be there, and no credentials of stint's hang on it.
    fn sm_setcred(handle: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        misplaced(handle, "auth")
    }

    fn sm_chauthtok(handle: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        misplaced(handle, "password")
    }
}

fn facts(flags: PamFlag) -> Facts<'static> {
    Facts {
        real_uid: stint_proto::Uid(Uid::current().as_raw()),
        silent: flags & PAM_SILENT != 0,
        daemon: Daemon { socket: Path::new(PAM_SOCKET), uid: 0 },
    }
}

fn misplaced(handle: &mut PamHandle, phase: &str) -> PamResultCode {
    guard(handle, PamResultCode::PAM_SERVICE_ERR, |pam| {
        let line = format!("pam_stint belongs into account and session lines, not into {phase}");
        pam.log(Level::Error, &line);
        PamResultCode::PAM_SERVICE_ERR
    })
}

/// Runs a phase; a panic in it is logged and becomes `otherwise`. (The binding's own guard around
/// this would answer with `PAM_ABORT`.)
///
/// A panic must not print either: standard error may be anybody's. The hook that keeps it quiet
/// belongs to this library's own copy of Rust's runtime, which nobody else in the process sees.
fn guard(
    handle: &mut PamHandle,
    otherwise: PamResultCode,
    phase: impl FnOnce(&mut Pam<'_>) -> PamResultCode,
) -> PamResultCode {
    std::panic::set_hook(Box::new(|_| {}));
    let mut pam = Pam(handle);
    catch_unwind(AssertUnwindSafe(|| phase(&mut pam))).unwrap_or_else(|payload| {
        // Dropping what a panic carries could panic again.
        std::mem::forget(payload);
        pam.log(Level::Error, "denied: the module has a bug and panicked");
        otherwise
    })
}
