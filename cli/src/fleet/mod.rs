//! The fleet as a person sees it from anywhere: what hosts publish in the store, read; documents that
//! the person signs, put there; what hosts say came of them, waited for. The store is not believed: it
//! carries. What speaks with it is stint-sync, run in the person's name; nothing here knows a network.

pub mod answers;
pub mod approve;
mod config;
mod helper;
pub mod hosts;
pub mod publish;
pub mod read;
pub mod store;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use stint_proto::fleet::{OUT, outbox};

pub use config::Config;
pub use helper::Helper;

use crate::failure::Failure;
use hosts::{Hosts, VALUE_LIMIT};
use store::Store;

/// How long answers of hosts that are there are waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The store and what it holds of hosts.
pub struct Fleet<S> {
    /// The store.
    pub store: S,
    /// What it holds, as it was when it was looked at.
    pub hosts: Hosts,
    /// Below which key.
    pub prefix: String,
}

impl<S: Store> Fleet<S> {
    /// What the store holds of all hosts.
    ///
    /// # Errors
    /// When it cannot be reached, or does not let this person.
    pub fn whole(mut store: S) -> Result<Self, Failure> {
        let (_, entries) = store.get(OUT, VALUE_LIMIT)?;
        Ok(Self { store, hosts: Hosts::of(entries), prefix: OUT.to_owned() })
    }

    /// What it holds of the host that is called so, and that host's name; of the others nothing is
    /// asked for where it is called by its whole name.
    ///
    /// # Errors
    /// As [`Self::whole`], or when no host is called so.
    pub fn of_host(mut store: S, name: &str) -> Result<(Self, String), Failure> {
        let prefix = outbox(name);
        let (_, entries) = store.get(&prefix, VALUE_LIMIT)?;
        if entries.is_empty() {
            let mut fleet = Self::whole(store)?;
            let name = fleet.hosts.called(name)?;
            fleet.prefix = outbox(&name);
            return Ok((fleet, name));
        }
        Ok((Self { store, hosts: Hosts::of(entries), prefix }, name.to_owned()))
    }

    /// Looks again, and hears of what changes from now on.
    ///
    /// # Errors
    /// As [`Self::whole`].
    pub fn watch(&mut self) -> Result<(), Failure> {
        let (revision, entries) = self.store.get(&self.prefix, VALUE_LIMIT)?;
        self.hosts = Hosts::of(entries);
        self.store.watch(&self.prefix, revision)
    }
}

/// The store as it is configured, and the key that signs.
///
/// # Errors
/// When something is missing; the store has not been asked yet.
pub fn open(key: Option<&Path>) -> Result<(Helper, PathBuf), Failure> {
    let config = Config::read()?;
    let key = config.key(key)?;
    Ok((config.store()?, key))
}

/// The store as it is configured, to be looked at.
///
/// # Errors
/// As [`open`].
pub fn look() -> Result<Fleet<Helper>, Failure> {
    Fleet::whole(Config::read()?.store()?)
}
