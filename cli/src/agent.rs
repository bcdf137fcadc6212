//! polkit's agent for the terminal: whoever approves may be asked for their password there. As
//! systemctl has it: only on a terminal, only where no other agent is, gone after the call.

use std::io::pipe;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde::Serialize;
use zbus::zvariant::{DynamicDeserialize, DynamicType};

use crate::failure::Failure;
use crate::{bus, prompt};

const PROGRAM: &str = "/usr/bin/pkttyagent";
/// How long it may take to register, in milliseconds; without it the daemon's answer says more.
const REGISTERS_WITHIN: u16 = 10_000;

/// Calls a method for which the daemon may want the caller's password: whoever calls is asked for
/// it here, on the terminal, if there is one.
///
/// # Errors
/// As [`bus::call`].
pub fn call<B, R>(method: &str, body: &B) -> Result<R, Failure>
where
    B: Serialize + DynamicType,
    R: for<'d> DynamicDeserialize<'d>,
{
    let _asks = Agent::start();
    bus::call_with_password(method, body)
}

/// The agent, for as long as this lives.
#[derive(Debug)]
struct Agent(Child);

impl Agent {
    /// Starts it, and waits until it has registered; `None` where there is nobody to ask, or
    /// nothing to ask with.
    fn start() -> Option<Self> {
        if geteuid().is_root() || !prompt::possible() || !Path::new(PROGRAM).exists() {
            return None;
        }
        let (ready, theirs) = pipe().ok()?;
        // Its standard input is the end of the pipe that it shuts when it has registered; it
        // opens the terminal by itself.
        let child = Command::new(PROGRAM)
            .args(["--process", &std::process::id().to_string()])
            .args(["--notify-fd", "0", "--fallback"])
            .stdin(Stdio::from(theirs))
            .spawn()
            .ok()?;
        // Registered or not, the call is made: the daemon's refusal then says what is missing.
        let _ = poll(
            &mut [PollFd::new(ready.as_fd(), PollFlags::POLLIN)],
            PollTimeout::from(REGISTERS_WITHIN),
        );
        Some(Self(child))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.0.id()) {
            // Not killed outright: it puts the terminal's echo back. One that is gone already
            // cannot be told.
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
            let _ = kill(Pid::from_raw(id), Signal::SIGCONT);
        }
        let _ = self.0.wait();
    }
}
