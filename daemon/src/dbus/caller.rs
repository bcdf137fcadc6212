//! Who calls over the bus, as the bus has it from the kernel, and how much of the daemon one
//! account may keep busy.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use stint_proto::{ErrorCode, Uid};
use zbus::Connection;
use zbus::fdo::ConnectionCredentials;
use zbus::message::Header;

use crate::engine::{BusCaller, Refusal};

/// How many calls one connection, and one account, may have under way.
const AT_ONCE: u32 = 32;

/// The sender of a message. Who is gone is refused.
///
/// # Errors
/// [`Refusal`] when the bus does not know them, or not as what process.
pub(super) async fn sender(
    connection: &Connection,
    header: &Header<'_>,
) -> Result<BusCaller, Refusal> {
    let gone = || Refusal::new(ErrorCode::Denied, "the caller is gone or has no name on the bus");
    let sender = header.sender().ok_or_else(gone)?;
    let reply = connection
        .call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "GetConnectionCredentials",
            &sender,
        )
        .await
        .map_err(|_| gone())?;
    let body = reply.body();
    let known: ConnectionCredentials = body.deserialize().map_err(|_| gone())?;
    let uid = known.unix_user_id().map(Uid).ok_or_else(gone)?;
    let pid = known.process_id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(gone)?;
    let handle = known.process_fd().and_then(|fd| fd.as_fd().try_clone_to_owned().ok());
    Ok(BusCaller { uid, pid, handle: handle.map(Arc::<OwnedFd>::new) })
}

/// Whose calls are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    /// A connection to the bus, by its unique name: known before anybody is asked who calls.
    Connection(String),
    /// All connections of an account.
    Account(Uid),
}

/// What each connection and each account has under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    calls: Arc<Mutex<HashMap<Who, u32>>>,
}

/// A call that is under way; it is not any more when this is dropped.
#[derive(Debug)]
pub(super) struct Busy {
    load: Load,
    who: Who,
}

/// A call that may go on.
pub(super) struct Admitted {
    /// Who calls.
    pub(super) caller: BusCaller,
    _busy: [Busy; 2],
}

impl Admitted {
    /// This caller's call, counted in for its connection and for its account.
    pub(super) fn new(caller: BusCaller, busy: [Busy; 2]) -> Self {
        Self { caller, _busy: busy }
    }
}

impl Load {
    /// Counts a call in for its connection. This costs nothing, so one connection's flood is turned
    /// away before anything is done about it.
    ///
    /// # Errors
    /// [`Refusal`] when the connection has too many under way.
    pub(super) fn enter_connection(&self, header: &Header<'_>) -> Result<Busy, Refusal> {
        let name = header.sender().map(ToString::to_string).unwrap_or_default();
        self.enter(Who::Connection(name))
    }

    /// Counts a call in for its account. Root has no limit.
    ///
    /// # Errors
    /// [`Refusal`] when the account has too many under way.
    pub(super) fn enter_account(&self, uid: Uid) -> Result<Busy, Refusal> {
        self.enter(Who::Account(uid))
    }

    fn enter(&self, who: Who) -> Result<Busy, Refusal> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(who.clone()).or_default();
        if who != Who::Account(Uid::ROOT) && *count >= AT_ONCE {
            let text = format!("you have {AT_ONCE} calls under way; wait until one is answered");
            return Err(Refusal::new(ErrorCode::Failed, text));
        }
        *count += 1;
        Ok(Busy { load: self.clone(), who })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut calls = self.load.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = calls.get_mut(&self.who) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                calls.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_keeps_only_so_much_busy_and_others_are_served() {
        let load = Load::default();
        let busy: Vec<Busy> =
            (0..AT_ONCE).map(|_| load.enter_account(Uid(1000)).unwrap()).collect();
        assert!(load.enter_account(Uid(1000)).is_err());
        assert!(load.enter_account(Uid(1001)).is_ok());
        let roots: Vec<_> = (0..=AT_ONCE).map(|_| load.enter_account(Uid::ROOT)).collect();
        assert!(roots.iter().all(Result::is_ok));
        drop((busy, roots));
        assert!(load.enter_account(Uid(1000)).is_ok());
        assert!(load.calls.lock().unwrap().is_empty());
    }

    #[test]
    fn one_connection_keeps_only_so_much_busy() {
        let load = Load::default();
        let of = |name: &str| load.enter(Who::Connection(name.to_owned()));
        let busy: Vec<Busy> = (0..AT_ONCE).map(|_| of(":1.7").unwrap()).collect();
        assert!(of(":1.7").is_err() && of(":1.8").is_ok());
        drop(busy);
        assert!(of(":1.7").is_ok());
        assert!(load.calls.lock().unwrap().is_empty());
    }
}
