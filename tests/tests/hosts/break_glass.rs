//! Break-glass: no approval, never quiet, and once until somebody else has looked at it.

use stint_tests::{Host, Suite};

use crate::common::{SOON, builder, document, is_in};
use crate::notices::at_terminal;
use crate::workflow::{ask, call, refused, text};

const POLICY: &str = r#"
[approvals]
authenticate = false

[audit]
readers = ["carol"]

[roles.rescue]
groups = ["games"]
eligible = ["alice", "bob"]
approvers = ["bob", "alice"]
break_glass = true
"#;

fn review(host: &Host, user: &str, id: &str) -> crate::workflow::Outcome {
    call(host, user, "Review", &[("id", "s", id), ("note", "s", "'looked at it'")])
}

#[test]
fn it_is_loud_and_once_until_somebody_else_has_reviewed_it() {
    let host = builder(Suite::Trixie, POLICY).boot();
    let mut screen = at_terminal(&host, "bob", "600");
    let at = host.ok("date -d '+1 hour' +%s");
    let later = format!("{}000000", at.trim());
    let scheduled: &[_] =
        &[("role", "s", "rescue"), ("starts_at", "x", later.as_str()), ("reason", "s", "x")];
    refused(&call(&host, "alice", "Request", scheduled), "emergenc");
    let taken = ask(&host, "alice", "rescue").unwrap();
    let id = text(&taken, "grant").to_owned();
    assert!(is_in(&host, "alice", "games"));
    // An approver hears of it although their terminal takes no messages.
    screen.expect_within("alice has taken rescue", SOON);
    let used = host.journal_of(&format!("STINT_EVENT=break_glass.used STINT_GRANT={id}"), 1, SOON);
    assert_eq!(used[0]["PRIORITY"], "1", "{used:?}");
    assert_eq!(crate::common::listed(&host, &id)["origin"], "break-glass");
    call(&host, "alice", "Drop", &[]).unwrap();
    refused(&ask(&host, "alice", "rescue"), "review");
    refused(&review(&host, "alice", &id), "your own use");
    let awaits = |user: &str| {
        document(&host.as_user(user, "stint list --to-review --json").stdout)
            .as_array()
            .map(|used| used.iter().map(|used| text(used, "id").to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(awaits("alice"), Some(vec![]), "one's own use is somebody else's to review");
    for reviewer in ["bob", "carol"] {
        assert_eq!(awaits(reviewer), Some(vec![id.clone()]), "{reviewer}");
    }
    ask(&host, "bob", "rescue").expect("what is to be reviewed is alice's use");
    assert!(review(&host, "carol", &id).is_ok(), "a reader of the record may");
    refused(&review(&host, "carol", &id), "awaits review");
    let event = format!("STINT_EVENT=break_glass.reviewed STINT_GRANT={id}");
    assert_eq!(host.journal_of(&event, 1, SOON)[0]["STINT_ACTOR"], "carol");
    assert_eq!(crate::common::listed(&host, &id)["reviewed_by"], "carol");
    assert_eq!(awaits("bob"), Some(vec![]), "it is reviewed");
    ask(&host, "alice", "rescue").expect("reviewed, it may be taken again");
}

#[test]
fn a_review_survives_a_restart_and_so_does_its_absence() {
    let host = builder(Suite::Bookworm, POLICY).boot();
    let id = text(&ask(&host, "alice", "rescue").unwrap(), "grant").to_owned();
    call(&host, "alice", "Drop", &[]).unwrap();
    crate::common::kill(&host);
    refused(&ask(&host, "alice", "rescue"), "review");
    review(&host, "bob", &id).unwrap();
    crate::common::kill(&host);
    ask(&host, "alice", "rescue").unwrap();
}
