//! The verbs across hosts: what the store of the fleet says is shown, what is decided is signed and
//! published. No daemon is asked; where they are typed none need run.

pub mod decide;
pub mod publish;
pub mod show;
pub mod watch;
