//! The owned forms of what is said on the module's socket: written and read as [`stint_wire`] says.
//! No I/O.

use stint_wire::header::{Fields, message};
use stint_wire::text::{LONGEST_LINE, MOST_LINES};
use stint_wire::{Answer, Decode, Encode, Items, Opened, Reader, Request, Signature, Writer};

use crate::{CheckAnswer, DoorRequest, Offer, OpenedSession, PamItems, Verdict};

/// A little-endian message with this body; `None` if it is longer than an answer may be.
#[must_use]
pub fn to_message<B: Encode>(
    kind: u8,
    flags: u8,
    serial: u32,
    fields: &Fields<'_>,
    body: &B,
) -> Option<Vec<u8>> {
    let write = |to: &mut Writer<'_>| message(to, kind, flags, serial, fields, body);
    let mut measure = Writer::new(&mut []);
    write(&mut measure);
    if measure.length() > stint_wire::LONGEST_ANSWER {
        return None;
    }
    let mut bytes = vec![0; measure.length()];
    write(&mut Writer::new(&mut bytes));
    Some(bytes)
}

/// As much of a line as anybody is shown, and one character more, so that it is seen to be cut.
#[must_use]
pub fn shown(line: &str) -> &str {
    line.char_indices().nth(LONGEST_LINE + 1).and_then(|(end, _)| line.get(..end)).unwrap_or(line)
}

impl Signature for PamItems {
    const SIGNATURE: &'static str = Items::SIGNATURE;
}

impl Encode for PamItems {
    fn write(&self, to: &mut Writer<'_>) {
        self.borrowed().write(to);
    }
}

impl<'a> Decode<'a> for PamItems {
    const ALIGNMENT: usize = Items::ALIGNMENT;

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        Items::read(from).map(Self::from)
    }
}

impl From<Items<'_>> for PamItems {
    fn from(items: Items<'_>) -> Self {
        let [service, user, ruser, tty, rhost] =
            [items.service, items.user, items.ruser, items.tty, items.rhost].map(str::to_owned);
        Self { service, user, ruser, tty, rhost }
    }
}

impl PamItems {
    /// The same, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> Items<'_> {
        let Self { service, user, ruser, tty, rhost } = self;
        Items { service, user, ruser, tty, rhost }
    }
}

impl Signature for OpenedSession {
    const SIGNATURE: &'static str = Opened::SIGNATURE;
}

impl Encode for OpenedSession {
    fn write(&self, to: &mut Writer<'_>) {
        Opened { id: &self.id, group: &self.group }.write(to);
    }
}

impl Signature for CheckAnswer {
    const SIGNATURE: &'static str = stint_wire::Given::SIGNATURE;
}

impl Encode for CheckAnswer {
    fn write(&self, to: &mut Writer<'_>) {
        let verdict = match self.verdict {
            Verdict::Allow => stint_wire::Verdict::Allow,
            Verdict::Deny => stint_wire::Verdict::Deny,
        };
        let lines = self.lines.iter().take(MOST_LINES).map(|line| shown(line));
        let offers = self.offers.iter().map(|Offer { role, reason, ticket }| stint_wire::Offer {
            role: role.as_str(),
            reason: *reason,
            ticket: *ticket,
        });
        Answer { verdict, lines, offers }.write(to);
    }
}

impl Signature for DoorRequest {
    const SIGNATURE: &'static str = Request::SIGNATURE;
}

impl<'a> Decode<'a> for DoorRequest {
    const ALIGNMENT: usize = Request::ALIGNMENT;

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let Request { items, role, reason, ticket } = Request::read(from)?;
        let [role, reason, ticket] = [role, reason, ticket].map(str::to_owned);
        Some(Self { items: items.into(), role, reason, ticket })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;
    use stint_wire::body::{Endian, value};
    use stint_wire::{Array, Given};
    use zbus::Type;
    use zbus::wire::serialized::Context;
    use zbus::wire::{BE, LE};

    use super::*;

    fn to_bytes<T: Encode>(value: &T) -> Vec<u8> {
        let mut measure = Writer::new(&mut []);
        value.write(&mut measure);
        let mut bytes = vec![0; measure.length()];
        let mut writer = Writer::new(&mut bytes);
        value.write(&mut writer);
        assert!(writer.written().is_some());
        bytes
    }

    /// Both codecs write the same bytes, and what `check` is shown is what is read of either
    /// endianness; nothing shorter or longer is such a value.
    fn agree<'a, T, R>(written: &T, space: &'a mut Vec<Vec<u8>>, check: impl Fn(R) -> bool)
    where
        T: Encode + Type + serde::Serialize + Debug,
        R: Decode<'a>,
    {
        let signature = <T as Type>::SIGNATURE.to_string();
        assert_eq!([<T as Signature>::SIGNATURE, R::SIGNATURE], [signature.as_str(); 2]);
        let theirs = |endian| {
            zbus::wire::to_bytes(Context::new(endian, 0), written).unwrap().bytes().to_vec()
        };
        let bytes = to_bytes(written);
        assert_eq!(bytes, theirs(LE));
        *space = vec![theirs(BE), [&bytes[..], &[0]].concat(), bytes];
        let space: &'a [Vec<u8>] = space;
        assert!(check(value(&space[0], Endian::Big).unwrap()));
        assert!(value::<R>(&space[1], Endian::Little).is_none());
        assert!(check(value(&space[2], Endian::Little).unwrap()));
        for end in 0..space[2].len() {
            assert!(value::<R>(&space[2][..end], Endian::Little).is_none());
        }
    }

    proptest! {
        #[test]
        fn it_is_the_wire_format_of_the_bus(
            texts in proptest::collection::vec("[^\\x00]{0,9}", 5..8),
            allow in any::<bool>(),
            numbers in proptest::collection::vec(any::<u32>(), 0..4),
        ) {
            let text = |at: usize| texts[at].clone();
            let mut space = Vec::new();
            agree(&text(0).as_str(), &mut space, |read: &str| read == text(0));
            let mut space = Vec::new();
            let same = |read: Array<'_, u32>| read.eq(numbers.iter().copied());
            agree(&&numbers[..], &mut space, same);
            let items = PamItems {
                service: text(0), user: text(1), ruser: text(2), tty: text(3), rhost: text(4),
            };
            let mut space = Vec::new();
            agree(&items, &mut space, |read: PamItems| read == items);
            let opened = OpenedSession { id: text(0), group: text(1) };
            let mut space = Vec::new();
            let same = |read: Opened<'_>| (read.id, read.group) == (&*opened.id, &*opened.group);
            agree(&opened, &mut space, same);
            let offer = |name: &str, reason, ticket| {
                Offer { role: name.parse().unwrap(), reason, ticket }
            };
            for offers in [vec![], vec![offer("admin", allow, true), offer("web", false, allow)]] {
                let verdict = if allow { Verdict::Allow } else { Verdict::Deny };
                let answer = CheckAnswer { verdict, lines: texts[4..].to_vec(), offers };
                let mut space = Vec::new();
                agree(&answer, &mut space, |read: Given<'_>| {
                    let offers = answer.offers.iter().map(|offer| stint_wire::Offer {
                        role: offer.role.as_str(), reason: offer.reason, ticket: offer.ticket,
                    });
                    read.verdict.as_str() == answer.verdict.as_str()
                        && read.lines.eq(answer.lines.iter().map(String::as_str))
                        && read.offers.eq(offers)
                });
            }
        }

        #[test]
        fn a_request_at_the_door_is_read_as_the_bus_writes_it(
            texts in proptest::collection::vec("[^\\x00]{0,9}", 8),
        ) {
            let text = |at: usize| texts[at].clone();
            let items = PamItems {
                service: text(0), user: text(1), ruser: text(2), tty: text(3), rhost: text(4),
            };
            let asked = DoorRequest {
                items, role: text(5), reason: text(6), ticket: text(7),
            };
            let theirs = zbus::wire::to_bytes(Context::new(LE, 0), &asked).unwrap().bytes().to_vec();
            let ours = Request {
                items: asked.items.borrowed(),
                role: &asked.role,
                reason: &asked.reason,
                ticket: &asked.ticket,
            };
            prop_assert_eq!(&to_bytes(&ours), &theirs);
            prop_assert_eq!(value(&theirs, Endian::Little), Some(asked));
            let signature = <DoorRequest as Type>::SIGNATURE.to_string();
            prop_assert_eq!(<DoorRequest as Signature>::SIGNATURE, signature);
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for endian in [Endian::Little, Endian::Big] {
                drop(value::<PamItems>(&bytes, endian));
                if let Some(answer) = value::<Given<'_>>(&bytes, endian) {
                    prop_assert!(endian == Endian::Big || to_bytes(&answer) == bytes);
                }
            }
        }
    }

    #[test]
    fn the_longest_lines_and_the_most_of_them_are_written_as_they_are_shown() {
        let line = "🙂".repeat(LONGEST_LINE + 1);
        let answer = CheckAnswer {
            verdict: Verdict::Deny,
            lines: vec![format!("{line}more"); 5],
            offers: vec![],
        };
        let bytes = to_bytes(&answer);
        let read: Given<'_> = value(&bytes, Endian::Little).unwrap();
        assert!(read.lines.eq([&*line; 3]));
        assert_eq!(shown(&line[4..]), &line[4..]);
    }

    #[test]
    fn what_nobody_would_read_is_not_written() {
        let write = |length| {
            let text = "x".repeat(length);
            to_message(2, 0, 1, &Fields::default(), &text.as_str())
        };
        let room = stint_wire::LONGEST_ANSWER - write(0).unwrap().len();
        assert_eq!(write(room).unwrap().len(), stint_wire::LONGEST_ANSWER);
        assert_eq!(write(room + 1), None);
    }
}
