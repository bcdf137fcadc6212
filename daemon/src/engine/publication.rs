//! What this host has published in the store of a fleet: what stint-sync is handed, within bounds.
//! Who may read the store reads it; so it is nothing at all until the policy says so.

use stint_policy::Policy;
use stint_proto::{Grant, Publication, Request, Timestamp};

use super::{Engine, Refusal};
use crate::domain::request;

/// The most of each that are published.
const REQUESTS: usize = 1_000;
const GRANTS: usize = 4_000;
const ENDED: usize = 1_000;
/// The most bytes of text in one of them.
const LONGEST: usize = 32 * 1024;
/// The most bytes of text in all of them: a message of the bus holds more.
const ROOM: usize = 8 * 1024 * 1024;
/// What one of them has beside the texts that differ in length.
const BESIDE: usize = 512;
/// For how long a request that ended is published, in microseconds: a day.
const KEPT: i64 = 86_400_000_000;

/// How much room is left, and how many found none.
struct Room {
    bytes: usize,
    left_out: u32,
}

impl Room {
    /// Those of the list that are short enough, as many as there may be and as there is room for.
    fn fill<T>(&mut self, all: Vec<T>, most: usize, size: fn(&T) -> usize) -> Vec<T> {
        let mut kept = Vec::new();
        for one in all {
            let size = size(&one);
            if size <= LONGEST && size <= self.bytes && kept.len() < most {
                self.bytes -= size;
                kept.push(one);
            } else {
                self.left_out = self.left_out.saturating_add(1);
            }
        }
        kept
    }
}

impl Engine {
    /// What this host publishes, as it is now.
    ///
    /// # Errors
    /// [`Refusal`] when the state cannot be read.
    pub async fn publication(&self) -> Result<Publication, Refusal> {
        // Before anything is looked at: what changes meanwhile is another version.
        let version = *self.serial.borrow();
        let policy = self.policy();
        let publish = policy.remote.as_ref().is_some_and(|remote| remote.publish);
        let mut room = Room { bytes: ROOM, left_out: 0 };
        let (requests, grants, ended) = if publish {
            let requests = room.fill(self.asked(), REQUESTS, size_of_request);
            let grants = room.fill(self.given(&policy), GRANTS, size_of_grant);
            let since = self.now().wall.micros().saturating_sub(KEPT);
            let since = Timestamp::from_micros(since);
            let ended = self.store.requests_ended_since(since, ENDED).await?;
            let ended: Vec<Request> = ended.iter().map(request::Request::shown).collect();
            (requests, grants, room.fill(ended, ENDED, size_of_request))
        } else {
            (Vec::new(), Vec::new(), Vec::new())
        };
        Ok(Publication {
            version,
            host: self.host.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.started.wall,
            serial: self.signed_serial(),
            publish,
            requests,
            grants,
            ended,
            left_out: room.left_out,
        })
    }

    fn asked(&self) -> Vec<Request> {
        let mut asked: Vec<Request> = {
            let state = self.state();
            state.pending.iter().map(request::Request::shown).collect()
        };
        asked.sort_by_key(|request| request.created_at);
        asked
    }

    fn given(&self, policy: &Policy) -> Vec<Grant> {
        let now = self.now();
        let mut given: Vec<Grant> = {
            let state = self.state();
            let running = state.index.iter().filter(|grant| !grant.is_due(now));
            running.map(|grant| self.shown(policy, grant)).collect()
        };
        self.mark_withdrawn(&mut given);
        given.sort_by_key(|grant| grant.starts_at);
        given
    }
}

fn length<T: AsRef<str>>(texts: &[T]) -> usize {
    texts.iter().map(|text| text.as_ref().len() + 4).sum()
}

fn size_of_request(request: &Request) -> usize {
    let Request { reason, ticket, note, approvers, confers, .. } = request;
    let alone = [Some(reason), ticket.as_ref(), note.as_ref()];
    let alone: usize = alone.into_iter().flatten().map(String::len).sum();
    BESIDE + alone + length(approvers) + length(confers)
}

fn size_of_grant(grant: &Grant) -> usize {
    let Grant { reason, ticket, granted_by, services, groups, polkit, without, .. } = grant;
    let alone = reason.len() + granted_by.len() + ticket.as_ref().map_or(0, String::len);
    let named = services.iter().map(|name| name.as_str().len() + 4).sum::<usize>()
        + groups.iter().map(|name| name.as_str().len() + 4).sum::<usize>();
    BESIDE + alone + named + length(polkit) + length(without)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_too_much_is_left_out_and_counted() {
        let mut room = Room { bytes: 3 * LONGEST, left_out: 0 };
        let size = |text: &String| text.len();
        let texts = [LONGEST + 1, LONGEST, 10, LONGEST, LONGEST, 20, 30];
        let texts = texts.map(|length| "x".repeat(length)).to_vec();
        let kept: Vec<usize> = room.fill(texts, 4, size).iter().map(String::len).collect();
        assert_eq!(kept, [LONGEST, 10, LONGEST, 20], "one is too long, one finds no room");
        assert_eq!(room.left_out, 3);
        assert!(room.fill(vec!["x".repeat(LONGEST)], 9, size).is_empty());
    }
}
