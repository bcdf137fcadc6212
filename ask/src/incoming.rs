//! The bytes of one question, out and in. No socket and no time here, and no trust: what arrives is
//! either exactly a reply or garbage.

use stint_wire::body::value;
use stint_wire::header::{
    ERROR, Fields, Garbage, METHOD_CALL, METHOD_RETURN, Message, SIGNAL, complete, message,
};
use stint_wire::{Decode, Encode, GREETING, INTERFACE, LONGEST_ANSWER, OBJECT_PATH, Writer};

use crate::text::Text;

/// The serial of the one call of a connection.
pub const SERIAL: u32 = 1;

/// The most bytes of the greeting's line.
const LONGEST_GREETING: usize = 128;

const ROOM: usize = GREETING.len() + LONGEST_ANSWER;

/// Room for all that a peer may send before its answer is complete.
#[derive(Debug)]
pub struct Room([u8; ROOM]);

impl Default for Room {
    fn default() -> Self {
        Self([0; ROOM])
    }
}

/// Writes all that is sent to be heard: the greeting, and one call of `member` with one argument.
pub fn call<B: Encode>(to: &mut Writer<'_>, euid: u32, flags: u8, member: &str, argument: &B) {
    to.put(b"\0AUTH EXTERNAL ");
    let mut uid = Text::<16>::default();
    uid.push_number(euid);
    for digit in uid.as_str().bytes() {
        // The ASCII code of a digit in hexadecimal: 0x30 to 0x39.
        to.put(&[b'3', digit]);
    }
    to.put(b"\r\nBEGIN\r\n");
    let fields = Fields {
        path: Some(OBJECT_PATH),
        interface: Some(INTERFACE),
        member: Some(member),
        ..Fields::default()
    };
    message(to, METHOD_CALL, flags, SERIAL, &fields, argument);
}

/// A complete answer to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The method returned.
    Return(Message<'a>),
    /// It failed.
    Error {
        /// The error's D-Bus name.
        name: &'a str,
        /// Its message; empty if there is none.
        text: &'a str,
    },
}

/// The value that a method returned, which must be one of type `B` and nothing else.
///
/// # Errors
/// If it is of another type, or the bytes are not exactly such a value.
pub fn returned<'a, B: Decode<'a>>(message: &Message<'a>) -> Result<B, Garbage> {
    if !message.is_of::<B>() {
        return Err(Garbage("the answer is of another type"));
    }
    value(message.body, message.endian).ok_or(Garbage("the answer does not read"))
}

/// What has arrived so far.
#[derive(Debug)]
pub struct Incoming<'a> {
    room: &'a mut [u8; ROOM],
    filled: usize,
    /// Up to where it has been taken.
    taken: usize,
    greeted: bool,
}

impl<'a> Incoming<'a> {
    /// Nothing yet.
    pub fn new(room: &'a mut Room) -> Self {
        Self { room: &mut room.0, filled: 0, taken: 0, greeted: false }
    }

    /// Forgets what has arrived, for another connection.
    pub fn restart(&mut self) {
        (self.filled, self.taken, self.greeted) = (0, 0, false);
    }

    /// Where the next bytes go; never empty where [`Incoming::came`] found no reply.
    pub fn room(&mut self) -> &mut [u8] {
        self.room.get_mut(self.filled..).unwrap_or_default()
    }

    /// Takes so many bytes that have arrived, and says whether the reply is complete. Signals and
    /// answers to nobody's call are skipped.
    ///
    /// # Errors
    /// On anything that can no longer become a reply.
    pub fn came(&mut self, count: usize) -> Result<bool, Garbage> {
        self.filled = self.filled.saturating_add(count);
        if !self.greeted && !self.greet()? {
            return Ok(false);
        }
        while let Some(length) = complete(self.rest(), LONGEST_ANSWER)? {
            if read_reply(self.rest().get(..length).unwrap_or_default())?.is_some() {
                return Ok(true);
            }
            self.taken = self.taken.saturating_add(length);
        }
        if self.filled >= ROOM { Err(Garbage("the answer is too long")) } else { Ok(false) }
    }

    /// The reply, which stays where it came.
    ///
    /// # Errors
    /// Unless [`Incoming::came`] has said that it is complete.
    pub fn reply(self) -> Result<Reply<'a>, Garbage> {
        let room: &'a [u8] = self.room;
        let rest = room.get(self.taken..self.filled).unwrap_or_default();
        let length = complete(rest, LONGEST_ANSWER)?.ok_or(Garbage("it is not complete"))?;
        let message = rest.get(..length).unwrap_or_default();
        read_reply(message)?.ok_or(Garbage("it is no answer"))
    }

    fn rest(&self) -> &[u8] {
        self.room.get(self.taken..self.filled).unwrap_or_default()
    }

    /// Takes the line `OK GUID`; `false` while it is incomplete.
    fn greet(&mut self) -> Result<bool, Garbage> {
        let end = self.rest().iter().position(|byte| *byte == b'\n');
        let line = self.rest().get(..end.unwrap_or(self.filled)).unwrap_or_default();
        let begins = line.iter().zip(b"OK ").all(|(found, wanted)| found == wanted);
        if !begins || line.len() > LONGEST_GREETING {
            return Err(Garbage("the greeting is refused"));
        }
        let Some(end) = end else { return Ok(false) };
        let guid = line.strip_prefix(b"OK ").and_then(|rest| rest.strip_suffix(b"\r"));
        if !guid.is_some_and(|id| id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Garbage("the greeting is refused"));
        }
        self.taken = end.saturating_add(1);
        self.greeted = true;
        Ok(true)
    }
}

/// One complete message: the reply, or `None` if it is for somebody else.
fn read_reply(bytes: &[u8]) -> Result<Option<Reply<'_>>, Garbage> {
    let message = Message::read(bytes)?;
    match message.kind {
        SIGNAL => return Ok(None),
        METHOD_RETURN | ERROR => {}
        _ => return Err(Garbage("it is no answer")),
    }
    match message.fields.reply_serial {
        Some(SERIAL) => {}
        Some(_) => return Ok(None),
        None => return Err(Garbage("it answers nothing")),
    }
    if message.kind == METHOD_RETURN {
        return Ok(Some(Reply::Return(message)));
    }
    let name = message.fields.error_name.ok_or(Garbage("its error has no name"))?;
    let text = if message.is_of::<&str>() {
        value(message.body, message.endian).ok_or(Garbage("its error does not read"))?
    } else {
        ""
    };
    Ok(Some(Reply::Error { name, text }))
}
