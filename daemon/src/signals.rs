//! Signals of other services on the system bus, as one waits for them. Knows none of them.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;
use zbus::{Connection, MatchRule, Message, MessageStream, message};

/// The bus itself, as the sender of its own signals.
pub const BUS: &str = "org.freedesktop.DBus";
/// Its one object.
pub const BUS_PATH: &str = "/org/freedesktop/DBus";

/// One kind of signal.
#[derive(Clone, Copy, Debug)]
pub struct Signal<'a> {
    /// Who sends it, by name on the bus.
    pub sender: &'a str,
    /// Its interface.
    pub interface: &'a str,
    /// Its name.
    pub member: &'a str,
    /// One of its arguments, by number, and what it has to be.
    pub argument: (u8, &'a str),
}

/// Signals as they come, from the owner of that name and from nobody else. Poll it all the time,
/// beside every call on the same connection: its queue is short, and a full one holds up the whole
/// connection.
pub struct Signals {
    stream: MessageStream,
    sender: String,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the bus refuses or is gone, or nobody has the sender's name.
    pub async fn of(connection: &Connection, signal: Signal<'_>) -> zbus::Result<Self> {
        let (index, value) = signal.argument;
        let rule = MatchRule::builder()
            .msg_type(message::Type::Signal)
            .sender(signal.sender)
            .interface(signal.interface)
            .member(signal.member)
            .arg(index, value)
            .build()?;
        let stream = MessageStream::for_match_rule(rule, connection, None).await?;
        // Anybody may send any signal straight to this connection, past the rule: what counts is
        // who owns the name, and only the bus knows.
        let sender = match signal.sender {
            BUS => BUS.to_owned(),
            name => connection
                .call_method(Some(BUS), BUS_PATH, Some(BUS), "GetNameOwner", &name)
                .await?
                .body()
                .deserialize()?,
        };
        Ok(Self { stream, sender })
    }

    /// The next one; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            match poll_fn(|context| Pin::new(&mut self.stream).poll_next(context)).await {
                Some(Ok(message)) => {
                    let sender = message.header().sender().map(|name| name.as_str().to_owned());
                    if sender.as_deref() == Some(&self.sender) {
                        return Some(message);
                    }
                }
                // What cannot be read is nobody's signal.
                Some(Err(_)) => {}
                None => return None,
            }
        }
    }
}
