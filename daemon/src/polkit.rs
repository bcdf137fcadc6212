//! Asks polkit to have a caller authenticate again for one decision. Who is asked is the bus name
//! that sent the call, never a process id or a name out of a message. Decides nothing itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zbus::{Connection, Variant, fdo};

use crate::record::harmless;
use crate::signals::{BUS, BUS_PATH, Signal, Signals};

/// Approving a request.
pub const APPROVE: &str = "org.stint.Stint1.approve";
/// Denying one.
pub const DENY: &str = "org.stint.Stint1.deny";
/// Marking the use of a break-glass role as reviewed.
pub const REVIEW: &str = "org.stint.Stint1.review";

const POLKIT: &str = "org.freedesktop.PolicyKit1";
const AUTHORITY_PATH: &str = "/org/freedesktop/PolicyKit1/Authority";
const AUTHORITY: &str = "org.freedesktop.PolicyKit1.Authority";
/// `AllowUserInteraction`: the caller may be asked for a password.
const INTERACTIVE: u32 = 1;
/// How long polkit may take to hear that nobody waits for its answer any more.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// Why the caller is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolkitRefusal {
    /// There is no polkit on this host, or it does not start.
    NotThere,
    /// Nobody could ask the caller: no agent runs in their session.
    NoAgent,
    /// The caller was asked and would not answer.
    Dismissed,
    /// The password was wrong, or polkit's rules say no.
    Denied,
    /// polkit did not answer as it should.
    Failed(String),
    /// There was no answer in time.
    TimedOut,
    /// The caller has left the bus.
    CallerGone,
}

impl fmt::Display for PolkitRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str(
                "polkit, which asks for the password, is not on this host: install polkitd, or set \
                 authenticate = false under [approvals] in the policy",
            ),
            Self::NoAgent => f.write_str(
                "nobody could ask for the password here: run stint approve in a terminal; it \
                 brings its own agent",
            ),
            Self::Dismissed => f.write_str("no password was given, so nothing was decided"),
            Self::Denied => f.write_str(
                "polkit says no: the password was wrong, or a polkit rule of this host forbids it",
            ),
            Self::Failed(why) => write!(f, "polkit could not ask for the password: {why}"),
            Self::TimedOut => {
                f.write_str("no password was given in time, so nothing was decided: try again")
            }
            Self::CallerGone => f.write_str("the caller has left before the answer came"),
        }
    }
}

impl std::error::Error for PolkitRefusal {}

/// Has the owner of `sender`, a unique name on the bus, authenticate for `action`. The details are
/// what the action's message names as `$(key)`; they are shown to the person, so they hold no text
/// that people typed. Root is never asked: polkit believes root.
///
/// When `limit` has passed, the caller leaves the bus, or this future is dropped, polkit is told to
/// ask no longer.
///
/// # Errors
/// [`PolkitRefusal`] says why the caller is not believed.
pub async fn authenticate(
    connection: &Connection,
    sender: &str,
    action: &str,
    details: &[(&str, &str)],
    limit: Duration,
) -> Result<(), PolkitRefusal> {
    let asking = ask(connection, sender, action, details);
    tokio::time::timeout(limit, asking).await.unwrap_or(Err(PolkitRefusal::TimedOut))
}

async fn ask(
    connection: &Connection,
    sender: &str,
    action: &str,
    details: &[(&str, &str)],
) -> Result<(), PolkitRefusal> {
    let changes =
        Signal { sender: BUS, interface: BUS, member: "NameOwnerChanged", argument: (0, sender) };
    let mut changes = Signals::of(connection, changes).await.map_err(failed)?;
    let subject = ("system-bus-name", HashMap::from([("name", Variant::from(sender))]));
    let details: HashMap<&str, &str> = details.iter().copied().collect();
    let mut cancel = Cancel::new(connection);
    let id = cancel.id.clone();
    let question = (subject, action, details, INTERACTIVE, id.as_str());
    let asking = async {
        let there = call_bus(connection, "NameHasOwner", &sender).await?;
        if !there.body().deserialize::<bool>().map_err(failed)? {
            return Err(PolkitRefusal::CallerGone);
        }
        let (authority, path) = (Some(POLKIT), AUTHORITY_PATH);
        let answer = connection
            .call_method(authority, path, Some(AUTHORITY), "CheckAuthorization", &question)
            .await
            .map_err(failed)?;
        answer.body().deserialize::<Answer>().map_err(failed)
    };
    let answer = tokio::select! {
        answer = asking => answer,
        // A unique name has one owner, and is given to nobody else: any change is its end.
        _ = changes.next() => return Err(PolkitRefusal::CallerGone),
    };
    cancel.connection = None;
    judge(&answer?)
}

/// Whether polkit runs.
///
/// # Errors
/// When the bus does not say.
pub async fn is_there(connection: &Connection) -> Result<bool, PolkitRefusal> {
    let answer = call_bus(connection, "NameHasOwner", &POLKIT).await?;
    answer.body().deserialize().map_err(failed)
}

async fn call_bus(
    connection: &Connection,
    method: &str,
    name: &&str,
) -> Result<zbus::Message, PolkitRefusal> {
    connection.call_method(Some(BUS), BUS_PATH, Some(BUS), method, name).await.map_err(failed)
}

/// Whether they are authorized, whether they could be if they were asked, and details.
type Answer = (bool, bool, HashMap<String, String>);

fn judge((authorized, challenge, details): &Answer) -> Result<(), PolkitRefusal> {
    if *authorized {
        Ok(())
    } else if *challenge {
        Err(PolkitRefusal::NoAgent)
    } else if details.get("polkit.dismissed").is_some_and(|word| !word.is_empty()) {
        Err(PolkitRefusal::Dismissed)
    } else {
        Err(PolkitRefusal::Denied)
    }
}

/// Names of errors that say that there is no polkit: not installed, masked, or it does not start.
const NOT_THERE: [&str; 4] = [
    "org.freedesktop.DBus.Error.Spawn.",
    "org.freedesktop.systemd1.NoSuchUnit",
    "org.freedesktop.systemd1.UnitMasked",
    "org.freedesktop.systemd1.LoadFailed",
];

fn failed(error: zbus::Error) -> PolkitRefusal {
    match &error {
        zbus::Error::FDO(error) => match error.as_ref() {
            fdo::Error::ServiceUnknown(_)
            | fdo::Error::NameHasNoOwner(_)
            | fdo::Error::SpawnExecFailed(_)
            | fdo::Error::SpawnServiceNotFound(_)
            | fdo::Error::SpawnChildExited(_)
            | fdo::Error::SpawnFailed(_) => PolkitRefusal::NotThere,
            _ => PolkitRefusal::Failed(harmless(&error.to_string()).into_owned()),
        },
        zbus::Error::MethodError(name, _, _)
            if NOT_THERE.iter().any(|known| name.as_str().starts_with(known)) =>
        {
            PolkitRefusal::NotThere
        }
        _ => PolkitRefusal::Failed(harmless(&error.to_string()).into_owned()),
    }
}

/// Tells polkit, when it is dropped before its answer, that nobody waits any more: the password
/// prompt goes away.
struct Cancel {
    connection: Option<Connection>,
    id: String,
}

impl Cancel {
    fn new(connection: &Connection) -> Self {
        static ASKED: AtomicU64 = AtomicU64::new(0);
        let id = format!("stint-{}", ASKED.fetch_add(1, Ordering::Relaxed));
        Self { connection: Some(connection.clone()), id }
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let id = std::mem::take(&mut self.id);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let (authority, path) = (Some(POLKIT), AUTHORITY_PATH);
            let method = "CancelCheckAuthorization";
            let telling = connection.call_method(authority, path, Some(AUTHORITY), method, &id);
            // It may be over there already; there is nobody left to tell about it.
            drop(tokio::time::timeout(CANCEL_LIMIT, telling).await);
        });
    }
}

#[cfg(test)]
mod tests;
