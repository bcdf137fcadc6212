//! What this host says, in the store, came of documents. Nobody believes it for lying there; it is for
//! whoever put a document there and waits. That it cannot be written holds up nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use etcd_client::{Client, Error, PutOptions, Txn, TxnOp};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use stint_proto::{Timestamp, fleet};
use tokio::sync::Notify;

use super::day::DayLease;
use super::order::Span;
use super::pages::Pages;
use super::{Level, is_lost, within, words};
use crate::follow::Outcome;
use crate::{chance, clock};

/// The most answers that wait to be written; of more the oldest are given up.
const WAITING: usize = 1_024;
/// The most that are written at once; etcd takes 128 in one step.
const BATCH: usize = 64;
/// The most documents of which is remembered that they were answered.
const REMEMBERED: usize = 20_000;
/// The most characters of a message.
const MESSAGE: usize = 1_024;

/// What is for all hosts is answered by all of them: within this time, by chance, so that the store is done
/// with telling them before it is told by them.
pub(super) const SPREAD: Duration = Duration::from_secs(5);

/// The first 64 bits of a document's SHA-256, which stand for it in keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Short(u64);

impl Short {
    pub(super) fn of(document: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(document).into();
        let (first, _) = digest.split_at(8);
        Self(first.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)))
    }

    /// [`fleet::DIGEST_DIGITS`] digits.
    fn digits(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// An answer that waits to be written.
#[derive(Clone, Debug)]
struct Answer {
    key: String,
    value: String,
}

/// Since the boot, when an answer is to be written; and a number, so that no two have one turn.
type Turn = (Duration, u64);

#[derive(Default)]
struct State {
    waiting: BTreeMap<Turn, Answer>,
    /// How many have waited so far.
    count: u64,
    answered: BTreeSet<Short>,
    /// On what answers are put: a day is long enough for who waits.
    lease: DayLease,
    trouble: Option<String>,
}

/// What is to be said, and what was.
#[derive(Default)]
pub(super) struct Answers {
    /// Within which time a document for all hosts is answered.
    spread: Duration,
    state: RefCell<State>,
    more: Notify,
}

impl Answers {
    /// Nothing is to be said yet. What is for all hosts is answered within `spread`, by chance.
    pub(super) fn within(spread: Duration) -> Self {
        Self { spread, ..Self::default() }
    }

    /// Says what came of a document, unless that it is known already would be said to somebody who was
    /// told. `news` says that it is another thing than the last time.
    pub(super) fn say(
        &self,
        host: &str,
        document_key: &str,
        document: Short,
        outcome: &Outcome,
        news: bool,
    ) {
        let mut state = self.state.borrow_mut();
        if state.answered.contains(&document) && !news {
            return;
        }
        if state.answered.len() >= REMEMBERED {
            state.answered.clear();
        }
        state.answered.insert(document);
        if state.waiting.len() >= WAITING {
            state.waiting.pop_first();
        }
        let key = fleet::answer(host, &document.digits());
        let value = value(document_key, outcome, clock::now());
        let turn = clock::since_boot() + self.pause(document_key, chance());
        state.count += 1;
        let number = state.count;
        state.waiting.insert((turn, number), Answer { key, value });
        self.more.notify_one();
    }

    /// How long an answer to what lies there waits. `chance` is any number, all of them alike likely.
    fn pause(&self, document_key: &str, chance: u32) -> Duration {
        if !document_key.starts_with(fleet::FLEET) {
            return Duration::ZERO;
        }
        self.spread.mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }

    /// The answers whose turn it is, as many as are written at once; where there are none, how long it
    /// is to the next turn, if there is one.
    fn due(&self, now: Duration) -> Result<Vec<(Turn, Answer)>, Option<Duration>> {
        let state = self.state.borrow();
        let next = state.waiting.keys().next().map(|(turn, _)| turn.saturating_sub(now));
        match next {
            Some(Duration::ZERO) => {
                let due = state.waiting.range(..=(now, u64::MAX)).take(BATCH);
                Ok(due.map(|(turn, answer)| (*turn, answer.clone())).collect())
            }
            later => Err(later),
        }
    }

    /// Learns what was answered already, by another run of this program.
    ///
    /// # Errors
    /// When the store does not say.
    pub(super) async fn learn(&self, client: &Client, host: &str) -> Result<(), Error> {
        let prefix = fleet::answer(host, "");
        let mut keys = Pages::keys(client, Span::below(&prefix));
        let mut seen = 0;
        while let Some(page) = keys.next().await? {
            let digits = page.iter().filter_map(|entry| entry.key.strip_prefix(prefix.as_bytes()));
            let shorts = digits.filter_map(|digits| {
                let digits = str::from_utf8(digits).ok()?;
                u64::from_str_radix(digits, 16).ok().map(Short)
            });
            self.state.borrow_mut().answered.extend(shorts);
            seen += page.len();
            if seen > REMEMBERED {
                break;
            }
        }
        Ok(())
    }

    /// Waits until nothing waits any more to be written.
    pub(super) async fn written(&self) {
        while !self.state.borrow().waiting.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Writes what waits, until the connection is lost; says why it was.
    pub(super) async fn write(&self, client: &Client, say: &impl Fn(Level, &str)) -> String {
        loop {
            let (turns, batch): (Vec<Turn>, Vec<Answer>) = match self.due(clock::since_boot()) {
                Ok(due) => due.into_iter().unzip(),
                Err(later) => {
                    let more = self.more.notified();
                    match later {
                        None => more.await,
                        // Another's turn may be earlier.
                        Some(later) => drop(tokio::time::timeout(later, more).await),
                    }
                    continue;
                }
            };
            let done = self.put(client, batch).await;
            if let Err(error) = &done {
                // A lease that is gone is another one's turn.
                self.state.borrow_mut().lease.forget();
                if is_lost(error) {
                    return words(error);
                }
            }
            let mut state = self.state.borrow_mut();
            for turn in turns {
                state.waiting.remove(&turn);
            }
            let trouble = done.err().map(|error| words(&error));
            if trouble.is_some() && trouble != state.trouble {
                let why = trouble.as_deref().unwrap_or_default();
                say(Level::Warning, &format!("what came of documents cannot be told: {why}"));
            }
            state.trouble = trouble;
        }
    }

    async fn put(&self, client: &Client, batch: Vec<Answer>) -> Result<(), Error> {
        let mut lease = std::mem::take(&mut self.state.borrow_mut().lease);
        let id = lease.id(client).await;
        self.state.borrow_mut().lease = lease;
        let id = id?;
        let put = |answer: Answer| {
            TxnOp::put(answer.key, answer.value, Some(PutOptions::new().with_lease(id)))
        };
        let mut latest: Vec<Answer> = Vec::new();
        for answer in batch {
            // One step may write each key once.
            latest.retain(|other| other.key != answer.key);
            latest.push(answer);
        }
        let steps: Vec<TxnOp> = latest.into_iter().map(put).collect();
        within(client.kv_client().txn(Txn::new().and_then(steps))).await.map(|_| ())
    }
}

fn value(key: &str, outcome: &Outcome, at: Timestamp) -> String {
    let (word, message) = match outcome {
        Outcome::Taken(words) => ("taken", words.as_str()),
        Outcome::Known => ("known", ""),
        Outcome::Refused(why) => ("refused", why.as_str()),
        Outcome::Failed(why) | Outcome::Away(why) => ("failed", why.as_str()),
    };
    let message: String = message.chars().take(MESSAGE).collect();
    json!({ "key": key, "outcome": word, "message": message, "at": at.to_string() }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_said_once_and_again_when_it_is_another() {
        let answers = Answers::default();
        let short = Short::of(b"document");
        assert_eq!(short.digits().len(), fleet::DIGEST_DIGITS);
        let refused = Outcome::Refused("it is signed by nobody".to_owned());
        answers.say("web-1", "/stint/1/fleet/policy/web", short, &refused, true);
        answers.say("web-1", "/stint/1/fleet/policy/web", short, &refused, false);
        answers.say("web-1", "/stint/1/fleet/policy/web", short, &Outcome::Known, false);
        assert_eq!(answers.state.borrow().waiting.len(), 1);
        let answer = answers.state.borrow().waiting.values().next().cloned().unwrap();
        // What `printf document | sha256sum` begins with.
        assert_eq!(answer.key, "/stint/1/out/web-1/answers/43cc23fa52b87b4c");
        assert!(answer.value.contains("\"outcome\":\"refused\""), "{}", answer.value);
        answers.say("web-1", "x", short, &Outcome::Taken("serial 1".to_owned()), true);
        assert_eq!(answers.state.borrow().waiting.len(), 2);
    }

    #[test]
    fn what_is_for_all_is_answered_by_chance_and_what_is_for_one_at_once() {
        let answers = Answers::within(SPREAD);
        let all = "/stint/1/fleet/revocations/bob";
        assert_eq!(answers.pause(all, 0), Duration::ZERO);
        assert_eq!(answers.pause(all, u32::MAX), SPREAD);
        assert_eq!(answers.pause("/stint/1/in/web-1/grants/bob", u32::MAX), Duration::ZERO);
        let later = Duration::from_secs(60);
        let all = Answers::within(later * 1_000_000);
        all.say("web-1", "/stint/1/fleet/grants/x", Short(1), &Outcome::Known, true);
        let now = clock::since_boot();
        assert!(matches!(all.due(now), Err(Some(_))), "by chance not within the first minute");
        all.say("web-1", "/stint/1/in/web-1/grants/x", Short(2), &Outcome::Known, true);
        assert_eq!(all.due(now + later).unwrap().len(), 1, "it does not wait for the other");
        assert!(matches!(Answers::default().due(now), Err(None)));
    }

    #[test]
    fn what_waits_and_what_is_remembered_have_an_end() {
        let answers = Answers::default();
        for number in 0..30_000_u32 {
            answers.say("h", "k", Short::of(&number.to_be_bytes()), &Outcome::Known, false);
        }
        assert_eq!(answers.state.borrow().waiting.len(), WAITING);
        assert!(answers.state.borrow().answered.len() <= REMEMBERED);
    }

    #[test]
    fn a_message_is_cut() {
        let why = "é".repeat(5_000);
        assert!(value("k", &Outcome::Failed(why), Timestamp::from_micros(0)).len() < 3_000);
    }
}
