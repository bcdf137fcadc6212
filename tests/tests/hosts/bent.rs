//! Clocks of a host's programs that are not the machine's: a library of our own moves the wall clock
//! and the boot clock for the units that are told so, their timers too. No clock of a host can be
//! set. (libfaketime cannot do this: it moves the timers of the boot clock with the wall clock.)

use std::path::{Path, PathBuf};
use std::process::Command;
use stint_tests::Host;

/// By how many seconds is in a file, which is read anew each time: clocks can be moved under a
/// program that runs.
const LIBRARY: &str = r#"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static char clock_of[4096];

static long offset(clockid_t clock) {
    char text[64] = "", *end = text;
    if (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME) return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/etc/bent-clocks", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    if (syscall(SYS_read, fd, text, sizeof text - 1) < 0) text[0] = 0;
    syscall(SYS_close, fd);
    long wall = strtol(text, &end, 10), boot = strtol(end, &end, 10);
    return clock == CLOCK_REALTIME ? wall : boot;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    time->tv_sec += offset(clock);
    return result;
}

int timerfd_create(int clock, int flags) {
    int fd = (int)syscall(SYS_timerfd_create, clock, flags);
    if (fd >= 0 && fd < 4096) clock_of[fd] = (char)(clock + 1);
    return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old) {
    struct itimerspec moved = *new;
    if (fd >= 0 && fd < 4096 && clock_of[fd] && moved.it_value.tv_sec) {
        moved.it_value.tv_sec -= offset(clock_of[fd] - 1);
        if (moved.it_value.tv_sec < 0) moved.it_value.tv_sec = 0, moved.it_value.tv_nsec = 1;
    }
    return (int)syscall(SYS_timerfd_settime, fd, flags, &moved, old);
}
"#;

/// By how much the clocks are moved, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clocks {
    pub wall: i64,
    pub boot: i64,
}

fn library() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let thread = std::thread::current().id();
    let name = format!("bent-clocks-{}-{thread:?}", std::process::id());
    let (source, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&source, LIBRARY).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).args([&library, &source]);
    assert!(compiler.status().expect("the linker of Rust is cc").success());
    library
}

/// From their next start on these units go by bent clocks.
pub fn bent(host: &Host, units: &[&str]) {
    host.put(&library(), "/usr/lib/bent-clocks.so", "0755");
    bend(host, Clocks::default());
    let drop_in = "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/bent-clocks.so\n";
    for unit in units {
        host.write(&format!("/etc/systemd/system/{unit}.d/clock.conf"), "0644", drop_in);
    }
    host.ok("systemctl daemon-reload");
}

/// Bends them so far, at once.
pub fn bend(host: &Host, clocks: Clocks) {
    let Clocks { wall, boot } = clocks;
    host.write("/etc/bent-clocks.new", "0644", format!("{wall} {boot}\n"));
    host.ok("mv /etc/bent-clocks.new /etc/bent-clocks");
}
