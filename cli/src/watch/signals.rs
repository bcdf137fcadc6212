//! Signals that end a program: while the board has the screen they are noted, so that the screen is
//! given back first; outside of it they do what they always do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::{flag, low_level};

/// The signals of this process from now on.
pub struct Signals {
    outside: Arc<AtomicBool>,
    came: Arc<AtomicUsize>,
}

impl Signals {
    /// Starts to note them.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn note() -> io::Result<Self> {
        let outside = Arc::new(AtomicBool::new(false));
        let came = Arc::new(AtomicUsize::new(0));
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            flag::register_conditional_default(signal, Arc::clone(&outside))?;
            let value = usize::try_from(signal).map_err(io::Error::other)?;
            flag::register_usize(signal, Arc::clone(&came), value)?;
        }
        Ok(Self { outside, came })
    }

    /// Whether the screen is given back for a while.
    pub fn outside(&self, outside: bool) {
        self.outside.store(outside, Ordering::SeqCst);
    }

    /// Whether one has come.
    pub fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst) != 0
    }

    /// Ends the program as the signal that came would have; comes back if none has.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn obey(&self) -> io::Result<()> {
        match i32::try_from(self.came.load(Ordering::SeqCst)) {
            Ok(0) | Err(_) => Ok(()),
            Ok(signal) => low_level::emulate_default_handler(signal),
        }
    }
}
