//! Following a store: everything in it that may be for this host is handed to stintd, first all that lies
//! there, then what is put there, as it is put there. Judges no document; of those that count it keeps
//! nothing.

use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use etcd_client::{Client, Error, GetOptions};
use stint_policy::text::harmless;
use stint_proto::{Length, fleet};

use super::answers::{Answers, Short};
use super::head::is_for_others;
use super::offer::{KEY_LIMIT, name, unfit};
use super::pages::Entry;
use super::pages::is_too_large;
use super::reading::Reading;
use super::troubled::Troubled;
use super::watch::{Change, Heard, Start, Watch};
use super::{Level, is_compacted, is_lost, within, words};
use crate::follow::{End, Follower, Outcome, Tidings};
use crate::quiet::Quiet;
use crate::stintd::Daemon;
use crate::{chance, clock};

/// How long stintd is left alone after it was away; twice that each time, up to the usual pause.
const STINTD_AGAIN: Duration = Duration::from_secs(5);

/// Before all is read again a part of this goes by, as chance has it.
const ANEW: Duration = Duration::from_secs(2);

/// Why the store is not followed at the moment.
#[derive(Debug)]
pub(super) enum Stop {
    /// The connection is of no use any more.
    Lost(String),
    /// All has to be read again.
    Anew,
    /// stintd is not there to take anything.
    Away(String),
}

/// What is known of a store from one connection to the next.
pub(super) struct Inbox<'a, D, S> {
    pub(super) daemon: &'a D,
    pub(super) say: &'a S,
    pub(super) every: Length,
    pub(super) answers: &'a Answers,
    quiet: Quiet,
    /// This host's name, as stintd knows it.
    host: String,
    /// Where what is for all hosts lies, and what is for this one.
    prefixes: [String; 2],
    /// From which revision on each of them is watched; none before all of it was read once.
    from: Option<[i64; 2]>,
    /// Which store that was.
    cluster: u64,
    troubled: Troubled,
    /// How the store fares.
    store: Follower,
    /// What of it is too much.
    overfull: Option<String>,
    /// How often in a row stintd was away.
    away: u32,
    /// How many documents stintd was offered.
    offered: usize,
}

impl<'a, D: Daemon, S: Fn(Level, &str)> Inbox<'a, D, S> {
    pub(super) fn new(daemon: &'a D, say: &'a S, every: Length, answers: &'a Answers) -> Self {
        Self {
            daemon,
            say,
            every,
            answers,
            quiet: Quiet::default(),
            host: String::new(),
            prefixes: [fleet::FLEET.to_owned(), String::new()],
            from: None,
            cluster: 0,
            troubled: Troubled::default(),
            store: Follower::new(every),
            overfull: None,
            away: 0,
            offered: 0,
        }
    }

    pub(super) fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    /// How many documents were handed over so far, good or not.
    pub(super) fn handed_over(&self) -> usize {
        self.offered
    }

    /// Follows the store until the connection is lost, and says why it was.
    pub(super) async fn serve(&mut self, client: &Client) -> String {
        loop {
            let stop = match self.ask_who_we_are().await {
                Err(stop) => stop,
                Ok(()) => match self.follow(client).await {
                    Ok(never) => match never {},
                    Err(stop) => stop,
                },
            };
            match stop {
                Stop::Lost(why) => return why,
                Stop::Anew => {
                    self.from = None;
                    // All hosts of a fleet may have to, and a store may say so again and again.
                    tokio::time::sleep(
                        ANEW.mul_f64(0.1 + 0.9 * f64::from(chance()) / 4_294_967_296.0),
                    )
                    .await;
                }
                Stop::Away(why) => {
                    self.from = None;
                    self.is_away(&why).await;
                }
            }
        }
    }

    /// Asks stintd which host this is: what is for it lies below its name.
    pub(super) async fn ask_who_we_are(&mut self) -> Result<(), Stop> {
        let told = self.daemon.publication(0, 0).await.map_err(Stop::Away)?;
        if !fleet::is_host(&told.host) {
            let host = harmless(&told.host);
            return Err(Stop::Away(format!("this host's name, {host}, can be no part of a key")));
        }
        if self.host != told.host {
            self.from = None;
            self.prefixes[1] = fleet::inbox(&told.host);
            self.host = told.host;
        }
        Ok(())
    }

    async fn follow(&mut self, client: &Client) -> Result<Infallible, Stop> {
        let daemon = self.daemon;
        let mut restarted = pin!(daemon.restarted());
        let revision = self.where_it_stands(client).await?;
        let mut reading =
            self.from.is_none().then(|| Reading::new(client, &self.prefixes, revision));
        if reading.is_some() {
            self.learn(client).await?;
        }
        let mut from = self.from.unwrap_or([revision.saturating_add(1); 2]);
        let starts = [0, 1].map(|part: usize| Start {
            prefix: self.prefixes.get(part).map(String::as_str).unwrap_or_default(),
            revision: from.get(part).copied().unwrap_or_default(),
        });
        let mut watch = Watch::open(client, &starts).await.map_err(|error| stopped(&error))?;
        self.fares_well().await;
        let mut report = pin!(tokio::time::sleep(Duration::from_secs(self.every.seconds())));
        loop {
            let due = self.troubled.next().map(|(due, key)| (due, key.to_vec()));
            let wait = due
                .as_ref()
                .map_or(Duration::MAX, |(due, _)| due.saturating_sub(clock::since_boot()));
            tokio::select! {
                biased;
                heard = watch.next() => {
                    let Heard::Changes { part, changes, revision } = told(heard)? else { continue };
                    for change in changes {
                        self.changed(change).await?;
                    }
                    // Only now: what stintd was not there to take is told again.
                    if let Some(from) = from.get_mut(part) {
                        *from = revision;
                    }
                    if reading.is_none() {
                        self.from = Some(from);
                    }
                }
                () = &mut restarted => return Err(Stop::Anew),
                () = &mut report => {
                    self.fares_well().await;
                    report.set(tokio::time::sleep(Duration::from_secs(self.every.seconds())));
                }
                () = tokio::time::sleep(wait), if due.is_some() => {
                    let key = due.map(|(_, key)| key).unwrap_or_default();
                    self.look_again(client, &key).await?;
                }
                () = ready(()), if reading.is_some() => {
                    if self.read_on(&mut reading).await? {
                        self.from = Some(from);
                    }
                }
            }
        }
    }

    /// One document more; says whether that was the last.
    pub(super) async fn read_on(&mut self, reading: &mut Option<Reading>) -> Result<bool, Stop> {
        let Some(open) = reading else { return Ok(true) };
        match open.next().await.map_err(|error| stopped(&error))? {
            Some(entry) => {
                self.consider(entry).await?;
                Ok(false)
            }
            None => {
                let overfull = open.overfull.take();
                if overfull != self.overfull {
                    self.overfull = overfull;
                    self.fares_well().await;
                }
                *reading = None;
                Ok(true)
            }
        }
    }

    /// Which revision the store is at, and whether it is still the one that was followed. That we may read
    /// both parts is told here, in the store's own words.
    pub(super) async fn where_it_stands(&mut self, client: &Client) -> Result<i64, Stop> {
        let mut revision = 0;
        let mut cluster = 0;
        for prefix in &self.prefixes {
            let options = GetOptions::new().with_prefix().with_count_only();
            let answer = within(client.kv_client().get(prefix.as_str(), Some(options))).await;
            let answer = answer.map_err(|error| match is_lost(&error) {
                true => stopped(&error),
                false => Stop::Lost(format!("{prefix} cannot be read: {}", words(&error))),
            })?;
            let header = answer.header();
            let at = header.map(|header| header.revision()).unwrap_or_default();
            cluster = header.map(|header| header.cluster_id()).unwrap_or_default();
            revision = if revision == 0 { at } else { at.min(revision) };
        }
        // One that was set up anew, or from an old copy, would be silent for long.
        let ahead = |from: &[i64; 2]| from.iter().any(|from| *from > revision.saturating_add(1));
        if self.cluster != cluster || self.from.as_ref().is_some_and(ahead) {
            self.from = None;
        }
        self.cluster = cluster;
        Ok(revision)
    }

    async fn learn(&mut self, client: &Client) -> Result<(), Stop> {
        match self.answers.learn(client, &self.host).await {
            Err(error) if is_lost(&error) => Err(stopped(&error)),
            // They are told anew then.
            Err(_) | Ok(()) => Ok(()),
        }
    }

    async fn changed(&mut self, change: Change) -> Result<(), Stop> {
        match change {
            Change::Put(entry) => self.consider(entry).await,
            Change::Deleted(key) => {
                self.is_gone(&key).await;
                Ok(())
            }
        }
    }

    async fn look_again(&mut self, client: &Client, key: &[u8]) -> Result<(), Stop> {
        self.troubled.begun(key);
        let found = within(client.kv_client().get(key, None)).await;
        let mut found = found.map_err(|error| stopped(&error))?;
        match found.take_kvs().into_iter().next() {
            None => {
                self.is_gone(key).await;
                Ok(())
            }
            Some(found) => {
                let revision = found.mod_revision();
                let (key, value) = found.into_key_value();
                self.consider(Entry { key, value: Some(value), revision }).await
            }
        }
    }

    /// Of what is not there any more nothing is wrong.
    async fn is_gone(&mut self, key: &[u8]) {
        if self.troubled.forget(key) {
            // Should stintd not hear it, it forgets it by itself.
            let _ = self.daemon.report(&name(key), "").await;
        }
    }

    /// Hands a document over, if it may be for this host, and notes what came of it.
    async fn consider(&mut self, entry: Entry) -> Result<(), Stop> {
        let Entry { key, value, .. } = entry;
        let shared = key.starts_with(fleet::FLEET.as_bytes());
        if shared && value.as_ref().is_some_and(|value| is_for_others(value, &self.host)) {
            self.is_gone(&key).await;
            return Ok(());
        }
        let name = name(&key);
        let (outcome, offered) = match unfit(&key, value.as_deref()) {
            Some(why) => (Outcome::Refused(why.to_owned()), false),
            None => (self.daemon.deliver(&name, value.as_deref().unwrap_or_default()).await, true),
        };
        if let Outcome::Away(why) = outcome {
            return Err(Stop::Away(why));
        }
        self.away = 0;
        self.offered = self.offered.saturating_add(usize::from(offered));
        let now = clock::since_boot();
        let mut follower = self.troubled.get(&key).unwrap_or_else(|| Follower::new(self.every));
        let end = match &outcome {
            Outcome::Refused(why) if !offered => End::Failed(why.clone()),
            outcome => End::Delivered { tag: None, outcome: outcome.clone() },
        };
        let tidings = follower.ended(end, now);
        self.tell(&name, &tidings);
        if let Some(report) = &tidings.report
            && self.daemon.report(&name, report).await.is_err()
        {
            follower.not_heard();
        }
        if let Some(value) = &value {
            let key = harmless(&String::from_utf8_lossy(&key));
            self.answers.say(&self.host, &key, Short::of(value), &outcome, tidings.news);
        }
        if tidings.well {
            self.troubled.forget(&key);
        } else if key.len() <= KEY_LIMIT {
            let due = offered.then(|| now.saturating_add(follower.pause(chance())));
            // Without room it is looked at again when all is.
            self.troubled.keep(&key, follower, due);
        }
        Ok(())
    }

    /// Of many documents the first are told, and the others counted.
    fn tell(&mut self, name: &str, tidings: &Tidings) {
        if !tidings.news {
            return;
        }
        let (may, untold) = self.quiet.take(clock::since_boot());
        if untold > 0 {
            (self.say)(Level::Warning, &format!("etcd: {untold} more were not told"));
        }
        if may {
            self.say(name, tidings);
        }
    }

    fn say(&self, name: &str, tidings: &Tidings) {
        let level = if tidings.well { Level::Information } else { Level::Warning };
        (self.say)(level, &format!("{name}: {}", tidings.line));
    }

    /// The store answers; tells stintd so, and of what is too much in it.
    async fn fares_well(&mut self) {
        let end = match &self.overfull {
            Some(overfull) => End::Failed(overfull.clone()),
            None => End::Unchanged,
        };
        self.fares(end).await;
    }

    /// The store is not followed at the moment, and why.
    pub(super) async fn is_lost(&mut self, why: &str) {
        self.fares(End::Failed(why.to_owned())).await;
    }

    async fn fares(&mut self, end: End) {
        let tidings = self.store.ended(end, clock::since_boot());
        if tidings.news {
            self.say(fleet::SOURCE, &tidings);
        }
        if let Some(report) = &tidings.report
            && self.daemon.report(fleet::SOURCE, report).await.is_err()
        {
            self.store.not_heard();
        }
    }

    /// stintd is away: it is waited for.
    async fn is_away(&mut self, why: &str) {
        let tidings = self.store.ended(
            End::Delivered { tag: None, outcome: Outcome::Away(why.to_owned()) },
            clock::since_boot(),
        );
        if tidings.news {
            self.say(fleet::SOURCE, &tidings);
        }
        let longest = Duration::from_secs(self.every.seconds());
        let pause = STINTD_AGAIN.saturating_mul(1_u32.checked_shl(self.away).unwrap_or(u32::MAX));
        self.away = self.away.saturating_add(1);
        tokio::select! {
            () = self.daemon.restarted() => {}
            () = tokio::time::sleep(pause.min(longest)) => {}
        }
    }
}

/// What an error of the store means to whoever follows it.
pub(super) fn stopped(error: &Error) -> Stop {
    // A change that is larger than an answer may be is passed by reading all anew.
    match is_compacted(error) || is_too_large(error) {
        true => Stop::Anew,
        false => Stop::Lost(words(error)),
    }
}

fn told(heard: Result<Heard, Error>) -> Result<Heard, Stop> {
    match heard {
        Err(error) => Err(stopped(&error)),
        Ok(Heard::Compacted) => Err(Stop::Anew),
        Ok(Heard::Ended(why)) => Err(Stop::Lost(why)),
        Ok(changes) => Ok(changes),
    }
}
