//! A stintd made of a socket and a script. The module's own tests take this file too.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;

use zbus::wire::serialized::Context;
use zbus::wire::{Endian, to_bytes};
use zbus::{Signature, Variant};

pub const GREETING: &[u8] = b"OK 0123456789abcdef0123456789abcdef\r\n";
pub const RETURN: u8 = 2;
pub const ERROR: u8 = 3;
pub const SIGNAL: u8 = 4;

/// One message to who asks.
pub struct Message {
    pub endian: Endian,
    pub kind: u8,
    pub serial: u32,
    pub signature: &'static str,
    pub error: Option<&'static str>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn answer(verdict: &str, lines: &[&str]) -> Self {
        Self::offering(verdict, lines, &[])
    }

    pub fn offering(verdict: &str, lines: &[&str], offers: &[(&str, bool, bool)]) -> Self {
        Self::of(RETURN, "sasa(sbb)", &(verdict, lines.to_vec(), offers.to_vec()))
    }

    pub fn of<T>(kind: u8, signature: &'static str, body: &T) -> Self
    where
        T: zbus::Type + zbus::wire::export::serde::Serialize,
    {
        let endian = zbus::wire::LE;
        let body = to_bytes(Context::new(endian, 0), body).unwrap().bytes().to_vec();
        Self { endian, kind, serial: 1, signature, error: None, body }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut fields: Vec<(u8, Variant<'_>)> = vec![(5, Variant::U32(self.serial))];
        if !self.signature.is_empty() {
            let signature = Signature::try_from(self.signature).unwrap();
            fields.push((8, Variant::Signature(signature)));
        }
        if let Some(name) = self.error {
            fields.push((4, Variant::Str(name.into())));
        }
        let mark = if self.endian == zbus::wire::LE { b'l' } else { b'B' };
        let length = u32::try_from(self.body.len()).unwrap();
        let header = (mark, self.kind, 1_u8, 1_u8, length, 7_u32, fields);
        let header = to_bytes(Context::new(self.endian, 0), &header).unwrap();
        let mut bytes = header.bytes().to_vec();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// With the greeting before it.
    pub fn greeted(&self) -> Vec<u8> {
        [GREETING, &self.bytes()].concat()
    }
}

/// A listener in a folder of its own, and what it does with its callers.
pub struct FakeDaemon {
    folder: tempfile::TempDir,
    thread: Option<JoinHandle<Vec<u8>>>,
}

impl FakeDaemon {
    /// Runs `script` on the first connection, then reads until who asks hangs up.
    pub fn new(script: impl FnOnce(&mut UnixStream) + Send + 'static) -> Self {
        Self::serving(move |listener| {
            let (mut stream, _) = listener.accept().unwrap();
            script(&mut stream);
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard);
            heard
        })
    }

    /// Runs `serve` on a thread of its own.
    pub fn serving(serve: impl FnOnce(UnixListener) -> Vec<u8> + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("pam.sock")).unwrap();
        let thread = std::thread::spawn(move || serve(listener));
        Self { folder, thread: Some(thread) }
    }

    /// Answers with these bytes, whatever is asked.
    pub fn saying(bytes: Vec<u8>) -> Self {
        Self::new(move |stream| {
            let _ = stream.write_all(&bytes);
        })
    }

    /// Sends each of the two callers these bytes, whatever is asked, and hangs up.
    pub fn hanging_up(bytes: Vec<u8>) -> Self {
        Self::serving(move |listener| {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(std::net::Shutdown::Both);
                // Dropped with something unread it would be a reset.
                let _ = stream.read_to_end(&mut Vec::new());
            }
            Vec::new()
        })
    }

    pub fn socket(&self) -> String {
        self.folder.path().join("pam.sock").to_str().unwrap().to_owned()
    }

    /// What was sent.
    pub fn heard(mut self) -> Vec<u8> {
        self.thread.take().unwrap().join().unwrap()
    }
}

/// The uid that the fake daemon runs as.
pub fn own_uid() -> u32 {
    nix::unistd::Uid::current().as_raw()
}
