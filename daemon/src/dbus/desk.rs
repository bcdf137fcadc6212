//! How a question of the module's comes to its answer: at once, or aside where the kernel may hold
//! it up, or in the runtime where it has to wait. What need not come before an answer comes after it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::asking::Asking;
use super::question;
use crate::engine::{Ahead, Engine, Peer, Then};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(15);
/// How long the state waits to be told what was answered: the waking of the thread that writes it
/// is not for the person who waits at the door. With the batch's 50 ms it is below 100.
pub(super) const LATER: Duration = Duration::from_millis(20);
/// How much may wait aside that nobody waits for: it stands before what somebody waits for.
const MOST_AHEAD: usize = 64;

/// An answer.
#[derive(Default)]
pub(super) struct Answer {
    /// The message; empty where nobody waits for one.
    pub(super) reply: Vec<u8>,
    /// What is left to do once it is sent.
    pub(super) then: Option<Then>,
    /// What may be done then.
    pub(super) ahead: Option<Ahead>,
}

impl From<Vec<u8>> for Answer {
    fn from(reply: Vec<u8>) -> Self {
        Self { reply, ..Self::default() }
    }
}

/// An answer that may have to wait.
pub(super) struct Answering {
    /// Whether the kernel may hold up even its beginning.
    pub(super) aside: bool,
    /// It.
    pub(super) answer: Pin<Box<dyn Future<Output = io::Result<Answer>> + Send>>,
}

/// Who answers.
pub(super) trait Answers: Clone + Send + 'static {
    /// The answer to one complete message.
    fn answer(&self, peer: Peer, message: &[u8]) -> Answering;

    /// Does what the answers so far have put off.
    fn settle(&self);
}

impl Answers for Arc<Engine> {
    fn answer(&self, peer: Peer, message: &[u8]) -> Answering {
        let engine = Self::clone(self);
        let call = match question::read(message) {
            Ok(call) => call,
            Err(garbage) => {
                let answer = Box::pin(std::future::ready(Err(garbage)));
                return Answering { aside: false, answer };
            }
        };
        let entrance = if call.opens_session() { engine.take_entrance(peer) } else { None };
        let aside = call.is_of_a_place() && entrance.is_none();
        let answer =
            Box::pin(async move { question::answer(&engine, peer, &call, entrance).await });
        Answering { aside, answer }
    }

    fn settle(&self) {
        self.hand_over();
    }
}

/// Who has asked, and waits.
pub(super) struct Asked {
    /// The connection.
    pub(super) asking: Asking,
    /// One of those that there are at once, kept until the answer is sent and what is left to do is
    /// done: a daemon that stops waits for that, so all is recorded.
    pub(super) permit: OwnedSemaphorePermit,
}

/// What is done aside, one after the other.
enum Work<A> {
    Answer(Desk<A>, Asked, Answering),
    Ahead(Ahead),
}

/// Where answers are sent from, by whichever thread.
#[derive(Clone)]
pub(super) struct Desk<A> {
    answers: A,
    runtime: Handle,
    aside: Sender<Work<A>>,
    aheads: Arc<AtomicUsize>,
}

impl<A: Answers> Desk<A> {
    /// Sends what these answer; what has to wait does so in this runtime. What the kernel may hold
    /// up is done by a thread of its own, which ends with the last of those who give it work.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn new(answers: A, runtime: Handle) -> io::Result<Self> {
        let (aside, work) = channel();
        let (there, aheads) = (answers.clone(), Arc::default());
        let waiting = Arc::clone(&aheads);
        std::thread::Builder::new()
            .name("aside".to_owned())
            .spawn(move || serve(&there, &work, &waiting))?;
        Ok(Self { answers, runtime, aside, aheads })
    }

    /// Who answers.
    pub(super) fn answers(&self) -> &A {
        &self.answers
    }

    /// Sends the answer: now if it is there now, else once it is.
    pub(super) fn send(&self, asked: Asked, answering: Answering) {
        if answering.aside {
            self.give(Work::Answer(self.clone(), asked, answering));
        } else {
            self.send_here(asked, answering);
        }
    }

    fn give(&self, work: Work<A>) {
        // No bug in it ends the thread, and this is one of those who keep it.
        self.aside.send(work).ok();
    }

    fn send_here(&self, asked: Asked, mut answering: Answering) {
        let _timers_and_threads = self.runtime.enter();
        match answering.answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => self.finish(asked, answer),
            Poll::Pending => {
                let desk = self.clone();
                drop(self.runtime.spawn(async move {
                    if let Ok(answer) = tokio::time::timeout(LIMIT, answering.answer).await {
                        desk.finish(asked, answer);
                    }
                    desk.answers.settle();
                }));
            }
        }
    }

    fn finish(&self, asked: Asked, answer: io::Result<Answer>) {
        let Asked { asking, permit } = asked;
        match answer {
            Ok(Answer { reply, then, ahead }) => {
                if !reply.is_empty()
                    && let Err(error) = asking.reply(&reply)
                {
                    complain(&error);
                }
                if let Some(then) = then {
                    then();
                }
                if let Some(ahead) = ahead
                    && self.aheads.load(Ordering::Relaxed) < MOST_AHEAD
                {
                    self.aheads.fetch_add(1, Ordering::Relaxed);
                    self.give(Work::Ahead(ahead));
                }
            }
            Err(error) => complain(&error),
        }
        drop(permit);
    }
}

fn serve<A: Answers>(answers: &A, work: &Receiver<Work<A>>, aheads: &AtomicUsize) {
    while let Ok(first) = work.recv() {
        let mut next = Some(first);
        while let Some(now) = next {
            guarded(|| match now {
                Work::Answer(desk, asked, answering) => desk.send_here(asked, answering),
                Work::Ahead(ahead) => {
                    aheads.fetch_sub(1, Ordering::Relaxed);
                    ahead();
                }
            });
            next = work.recv_timeout(LATER).ok();
        }
        guarded(|| answers.settle());
    }
}

/// Does what may find a bug, which costs one person their answer, and nobody else theirs.
pub(super) fn guarded(work: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
        // Dropping what a panic carries could panic again.
        std::mem::forget(payload);
        eprintln!("stintd: a question of the module's has found a bug");
    }
}

/// Says what of a question was wrong.
pub(super) fn complain(error: &io::Error) {
    // A peer that leaves in the middle (Ctrl-C, a killed sudo) is no news.
    if error.kind() == io::ErrorKind::InvalidData {
        eprintln!("stintd: a question of the module's was not answered: {error}");
    }
}
