//! The module's socket: root's alone, each connection one question. The peer is known from the
//! kernel before a byte of it is read, and nothing here looks into the account database, so that a
//! database that hangs holds up no answer.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use stint_proto::Uid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::greeting::{Greeted, Greeting};
use super::question::{self, LONGEST};
use crate::engine::{Engine, Peer};

/// Questions under way at once; more wait in the socket's queue, which is the kernel's.
const AT_ONCE: u16 = 4_096;
/// How long a peer may take to ask: somebody who parks their sudos takes no place from others.
const ASKING: Duration = Duration::from_secs(3);
/// How long a connection may last in all.
const LIMIT: Duration = Duration::from_secs(15);
/// How long a daemon that stops still answers what it has taken. Meanwhile others wait in the
/// queue, and the module waits for 3 s by default: so this is short, and an answer is shorter.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// More than `/proc/PID/status` ever has.
const STATUS_SIZE: usize = 8_192;

/// Serves the module until `stop`; then what was taken is still answered, and what was not waits
/// in the socket's queue for the next stintd, so that a restart denies nobody.
///
/// # Errors
/// When the socket itself fails; the daemon must not go on without it.
pub async fn serve_module(
    engine: Arc<Engine>,
    listener: UnixListener,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(usize::from(AT_ONCE)));
    let served = tokio::select! {
        result = take_all(engine, listener, &places) => result,
        () = stop => Ok(()),
    };
    let all_answered = places.acquire_many(u32::from(AT_ONCE));
    // Who has taken a place and asks nothing is not waited for.
    let _ = tokio::time::timeout(LAST_ANSWERS, all_answered).await;
    served
}

async fn take_all(
    engine: Arc<Engine>,
    listener: UnixListener,
    places: &Arc<Semaphore>,
) -> io::Result<()> {
    let guid: Arc<str> = zbus::Guid::generate().as_str().into();
    loop {
        let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // The peer left before its turn: the next may fare better.
            Err(error) if is_passing(&error) => continue,
            Err(error) => return Err(error),
        };
        let (engine, guid) = (Arc::clone(&engine), Arc::clone(&guid));
        tokio::spawn(async move {
            match tokio::time::timeout(LIMIT, serve(&engine, stream, &guid)).await {
                // A peer that leaves in the middle (Ctrl-C, a killed sudo) is no news.
                Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    eprintln!("stintd: a question of the module's was not answered: {error}");
                }
                Ok(_) | Err(_) => {}
            }
            drop(place);
        });
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

/// Answers what one peer asks.
async fn serve(engine: &Arc<Engine>, mut stream: UnixStream, guid: &str) -> io::Result<()> {
    let Some(peer) = attested(&stream)? else {
        return Err(question::garbage("the peer is not root's"));
    };
    let mut bytes = Vec::with_capacity(1_024);
    let mut out = Vec::new();
    let mut greeting = Greeting::default();
    let mut at = 0;
    let start = loop {
        match greeting.take(&bytes, &mut at, guid, &mut out) {
            Greeted::At(start) => break start,
            Greeted::Never => return Err(question::garbage("its greeting is refused")),
            Greeted::NotYet => {
                stream.write_all(&out).await?;
                out.clear();
                if !more(&mut stream, &mut bytes).await? {
                    return Ok(());
                }
            }
        }
    };
    bytes.drain(..start);
    loop {
        let complete = question::complete(&bytes)?;
        let answered = complete.is_some();
        if let Some(message) = complete.and_then(|length| bytes.get(..length)) {
            out.extend(question::answer(engine, peer, message).await?);
        }
        // The greeting's answer goes with the reply: one write, one waking of the module.
        if answered {
            return stream.write_all(&out).await;
        }
        if !more(&mut stream, &mut bytes).await? {
            return Ok(());
        }
    }
}

/// Reads what has arrived; `false` at the end.
async fn more(stream: &mut UnixStream, bytes: &mut Vec<u8>) -> io::Result<bool> {
    if bytes.len() > LONGEST {
        return Err(question::garbage("it is too long"));
    }
    match tokio::time::timeout(ASKING, stream.read_buf(bytes)).await {
        Ok(read) => Ok(read? > 0),
        Err(_) => Ok(false),
    }
}

/// What the kernel says of the peer; `None` if it is not root's (the socket's mode says so too).
fn attested(stream: &UnixStream) -> io::Result<Option<Peer>> {
    let credentials = stream.peer_cred()?;
    let (Some(pid), 0) = (credentials.pid(), credentials.uid()) else { return Ok(None) };
    if pid <= 0 {
        return Ok(None);
    }
    let mut status = [0; STATUS_SIZE];
    let length = File::open(format!("/proc/{pid}/status"))?.read(&mut status)?;
    let status = String::from_utf8_lossy(status.get(..length).unwrap_or_default());
    Ok(real_uid(&status).map(|real_uid| Peer { pid, real_uid }))
}

/// The real uid in the text of `/proc/PID/status` (proc(5)).
fn real_uid(status: &str) -> Option<Uid> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().next()?.parse().ok().map(Uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_uid_is_the_first_of_the_four() {
        assert_eq!(
            real_uid("Name:\tsudo\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n"),
            Some(Uid(1000))
        );
        assert_eq!(real_uid("Name:\tUid: 7\n"), None);
        assert_eq!(real_uid("Uid:\t-1\t0\t0\t0\n"), None);
        assert_eq!(real_uid(""), None);
    }

    #[tokio::test]
    async fn the_peer_is_this_process_when_it_is_root() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let peer = attested(&ours).unwrap();
        if nix::unistd::getuid().is_root() {
            let pid = i32::try_from(std::process::id()).unwrap();
            assert_eq!(peer, Some(Peer { pid, real_uid: Uid::ROOT }));
        } else {
            assert_eq!(peer, None);
        }
    }
}
