//! What the board knows: values only. Reads no clock, no terminal and no bus.

use stint_policy::text::harmless;
use stint_proto::{ApproveOrder, DenyOrder, Grant, GrantId, GrantState, Request, RequestId};
use stint_proto::{RequestState, Timestamp};

use crate::failure::Failure;
use crate::look::grants::Here;

/// What the daemon said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The requests that are pending, in the daemon's order.
    pub requests: Vec<Request>,
    /// The grants that are held, in the daemon's order.
    pub grants: Vec<Grant>,
}

/// A verdict on what was shown, and on nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes, to the digest of the request as it stood on the screen.
    Approve(ApproveOrder),
    /// No.
    Deny(DenyOrder),
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
    Grant(Box<Grant>),
    /// One request as it was when it was opened; the list may have moved on since.
    Request(Box<Request>, Ask),
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
    /// Take this to the daemon and come back with what it said.
    Decide(Decision),
}

/// The whole state.
#[derive(Clone, Debug)]
pub struct Model {
    /// This host's name, harmless.
    pub host: String,
    /// Now and here.
    pub here: Here,
    /// Columns and lines of the screen.
    pub size: (u16, u16),
    /// What the daemon said last, if it has said anything.
    pub snapshot: Option<Snapshot>,
    /// When it said that.
    pub as_of: Timestamp,
    /// Why it cannot be asked now, in one harmless line.
    pub away: Option<String>,
    /// The part in which keys move.
    pub part: Part,
    /// The chosen request.
    pub request: Cursor<RequestId>,
    /// The chosen grant.
    pub grant: Cursor<GrantId>,
    /// What fills the screen.
    pub mode: Mode,
    /// The first line shown of what is longer than the screen.
    pub top: usize,
}

impl Model {
    /// A board that knows nothing yet.
    pub fn new(host: &str, here: Here) -> Self {
        Self {
            host: harmless(host),
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
    pub fn requests(&self) -> Vec<&Request> {
        let all = self.snapshot.iter().flat_map(|snapshot| &snapshot.requests);
        let mut rows: Vec<_> = all.filter(|row| row.state == RequestState::Pending).collect();
        rows.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        rows
    }

    /// The running grants, the first to end first.
    pub fn grants(&self) -> Vec<&Grant> {
        let all = self.snapshot.iter().flat_map(|snapshot| &snapshot.grants);
        let mut rows: Vec<_> = all.filter(|row| row.state == GrantState::Active).collect();
        rows.sort_by(|a, b| (a.expires_at, &a.id).cmp(&(b.expires_at, &b.id)));
        rows
    }

    /// The chosen request, if there is one.
    pub fn chosen_request(&self) -> Option<&Request> {
        self.requests().get(self.request.at).copied()
    }

    /// The chosen grant, if there is one.
    pub fn chosen_grant(&self) -> Option<&Grant> {
        self.grants().get(self.grant.at).copied()
    }

    /// Takes what the daemon says now.
    pub fn take(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
        self.as_of = self.here.now;
        self.away = None;
        self.keep_chosen();
    }

    /// Takes what the daemon answered to a decision, before the next snapshot is there.
    pub fn take_answer(&mut self, answer: &Result<Request, Failure>) {
        if let (Ok(request), Some(snapshot)) = (answer, &mut self.snapshot) {
            for row in snapshot.requests.iter_mut().filter(|row| row.id == request.id) {
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

    fn request_ids(&self) -> Vec<RequestId> {
        self.requests().iter().map(|row| row.id.clone()).collect()
    }

    fn grant_ids(&self) -> Vec<GrantId> {
        self.grants().iter().map(|row| row.id.clone()).collect()
    }
}
