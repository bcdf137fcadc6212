//! How fast calls are taken from the system bus: no faster than it is found out who calls, and than
//! they are answered. What waits for that waits in the bus, which has limits for each sender, and not in the daemon's memory.
//!
//! A connection of this kind must not be used to find out who calls: its answers wait too.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;

/// So many calls whose callers are not known yet, and no more is read.
const MOST: usize = 32;

/// Counts the calls whose callers are not known yet; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<watch::Sender<usize>>);

/// A call whose caller is not known yet, or something that weighs as much as so many; it is over
/// when this is dropped.
#[derive(Debug)]
pub(super) struct Unknown(Pace, usize);

impl Default for Pace {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Pace {
    /// Counts a call in.
    pub(super) fn enter(&self) -> Unknown {
        self.hold(1)
    }

    fn hold(&self, weight: usize) -> Unknown {
        self.0.send_modify(|count| *count = count.saturating_add(weight));
        Unknown(self.clone(), weight)
    }

    /// Returns when one more may be read.
    async fn room(&self) {
        // It fails only where the sender is gone, and that is held here.
        let _ = self.0.subscribe().wait_for(|count| *count < MOST).await;
    }
}

impl Drop for Unknown {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(self.1));
    }
}

/// A stream that is read at this pace. It passes no descriptors: none of the interface's calls has
/// one, and the bus keeps from it those that have.
#[derive(Debug)]
pub(super) struct Paced {
    pub(super) stream: UnixStream,
    pub(super) pace: Pace,
}

#[derive(Debug)]
pub(super) struct Reader(OwnedReadHalf, Pace);

#[derive(Debug)]
pub(super) struct Writer(OwnedWriteHalf, Pace);

impl Socket for Paced {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        let (read, write) = self.stream.into_split();
        Split::new(Reader(read, self.pace.clone()), Writer(write, self.pace))
    }
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        // What was read has its turn before more is.
        tokio::task::yield_now().await;
        self.1.room().await;
        Ok((self.0.read(buffer).await?, Vec::new()))
    }
}

#[async_trait]
impl WriteHalf for Writer {
    async fn sendmsg(&mut self, buffer: &[u8], _: &[BorrowedFd<'_>]) -> io::Result<usize> {
        // While an answer waits for the bus, no more calls are read that want one.
        let _full = self.1.hold(MOST);
        self.0.write(buffer).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn nothing_is_read_while_too_many_callers_are_unknown() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let pace = Pace::default();
        let (mut reader, _writer) = Paced { stream: ours, pace: pace.clone() }.split().take();
        theirs.write_all(b"ab").await.unwrap();
        let mut unknown: Vec<Unknown> = (1..MOST).map(|_| pace.enter()).collect();
        let mut byte = [0];
        assert_eq!(reader.recvmsg(&mut byte).await.unwrap().0, 1);
        unknown.push(pace.enter());
        let moment = Duration::from_millis(50);
        let waits = tokio::time::timeout(moment, reader.recvmsg(&mut byte)).await;
        assert!(waits.is_err() && byte == *b"a", "{waits:?}");
        unknown.pop();
        assert_eq!(reader.recvmsg(&mut byte).await.unwrap().0, 1);
        assert_eq!(byte, *b"b");
    }

    #[tokio::test]
    async fn nothing_is_read_while_an_answer_waits() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (mut reader, mut writer) = Paced { stream: ours, pace: Pace::default() }.split().take();
        theirs.write_all(b"a").await.unwrap();
        let answers = tokio::spawn(async move {
            let mut left: usize = 4 << 20;
            while left > 0 {
                left = writer
                    .sendmsg(&[0; 4096], &[])
                    .await
                    .map(|sent| left.saturating_sub(sent))
                    .unwrap();
            }
        });
        let (moment, mut byte) = (Duration::from_millis(50), [0]);
        // The other end reads nothing, and its buffer is full by then.
        tokio::time::sleep(moment).await;
        let waits = tokio::time::timeout(moment, reader.recvmsg(&mut byte)).await;
        assert!(waits.is_err() && !answers.is_finished(), "{waits:?}");
        let mut all = vec![0; 4 << 20];
        theirs.read_exact(&mut all).await.unwrap();
        answers.await.unwrap();
        assert_eq!(reader.recvmsg(&mut byte).await.unwrap().0, 1);
    }
}
