//! The bodies of the messages on the module's socket, written and read: strings, numbers, and
//! arrays and structs of them (D-Bus specification, Marshaling). The wire format's general codec
//! would carry every type there is into the module. No I/O.

use zbus::wire::Endian;

use crate::header::number;
use crate::{CheckAnswer, DoorRequest, Offer, OpenedSession, PamItems, Verdict};

/// A value that is a whole body.
pub trait Body: Sized {
    /// Its type, as `zbus::Type` says it for the same value.
    const SIGNATURE: &'static str;

    /// Appends it; `None` if it is too long to be written.
    fn write(&self, to: &mut Writer) -> Option<()>;

    /// Takes it; `None` unless exactly such a value comes next.
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

/// The value as a little-endian body; `None` if it is too long to be written.
#[must_use]
pub fn to_bytes<B: Body>(value: &B) -> Option<Vec<u8>> {
    let mut writer = Writer::default();
    value.write(&mut writer)?;
    Some(writer.bytes)
}

/// The value that a body is; `None` unless it is exactly one.
#[must_use]
pub fn from_bytes<B: Body>(bytes: &[u8], endian: Endian) -> Option<B> {
    let mut reader = Reader::new(bytes, endian);
    let value = B::read(&mut reader)?;
    reader.is_at_end().then_some(value)
}

impl Body for () {
    const SIGNATURE: &'static str = "";

    fn write(&self, _: &mut Writer) -> Option<()> {
        Some(())
    }

    fn read(_: &mut Reader<'_>) -> Option<Self> {
        Some(())
    }
}

impl Body for String {
    const SIGNATURE: &'static str = "s";

    fn write(&self, to: &mut Writer) -> Option<()> {
        to.text(self)
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.text().map(str::to_owned)
    }
}

impl Body for Vec<u32> {
    const SIGNATURE: &'static str = "au";

    fn write(&self, to: &mut Writer) -> Option<()> {
        to.array(4, self, |to, number| {
            to.number(*number);
            Some(())
        })
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.array(4, Reader::number)
    }
}

impl Body for PamItems {
    const SIGNATURE: &'static str = "(sssss)";

    fn write(&self, to: &mut Writer) -> Option<()> {
        to.align(8);
        [&self.service, &self.user, &self.ruser, &self.tty, &self.rhost]
            .into_iter()
            .try_for_each(|item| to.text(item))
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.align(8)?;
        let mut item = || String::read(from);
        Some(Self { service: item()?, user: item()?, ruser: item()?, tty: item()?, rhost: item()? })
    }
}

impl Body for OpenedSession {
    const SIGNATURE: &'static str = "(ss)";

    fn write(&self, to: &mut Writer) -> Option<()> {
        to.align(8);
        to.text(&self.id)?;
        to.text(&self.group)
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.align(8)?;
        Some(Self { id: String::read(from)?, group: String::read(from)? })
    }
}

impl Body for CheckAnswer {
    const SIGNATURE: &'static str = "(sasa(sbb))";

    fn write(&self, to: &mut Writer) -> Option<()> {
        to.align(8);
        to.text(self.verdict.as_str())?;
        to.array(4, &self.lines, |to, line| to.text(line))?;
        to.array(8, &self.offers, |to, offer| {
            to.text(offer.role.as_str())?;
            to.flag(offer.reason);
            to.flag(offer.ticket);
            Some(())
        })
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.align(8)?;
        Some(Self {
            verdict: Verdict::from_word(from.text()?)?,
            lines: from.array(4, String::read)?,
            offers: from.array(8, |from| {
                Some(Offer {
                    role: from.text()?.parse().ok()?,
                    reason: from.flag()?,
                    ticket: from.flag()?,
                })
            })?,
        })
    }
}

impl Body for DoorRequest {
    const SIGNATURE: &'static str = "((sssss)sss)";

    fn write(&self, to: &mut Writer) -> Option<()> {
        to.align(8);
        self.items.write(to)?;
        [&self.role, &self.reason, &self.ticket].into_iter().try_for_each(|text| to.text(text))
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.align(8)?;
        let items = PamItems::read(from)?;
        let mut text = || String::read(from);
        Some(Self { items, role: text()?, reason: text()?, ticket: text()? })
    }
}

/// A little-endian body as far as it is written.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Goes on at a multiple of `size`: 4 before a number or text, 8 before a struct.
    pub fn align(&mut self, size: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(size), 0);
    }

    /// Appends a `u`.
    pub fn number(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// Appends a `b`.
    pub fn flag(&mut self, flag: bool) {
        self.number(u32::from(flag));
    }

    /// Appends an `s`; `None` if it is too long.
    pub fn text(&mut self, text: &str) -> Option<()> {
        self.number(u32::try_from(text.len()).ok()?);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        Some(())
    }

    /// Appends an array of items that begin at multiples of `size`; `None` if it is too long.
    pub fn array<T>(
        &mut self,
        size: usize,
        items: &[T],
        mut write: impl FnMut(&mut Self, &T) -> Option<()>,
    ) -> Option<()> {
        self.number(0);
        let length_end = self.bytes.len();
        self.align(size);
        let start = self.bytes.len();
        for item in items {
            self.align(size);
            write(self, item)?;
        }
        let length = u32::try_from(self.bytes.len() - start).ok()?;
        self.bytes.get_mut(length_end - 4..length_end)?.copy_from_slice(&length.to_le_bytes());
        Some(())
    }
}

/// What is still to be read of bytes that began at a multiple of eight.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    endian: Endian,
}

impl<'a> Reader<'a> {
    /// Reads from the front.
    #[must_use]
    pub fn new(bytes: &'a [u8], endian: Endian) -> Self {
        Self { bytes, at: 0, endian }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next bytes, this many.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// Skips zeros up to a multiple of `size`.
    pub fn align(&mut self, size: usize) -> Option<()> {
        let padding = self.at.next_multiple_of(size) - self.at;
        self.take(padding)?.iter().all(|byte| *byte == 0).then_some(())
    }

    /// The next `u`.
    pub fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        let number = number(self.bytes, self.at, self.endian)?;
        self.take(4)?;
        Some(number)
    }

    /// The next `b`: nothing but 0 and 1 is one.
    pub fn flag(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// The next `s` or `o`.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        self.terminated(length)
    }

    /// The next `g`.
    pub fn signature(&mut self) -> Option<&'a str> {
        let [length] = *self.take(1)? else { return None };
        self.terminated(usize::from(length))
    }

    /// Text of this length, and the NUL behind it.
    fn terminated(&mut self, length: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        (self.take(1)? == [0] && !text.contains('\0')).then_some(text)
    }

    /// The next array, of items that begin at multiples of `size`.
    pub fn array<T>(
        &mut self,
        size: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let length = usize::try_from(self.number()?).ok()?;
        self.align(size)?;
        let end = self.at.checked_add(length)?;
        let mut inner = Self { bytes: self.bytes.get(..end)?, at: self.at, endian: self.endian };
        let mut items = Vec::new();
        while !inner.is_at_end() {
            inner.align(size)?;
            items.push(read(&mut inner)?);
        }
        self.at = end;
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;
    use zbus::Type;
    use zbus::wire::serialized::Context;
    use zbus::wire::{BE, LE};

    use super::*;

    /// Both codecs write the same bytes and read each other's, of either endianness; and nothing
    /// shorter or longer is such a value.
    fn agree<B>(value: &B)
    where
        B: Body + Type + serde::Serialize + PartialEq + Debug,
    {
        assert_eq!(<B as Body>::SIGNATURE, <B as Type>::SIGNATURE.to_string());
        let theirs = |endian| {
            let context = Context::new(endian, 0);
            zbus::wire::to_bytes(context, value).unwrap().bytes().to_vec()
        };
        let bytes = to_bytes(value).unwrap();
        assert_eq!(bytes, theirs(LE));
        assert_eq!(from_bytes::<B>(&bytes, LE).as_ref(), Some(value));
        assert_eq!(from_bytes::<B>(&theirs(BE), BE).as_ref(), Some(value));
        for end in 0..bytes.len() {
            assert_eq!(from_bytes::<B>(&bytes[..end], LE), None);
        }
        assert_eq!(from_bytes::<B>(&[&bytes[..], &[0]].concat(), LE), None);
    }

    proptest! {
        #[test]
        fn it_is_the_wire_format_of_the_bus(
            texts in proptest::collection::vec("[^\\x00]{0,9}", 5..8),
            allow in any::<bool>(),
            numbers in proptest::collection::vec(any::<u32>(), 0..4),
        ) {
            let text = |at: usize| texts[at].clone();
            agree(&text(0));
            agree(&numbers);
            let items = PamItems {
                service: text(0), user: text(1), ruser: text(2), tty: text(3), rhost: text(4),
            };
            agree(&items);
            agree(&OpenedSession { id: text(0), group: text(1) });
            agree(&DoorRequest { items, role: text(1), reason: text(2), ticket: text(0) });
            let verdict = if allow { Verdict::Allow } else { Verdict::Deny };
            let offer = |name: &str, reason, ticket| {
                Offer { role: name.parse().unwrap(), reason, ticket }
            };
            let offers = vec![offer("admin", allow, true), offer("web", false, allow)];
            agree(&CheckAnswer { verdict, lines: texts[4..].to_vec(), offers });
            agree(&CheckAnswer { verdict, lines: vec![], offers: vec![] });
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for endian in [LE, BE] {
                drop(from_bytes::<PamItems>(&bytes, endian));
                if let Some(answer) = from_bytes::<CheckAnswer>(&bytes, endian) {
                    prop_assert!(endian == BE || to_bytes(&answer) == Some(bytes.clone()));
                }
            }
        }
    }

    /// An array of structs begins at a multiple of eight, though its length does not count that.
    #[test]
    fn arrays_of_structs_are_aligned() {
        let items = vec![("one".to_owned(), true), ("two".to_owned(), false)];
        let value = ("x", items.clone());
        let bytes = zbus::wire::to_bytes(Context::new(LE, 0), &value).unwrap().bytes().to_vec();
        let mut writer = Writer::default();
        writer.text("x").unwrap();
        let written = writer.array(8, &items, |to, (name, flag)| {
            to.text(name)?;
            to.number(u32::from(*flag));
            Some(())
        });
        assert_eq!((written, &writer.bytes), (Some(()), &bytes));
        let mut reader = Reader::new(&bytes, LE);
        assert_eq!(reader.text(), Some("x"));
        let read = reader.array(8, |from| Some((from.text()?.to_owned(), from.number()? == 1)));
        assert_eq!((read, reader.is_at_end()), (Some(items), true));
    }
}
