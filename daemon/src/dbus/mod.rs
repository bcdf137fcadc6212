//! The doors: the system bus for people's commands, a socket of its own for the module. Both speak
//! the same interface; who may call what is one table ([`authority`]).
//!
//! A method is always: who is calling, from the kernel → may they → the engine → the answer.

mod asking;
pub mod authority;
mod bus;
mod door;
mod greeting;
mod interface;
mod module_socket;
mod question;

pub use bus::serve_bus;
pub use interface::{Interface, introspection};
pub use module_socket::serve_module;
