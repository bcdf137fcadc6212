//! The clock: the one file that reads time and lets it pass. Everything else takes it as a value.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use stint_proto::Timestamp;

/// The time since boot, suspend included (CLOCK_BOOTTIME): nobody can set it. The clock exists on
/// every kernel since 2.6.39; were it to fail, no time would pass, which costs a look more.
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// What the host's clock shows, for people; it may be set.
pub fn now() -> Timestamp {
    let shown = clock_gettime(ClockId::CLOCK_REALTIME).map(Duration::from).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(shown.as_micros()).unwrap_or(i64::MAX))
}

/// Lets time pass.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}
