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

/// The right to run one host; dropping it passes the right on.
#[derive(Debug)]
pub(crate) struct Slot(());

impl Slot {
    /// Waits for a free slot. A test that needs several hosts at once must not take more than
    /// there are.
    pub(crate) fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, wait) = FREED
            .wait_timeout_while(taken, PATIENCE, |taken| *taken >= SLOTS)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!wait.timed_out(), "no host ended within {PATIENCE:?}: are they all waiting?");
        *taken += 1;
        Self(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}
