//! The registers of a thread that is stopped at a system call: which call it is, its arguments,
//! its result. The one file that knows the machine's architecture.

use nix::Result;
use nix::sys::ptrace;
use nix::unistd::Pid;

/// Which call a thread is stopped at, and with what.
pub(super) struct Registers {
    pub(super) number: i64,
    pub(super) arguments: [u64; 6],
}

#[cfg(target_arch = "x86_64")]
impl Registers {
    pub(super) fn of(thread: Pid) -> Result<Self> {
        let found = ptrace::getregs(thread)?;
        Ok(Self {
            number: found.orig_rax.cast_signed(),
            arguments: [found.rdi, found.rsi, found.rdx, found.r10, found.r8, found.r9],
        })
    }
}

/// At the entry of a call: it will not be made.
#[cfg(target_arch = "x86_64")]
pub(super) fn skip(thread: Pid) -> Result<()> {
    let mut registers = ptrace::getregs(thread)?;
    registers.orig_rax = u64::MAX;
    ptrace::setregs(thread, registers)
}

/// At the entry of a call that writes: so many bytes, and no more.
#[cfg(target_arch = "x86_64")]
pub(super) fn write_less(thread: Pid, count: u64) -> Result<()> {
    let mut registers = ptrace::getregs(thread)?;
    registers.rdx = count;
    ptrace::setregs(thread, registers)
}

/// At the end of a call: it has failed with this.
#[cfg(target_arch = "x86_64")]
pub(super) fn fail(thread: Pid, errno: nix::errno::Errno) -> Result<()> {
    let mut registers = ptrace::getregs(thread)?;
    registers.rax = i64::from(-(errno as i32)).cast_unsigned();
    ptrace::setregs(thread, registers)
}

#[cfg(not(target_arch = "x86_64"))]
compile_error!("the fault tests know the registers of x86_64 alone: add this machine's here");
