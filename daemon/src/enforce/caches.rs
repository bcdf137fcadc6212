//! Telling the name service cache that memberships have changed. Where none runs there is nothing to
//! tell. Asks nothing and changes no file.
//!
//! Spoken to over its socket, as `nscd -i group` does (glibc, nscd/nscd-client.h): a program would
//! need rights that this daemon does not have. sssd is not told: it caches what its own domains say,
//! never what is in /etc/group or in /run/userdb; where it serves /etc/group it watches the file.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

const VERSION: i32 = 2;
const INVALIDATE: i32 = 10;
/// Group entries, and who is in which.
const DATABASE: &[u8] = b"group\0";
/// How long it may take; it drops its entries before it answers.
const LIMIT: Duration = Duration::from_secs(2);

/// A cache that runs and could not be told.
#[derive(Debug)]
pub struct NotTold {
    /// By which socket.
    pub socket: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for NotTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (socket, error) = (self.socket.display(), &self.error);
        write!(
            f,
            "nscd was not told that memberships have changed, and may answer as before \
             ({socket}: {error})"
        )
    }
}

impl std::error::Error for NotTold {}

/// Has the cache drop what it knows of groups.
///
/// # Errors
/// [`NotTold`] when one listens on this socket and does not do so in time.
pub fn forget_groups(path: &Path) -> Result<(), NotTold> {
    let failed = |error| NotTold { socket: path.to_owned(), error };
    let Some(stream) = reach(path).map_err(failed)? else { return Ok(()) };
    tell(stream).map_err(failed)
}

/// A connection; `None` where nobody listens.
fn reach(path: &Path) -> io::Result<Option<UnixStream>> {
    // Not to wait for a cache that takes no more connections.
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = UnixStream::from(socket(AddressFamily::Unix, SockType::Stream, flags, None)?);
    match connect(std::os::fd::AsRawFd::as_raw_fd(&stream), &UnixAddr::new(path)?) {
        Ok(()) => {}
        Err(Errno::ENOENT | Errno::ECONNREFUSED) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(Some(stream))
}

fn tell(mut stream: UnixStream) -> io::Result<()> {
    let length = i32::try_from(DATABASE.len()).map_err(io::Error::other)?;
    let header = [VERSION, INVALIDATE, length].map(i32::to_ne_bytes).concat();
    stream.write_all(&[&header, DATABASE].concat())?;
    let mut answer = [0_u8; 4];
    match stream.read(&mut answer) {
        // An older one only closes.
        Ok(0) => Ok(()),
        Ok(4) => match i32::from_ne_bytes(answer) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        },
        Ok(_) => Err(io::Error::other("it answers with something else")),
        // One that caches no groups hangs up on who asks it to forget them.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// What was asked, and what came of it, where a cache answers this.
    fn asked(answer: &'static [u8]) -> (Vec<u8>, Result<(), NotTold>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let cache = thread::spawn(move || {
            let mut asked = vec![0; 18];
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(answer).unwrap();
            asked
        });
        let told = forget_groups(&path);
        (cache.join().unwrap(), told)
    }

    #[test]
    fn it_asks_as_glibc_does_and_believes_only_a_yes() {
        let (bytes, told) = asked(&[0; 4]);
        let header = [2_i32, 10, 6].map(i32::to_ne_bytes).concat();
        assert_eq!(bytes, [&header[..], b"group\0"].concat());
        assert!(told.is_ok(), "{told:?}");
        assert!(asked(&[]).1.is_ok(), "an older one only hangs up");
        assert!(asked(&[1, 0, 0, 0]).1.is_err());
        assert!(asked(&[0]).1.is_err());
    }

    #[test]
    fn where_none_runs_nobody_is_to_be_told() {
        let dir = tempfile::tempdir().unwrap();
        assert!(forget_groups(&dir.path().join("none")).is_ok());
        drop(UnixListener::bind(dir.path().join("dead")).unwrap());
        assert!(forget_groups(&dir.path().join("dead")).is_ok());
    }
}
