//! The queue with a clock and with hooks of the tests' own; the state and the folder are real.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};

use stint_proto::Event;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::clock::{Clock, KernelClock};
use crate::notices::hooks::folder::tests::put;
use crate::record::Journal;
use crate::store::OutboxEvent;

const DAY: i64 = 24 * 3_600 * 1_000_000;

struct TestClock(Mutex<Moment>);

impl Clock for TestClock {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
}

/// How a hook behaves; one that is not scripted any more does well.
#[derive(Clone, Copy)]
enum Play {
    Fails,
    NotThere,
    Hangs,
}

#[derive(Default)]
struct Stage {
    script: Mutex<HashMap<&'static str, VecDeque<Play>>>,
    started: Mutex<Vec<(String, String)>>,
}

impl Start<()> for &'static Stage {
    async fn start(self, (): (), job: Job) -> Result<(), Failure> {
        self.started.lock().unwrap().push((job.hook.clone(), job.event.body));
        let play = self.script.lock().unwrap().get_mut(job.hook.as_str()).and_then(|plays| {
            if plays.len() > 1 { plays.pop_front() } else { plays.front().copied() }
        });
        match play {
            None => Ok(()),
            Some(Play::Fails) => Err(Failure::Failed("status 1".to_owned())),
            Some(Play::NotThere) => Err(Failure::NotThere("no systemd".to_owned())),
            Some(Play::Hangs) => std::future::pending().await,
        }
    }
}

struct World {
    folder: TempDir,
    store: Store,
    hooks: Hooks,
    stage: &'static Stage,
    clock: Arc<TestClock>,
    bus: watch::Sender<Option<()>>,
    running: JoinHandle<()>,
}

impl World {
    fn of(hooks: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("hooks.d")).unwrap();
        for hook in hooks {
            put(&folder.path().join("hooks.d"), hook, 0o755);
        }
        let now = KernelClock.now();
        let clock = Arc::new(TestClock(Mutex::new(now)));
        let stage: &'static Stage = Box::leak(Box::default());
        let (store, _) = Store::open(&folder.path().join("state.sqlite"), "boot").unwrap();
        let (bus, _) = watch::channel(Some(()));
        let hooks = Hooks::default();
        let running = run(folder.path(), &store, &hooks, stage, &clock, &bus);
        Self { folder, store, hooks, stage, clock, bus, running }
    }

    fn hooks_d(&self) -> std::path::PathBuf {
        self.folder.path().join("hooks.d")
    }

    fn plays(&self, hook: &'static str, plays: &[Play]) {
        self.stage.script.lock().unwrap().insert(hook, plays.iter().copied().collect());
    }

    fn does_well(&self, hook: &'static str) {
        self.stage.script.lock().unwrap().remove(hook);
    }

    /// Something happens, now.
    async fn happens(&self, body: &str) {
        let at = self.clock.now().wall;
        self.happened(vec![(body.to_owned(), at)]).await;
    }

    async fn happened(&self, events: Vec<(String, Timestamp)>) {
        let event =
            |(body, at)| Write::Outbox(OutboxEvent { event: Event::RequestCreated, body, at });
        self.store.change(events.into_iter().map(event).collect()).await.unwrap();
        self.hooks.wake();
    }

    fn passes(&self, micros: i64) {
        let mut now = self.clock.0.lock().unwrap();
        now.wall = Timestamp::from_micros(now.wall.micros() + micros);
        now.boot += micros;
        drop(now);
        self.hooks.wake();
    }

    fn told(&self, hook: &str) -> Vec<String> {
        let started = self.stage.started.lock().unwrap();
        started.iter().filter(|(name, _)| name == hook).map(|(_, body)| body.clone()).collect()
    }

    /// Waits until this hook has been started as often as this.
    async fn starts(&self, hook: &str, times: usize) -> Vec<String> {
        until_true(async || self.told(hook).len() >= times).await;
        self.told(hook)
    }

    /// Waits until nothing is in the queue.
    async fn emptied(&self) {
        until_true(async || self.store.outbox().await.unwrap().count == 0).await;
    }

    async fn alarm(&self, part: &str) -> Alarm {
        let find = || self.hooks.alarms().into_iter().find(|alarm| alarm.text.contains(part));
        until_true(async || find().is_some()).await;
        find().unwrap()
    }

    fn gaps(&self) -> Vec<String> {
        let state = rusqlite::Connection::open(self.folder.path().join("state.sqlite")).unwrap();
        let mut rows =
            state.prepare("SELECT message FROM record WHERE event = 'audit.gap'").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }
}

fn run(
    folder: &Path,
    store: &Store,
    hooks: &Hooks,
    stage: &'static Stage,
    clock: &Arc<TestClock>,
    bus: &watch::Sender<Option<()>>,
) -> JoinHandle<()> {
    let journal = Journal::new(folder.join("journal"), folder.join("log"));
    let signing = crate::record::Signing::new(folder.to_owned(), "web-1");
    let record = Record::new(journal, store.clone(), crate::record::KernelAudit::none(), signing);
    let place = Folder::at(&folder.join("hooks.d"));
    let clock: SharedClock = Arc::<TestClock>::clone(clock);
    let queue = Queue::new(hooks.clone(), store.clone(), clock, record, place, stage);
    let bus = bus.subscribe();
    tokio::spawn(async move { match queue.run(bus).await {} })
}

async fn until_true(mut look: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("it never comes");
}

#[tokio::test]
async fn without_hooks_nothing_waits() {
    let world = World::of(&[]);
    world.happens("one").await;
    world.happens("two").await;
    world.emptied().await;
    assert!(world.hooks.alarms().is_empty());
}

#[tokio::test]
async fn every_hook_is_told_everything_once_and_in_order() {
    let world = World::of(&["chat", "mail"]);
    for body in ["one", "two", "three"] {
        world.happens(body).await;
    }
    world.emptied().await;
    assert_eq!(world.told("chat"), ["one", "two", "three"]);
    assert_eq!(world.told("mail"), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_hook_that_hangs_or_fails_holds_up_itself_alone() {
    let world = World::of(&["chat", "hung", "mail"]);
    world.plays("hung", &[Play::Hangs]);
    world.plays("chat", &[Play::Fails]);
    for body in ["one", "two", "three"] {
        world.happens(body).await;
    }
    assert_eq!(world.starts("mail", 3).await, ["one", "two", "three"]);
    world.alarm("hook chat fails, and its events wait: status 1").await;
    assert_eq!((world.told("hung"), world.told("chat")), (vec!["one".into()], vec!["one".into()]));
    assert_eq!(world.store.outbox().await.unwrap().count, 3, "nothing is lost to them");
}

#[tokio::test]
async fn a_hook_that_fails_is_tried_again_after_pauses_that_grow() {
    let world = World::of(&["mail"]);
    world.plays("mail", &[Play::Fails]);
    world.happens("one").await;
    for (tries, pause) in [(1, FIRST_PAUSE), (2, 2 * FIRST_PAUSE), (3, 4 * FIRST_PAUSE)] {
        until_true(async || world.alarm("mail").await.tries == tries).await;
        world.passes(pause - 1);
        world.happens("more").await;
        // The queue has looked: the event that has come since is known to it.
        until_true(async || world.store.outbox().await.unwrap().count > u64::from(tries)).await;
        assert_eq!(
            world.told("mail").len(),
            usize::try_from(tries).unwrap(),
            "not before its time"
        );
        world.passes(1);
        world.starts("mail", usize::try_from(tries).unwrap() + 1).await;
    }
    world.does_well("mail");
    until_true(async || world.alarm("mail").await.tries == 4).await;
    world.passes(LONGEST_PAUSE);
    world.emptied().await;
    assert_eq!(world.told("mail").split_off(4), ["one", "more", "more", "more"]);
    assert!(world.hooks.alarms().is_empty() && world.gaps().is_empty());
}

#[tokio::test]
async fn after_a_day_an_event_is_given_up_and_the_record_says_so() {
    let world = World::of(&["mail"]);
    world.plays("mail", &[Play::Fails]);
    world.happens("one").await;
    world.alarm("mail").await;
    world.passes(DAY);
    world.happens("two").await;
    until_true(async || world.gaps().len() == 1).await;
    let gap = world.gaps().remove(0);
    assert!(gap.starts_with("hook mail is never told of request.created of "), "{gap}");
    assert!(gap.ends_with(": it failed for a day (status 1)"), "{gap}");
    assert_eq!(world.starts("mail", 3).await, ["one", "one", "two"]);
    world.does_well("mail");
    until_true(async || world.hooks.alarms().iter().any(|alarm| alarm.tries == 1)).await;
    world.passes(LONGEST_PAUSE);
    world.emptied().await;
}

#[tokio::test]
async fn without_a_bus_or_systemd_events_wait_as_long_as_it_takes() {
    let world = World::of(&["mail"]);
    world.bus.send_replace(None);
    world.happens("one").await;
    world.alarm("the system bus is away").await;
    world.passes(3 * DAY);
    world.plays("mail", &[Play::NotThere, Play::NotThere, Play::Hangs]);
    world.bus.send_replace(Some(()));
    world.starts("mail", 1).await;
    world.alarm("no systemd").await;
    // A new connection is tried at once.
    world.bus.send_replace(Some(()));
    world.starts("mail", 2).await;
    world.alarm("no systemd").await;
    world.bus.send_replace(Some(()));
    world.starts("mail", 3).await;
    assert!(world.gaps().is_empty());
    assert_eq!(world.store.outbox().await.unwrap().count, 1);
}

#[tokio::test]
async fn a_new_hook_is_told_of_what_happens_from_then_on() {
    let world = World::of(&["slow"]);
    world.plays("slow", &[Play::Hangs]);
    let before = KernelClock.now().wall;
    world.happened(vec![("before".to_owned(), before)]).await;
    world.starts("slow", 1).await;
    // A file's time is as coarse as the kernel's tick.
    tokio::time::sleep(Duration::from_millis(50)).await;
    put(&world.hooks_d(), "mail", 0o755);
    let after = Timestamp::from_micros(KernelClock.now().wall.micros() + 1_000_000);
    world.happened(vec![("after".to_owned(), after)]).await;
    assert_eq!(world.starts("mail", 1).await, ["after"]);
    std::fs::remove_file(world.hooks_d().join("slow")).unwrap();
    world.hooks.wake();
    world.emptied().await;
}

#[tokio::test]
async fn a_queue_that_is_too_long_loses_its_oldest_and_says_so() {
    let world = World::of(&["slow"]);
    world.plays("slow", &[Play::Hangs]);
    let at = world.clock.now().wall;
    let events = (0..=QUEUE_LIMIT).map(|number| (number.to_string(), at)).collect();
    world.happened(events).await;
    until_true(async || world.gaps().len() == 1).await;
    assert_eq!(world.gaps(), ["hook slow is never told of 1001 events: too many waited for it"]);
    until_true(async || world.store.outbox().await.unwrap().count == QUEUE_KEPT).await;
    let next = world.store.outbox_after(0).await.unwrap().unwrap();
    assert_eq!(next.body, "1001");
}

#[tokio::test]
async fn at_most_four_run_at_once() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let world = World::of(&names);
    for name in names {
        world.plays(name, &[Play::Hangs]);
    }
    world.happens("one").await;
    until_true(async || world.stage.started.lock().unwrap().len() >= AT_ONCE).await;
    world.happens("two").await;
    world.alarms_are_looked_at().await;
    assert_eq!(world.stage.started.lock().unwrap().len(), AT_ONCE);
}

impl World {
    /// Waits until the queue has looked again: a file that is not run is named.
    async fn alarms_are_looked_at(&self) {
        put(&self.hooks_d(), "README.txt", 0o644);
        self.hooks.wake();
        self.alarm("README.txt").await;
    }
}

#[tokio::test]
async fn after_a_crash_it_goes_on_where_it_was() {
    let world = World::of(&["mail"]);
    world.happens("one").await;
    world.emptied().await;
    world.plays("mail", &[Play::Hangs]);
    world.happens("two").await;
    world.starts("mail", 2).await;
    world.running.abort();
    world.does_well("mail");
    let again =
        run(world.folder.path(), &world.store, &world.hooks, world.stage, &world.clock, &world.bus);
    world.emptied().await;
    assert_eq!(world.told("mail"), ["one", "two", "two"], "twice, but never not at all");
    again.abort();
}
