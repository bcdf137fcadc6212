//! A refusal as an error of the interface on the bus.

use zbus::DBusError;
use zbus::message::Header;

use crate::engine::Refusal;

/// An error of the interface: its names are [`ErrorCode::bus_name`]'s.
#[derive(Debug)]
pub struct BusError(Refusal);

impl From<Refusal> for BusError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl std::fmt::Display for BusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl DBusError for BusError {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<zbus::Message> {
        zbus::Message::error(call, self.name()).build(&self.0.message.as_str())
    }

    fn name(&self) -> zbus::names::ErrorName<'_> {
        zbus::names::ErrorName::from_static_str_unchecked(self.0.code.bus_name())
    }

    fn description(&self) -> Option<&str> {
        Some(&self.0.message)
    }
}
