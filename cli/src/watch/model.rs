//! What the board knows: values only. Reads no clock, no terminal and no bus.

use std::ops::Deref;

use stint_policy::text::harmless;
use stint_proto::{Grant, GrantState, Request, RequestState, Timestamp};

use crate::failure::Failure;
use crate::look::grants::Here;

/// A request or a grant, and the host whose it is; none where all is this host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Of<T> {
    /// The host.
    pub host: Option<String>,
    /// What is its.
    pub it: T,
}

impl<T> Of<T> {
    /// One of this host's.
    pub const fn here(it: T) -> Self {
        Self { host: None, it }
    }

    /// Its id, with the host's name before it where there are several hosts.
    pub fn named(&self, id: &impl std::fmt::Display) -> String {
        match &self.host {
            Some(host) => format!("{host}/{id}"),
            None => id.to_string(),
        }
    }

    /// What tells it from all others.
    fn key(&self, id: &str) -> Key {
        (self.host.clone(), id.to_owned())
    }
}

impl<T> Deref for Of<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.it
    }
}

/// A host and an id.
pub type Key = (Option<String>, String);

/// What the daemon, or the store of the fleet, said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The requests that are pending, in whatever order.
    pub requests: Vec<Of<Request>>,
    /// The grants that are held, in whatever order.
    pub grants: Vec<Of<Grant>>,
    /// What has to be known beside them; may be empty.
    pub note: String,
}

impl Snapshot {
    /// Of this host alone.
    pub fn here(requests: Vec<Request>, grants: Vec<Grant>) -> Self {
        let requests = requests.into_iter().map(Of::here).collect();
        Self { requests, grants: grants.into_iter().map(Of::here).collect(), note: String::new() }
    }
}

/// A word on what was shown, and on nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The request as it stood on the screen.
    pub shown: Box<Of<Request>>,
    /// The word.
    pub word: Word,
}

/// Yes or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Yes.
    Approve,
    /// No, and why.
    Deny(String),
}

/// Of what there is a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Of this host, as stintd says.
    Host,
    /// Of all hosts, as the store says.
    Fleet,
}

impl Scope {
    /// Who says what the board shows.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Host => "stintd",
            Self::Fleet => "the store",
        }
    }
}

/// The two parts of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The upper one.
    Requests,
    /// The lower one.
    Grants,
}

/// Which row is chosen: by id, so that it stays chosen while rows come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor<I> {
    id: Option<I>,
    at: usize,
}

impl<I: Clone + PartialEq> Cursor<I> {
    const fn new() -> Self {
        Self { id: None, at: 0 }
    }

    /// The place of the chosen row.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The rows are now these: the same id, or, if it is gone, whatever took its place.
    fn follow(&mut self, ids: &[I]) {
        let same = ids.iter().position(|id| Some(id) == self.id.as_ref());
        self.choose(ids, same.unwrap_or(self.at));
    }

    /// The row at `place`, or the last.
    fn choose(&mut self, ids: &[I], place: usize) {
        self.at = place.min(ids.len().saturating_sub(1));
        self.id = ids.get(self.at).cloned();
    }
}

/// What is asked about a request that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Nothing: it is only looked at.
    Nothing,
    /// Whether to approve it.
    Approve,
    /// Why it is denied: what has been typed so far.
    Deny(String),
}

/// What fills the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The two tables.
    Board,
    /// The keys.
    Help,
    /// One grant.
    Grant(Box<Of<Grant>>),
    /// One request as it was when it was opened; the list may have moved on since.
    Request(Box<Of<Request>>, Ask),
    /// What came of a decision, a line each.
    Said(Vec<String>),
}

/// What the loop has to do after an input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Draw.
    Nothing,
    /// Leave.
    Quit,
    /// Take this to the daemon, or to its host, and come back with what it said.
    Decide(Decision),
}

/// The whole state.
#[derive(Clone, Debug)]
pub struct Model {
    /// What the board is of, as its title says it, harmless.
    pub title: String,
    /// The same.
    pub scope: Scope,
    /// Now and here.
    pub here: Here,
    /// Columns and lines of the screen.
    pub size: (u16, u16),
    /// What was said last, if anything was.
    pub snapshot: Option<Snapshot>,
    /// When it said that.
    pub as_of: Timestamp,
    /// Why it cannot be asked now, in one harmless line.
    pub away: Option<String>,
    /// The part in which keys move.
    pub part: Part,
    /// The chosen request.
    pub request: Cursor<Key>,
    /// The chosen grant.
    pub grant: Cursor<Key>,
    /// What fills the screen.
    pub mode: Mode,
    /// The first line shown of what is longer than the screen.
    pub top: usize,
}

impl Model {
    /// A board that knows nothing yet.
    pub fn new(title: &str, scope: Scope, here: Here) -> Self {
        Self {
            title: harmless(title),
            scope,
            as_of: here.now,
            here,
            size: (80, 24),
            snapshot: None,
            away: None,
            part: Part::Requests,
            request: Cursor::new(),
            grant: Cursor::new(),
            mode: Mode::Board,
            top: 0,
        }
    }

    /// The pending requests, the oldest first.
    pub fn requests(&self) -> Vec<&Of<Request>> {
        let all = self.snapshot.iter().flat_map(|snapshot| &snapshot.requests);
        let mut rows: Vec<_> = all.filter(|row| row.state == RequestState::Pending).collect();
        rows.sort_by(|a, b| (a.created_at, &a.host, &a.id).cmp(&(b.created_at, &b.host, &b.id)));
        rows
    }

    /// The running grants, the first to end first.
    pub fn grants(&self) -> Vec<&Of<Grant>> {
        let all = self.snapshot.iter().flat_map(|snapshot| &snapshot.grants);
        let mut rows: Vec<_> = all.filter(|row| row.state == GrantState::Active).collect();
        rows.sort_by(|a, b| (a.expires_at, &a.host, &a.id).cmp(&(b.expires_at, &b.host, &b.id)));
        rows
    }

    /// The chosen request, if there is one.
    pub fn chosen_request(&self) -> Option<&Of<Request>> {
        self.requests().get(self.request.at).copied()
    }

    /// The chosen grant, if there is one.
    pub fn chosen_grant(&self) -> Option<&Of<Grant>> {
        self.grants().get(self.grant.at).copied()
    }

    /// Takes what is said now.
    pub fn take(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
        self.as_of = self.here.now;
        self.away = None;
        self.keep_chosen();
    }

    /// Takes what was answered to a decision, before the next snapshot is there.
    pub fn take_answer(&mut self, answer: &Result<Of<Request>, Failure>) {
        if let (Ok(request), Some(snapshot)) = (answer, &mut self.snapshot) {
            let same = |row: &&mut Of<Request>| row.host == request.host && row.id == request.id;
            for row in snapshot.requests.iter_mut().filter(same) {
                row.clone_from(request);
            }
            self.keep_chosen();
        }
    }

    fn keep_chosen(&mut self) {
        let (requests, grants) = (self.request_ids(), self.grant_ids());
        self.request.follow(&requests);
        self.grant.follow(&grants);
    }

    /// Moves to the row that `place` makes of the present one, in the present part.
    pub fn go(&mut self, place: impl Fn(usize) -> usize) {
        match self.part {
            Part::Requests => {
                let ids = self.request_ids();
                self.request.choose(&ids, place(self.request.at));
            }
            Part::Grants => {
                let ids = self.grant_ids();
                self.grant.choose(&ids, place(self.grant.at));
            }
        }
    }

    fn request_ids(&self) -> Vec<Key> {
        self.requests().iter().map(|row| row.key(row.id.as_str())).collect()
    }

    fn grant_ids(&self) -> Vec<Key> {
        self.grants().iter().map(|row| row.key(row.id.as_str())).collect()
    }
}
