//! The bus away: sudo's answer does not depend on it, stintd comes back to it by itself, and a
//! question there starts a stintd that was stopped.

use crate::common::daemon;
use crate::parley::{NOBODY_HELPS, gated, grant};
use std::time::Duration;
use stint_tests::{Deadline, Suite, eventually};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_bus_that_hangs_or_dies_does_not_stand_between_sudo_and_its_answer() {
    for suite in Suite::ALL {
        let host = gated(suite);
        grant(&host, "alice", "admin", "--for 10m");
        // Opened before: a login itself asks logind over the bus.
        let (mut alice, mut bob) = (host.shell("alice"), host.shell("bob"));
        let mut answered = |when: &str| {
            let clock = Deadline::after(PATIENCE);
            let refused = bob.run("sudo -n id -u");
            assert!(refused.stdout.starts_with(NOBODY_HELPS), "{suite:?} {when}: {refused}");
            assert_ne!(refused.status, 0, "{suite:?} {when}");
            let let_in = alice.run("sudo -n id -u");
            assert_eq!(let_in.stdout, "0\n", "{suite:?} {when}: {let_in}");
            let took = clock.elapsed();
            assert!(took < Duration::from_secs(4), "{suite:?} {when}: {took:?}");
        };
        answered("with a bus");
        let stintd = daemon(&host);
        let bus = host.ok("systemctl show -P MainPID dbus.service").trim().to_owned();
        host.freeze(&bus);
        answered("while the bus hangs");
        host.thaw(&bus);
        assert!(host.run("stint list").ok(), "{suite:?}: stintd is on the bus again");
        host.ok(&format!("kill -KILL {bus}"));
        answered("without a bus");
        eventually("stintd comes back to the bus", PATIENCE, || {
            host.run("stint list | grep -q alice").ok().then_some(())
        });
        answered("with another bus");
        assert_eq!(daemon(&host), stintd, "{suite:?}: stintd itself went on all the time");
    }
}

#[test]
fn a_question_on_the_bus_starts_a_stopped_stintd_and_a_masked_one_stays_away() {
    let host = gated(Suite::Trixie);
    host.ok("systemctl stop stintd.service");
    assert_ne!(host.run("systemctl is-active -q stintd.service").status, 0);
    let asked = host.as_user("alice", "stint status");
    assert_eq!(asked.stdout.lines().next(), Some("You hold nothing on web-1."), "{asked}");
    host.ok("systemctl is-active stintd.service");
    host.ok("systemctl mask --runtime stintd.service && systemctl stop stintd.service");
    let asked = host.as_user("alice", "stint status");
    assert_eq!((asked.status, asked.stdout.as_str()), (69, ""), "{asked}");
    assert_ne!(host.run("systemctl is-active -q stintd.service").status, 0);
}
