//! The messages on the module's socket: what is asked and answered there, as D-Bus writes it, for
//! both ends.
//!
//! The module is loaded into every sudo, so this needs no standard library and no memory but what it
//! is given: what is read borrows from the bytes that it was read from, and what is written goes
//! where the caller says. No I/O, no clock. Nothing here panics: the module does not link if it can.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod body;
pub mod header;
mod messages;
pub mod text;

pub use body::{Array, Decode, Encode, Reader, Signature, Writer};
pub use header::Garbage;
pub use messages::{Answer, Given, Items, Offer, Opened, Request, Verdict};

/// The one object that carries the interface.
pub const OBJECT_PATH: &str = "/org/stint/Stint1";
/// The interface, spoken on the system bus and, for the module, on [`PAM_SOCKET`].
pub const INTERFACE: &str = "org.stint.Stint1";
/// The module's way in: root's alone, socket-activated. A constant, so that no caller can bend it.
pub const PAM_SOCKET: &str = "/run/stint/pam.sock";
/// Services whose caller is told by the process's real uid; elsewhere it is who logs in.
pub const INVOKER_SERVICES: [&str; 5] = ["sudo", "sudo-i", "su", "su-l", "doas"];
/// The most bytes of a question, and of what may wait to be read of one.
pub const LONGEST_QUESTION: usize = 16 * 1_024;
/// The most bytes of an answer. Room for it, and for all that comes before, is on the stack of sudo.
pub const LONGEST_ANSWER: usize = 8 * 1_024 - GREETING.len();
/// How the greeting's one line looks that comes before an answer.
pub const GREETING: &str = "OK 0123456789abcdef0123456789abcdef\r\n";
