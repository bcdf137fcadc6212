//! What the daemon says, as soon as something has changed: a thread of its own that asks, and keeps
//! asking when nobody answers.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use stint_proto::{Grant, ListFilter, Request};

use super::model::Snapshot;
use super::update::Input;
use crate::bus;
use crate::failure::Failure;

/// How long one question waits for a change, in seconds: less than the bus client does.
const WAIT: u64 = 45;
/// The shortest time between two looks: a flood of changes is looked at in one.
const BREATH: Duration = Duration::from_millis(200);
/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// Where news comes from.
pub trait Source {
    /// The present serial, as soon as it differs from `known`, or after so many seconds.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    fn follow(&mut self, known: u64, seconds: u64) -> Result<u64, Failure>;

    /// How things stand.
    ///
    /// # Errors
    /// When the daemon cannot be asked.
    fn look(&mut self) -> Result<Snapshot, Failure>;
}

/// The daemon, over the bus; each question has a connection of its own.
pub struct Daemon;

impl Source for Daemon {
    fn follow(&mut self, known: u64, seconds: u64) -> Result<u64, Failure> {
        bus::call("Follow", &(known, seconds))
    }

    fn look(&mut self) -> Result<Snapshot, Failure> {
        let requests: Vec<Request> = bus::call("Pending", &())?;
        let grants: Vec<Grant> = bus::call("List", &ListFilter::default())?;
        Ok(Snapshot::here(requests, grants))
    }
}

/// Sends news until nobody takes it any more, or the other end of `stop` is gone.
pub fn run(mut source: impl Source, news: &Sender<Input>, stop: &Receiver<()>) {
    let mut known = None;
    loop {
        let (input, pause) = match turn(&mut source, &mut known) {
            Ok(snapshot) => (snapshot.map(Input::News), BREATH),
            Err(failure) => (Some(Input::Away(failure.message)), AGAIN),
        };
        if input.is_some_and(|input| news.send(input).is_err()) {
            return;
        }
        if stop.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// One look. After a failure nothing is known any more: the daemon may be another one, which counts
/// from the beginning. The serial is taken before the look, so that no change falls in between.
fn turn(source: &mut impl Source, known: &mut Option<u64>) -> Result<Option<Snapshot>, Failure> {
    let serial = match known.take() {
        None => source.follow(0, 0)?,
        Some(before) => {
            let serial = source.follow(before, WAIT)?;
            if serial == before {
                *known = Some(serial);
                return Ok(None);
            }
            serial
        }
    };
    let snapshot = source.look()?;
    *known = Some(serial);
    Ok(Some(snapshot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Answers as it was told to, and remembers what it was asked.
    struct Scripted {
        serials: VecDeque<Result<u64, Failure>>,
        looks: VecDeque<Result<Snapshot, Failure>>,
        asked: Vec<(u64, u64)>,
    }

    impl Source for Scripted {
        fn follow(&mut self, known: u64, seconds: u64) -> Result<u64, Failure> {
            self.asked.push((known, seconds));
            self.serials.pop_front().unwrap()
        }

        fn look(&mut self) -> Result<Snapshot, Failure> {
            self.looks.pop_front().unwrap()
        }
    }

    fn empty() -> Snapshot {
        Snapshot::here(Vec::new(), Vec::new())
    }

    #[test]
    fn looks_only_when_something_changed_and_anew_after_a_failure() {
        let away = || Failure::failed("away");
        let mut source = Scripted {
            serials: [Ok(7), Ok(7), Ok(8), Err(away()), Ok(8), Ok(8)].into(),
            looks: [Ok(empty()), Ok(empty()), Err(away()), Ok(empty())].into(),
            asked: Vec::new(),
        };
        let mut known = None;
        let mut turn = || turn(&mut source, &mut known);
        assert_eq!(turn(), Ok(Some(empty())), "the first");
        assert_eq!(turn(), Ok(None), "nothing changed");
        assert_eq!(turn(), Ok(Some(empty())), "a change");
        assert_eq!(turn(), Err(away()), "gone");
        assert_eq!(turn(), Err(away()), "back, and gone again before the look");
        assert_eq!(turn(), Ok(Some(empty())), "the same serial, and yet a look");
        let asked = [(0, 0), (7, WAIT), (7, WAIT), (8, WAIT), (0, 0), (0, 0)];
        assert_eq!(source.asked, asked);
    }

    #[test]
    fn ends_when_the_board_does() {
        let mut source =
            Scripted { serials: VecDeque::new(), looks: VecDeque::new(), asked: Vec::new() };
        source.serials.push_back(Ok(1));
        source.looks.push_back(Ok(empty()));
        let (news, heard) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel();
        drop(stop);
        run(source, &news, &stopped);
        assert!(matches!(heard.try_recv(), Ok(Input::News(_))));
    }
}
