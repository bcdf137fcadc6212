//! What polkit shows to an approver. Text only.

use stint_proto::Request;

/// What an approver is shown when asked to prove who they are.
pub(super) fn decision(request: &Request) -> [(&'static str, String); 4] {
    [
        ("request", request.id.to_string()),
        ("user", request.user.to_string()),
        ("role", request.role.to_string()),
        ("duration", request.duration.to_string()),
    ]
}

/// The same, borrowed.
pub(super) fn pair<'a>(detail: &'a (&'static str, String)) -> (&'a str, &'a str) {
    (detail.0, &detail.1)
}
