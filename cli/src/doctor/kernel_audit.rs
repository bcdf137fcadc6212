//! Whether the kernel's audit has what stintd writes for it, by what stintd says. That it is off or
//! not there is no finding: most hosts do without.

use super::{Finding, Rank};

/// What is wrong.
pub fn judge(takes: &str) -> Option<Finding> {
    let text = "The kernel's audit holds up what stintd writes: its backlog is full.";
    (takes == "held up")
        .then(|| Finding::new(Rank::Odd, text, "auditctl -s; systemctl status auditd"))
}

/// How it is, in a sentence; `None` for what a later version may say.
pub fn told(takes: &str) -> Option<&'static str> {
    match takes {
        "on" => Some(
            "Grants, their ends and memberships are in the kernel's audit too:  ausearch -m \
             ROLE_ASSIGN,ROLE_REMOVE,USER_MGMT",
        ),
        "off" => Some("The kernel's audit is off, so nothing of stint is in it."),
        "absent" => Some("There is no kernel audit here, so nothing of stint is in it."),
        "refused" => {
            Some("The kernel's audit takes nothing from stintd here, as in most containers.")
        }
        "held up" => Some("What the kernel's audit will have of stint is not known."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_audit_nothing_is_wrong() {
        for takes in ["on", "off", "absent", "refused"] {
            assert_eq!(judge(takes), None);
            assert!(told(takes).is_some());
        }
        assert_eq!(judge("held up").map(|finding| finding.rank), Some(Rank::Odd));
        assert_eq!(told("on top of the world"), None);
    }
}
