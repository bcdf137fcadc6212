//! The header fields of a D-Bus message, written and read. The wire format's general codec would
//! carry every type there is into the module; these fields have four. No I/O.

use zbus::wire::{Endian, LE};

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
pub fn push(fields: &mut Vec<u8>, code: u8, value: Value<'_>) -> Option<()> {
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

/// Reads fields that began at a multiple of eight; `None` unless they are exactly fields.
pub fn read(bytes: &[u8], endian: Endian) -> Option<Vec<(u8, Value<'_>)>> {
    let mut fields = Vec::new();
    let mut rest = Rest { bytes, at: 0, endian };
    while rest.at < bytes.len() {
        rest.pad_to_eight()?;
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
pub fn number(bytes: &[u8], at: usize, endian: Endian) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(if endian == LE { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
}

/// What is still to be read.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
    endian: Endian,
}

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn pad_to_eight(&mut self) -> Option<()> {
        let padding = self.at.next_multiple_of(8) - self.at;
        self.take(padding)?.iter().all(|byte| *byte == 0).then_some(())
    }

    fn number(&mut self) -> Option<u32> {
        let number = number(self.bytes, self.at, self.endian)?;
        self.take(4)?;
        Some(number)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        self.terminated(length)
    }

    fn signature(&mut self) -> Option<&'a str> {
        let [length] = *self.take(1)? else { return None };
        self.terminated(usize::from(length))
    }

    /// Text of this length, and the NUL behind it.
    fn terminated(&mut self, length: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        (self.take(1)? == [0] && !text.contains('\0')).then_some(text)
    }
}
