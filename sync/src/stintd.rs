//! Handing documents to stintd over the system bus, and telling it how a source fares. stintd alone
//! judges; here its answer is only read.

use std::future::Future;
use std::time::Duration;

use stint_policy::text::harmless;
use stint_proto::{BUS_NAME, Delivery, DeliveryOutcome, ErrorCode, INTERFACE, OBJECT_PATH};
use zbus::proxy::MethodFlags;
use zbus::{Connection, Proxy};

use crate::follow::Outcome;

/// How long stintd may take: documents wait their turn there, and a policy is looked at with the
/// account database.
const LIMIT: Duration = Duration::from_secs(120);

/// Hands over a document that came from `source`.
pub fn deliver(source: &str, document: &[u8]) -> Outcome {
    match call::<_, Delivery>("Deliver", &(source, document)) {
        Ok(delivery) => taken(&delivery),
        Err(failure) => failure,
    }
}

/// Tells how a source fares: empty if it answers.
///
/// # Errors
/// When stintd did not hear of it.
pub fn report(source: &str, error: &str) -> Result<(), Outcome> {
    call("SourceReport", &(source, error))
}

fn taken(delivery: &Delivery) -> Outcome {
    match delivery.outcome {
        DeliveryOutcome::Taken => Outcome::Taken(one_line(&delivery.message)),
        DeliveryOutcome::Known => Outcome::Known,
    }
}

/// Never starts stintd: where somebody has stopped it, it stays stopped.
fn call<B, R>(method: &str, body: &B) -> Result<R, Outcome>
where
    B: serde::Serialize + zbus::DynamicType,
    R: for<'d> zbus::wire::DynamicDeserialize<'d>,
{
    let asked = within(async {
        let bus = Connection::system().await?;
        let stintd = Proxy::new(&bus, BUS_NAME, OBJECT_PATH, INTERFACE).await?;
        stintd.call_with_flags(method, MethodFlags::NO_AUTO_START, body).await
    });
    match asked {
        Some(Ok(Some(answer))) => Ok(answer),
        Some(Ok(None)) | None => Err(Outcome::Away("stintd does not answer".to_owned())),
        Some(Err(error)) => Err(failed(&error)),
    }
}

/// Runs it in this thread; nothing if it takes longer than stintd may.
fn within<T>(work: impl Future<Output = zbus::Result<T>>) -> Option<zbus::Result<T>> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Some(Err(zbus::Error::InputOutput(error.into()))),
    };
    runtime.block_on(async { tokio::time::timeout(LIMIT, work).await }).ok()
}

fn failed(error: &zbus::Error) -> Outcome {
    use zbus::DBusError;
    match error {
        zbus::Error::MethodError(name, text, _) => {
            by_name(name.as_str(), text.as_deref().unwrap_or_default())
        }
        zbus::Error::FDO(error) => {
            by_name(error.name().as_str(), error.description().unwrap_or_default())
        }
        zbus::Error::InputOutput(_) => Outcome::Away("the system bus does not answer".to_owned()),
        other => Outcome::Away(one_line(&other.to_string())),
    }
}

/// Only these errors of stintd's are its word on the document. All others say that it could not
/// judge, or was not asked.
fn by_name(name: &str, text: &str) -> Outcome {
    let text = one_line(text);
    match ErrorCode::from_bus_name(name) {
        Some(ErrorCode::Refused | ErrorCode::PolicyRejected | ErrorCode::Invalid) => {
            Outcome::Refused(text)
        }
        Some(ErrorCode::Failed | ErrorCode::Denied | ErrorCode::NoSuchId) => Outcome::Away(text),
        None if name.ends_with(".ServiceUnknown") || name.ends_with(".NameHasNoOwner") => {
            Outcome::Away("stintd does not run".to_owned())
        }
        None => Outcome::Away(text),
    }
}

/// stintd may say several lines; what is told of a source is one.
fn one_line(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(harmless).filter(|line| !line.is_empty()).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stintds_own_words_refuse_a_document() {
        for code in ErrorCode::ALL {
            let refuses =
                matches!(code, ErrorCode::Refused | ErrorCode::PolicyRejected | ErrorCode::Invalid);
            let outcome = by_name(code.bus_name(), "a\n\u{1b}[2J\n\nb");
            let wanted = "a; \\u{1b}[2J; b".to_owned();
            let wanted = if refuses { Outcome::Refused(wanted) } else { Outcome::Away(wanted) };
            assert_eq!(outcome, wanted, "{code:?}");
        }
        for name in ["NoReply", "ServiceUnknown", "UnknownMethod", "LimitsExceeded"] {
            let error = by_name(&format!("org.freedesktop.DBus.Error.{name}"), "x");
            assert!(matches!(error, Outcome::Away(_)), "{name}");
        }
    }
}
