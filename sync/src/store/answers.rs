//! What this host says, in the store, came of documents. Nobody believes it for lying there; it is for
//! whoever put a document there and waits. That it cannot be written holds up nothing.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
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
use crate::clock;
use crate::follow::Outcome;

/// The most answers that wait to be written; of more the oldest are given up.
const WAITING: usize = 1_024;
/// The most that are written at once; etcd takes 128 in one step.
const BATCH: usize = 64;
/// The most documents of which is remembered that they were answered.
const REMEMBERED: usize = 20_000;
/// The most characters of a message.
const MESSAGE: usize = 1_024;

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

#[derive(Default)]
struct State {
    waiting: VecDeque<Answer>,
    answered: BTreeSet<Short>,
    /// On what answers are put: a day is long enough for who waits.
    lease: DayLease,
    trouble: Option<String>,
}

/// What is to be said, and what was.
#[derive(Default)]
pub(super) struct Answers {
    state: RefCell<State>,
    more: Notify,
}

impl Answers {
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
            state.waiting.pop_front();
        }
        let key = fleet::answer(host, &document.digits());
        let value = value(document_key, outcome, clock::now());
        state.waiting.push_back(Answer { key, value });
        self.more.notify_one();
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
            let batch: Vec<Answer> =
                self.state.borrow().waiting.iter().take(BATCH).cloned().collect();
            if batch.is_empty() {
                self.more.notified().await;
                continue;
            }
            let many = batch.len();
            let done = self.put(client, batch).await;
            if let Err(error) = &done {
                // A lease that is gone is another one's turn.
                self.state.borrow_mut().lease.forget();
                if is_lost(error) {
                    return words(error);
                }
            }
            let mut state = self.state.borrow_mut();
            let left = state.waiting.len().min(many);
            state.waiting.drain(..left);
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
        let answer = answers.state.borrow().waiting[0].clone();
        // What `printf document | sha256sum` begins with.
        assert_eq!(answer.key, "/stint/1/out/web-1/answers/43cc23fa52b87b4c");
        assert!(answer.value.contains("\"outcome\":\"refused\""), "{}", answer.value);
        answers.say("web-1", "x", short, &Outcome::Taken("serial 1".to_owned()), true);
        assert_eq!(answers.state.borrow().waiting.len(), 2);
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
