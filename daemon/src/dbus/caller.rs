//! Who calls over the bus, as the bus has it from the kernel, and how much of the daemon one
//! account may keep busy.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stint_proto::{ErrorCode, Uid};
use tokio::sync::OwnedMutexGuard;
use zbus::Connection;
use zbus::fdo::ConnectionCredentials;
use zbus::message::Header;

use crate::engine::{BusCaller, Refusal};

/// How many calls one connection, and one account, may have under way.
const AT_ONCE: u32 = 32;
/// How many connections are remembered.
const MOST_KNOWN: usize = 1_024;

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

/// What each connection and each account has under way; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Load(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    under_way: HashMap<Who, UnderWay>,
    /// The account of each connection that has called, by its unique name, which a bus gives only
    /// once. It turns calls away early; it lets none in.
    known: HashMap<String, Uid>,
}

/// Whose calls are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    /// A connection to the bus, by its unique name, while it is not known who calls.
    Connection(String),
    /// All connections of an account.
    Account(Uid),
}

#[derive(Debug, Default)]
struct UnderWay {
    count: u32,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A call that is under way; it is not any more when this is dropped.
#[derive(Debug)]
pub(super) struct Busy {
    load: Load,
    who: Who,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A call that may go on.
pub(super) struct Admitted {
    /// Who calls.
    pub(super) caller: BusCaller,
    busy: Busy,
}

impl Admitted {
    /// Waits until the account's other calls that take turns are done. An account that asks for
    /// much has one of it worked on at a time, so that others wait for one at most.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.busy.turn).lock_owned().await
    }
}

impl Load {
    /// Counts a call in before anybody is asked who calls: for its account, where the connection
    /// has called before, or else for the connection.
    ///
    /// # Errors
    /// [`Refusal`] when there are too many under way.
    pub(super) fn enter(&self, header: &Header<'_>) -> Result<Busy, Refusal> {
        let name = header.sender().map(ToString::to_string).unwrap_or_default();
        let known = self.counts().known.get(&name).copied();
        self.count(known.map_or(Who::Connection(name), Who::Account))
    }

    /// Counts a call in for its account, now that it is known who calls.
    ///
    /// # Errors
    /// [`Refusal`] when the account has too many under way. Root has no limit.
    pub(super) fn admit(
        &self,
        busy: Busy,
        header: &Header<'_>,
        caller: BusCaller,
    ) -> Result<Admitted, Refusal> {
        let who = Who::Account(caller.uid);
        let busy = if busy.who == who { busy } else { self.count(who)? };
        self.learn(header.sender().map(ToString::to_string).unwrap_or_default(), caller.uid);
        Ok(Admitted { caller, busy })
    }

    fn learn(&self, name: String, uid: Uid) {
        let mut counts = self.counts();
        // Those who still call are known again at their next call.
        if counts.known.len() >= MOST_KNOWN {
            counts.known.clear();
        }
        counts.known.insert(name, uid);
    }

    fn count(&self, who: Who) -> Result<Busy, Refusal> {
        let mut counts = self.counts();
        let under_way = counts.under_way.entry(who.clone()).or_default();
        if who != Who::Account(Uid::ROOT) && under_way.count >= AT_ONCE {
            let text = format!("you have {AT_ONCE} calls under way; wait until one is answered");
            return Err(Refusal::new(ErrorCode::Failed, text));
        }
        under_way.count += 1;
        let turn = Arc::clone(&under_way.turn);
        Ok(Busy { load: self.clone(), who, turn })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut counts = self.load.counts();
        if let Some(under_way) = counts.under_way.get_mut(&self.who) {
            under_way.count = under_way.count.saturating_sub(1);
            if under_way.count == 0 {
                counts.under_way.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_keeps_only_so_much_busy_and_others_are_served() {
        for who in [Who::Account(Uid(1000)), Who::Connection(":1.7".to_owned())] {
            let load = Load::default();
            let busy: Vec<Busy> = (0..AT_ONCE).map(|_| load.count(who.clone()).unwrap()).collect();
            assert!(load.count(who.clone()).is_err());
            assert!(load.count(Who::Account(Uid(1001))).is_ok());
            let root = || load.count(Who::Account(Uid::ROOT));
            let roots: Vec<_> = (0..=AT_ONCE).map(|_| root()).collect();
            assert!(roots.iter().all(Result::is_ok));
            drop((busy, roots));
            assert!(load.count(who).is_ok());
            assert!(load.counts().under_way.is_empty());
        }
    }

    fn call_from(name: &str) -> zbus::Message {
        let builder = zbus::Message::method_call("/org/stint/Stint1", "Request");
        builder.sender(name.to_owned()).build(&()).unwrap()
    }

    fn caller(uid: u32) -> BusCaller {
        BusCaller { uid: Uid(uid), pid: 1, handle: None }
    }

    #[tokio::test]
    async fn a_connection_that_has_called_is_counted_for_its_account_at_once() {
        let load = Load::default();
        let (one, other) = (call_from(":1.7"), call_from(":1.8"));
        let first = load.enter(&one.header()).unwrap();
        assert_eq!(first.who, Who::Connection(":1.7".to_owned()));
        let first = load.admit(first, &one.header(), caller(1000)).ok().unwrap();
        let second = load.enter(&one.header()).unwrap();
        assert_eq!(second.who, Who::Account(Uid(1000)));
        // Should the bus say otherwise, it is the bus that counts.
        let second = load.admit(second, &one.header(), caller(1001)).ok().unwrap();
        assert_eq!(second.busy.who, Who::Account(Uid(1001)));
        let third = load.enter(&other.header()).unwrap();
        let third = load.admit(third, &other.header(), caller(1000)).ok().unwrap();
        let turn = first.turn().await;
        assert!(third.busy.turn.try_lock().is_err() && second.busy.turn.try_lock().is_ok());
        drop(turn);
        assert!(third.busy.turn.try_lock().is_ok());
        for number in 0..=MOST_KNOWN {
            load.learn(number.to_string(), Uid(7));
        }
        assert!(load.counts().known.len() <= MOST_KNOWN);
    }
}
