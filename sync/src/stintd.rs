//! Handing documents to stintd over the system bus, and telling it how a source fares. stintd alone
//! judges; here its answer is only read.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_core::Stream;
use stint_policy::text::harmless;
use stint_proto::{
    BUS_NAME, Delivery, DeliveryOutcome, ErrorCode, INTERFACE, OBJECT_PATH, Publication,
};
use zbus::proxy::MethodFlags;
use zbus::{Connection, Proxy};

use crate::follow::Outcome;

/// How long stintd may take: documents wait their turn there, and a policy is looked at with the
/// account database.
const LIMIT: Duration = Duration::from_secs(120);
/// How long after the bus was lost it is looked for again.
const BUS_AGAIN: Duration = Duration::from_secs(5);

/// Who judges what is brought, and says what there is to say of this host.
pub trait Daemon {
    /// Hands over a document that came from `source`.
    fn deliver(&self, source: &str, document: &[u8]) -> impl Future<Output = Outcome>;
    /// Tells how a source fares: empty if it answers.
    ///
    /// # Errors
    /// When it did not hear of it.
    fn report(&self, source: &str, error: &str) -> impl Future<Output = Result<(), Outcome>>;
    /// What this host says of itself: as soon as it is another than `seen`, or after so many seconds.
    ///
    /// # Errors
    /// When it does not say, in words for people.
    fn publication(
        &self,
        seen: u64,
        seconds: u64,
    ) -> impl Future<Output = Result<Publication, String>>;
    /// Waits until it has been started again: it may have lost what it held.
    fn restarted(&self) -> impl Future<Output = ()>;
}

/// stintd, on the system bus. It is never started: where somebody has stopped it, it stays stopped.
#[derive(Default)]
pub struct Bus {
    /// Kept from call to call, and of one runtime.
    connection: Mutex<Option<Connection>>,
}

impl Daemon for Bus {
    async fn deliver(&self, source: &str, document: &[u8]) -> Outcome {
        match self.call::<_, Delivery>("Deliver", &(source, document)).await {
            Ok(delivery) => taken(&delivery),
            Err(failure) => failure,
        }
    }

    async fn report(&self, source: &str, error: &str) -> Result<(), Outcome> {
        self.call("SourceReport", &(source, error)).await
    }

    async fn publication(&self, seen: u64, seconds: u64) -> Result<Publication, String> {
        let asked = self.call("Publication", &(seen, seconds)).await;
        asked.map_err(|failure| match failure {
            Outcome::Refused(why) | Outcome::Failed(why) | Outcome::Away(why) => why,
            Outcome::Taken(_) | Outcome::Known => String::new(),
        })
    }

    async fn restarted(&self) {
        let mut heard = false;
        loop {
            if self.owner_changed(heard).await.is_ok() {
                return;
            }
            // What happens while nobody listens is not heard.
            heard = true;
            tokio::time::sleep(BUS_AGAIN).await;
        }
    }
}

impl Bus {
    async fn call<B, R>(&self, method: &str, body: &B) -> Result<R, Outcome>
    where
        B: serde::Serialize + zbus::DynamicType,
        R: for<'d> zbus::wire::DynamicDeserialize<'d>,
    {
        let asked = tokio::time::timeout(LIMIT, async {
            let stintd = self.stintd().await?;
            stintd.call_with_flags(method, MethodFlags::NO_AUTO_START, body).await
        });
        match asked.await {
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Ok(None)) | Err(_) => Err(Outcome::Away("stintd does not answer".to_owned())),
            Ok(Err(error)) => {
                if matches!(error, zbus::Error::InputOutput(_)) {
                    *self.kept() = None;
                }
                Err(failed(&error))
            }
        }
    }

    async fn stintd(&self) -> zbus::Result<Proxy<'static>> {
        let kept = self.kept().clone();
        let bus = match kept {
            Some(bus) => bus,
            None => {
                let bus = Connection::system().await?;
                *self.kept() = Some(bus.clone());
                bus
            }
        };
        Proxy::new(&bus, BUS_NAME, OBJECT_PATH, INTERFACE).await
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody takes the name anew; with `now`, it is enough that somebody has it.
    async fn owner_changed(&self, now: bool) -> zbus::Result<()> {
        let stintd = self.stintd().await?;
        let mut owners = stintd.receive_owner_changed().await?;
        if now && self.publication(0, 0).await.is_ok() {
            return Ok(());
        }
        while let Some(owner) = poll_fn(|context| Pin::new(&mut owners).poll_next(context)).await {
            if owner.is_some() {
                return Ok(());
            }
        }
        *self.kept() = None;
        Err(zbus::Error::InvalidReply)
    }
}

/// Hands over a document that came from `source`, in this thread.
pub fn deliver(source: &str, document: &[u8]) -> Outcome {
    within(Bus::default().deliver(source, document)).unwrap_or_else(Outcome::Away)
}

/// Tells how a source fares, in this thread: empty if it answers.
///
/// # Errors
/// When stintd did not hear of it.
pub fn report(source: &str, error: &str) -> Result<(), Outcome> {
    within(Bus::default().report(source, error)).unwrap_or_else(|why| Err(Outcome::Away(why)))
}

fn within<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = crate::store::runtime().map_err(|error| harmless(&error.to_string()))?;
    Ok(runtime.block_on(work))
}

fn taken(delivery: &Delivery) -> Outcome {
    match delivery.outcome {
        DeliveryOutcome::Taken => Outcome::Taken(one_line(&delivery.message)),
        DeliveryOutcome::Known => Outcome::Known,
    }
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
        Some(ErrorCode::Failed) => Outcome::Failed(text),
        Some(ErrorCode::Denied | ErrorCode::NoSuchId) => Outcome::Away(text),
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
            let wanted = match code {
                _ if refuses => Outcome::Refused(wanted),
                ErrorCode::Failed => Outcome::Failed(wanted),
                _ => Outcome::Away(wanted),
            };
            assert_eq!(outcome, wanted, "{code:?}");
        }
        for name in ["NoReply", "ServiceUnknown", "UnknownMethod", "LimitsExceeded"] {
            let error = by_name(&format!("org.freedesktop.DBus.Error.{name}"), "x");
            assert!(matches!(error, Outcome::Away(_)), "{name}");
        }
    }
}
