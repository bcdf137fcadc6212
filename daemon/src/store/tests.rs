//! The state survives what it must, and refuses what it must.

use stint_proto::{EndReason, Event, Timestamp};

use stint_policy::SourceFile;

use super::*;
use crate::domain::grant::tests::{at, sample};
use crate::record::Entry;

const BOOT: &str = "boot-a";

fn opened(folder: &Path) -> (Store, Loaded) {
    Store::open(&folder.join("state.sqlite"), BOOT).unwrap()
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    for number in 0..200 {
        let text = format!("{number} {}", "x".repeat(400));
        let entry = Entry::new(Timestamp::from_micros(1), Event::CheckDenied, text);
        store.change(vec![Write::Record(entry)]).await.unwrap();
    }
    store.close();
    let path = folder.path().join("state.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    for at in (4_096..bytes.len()).step_by(512) {
        bytes[at] ^= 0xff;
    }
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(Store::open(&path, BOOT), Err(StoreError::Damaged { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn what_was_committed_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, loaded) = opened(folder.path());
    assert!(loaded.grants.is_empty() && loaded.policy.is_empty());
    let mut grant = sample("g4t9", "alice", 1000, "admin");
    grant.activate(at(100));
    let membership = Membership {
        user: grant.user.clone(),
        group: "docker".parse().unwrap(),
        backend: Backend::Files,
    };
    let files = vec![SourceFile { path: "a.toml".into(), text: "[gate]".into() }];
    let writes = vec![
        Write::Grant(grant.clone()),
        Write::Owned(membership.clone()),
        Write::PolicyInForce(files.clone()),
        Write::HighWater(Timestamp::from_micros(77)),
    ];
    store.change(writes).await.unwrap();
    store.close();
    let (_, loaded) = opened(folder.path());
    assert_eq!(loaded.grants.len(), 1);
    assert_eq!(loaded.grants[0].grant, grant);
    assert_eq!(loaded.memberships, vec![(membership, false)]);
    assert_eq!(loaded.policy, files);
    assert_eq!(loaded.high_water, Timestamp::from_micros(77));
}

#[tokio::test]
async fn what_has_ended_cannot_be_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    let mut grant = sample("g4t9", "alice", 1000, "admin");
    store.change(vec![Write::Grant(grant.clone())]).await.unwrap();
    let alive = grant.clone();
    grant.end(Timestamp::from_micros(150), EndReason::Revoked);
    store.change(vec![Write::Grant(grant)]).await.unwrap();
    assert!(store.change(vec![Write::Grant(alive)]).await.is_err());
    store.close();
    assert!(opened(folder.path()).1.grants.is_empty());
}

#[tokio::test]
async fn a_change_is_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    let mut ended = sample("aaaa", "alice", 1000, "admin");
    ended.end(Timestamp::from_micros(1), EndReason::Revoked);
    store.change(vec![Write::Grant(ended.clone())]).await.unwrap();
    let other = sample("bbbb", "bob", 1001, "admin");
    let both = vec![Write::Grant(other), Write::Grant(ended)];
    assert!(store.change(both).await.is_err());
    store.close();
    assert!(opened(folder.path()).1.grants.is_empty());
}

#[tokio::test]
async fn told_events_are_written_without_being_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    for _ in 0..1_000 {
        let entry = Entry::new(Timestamp::from_micros(9), Event::CheckAllowed, "x".into());
        store.note(Write::Record(entry));
    }
    store.close();
    let connection = Connection::open(folder.path().join("state.sqlite")).unwrap();
    let count: i64 =
        connection.query_row("SELECT count(*) FROM record", [], |row| row.get(0)).unwrap();
    assert_eq!((count, store.lost()), (1_000, 0));
}

#[tokio::test]
async fn what_was_noted_for_later_keeps_its_place_and_is_not_lost_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    let event = |text: &str| {
        Write::Record(Entry::new(Timestamp::from_micros(9), Event::CheckAllowed, text.into()))
    };
    store.note_later(event("first"));
    store.change(vec![event("second")]).await.unwrap();
    store.note_later(event("third"));
    store.hand_over();
    store.note(event("fourth"));
    store.note_later(event("fifth"));
    store.close();
    let connection = Connection::open(folder.path().join("state.sqlite")).unwrap();
    let mut query = connection.prepare("SELECT message FROM record ORDER BY rowid").unwrap();
    let texts: Vec<String> =
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(texts, ["first", "second", "third", "fourth", "fifth"]);
    assert_eq!(store.lost(), 0);
}

#[tokio::test]
async fn a_policy_grant_that_is_over_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    let mut revoked = sample("aaaa", "alice", 1000, "admin");
    revoked.policy_key = Some("revoked".into());
    revoked.end(Timestamp::from_micros(1), EndReason::Revoked);
    let mut removed = sample("bbbb", "alice", 1000, "admin");
    removed.policy_key = Some("removed".into());
    removed.end(Timestamp::from_micros(1), EndReason::Policy);
    store.change(vec![Write::Grant(revoked), Write::Grant(removed)]).await.unwrap();
    let keys = store.spent_policy_keys().await.unwrap();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["revoked"]);
}

/// Every link of the record, and that they are a chain with nothing else behind.
fn links(folder: &Path) -> Vec<stint_proto::Link> {
    let connection = Connection::open(folder.join("state.sqlite")).unwrap();
    let all = stint_record::rows::page(&connection, 0, Timestamp(0), u32::MAX).unwrap().links;
    let mut verifier = stint_record::Verifier::new(stint_record::rows::head(&connection).unwrap());
    all.iter().for_each(|link| verifier.take(link).unwrap());
    verifier.end().unwrap();
    all
}

fn denied(at: i64) -> Write {
    let text = "alice is denied sudo: no grant opens it".to_owned();
    let mut entry = Entry::new(Timestamp::from_micros(at), Event::CheckDenied, text);
    entry.decision = Some(stint_proto::Decision::Denied);
    Write::Record(entry)
}

#[tokio::test]
async fn a_flood_of_one_denial_is_a_link_with_a_count() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    (0..20_000).for_each(|at| store.note(denied(at)));
    store.close();
    let links = links(folder.path());
    assert_eq!(
        links.iter().map(stint_proto::Link::times).collect::<Vec<_>>(),
        [1, 1, 1, 1, 1, 19_995]
    );
    let last = links.last().unwrap();
    assert_eq!(last.message, "alice is denied sudo: no grant opens it (19995 times more)");
    assert_eq!((last.at.micros(), store.lost()), (19_999, 0));
    let since = Timestamp::from_micros(5).to_string();
    assert_eq!(last.read_fields()["STINT_SINCE"], since);
}

#[tokio::test]
async fn a_crash_loses_no_count_that_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    (0..20).for_each(|at| store.note(denied(at)));
    // Behind it all is written, as after 50 ms.
    store.change(vec![denied(20)]).await.unwrap();
    let after = tempfile::tempdir().unwrap();
    for name in ["state.sqlite", "state.sqlite-wal"] {
        std::fs::copy(folder.path().join(name), after.path().join(name)).unwrap();
    }
    let (again, _) = Store::open(&after.path().join("state.sqlite"), "boot-b").unwrap();
    again.close();
    let links = links(after.path());
    assert_eq!(links.iter().map(stint_proto::Link::times).sum::<u64>(), 21);
    let counted = links.iter().find(|link| link.times() > 1).unwrap();
    assert_eq!((counted.times(), counted.boot_id.as_str()), (15, BOOT));
}

const DAY: i64 = 86_400_000_000;

/// Events that long ago, one an hour, and one now.
async fn of_days(store: &Store, days: std::ops::Range<i64>) {
    let now = crate::clock::Clock::now(&crate::clock::KernelClock).wall.micros();
    let event = |micros: i64| {
        let at = Timestamp::from_micros(micros);
        Write::Record(Entry::new(at, Event::CheckAllowed, "secret words".into()))
    };
    let hours = (days.start * 24..days.end * 24).rev();
    let mut writes: Vec<Write> = hours.map(|hour| event(now - hour * DAY / 24)).collect();
    writes.push(event(now));
    store.change(writes).await.unwrap();
}

/// What a look finds to be too old counts from a day ago on: as if it had been found then.
fn a_day_passes(folder: &Path) {
    let connection = Connection::open(folder.join("state.sqlite")).unwrap();
    connection.execute("UPDATE too_old SET at = at - ?1", [DAY]).unwrap();
}

fn state_is(folder: &Path) -> (i64, i64) {
    let connection = Connection::open(folder.join("state.sqlite")).unwrap();
    let sql = "SELECT min(seq), (SELECT cut FROM chain) FROM record";
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[tokio::test]
async fn what_the_policy_keeps_no_longer_is_cut_a_day_after_it_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    of_days(&store, 20..80).await;
    let keep = |store: &Store| store.keep(Some("50d".parse().unwrap()));
    keep(&store);
    store.close();
    assert_eq!(state_is(folder.path()), (1, 0), "found, and still there");
    // Somebody looks at the policy meanwhile, and keeps more: it is found anew.
    let (store, _) = opened(folder.path());
    store.keep(Some("60d".parse().unwrap()));
    store.close();
    a_day_passes(folder.path());
    let (store, _) = opened(folder.path());
    keep(&store);
    store.close();
    assert_eq!(state_is(folder.path()), (1, 0), "found by another word");
    a_day_passes(folder.path());
    let told: Arc<Mutex<Vec<Entry>>> = Arc::default();
    let (store, _) = opened(folder.path());
    keep(&store);
    // It looks once more behind each cut.
    store.change(Vec::new()).await.unwrap();
    store.change(Vec::new()).await.unwrap();
    // The log is told of what was cut before it could be.
    let log = Arc::clone(&told);
    store.tell_of_chain(move |entry| log.lock().unwrap().push(entry.clone()));
    store.close();
    let cut = 30 * 24;
    assert_eq!(state_is(folder.path()), (cut + 1, cut));
    let connection = Connection::open(folder.path().join("state.sqlite")).unwrap();
    let page = stint_record::rows::page(&connection, 0, Timestamp(0), 10_000).unwrap();
    let base = stint_record::rows::cut(&connection).unwrap();
    let told = told.lock().unwrap();
    let checkpoints: Vec<_> = told.iter().filter_map(|entry| entry.checkpoint).collect();
    let mut verifier = stint_record::Verifier::after(base, checkpoints);
    page.links.iter().for_each(|link| verifier.take(link).unwrap());
    assert_eq!(verifier.end(), Ok(()));
    let seal = verifier.seal().unwrap();
    assert_eq!((seal.first, seal.last, seal.link), (1, base, verifier.confirmed()));
    assert!(seal.since.unwrap() < seal.until.unwrap());
    let cuts: Vec<_> = told.iter().filter(|entry| entry.event == Event::AuditCut).collect();
    assert_eq!(cuts.len(), 1, "told once");
    assert!(cuts[0].message.starts_with("links 1 to 720 of "), "{}", cuts[0].message);
    assert!(cuts[0].message.ends_with(" were cut off: 50d are kept"), "{}", cuts[0].message);
}

#[tokio::test]
async fn a_record_that_is_broken_is_not_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    of_days(&store, 40..80).await;
    store.keep(Some("30d".parse().unwrap()));
    store.close();
    a_day_passes(folder.path());
    let connection = Connection::open(folder.path().join("state.sqlite")).unwrap();
    connection.execute("UPDATE record SET message = 'x' WHERE seq = 500", []).unwrap();
    drop(connection);
    let (store, _) = opened(folder.path());
    store.keep(Some("30d".parse().unwrap()));
    store.change(Vec::new()).await.unwrap();
    store.close();
    assert_eq!(state_is(folder.path()), (1, 0));
}

#[tokio::test]
async fn a_large_record_is_cut_bit_by_bit_and_what_was_cut_is_not_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    of_days(&store, 40..1_000).await;
    store.keep(Some("30d".parse().unwrap()));
    store.close();
    a_day_passes(folder.path());
    let (store, _) = opened(folder.path());
    store.keep(Some("30d".parse().unwrap()));
    for _ in 0..10 {
        store.change(Vec::new()).await.unwrap();
    }
    store.close();
    let all = 960 * 24;
    assert_eq!(state_is(folder.path()), (all + 1, all));
    let connection = Connection::open(folder.path().join("state.sqlite")).unwrap();
    let cuts = "SELECT count(*) FROM record WHERE event = 'audit.cut'";
    assert_eq!(connection.query_row(cuts, [], |row| row.get::<_, i64>(0)), Ok(3));
    drop(connection);
    let bytes = std::fs::read(folder.path().join("state.sqlite")).unwrap();
    let found = bytes.windows(12).filter(|bytes| *bytes == b"secret words").count();
    assert_eq!(found, 1, "that of the link which is kept");
}

#[tokio::test]
async fn what_a_full_disk_has_cost_is_in_the_record_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    let told: Arc<Mutex<Vec<Entry>>> = Arc::default();
    let log = Arc::clone(&told);
    store.tell_of_chain(move |entry| log.lock().unwrap().push(entry.clone()));
    // Nothing waits of the start.
    store.change(Vec::new()).await.unwrap();
    let disk = Connection::open(folder.path().join("state.sqlite")).unwrap();
    disk.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    .unwrap();
    let event = || Entry::new(Timestamp::from_micros(9), Event::CheckAllowed, "x".into());
    (0..10_100).for_each(|_| store.note(Write::Record(event())));
    assert!(store.change(vec![Write::Record(event())]).await.is_err(), "it is full");
    disk.execute_batch("DROP TRIGGER full").unwrap();
    drop(disk);
    store.note(Write::Record(event()));
    store.close();
    let links = links(folder.path());
    // The last is lost too, unless the state was tried in the moment before it.
    let lost = store.lost();
    assert!((100..=101).contains(&lost), "{lost}");
    assert_eq!(u64::try_from(links.len()).unwrap(), 10_101 - lost + 1);
    let gap = links.iter().find(|link| link.event == "audit.gap").unwrap();
    assert!(
        gap.message.starts_with(&format!("{lost} events could not be written ")),
        "{}",
        gap.message
    );
    let told = told.lock().unwrap();
    assert_eq!(told.iter().filter(|entry| entry.event == Event::AuditGap).count(), 1);
}

#[tokio::test]
async fn requests_that_ended_of_late_are_found_the_latest_first() {
    use crate::domain::request::tests::sample;
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = opened(folder.path());
    let ended = |id: &str, at: i64| {
        let mut request = sample(id, 1);
        request.deny("no".to_owned(), Timestamp::from_micros(at), "bob");
        Write::Request(request)
    };
    let pending = Write::Request(sample("2222", 9));
    let writes = vec![ended("3333", 10), ended("4444", 30), ended("5555", 20), pending];
    store.change(writes).await.unwrap();
    let found = async |since, most| {
        let since = Timestamp::from_micros(since);
        let found = store.requests_ended_since(since, most).await.unwrap();
        found.iter().map(|request| request.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(found(20, 9).await, ["4444", "5555"]);
    assert_eq!(found(0, 2).await, ["4444", "5555"]);
    assert_eq!(found(31, 9).await, Vec::<String>::new());
}
