//! A grant's end is on two clocks: whatever the wall clock does, it is never longer than it was to
//! be. No clock of a host can be set; the daemon alone is shown another wall clock, by a library
//! of our own. (libfaketime cannot: it moves the timers of the boot clock as well.)

use crate::bent::{Clocks, bend, bent};
use crate::common::{
    DENIED, SOON, assert_denied, assert_let_in, assert_says, builder, event_of, gate, gated, grant,
    id, listed, next_boot, with_boots,
};
use serde_json::Value;
use stint_tests::{Host, Suite};

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false
"#;

/// The true time in microseconds, and the true time of a field of a grant's document.
fn now(host: &Host) -> i64 {
    host.ok("date +%s%6N").trim().parse().unwrap()
}

fn time(host: &Host, grant: &Value, field: &str) -> i64 {
    let text = grant[field].as_str().unwrap_or_else(|| panic!("no {field}: {grant}"));
    host.ok(&format!("date -d {text} +%s%6N")).trim().parse().unwrap()
}

/// When the journal got this entry, by the true clock.
fn true_time(entry: &Value) -> i64 {
    let text = entry["__REALTIME_TIMESTAMP"].as_str().unwrap_or_default();
    text.parse().unwrap_or_else(|_| panic!("no time: {entry}"))
}

/// From its next start on, the daemon's wall clock is wrong by so many seconds.
fn shift(host: &Host, seconds: i64) {
    bent(host, &["stintd.service", "stint-sweep.service"]);
    bend(host, Clocks { wall: seconds, boot: 0 });
}

fn assert_set_back(host: &Host) {
    let doctor = host.run("stint doctor").stdout;
    assert!(doctor.contains("The wall clock was set back by "), "the clock is as it was: {doctor}");
}

#[test]
fn a_wall_clock_set_back_while_a_grant_runs_makes_it_no_longer() {
    let host = gated(Suite::Trixie, POLICY);
    let mut shell = host.shell("alice");
    assert_denied(&host, &mut shell, "before");
    let given = grant(&host, "alice admin --for 8s");
    shift(&host, -3600);
    host.ok("systemctl restart stintd.service");
    assert_set_back(&host);
    assert_let_in(&host, &mut shell, "its time is not over");
    let ended = event_of(&host, "grant.expired", id(&given));
    let late = true_time(&ended) - time(&host, &given, "expires_at");
    assert!((-500_000..2_000_000).contains(&late), "it ended {late} µs after its time");
    assert_denied(&host, &mut shell, "after the end");
}

#[test]
fn a_wall_clock_set_back_over_a_reboot_makes_no_grant_longer() {
    let mut host = gate(with_boots(builder(Suite::Bookworm, POLICY)).boot());
    assert_denied(&host, &mut host.shell("alice"), "before");
    let given = grant(&host, "alice admin --for 12s");
    shift(&host, -3600);
    next_boot(&host);
    let cut = now(&host);
    host.power_cut();
    // The record says that the clock was once later, and only the time that was left then is left.
    let down = now(&host) - cut;
    assert_set_back(&host);
    let ended = event_of(&host, "grant.expired", id(&given));
    let late = true_time(&ended) - time(&host, &given, "expires_at");
    assert!(late < down + 2_000_000, "it ended {late} µs after its time; the host was down {down}");
    assert_says(&host.shell("alice").run("sudo -n id -u"), DENIED, "after the end");
}

#[test]
fn a_wall_clock_set_forwards_ends_what_is_over_by_it() {
    let host = gated(Suite::Trixie, POLICY);
    let short = grant(&host, "alice admin --for 30m");
    let long = grant(&host, "bob admin --for 2h");
    assert_let_in(&host, &mut host.shell("alice"), "before");
    shift(&host, 3600);
    host.ok("systemctl restart stintd.service");
    assert_denied(&host, &mut host.shell("alice"), "by the new clock its time is over");
    assert_eq!(listed(&host, id(&short))["end_reason"], "expired");
    assert_eq!(listed(&host, id(&long))["state"], "active");
    assert_eq!(host.as_user("bob", "sudo -n id -u").stdout, "0\n", "the other has time left");
}

/// stintd looks at its clocks anew, as the kernel has it do when they are set or the host wakes.
fn wake(host: &Host) {
    host.ok("stint reload");
}

#[test]
fn clocks_that_are_set_while_stintd_runs_make_no_grant_longer() {
    let host = gated(Suite::Trixie, POLICY);
    bent(&host, &["stintd.service"]);
    host.ok("systemctl restart stintd.service");
    let mut shell = host.shell("alice");

    // Back, and by the one second that a leap second repeats.
    for back in [-3600, -1] {
        let given = grant(&host, "alice admin --for 12s");
        bend(&host, Clocks { wall: back, boot: 0 });
        wake(&host);
        assert_let_in(&host, &mut shell, "its time is not over");
        let ended = event_of(&host, "grant.expired", id(&given));
        let late = true_time(&ended) - time(&host, &given, "expires_at");
        assert!(late < 5_000_000, "{back}: it ended {late} µs after its time");
        assert_denied(&host, &mut shell, "after the end");
        bend(&host, Clocks::default());
        wake(&host);
    }
    let stepped = host.journal_of("STINT_EVENT=clock.stepped", 2, SOON);
    assert!(stepped[0]["MESSAGE"].as_str().unwrap().contains("set back by 3"), "{stepped:?}");

    // Forwards: what is over by it ends at once, with no timer's help.
    let given = grant(&host, "alice admin --for 30m");
    bend(&host, Clocks { wall: 3600, boot: 0 });
    assert_denied(&host, &mut shell, "over by the wall clock");
    wake(&host);
    assert_eq!(listed(&host, id(&given))["end_reason"], "expired");
    bend(&host, Clocks::default());

    // Suspended: both clocks have gone on when the host wakes.
    let given = grant(&host, "alice admin --for 30m");
    assert_let_in(&host, &mut shell, "before it sleeps");
    bend(&host, Clocks { wall: 0, boot: 3600 });
    assert_denied(&host, &mut shell, "over by the boot clock, though the wall clock stood still");
    wake(&host);
    assert_eq!(listed(&host, id(&given))["end_reason"], "expired");
}

#[test]
fn another_time_zone_moves_no_end() {
    let host = gated(Suite::Trixie, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        host.ok(&format!("ln -sfn /usr/share/zoneinfo/{zone} /etc/localtime"));
        host.ok("systemctl restart stintd.service");
        let now = listed(&host, id(&given));
        assert_eq!((&now["state"], &now["expires_at"]), (&"active".into(), &given["expires_at"]));
        assert_let_in(&host, &mut host.shell("alice"), zone);
    }
}

#[test]
fn a_dead_battery_makes_no_grant_longer_and_a_clock_that_was_far_ahead_ends_none() {
    let mut host = gate(with_boots(builder(Suite::Bookworm, POLICY)).boot());
    bent(&host, &["stintd.service", "stint-sweep.service"]);
    host.ok("systemctl restart stintd.service");
    // Ten years ahead for a while, and right again: what it ended stays so, and that is all.
    let first = grant(&host, "alice admin --for 10m");
    bend(&host, Clocks { wall: 315_360_000, boot: 0 });
    wake(&host);
    assert_eq!(listed(&host, id(&first))["end_reason"], "expired");
    bend(&host, Clocks::default());
    let given = grant(&host, "alice admin --for 10m");
    next_boot(&host);
    host.reboot();
    assert_let_in(&host, &mut host.shell("alice"), "its time is not over");
    assert_set_back(&host);
    // Told once; whoever knows that the clock is right now starts stintd again.
    host.ok("systemctl restart stintd.service");
    let doctor = host.run("stint doctor").stdout;
    assert!(!doctor.contains("The wall clock was set back by "), "{doctor}");
    assert_let_in(&host, &mut host.shell("alice"), "its time is not over");

    // 1970. So much is left as was left, over any number of reboots.
    let since_1970 = now(&host) / 1_000_000;
    for (boot, held) in [(0, true), (200, true), (610, false)] {
        bend(&host, Clocks { wall: -since_1970, boot });
        next_boot(&host);
        host.power_cut();
        let state = listed(&host, id(&given))["state"].clone();
        let wanted = if held { "active" } else { "ended" };
        assert_eq!(state, wanted, "{boot} s after a boot in 1970");
    }
    assert_says(&host.shell("alice").run("sudo -n id -u"), DENIED, "after the end");
}
