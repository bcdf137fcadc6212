//! A grant's end is on two clocks: whatever the wall clock does, it is never longer than it was to
//! be. No clock of a host can be set; the daemon alone is shown another wall clock, by a library
//! of our own. (libfaketime cannot: it moves the timers of the boot clock as well.)

use crate::common::{
    DENIED, assert_denied, assert_let_in, assert_says, builder, event_of, gate, gated, grant, id,
    listed, next_boot, with_boots,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use stint_tests::{Host, Suite};

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false
"#;

/// Moves the wall clock by $CLOCK_OFFSET seconds for one program: what it reads, and its timers.
const LIBRARY: &str = r#"
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static char wall[4096];

static long offset(void) {
    const char *text = getenv("CLOCK_OFFSET");
    return text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_REALTIME) time->tv_sec += offset();
    return result;
}

int timerfd_create(int clock, int flags) {
    int fd = (int)syscall(SYS_timerfd_create, clock, flags);
    if (fd >= 0 && fd < 4096) wall[fd] = clock == CLOCK_REALTIME;
    return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old) {
    struct itimerspec moved = *new;
    if (fd >= 0 && fd < 4096 && wall[fd] && moved.it_value.tv_sec) moved.it_value.tv_sec -= offset();
    return (int)syscall(SYS_timerfd_settime, fd, flags, &moved, old);
}
"#;

fn library() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = format!("wall-clock-{}", std::process::id());
    let (source, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&source, LIBRARY).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).args([&library, &source]);
    assert!(compiler.status().expect("the linker of Rust is cc").success());
    library
}

/// From its next start on, the daemon's wall clock is wrong by so many seconds.
fn shift(host: &Host, seconds: i32) {
    host.put(&library(), "/usr/lib/wall-clock.so", "0755");
    let drop_in = format!(
        "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/wall-clock.so CLOCK_OFFSET={seconds}\n"
    );
    host.write("/etc/systemd/system/stintd.service.d/clock.conf", "0644", drop_in);
    host.ok("systemctl daemon-reload");
}

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
