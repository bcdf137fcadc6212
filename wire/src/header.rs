//! Whole messages, written and read: the header with its fields, and the body behind it.

use crate::body::{Encode, Endian, Reader, Signature, Writer};

/// A header's fixed part: endianness, kind, flags, version, body's length, serial, fields' length.
const FIXED: usize = 16;
/// Where in it the lengths are.
const BODY_LENGTH_AT: usize = 4;
const FIELDS_LENGTH_AT: usize = 12;

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

const INVALID: u8 = 0;
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const SIGNATURE: u8 = 8;

/// Why bytes are no message, or none that is expected, in words for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage(pub &'static str);

/// The fields of a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The object's path.
    pub path: Option<&'a str>,
    /// The interface's name.
    pub interface: Option<&'a str>,
    /// The method's name.
    pub member: Option<&'a str>,
    /// The error's name.
    pub error_name: Option<&'a str>,
    /// Which call is answered.
    pub reply_serial: Option<u32>,
    /// The type of the body; [`message`] writes that of the body itself.
    pub signature: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn write(&self, to: &mut Writer<'_>) {
        let mut text = |code, kind, text: Option<&str>| {
            if let Some(text) = text {
                begin_field(to, code, kind);
                to.text(text);
            }
        };
        text(PATH, b'o', self.path);
        text(INTERFACE, b's', self.interface);
        text(MEMBER, b's', self.member);
        text(ERROR_NAME, b's', self.error_name);
        if let Some(number) = self.reply_serial {
            begin_field(to, REPLY_SERIAL, b'u');
            to.number(number);
        }
    }

    /// `None` unless the bytes are exactly fields, and none that is known is there twice.
    fn read(bytes: &'a [u8], endian: Endian) -> Option<Self> {
        let mut fields = Self::default();
        let mut from = Reader::new(bytes, endian);
        while !from.is_at_end() {
            from.align(8)?;
            let [code, 1, kind, 0] = *from.take(4)? else { return None };
            let text_place = match (code, kind) {
                (PATH, b'o') => Some(&mut fields.path),
                (INTERFACE, b's') => Some(&mut fields.interface),
                (MEMBER, b's') => Some(&mut fields.member),
                (ERROR_NAME, b's') => Some(&mut fields.error_name),
                (SIGNATURE, b'g') => Some(&mut fields.signature),
                (INVALID | PATH | INTERFACE | MEMBER | ERROR_NAME | SIGNATURE, _) => return None,
                _ => None,
            };
            match kind {
                b'o' | b's' | b'g' => {
                    let text = if kind == b'g' { from.signature()? } else { from.text()? };
                    if let Some(place) = text_place
                        && place.replace(text).is_some()
                    {
                        return None;
                    }
                }
                b'u' => {
                    let number = from.number()?;
                    if code == REPLY_SERIAL && fields.reply_serial.replace(number).is_some() {
                        return None;
                    }
                }
                _ => return None,
            }
            if code == REPLY_SERIAL && kind != b'u' {
                return None;
            }
        }
        Some(fields)
    }
}

/// Four bytes, so that a number may follow.
fn begin_field(to: &mut Writer<'_>, code: u8, kind: u8) {
    to.align(8);
    to.put(&[code, 1, kind, 0]);
}

/// Writes a message with this body.
pub fn message<B: Encode>(
    to: &mut Writer<'_>,
    kind: u8,
    flags: u8,
    serial: u32,
    fields: &Fields<'_>,
    body: &B,
) {
    to.begin();
    let start = to.length();
    to.put(&[b'l', kind, flags, 1]);
    for number in [0, serial, 0] {
        to.number(number);
    }
    let fields_start = to.length();
    fields.write(to);
    if !B::SIGNATURE.is_empty() {
        begin_field(to, SIGNATURE, b'g');
        // No type of ours is longer than a byte can say.
        to.put(&[u8::try_from(B::SIGNATURE.len()).unwrap_or(u8::MAX)]);
        to.put(B::SIGNATURE.as_bytes());
        to.put(&[0]);
    }
    to.set_count(start.saturating_add(FIELDS_LENGTH_AT), fields_start);
    to.align(8);
    let body_start = to.length();
    body.write(to);
    to.set_count(start.saturating_add(BODY_LENGTH_AT), body_start);
}

/// Where the parts of a message are.
#[derive(Clone, Copy, Debug)]
struct Parts {
    endian: Endian,
    fields_end: usize,
    body_start: usize,
    end: usize,
}

/// `None` while the fixed part is incomplete.
fn parts(bytes: &[u8], longest: usize) -> Result<Option<Parts>, Garbage> {
    let endian = match bytes.first() {
        None => return Ok(None),
        Some(b'l') => Endian::Little,
        Some(b'B') => Endian::Big,
        Some(_) => return Err(Garbage("it is no D-Bus message")),
    };
    let length = |at| number(bytes, at, endian).and_then(|number| usize::try_from(number).ok());
    let (Some(body), Some(fields)) = (length(BODY_LENGTH_AT), length(FIELDS_LENGTH_AT)) else {
        return Ok(None);
    };
    if bytes.get(3) != Some(&1) {
        return Err(Garbage("it is of another version of D-Bus"));
    }
    let parts = || {
        let fields_end = FIXED.checked_add(fields)?;
        let body_start = fields_end.checked_next_multiple_of(8)?;
        let end = body_start.checked_add(body).filter(|end| *end <= longest)?;
        Some(Parts { endian, fields_end, body_start, end })
    };
    parts().map(Some).ok_or(Garbage("it is too long"))
}

/// A `u` at this place.
fn number(bytes: &[u8], at: usize, endian: Endian) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| endian.number(*four))
}

/// The length of the message that is complete at the front, if one is.
///
/// # Errors
/// When what is there can no longer become a message of at most `longest` bytes.
pub fn complete(bytes: &[u8], longest: usize) -> Result<Option<usize>, Garbage> {
    Ok(parts(bytes, longest)?.map(|parts| parts.end).filter(|end| *end <= bytes.len()))
}

/// A message, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The order of its numbers' bytes.
    pub endian: Endian,
    /// What it is: [`METHOD_CALL`] and the like.
    pub kind: u8,
    /// [`NO_REPLY_EXPECTED`] and others.
    pub flags: u8,
    /// Its own number; never 0.
    pub serial: u32,
    /// The header's fields.
    pub fields: Fields<'a>,
    /// What stands behind the header.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the message that is all of these bytes.
    ///
    /// # Errors
    /// If they are none.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Garbage> {
        const TORN: Garbage = Garbage("its lengths do not fit");
        let parts = parts(bytes, bytes.len())?.ok_or(TORN)?;
        if parts.end != bytes.len() {
            return Err(TORN);
        }
        let Some([_, kind, flags, _]) = bytes.first_chunk() else { return Err(TORN) };
        let serial = number(bytes, 8, parts.endian).ok_or(TORN)?;
        if serial == 0 {
            return Err(Garbage("it has no serial"));
        }
        let fields = bytes.get(FIXED..parts.fields_end).ok_or(TORN)?;
        let padding = bytes.get(parts.fields_end..parts.body_start).ok_or(TORN)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(TORN);
        }
        Ok(Self {
            endian: parts.endian,
            kind: *kind,
            flags: *flags,
            serial,
            fields: Fields::read(fields, parts.endian)
                .ok_or(Garbage("its header does not read"))?,
            body: bytes.get(parts.body_start..).ok_or(TORN)?,
        })
    }

    /// Whether its body is said to be a `T`, and nothing else.
    #[must_use]
    pub fn is_of<T: Signature>(&self) -> bool {
        let signature = self.fields.signature.unwrap_or_default();
        // zbus writes the signature of a lone struct without its parentheses; the bytes are alike.
        let bare = T::SIGNATURE.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        signature == T::SIGNATURE || Some(signature) == bare
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CALL: Fields<'_> = Fields {
        path: Some("/a"),
        interface: Some("a.b"),
        member: Some("C"),
        error_name: None,
        reply_serial: None,
        signature: None,
    };

    fn written(fields: &Fields<'_>, body: &str) -> Vec<u8> {
        let mut room = [0; 512];
        let mut writer = Writer::new(&mut room);
        message(&mut writer, METHOD_CALL, 0, 7, fields, &body);
        writer.written().unwrap().to_vec()
    }

    /// A message of these fields alone.
    fn with_fields(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut room = [0; 256];
        let mut writer = Writer::new(&mut room);
        writer.put(&[b'l', METHOD_RETURN, 0, 1]);
        for number in [0, 1, 0] {
            writer.number(number);
        }
        write(&mut writer);
        writer.set_count(FIELDS_LENGTH_AT, FIXED);
        writer.align(8);
        writer.written().unwrap().to_vec()
    }

    fn text(to: &mut Writer<'_>, code: u8, kind: u8) {
        begin_field(to, code, kind);
        to.text("a.b");
    }

    #[test]
    fn a_field_twice_or_of_another_type_is_refused() {
        let refused = Err(Garbage("its header does not read"));
        assert_eq!(Message::read(&with_fields(|to| text(to, MEMBER, b'o'))), refused);
        assert_eq!(Message::read(&with_fields(|to| text(to, PATH, b's'))), refused);
        assert_eq!(Message::read(&with_fields(|to| text(to, INVALID, b's'))), refused);
        assert_eq!(Message::read(&with_fields(|to| text(to, SIGNATURE, b's'))), refused);
        assert_eq!(Message::read(&with_fields(|to| text(to, REPLY_SERIAL, b's'))), refused);
        let twice = with_fields(|to| {
            text(to, MEMBER, b's');
            text(to, MEMBER, b's');
        });
        assert_eq!(Message::read(&twice), refused);
        let twice = with_fields(|to| {
            for number in [1, 1] {
                begin_field(to, REPLY_SERIAL, b'u');
                to.number(number);
            }
        });
        assert_eq!(Message::read(&twice), refused);
        assert!(Message::read(&with_fields(|to| text(to, 9, b's'))).is_ok(), "who sent it, say");
        assert!(Message::read(&with_fields(|to| text(to, MEMBER, b's'))).is_ok());
    }

    #[test]
    fn what_finds_no_room_is_measured_and_not_given_out() {
        let whole = written(&CALL, "body");
        for size in 0..whole.len() {
            let mut room = vec![0; size];
            let mut writer = Writer::new(&mut room);
            message(&mut writer, METHOD_CALL, 0, 7, &CALL, &"body");
            assert_eq!(writer.length(), whole.len());
            assert_eq!(writer.written(), None);
        }
    }

    #[test]
    fn only_a_whole_message_of_at_most_the_longest_is_complete() {
        let whole = written(&CALL, "body");
        for end in 0..whole.len() {
            assert_eq!(complete(&whole[..end], whole.len()), Ok(None));
            assert!(Message::read(&whole[..end]).is_err());
        }
        assert_eq!(complete(&whole, whole.len()), Ok(Some(whole.len())));
        assert!(complete(&whole, whole.len() - 1).is_err());
        assert!(Message::read(&[&whole[..], &[0]].concat()).is_err());
        let body = whole.len() - "\u{4}\0\0\0body\0".len();
        let padded = [&whole[..body - 1], &[1], &whole[body..]].concat();
        assert_eq!(whole[body - 1], 0, "there is padding");
        assert!(Message::read(&padded).is_err());
    }

    proptest! {
        #[test]
        fn a_message_is_read_as_it_was_written(
            texts in proptest::collection::vec("[^\\x00]{0,9}", 5),
            reply_serial in any::<Option<u32>>(),
        ) {
            let fields = Fields {
                path: Some(&texts[0]),
                interface: Some(&texts[1]),
                member: Some(&texts[2]),
                error_name: Some(&texts[3]),
                reply_serial,
                signature: None,
            };
            let bytes = written(&fields, &texts[4]);
            let message = Message::read(&bytes).unwrap();
            prop_assert_eq!(message.fields, Fields { signature: Some("s"), ..fields });
            prop_assert!(message.is_of::<&str>() && !message.is_of::<u32>());
            prop_assert_eq!((message.kind, message.flags, message.serial), (METHOD_CALL, 0, 7));
            prop_assert_eq!(crate::body::value(message.body, message.endian), Some(&*texts[4]));
        }

        #[test]
        fn no_bytes_are_too_odd(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..128),
            headed in any::<bool>(),
        ) {
            if headed && bytes.len() > 16 {
                let fields = bytes[16];
                bytes[..16].copy_from_slice(&[b'l', 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, fields, 0, 0, 0]);
            }
            if let Ok(Some(length)) = complete(&bytes, 128) {
                prop_assert!(length <= bytes.len());
                let _ = Message::read(&bytes[..length]);
            }
        }
    }
}
