//! What the daemon knows, as values: grants, the index for checks, the gate's decision.
//!
//! Knows no sibling: no store, no bus, no enforcement, no clock. `now` comes in as a value.

pub mod control_group;
pub mod deadline;
pub mod entrances;
pub mod gate;
pub mod grant;
pub mod human;
pub mod index;
pub mod manner;
pub mod passed;
pub mod pending;
pub mod request;
