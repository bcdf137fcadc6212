//! One connection to the module's socket until its question is complete: who is asking, as the
//! kernel says it, and what. It never waits, decides nothing, and looks nobody up.

use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::sockopt::{PassCred, PeerCredentials};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, UnixCredentials, getsockopt, recvmsg, send, setsockopt,
};
use stint_proto::Uid;
use stint_wire::LONGEST_QUESTION;

use super::greeting::{Greeted, Greeting};
use super::question;
use crate::engine::Peer;

/// More than the lines of `/proc/PID/status` up to `Uid:` ever have.
const STATUS_SIZE: usize = 1_024;

/// A connection whose question is not complete yet.
#[derive(Debug)]
pub(super) struct Asking {
    stream: UnixStream,
    connected: i32,
    peer: Option<Peer>,
    greeting: Greeting,
    greeted: bool,
    bytes: Vec<u8>,
    at: usize,
    out: Vec<u8>,
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum Progress {
    /// More has to arrive.
    NotYet,
    /// The peer has left.
    Left,
    /// It has asked.
    Asked {
        /// Who.
        peer: Peer,
        /// One complete message.
        message: Vec<u8>,
    },
}

/// Has the kernel say with each message who sent it: on this socket, and on the connections that
/// are made to it from now on, from their first byte.
///
/// # Errors
/// When the kernel refuses.
pub(super) fn attest_senders(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, PassCred, &true)?)
}

impl Asking {
    /// Takes a connection of `owner`'s, as the kernel says of the process that connected.
    ///
    /// # Errors
    /// When it is somebody else's (the socket's mode says so too).
    pub(super) fn new(stream: UnixStream, owner: Uid) -> io::Result<Self> {
        // Not inherited where it connected before the listener was told.
        attest_senders(&stream)?;
        let credentials = getsockopt(&stream, PeerCredentials)?;
        if credentials.uid() != owner.0 || credentials.pid() <= 0 {
            return Err(question::garbage("the peer is not root's"));
        }
        Ok(Self {
            stream,
            connected: credentials.pid(),
            peer: None,
            greeting: Greeting::default(),
            greeted: false,
            bytes: Vec::with_capacity(1_024),
            at: 0,
            out: Vec::with_capacity(256),
        })
    }

    /// Takes what has arrived.
    ///
    /// # Errors
    /// When it can no longer become a question.
    pub(super) fn advance(&mut self, guid: &str) -> io::Result<Progress> {
        loop {
            match self.receive() {
                Ok(0) => return Ok(Progress::Left),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::NotYet);
                }
                Err(error) => return Err(error),
            }
            if !self.greeted && !self.greet(guid)? {
                continue;
            }
            if let Some(length) = question::complete(&self.bytes)? {
                let peer = self.peer.ok_or_else(|| question::garbage("nobody has sent it"))?;
                self.bytes.truncate(length);
                return Ok(Progress::Asked { peer, message: std::mem::take(&mut self.bytes) });
            }
        }
    }

    /// Sends the reply, and what of the greeting's answers was kept to go with it: one write, one
    /// waking of the module. There is room for it, as nothing else was sent but short lines; a
    /// peer that has none is not waited for.
    ///
    /// # Errors
    /// When the peer has left, or has left no room.
    pub(super) fn reply(mut self, reply: &[u8]) -> io::Result<()> {
        self.out.extend_from_slice(reply);
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let sent = send(self.stream.as_raw_fd(), &self.out, flags)?;
        if sent < self.out.len() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.out.clear();
        Ok(())
    }

    /// `false` while the greeting is incomplete.
    fn greet(&mut self, guid: &str) -> io::Result<bool> {
        match self.greeting.take(&self.bytes, &mut self.at, guid, &mut self.out) {
            Greeted::At(start) => {
                self.bytes.drain(..start);
                self.greeted = true;
                Ok(true)
            }
            Greeted::Never => Err(question::garbage("its greeting is refused")),
            Greeted::NotYet => {
                if !self.out.is_empty() {
                    self.flush()?;
                }
                Ok(false)
            }
        }
    }

    fn receive(&mut self) -> io::Result<usize> {
        if self.bytes.len() > LONGEST_QUESTION {
            return Err(question::garbage("it is too long"));
        }
        let mut chunk = [0; 2_048];
        // Room for who sent it, and for nothing else: descriptors are not taken.
        let mut space = nix::cmsg_space!(UnixCredentials);
        let (length, sender) = {
            let mut into = [IoSliceMut::new(&mut chunk)];
            let fd = self.stream.as_raw_fd();
            let message = recvmsg::<()>(fd, &mut into, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
            let sender = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmCredentials(credentials) => Some(credentials),
                _ => None,
            });
            (message.bytes, sender)
        };
        if length > 0 {
            let peer = self.attested(sender)?;
            if self.peer.is_some_and(|known| known != peer) {
                return Err(question::garbage("two processes ask over one connection"));
            }
            self.peer = Some(peer);
            self.bytes.extend_from_slice(chunk.get(..length).unwrap_or_default());
        }
        Ok(length)
    }

    /// What the kernel says of the sender: the real uid, where the socket's own credentials have
    /// the effective one.
    fn attested(&self, sender: Option<UnixCredentials>) -> io::Result<Peer> {
        match sender.filter(|sender| sender.pid() > 0) {
            Some(sender) if sender.pid() == self.connected => {
                Ok(Peer { pid: sender.pid(), real_uid: Uid(sender.uid()) })
            }
            Some(_) => Err(question::garbage("another process asks than connected")),
            // Nobody had asked the kernel yet when this was sent.
            None => by_proc(self.connected),
        }
    }
}

impl AsFd for Asking {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// What `/proc` says of a process.
fn by_proc(pid: i32) -> io::Result<Peer> {
    let mut status = [0; STATUS_SIZE];
    let length = File::open(format!("/proc/{pid}/status"))?.read(&mut status)?;
    let status = String::from_utf8_lossy(status.get(..length).unwrap_or_default());
    let real_uid = real_uid(&status).ok_or_else(|| question::garbage("the peer has no uid"))?;
    Ok(Peer { pid, real_uid })
}

/// The real uid in the text of `/proc/PID/status` (proc(5)).
fn real_uid(status: &str) -> Option<Uid> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().next()?.parse().ok().map(Uid)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn own() -> Peer {
        let pid = i32::try_from(std::process::id()).unwrap();
        Peer { pid, real_uid: Uid(nix::unistd::getuid().as_raw()) }
    }

    fn effective() -> Uid {
        Uid(nix::unistd::geteuid().as_raw())
    }

    #[test]
    fn somebody_elses_connection_is_not_taken() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(Asking::new(ours, Uid(effective().0 + 1)).is_err());
    }

    #[test]
    fn the_peer_is_the_process_that_sends() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        // Sent before anybody wanted to know, and after.
        theirs.write_all(b"\0").unwrap();
        let mut asking = Asking::new(ours, effective()).unwrap();
        assert!(matches!(asking.advance("abc"), Ok(Progress::NotYet)));
        assert_eq!(asking.peer, Some(own()));
        theirs.write_all(b"AUTH EXTERNAL 30\r\nBEGIN\r\n").unwrap();
        assert!(matches!(asking.advance("abc"), Ok(Progress::NotYet)));
        assert_eq!(asking.peer, Some(own()));
        drop(theirs);
        assert!(matches!(asking.advance("abc"), Ok(Progress::Left)));
    }

    /// A connection that was waiting already when the socket was taken over, and a later one.
    #[test]
    fn every_connection_is_asked_who_sends() {
        use std::os::unix::net::UnixListener;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        let listener = UnixListener::bind(&path).unwrap();
        let mut early = UnixStream::connect(&path).unwrap();
        attest_senders(&listener).unwrap();
        let mut late = UnixStream::connect(&path).unwrap();
        for stream in [&mut early, &mut late] {
            let mut asking = Asking::new(listener.accept().unwrap().0, effective()).unwrap();
            stream.write_all(b"\0").unwrap();
            assert!(matches!(asking.advance("abc"), Ok(Progress::NotYet)));
            assert_eq!(asking.peer, Some(own()));
            assert!(getsockopt(&asking.stream, PassCred).unwrap(), "and no descriptor has room");
        }
    }

    #[test]
    fn descriptors_are_refused() {
        use nix::sys::socket::{ControlMessage, sendmsg};
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut asking = Asking::new(ours, effective()).unwrap();
        let (parts, handed) = ([io::IoSlice::new(b"\0")], [theirs.as_raw_fd()]);
        let control = [ControlMessage::ScmRights(&handed)];
        sendmsg::<()>(theirs.as_raw_fd(), &parts, &control, MsgFlags::empty(), None).unwrap();
        assert!(asking.advance("abc").is_err());
    }

    #[test]
    fn the_kernel_and_proc_agree() {
        assert_eq!(by_proc(own().pid).unwrap(), own());
        assert!(by_proc(i32::MAX).is_err());
    }

    #[test]
    fn the_real_uid_is_the_first_of_the_four() {
        assert_eq!(
            real_uid("Name:\tsudo\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n"),
            Some(Uid(1000))
        );
        assert_eq!(real_uid("Name:\tUid: 7\n"), None);
        assert_eq!(real_uid("Uid:\t-1\t0\t0\t0\n"), None);
        assert_eq!(real_uid(""), None);
    }
}
