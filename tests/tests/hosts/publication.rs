//! What a host says of itself to whoever carries it to others: to root and the account stint-sync alone,
//! nothing until the policy says so, and then exactly what root is shown.

use serde_json::{Value, json};
use stint_tests::{Host, Output, Suite, eventually};

use crate::common::{SOON, builder, daemon, document, grant, id, kill};
use crate::workflow::{line, outcome, pending, refused, text};

/// The policy; bob decides, carol may read the record.
fn policy(publish: bool) -> String {
    format!(
        "[approvals]\nauthenticate = false\n[audit]\nreaders = [\"carol\"]\n\
         [remote]\npublish = {publish}\n\
         [roles.admin]\nsudo = [{{ commands = [\"ALL\"] }}]\neligible = [\"alice\"]\n\
         approvers = [\"bob\"]\n\
         [roles.games]\ngroups = [\"games\"]\neligible = [\"alice\"]\napprovals = 0\n"
    )
}

fn ask(seen: &Value, seconds: u32) -> String {
    line("Publication", "tt", &format!("{seen} {seconds}"))
}

/// As who carries it.
fn carried(host: &Host, seen: &Value, seconds: u32) -> Value {
    let output: Output = host.run(&format!("runuser -u stint-sync -- {}", ask(seen, seconds)));
    outcome(&output).unwrap_or_else(|why| panic!("{why}: {output}"))
}

fn now(host: &Host) -> Value {
    carried(host, &json!(0), 0)
}

/// The ids in one of the lists.
fn ids(publication: &Value, list: &str) -> Vec<String> {
    let all = publication[list].as_array().unwrap_or_else(|| panic!("no {list}: {publication}"));
    all.iter().map(|one| text(one, "id").to_owned()).collect()
}

#[test]
fn what_is_published_is_told_to_root_and_to_who_carries_it_and_only_if_the_policy_says_so() {
    let host = builder(Suite::Bookworm, &policy(true)).boot();
    // An asker, an approver, a reader of the record, a stranger: none of them is told.
    for user in ["alice", "bob", "carol", "nobody"] {
        let told = host.run(&format!("runuser -u {user} -- {}", ask(&json!(0), 0)));
        refused(&outcome(&told), "Access denied");
    }
    let empty = outcome(&host.run(&ask(&json!(0), 0))).unwrap();
    assert_eq!(empty["host"], host.ok("hostname").trim());
    assert_eq!((&empty["publish"], &empty["left_out"]), (&json!(true), &json!(0)));

    // What is asked is there, as root is shown it; and whoever waited hears of it at once.
    let waits = ask(&empty["version"], 60);
    host.ok(&format!("{{ runuser -u stint-sync -- {waits}; }} >/run/waited 2>&1 & true"));
    let request = pending(&host, "alice", "admin");
    let told = now(&host);
    assert_ne!(told["version"], empty["version"]);
    let shown = document(&host.ok("stint pending --json"))[0].clone();
    assert_eq!(ids(&told, "requests"), [text(&request, "id")]);
    assert_eq!(told["requests"][0]["digest"], shown["digest"]);
    assert_eq!(told["requests"][0]["confers"], shown["confers"]);
    eventually("who waited", SOON, || {
        let heard = host.ok("cat /run/waited");
        heard.contains(text(&request, "id")).then_some(())
    });
    // Where nothing is new, it says so when the time is over.
    assert_eq!(carried(&host, &told["version"], 1)["version"], told["version"]);

    decided_held_and_over(&host, &request);
    nothing_until_the_policy_says_so(&host);
    another_start_is_another_version(&host);
}

fn decided_held_and_over(host: &Host, request: &Value) {
    let deny = format!("stint deny {} --reason 'not today'", text(request, "id"));
    let denied = host.as_user("bob", &deny);
    assert!(denied.ok() || denied.status == 3, "{denied}");
    let told = now(host);
    assert_eq!(
        (ids(&told, "requests"), ids(&told, "ended")),
        (vec![], vec![text(request, "id").to_owned()])
    );
    assert_eq!(
        (&told["ended"][0]["state"], &told["ended"][0]["note"]),
        (&json!("denied"), &json!("not today"))
    );
    // What needs no approval is a decision and a grant at once; what root gives is a grant.
    let taken = host.as_user("alice", "stint request games --reason 'for a test'");
    assert!(taken.ok(), "{taken}");
    let later = grant(host, "bob admin --for 1h --at +1h");
    let told = now(host);
    let held = ids(&told, "grants");
    assert_eq!((held.len(), ids(&told, "ended").len()), (2, 2), "{told}");
    assert_eq!(held[1], id(&later));
    assert_eq!(
        (&told["grants"][0]["state"], &told["grants"][1]["state"]),
        (&json!("active"), &json!("scheduled"))
    );
    host.ok("stint revoke --all --reason over");
    assert_eq!(ids(&now(host), "grants"), Vec::<String>::new());
}

fn nothing_until_the_policy_says_so(host: &Host) {
    pending(host, "alice", "admin");
    let before = now(host);
    assert_eq!(ids(&before, "requests").len(), 1);
    host.write("/etc/stint/policy.toml", "0644", policy(false).as_bytes());
    host.ok("stint reload");
    // The policy alone makes it another version.
    let told = carried(host, &before["version"], 60);
    assert_eq!(told["publish"], json!(false));
    for list in ["requests", "grants", "ended"] {
        assert_eq!(ids(&told, list), Vec::<String>::new(), "{list}");
    }
    host.write("/etc/stint/policy.toml", "0644", policy(true).as_bytes());
    host.ok("stint reload");
    assert_eq!(ids(&now(host), "requests").len(), 1);
}

fn another_start_is_another_version(host: &Host) {
    let before = now(host);
    kill(host);
    eventually("stintd", SOON, || (daemon(host) != "0").then_some(()));
    let after = eventually("an answer", SOON, || {
        let output = host.run(&ask(&before["version"], 60));
        outcome(&output).ok()
    });
    assert_ne!(after["version"], before["version"]);
    assert_eq!(ids(&after, "requests"), ids(&before, "requests"));
    assert_eq!(ids(&after, "ended"), ids(&before, "ended"));
}
