//! The module's socket: root's alone, each connection one question. The peer is known from the
//! kernel before a byte of it is read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use stint_proto::{OBJECT_PATH, Uid};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use zbus::connection::Builder;

use super::interface::{Door, Interface};
use crate::engine::{Engine, Peer};

/// Questions under way at once; more wait in the socket's queue, which is the kernel's.
const AT_ONCE: usize = 512;
/// How long a connection may last: the longest timeout that the module takes, and a little.
const LIMIT: Duration = Duration::from_secs(65);

/// Serves the module for as long as the daemon runs.
///
/// # Errors
/// When the socket itself fails; the daemon must not go on without it.
pub async fn serve_module(engine: Arc<Engine>, listener: UnixListener) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let guid = zbus::Guid::generate();
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // The peer left before its turn, or descriptors are short: the next may fare better.
            Err(error) if is_passing(&error) => continue,
            Err(error) => return Err(error),
        };
        let engine = Arc::clone(&engine);
        let guid = guid.to_owned();
        tokio::spawn(async move {
            let served = tokio::time::timeout(LIMIT, serve(engine, stream, guid)).await;
            if let Ok(Err(error)) = served {
                eprintln!("stintd: a question of the module's was not answered: {error}");
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

async fn serve(
    engine: Arc<Engine>,
    stream: UnixStream,
    guid: zbus::Guid<'static>,
) -> zbus::Result<()> {
    let Some(peer) = attested(&stream)? else {
        return Err(zbus::Error::Failure("the peer is not root's".to_owned()));
    };
    let connection = Builder::unix_stream(stream.into_std()?)
        .server(guid)
        .p2p()
        .serve_at(OBJECT_PATH, Interface::new(engine, Door::Module(peer)))
        .build()
        .await?;
    connection.closed().await;
    Ok(())
}

/// What the kernel says of the peer; `None` if it is not root's (the socket's mode says so too).
fn attested(stream: &UnixStream) -> io::Result<Option<Peer>> {
    let credentials = stream.peer_cred()?;
    let (Some(pid), 0) = (credentials.pid(), credentials.uid()) else { return Ok(None) };
    if pid <= 0 {
        return Ok(None);
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
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
