//! Making polkit forget what it knew by rules that are gone. A question that it asks by a rule can
//! be answered after the rule is gone, and is a yes then; an answer that it keeps holds for minutes.
//! Both are in polkit's memory alone, and its own calls take back only what the caller's session was
//! given: so it is restarted. Where it does not run there is nothing to forget.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use zbus::Connection;

use super::Engine;
use super::failure::{About, Failure};
use crate::{polkit, systemd};

const UNIT: &str = "polkit.service";
/// How long a restart may take before it is an alarm. Systemd kills what does not end after 90 s.
const LIMIT: Duration = Duration::from_secs(30);
/// The time between two restarts: systemd starts a unit no more than five times in 10 s.
const APART: Duration = Duration::from_secs(3);
/// The pauses between two tries, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

impl Engine {
    /// Makes polkit forget, whenever it has to, for as long as the daemon runs.
    pub async fn serve_forgetting(self: Arc<Self>) -> Infallible {
        loop {
            // First of all what a daemon before this one has left to be done.
            let (mut pause, longest) = PAUSES;
            let restarted = loop {
                match self.forget_now().await {
                    Ok(restarted) => break restarted,
                    Err(text) => {
                        self.state().unforgotten = Some(text.clone());
                        let about = About::PolkitMemory;
                        self.alarm(Failure { about, text: text.clone() }, &text);
                    }
                }
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(longest);
            };
            self.state().unforgotten = None;
            if restarted {
                tokio::time::sleep(APART).await;
            }
            self.ruled.notified().await;
        }
    }

    /// Makes polkit forget now, if it has to; whether it was restarted for it.
    ///
    /// # Errors
    /// One line: what it may still know, and why it could not be made to forget.
    pub(super) async fn forget_now(&self) -> Result<bool, String> {
        let done = self.forget().await;
        done.map_err(|why| format!("polkit may still take a password for what has ended: {why}"))
    }

    async fn forget(&self) -> Result<bool, String> {
        let Some(noted) = self.polkit.remembers() else { return Ok(false) };
        let no_bus = || "the system bus cannot be reached".to_owned();
        let bus = self.bus_within(LIMIT).await.ok_or_else(no_bus)?;
        let there = tokio::time::timeout(LIMIT, polkit::is_there(&bus)).await;
        let there = there.map_err(|_| no_bus())?.map_err(|error| error.to_string())?;
        if there {
            systemd::try_restart(&bus, UNIT, LIMIT).await.map_err(|error| error.to_string())?;
        }
        self.polkit.forgotten(noted).map_err(|error| error.to_string())?;
        Ok(there)
    }

    /// The connection to the system bus, as soon as there is one.
    pub(super) async fn bus_within(&self, limit: Duration) -> Option<Connection> {
        let mut bus = self.bus.get()?.clone();
        let there = tokio::time::timeout(limit, bus.wait_for(Option::is_some)).await;
        there.ok()?.ok()?.clone()
    }
}
