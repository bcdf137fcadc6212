//! Publishing what a host says of itself in the store of a fleet: what stintd hands over is compared with
//! what lies there, and the difference is written. It decides nothing, and believes nothing that lies
//! there: it is put right.

mod alive;
mod book;
mod outbox;
mod place;

use std::time::Duration;

use etcd_client::Client;
use stint_policy::text::quoted;
use stint_proto::Publication;
use stint_proto::fleet::{SOURCE, is_host};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::stintd::Daemon;
use crate::{Level, chance, clock};
use book::{Book, Failed, Shelf};
use place::Place;

/// How stintd is told of what cannot be published, beside the sources of documents.
const PUBLISHING: &str = "etcd: what this host publishes";

/// What is told where there is more than finds room.
const NOT_ALL: &str =
    "not all is published: there are too many requests and grants, or too long ones";
/// How long stintd is waited for with one question.
const POLL: u64 = 60;
/// When it is no longer believed to answer that.
const POLL_LIMIT: Duration = Duration::from_secs(POLL + 20);
/// The shortest time from one round of writes to the next: what changes meanwhile is written with it.
const PACE: Duration = Duration::from_secs(1);
/// Within how long is written what nobody waits for.
const SPREAD: Duration = Duration::from_secs(5);
/// How long until stintd is asked again where it did not answer.
const STINTD: Duration = Duration::from_secs(5);
/// How often it may not answer before that is told.
const AWAY: u32 = 2;
/// How long until the store is tried again where it refused.
const REFUSED: Duration = Duration::from_secs(30);

/// Publishes for one host, over one connection to the store after the other.
pub struct Publisher<'a, D, S> {
    daemon: &'a D,
    say: &'a S,
    /// The trouble that was told last and is not over.
    trouble: Option<String>,
    /// How often in a row stintd did not answer.
    away: u32,
}

impl<'a, D: Daemon, S: Fn(Level, &str)> Publisher<'a, D, S> {
    /// What stintd hands over is published; what there is to tell goes to `say`, a line at a time.
    pub fn new(daemon: &'a D, say: &'a S) -> Self {
        Self { daemon, say, trouble: None, away: 0 }
    }

    /// Publishes until the connection is lost, and says in one line why it is. What the store refuses is
    /// told once, and tried again every half minute. It may be broken off anywhere: what lies there is read
    /// at every beginning.
    pub async fn serve(&mut self, client: &Client) -> String {
        let (tell, answers) = watch::channel(None);
        tokio::select! {
            why = self.write(Book::new(Place::new(client)), &tell) => why,
            why = alive::keep(client, answers) => why,
        }
    }

    async fn write(
        &mut self,
        mut book: Book<Place<'_>>,
        answers: &watch::Sender<Option<String>>,
    ) -> String {
        let mut seen = 0;
        loop {
            let publication = match self.ask_unhurried(seen, &book).await {
                Ok(publication) => publication,
                Err(why) => {
                    answers.send_replace(None);
                    self.is_away(why).await;
                    continue;
                }
            };
            self.away = 0;
            answers.send_replace(Some(publication.host.clone()));
            match book.bring(&publication).await {
                Ok(left_out) => {
                    seen = publication.version;
                    self.is_well(left_out).await;
                    sleep(PACE).await;
                }
                Err(Failed::Lost(why)) => return why,
                Err(Failed::Refused(why)) => {
                    self.is_wrong(format!("this host is not published: {why}")).await;
                    sleep(REFUSED).await;
                }
            }
        }
    }

    /// The same; where nobody waits for what has changed, it may have changed again: what all of a fleet
    /// would write in one moment is written within some seconds, as chance has it.
    async fn ask_unhurried<P: Shelf>(
        &self,
        seen: u64,
        book: &Book<P>,
    ) -> Result<Publication, String> {
        let mut publication = self.ask(seen).await?;
        let until = clock::since_boot().saturating_add(spread(chance()));
        while book.can_wait(&publication) {
            let left = until.saturating_sub(clock::since_boot());
            let Ok(next) = timeout(left, self.ask(publication.version)).await else { break };
            publication = next?;
            // A flood of such changes is not asked for one by one.
            if book.can_wait(&publication) {
                sleep(PACE.min(left)).await;
            }
        }
        Ok(publication)
    }

    /// What there is to publish, under a name that can stand in a key.
    async fn ask(&self, seen: u64) -> Result<Publication, String> {
        let asked = timeout(POLL_LIMIT, self.daemon.publication(seen, POLL)).await;
        let publication = asked.unwrap_or_else(|_| Err("stintd does not answer".to_owned()))?;
        match is_host(&publication.host) {
            true => Ok(publication),
            false => {
                let name = quoted(&publication.host);
                Err(format!("the name of this host, {name}, can be no part of a key"))
            }
        }
    }

    /// Waits for stintd. It is not told at once: it may only be started again.
    async fn is_away(&mut self, why: String) {
        self.away = self.away.saturating_add(1);
        if self.away > AWAY {
            self.is_wrong(format!("this host is not published: {why}")).await;
        }
        tokio::select! {
            () = self.daemon.restarted() => {}
            () = sleep(STINTD) => {}
        }
    }

    /// Tells a trouble, once while it lasts; stintd each time: one that was started again has forgotten
    /// it, and what it does not hear is in the journal.
    async fn is_wrong(&mut self, why: String) {
        let _ = self.daemon.report(PUBLISHING, &why).await;
        if self.trouble.as_ref() != Some(&why) {
            (self.say)(Level::Warning, &format!("{SOURCE}: {why}"));
            self.trouble = Some(why);
        }
    }

    async fn is_well(&mut self, left_out: u32) {
        if left_out > 0 {
            // Without the number: it is another one with each request of a flood.
            if self.trouble.as_deref() != Some(NOT_ALL) {
                self.is_wrong(NOT_ALL.to_owned()).await;
            }
        } else if self.trouble.take().is_some() {
            (self.say)(Level::Information, &format!("{SOURCE}: this host is published again"));
            let _ = self.daemon.report(PUBLISHING, "").await;
        }
    }
}

/// Up to [`SPREAD`], as chance has it.
fn spread(chance: u32) -> Duration {
    SPREAD.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
