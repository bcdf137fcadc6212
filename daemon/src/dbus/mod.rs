//! The doors: the system bus for people's commands, a socket of its own for the module. Both speak
//! the same interface; who may call what is one table ([`authority`]).
//!
//! A method is always: who is calling, from the kernel → may they → the engine → the answer.

use std::sync::Arc;

use crate::engine::Engine;

mod asking;
pub mod authority;
mod bus;
mod caller;
mod desk;
mod details;
mod door;
mod error;
mod greeting;
mod interface;
mod module_socket;
mod pace;
mod question;

pub use bus::{ask_bus, serve_bus};
pub use interface::Interface;
pub use module_socket::{lets_go, serve_module};

use pace::Pace;

/// The interface as D-Bus introspection data, for the file that is installed.
#[must_use]
pub fn introspection(engine: Arc<Engine>) -> String {
    let mut text = String::new();
    let interface = Interface::new(engine, None, Pace::default());
    zbus::object_server::Interface::introspect_to_writer(&interface, &mut text, 2);
    text
}
