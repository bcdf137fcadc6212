//! One question to the daemon over the system bus, one answer. Decides nothing.

use std::time::Duration;

use serde::Serialize;
use stint_policy::text::harmless;
use stint_proto::{BUS_NAME, ErrorCode, ExitStatus, INTERFACE, OBJECT_PATH};
use tokio::runtime::Runtime;
use zbus::zvariant::{DynamicDeserialize, DynamicType};

use crate::failure::Failure;

/// The longest wait for an answer: the daemon may have to wait for the locks of the group files.
const LIMIT: Duration = Duration::from_secs(60);
/// The same where a person may have to type a password: the daemon waits 120 s for it.
const PASSWORD_LIMIT: Duration = Duration::from_secs(150);

/// How often, and with what pauses, it is looked whether a daemon that is being started has its name
/// on the bus.
const STARTING_TRIES: usize = 20;
const STARTING_PAUSE: Duration = Duration::from_millis(100);

/// Calls a method of the daemon.
///
/// # Errors
/// With the daemon's own message, or status 69 when it cannot be reached.
pub fn call<B, R>(method: &str, body: &B) -> Result<R, Failure>
where
    B: Serialize + DynamicType,
    R: for<'d> DynamicDeserialize<'d>,
{
    runtime()?.block_on(ask(method, body, LIMIT))
}

/// Calls a method of the daemon if it runs: one that somebody has stopped is not started for it, as
/// the bus else does. One that is just being started is waited for, for a moment.
///
/// # Errors
/// As [`call`].
pub fn call_running<R>(method: &str) -> Result<R, Failure>
where
    R: for<'d> DynamicDeserialize<'d>,
{
    let call = async || {
        let bus = zbus::Connection::system().await.map_err(|_| no_bus())?;
        let daemon = zbus::proxy::Builder::<zbus::Proxy<'_>>::new(&bus)
            .destination(BUS_NAME)
            .path(OBJECT_PATH)
            .interface(INTERFACE)
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await
            .map_err(|error| refused(&error))?;
        let flags = zbus::proxy::MethodFlags::NO_AUTO_START;
        let answer = daemon.call_with_flags(method, flags, &()).await;
        // Nothing only where no answer was asked for.
        answer.map_err(|error| refused(&error))?.ok_or_else(|| unreachable("it does not answer"))
    };
    let patiently = async {
        for _ in 0..STARTING_TRIES {
            match call().await {
                Err(failure) if failure.status == ExitStatus::Unavailable => {}
                done => return done,
            }
            tokio::time::sleep(STARTING_PAUSE).await;
        }
        call().await
    };
    runtime()?.block_on(async {
        tokio::time::timeout(LIMIT, patiently)
            .await
            .unwrap_or_else(|_| Err(unreachable("it does not answer")))
    })
}

/// Calls a method for which the daemon may have to wait for a person's password; who is to be asked
/// for it on this terminal calls by [`crate::agent::call`].
///
/// # Errors
/// As [`call`].
pub fn call_with_password<B, R>(method: &str, body: &B) -> Result<R, Failure>
where
    B: Serialize + DynamicType,
    R: for<'d> DynamicDeserialize<'d>,
{
    runtime()?.block_on(ask(method, body, PASSWORD_LIMIT))
}

/// What a question runs on. Drives everything in this thread.
///
/// # Errors
/// When the system refuses it.
pub fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the system refused a runtime: {error}")))
}

/// Calls a method of the daemon that answers within `limit`.
///
/// # Errors
/// As [`call`].
pub async fn ask<B, R>(method: &str, body: &B, limit: Duration) -> Result<R, Failure>
where
    B: Serialize + DynamicType,
    R: for<'d> DynamicDeserialize<'d>,
{
    let call = async {
        let bus = zbus::Connection::system().await.map_err(|_| no_bus())?;
        ask_over(&bus, method, body).await
    };
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or_else(|_| Err(unreachable("it does not answer")))
}

/// A connection for many calls, one after the other.
pub struct Line {
    runtime: Runtime,
    bus: zbus::Connection,
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// As [`call`].
    pub fn open() -> Result<Self, Failure> {
        let runtime = runtime()?;
        let bus = runtime.block_on(async {
            let connected = tokio::time::timeout(LIMIT, zbus::Connection::system()).await;
            connected.ok().and_then(Result::ok).ok_or_else(no_bus)
        })?;
        Ok(Self { runtime, bus })
    }

    /// Calls a method of the daemon.
    ///
    /// # Errors
    /// As [`call`].
    pub fn call<B, R>(&self, method: &str, body: &B) -> Result<R, Failure>
    where
        B: Serialize + DynamicType,
        R: for<'d> DynamicDeserialize<'d>,
    {
        let call = ask_over(&self.bus, method, body);
        self.runtime
            .block_on(async { tokio::time::timeout(LIMIT, call).await })
            .unwrap_or_else(|_| Err(unreachable("it does not answer")))
    }

    /// Lets time pass.
    pub fn pause(&self, length: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(length).await });
    }
}

async fn ask_over<B, R>(bus: &zbus::Connection, method: &str, body: &B) -> Result<R, Failure>
where
    B: Serialize + DynamicType,
    R: for<'d> DynamicDeserialize<'d>,
{
    let answer = bus
        .call_method(Some(BUS_NAME), OBJECT_PATH, Some(INTERFACE), method, body)
        .await
        .map_err(|error| refused(&error))?;
    answer.body().deserialize().map_err(|_| {
        Failure::failed(
            "stintd answered in words of another version. root: systemctl restart stintd",
        )
    })
}

fn no_bus() -> Failure {
    unreachable("the system bus does not answer")
}

fn unreachable(why: &str) -> Failure {
    let text = format!("stintd cannot be reached: {why}. root: systemctl status stintd");
    Failure::new(ExitStatus::Unavailable, text)
}

fn refused(error: &zbus::Error) -> Failure {
    use zbus::DBusError;
    match error {
        zbus::Error::MethodError(name, text, _) => {
            by_name(name.as_str(), text.as_deref().unwrap_or_default())
        }
        zbus::Error::FDO(error) => {
            by_name(error.name().as_str(), error.description().unwrap_or_default())
        }
        zbus::Error::InputOutput(_) => unreachable("the connection was lost"),
        other => Failure::failed(harmless(&other.to_string())),
    }
}

/// An error of the bus or of the daemon, as the command says it.
fn by_name(name: &str, text: &str) -> Failure {
    const BUS: &str = "org.freedesktop.DBus.Error.";
    if let Some(code) = ErrorCode::from_bus_name(name) {
        let lines: Vec<String> = text.lines().map(harmless).collect();
        return Failure::new(code.exit_status(), lines.join("\n"));
    }
    // The bus had systemd start it, and systemd would not: masked, or not installed.
    if name.starts_with("org.freedesktop.systemd1.") {
        return unreachable("it does not run");
    }
    match name.strip_prefix(BUS) {
        Some("ServiceUnknown" | "NameHasNoOwner") => unreachable("it does not run"),
        Some("NoReply" | "Timeout" | "TimedOut") => unreachable("it does not answer"),
        Some("Disconnected" | "NoServer") => no_bus(),
        Some("UnknownMethod" | "UnknownInterface" | "UnknownObject" | "InvalidArgs") => {
            Failure::failed("stintd is of another version. root: systemctl restart stintd")
        }
        _ => Failure::failed(harmless(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_is_away_is_status_69() {
        for (name, why) in [
            ("ServiceUnknown", "it does not run"),
            ("NoReply", "it does not answer"),
            ("NoServer", "the system bus does not answer"),
        ] {
            let failure = by_name(&format!("org.freedesktop.DBus.Error.{name}"), "x");
            assert_eq!(failure.status, ExitStatus::Unavailable);
            let wanted =
                format!("stint: stintd cannot be reached: {why}. root: systemctl status stintd");
            assert_eq!(failure.message, wanted);
        }
        let masked =
            by_name("org.freedesktop.systemd1.UnitMasked", "Unit stintd.service is masked.");
        assert_eq!(masked, unreachable("it does not run"));
    }

    #[test]
    fn the_daemons_own_errors_keep_their_message_and_status() {
        for code in ErrorCode::ALL {
            let failure = by_name(code.bus_name(), "no role \u{1b}[2J");
            assert_eq!(failure.status, code.exit_status());
            assert_eq!(failure.message, "stint: no role \\u{1b}[2J");
        }
    }
}
