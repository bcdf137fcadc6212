//! The D-Bus messages of one question: bytes out, bytes in. No socket and no time here, and no
//! trust: what arrives is either exactly a reply or garbage.

use std::fmt;

use stint_proto::body::{self, Body};
use stint_proto::header::{
    self, BE, ERROR, ERROR_NAME, Endian, FIXED, INTERFACE_FIELD, LE, MEMBER, METHOD_CALL,
    METHOD_RETURN, NO_REPLY_EXPECTED, PATH, REPLY_SERIAL, SIGNAL, SIGNATURE, Value,
};
use stint_proto::{INTERFACE, OBJECT_PATH};

/// The most bytes that a peer may send before its answer is complete.
pub const LONGEST_REPLY: usize = 64 * 1024;

/// The serial of the one call of a connection.
pub const SERIAL: u32 = 1;

/// The most bytes of the greeting's line.
const LONGEST_GREETING: usize = 128;

/// Why bytes are no answer, in words for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Garbage(pub &'static str);

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A complete answer to the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The method returned.
    Return(Returned),
    /// It failed.
    Error {
        /// The error's D-Bus name.
        name: String,
        /// Its message; empty if there is none.
        text: String,
    },
}

/// What a method returned, still in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    endian: Endian,
    signature: String,
    bytes: Vec<u8>,
}

impl Returned {
    /// The value in it, which must be one of type `B` and nothing else.
    ///
    /// # Errors
    /// If the signature is another, or the bytes are not exactly such a value.
    pub fn value<B: Body>(&self) -> Result<B, Garbage> {
        // zbus writes the signature of a lone struct without its parentheses; the bytes are alike.
        let bare = B::SIGNATURE.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        if self.signature != B::SIGNATURE && Some(self.signature.as_str()) != bare {
            return Err(Garbage("the answer is of another type"));
        }
        body::from_bytes(&self.bytes, self.endian).ok_or(Garbage("the answer does not read"))
    }
}

/// All that is sent to get an answer: the greeting and one call of `member` with one argument.
///
/// # Errors
/// If the argument cannot be encoded.
pub fn call<B: Body>(euid: u32, member: &'static str, argument: &B) -> Result<Vec<u8>, Garbage> {
    sent(euid, 0, member, argument)
}

/// The same for a call whose answer nobody waits for.
///
/// # Errors
/// If the argument cannot be encoded.
pub fn notice<B: Body>(euid: u32, member: &'static str, argument: &B) -> Result<Vec<u8>, Garbage> {
    sent(euid, NO_REPLY_EXPECTED, member, argument)
}

fn sent<B: Body>(
    euid: u32,
    flags: u8,
    member: &'static str,
    argument: &B,
) -> Result<Vec<u8>, Garbage> {
    const UNSENDABLE: Garbage = Garbage("the question cannot be encoded");
    let argument = body::to_bytes(argument).ok_or(UNSENDABLE)?;
    let fields = [
        (PATH, Value::Path(OBJECT_PATH)),
        (INTERFACE_FIELD, Value::Text(INTERFACE)),
        (MEMBER, Value::Text(member)),
        (SIGNATURE, Value::Signature(B::SIGNATURE)),
    ];
    let mut message =
        header::message(METHOD_CALL, flags, SERIAL, &fields, &argument).ok_or(UNSENDABLE)?;

    let digits: String = euid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
    let mut bytes = format!("\0AUTH EXTERNAL {digits}\r\nBEGIN\r\n").into_bytes();
    bytes.append(&mut message);
    Ok(bytes)
}

/// What has arrived so far.
#[derive(Debug, Default)]
pub struct Incoming {
    buffer: Vec<u8>,
    total: usize,
    greeted: bool,
}

impl Incoming {
    /// Takes what has arrived, and gives the reply once that is complete. Signals and answers to
    /// nobody's call are skipped.
    ///
    /// # Errors
    /// On anything that can no longer become a reply.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Reply>, Garbage> {
        self.total = self.total.saturating_add(bytes.len());
        if self.total > LONGEST_REPLY {
            return Err(Garbage("the answer is too long"));
        }
        self.buffer.extend_from_slice(bytes);
        if !self.greeted && !self.greet()? {
            return Ok(None);
        }
        while let Some(length) = message_length(&self.buffer)? {
            let rest = self.buffer.split_off(length);
            let message = std::mem::replace(&mut self.buffer, rest);
            if let Some(reply) = read_message(&message)? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// Takes the line `OK GUID`; `false` while it is incomplete.
    fn greet(&mut self) -> Result<bool, Garbage> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n');
        let line = self.buffer.get(..end.unwrap_or(self.buffer.len())).unwrap_or_default();
        let begins = line.iter().zip(b"OK ").all(|(found, wanted)| found == wanted);
        if !begins || line.len() > LONGEST_GREETING {
            return Err(Garbage("the greeting is refused"));
        }
        let Some(end) = end else { return Ok(false) };
        let guid = line.strip_prefix(b"OK ").and_then(|rest| rest.strip_suffix(b"\r"));
        if !guid.is_some_and(|id| id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Garbage("the greeting is refused"));
        }
        self.buffer = self.buffer.split_off(end + 1);
        self.greeted = true;
        Ok(true)
    }
}

fn endian(bytes: &[u8]) -> Result<Endian, Garbage> {
    match bytes.first() {
        Some(b'l') => Ok(LE),
        Some(b'B') => Ok(BE),
        _ => Err(Garbage("it is no D-Bus message")),
    }
}

fn number(bytes: &[u8], at: usize, endian: Endian) -> Option<usize> {
    header::number(bytes, at, endian).and_then(|number| usize::try_from(number).ok())
}

/// Where the header ends without its padding, and the whole message's length; `None` while the
/// fixed part is incomplete.
fn lengths(bytes: &[u8]) -> Result<Option<(usize, usize)>, Garbage> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let endian = endian(bytes)?;
    let (Some(body), Some(fields)) = (number(bytes, 4, endian), number(bytes, 12, endian)) else {
        return Ok(None);
    };
    if bytes.get(3) != Some(&1) {
        return Err(Garbage("it is of another version of D-Bus"));
    }
    if body > LONGEST_REPLY || fields > LONGEST_REPLY {
        return Err(Garbage("the answer is too long"));
    }
    let header = FIXED + fields;
    Ok(Some((header, header.next_multiple_of(8) + body)))
}

/// The length of the message that is complete at the front, if one is.
fn message_length(bytes: &[u8]) -> Result<Option<usize>, Garbage> {
    let length = lengths(bytes)?.map(|(_, length)| length);
    if length.is_some_and(|length| length > LONGEST_REPLY) {
        return Err(Garbage("the answer is too long"));
    }
    Ok(length.filter(|length| *length <= bytes.len()))
}

/// One complete message: the reply, or `None` if it is for somebody else.
fn read_message(message: &[u8]) -> Result<Option<Reply>, Garbage> {
    const TORN: Garbage = Garbage("its lengths do not fit");
    let endian = endian(message)?;
    let (header_end, length) = lengths(message)?.ok_or(TORN)?;
    let fields = message.get(FIXED..header_end).ok_or(TORN)?;
    let body = message.get(header_end.next_multiple_of(8)..length).ok_or(TORN)?;
    let fields = header::read(fields, endian).ok_or(Garbage("its header does not read"))?;
    if number(message, 8, endian) == Some(0) {
        return Err(Garbage("it has no serial"));
    }
    let kind = message.get(1).copied().ok_or(TORN)?;
    match kind {
        SIGNAL => return Ok(None),
        METHOD_RETURN | ERROR => {}
        _ => return Err(Garbage("it is no answer")),
    }
    let field = |code: u8| fields.iter().find(|(field, _)| *field == code).map(|(_, value)| *value);
    match field(REPLY_SERIAL) {
        Some(Value::Number(SERIAL)) => {}
        Some(Value::Number(_)) => return Ok(None),
        _ => return Err(Garbage("it answers nothing")),
    }
    let signature = match field(SIGNATURE) {
        Some(Value::Signature(signature)) => signature.to_owned(),
        None => String::new(),
        _ => return Err(Garbage("its signature does not read")),
    };
    if kind == METHOD_RETURN {
        return Ok(Some(Reply::Return(Returned { endian, signature, bytes: body.to_vec() })));
    }
    let Some(Value::Text(name)) = field(ERROR_NAME) else {
        return Err(Garbage("its error has no name"));
    };
    let text = if signature == String::SIGNATURE {
        body::from_bytes(body, endian).ok_or(Garbage("its error does not read"))?
    } else {
        String::new()
    };
    Ok(Some(Reply::Error { name: name.to_owned(), text }))
}
