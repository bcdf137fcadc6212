//! Hosts that ask a web server, by the code of stint-sync: its requests, its pauses. A few threads look
//! for all of them, each when its time has come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use stint_policy::sync::Settings;
use stint_sync::chance;
use stint_sync::fetch::fetch;
use stint_sync::follow::{End, Fetched, Follower, Outcome, first_pause};
use stint_tests::clock::{pause, wall};

use super::Places;
use super::hosts::Verifier;
use super::tally::Tally;

/// How many look at once.
const THREADS: usize = 8;
/// How long a thread waits that has nothing to look at.
const IDLE: Duration = Duration::from_millis(5);

/// All of them.
pub(crate) struct Pollers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    settings: Settings,
    verifier: Verifier,
    tally: Arc<Tally>,
    /// Who looks when; a host that looks is not among them.
    waiting: Mutex<BTreeMap<(Duration, usize), Follower>>,
    looks: AtomicU64,
    over: AtomicBool,
}

impl Pollers {
    /// Starts so many, which look about every so often.
    pub(crate) fn start(places: &Places, many: usize, every: &str, tally: Arc<Tally>) -> Self {
        let settings = places.settings("root", every);
        let now = wall();
        let first = |host| (now + first_pause(chance()), host);
        let waiting = (0..many).map(|host| (first(host), Follower::new(settings.every))).collect();
        let shared = Arc::new(Shared {
            settings,
            verifier: places.verifier(),
            tally,
            waiting: Mutex::new(waiting),
            looks: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let threads = (0..THREADS).map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.work())
        });
        Self { threads: threads.collect(), shared }
    }

    /// How often any of them has looked so far.
    pub(crate) fn looks(&self) -> u64 {
        self.shared.looks.load(Ordering::Relaxed)
    }
}

impl Drop for Pollers {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn work(&self) {
        while !self.over.load(Ordering::Relaxed) {
            let Some((host, mut follower)) = self.next() else {
                pause(IDLE);
                continue;
            };
            self.look(host, &mut follower);
            let due = wall() + follower.pause(chance());
            self.waiting().insert((due, host), follower);
        }
    }

    /// The host whose time has come.
    fn next(&self) -> Option<(usize, Follower)> {
        let mut waiting = self.waiting();
        let first = waiting.first_entry().filter(|first| first.key().0 <= wall())?;
        let ((_, host), follower) = first.remove_entry();
        Some((host, follower))
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(Duration, usize), Follower>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, host: usize, follower: &mut Follower) {
        let Some(url) = self.settings.urls.first() else { return };
        let fetched = fetch(url, &self.settings, follower.tag(wall()));
        self.looks.fetch_add(1, Ordering::Relaxed);
        let end = match fetched {
            Err(why) => End::Failed(why),
            Ok(Fetched::Unchanged) => End::Unchanged,
            Ok(Fetched::New { document, tag }) => {
                let outcome = match self.verifier.verify(&document) {
                    Ok(()) => Outcome::Taken(String::new()),
                    Err(why) => Outcome::Refused(why),
                };
                self.tally.note(host, &document);
                End::Delivered { tag, outcome }
            }
        };
        let tidings = follower.ended(end, wall());
        assert!(tidings.well, "{}", tidings.line);
    }
}
