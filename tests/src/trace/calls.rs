//! Which system calls change something that others can see, or that outlives the process: files,
//! what is sent, signals. Memory, timers, locks (they go with the process) and a process's own
//! pipes are not among them.

use super::registers::Registers;
use nix::libc;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a call changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It puts bytes into a file.
    Write,
    /// It has the disk hold what was written.
    Sync,
    /// It makes, names, removes or alters a file.
    File,
    /// It sends something to another process.
    Send,
    /// It signals another process.
    Signal,
}

/// Where the table's arguments say what is changed.
#[derive(Clone, Copy)]
enum Of {
    /// By a descriptor: the number of the argument.
    Fd(usize),
    /// By a path, below a descriptor where there is one.
    Path(Option<usize>, usize),
    /// A file that is opened, if these flags make or change one.
    Open(Option<usize>, usize, usize),
    /// Nothing that has a name.
    Nothing,
}

/// One call that was about to be made.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub name: &'static str,
    /// What it changes.
    pub kind: Kind,
    /// On what: a path, or what a descriptor leads to.
    pub on: String,
    /// Whether it needs room where there is none yet: not a file that is opened as it is there.
    pub(super) needs_room: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.on)
    }
}

type Row = (i64, &'static str, Kind, Of);

const CALLS: &[Row] = &[
    (libc::SYS_write, "write", Kind::Write, Of::Fd(0)),
    (libc::SYS_pwrite64, "pwrite64", Kind::Write, Of::Fd(0)),
    (libc::SYS_writev, "writev", Kind::Write, Of::Fd(0)),
    (libc::SYS_pwritev, "pwritev", Kind::Write, Of::Fd(0)),
    (libc::SYS_pwritev2, "pwritev2", Kind::Write, Of::Fd(0)),
    (libc::SYS_copy_file_range, "copy_file_range", Kind::Write, Of::Fd(2)),
    (libc::SYS_sendfile, "sendfile", Kind::Write, Of::Fd(0)),
    (libc::SYS_fallocate, "fallocate", Kind::Write, Of::Fd(0)),
    (libc::SYS_fsync, "fsync", Kind::Sync, Of::Fd(0)),
    (libc::SYS_fdatasync, "fdatasync", Kind::Sync, Of::Fd(0)),
    (libc::SYS_open, "open", Kind::File, Of::Open(None, 0, 1)),
    (libc::SYS_openat, "openat", Kind::File, Of::Open(Some(0), 1, 2)),
    (libc::SYS_creat, "creat", Kind::File, Of::Path(None, 0)),
    (libc::SYS_rename, "rename", Kind::File, Of::Path(None, 1)),
    (libc::SYS_renameat, "renameat", Kind::File, Of::Path(Some(2), 3)),
    (libc::SYS_renameat2, "renameat2", Kind::File, Of::Path(Some(2), 3)),
    (libc::SYS_link, "link", Kind::File, Of::Path(None, 1)),
    (libc::SYS_linkat, "linkat", Kind::File, Of::Path(Some(2), 3)),
    (libc::SYS_symlink, "symlink", Kind::File, Of::Path(None, 1)),
    (libc::SYS_symlinkat, "symlinkat", Kind::File, Of::Path(Some(1), 2)),
    (libc::SYS_unlink, "unlink", Kind::File, Of::Path(None, 0)),
    (libc::SYS_unlinkat, "unlinkat", Kind::File, Of::Path(Some(0), 1)),
    (libc::SYS_rmdir, "rmdir", Kind::File, Of::Path(None, 0)),
    (libc::SYS_mkdir, "mkdir", Kind::File, Of::Path(None, 0)),
    (libc::SYS_mkdirat, "mkdirat", Kind::File, Of::Path(Some(0), 1)),
    (libc::SYS_truncate, "truncate", Kind::File, Of::Path(None, 0)),
    (libc::SYS_ftruncate, "ftruncate", Kind::File, Of::Fd(0)),
    (libc::SYS_chmod, "chmod", Kind::File, Of::Path(None, 0)),
    (libc::SYS_fchmod, "fchmod", Kind::File, Of::Fd(0)),
    (libc::SYS_fchmodat, "fchmodat", Kind::File, Of::Path(Some(0), 1)),
    (libc::SYS_chown, "chown", Kind::File, Of::Path(None, 0)),
    (libc::SYS_lchown, "lchown", Kind::File, Of::Path(None, 0)),
    (libc::SYS_fchown, "fchown", Kind::File, Of::Fd(0)),
    (libc::SYS_fchownat, "fchownat", Kind::File, Of::Path(Some(0), 1)),
    (libc::SYS_setxattr, "setxattr", Kind::File, Of::Path(None, 0)),
    (libc::SYS_fsetxattr, "fsetxattr", Kind::File, Of::Fd(0)),
    (libc::SYS_fremovexattr, "fremovexattr", Kind::File, Of::Fd(0)),
    (libc::SYS_utimensat, "utimensat", Kind::File, Of::Path(Some(0), 1)),
    (libc::SYS_sendto, "sendto", Kind::Send, Of::Fd(0)),
    (libc::SYS_sendmsg, "sendmsg", Kind::Send, Of::Fd(0)),
    (libc::SYS_sendmmsg, "sendmmsg", Kind::Send, Of::Fd(0)),
    (libc::SYS_kill, "kill", Kind::Signal, Of::Nothing),
    (libc::SYS_pidfd_send_signal, "pidfd_send_signal", Kind::Signal, Of::Nothing),
];

/// What a full disk lets be done.
const WITHOUT_ROOM: [&str; 6] = ["unlink", "unlinkat", "rmdir", "fchmod", "fchown", "ftruncate"];

/// What a process has that its calls are read by.
pub(super) struct Process {
    pid: i32,
    memory: File,
}

impl Process {
    pub(super) fn open(pid: i32) -> std::io::Result<Self> {
        Ok(Self { pid, memory: File::open(format!("/proc/{pid}/mem"))? })
    }

    /// The call, if it changes something.
    pub(super) fn changing(&self, registers: &Registers) -> Option<Call> {
        let (_, name, kind, of) = *CALLS.iter().find(|(number, ..)| *number == registers.number)?;
        let argument = |at: usize| registers.arguments[at];
        let on = match of {
            Of::Nothing => String::new(),
            Of::Fd(at) => self.leads_to(argument(at)),
            Of::Path(below, at) => self.path(below.map(argument), argument(at)),
            Of::Open(below, at, flags) => {
                let making = i64::from(libc::O_CREAT | libc::O_TRUNC).cast_unsigned();
                if argument(flags) & making == 0 {
                    return None;
                }
                self.path(below.map(argument), argument(at))
            }
        };
        let kind = match kind {
            Kind::Write if on.starts_with("socket:") => Kind::Send,
            kind => kind,
        };
        let there = || Path::new(&format!("/proc/{}/root{on}", self.pid)).exists();
        let needs_room = match of {
            Of::Open(..) => !there(),
            _ => !WITHOUT_ROOM.contains(&name),
        };
        // What a process tells itself.
        let inner = on.starts_with("anon_inode:") || on.starts_with("pipe:");
        (!inner).then_some(Call { name, kind, on, needs_room })
    }

    fn leads_to(&self, fd: u64) -> String {
        let link = fs::read_link(format!("/proc/{}/fd/{fd}", self.pid));
        link.map_or_else(|_| fd.to_string(), |path| path.to_string_lossy().into_owned())
    }

    fn path(&self, below: Option<u64>, at: u64) -> String {
        let name = self.text(at);
        match below {
            // The descriptors are ints: of AT_FDCWD the upper half may be anything.
            Some(fd) if !name.starts_with('/') && fd < 1 << 31 => {
                format!("{}/{name}", self.leads_to(fd))
            }
            _ => name,
        }
    }

    fn text(&self, at: u64) -> String {
        let mut bytes = [0; 256];
        // Near the end of a mapping less can be read than is asked for.
        let read = [256, 64, 16].into_iter().find_map(|size| {
            self.memory.read_at(&mut bytes[..size], at).ok().filter(|count| *count > 0)
        });
        let bytes = &bytes[..read.unwrap_or(0)];
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}
