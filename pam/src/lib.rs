//! `pam_stint.so`: asks stintd whether the gate is open, and tells the person when it is not.
//!
//! It serves the account phase (allow or deny) and the session phase (opened, closed). It decides
//! nothing itself but this: every error denies, and root is never asked about. Whatever the caller
//! controls (environment, arguments, working folder, descriptors) has no say: the module reads none
//! of it, and connects to one constant path. It starts no thread, installs no handler, changes no
//! signal mask, prints nothing, takes no memory but its stack and what PAM keeps for it, and closes
//! what it opens. `PAM_IGNORE` appears nowhere in it: an error that is ignored is a way in. What it
//! changes of the process is one thing: at the beginning of a session it enters the control group
//! that stintd made for it.
//!
//! It cannot panic: a module that could does not link (`no_panic.rs`).

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

#[cfg(not(any(panic = "abort", debug_assertions)))]
compile_error!("the module is built with --profile module, not with --release");

// Where a panic unwinds, which is where it is checked and tested, the runtime for that is std's.
#[cfg(all(panic = "unwind", not(test)))]
extern crate std;

mod account;
#[expect(unsafe_code, reason = "PAM's entry points: C calls them and hands them pointers")]
mod entry;
#[expect(unsafe_code, reason = "the one file that calls libpam")]
mod ffi;
mod handle;
mod items;
#[cfg(all(panic = "abort", not(test)))]
#[expect(unsafe_code, reason = "it names what does not exist")]
mod no_panic;
mod options;
mod place;
mod prompt;
mod say;
mod session;
#[cfg(test)]
mod tests;
