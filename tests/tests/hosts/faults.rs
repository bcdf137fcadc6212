//! stintd is killed at every system call that changes something, in turn, and started again.
//! After every death nothing outlives its end, no membership or rule is there that is not in the
//! list, no standing member is lost, and state and record are whole.
//!
//! All calls of all scenes are some thousand: `make faults` meets them all. Else a share, spread
//! evenly over them: `STINT_FAULTS` says how many a host, `all` for all; `STINT_FAULTS_IN` takes the
//! scenes alone whose names contain it.

use crate::fault_rounds::{Round, Stage, builder};
use crate::fault_scenes::{Backend, SCENES, Scene};
use std::collections::BTreeMap;
use stint_tests::{Call, Deadline, Errno, Fault, Host, Plan, Suite};

/// How many deaths a host where nothing is said.
const DEATHS: usize = 24;
/// How many failures: each is waited for until what failed has been tried again.
const FAILING: usize = 12;

/// Some of `total` things, spread evenly; all of them where as many are wanted.
fn spread(total: usize, share: usize) -> Vec<usize> {
    let wanted = match std::env::var("STINT_FAULTS") {
        Err(_) => share,
        Ok(word) if word == "all" => total,
        Ok(word) => word.parse().unwrap_or_else(|_| panic!("STINT_FAULTS: a number, or all")),
    };
    let share = wanted.min(total);
    (0..share).map(|n| (2 * n + 1) * total / (2 * share)).collect()
}

/// Failures in a first start that are always among those that are met: what is not listed is not
/// given then, and a rule that cannot be tried is no reason to start without a policy.
const ALWAYS: [(Fault, &str, &str); 2] = [
    (Fault::Once(Errno::EIO), "openat", "/var/lib/stint/.applied.new"),
    (Fault::FromThen(Errno::EROFS), "fchmod", "/etc/sudoers.d/.stint.new"),
];

/// Whether this failure is met whatever the share.
fn is_always(scene: &Scene, fault: Fault, call: &Call) -> bool {
    scene.made_by.is_none() && ALWAYS.contains(&(fault, call.name, call.on.as_str()))
}

/// Counts of what was met, printed at the end.
#[derive(Default)]
struct Tally {
    scenes: BTreeMap<&'static str, (usize, usize, usize)>,
    calls: BTreeMap<&'static str, usize>,
    missed: usize,
    broken: Vec<String>,
}

impl Tally {
    fn add(&mut self, scene: &Scene, of: usize, round: &Round) {
        let counts = self.scenes.entry(scene.name).or_default();
        counts.0 += 1;
        counts.2 = of;
        match &round.hit {
            Some(call) => {
                counts.1 += 1;
                *self.calls.entry(call.name).or_default() += 1;
            }
            None => self.missed += 1,
        }
    }

    fn print(&self, what: &str, seconds: u64) {
        let total: usize = self.scenes.values().map(|counts| counts.0).sum();
        println!("{what}: {total} faults in {seconds} s, {} after the last call", self.missed);
        for (scene, (rounds, hit, of)) in &self.scenes {
            println!("  {scene:<26} {rounds:>5} faults, {hit:>5} at a call, of {of:>5} calls");
        }
        let calls = self.calls.iter().map(|(name, count)| format!("{name} {count}"));
        println!("  at: {}", calls.collect::<Vec<_>>().join(", "));
    }
}

/// All calls of a scene. Where the machine is so busy that what was to come in a second came before
/// anybody looked, it is played again.
fn without_fault(stage: &Stage<'_>, scene: &Scene) -> Round {
    for _ in 0..5 {
        let round = stage.play(scene, None, |_| ());
        stage.wake();
        assert_eq!(stage.holds(scene), Ok(()), "{}: without a fault", scene.name);
        if round.calls.len() > 5 {
            return round;
        }
    }
    panic!("{}: nothing happens in it", scene.name);
}

/// Plays every scene once without a fault, and then with one at each of the calls that are chosen.
fn at_every_call(
    what: &str,
    host: &Host,
    (faults, share): (&[Fault], usize),
    play: impl Fn(&Stage<'_>, &Scene, Plan) -> Result<Round, String>,
) {
    let clock = Deadline::seconds(0);
    let stage = Stage::new(host);
    let (mut plans, mut always) = (Vec::new(), Vec::new());
    let mut totals = BTreeMap::new();
    let wanted = std::env::var("STINT_FAULTS_IN").unwrap_or_default();
    for scene in SCENES.iter().filter(|scene| scene.name.contains(&wanted)) {
        stage.set(scene);
        let round = without_fault(&stage, scene);
        totals.insert(scene.name, round.calls.len());
        for fault in faults {
            let met: Vec<&Call> = round.calls.iter().filter(|call| fault.meets(call)).collect();
            // A death may come after the last one too.
            let count = met.len() + usize::from(*fault == Fault::Kill);
            let plan = |at| (scene, Plan { fault: *fault, at });
            plans.extend((1..=count).map(plan));
            let places = (1..).zip(met).filter(|(_, call)| is_always(scene, *fault, call));
            always.extend(places.map(|(at, _)| plan(at)));
        }
    }
    let mut tally = Tally::default();
    let mut set = "";
    let chosen = spread(plans.len(), share).into_iter().map(|at| plans[at]);
    // Scene by scene: each is made once.
    let mut chosen: Vec<(&Scene, Plan)> = always.into_iter().chain(chosen).collect();
    chosen.sort_by_key(|(scene, _)| SCENES.iter().position(|other| other.name == scene.name));
    for (scene, plan) in chosen {
        if set != scene.name {
            stage.set(scene);
            set = scene.name;
        }
        match play(&stage, scene, plan) {
            Ok(round) => tally.add(scene, totals[scene.name], &round),
            Err(broken) => {
                println!("{broken}");
                tally.broken.push(broken);
            }
        }
    }
    tally.print(what, clock.elapsed().as_secs());
    assert!(tally.broken.is_empty(), "{}", tally.broken.join("\n"));
    let all: usize = tally.scenes.values().map(|counts| counts.0).sum();
    assert!(tally.missed * 4 < all, "{} of {all} came to nothing", tally.missed);
}

fn killed_at_every_call(suite: Suite, backend: Backend) {
    let host = builder(suite, backend).boot();
    let what = format!("killed, {} {backend:?}", suite.name());
    at_every_call(&what, &host, (&[Fault::Kill], DEATHS), |stage, scene, plan| {
        stage.kill(scene, plan)
    });
}

/// One at a time, and from one on: what a bad disk, a full one and one that the kernel has made
/// read-only are like.
const FAILURES: [Fault; 5] = [
    Fault::Once(Errno::EIO),
    Fault::FromThen(Errno::ENOSPC),
    Fault::FromThen(Errno::EROFS),
    Fault::Short,
    Fault::ShortThenFull,
];

fn failing_at_every_call(suite: Suite, backend: Backend) {
    let host = builder(suite, backend).boot();
    let what = format!("failing, {} {backend:?}", suite.name());
    at_every_call(&what, &host, (&FAILURES, FAILING), |stage, scene, plan| stage.fail(scene, plan));
}

#[test]
fn on_bookworm_with_files_no_death_leaves_anything_behind() {
    killed_at_every_call(Suite::Bookworm, Backend::Files);
}

#[test]
fn on_bookworm_with_userdb_no_death_leaves_anything_behind() {
    killed_at_every_call(Suite::Bookworm, Backend::Userdb);
}

#[test]
fn on_trixie_with_files_no_death_leaves_anything_behind() {
    killed_at_every_call(Suite::Trixie, Backend::Files);
}

#[test]
fn on_trixie_with_userdb_no_death_leaves_anything_behind() {
    killed_at_every_call(Suite::Trixie, Backend::Userdb);
}

#[test]
fn on_bookworm_with_userdb_no_failing_call_leaves_anything_behind() {
    failing_at_every_call(Suite::Bookworm, Backend::Userdb);
}

#[test]
fn on_trixie_with_files_no_failing_call_leaves_anything_behind() {
    failing_at_every_call(Suite::Trixie, Backend::Files);
}
