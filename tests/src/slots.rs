//! How many hosts run at once: a counter that boots wait for, so that a machine with two cores
//! is not asked to boot thirty. It knows nothing of hosts.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Hosts that may run at the same time in one test process.
const SLOTS: usize = 4;

/// How long a boot waits for its turn before it gives up.
const PATIENCE: Duration = Duration::from_secs(1200);

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// The right to run so many hosts; dropping it passes the right on.
#[derive(Debug)]
pub(crate) struct Slots(usize);

impl Slots {
    /// Waits until so many are free, and takes all of them at once. A test that needs several takes
    /// them so, or not more than there are: one that has some and waits for others keeps them from
    /// whoever does the same.
    pub(crate) fn take(count: usize) -> Self {
        assert!(count <= SLOTS, "{count} hosts at once are more than {SLOTS}");
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, wait) = FREED
            .wait_timeout_while(taken, PATIENCE, |taken| *taken + count > SLOTS)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!wait.timed_out(), "no host ended within {PATIENCE:?}: are they all waiting?");
        *taken += count;
        Self(count)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        FREED.notify_all();
    }
}
