//! What a request for a role has to have, in words, each with its line of the policy.

use crate::order::list;
use crate::request::approvals;
use crate::{Position, Role, text};

/// One thing that a request needs: `one approval, from %leads`.
pub(crate) struct Need<'a> {
    pub(crate) text: String,
    pub(crate) at: &'a Position,
}

/// Everything that a request needs; nothing if the role is given on the mere word. That nobody may
/// approve of it is no need, but stands against it.
pub(crate) fn needs(role: &Role) -> Vec<Need<'_>> {
    let mut needs = Vec::new();
    let mut add = |key: &str, text: String| needs.push(Need { text, at: role.place(key) });
    let count = role.approvals_needed();
    if count > 0 && !role.approvers.is_empty() {
        add("approvals", format!("{}, from {}", approvals(count), list(&role.approvers)));
    }
    match (role.reason.required, role.reason.min_length) {
        (true, 0 | 1) => add("reason", "a reason".to_owned()),
        (true, least) => add("reason", format!("a reason of at least {least} characters")),
        (false, _) => {}
    }
    if let Some(ticket) = &role.ticket {
        let shape = text::harmless(&ticket.to_string());
        add("ticket", format!("a ticket that looks like {shape}"));
    }
    needs
}

/// Everything that a request needs, in one sentence with its places.
pub(crate) fn sentence(role: &Role) -> String {
    let name = &role.name;
    let mut needs: Vec<String> =
        needs(role).iter().map(|need| format!("{} ({})", need.text, need.at)).collect();
    let at_once = if role.approvals_needed() == 0 { " and would be granted at once" } else { "" };
    match (needs.pop(), needs.is_empty()) {
        (None, _) => format!("A request for {name} would be granted at once."),
        (Some(last), true) => format!("A request for {name} would need {last}{at_once}."),
        (Some(last), false) => {
            let first = needs.join(", ");
            format!("A request for {name} would need {first} and {last}{at_once}.")
        }
    }
}
