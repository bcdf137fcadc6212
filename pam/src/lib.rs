//! `pam_stint.so`: asks stintd whether the gate is open, and tells the person when it is not.
//!
//! It serves the account phase (allow or deny) and the session phase (opened, closed). It decides
//! nothing itself but this: every error denies, and root is never asked about. Whatever the caller
//! controls (environment, arguments, working folder, descriptors) has no say: the module reads none
//! of it, and connects to one constant path. It starts no thread, installs no handler, changes no
//! signal mask, prints nothing, and closes what it opens. `PAM_IGNORE` appears nowhere in it: an
//! error that is ignored is a way in. What it changes of the process is one thing: at the beginning
//! of a session it enters the control group that stintd made for it.

#![deny(unsafe_code)]

mod account;
mod entry;
#[expect(unsafe_code, reason = "the one file that talks to libpam where the binding does not")]
mod ffi;
mod handle;
mod items;
mod options;
mod place;
mod prompt;
mod say;
mod session;
#[cfg(test)]
mod tests;
