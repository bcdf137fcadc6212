//! Approvals: of distinct people, never one's own by any road, of exactly what was shown, and by
//! standing membership alone.

use serde_json::Value;
use stint_tests::{Host, Suite};

use crate::common::{SOON, builder, document, gate};
use crate::workflow::{
    approve, ask, call, everything, line, look, outcome, pending, refused, text,
};

const POLICY: &str = r#"
[approvals]
authenticate = false

[roles.admin]
sudo = [{ commands = ["ALL"] }]
eligible = ["alice", "bob"]
approvers = ["bob", "%leads"]
password = false

[roles.twofold]
groups = ["games"]
eligible = ["alice"]
approvers = ["bob", "carol", "%leads"]
approvals = 2

[roles.leading]
groups = ["leads"]
eligible = ["carol"]
approvals = 0

[roles.anything]
sudo = [{ commands = ["ALL"] }]
eligible = ["alice"]
approvals = 0
password = false
"#;

/// The raw call that approves this request.
fn approval(request: &Value) -> String {
    let (id, digest) = (text(request, "id"), text(request, "digest"));
    line("Approve", "a{sv}", &format!("2 id s {id} digest s {digest}"))
}

fn host() -> Host {
    let host = builder(Suite::Bookworm, POLICY).boot();
    host.ok("groupadd leads && stint reload");
    gate(host)
}

#[test]
fn one_approver_is_not_two() {
    let host = host();
    let request = pending(&host, "alice", "twofold");
    let once = approve(&host, "bob", &request).unwrap();
    assert_eq!((&once["state"], &once["approvals"][0]), (&"pending".into(), &"bob".into()));
    refused(&approve(&host, "bob", &request), "already");
    // Another name for the same number is the same person.
    host.ok("useradd --create-home --non-unique --uid 1001 bobby");
    let second = host.as_user("bobby", &approval(&request));
    refused(&outcome(&second), "already");
    assert_eq!(look(&host, &request)["state"], "pending");
    let done = approve(&host, "carol", &request).unwrap();
    assert_eq!(done["state"], "approved", "{done}");
    let grant = document(&host.ok("stint list --json"))[0].clone();
    assert_eq!(grant["approvals"], serde_json::json!(["bob", "carol"]));
    assert_eq!(grant["origin"], "request");
}

#[test]
fn nobody_approves_their_own_by_any_road() {
    let host = host();
    // A second name for bob's number, an approver in the policy's eyes. Were it to come later,
    // bob's request would lapse.
    host.ok("useradd --create-home --non-unique --uid 1001 --groups leads bobby");
    let own = pending(&host, "bob", "admin");
    refused(&approve(&host, "bob", &own), "your own request");
    refused(&approve(&host, "bobby", &own), "your own request");
    let request = pending(&host, "alice", "admin");
    ask(&host, "alice", "anything").expect("a grant that makes alice root");
    let mut shell = host.shell("alice");
    let call = approval(&request);
    let before = everything(&host);
    for road in ["sudo -n -u bob", "sudo -n", "sudo -n su bob -c", "sudo -n setsid -w sudo -u bob"]
    {
        let line = if road.ends_with("-c") {
            format!("{road} \"{call}\"")
        } else {
            format!("{road} {call}")
        };
        let output = shell.run(&line);
        assert_ne!(output.status, 0, "{road}: {output}");
        assert!(output.stdout.contains("you are logged in as alice"), "{road}: {output}");
    }
    assert_eq!(everything(&host), before, "an approval by somebody else's hand counted");
    // Root who became root by nobody's grant is no approver either: the policy names none.
    refused(&outcome(&host.run(&call)), "may not decide");
    assert_eq!(look(&host, &request)["state"], "pending");
}

#[test]
fn nobody_asks_in_another_name() {
    let host = host();
    ask(&host, "alice", "anything").unwrap();
    let mut shell = host.shell("alice");
    let call = line("Request", "a{sv}", "2 role s admin reason s x");
    let output = shell.run(&format!("sudo -n -u bob {call}"));
    assert!(output.stdout.contains("you are logged in as alice"), "{output}");
    let output = shell.run("sudo -n -u bob stint request admin --reason 'in the name of bob'");
    assert_eq!(output.status, 3, "{output}");
    assert!(outcome(&host.run(&line("Pending", "", ""))).unwrap().as_array().unwrap().is_empty());
}

#[test]
fn an_approval_is_of_exactly_what_was_shown() {
    let host = host();
    let request = pending(&host, "alice", "admin");
    let id = text(&request, "id");
    let wrong: &[_] = &[("id", "s", id), ("digest", "s", "0000")];
    refused(&call(&host, "bob", "Approve", wrong), "not what was shown");
    refused(&call(&host, "bob", "Approve", &[("id", "s", id)]), "digest");
    // The role confers more than when it was shown.
    host.load_policy(&POLICY.replace("[roles.admin]\n", "[roles.admin]\ngroups = [\"games\"]\n"));
    refused(&approve(&host, "bob", &request), "not what was shown");
    let now = look(&host, &request);
    assert_eq!(now["confers"], serde_json::json!(["sudo (root) NOPASSWD: ALL", "group games"]));
    approve(&host, "bob", &now).unwrap();
}

#[test]
fn an_approval_that_was_given_does_not_outlive_a_change_of_the_role() {
    let host = host();
    let request = pending(&host, "alice", "twofold");
    approve(&host, "bob", &request).unwrap();
    host.load_policy(&POLICY.replace("groups = [\"games\"]", "groups = [\"games\", \"disk\"]"));
    let now = look(&host, &request);
    assert_eq!(now["state"], "lapsed", "{now}");
    assert!(text(&now, "note").contains("changed"), "{now}");
    refused(&approve(&host, "carol", &now), "lapsed");
}

#[test]
fn who_is_no_approver_by_standing_decides_nothing() {
    let host = host();
    let request = pending(&host, "alice", "admin");
    refused(&approve(&host, "carol", &request), "may not decide");
    // What a grant gives makes nobody an approver.
    ask(&host, "carol", "leading").unwrap();
    assert!(crate::common::is_in(&host, "carol", "leads"));
    refused(&approve(&host, "carol", &request), "may not decide");
    let id = text(&request, "id");
    let deny: &[_] = &[("id", "s", id), ("reason", "s", "no")];
    refused(&call(&host, "carol", "Deny", deny), "may not decide");
    assert!(
        outcome(&host.as_user("carol", &line("Pending", "", "")))
            .unwrap()
            .as_array()
            .unwrap()
            .is_empty()
    );
    let unseen = outcome(&host.as_user("carol", &line("Await", "st", &format!("{id} 0"))));
    refused(&unseen, "no request has the id");
    refused(&outcome(&host.as_user("carol", &line("Cancel", "s", id))), "no request has the id");
    // Standing membership does.
    call(&host, "carol", "Drop", &[]).unwrap();
    host.ok("gpasswd -a carol leads");
    assert_eq!(approve(&host, "carol", &request).unwrap()["state"], "approved");
}

#[test]
fn an_approver_who_is_gone_or_unknown_decides_nothing() {
    let host = host();
    let request = pending(&host, "alice", "admin");
    host.ok("useradd --create-home dave && gpasswd -a dave leads");
    host.ok("gpasswd -d dave leads");
    refused(&approve(&host, "dave", &request), "may not decide");
    // The bus itself lets nobody in whom the host does not know.
    let call = approval(&request);
    let gone = host.run(&format!("setpriv --reuid 4711 --regid 4711 --clear-groups {call}"));
    assert_ne!(gone.status, 0, "{gone}");
    assert_eq!(look(&host, &request)["state"], "pending");
}

#[test]
fn a_denial_says_why_and_ends_it() {
    let host = host();
    let request = pending(&host, "alice", "admin");
    let id = text(&request, "id");
    refused(&call(&host, "bob", "Deny", &[("id", "s", id), ("reason", "s", "''")]), "1 to 512");
    call(&host, "bob", "Deny", &[("id", "s", id), ("reason", "s", "'not today'")]).unwrap();
    let now = look(&host, &request);
    assert_eq!((text(&now, "state"), text(&now, "note")), ("denied", "not today"));
    refused(&approve(&host, "bob", &now), "denied");
    // Who may not see it is told no more than of an id that names nothing.
    refused(&approve(&host, "carol", &now), &format!("no request has the id {id}"));
    refused(
        &outcome(&host.as_user("carol", &line("Cancel", "s", id))),
        &format!("no request has the id {id}"),
    );
    assert_eq!(document(&host.ok("stint list --json --all")), serde_json::json!([]));
    let matches = format!("STINT_EVENT=request.denied STINT_REQUEST={id}");
    assert_eq!(host.journal_of(&matches, 1, SOON)[0]["STINT_REASON"], "not today");
}

#[test]
fn ids_that_fit_two_or_none_are_no_ids() {
    let host = host();
    let first = pending(&host, "alice", "admin");
    let second = pending(&host, "alice", "twofold");
    let none: &[_] = &[("id", "s", "zzzzzz"), ("reason", "s", "no")];
    refused(&call(&host, "bob", "Deny", none), "no request has the id zzzzzz");
    let (one, other) = (text(&first, "id"), text(&second, "id"));
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    if same > 0 {
        let prefix = &one[..same];
        let both: &[_] = &[("id", "s", prefix), ("reason", "s", "no")];
        refused(&call(&host, "bob", "Deny", both), "one more letter");
    }
    let prefix = &one[..=same];
    call(&host, "bob", "Deny", &[("id", "s", prefix), ("reason", "s", "no")]).unwrap();
    assert_eq!(look(&host, &first)["state"], "denied");
}
