//! The clock: the one file that reads time and lets it pass. Everything else takes it as a value.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The time since boot, suspend included (CLOCK_BOOTTIME): nobody can set it. The clock exists on
/// every kernel since 2.6.39; were it to fail, no time would pass, which costs a look more.
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Lets time pass.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}
