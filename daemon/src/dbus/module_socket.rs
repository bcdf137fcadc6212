//! The module's socket: root's alone, each connection one question. Who waits for what, and until
//! when, is in the thread of [`Door`]; here it is started and ended, and given its answers.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use super::asking::attest_senders;
use super::desk::Answers;
use super::door::{AT_ONCE, Door, LAST_ANSWERS, Whom};
use crate::engine::Engine;

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
    serve(engine, listener, Whom::root(), stop).await
}

/// Whether whoever serves this socket lives: somebody who comes and asks nothing is let go again.
/// Where nobody can come at all, nothing is known of that, and a new one would be no better.
pub async fn lets_go(socket: &Path, limit: Duration) -> bool {
    let coming = async {
        let mut stream = tokio::net::UnixStream::connect(socket).await?;
        stream.shutdown().await?;
        stream.read(&mut [0]).await
    };
    tokio::time::timeout(limit, coming).await.is_ok()
}

async fn serve(
    answers: impl Answers,
    listener: UnixListener,
    whom: Whom,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    attest_senders(&listener)?;
    let places = Arc::new(Semaphore::new(usize::from(AT_ONCE)));
    let (go_on, stopped) = UnixStream::pair()?;
    let (tell, mut ended) = oneshot::channel();
    let guid = zbus::Guid::generate().as_str().to_owned();
    let mut door = Door::new(answers, whom, Handle::current(), guid, Arc::clone(&places))?;
    std::thread::Builder::new()
        .name("door".to_owned())
        .spawn(move || tell.send(door.keep(&listener, &stopped)))?;
    tokio::select! {
        result = &mut ended => {
            return result.unwrap_or_else(|_| Err(io::Error::other("its thread ended")));
        }
        () = stop => drop(go_on),
    }
    let last_answers = async {
        // Errors say that there is nobody left to wait for.
        let _ = places.acquire_many(u32::from(AT_ONCE)).await;
        let _ = ended.await;
    };
    // Who has taken a place and asks nothing is not waited for.
    let _ = tokio::time::timeout(LAST_ANSWERS, last_answers).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use stint_proto::Uid;
    use stint_proto::body::to_message;
    use stint_wire::header::{Fields, METHOD_CALL};

    use super::super::desk::{Answer, Answering};
    use super::*;
    use crate::engine::Peer;

    /// Answers with the length of the message; the first one late, or held up as by the kernel until
    /// the other end is let go, or by a panic, where told so.
    #[derive(Clone, Default)]
    struct Lengths {
        slow: bool,
        held: Option<Arc<Mutex<Receiver<()>>>>,
        faulty: bool,
        /// A bug is found after the first answer.
        bad_end: bool,
        asked: Arc<AtomicUsize>,
        settled: Arc<AtomicUsize>,
        afterwards: Arc<AtomicUsize>,
    }

    impl Answers for Lengths {
        fn answer(&self, peer: Peer, message: &[u8]) -> Answering {
            assert_eq!(peer.pid.unsigned_abs(), std::process::id());
            self.asked.fetch_add(1, Ordering::SeqCst);
            let first = self.asked.load(Ordering::SeqCst) == 1;
            let held = self.held.clone().filter(|_| first || self.faulty);
            assert!(!(self.faulty && first && held.is_none()), "a bug");
            let (length, slow, faulty) = (message.len(), self.slow && first, self.faulty);
            let (aside, afterwards) = (held.is_some(), Arc::clone(&self.afterwards));
            let bad_end = self.bad_end && first;
            let answer = async move {
                if slow {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                if let Some(held) = held {
                    assert!(held.lock().unwrap().recv().is_err());
                    assert!(!(faulty && first), "a bug");
                }
                let count = move || {
                    afterwards.fetch_add(1, Ordering::SeqCst);
                    assert!(!bad_end, "a bug");
                };
                let ahead = count.clone();
                let reply = format!("<{length}>").into_bytes();
                Ok(Answer { reply, then: Some(Box::new(count)), ahead: Some(Box::new(ahead)) })
            };
            Answering { aside, answer: Box::pin(answer) }
        }

        fn settle(&self) {
            self.settled.store(self.asked.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    }

    fn by(held: Receiver<()>) -> Option<Arc<Mutex<Receiver<()>>>> {
        Some(Arc::new(Mutex::new(held)))
    }

    struct Stage {
        folder: tempfile::TempDir,
        answers: Lengths,
        stop: oneshot::Sender<()>,
        served: tokio::task::JoinHandle<io::Result<()>>,
    }

    impl Stage {
        fn new(answers: Lengths, patience: Duration) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(folder.path().join("sock")).unwrap();
            let (stop, stopped) = oneshot::channel();
            let owner = Uid(nix::unistd::geteuid().as_raw());
            let whom = Whom { owner, patience };
            let stopped = async move { drop(stopped.await) };
            let served = tokio::spawn(serve(answers.clone(), listener, whom, stopped));
            Self { folder, answers, stop, served }
        }

        fn connect(&self) -> UnixStream {
            UnixStream::connect(self.folder.path().join("sock")).unwrap()
        }

        async fn end(self) -> usize {
            self.stop.send(()).unwrap();
            self.served.await.unwrap().unwrap();
            self.answers.settled.load(Ordering::SeqCst)
        }
    }

    const GREETING: &[u8] = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n";

    fn call() -> Vec<u8> {
        let [path, interface, member] = ["/a", "a.b", "C"].map(Some);
        let fields = Fields { path, interface, member, ..Fields::default() };
        to_message(METHOD_CALL, 0, 1, &fields, &()).unwrap()
    }

    /// What comes until the connection ends.
    async fn all_of(mut stream: UnixStream) -> String {
        let reading = move || {
            let mut text = Vec::new();
            // A connection that is cut with something unread ends as a reset.
            let _ = stream.read_to_end(&mut text);
            String::from_utf8(text).unwrap()
        };
        tokio::task::spawn_blocking(reading).await.unwrap()
    }

    fn answer() -> String {
        format!("<{}>", call().len())
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn who_connects_and_asks_nothing_is_cut_off_and_others_are_served() {
        let stage = Stage::new(Lengths::default(), Duration::from_millis(200));
        let (silent, mut dribbling, mut half) = (stage.connect(), stage.connect(), stage.connect());
        half.write_all(GREETING).unwrap();
        let dribbler = std::thread::spawn(move || {
            let (_keep, tick) = channel::<()>();
            let line = b"\0AUTH EXTERNAL\r\n".iter().chain(b"DATA x".iter().cycle());
            let cut = line.take(250).find(|byte| {
                let _ = tick.recv_timeout(Duration::from_millis(20));
                dribbling.write_all(&[**byte]).is_err()
            });
            cut.is_some()
        });
        let mut asking = stage.connect();
        asking.write_all(&[GREETING, &call()].concat()).unwrap();
        assert!(all_of(asking).await.ends_with(&answer()), "nobody waits for who asks nothing");
        assert_eq!(all_of(silent).await, "");
        assert_eq!(all_of(half).await, "", "a greeting is no question");
        let cut = tokio::task::spawn_blocking(move || dribbler.join().unwrap()).await.unwrap();
        assert!(cut, "a byte now and then makes the time no longer");
        assert_eq!(stage.end().await, 1);
    }

    #[tokio::test]
    async fn an_answer_that_waits_holds_up_no_other() {
        holds_up_no_other(Lengths { slow: true, ..Lengths::default() }, None).await;
        let (hold, held) = channel();
        holds_up_no_other(Lengths { held: by(held), ..Lengths::default() }, Some(hold)).await;
    }

    async fn holds_up_no_other(lengths: Lengths, hold: Option<Sender<()>>) {
        let afterwards = Arc::clone(&lengths.afterwards);
        let stage = Stage::new(lengths, LONG);
        let (mut slow, mut quick) = (stage.connect(), stage.connect());
        slow.write_all(&[GREETING, &call()].concat()).unwrap();
        let slow = tokio::spawn(all_of(slow));
        while stage.answers.asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        quick.write_all(&[GREETING, &call()].concat()).unwrap();
        assert!(all_of(quick).await.ends_with(&answer()));
        assert!(!slow.is_finished());
        drop(hold);
        // A daemon that stops still answers what it has taken.
        assert_eq!(stage.end().await, 2);
        assert!(slow.await.unwrap().ends_with(&answer()));
        // What may be done ahead is done after that, or not at all.
        assert!(afterwards.load(Ordering::SeqCst) >= 2, "what is left to do is done");
    }

    #[tokio::test]
    async fn a_door_that_lives_is_told_from_one_that_hangs() {
        let stage = Stage::new(Lengths::default(), LONG);
        let socket = stage.folder.path().join("sock");
        assert!(lets_go(&socket, LONG).await);
        assert!(lets_go(&stage.folder.path().join("none"), LONG).await, "nothing is known");
        assert_eq!(stage.end().await, 0);
        let folder = tempfile::tempdir().unwrap();
        let hung = folder.path().join("sock");
        let _listener = UnixListener::bind(&hung).unwrap();
        assert!(!lets_go(&hung, Duration::from_millis(50)).await);
    }

    #[tokio::test]
    async fn a_bug_costs_one_answer_and_no_other() {
        let (_, held) = channel();
        for held in [None, by(held)] {
            let stage = Stage::new(Lengths { faulty: true, held, ..Lengths::default() }, LONG);
            for expected in [String::new(), answer()] {
                let mut asking = stage.connect();
                asking.write_all(&[GREETING, &call()].concat()).unwrap();
                let said = all_of(asking).await;
                let is_right = said.ends_with(&expected) && said.is_empty() == expected.is_empty();
                assert!(is_right, "{said}");
            }
            stage.end().await;
        }
    }

    #[tokio::test]
    async fn a_bug_after_an_answer_costs_nobody_theirs() {
        let stage = Stage::new(Lengths { bad_end: true, ..Lengths::default() }, LONG);
        for _ in 0..2 {
            let mut asking = stage.connect();
            asking.write_all(&[GREETING, &call()].concat()).unwrap();
            assert!(all_of(asking).await.ends_with(&answer()));
        }
        // Of the first the one, of the second the one and what is done ahead.
        let done = async {
            while stage.answers.afterwards.load(Ordering::SeqCst) < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(LONG, done).await.is_ok());
        stage.end().await;
    }

    #[tokio::test]
    async fn a_crowd_is_served_and_what_was_put_off_is_done_soon() {
        let stage = Stage::new(Lengths::default(), LONG);
        let crowd: Vec<UnixStream> = (0..100).map(|_| stage.connect()).collect();
        for mut stream in &crowd {
            for part in [GREETING, &call()].concat().chunks(40) {
                stream.write_all(part).unwrap();
            }
        }
        for stream in crowd {
            assert!(all_of(stream).await.ends_with(&answer()));
        }
        let settled = async {
            while stage.answers.settled.load(Ordering::SeqCst) < 100 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(LONG, settled).await.is_ok());
        stage.end().await;
    }
}
