//! The system calls of those who ask, by libc, made safe; all that is `unsafe` here is in this file.
//! No rules.
//!
//! The crates that do this for others need the standard library, or panic at what the kernel should
//! never say.

use core::ffi::{CStr, c_char, c_int, c_long};
use core::mem::{offset_of, size_of};
use core::time::Duration;

use crate::text::{Line, Say};

/// Why the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// Somebody answers that this was asked already: a connection that a signal interrupted.
    pub const IS_CONNECTED: Self = Self(libc::EISCONN);
    /// A signal came.
    pub const INTERRUPTED: Self = Self(libc::EINTR);
    /// Not now.
    pub const AGAIN: Self = Self(libc::EAGAIN);
    /// The other end is closed.
    pub const PIPE: Self = Self(libc::EPIPE);
    /// The other end was closed with something unread.
    pub const RESET: Self = Self(libc::ECONNRESET);
    /// The name is too long.
    pub const TOO_LONG: Self = Self(libc::ENAMETOOLONG);
    /// The argument is none.
    pub const INVALID: Self = Self(libc::EINVAL);
    /// It is not of the kind that is wanted.
    pub const NOT_SUPPORTED: Self = Self(libc::EOPNOTSUPP);

    fn last() -> Self {
        // SAFETY: __errno_location has no preconditions; it gives this thread's own errno.
        Self(unsafe { *libc::__errno_location() })
    }
}

impl Say for Errno {
    /// In the words of strerror(3), which itself would read the caller's language.
    fn say(&self, line: &mut Line) {
        line.push(match self.0 {
            libc::ENOENT => "No such file or directory",
            libc::ECONNREFUSED => "Connection refused",
            libc::EACCES => "Permission denied",
            libc::EPERM => "Operation not permitted",
            libc::EMFILE => "Too many open files",
            libc::ENFILE => "Too many open files in system",
            libc::ENOMEM => "Cannot allocate memory",
            libc::ENOBUFS => "No buffer space available",
            libc::ENAMETOOLONG => "File name too long",
            libc::ENOTDIR => "Not a directory",
            libc::ELOOP => "Too many levels of symbolic links",
            libc::EROFS => "Read-only file system",
            libc::EINVAL => "Invalid argument",
            libc::EBUSY => "Device or resource busy",
            libc::ENODEV => "No such device",
            libc::EOPNOTSUPP => "Operation not supported",
            other => {
                line.push("error ");
                return line.push_number(other.unsigned_abs());
            }
        });
    }
}

/// The result of a call that says -1 where it failed.
fn checked(result: c_int) -> Result<c_int, Errno> {
    if result < 0 { Err(Errno::last()) } else { Ok(result) }
}

/// The result of a call that says how many bytes it took, or -1.
fn counted(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno::last())
}

/// How long a value of this type is, as the socket calls want to be told.
fn size<T>() -> libc::socklen_t {
    // No type here is longer than a page; of 0 bytes the kernel takes none.
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

/// The process's real uid.
#[must_use]
pub fn real_uid() -> u32 {
    // SAFETY: getuid has no preconditions, and cannot fail.
    unsafe { libc::getuid() }
}

/// The process's effective uid.
#[must_use]
pub fn effective_uid() -> u32 {
    // SAFETY: geteuid has no preconditions, and cannot fail.
    unsafe { libc::geteuid() }
}

/// The time of the monotonic clock, in nanoseconds.
#[must_use]
pub fn monotonic() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime writes a timespec, and `time` is one.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    if result != 0 {
        // No time is left before any deadline.
        return u64::MAX;
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Lets those run who wait for this processor, if there are any.
pub fn let_others_run() {
    // SAFETY: sched_yield has no preconditions; it does not fail on Linux.
    unsafe { libc::sched_yield() };
}

/// What a stream is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// That something can be read, or the stream has ended.
    Readable,
    /// That something can be sent.
    Writable,
}

/// An open descriptor, closed when it goes; it is also closed on exec.
#[derive(Debug)]
pub struct Descriptor(c_int);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the number is of a descriptor that this value opened, and nobody else has closed:
        // it never leaves this file. What close reports nobody can mend.
        unsafe { libc::close(self.0) };
    }
}

impl Descriptor {
    /// A Unix stream socket.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn stream() -> Result<Self, Errno> {
        // SAFETY: socket takes any numbers.
        let number =
            unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
        checked(number).map(Self)
    }

    /// Has sending, and connecting, block for at most this long, and at least a microsecond.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn limit_sending(&self, limit: Duration) -> Result<(), Errno> {
        let seconds = libc::time_t::try_from(limit.as_secs()).unwrap_or(60);
        // Zero would mean for ever.
        let micros = libc::suseconds_t::from(limit.subsec_micros()).max(1);
        let time = libc::timeval { tv_sec: seconds, tv_usec: micros };
        let length = size::<libc::timeval>();
        // SAFETY: setsockopt reads `length` bytes, which are all of `time`, and it outlives the call.
        checked(unsafe {
            libc::setsockopt(
                self.0,
                libc::SOL_SOCKET,
                libc::SO_SNDTIMEO,
                (&raw const time).cast(),
                length,
            )
        })?;
        Ok(())
    }

    /// Connects to the socket of this path.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn connect(&self, path: &str) -> Result<(), Errno> {
        let family = libc::sa_family_t::try_from(libc::AF_UNIX).map_err(|_| Errno::INVALID)?;
        let mut address = libc::sockaddr_un { sun_family: family, sun_path: [0; 108] };
        // Room for the NUL behind it.
        if path.len() >= address.sun_path.len() || path.bytes().any(|byte| byte == 0) {
            return Err(Errno::TOO_LONG);
        }
        for (place, byte) in address.sun_path.iter_mut().zip(path.bytes()) {
            *place = byte as c_char;
        }
        let length =
            offset_of!(libc::sockaddr_un, sun_path).saturating_add(path.len()).saturating_add(1);
        let length = libc::socklen_t::try_from(length).map_err(|_| Errno::TOO_LONG)?;
        // SAFETY: connect reads `length` bytes, at most all of `address`, which outlives the call.
        checked(unsafe { libc::connect(self.0, (&raw const address).cast(), length) })?;
        Ok(())
    }

    /// The uid of the process that listens at the other end, by the kernel.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn peer_uid(&self) -> Result<u32, Errno> {
        let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
        let mut length = size::<libc::ucred>();
        // SAFETY: getsockopt writes at most `length` bytes, which are all of `peer`, and how many
        // it wrote; both outlive the call.
        checked(unsafe {
            libc::getsockopt(
                self.0,
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut peer).cast(),
                &raw mut length,
            )
        })?;
        Ok(peer.uid)
    }

    /// Sends what can be sent now, without a SIGPIPE; says how many bytes.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn send(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: send reads the slice's bytes, which outlive the call.
        counted(unsafe { libc::send(self.0, bytes.as_ptr().cast(), bytes.len(), flags) })
    }

    /// Receives what is there now; says how many bytes, none at the end of the stream.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn receive(&self, room: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: recv writes at most the slice's length, and the slice outlives the call.
        counted(unsafe {
            libc::recv(self.0, room.as_mut_ptr().cast(), room.len(), libc::MSG_DONTWAIT)
        })
    }

    /// Waits for at most so many milliseconds; `false` if that is over.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn wait(&self, until: Until, millis: c_int) -> Result<bool, Errno> {
        let events = match until {
            Until::Readable => libc::POLLIN,
            Until::Writable => libc::POLLOUT,
        };
        let mut waiting = libc::pollfd { fd: self.0, events, revents: 0 };
        // SAFETY: poll reads and writes one pollfd, which `waiting` is, and it outlives the call.
        let ready = checked(unsafe { libc::poll(&raw mut waiting, 1, millis.max(0)) })?;
        Ok(ready != 0)
    }

    /// Opens the file of this path for writing, if no symbolic link is in its place.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn open_to_write(path: &CStr) -> Result<Self, Errno> {
        let flags = libc::O_WRONLY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: the path ends in NUL and outlives the call; without O_CREAT there is no mode.
        checked(unsafe { libc::open(path.as_ptr(), flags) }).map(Self)
    }

    /// Whether it is a file of the kernel's one tree of control groups.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn is_of_control_groups(&self) -> Result<bool, Errno> {
        // SAFETY: statfs is numbers only, for which all zeros are valid.
        let mut about: libc::statfs = unsafe { core::mem::zeroed() };
        // SAFETY: fstatfs writes a statfs, and `about` is one.
        checked(unsafe { libc::fstatfs(self.0, &raw mut about) })?;
        Ok(c_long::from(about.f_type) == c_long::from(libc::CGROUP2_SUPER_MAGIC))
    }

    /// Writes, in one call; says how many bytes.
    ///
    /// # Errors
    /// As the kernel says.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        // SAFETY: write reads the slice's bytes, which outlive the call.
        counted(unsafe { libc::write(self.0, bytes.as_ptr().cast(), bytes.len()) })
    }
}
