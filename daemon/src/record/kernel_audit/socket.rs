//! The kernel's audit by netlink(7): one message, one answer. The kernel works on a message within
//! the call that sends it, and may hold the caller for a minute where its backlog is full, so this is
//! for a thread that nobody waits for.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendmsg, socket,
};

/// The length of a message's header.
const HEADER: usize = 16;
/// `NLM_F_REQUEST` and `NLM_F_ACK`: the kernel answers whatever comes of it.
const FLAGS: u16 = 1 | 4;
/// The type of that answer (`NLMSG_ERROR`; its number is 0 where all went well).
const ANSWER: u16 = 2;
/// More than any answer needs.
const BUFFER: usize = 16_384;

/// A socket to the kernel's audit.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    seq: u32,
}

impl Socket {
    /// Opens one.
    ///
    /// # Errors
    /// When the kernel has no audit, or this process may not ask for it.
    pub(super) fn open() -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let audit = SockProtocol::NetlinkAudit;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, audit)?;
        Ok(Self { fd, seq: 0 })
    }

    /// Has the kernel write a record of this type.
    ///
    /// # Errors
    /// What the kernel says, or what keeps it from being asked.
    pub(super) fn send(&mut self, kind: u16, text: &str) -> Result<(), Errno> {
        self.seq = self.seq.wrapping_add(1);
        let message = message(kind, self.seq, text)?;
        let kernel = NetlinkAddr::new(0, 0);
        let fd = self.fd.as_raw_fd();
        let parts = [IoSlice::new(&message)];
        sendmsg(fd, &parts, &[], MsgFlags::MSG_DONTWAIT, Some(&kernel))?;
        let mut buffer = [0_u8; BUFFER];
        // It is there already: the kernel has answered within the call.
        loop {
            let length = recv(fd, &mut buffer, MsgFlags::MSG_DONTWAIT)?;
            let answer = buffer.get(..length).unwrap_or_default();
            if let Some(errno) = errno_of(answer, self.seq) {
                return if errno == 0 { Ok(()) } else { Err(Errno::from_raw(errno)) };
            }
        }
    }
}

/// A message with its header; the text ends in a zero byte, as the kernel wants it.
fn message(kind: u16, seq: u32, text: &str) -> Result<Vec<u8>, Errno> {
    let length = HEADER.saturating_add(text.len()).saturating_add(1);
    let length = u32::try_from(length).map_err(|_| Errno::EMSGSIZE)?;
    let mut bytes = Vec::new();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(FLAGS.to_ne_bytes());
    bytes.extend(seq.to_ne_bytes());
    // The sender's address: the kernel knows it.
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
    Ok(bytes)
}

/// The error that the kernel answers to the message of this number; 0 is none. `None` if it is
/// another message.
fn errno_of(answer: &[u8], seq: u32) -> Option<i32> {
    let part = |from: usize, length: usize| answer.get(from..from + length);
    let kind = u16::from_ne_bytes(part(4, 2)?.try_into().ok()?);
    let of = u32::from_ne_bytes(part(8, 4)?.try_into().ok()?);
    let error = i32::from_ne_bytes(part(HEADER, 4)?.try_into().ok()?);
    (kind == ANSWER && of == seq).then_some(error.saturating_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_header_and_a_text_that_ends() {
        let bytes = message(2301, 7, "op=x").unwrap();
        assert_eq!(bytes.len(), 21);
        assert_eq!(bytes[..4], 21_u32.to_ne_bytes());
        assert_eq!(bytes[4..6], 2301_u16.to_ne_bytes());
        assert_eq!(bytes[8..12], 7_u32.to_ne_bytes());
        assert_eq!(bytes[16..], *b"op=x\0");
    }

    #[test]
    fn an_answer_is_of_its_message_alone() {
        let answer = |kind: u16, seq: u32, error: i32| {
            let parts = [&36_u32.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 2]];
            [&parts.concat()[..], &seq.to_ne_bytes(), &[0; 4], &error.to_ne_bytes()].concat()
        };
        assert_eq!(errno_of(&answer(ANSWER, 7, 0), 7), Some(0));
        assert_eq!(errno_of(&answer(ANSWER, 7, -1), 7), Some(1));
        assert_eq!(errno_of(&answer(ANSWER, 6, -1), 7), None);
        assert_eq!(errno_of(&answer(1_000, 7, 0), 7), None);
        assert_eq!(errno_of(b"short", 7), None);
        assert_eq!(errno_of(&[], 7), None);
    }
}
