//! Faults at system calls: a process is stopped at each call that changes something, and at the
//! N-th it is killed, or the call is made to fail, or to write less than it was asked to. By
//! ptrace, from outside: the process runs in its own unit, with all of its limits, and knows
//! nothing of it.
//!
//! Calls are counted over all threads, in the order in which they are about to be made. A call at
//! which the process is killed is not made: the kernel sees the signal before it begins, and gives
//! it up (`ptrace_report_syscall_entry`). Killed before the N-th is killed after the one before,
//! so all points between two calls are met. A call that fails is not made either. One that writes
//! less is made, with a smaller count: the bytes are in the file.

mod calls;
mod registers;

use crate::clock::Deadline;
use calls::Process;
pub use calls::{Call, Kind};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use registers::{Registers, fail, skip, write_less};
use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed; the call is not made.
    Kill,
    /// This call fails.
    Once(Errno),
    /// This call and every later one that would need the same fails, until it is lifted.
    FromThen(Errno),
    /// Half of what is to be written is; what is asked of the file after that is done.
    Short,
    /// Half of what is to be written is, and from then on the disk is full, until it is lifted.
    ShortThenFull,
}

impl Fault {
    /// Whether it can come at this call.
    #[must_use]
    pub fn meets(self, call: &Call) -> bool {
        match self {
            Self::Kill => true,
            Self::Once(errno) | Self::FromThen(errno) => can_fail(call, errno),
            Self::Short | Self::ShortThenFull => {
                call.kind == Kind::Write && matches!(call.name, "write" | "pwrite64")
            }
        }
    }
}

/// Whether a file system gives this error for this call: a full one lets files be removed, and
/// one that is read-only has no files that are open to be written.
fn can_fail(call: &Call, errno: Errno) -> bool {
    match (call.kind, errno) {
        (Kind::Send | Kind::Signal, _) => false,
        (Kind::Write, errno) => errno != Errno::EROFS,
        (Kind::Sync, errno) => errno == Errno::EIO,
        (Kind::File, errno) => errno != Errno::ENOSPC || call.needs_room,
    }
}

/// A fault, and at which of the calls that it can come at, counted from 1.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What happens.
    pub fault: Fault,
    /// At which call.
    pub at: usize,
}

#[derive(Debug)]
struct Seen {
    counting: bool,
    calls: Vec<Call>,
    last: Deadline,
    plan: Option<Plan>,
    met: usize,
    hit: Option<Call>,
    full: Option<Errno>,
    done: bool,
    stop: bool,
}

/// A process that is being traced. Dropping it lets the process go on as if nothing had been.
#[derive(Debug)]
pub struct Trace {
    pid: i32,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

impl Trace {
    /// Begins to trace a process; without a plan its calls are only counted. With `after_exec` they
    /// are from the next program on that it becomes, else at once.
    ///
    /// # Panics
    /// When there is no such process, or somebody else traces it.
    #[must_use]
    pub fn begin(pid: i32, plan: Option<Plan>, after_exec: bool) -> Self {
        let seen = Arc::new(Mutex::new(Seen {
            counting: !after_exec,
            calls: Vec::new(),
            last: Deadline::seconds(0),
            plan,
            met: 0,
            hit: None,
            full: None,
            done: false,
            stop: false,
        }));
        let (ready, begun) = channel();
        let shared = Arc::clone(&seen);
        // Only the thread that traces a process hears of it.
        let thread = std::thread::spawn(move || Tracer::new(pid, shared).run(&ready));
        let trace = Self { pid, seen, thread: Some(thread) };
        begun.recv().unwrap_or_else(|_| panic!("process {pid} cannot be traced"));
        trace
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.seen().calls.clone()
    }

    /// The call at which the fault came, if it has.
    #[must_use]
    pub fn hit(&self) -> Option<Call> {
        self.seen().hit.clone()
    }

    /// Whether the process has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.seen().done
    }

    /// How long ago the last call that changes something was.
    #[must_use]
    pub fn quiet_for(&self) -> Duration {
        self.seen().last.elapsed()
    }

    /// Ends the fault: the disk has room again.
    pub fn lift(&self) {
        let mut seen = self.seen();
        seen.plan = None;
        seen.full = None;
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.seen().stop = true;
        // The tracer sleeps until the process does something: it is told of a signal before the
        // process is, which ignores this one.
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGURG);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the tracing thread knows.
struct Tracer {
    pid: Pid,
    process: Option<Process>,
    shared: Arc<Mutex<Seen>>,
    /// The threads that are in a call, and with what it is to fail.
    inside: HashMap<Pid, Option<Errno>>,
}

impl Tracer {
    fn new(pid: i32, shared: Arc<Mutex<Seen>>) -> Self {
        let pid = Pid::from_raw(pid);
        Self { pid, process: Process::open(pid.as_raw()).ok(), shared, inside: HashMap::new() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(mut self, ready: &Sender<()>) {
        if self.seize().is_err() {
            return;
        }
        let _ = ready.send(());
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            match waitpid(None, Some(flags)) {
                Ok(status) => self.take(status),
                Err(Errno::EINTR) => {}
                // Nobody is left to wait for.
                Err(_) => break,
            }
            if self.seen().stop {
                // The kernel lets go of all threads when their tracer ends.
                break;
            }
        }
        self.seen().done = true;
    }

    /// Traces every thread, those too that come while this looks.
    fn seize(&self) -> nix::Result<()> {
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC;
        let mut seized = HashSet::new();
        loop {
            let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid));
            let threads = threads.into_iter().flatten().flatten();
            let new: Vec<i32> = threads
                .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
                .filter(|thread| seized.insert(*thread))
                .collect();
            if new.is_empty() {
                return if seized.is_empty() { Err(Errno::ESRCH) } else { Ok(()) };
            }
            for thread in new.into_iter().map(Pid::from_raw) {
                match ptrace::seize(thread, options) {
                    Ok(()) => ptrace::interrupt(thread)?,
                    // Traced already, as a child of one that is; or gone.
                    Err(Errno::EPERM | Errno::ESRCH) if thread != self.pid => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    fn take(&mut self, status: WaitStatus) {
        match status {
            WaitStatus::PtraceSyscall(thread) => {
                if let Some(failing) = self.inside.remove(&thread) {
                    if let Some(errno) = failing {
                        let _ = fail(thread, errno);
                    }
                } else {
                    let failing = self.enter(thread);
                    self.inside.insert(thread, failing);
                }
                let _ = ptrace::syscall(thread, None);
            }
            WaitStatus::PtraceEvent(thread, _, event) => {
                if event == ptrace::Event::PTRACE_EVENT_EXEC as i32 {
                    self.process = Process::open(self.pid.as_raw()).ok();
                    self.seen().counting = true;
                }
                let _ = ptrace::syscall(thread, None);
            }
            WaitStatus::Stopped(thread, signal) => {
                let _ = ptrace::syscall(thread, signal);
            }
            WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                self.inside.remove(&thread);
            }
            _ => {}
        }
    }

    /// A thread is about to make a call. Returns what it is to fail with.
    fn enter(&self, thread: Pid) -> Option<Errno> {
        let mut seen = self.seen();
        if !seen.counting {
            return None;
        }
        let registers = Registers::of(thread).ok()?;
        let call = self.process.as_ref()?.changing(&registers)?;
        seen.last = Deadline::seconds(0);
        seen.calls.push(call.clone());
        if let Some(errno) = seen.full.filter(|errno| can_fail(&call, *errno)) {
            return skip(thread).ok().map(|()| errno);
        }
        let plan = seen.plan.filter(|plan| seen.hit.is_none() && plan.fault.meets(&call))?;
        seen.met += 1;
        if seen.met != plan.at {
            return None;
        }
        seen.hit = Some(call);
        match plan.fault {
            Fault::Kill => {
                let _ = kill(self.pid, Signal::SIGKILL);
                None
            }
            Fault::Once(errno) => skip(thread).ok().map(|()| errno),
            Fault::FromThen(errno) => {
                seen.full = Some(errno);
                skip(thread).ok().map(|()| errno)
            }
            Fault::Short | Fault::ShortThenFull => {
                // All calls that this meets have their count there.
                let _ = write_less(thread, (registers.arguments[2] / 2).max(1));
                if plan.fault == Fault::ShortThenFull {
                    seen.full = Some(Errno::ENOSPC);
                }
                None
            }
        }
    }
}
