//! One message of the module's and its reply: the interface of the bus, spoken without a bus.
//! Strict: what is not exactly a call of ours is garbage, and ends the connection.

use std::io;
use std::sync::Arc;

use stint_proto::body::{shown, to_message};
use stint_proto::{BadName, DoorRequest, ErrorCode, GrantId, OpenedSession, PamItems};
use stint_wire::body::{Endian, value};
use stint_wire::header::{
    self, ERROR, Fields, Garbage, METHOD_CALL, METHOD_RETURN, Message, NO_REPLY_EXPECTED,
};
use stint_wire::{Decode, Encode, INTERFACE, LONGEST_QUESTION, OBJECT_PATH};

use super::authority::{Caller, authorize};
use super::desk::Answer;
use crate::domain::entrances::Entrance;
use crate::engine::{Engine, Opened, Peer, Refusal};
use crate::record::harmless;

/// What is no question, in words for the log.
pub(super) fn garbage(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The length of the message that is complete at the front, if one is.
///
/// # Errors
/// When what is there can no longer become a message.
pub(super) fn complete(bytes: &[u8]) -> io::Result<Option<usize>> {
    header::complete(bytes, LONGEST_QUESTION).map_err(|Garbage(why)| garbage(why))
}

/// A call, as it was sent.
#[derive(Debug)]
pub(super) struct Call {
    flags: u8,
    serial: u32,
    member: String,
    signature: String,
    argument: Vec<u8>,
}

/// Reads one complete message.
///
/// # Errors
/// When it is no call of the interface; then there is nothing to answer to.
pub(super) fn read(message: &[u8]) -> io::Result<Call> {
    let message = Message::read(message).map_err(|Garbage(why)| garbage(why))?;
    let fields = message.fields;
    if message.kind != METHOD_CALL {
        return Err(garbage("it is no call"));
    }
    if message.endian != Endian::Little {
        return Err(garbage("its numbers are not as the module writes them"));
    }
    if fields.path != Some(OBJECT_PATH) || fields.interface != Some(INTERFACE) {
        return Err(garbage("it is for another object or interface"));
    }
    Ok(Call {
        flags: message.flags,
        serial: message.serial,
        member: fields.member.ok_or_else(|| garbage("it names no method"))?.to_owned(),
        signature: fields.signature.unwrap_or_default().to_owned(),
        argument: message.body.to_owned(),
    })
}

impl Call {
    /// Whether a session begins.
    pub(super) fn opens_session(&self) -> bool {
        self.member == "EnterSession"
    }

    /// Whether it is about the place of a session: the kernel takes its time to say where a process
    /// is, and to make a place for it, as it does that for one at a time.
    pub(super) fn is_of_a_place(&self) -> bool {
        self.opens_session() || self.member == "PlaceSession"
    }

    /// The one argument, which must be of type `B` and nothing else.
    fn argument<'a, B: Decode<'a>>(&'a self) -> Result<B, Refusal> {
        let value = if self.signature == B::SIGNATURE {
            value(&self.argument, Endian::Little)
        } else {
            None
        };
        value.ok_or_else(|| {
            let text = format!("{} takes one argument of type {}", self.member, B::SIGNATURE);
            Refusal::new(ErrorCode::Invalid, text)
        })
    }

    fn reply<B: Encode>(&self, value: &B) -> io::Result<Vec<u8>> {
        let fields = Fields { reply_serial: Some(self.serial), ..Fields::default() };
        to_message(METHOD_RETURN, 0, 1, &fields, value).map_or_else(
            || {
                let text = format!("the answer to {} is too long for the module", self.member);
                eprintln!("stintd: {}", harmless(&text));
                self.refusal(&Refusal::new(ErrorCode::Failed, text))
            },
            Ok,
        )
    }

    fn refusal(&self, refusal: &Refusal) -> io::Result<Vec<u8>> {
        let fields = Fields {
            error_name: Some(refusal.code.bus_name()),
            reply_serial: Some(self.serial),
            ..Fields::default()
        };
        // Always short enough: a line, and the name of an error.
        to_message(ERROR, 0, 1, &fields, &shown(&refusal.message))
            .ok_or_else(|| io::Error::other("the answer is too long"))
    }
}

/// Answers a call; a session that begins has this group to enter, if it has been made already.
///
/// # Errors
/// When the answer cannot be written.
pub(super) async fn answer(
    engine: &Arc<Engine>,
    peer: Peer,
    call: &Call,
    entrance: Option<Entrance>,
) -> io::Result<Answer> {
    let answer = dispatch(engine, peer, call, entrance).await;
    if call.flags & NO_REPLY_EXPECTED == 0 {
        return match answer {
            Ok(answer) => answer,
            Err(refusal) => Ok(call.refusal(&refusal)?.into()),
        };
    }
    match answer {
        Ok(answer) => Ok(Answer { reply: Vec::new(), ..answer? }),
        // Nobody else hears of it.
        Err(refusal) => {
            eprintln!("stintd: {} of the module's: {refusal}", harmless(&call.member));
            Ok(Vec::new().into())
        }
    }
}

async fn dispatch(
    engine: &Arc<Engine>,
    peer: Peer,
    call: &Call,
    entrance: Option<Entrance>,
) -> Result<io::Result<Answer>, Refusal> {
    authorize(&call.member, Caller::Module(peer))?;
    let answer = match call.member.as_str() {
        "Check" => {
            let items: PamItems = call.argument()?;
            let answer = engine.check(peer, &items).await;
            let ahead = engine.ahead_of_session(peer, &items, &answer);
            return Ok(call.reply(&answer).map(|reply| Answer { reply, ahead, then: None }));
        }
        "RequestAtDoor" => {
            let asked: DoorRequest = call.argument()?;
            call.reply(&engine.request_at_door(peer, asked).await)
        }
        "EnterSession" => {
            let items: PamItems = call.argument()?;
            let opened = engine.session_opened(peer, &items, entrance).await;
            let Opened { id, enters, then } =
                opened.map_err(|error| Refusal::new(ErrorCode::Failed, error.to_string()))?;
            let group = enters.map(|group| group.as_str().to_owned()).unwrap_or_default();
            let reply = call.reply(&OpenedSession { id, group });
            return Ok(reply.map(|reply| Answer { reply, then, ahead: None }));
        }
        "PlaceSession" => {
            let id: &str = call.argument()?;
            if engine.session_outside(peer, id).await {
                call.reply(&())
            } else {
                let text = "no such session of this process is open";
                return Err(Refusal::new(ErrorCode::NoSuchId, text));
            }
        }
        "CloseSession" => {
            let id: &str = call.argument()?;
            if engine.session_closed(id) {
                call.reply(&())
            } else {
                return Err(Refusal::new(ErrorCode::NoSuchId, "no such session is open"));
            }
        }
        "RunGroups" => {
            let id: &str = call.argument()?;
            let id: GrantId = id
                .parse()
                .map_err(|error: BadName| Refusal::new(ErrorCode::Invalid, error.to_string()))?;
            call.reply(&engine.run_groups(peer, &id).await?.as_slice())
        }
        // The table lets the module call nothing else.
        other => {
            return Err(Refusal::new(ErrorCode::Denied, format!("{other} is not served here")));
        }
    };
    Ok(answer.map(Answer::from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(path: &str, interface: &str, member: &str) -> Vec<u8> {
        let [path, interface, member] = [path, interface, member].map(Some);
        let fields = Fields { path, interface, member, ..Fields::default() };
        to_message(METHOD_CALL, 0, 7, &fields, &"an id").unwrap()
    }

    #[test]
    fn what_is_no_call_of_ours_is_garbage() {
        assert!(read(&call("/", INTERFACE, "Check")).is_err());
        assert!(read(&call(OBJECT_PATH, "org.other", "Check")).is_err());
        let good = call(OBJECT_PATH, INTERFACE, "CloseSession");
        for (at, byte) in [(0, b'B'), (0, 0), (1, METHOD_RETURN), (3, 2), (8, 0), (7, 0xff)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(read(&bad).is_err(), "byte {at} = {byte}");
        }
        for length in 0..good.len() {
            assert_eq!(complete(&good[..length]).unwrap(), None, "{length}");
        }
    }

    #[test]
    fn a_call_reads_and_an_argument_of_another_type_is_refused() {
        let message = call(OBJECT_PATH, INTERFACE, "CloseSession");
        assert_eq!(complete(&message).unwrap(), Some(message.len()));
        let call = read(&message).unwrap();
        assert_eq!((call.serial, call.member.as_str()), (7, "CloseSession"));
        assert!(!call.is_of_a_place());
        assert_eq!(call.argument::<&str>().unwrap(), "an id");
        assert!(call.argument::<PamItems>().is_err());
    }

    #[test]
    fn an_answer_that_is_too_long_is_an_error_and_no_silence() {
        let asked = call(OBJECT_PATH, INTERFACE, "RunGroups");
        let call = read(&asked).unwrap();
        let answered = |groups: usize| {
            let reply = call.reply(&vec![0_u32; groups].as_slice()).unwrap();
            let message = Message::read(&reply).unwrap();
            assert_eq!(message.fields.reply_serial, Some(7));
            message.kind
        };
        assert_eq!(answered(1_000), METHOD_RETURN);
        assert_eq!(answered(10_000), ERROR);
        let refusal = Refusal::new(ErrorCode::Refused, "🙂".repeat(10_000));
        assert!(Message::read(&call.refusal(&refusal).unwrap()).is_ok());
    }

    #[test]
    fn a_call_of_the_other_endianness_is_garbage() {
        let little = call(OBJECT_PATH, INTERFACE, "Check");
        let mut big = little.clone();
        big[0] = b'B';
        let mut turn = |at: usize| big[at..at + 4].reverse();
        [4, 8, 12].into_iter().for_each(&mut turn);
        let mut at = 16;
        // The fields of texts; that of the type has a length of one byte.
        while little[at + 2] != b'g' {
            turn(at + 4);
            at = (at + 8 + usize::from(little[at + 4]) + 1).next_multiple_of(8);
        }
        turn((16 + usize::from(little[12])).next_multiple_of(8));
        assert!(Message::read(&big).is_ok(), "it is a message");
        assert!(read(&big).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            if let Ok(Some(length)) = complete(&bytes) {
                prop_assert!(length <= bytes.len());
                drop(read(&bytes[..length]));
            }
        }
    }
}
