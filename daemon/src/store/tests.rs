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
