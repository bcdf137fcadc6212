//! The clock of this room: the one file that reads time.

use nix::time::{ClockId, clock_gettime};
use stint_proto::Timestamp;

/// The wall clock.
pub fn wall() -> Timestamp {
    Timestamp::from_micros(micros(ClockId::CLOCK_REALTIME))
}

/// Microseconds since boot, suspend included.
pub fn boot() -> i64 {
    micros(ClockId::CLOCK_BOOTTIME)
}

/// Both clocks exist on every kernel since 2.6.39.
fn micros(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| {
        time.tv_sec().saturating_mul(1_000_000).saturating_add(time.tv_nsec() / 1_000)
    })
}
