//! Events to the system's log: one datagram each, never waiting.
//!
//! Where there is a journal, its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL); where there
//! is none, `/dev/log` as syslog(3) writes it. Never both: a journal forwards to syslog itself.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use stint_proto::words;

use super::entry::{Entry, harmless};

/// The most events that wait for a full socket; beyond it the oldest are given up and counted. Ten
/// thousand grants that end together are twice as many events.
const WAITING_LIMIT: usize = 32_768;
/// authpriv (syslog(3)).
const FACILITY: u8 = 10;

words! {
    /// Which log there is.
    Kind {
        /// systemd-journald.
        Journal = "journal",
        /// A syslog daemon.
        Syslog = "syslog",
    }
}

/// The way to the system's log.
#[derive(Debug)]
pub struct Journal {
    journal: PathBuf,
    syslog: PathBuf,
    socket: Option<(Kind, UnixDatagram)>,
    /// Which log the last event went to.
    last: Kind,
    waiting: VecDeque<(Kind, Vec<u8>)>,
    lost: u64,
    lost_unreported: u64,
}

impl Journal {
    /// Writes to the journal's socket at `journal` if there is one, else to `syslog`.
    #[must_use]
    pub fn new(journal: PathBuf, syslog: PathBuf) -> Self {
        let last = if journal.exists() { Kind::Journal } else { Kind::Syslog };
        Self {
            journal,
            syslog,
            socket: None,
            last,
            waiting: VecDeque::new(),
            lost: 0,
            lost_unreported: 0,
        }
    }

    /// Which log there is now, as journald can come and go.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.journal.exists() { Kind::Journal } else { Kind::Syslog }
    }

    /// Events given up since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether events wait for room.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many events wait for room.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many events were given up since this was asked last, once delivery works again: the
    /// caller records that as an event of its own.
    #[must_use]
    pub fn take_gap(&mut self) -> Option<u64> {
        if self.is_behind() || self.lost_unreported == 0 {
            return None;
        }
        Some(std::mem::take(&mut self.lost_unreported))
    }

    /// Sends an event, or keeps it until there is room. Never waits.
    pub fn write(&mut self, entry: &Entry) {
        if self.last == Kind::Journal && self.waiting.is_empty() {
            // The usual way: the journal is there as it was. Only when it is not is it looked for.
            if self.send(Kind::Journal, &native(entry)).is_ok() {
                return;
            }
        }
        self.last = self.kind();
        let bytes = match self.last {
            Kind::Journal => native(entry),
            Kind::Syslog => syslog_line(entry).into_bytes(),
        };
        if self.waiting.len() >= WAITING_LIMIT {
            self.waiting.pop_front();
            self.lost = self.lost.saturating_add(1);
            self.lost_unreported = self.lost_unreported.saturating_add(1);
        }
        self.waiting.push_back((self.last, bytes));
        self.flush();
    }

    /// Sends what waits, as far as there is room.
    pub fn flush(&mut self) {
        while let Some((kind, bytes)) = self.waiting.pop_front() {
            if self.send(kind, &bytes).is_err() {
                self.waiting.push_front((kind, bytes));
                return;
            }
        }
    }

    /// Sends one datagram. The socket stays connected, which spares each event the way through the
    /// folders; where nobody is at its other end any more it is made anew.
    fn send(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        if let Some((to, socket)) = &self.socket {
            if *to == kind {
                match socket.send(bytes) {
                    Ok(_) => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                    Err(_) => {}
                }
            }
            self.socket = None;
        }
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(match kind {
            Kind::Journal => &self.journal,
            Kind::Syslog => &self.syslog,
        })?;
        let sent = socket.send(bytes);
        self.socket = Some((kind, socket));
        sent.map(drop)
    }
}

/// The native protocol: `NAME=value` lines. Every value here is free of line ends ([`harmless`]),
/// so the length-prefixed form is never needed.
fn native(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut put = |name: &'static str, value: &str| {
        for part in [name, "=", value, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    };
    put("MESSAGE", &message(entry));
    put("MESSAGE_ID", &entry.event.message_id());
    put("PRIORITY", &(entry.event.priority() as u8).to_string());
    put("SYSLOG_FACILITY", &FACILITY.to_string());
    put("SYSLOG_IDENTIFIER", "stintd");
    entry.each_field(put);
    out
}

/// What syslog(3) would send: priority, local time, tag, and the fields as `key="value"`.
fn syslog_line(entry: &Entry) -> String {
    let priority = FACILITY * 8 + entry.event.priority() as u8;
    let time = jiff::Timestamp::from_microsecond(entry.at.micros())
        .map(|time| {
            time.to_zoned_datetime(jiff::tz::TimeZone::system())
                .strftime("%b %e %H:%M:%S")
                .to_string()
        })
        .unwrap_or_else(|_| "Jan  1 00:00:00".to_owned());
    let mut line = format!("<{priority}>{time} stintd[{}]: {}", std::process::id(), message(entry));
    entry.each_field(|name, value| {
        line.push_str(&format!(" {name}=\"{}\"", value.replace('"', "\\\"")));
    });
    line
}

/// The line for people; built by the daemon from values that may hold typed text.
fn message(entry: &Entry) -> Cow<'_, str> {
    harmless(&entry.message)
}

#[cfg(test)]
mod tests {
    use stint_proto::{Event, Timestamp};

    use super::*;

    fn entry(reason: &str) -> Entry {
        let mut entry =
            Entry::new(Timestamp::from_micros(0), Event::GrantActivated, "admin for alice".into());
        entry.reason = Some(reason.to_owned());
        entry
    }

    fn listening(folder: &std::path::Path) -> UnixDatagram {
        let socket = UnixDatagram::bind(folder.join("journal")).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    #[test]
    fn a_reason_cannot_add_a_field() {
        let text = String::from_utf8(native(&entry("x\nSTINT_USER=mallory"))).unwrap();
        assert!(!text.lines().any(|line| line.starts_with("STINT_USER=")), "{text}");
        assert!(text.contains("STINT_REASON=x\\u{a}STINT_USER=mallory\n"));
        assert_eq!(syslog_line(&entry("x\n<0>forged")).lines().count(), 1);
    }

    #[test]
    fn events_wait_for_a_full_socket_and_losses_are_counted_once() {
        const EVENTS: u64 = 40_000;
        let folder = tempfile::tempdir().unwrap();
        let socket = listening(folder.path());
        let mut journal = Journal::new(folder.path().join("journal"), folder.path().join("log"));
        for _ in 0..EVENTS {
            journal.write(&entry("flood"));
        }
        assert!(journal.is_behind());
        assert!(journal.lost() > 0);
        assert_eq!(journal.take_gap(), None, "not before delivery works again");
        let mut received: u64 = 0;
        let mut buffer = [0_u8; 4_096];
        while journal.is_behind() {
            while socket.recv(&mut buffer).is_ok() {
                received += 1;
            }
            journal.flush();
        }
        while socket.recv(&mut buffer).is_ok() {
            received += 1;
        }
        assert_eq!(received + journal.lost(), EVENTS);
        assert_eq!(journal.take_gap(), Some(journal.lost()));
        assert_eq!(journal.take_gap(), None, "told once");
    }

    #[test]
    fn a_journal_that_goes_and_comes_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let here = listening(folder.path());
        let log = UnixDatagram::bind(folder.path().join("log")).unwrap();
        log.set_nonblocking(true).unwrap();
        let mut journal = Journal::new(folder.path().join("journal"), folder.path().join("log"));
        let mut buffer = [0_u8; 4_096];
        journal.write(&entry("first"));
        assert!(here.recv(&mut buffer).is_ok());
        std::fs::remove_file(folder.path().join("journal")).unwrap();
        drop(here);
        journal.write(&entry("second"));
        assert!(log.recv(&mut buffer).is_ok() && !journal.is_behind());
        let back = listening(folder.path());
        journal.write(&entry("third"));
        assert!(back.recv(&mut buffer).is_ok());
        assert!(log.recv(&mut buffer).is_err(), "never in both");
        // journald's socket is made anew under the same name.
        std::fs::remove_file(folder.path().join("journal")).unwrap();
        drop(back);
        let again = listening(folder.path());
        journal.write(&entry("fourth"));
        assert!(again.recv(&mut buffer).is_ok() && !journal.is_behind());
    }

    #[test]
    fn without_a_journal_it_is_syslog() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("log")).unwrap();
        let mut journal = Journal::new(folder.path().join("journal"), folder.path().join("log"));
        assert_eq!(journal.kind(), Kind::Syslog);
        journal.write(&entry("why"));
        let mut buffer = [0_u8; 4_096];
        let length = socket.recv(&mut buffer).unwrap();
        let line = String::from_utf8_lossy(&buffer[..length]);
        assert!(line.starts_with("<85>") && line.contains("STINT_REASON=\"why\""), "{line}");
    }
}
