//! Ending processes that are really there, and control groups that are only folders.

use std::fs;
use std::process::{Child, Command};

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn spawn(script: &str) -> (Child, Process) {
    let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
    let process = process::identify(i32::try_from(child.id()).unwrap()).unwrap();
    (child, process)
}

/// Ends all of them, and asserts that nobody is left.
async fn ended(whom: Whom, grace: Duration) -> Ended {
    let (ended, left) = end(whom, grace).await;
    assert!(left.is_none(), "{left:?}");
    ended
}

/// Waits until the process has a child that is called so.
async fn child_of(process: Process, name: &str) {
    for _ in 0..1_000 {
        let found = Whom::Under([process].into()).find().unwrap();
        if found.iter().any(|(called, pid)| called == name && *pid != process.pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no {name} was started");
}

#[tokio::test]
async fn who_is_polite_goes_at_once_with_all_that_they_started() {
    let (mut child, process) = spawn("sleep 61 & wait");
    child_of(process, "sleep").await;
    let ended = ended(Whom::Under([process].into()), LONG).await;
    child.wait().unwrap();
    assert_eq!((ended.all.len(), ended.killed), (2, 0), "{ended:?}");
}

#[tokio::test]
async fn who_is_not_is_killed_after_the_grace() {
    let (mut child, process) = spawn("trap '' TERM HUP; sleep 62 & sleep 62; sleep 62");
    child_of(process, "sleep").await;
    let ended = ended(Whom::Under([process].into()), Duration::from_millis(50)).await;
    child.wait().unwrap();
    assert!(ended.killed > 0, "{ended:?}");
}

#[tokio::test]
async fn who_is_left_behind_by_a_polite_one_is_followed() {
    let (mut child, process) = spawn("sh -c 'trap \"\" TERM HUP; sleep 66; sleep 66' & wait");
    child_of(process, "sleep").await;
    let waiting = std::thread::spawn(move || child.wait());
    let grace = Duration::from_millis(300);
    let ended = ended(Whom::Under([process].into()), grace).await;
    waiting.join().unwrap().unwrap();
    assert!(ended.killed > 0, "{ended:?}");
}

#[test]
fn a_home_is_looked_at_with_the_group_that_its_people_come_from() {
    let Some(tree) = Tree::of_host() else { return };
    let group = |path: &str| Group::parse(path).unwrap();
    let threads = group("/user.slice/user-7.slice/session-3.scope/stint-g4t9-1.scope");
    let other = group("/user.slice/user-7.slice/stint-g4t9-2.scope");
    let all = [threads.home().unwrap(), other.clone(), threads.clone()].into();
    let mut found: Vec<Group> = Whom::in_groups(&tree, &all)
        .into_iter()
        .filter_map(|whom| match whom {
            Whom::In(_, group) => Some(group),
            _ => None,
        })
        .collect();
    found.sort();
    assert_eq!(found, [threads, other]);
}

#[tokio::test]
async fn what_cannot_be_read_at_first_is_ended_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cgroup.controllers"), "").unwrap();
    let scope = folder.path().join("user.slice/user-7.slice/stint-g4t9-1.scope");
    // It cannot be read as a file.
    let procs = scope.join("cgroup.procs");
    fs::create_dir_all(&procs).unwrap();
    let kill = scope.join("cgroup.kill");
    fs::write(&kill, "").unwrap();
    let tree = Tree::at(folder.path()).unwrap();
    let group = Group::parse("/user.slice/user-7.slice/stint-g4t9-1.scope").unwrap();
    let grace = Duration::from_millis(50);
    let ending = tokio::spawn(end(Whom::In(tree, group), grace));
    while fs::read_to_string(&kill).unwrap() != "1" {
        assert!(!ending.is_finished(), "it was given up before they were killed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fs::remove_dir(&procs).unwrap();
    let (ended, left) = ending.await.unwrap();
    assert!(ended == Ended::default() && left.is_none(), "{left:?}");
}

#[tokio::test]
async fn this_process_and_those_it_stems_from_are_never_met() {
    let own = process::own_line().unwrap();
    let all = Whom::Under(own.iter().copied().collect());
    assert!(all.holds_this_process().unwrap());
    let found = all.find().unwrap();
    assert!(own.iter().all(|one| found.iter().all(|(_, pid)| *pid != one.pid)));
}

#[tokio::test]
async fn a_stopped_process_is_woken_to_end() {
    let (mut child, process) = spawn("kill -STOP $$; sleep 63");
    let ended = ended(Whom::Under([process].into()), LONG).await;
    child.wait().unwrap();
    assert_eq!((ended.all.len(), ended.killed), (1, 0), "{ended:?}");
}

#[tokio::test]
async fn nobody_else_is_touched() {
    let (mut child, process) = spawn("sleep 64");
    let other = Process { started: process.started + 1, ..process };
    let nobody = ended(Whom::Under([other].into()), LONG).await;
    assert_eq!(nobody, Ended::default());
    let uid = Uid(nix::unistd::getuid().as_raw());
    let gids = BTreeSet::from([u32::MAX - 7]);
    let with = Whom::With { uid, gids, but: HashSet::new() };
    assert_eq!(ended(with, LONG).await, Ended::default());
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn who_carried_the_group_before_keeps_it() {
    let (mut child, process) = spawn("sleep 65");
    let mine = process::rights(process.pid).unwrap();
    let (uid, gid) = (mine.uids.iter().next().unwrap(), mine.gids.iter().next().unwrap());
    let with = |but| Whom::With { uid: Uid(*uid), gids: [*gid].into(), but };
    let found = |whom: &Whom| whom.find().unwrap().iter().any(|(_, pid)| *pid == process.pid);
    assert!(found(&with(HashSet::new())));
    assert!(!found(&with([process].into())));
    child.kill().unwrap();
    child.wait().unwrap();
}
