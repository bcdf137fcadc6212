//! What an approver says yes to, as one hash: made by the host of what it keeps, and by the approver's own
//! tool of what it has shown.

use sha2::{Digest, Sha256};
use stint_proto::{GrantId, Request, Timestamp};

/// A hash over everything that an approver says yes to: SHA-256 over the JSON array of the fields, in 64
/// small hexadecimal digits. Of the request's own `digest`, of where it is in its life, and of who has
/// approved it, nothing is looked at.
#[must_use]
pub fn digest(request: &Request) -> String {
    // Times as JSON shows them: to the millisecond.
    let time = |time: Timestamp| time.to_string();
    let content = serde_json::json!([
        "stint request 2",
        request.id.as_str(),
        time(request.created_at),
        request.user.as_str(),
        request.uid.0,
        request.role.as_str(),
        request.duration.seconds(),
        request.starts_at.map(time),
        request.reason,
        request.ticket,
        request.extends.as_ref().map(GrantId::as_str),
        request.confers,
        request.approvals_needed,
        request.approvers,
    ]);
    let hash = Sha256::digest(content.to_string().as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use stint_proto::{Length, RequestState, Uid};

    use super::*;

    /// A request of alice for admin.
    pub(crate) fn sample() -> Request {
        Request {
            id: "7kq2".parse().unwrap(),
            user: "alice".parse().unwrap(),
            uid: Uid(1000),
            role: "admin".parse().unwrap(),
            state: RequestState::Pending,
            duration: Length::from_seconds(1_800).unwrap(),
            starts_at: Some("2026-11-25T13:00:00.123Z".parse().unwrap()),
            reason: "for a \"test\"".to_owned(),
            ticket: None,
            created_at: "2026-11-25T11:30:00.456Z".parse().unwrap(),
            lapses_at: "2026-11-25T13:00:00.123Z".parse().unwrap(),
            ended_at: None,
            approvals: Vec::new(),
            approvals_needed: 2,
            approvers: vec!["%leads".to_owned()],
            grant: None,
            extends: None,
            ended_by: None,
            note: None,
            confers: vec!["sudo (root) ALL".to_owned()],
            digest: String::new(),
        }
    }

    #[test]
    fn it_is_of_everything_that_an_approver_says_yes_to() {
        let shown = digest(&sample());
        let changes: [fn(&mut Request); 13] = [
            |r| r.id = "7kq3".parse().unwrap(),
            |r| r.created_at = Timestamp::from_micros(r.created_at.micros() + 1_000),
            |r| r.user = "bob".parse().unwrap(),
            |r| r.uid = Uid(1001),
            |r| r.role = "other".parse().unwrap(),
            |r| r.duration = Length::from_seconds(1_801).unwrap(),
            |r| r.starts_at = None,
            |r| r.reason.push('!'),
            |r| r.ticket = Some(String::new()),
            |r| r.extends = Some("g4t9".parse().unwrap()),
            |r| r.confers.push("group docker".to_owned()),
            |r| r.approvals_needed = 1,
            |r| r.approvers.push("bob".to_owned()),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut request = sample();
            change(&mut request);
            assert_ne!(digest(&request), shown, "{number}");
        }
    }

    #[test]
    fn what_json_does_not_show_and_what_an_approver_does_not_decide_on_is_not_in_it() {
        let mut request = sample();
        request.created_at = Timestamp::from_micros(request.created_at.micros() + 1);
        request.approvals.push("bob".parse().unwrap());
        request.digest = "something else".to_owned();
        request.state = RequestState::Approved;
        assert_eq!(digest(&request), digest(&sample()));
        // Held by whoever has another tool: it changes with its first word alone.
        assert_eq!(
            digest(&sample()),
            "c6449ba4f34d9ed1ccf776eae0f66af936e350e9a86acd180924f058e02bc55c"
        );
    }
}
