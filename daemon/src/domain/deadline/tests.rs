//! A deadline against every clock: whatever the wall clock does, suspends and reboots included, no
//! grant lives longer than it was given, measured by the time that really passed while the host ran.

use proptest::prelude::*;

use super::*;

fn moment(wall: i64, boot: i64) -> Moment {
    Moment { wall: Timestamp::from_micros(wall), boot }
}

fn mark(boot_id: &str, wall: i64, boot: i64) -> Mark {
    Mark { boot_id: boot_id.to_owned(), at: moment(wall, boot) }
}

fn kept(boot_id: &str, wall: i64, boot: i64) -> Kept {
    let deadline = Deadline { wall: Timestamp::from_micros(wall), boot };
    Kept { deadline, boot_id: boot_id.to_owned() }
}

fn past(mark: Option<Mark>, seen: i64) -> Past {
    Past { mark, seen: Timestamp::from_micros(seen) }
}

#[test]
fn a_clock_set_back_does_not_lengthen_it() {
    let deadline = Deadline::from_wall(Timestamp::from_micros(1_000), moment(400, 50));
    assert!(!deadline.is_due(moment(999, 649)));
    assert!(deadline.is_due(moment(100, 650)), "the boot clock ends it");
    assert!(deadline.is_due(moment(1_000, 60)), "a clock set forwards ends it");
}

#[test]
fn over_a_reboot_so_much_is_left_as_was_left_at_the_last_mark() {
    let (kept, past) = (kept("a", 1_000, 650), past(Some(mark("a", 900, 550)), 900));
    // A dead battery: 1970, and all of this boot has passed since the mark.
    let dead = kept.in_boot(&mark("b", 0, 30), &past);
    assert_eq!(dead.boot, 100);
    assert!(!kept.is_over(&mark("b", 69, 99), &past));
    assert!(kept.is_over(&mark("b", 70, 100), &past));
    // A clock that went on while the host was off ends it earlier.
    assert_eq!(kept.in_boot(&mark("b", 980, 30), &past).boot, 50);
    assert!(kept.is_over(&mark("b", 1_000, 3), &past));
}

#[test]
fn a_clock_that_was_far_ahead_for_a_while_ends_nothing_over_a_later_reboot() {
    let kept = kept("a", 1_000, 650);
    let past = past(Some(mark("a", 500, 150)), 9_999_999);
    assert_eq!(kept.in_boot(&mark("b", 600, 20), &past).boot, 420);
}

#[test]
fn without_a_mark_the_latest_wall_clock_counts() {
    let kept = kept("a", 1_000, 650);
    for mark_of_another in [None, Some(mark("z", 0, 0))] {
        let past = past(mark_of_another, 900);
        assert_eq!(kept.in_boot(&mark("b", 5, 3), &past).boot, 103);
    }
}

#[test]
fn a_second_that_comes_twice_ends_it_once_and_for_all() {
    let deadline = Deadline::from_wall(Timestamp::from_micros(2_000_000), moment(0, 0));
    assert!(deadline.is_due(moment(2_000_000, 2_000_000)));
    assert!(deadline.is_due(moment(1_000_001, 2_000_001)), "the leap second is shown again");
}

/// What happens to a host.
#[derive(Clone, Debug)]
enum Step {
    /// Time passes, suspended or not.
    Pass(i64),
    /// The wall clock is set by so much.
    Set(i64),
    /// A moment is written down, as by the watchdog.
    Note,
    /// The daemon is started again in the same boot.
    Restart,
    /// The host is off for a while and its clock is what it is then; in order, or by a power cut.
    Reboot { off: i64, set: i64, in_order: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let jump =
        prop_oneof![-3_000_i64..3_000, Just(-1_000_000_000_000), Just(1_000_000_000_000), Just(0)];
    prop_oneof![
        (1_i64..400).prop_map(Step::Pass),
        jump.clone().prop_map(Step::Set),
        Just(Step::Note),
        Just(Step::Restart),
        (0_i64..500, jump, any::<bool>()).prop_map(|(off, set, in_order)| Step::Reboot {
            off,
            set,
            in_order
        }),
    ]
}

/// A host, its clocks, and what is written down on it. Whoever looks (the daemon or the sweep) does
/// what both do: reads the deadline, carries it into this boot, writes it down again.
struct Host {
    real: i64,
    offset: i64,
    booted: i64,
    boots: u32,
    /// How long it has run since the grant began.
    ran: i64,
    kept: Kept,
    past: Past,
    /// How much had passed at a power cut since the last mark.
    unmarked: i64,
}

impl Host {
    fn new(span: i64) -> Self {
        let mut host = Self {
            real: 10_000,
            offset: 0,
            booted: 9_000,
            boots: 0,
            ran: 0,
            kept: kept("", 0, 0),
            past: past(None, 0),
            unmarked: 0,
        };
        let here = host.here();
        let end = Timestamp::from_micros(here.at.wall.micros() + span);
        host.kept = Kept { deadline: Deadline::from_wall(end, here.at), boot_id: here.boot_id };
        host.note();
        host
    }

    fn here(&self) -> Mark {
        mark(&self.boots.to_string(), self.real + self.offset, self.real - self.booted)
    }

    fn is_over(&self) -> bool {
        self.kept.is_over(&self.here(), &self.past)
    }

    /// The deadline and the moment are written down in one.
    fn note(&mut self) {
        let here = self.here();
        let deadline = self.kept.in_boot(&here, &self.past);
        self.kept = Kept { deadline, boot_id: here.boot_id.clone() };
        self.past.seen = self.past.seen.max(here.at.wall);
        self.past.mark = Some(here);
    }

    fn since_mark(&self) -> i64 {
        self.past.mark.as_ref().map_or(0, |mark| self.here().at.boot - mark.at.boot)
    }

    fn go(&mut self, step: &Step) {
        match step {
            Step::Pass(time) => {
                self.real += time;
                self.ran += time;
            }
            Step::Set(by) => self.offset += by,
            Step::Note | Step::Restart => self.note(),
            Step::Reboot { off, set, in_order } => {
                if *in_order {
                    self.note();
                } else {
                    self.unmarked += self.since_mark();
                }
                self.real += off;
                self.offset += set;
                self.booted = self.real;
                self.boots += 1;
                // Whoever comes first, the daemon or the sweep, looks at boot.
                self.note();
            }
        }
    }
}

proptest! {
    #[test]
    fn no_grant_lives_longer_than_it_was_given(
        span in 1_i64..2_000,
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut host = Host::new(span);
        for step in &steps {
            host.go(step);
            // What passed between the last mark and a power cut is what a dead clock can hide.
            let over = host.ran - host.unmarked >= span;
            prop_assert!(!over || host.is_over(), "{} of {span} after {step:?}", host.ran);
        }
    }

    #[test]
    fn with_a_clock_that_is_right_it_ends_in_time_and_not_before(
        span in 1_i64..2_000,
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut host = Host::new(span);
        let began = host.real;
        for step in &steps {
            let honest = match step {
                Step::Set(_) => Step::Note,
                Step::Reboot { off, in_order, .. } => {
                    Step::Reboot { off: *off, set: 0, in_order: *in_order }
                }
                other => other.clone(),
            };
            host.go(&honest);
            prop_assert_eq!(host.is_over(), host.real - began >= span);
        }
    }
}

#[test]
fn how_long_it_has_passed_is_told_by_the_clock_that_nobody_sets() {
    let deadline = Deadline { wall: Timestamp::from_micros(10_000_000), boot: 5_000_000 };
    assert_eq!(deadline.passed_for(moment(9_999_999, 4_999_999)), None);
    assert_eq!(deadline.passed_for(moment(10_000_003, 5_000_002)), Some(3));
    assert_eq!(deadline.passed_for(moment(10_000_002, 4_999_990)), Some(2), "slewed");
    // Set forwards by an hour, and back by an hour.
    assert_eq!(deadline.passed_for(moment(3_610_000_000, 4_000_000)), None);
    assert_eq!(deadline.passed_for(moment(-3_590_000_000, 5_000_007)), Some(7));
}
