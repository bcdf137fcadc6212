//! Has systemd run something in a unit of its own that is gone when it has ended, or restart a
//! service, and waits for the job. Knows nothing of what is run.

use std::fmt;
use std::time::Duration;

use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant};

use crate::record::harmless;
use crate::signals::{Signal, Signals};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SCOPE: &str = "org.freedesktop.systemd1.Scope";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// A job of the same unit that waits is not replaced.
const MODE: &str = "fail";

/// How long systemd may take to say what it has under a name.
const LOOK: Duration = Duration::from_secs(2);
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// A property of a unit, as in org.freedesktop.systemd1(5).
pub type Property = (&'static str, Variant<'static>);

/// Why a unit was not started, or did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemdError {
    /// There is no bus or no systemd to ask; nothing is known of the unit.
    NotThere(String),
    /// A unit of this name runs already.
    Runs,
    /// systemd refused.
    Refused(String),
    /// It was started, and its job ended with this word of systemd's: `failed`, `timeout`, …
    Ended(String),
    /// The job did not end in time; it may go on.
    TimedOut,
}

impl fmt::Display for SystemdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere(why) => write!(f, "systemd cannot be asked: {why}"),
            Self::Runs => f.write_str("it runs already"),
            Self::Refused(why) => write!(f, "systemd refused: {why}"),
            Self::Ended(result) => write!(f, "systemd says: {result}"),
            Self::TimedOut => f.write_str("systemd did not say in time how it ended"),
        }
    }
}

impl std::error::Error for SystemdError {}

/// Starts a transient unit and waits for the end of its job: for a scope, that it is there with
/// its processes in it; for a oneshot service, that its program has ended well.
///
/// # Errors
/// [`SystemdError`] when it is not known that all went well.
pub async fn start_transient(
    connection: &Connection,
    unit: &str,
    properties: &[Property],
    limit: Duration,
) -> Result<(), SystemdError> {
    let starting = start(connection, unit, properties);
    tokio::time::timeout(limit, starting).await.unwrap_or(Err(SystemdError::TimedOut))
}

/// Restarts a service if it runs, and waits until it does again.
///
/// # Errors
/// [`SystemdError`] when it is not known that it was restarted.
pub async fn try_restart(
    connection: &Connection,
    unit: &str,
    limit: Duration,
) -> Result<(), SystemdError> {
    let order = (unit, "replace");
    let restarting = job(connection, unit, "TryRestartUnit", &order);
    tokio::time::timeout(limit, restarting).await.unwrap_or(Err(SystemdError::TimedOut))
}

async fn start(
    connection: &Connection,
    unit: &str,
    properties: &[Property],
) -> Result<(), SystemdError> {
    let auxiliary: [(&str, &[Property]); 0] = [];
    let order = (unit, MODE, properties, auxiliary.as_slice());
    job(connection, unit, "StartTransientUnit", &order).await
}

/// Gives systemd an order that makes a job for this unit, and waits for the job's end.
async fn job<B>(
    connection: &Connection,
    unit: &str,
    method: &str,
    order: &B,
) -> Result<(), SystemdError>
where
    B: serde::ser::Serialize + zbus::DynamicType,
{
    // Listening first: a job may end before the answer that names it is read.
    let removed =
        Signal { sender: SYSTEMD, interface: MANAGER, member: "JobRemoved", argument: (2, unit) };
    let mut removed = Signals::of(connection, removed).await.map_err(gone)?;
    let (destination, interface) = (Some(SYSTEMD), Some(MANAGER));
    let asking = connection.call_method(destination, PATH, interface, method, order);
    tokio::pin!(asking);
    let mut job: Option<OwnedObjectPath> = None;
    let mut ended: Vec<(OwnedObjectPath, String)> = Vec::new();
    loop {
        if let Some(job) = &job
            && let Some((_, result)) = ended.iter().find(|(path, _)| path == job)
        {
            return match result.as_str() {
                "done" => Ok(()),
                other => Err(SystemdError::Ended(harmless(other).into_owned())),
            };
        }
        tokio::select! {
            answer = &mut asking, if job.is_none() => {
                let path = answer.map_err(refused)?.body().deserialize().map_err(gone)?;
                job = Some(path);
            }
            signal = removed.next() => {
                let Some(signal) = signal else {
                    return Err(SystemdError::NotThere("the bus closed the connection".to_owned()));
                };
                let (_, path, _, result): (u32, OwnedObjectPath, String, String) =
                    signal.body().deserialize().map_err(gone)?;
                ended.push((path, result));
            }
        }
    }
}

/// What systemd has under a unit's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// No such unit.
    Nothing,
    /// A scope that is up, with this control group.
    Active(String),
    /// A unit that is not up: it is being started or stopped, or has failed and is about to be
    /// forgotten.
    Other,
}

/// What systemd has under the name of this scope.
///
/// # Errors
/// [`SystemdError`] when it does not say.
pub async fn known(connection: &Connection, scope: &str) -> Result<Known, SystemdError> {
    let looking = look_at(connection, scope);
    tokio::time::timeout(LOOK, looking).await.unwrap_or(Err(SystemdError::TimedOut))
}

async fn look_at(connection: &Connection, scope: &str) -> Result<Known, SystemdError> {
    let destination = Some(SYSTEMD);
    let asking = connection.call_method(destination, PATH, Some(MANAGER), "GetUnit", &scope);
    let unit: OwnedObjectPath = match asking.await {
        Ok(answer) => answer.body().deserialize().map_err(gone)?,
        Err(zbus::Error::MethodError(name, ..)) if name == NO_SUCH_UNIT => {
            return Ok(Known::Nothing);
        }
        Err(error) => return Err(refused(error)),
    };
    let get = async |interface: &str, name: &str| -> Result<String, SystemdError> {
        let asked = (interface, name);
        let asking =
            connection.call_method(destination, &unit, Some(PROPERTIES), "Get", &asked).await;
        let value: OwnedVariant = asking.map_err(refused)?.body().deserialize().map_err(gone)?;
        String::try_from(value).map_err(gone)
    };
    if get(UNIT, "ActiveState").await? != "active" {
        return Ok(Known::Other);
    }
    Ok(Known::Active(get(SCOPE, "ControlGroup").await?))
}

fn gone(error: zbus::Error) -> SystemdError {
    SystemdError::NotThere(harmless(&error.to_string()).into_owned())
}

fn refused(error: zbus::Error) -> SystemdError {
    match &error {
        zbus::Error::MethodError(name, why, _) => match name.as_str() {
            "org.freedesktop.systemd1.UnitExists" => SystemdError::Runs,
            name => SystemdError::Refused(harmless(why.as_deref().unwrap_or(name)).into_owned()),
        },
        zbus::Error::FDO(inner) => match inner.as_ref() {
            zbus::fdo::Error::ServiceUnknown(_)
            | zbus::fdo::Error::NameHasNoOwner(_)
            | zbus::fdo::Error::NoReply(_)
            | zbus::fdo::Error::Disconnected(_) => gone(error),
            other => SystemdError::Refused(harmless(&other.to_string()).into_owned()),
        },
        _ => gone(error),
    }
}

#[cfg(test)]
mod tests;
