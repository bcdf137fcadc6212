//! The bodies of the messages, written and read: strings, numbers, and arrays and structs of them
//! (D-Bus specification, Marshaling). The general codecs would carry every type there is into the
//! module.

use core::marker::PhantomData;

/// What is of a type that D-Bus has.
pub trait Signature {
    /// How D-Bus writes it.
    const SIGNATURE: &'static str;
}

/// A value that can be written.
pub trait Encode: Signature {
    /// Appends it.
    fn write(&self, to: &mut Writer<'_>);
}

/// A value that can be read, from bytes that it may borrow from.
pub trait Decode<'a>: Signature + Sized {
    /// The multiple at which one begins.
    const ALIGNMENT: usize;

    /// Takes it; `None` unless exactly such a value comes next.
    fn read(from: &mut Reader<'a>) -> Option<Self>;
}

/// The value that a body is; `None` unless it is exactly one.
#[must_use]
pub fn value<'a, T: Decode<'a>>(body: &'a [u8], endian: Endian) -> Option<T> {
    let mut reader = Reader::new(body, endian);
    let value = T::read(&mut reader)?;
    reader.is_at_end().then_some(value)
}

/// The order of a number's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// The least first; all that stint writes is so.
    Little,
    /// The greatest first.
    Big,
}

impl Endian {
    /// The number that these bytes are.
    #[must_use]
    pub fn number(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

impl Signature for () {
    const SIGNATURE: &'static str = "";
}

impl Encode for () {
    fn write(&self, _: &mut Writer<'_>) {}
}

impl Decode<'_> for () {
    const ALIGNMENT: usize = 1;

    fn read(_: &mut Reader<'_>) -> Option<Self> {
        Some(())
    }
}

impl Signature for &str {
    const SIGNATURE: &'static str = "s";
}

impl Encode for &str {
    fn write(&self, to: &mut Writer<'_>) {
        to.text(self);
    }
}

impl<'a> Decode<'a> for &'a str {
    const ALIGNMENT: usize = 4;

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        from.text()
    }
}

impl Signature for u32 {
    const SIGNATURE: &'static str = "u";
}

impl Encode for u32 {
    fn write(&self, to: &mut Writer<'_>) {
        to.number(*self);
    }
}

impl Decode<'_> for u32 {
    const ALIGNMENT: usize = 4;

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        from.number()
    }
}

impl Signature for &[u32] {
    const SIGNATURE: &'static str = "au";
}

impl Encode for &[u32] {
    fn write(&self, to: &mut Writer<'_>) {
        to.array(4, self.iter(), |to, number| to.number(*number));
    }
}

impl Signature for Array<'_, u32> {
    const SIGNATURE: &'static str = <&[u32] as Signature>::SIGNATURE;
}

/// Little-endian bytes as far as they are written. What finds no room is counted and not kept, so
/// that how much room it takes can be asked for with none.
#[derive(Debug)]
pub struct Writer<'a> {
    room: &'a mut [u8],
    at: usize,
    /// From where multiples are counted.
    origin: usize,
}

impl<'a> Writer<'a> {
    /// Writes from the front.
    pub fn new(room: &'a mut [u8]) -> Self {
        Self { room, at: 0, origin: 0 }
    }

    /// How many bytes were to be written.
    #[must_use]
    pub fn length(&self) -> usize {
        self.at
    }

    /// What was written; `None` if it found no room.
    #[must_use]
    pub fn written(self) -> Option<&'a [u8]> {
        self.room.get(..self.at)
    }

    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.set(self.at, bytes);
        self.at = self.at.saturating_add(bytes.len());
    }

    /// Bytes in the place of those that were written there.
    pub fn set(&mut self, at: usize, bytes: &[u8]) {
        if let Some(places) = self.room.get_mut(at..at.saturating_add(bytes.len())) {
            // Of the same length; copy_from_slice would panic if not.
            for (place, byte) in places.iter_mut().zip(bytes) {
                *place = *byte;
            }
        }
    }

    /// Counts multiples from here.
    pub fn begin(&mut self) {
        self.origin = self.at;
    }

    /// Goes on at a multiple of `size`, at most 8: 4 before a number or text, 8 before a struct.
    pub fn align(&mut self, size: usize) {
        while !self.at.wrapping_sub(self.origin).is_multiple_of(size) {
            self.put(&[0]);
        }
    }

    /// Appends a `u`.
    pub fn number(&mut self, number: u32) {
        self.align(4);
        self.put(&number.to_le_bytes());
    }

    /// Appends a length as a `u`. What is longer finds no room anyway.
    pub fn count(&mut self, length: usize) {
        self.number(u32::try_from(length).unwrap_or(u32::MAX));
    }

    /// Appends a `b`.
    pub fn flag(&mut self, flag: bool) {
        self.number(u32::from(flag));
    }

    /// Appends an `s` or `o`.
    pub fn text(&mut self, text: &str) {
        self.count(text.len());
        self.put(text.as_bytes());
        self.put(&[0]);
    }

    /// Appends an array of items that begin at multiples of `size`.
    pub fn array<I: IntoIterator>(
        &mut self,
        size: usize,
        items: I,
        mut write: impl FnMut(&mut Self, I::Item),
    ) {
        self.align(4);
        let length_at = self.at;
        self.number(0);
        self.align(size);
        let start = self.at;
        for item in items {
            self.align(size);
            write(self, item);
        }
        self.set_count(length_at, start);
    }

    /// What was written since `start`, as the length at this place.
    pub(crate) fn set_count(&mut self, at: usize, start: usize) {
        let length = u32::try_from(self.at.saturating_sub(start)).unwrap_or(u32::MAX);
        self.set(at, &length.to_le_bytes());
    }
}

/// What is still to be read of bytes that began at a multiple of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Skips zeros up to a multiple of `size`, at most 8.
    pub fn align(&mut self, size: usize) -> Option<()> {
        while !self.at.is_multiple_of(size) {
            if self.take(1)? != [0] {
                return None;
            }
        }
        Some(())
    }

    /// The next `u`.
    pub fn number(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = self.take(4)?.first_chunk()?;
        Some(self.endian.number(*bytes))
    }

    /// The next `u`, as a length.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
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
        let length = self.count()?;
        self.terminated(length)
    }

    /// The next `g`.
    pub fn signature(&mut self) -> Option<&'a str> {
        let [length] = *self.take(1)? else { return None };
        self.terminated(usize::from(length))
    }

    /// Text of this length, and the NUL behind it.
    fn terminated(&mut self, length: usize) -> Option<&'a str> {
        let text = str::from_utf8(self.take(length)?).ok()?;
        (self.take(1)? == [0] && !text.bytes().any(|byte| byte == 0)).then_some(text)
    }
}

/// An array that was read: its items are of their type, one after the other.
#[derive(Clone, Debug)]
pub struct Array<'a, T> {
    items: Reader<'a>,
    of: PhantomData<T>,
}

impl<'a, T: Decode<'a>> Array<'a, T> {
    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_at_end()
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Array<'a, T>
where
    Self: Signature,
{
    const ALIGNMENT: usize = 4;

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let length = from.count()?;
        from.align(T::ALIGNMENT)?;
        let end = from.at.checked_add(length)?;
        let items = Reader { bytes: from.bytes.get(..end)?, ..*from };
        let array = || Self { items, of: PhantomData };
        let mut each = array();
        while each.next().is_some() {}
        // Where one was no item, the rest is left.
        each.is_empty().then_some(())?;
        from.at = end;
        Some(array())
    }
}

impl<'a, T: Decode<'a>> Iterator for Array<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.items.is_at_end() {
            return None;
        }
        let mut next = self.items;
        next.align(T::ALIGNMENT)?;
        let item = T::read(&mut next)?;
        if next.at == self.items.at {
            return None;
        }
        self.items = next;
        Some(item)
    }
}
