//! The clock: the one file that reads time. Everything else takes a [`Moment`] as a value.

use std::sync::Arc;

use nix::time::{ClockId, clock_gettime};
use stint_proto::Timestamp;

/// A point on both clocks at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock (CLOCK_REALTIME): it can be set, forwards and back.
    pub wall: Timestamp,
    /// Microseconds since boot, suspend included (CLOCK_BOOTTIME): it only goes forwards.
    pub boot: i64,
}

/// Where moments come from; tests put their own in.
pub trait Clock: Send + Sync {
    /// Both clocks, now.
    fn now(&self) -> Moment;
}

/// The clock that everything in the daemon shares.
pub type SharedClock = Arc<dyn Clock>;

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelClock;

impl Clock for KernelClock {
    fn now(&self) -> Moment {
        Moment {
            wall: Timestamp::from_micros(micros(ClockId::CLOCK_REALTIME)),
            boot: micros(ClockId::CLOCK_BOOTTIME),
        }
    }
}

/// Reads one clock. The two clocks used here exist on every kernel since 2.6.39, so a failure
/// cannot be; were it to come, the far future ends every grant, which is the safe side.
fn micros(clock: ClockId) -> i64 {
    match clock_gettime(clock) {
        Ok(time) => time.tv_sec().saturating_mul(1_000_000).saturating_add(time.tv_nsec() / 1_000),
        Err(_) => i64::MAX,
    }
}

/// The kernel's id of this boot (random(4)): deadlines on the boot clock hold under this id alone.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn boot_id() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}
