//! The header of a D-Bus message, written and read, for the two ends of the module's socket. The
//! wire format's general codec would carry every type there is into the module; a header has four.
//! No I/O.

use crate::body::Reader;
pub use zbus::wire::{BE, Endian, LE};

/// A header's fixed part: endianness, kind, flags, version, body's length, serial, fields' length.
pub const FIXED: usize = 16;

/// The kind of a message that calls a method.
pub const METHOD_CALL: u8 = 1;
/// The kind of a message that a method answers with.
pub const METHOD_RETURN: u8 = 2;
/// The kind of a message that says why a method failed.
pub const ERROR: u8 = 3;
/// The kind of a message to whom it may concern.
pub const SIGNAL: u8 = 4;

/// The flag of a call whose answer nobody waits for.
pub const NO_REPLY_EXPECTED: u8 = 1;

/// The field that names an object.
pub const PATH: u8 = 1;
/// The field that names an interface.
pub const INTERFACE_FIELD: u8 = 2;
/// The field that names a method.
pub const MEMBER: u8 = 3;
/// The field that names an error.
pub const ERROR_NAME: u8 = 4;
/// The field that says which call is answered.
pub const REPLY_SERIAL: u8 = 5;
/// The field that types the body.
pub const SIGNATURE: u8 = 8;

/// A header field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `o`: an object's path.
    Path(&'a str),
    /// `s`: a name.
    Text(&'a str),
    /// `g`: a type.
    Signature(&'a str),
    /// `u`: a number.
    Number(u32),
}

/// Appends a field to little-endian fields that began at a multiple of eight; `None` if the value
/// is too long to be written.
fn push(fields: &mut Vec<u8>, code: u8, value: Value<'_>) -> Option<()> {
    fields.resize(fields.len().next_multiple_of(8), 0);
    let kind = match value {
        Value::Path(_) => b'o',
        Value::Text(_) => b's',
        Value::Signature(_) => b'g',
        Value::Number(_) => b'u',
    };
    // Four bytes, so what follows is aligned for a number.
    fields.extend_from_slice(&[code, 1, kind, 0]);
    match value {
        Value::Path(text) | Value::Text(text) => {
            fields.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
            fields.extend_from_slice(text.as_bytes());
            fields.push(0);
        }
        Value::Signature(text) => {
            fields.push(u8::try_from(text.len()).ok()?);
            fields.extend_from_slice(text.as_bytes());
            fields.push(0);
        }
        Value::Number(number) => fields.extend_from_slice(&number.to_le_bytes()),
    }
    Some(())
}

/// A little-endian message of these fields and this body; `None` if it is too long to be written.
#[must_use]
pub fn message(
    kind: u8,
    flags: u8,
    serial: u32,
    fields: &[(u8, Value<'_>)],
    body: &[u8],
) -> Option<Vec<u8>> {
    let mut written = Vec::with_capacity(192);
    for (code, value) in fields {
        push(&mut written, *code, *value)?;
    }
    let (body_length, length) =
        (u32::try_from(body.len()).ok()?, u32::try_from(written.len()).ok()?);
    let mut message = Vec::with_capacity(FIXED + written.len() + 8 + body.len());
    message.extend_from_slice(&[b'l', kind, flags, 1]);
    for number in [body_length, serial, length] {
        message.extend_from_slice(&number.to_le_bytes());
    }
    message.append(&mut written);
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend_from_slice(body);
    Some(message)
}

/// Reads fields that began at a multiple of eight; `None` unless they are exactly fields.
#[must_use]
pub fn read(bytes: &[u8], endian: Endian) -> Option<Vec<(u8, Value<'_>)>> {
    let mut fields = Vec::new();
    let mut rest = Reader::new(bytes, endian);
    while !rest.is_at_end() {
        rest.align(8)?;
        let [code, 1, kind, 0] = *rest.take(4)? else { return None };
        let value = match kind {
            b'o' => Value::Path(rest.text()?),
            b's' => Value::Text(rest.text()?),
            b'g' => Value::Signature(rest.signature()?),
            b'u' => Value::Number(rest.number()?),
            _ => return None,
        };
        fields.push((code, value));
    }
    Some(fields)
}

/// A `u` at this place.
#[must_use]
pub fn number(bytes: &[u8], at: usize, endian: Endian) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(if endian == LE { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
}
