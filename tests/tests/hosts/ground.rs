//! What a request and its grant rest on is looked at again: when a scheduled grant starts, when a
//! policy comes into force, when more time is asked for.

use stint_tests::{Host, Suite, eventually};

use crate::common::{SOON, builder, document, event_of, is_in};
use crate::workflow::{approve, ask, call, line, look, outcome, pending, refused, text};

const POLICY: &str = r#"
[approvals]
authenticate = false

[roles.games]
groups = ["games"]
eligible = ["%engineers"]
approvals = 0
max_duration = "1h"

[roles.admin]
sudo = [{ commands = ["ALL"] }]
eligible = ["%engineers"]
approvers = ["bob"]
max_duration = "2h"
"#;

fn host() -> Host {
    let host = builder(Suite::Bookworm, POLICY).boot();
    host.ok("groupadd engineers && gpasswd -a alice engineers && stint reload");
    host
}

/// A point so many seconds from now, in microseconds, as the bus takes it.
fn soon(host: &Host, seconds: u32) -> String {
    format!("{}000000", host.ok(&format!("date -d '+{seconds} seconds' +%s")).trim())
}

fn grant_of(host: &Host, request: &serde_json::Value) -> serde_json::Value {
    crate::common::listed(host, text(request, "grant"))
}

#[test]
fn eligibility_is_looked_at_again_when_a_scheduled_grant_starts() {
    let host = host();
    let (at, reason) = (soon(&host, 6), ("reason", "s", "'for a test'"));
    let order: &[_] = &[("role", "s", "games"), ("starts_at", "x", at.as_str()), reason];
    let kept = call(&host, "alice", "Request", order).unwrap();
    assert_eq!(grant_of(&host, &kept)["state"], "scheduled");
    assert!(!is_in(&host, "alice", "games"));
    host.ok("gpasswd -a bob engineers");
    let lost = call(&host, "bob", "Request", order).unwrap();
    host.ok("gpasswd -d bob engineers");
    event_of(&host, "grant.activated", text(&kept, "grant"));
    eventually("the membership", SOON, || is_in(&host, "alice", "games").then_some(()));
    let ended = event_of(&host, "grant.revoked", text(&lost, "grant"));
    assert_eq!(ended["STINT_ACTOR"], "policy");
    assert!(!is_in(&host, "bob", "games"));
    assert_eq!(grant_of(&host, &lost)["end_reason"], "policy");
}

#[test]
fn a_request_for_later_lapses_when_its_time_comes() {
    let host = host();
    let at = soon(&host, 3);
    let order: &[_] =
        &[("role", "s", "admin"), ("starts_at", "x", at.as_str()), ("reason", "s", "x")];
    let request = call(&host, "alice", "Request", order).unwrap();
    let lapsed = eventually("the lapse", SOON, || {
        let now = look(&host, &request);
        (now["state"] == "lapsed").then_some(now)
    });
    refused(&approve(&host, "bob", &lapsed), "lapsed");
}

#[test]
fn a_policy_is_applied_to_what_is_pending_and_running() {
    let host = host();
    let held = ask(&host, "alice", "games").unwrap();
    let waiting = pending(&host, "alice", "admin");
    assert!(is_in(&host, "alice", "games"));
    host.load_policy(&POLICY.replace("eligible = [\"%engineers\"]", "eligible = [\"carol\"]"));
    assert_eq!(grant_of(&host, &held)["end_reason"], "policy");
    assert!(!is_in(&host, "alice", "games"));
    let now = look(&host, &waiting);
    assert_eq!((text(&now, "state"), text(&now, "ended_by")), ("lapsed", "policy"));
    // Somebody who stands in a group that is no longer theirs by now loses it at the next load.
    host.load_policy(POLICY);
    let again = ask(&host, "alice", "games").unwrap();
    host.ok("gpasswd -d alice engineers && stint reload");
    assert_eq!(grant_of(&host, &again)["end_reason"], "policy");
}

#[test]
fn more_time_is_asked_for_and_never_more_than_the_role_gives() {
    let host = host();
    let held = ask(&host, "alice", "games").unwrap();
    let id = text(&held, "grant").to_owned();
    let by = |seconds: &str| {
        let order: &[_] = &[("id", "s", id.as_str()), ("duration", "t", seconds)];
        call(&host, "alice", "Extend", order)
    };
    let seconds = |host: &Host| -> i64 {
        let grant = crate::common::listed(host, &id);
        let at = |key: &str| -> i64 {
            host.ok(&format!("date -d '{}' +%s", text(&grant, key))).trim().parse().unwrap()
        };
        at("expires_at") - at("starts_at")
    };
    refused(&by("1801"), "1h");
    assert_eq!(by("1800").unwrap()["state"], "approved");
    assert_eq!(seconds(&host), 3_600);
    event_of(&host, "grant.extended", &id);
    refused(&by("1"), "1h");
    let others: &[_] = &[("id", "s", id.as_str()), ("duration", "t", "60")];
    refused(&call(&host, "bob", "Extend", others), "you hold no grant");
}

#[test]
fn more_time_of_what_needs_approval_needs_approval() {
    let host = host();
    let request = pending(&host, "alice", "admin");
    let grant = text(&approve(&host, "bob", &request).unwrap(), "grant").to_owned();
    let order: &[_] = &[("id", "s", grant.as_str()), ("duration", "t", "600")];
    let more = call(&host, "alice", "Extend", order).unwrap();
    assert_eq!((text(&more, "state"), text(&more, "extends")), ("pending", grant.as_str()));
    assert_eq!(more["reason"], request["reason"], "what it is for is what more of it is for");
    let before = crate::common::listed(&host, &grant)["expires_at"].clone();
    approve(&host, "bob", &more).unwrap();
    assert_ne!(crate::common::listed(&host, &grant)["expires_at"], before);
    // What extends a grant that is over extends nothing.
    let more = call(&host, "alice", "Extend", order).unwrap();
    call(&host, "alice", "Drop", &[]).unwrap();
    refused(&approve(&host, "bob", &more), "over");
    let all = document(&host.ok("stint list --json"));
    assert_eq!(all, serde_json::json!([]));
}

#[test]
fn what_is_dropped_or_cancelled_is_gone_and_only_ones_own_can_be() {
    let host = host();
    let held = ask(&host, "alice", "games").unwrap();
    let id = text(&held, "grant");
    refused(&call(&host, "bob", "Drop", &[("id", "s", id)]), "you hold no grant");
    refused(&call(&host, "bob", "Drop", &[]), "you hold nothing");
    assert!(is_in(&host, "alice", "games"));
    call(&host, "alice", "Drop", &[("id", "s", &id[..2])]).unwrap();
    assert!(!is_in(&host, "alice", "games"));
    assert_eq!(grant_of(&host, &held)["end_reason"], "dropped");
    let request = pending(&host, "alice", "admin");
    let cancel = line("Cancel", "s", text(&request, "id"));
    refused(&outcome(&host.as_user("bob", &cancel)), "no request has the id");
    assert_eq!(outcome(&host.as_user("alice", &cancel)).unwrap()["state"], "cancelled");
    refused(&outcome(&host.as_user("alice", &cancel)), "cancelled");
    refused(&approve(&host, "bob", &request), "cancelled");
}

#[test]
fn a_flood_of_requests_leaves_memory_flat_and_others_served() {
    let host = host();
    host.ok("gpasswd -a bob engineers");
    let resident = || -> u64 {
        let text = host.ok("grep VmRSS /proc/$(systemctl show -P MainPID stintd)/status");
        text.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let flood = |times: u32| {
        let call = line("Request", "a{sv}", "2 role s admin reason s x");
        let each = format!("i=0; while [ $i -lt {times} ]; do {call}; i=$((i+1)); done");
        format!("for n in 1 2 3 4; do ({each}) >/dev/null 2>&1 & done; wait")
    };
    let serve = || {
        let served = ask(&host, "bob", "games").expect("another user is served meanwhile");
        let drop: &[_] = &[("id", "s", text(&served, "grant"))];
        // What was started with the group ends with it a second later, this call too if it is slow.
        let dropped = call(&host, "bob", "Drop", drop);
        assert!(dropped.is_ok() || dropped == Err("Terminated".to_owned()), "{dropped:?}");
    };
    // What is needed once, by the first grants and looks at the host, is no flood's.
    assert!(host.as_user("alice", &flood(20)).ok());
    (0..5).for_each(|_| serve());
    let before = resident();
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| host.as_user("alice", &flood(100)));
        while !flooding.is_finished() {
            serve();
        }
        assert!(flooding.join().unwrap().ok());
    });
    let after = resident();
    assert!(after < before + 4_096, "{before} kB before 400 more requests, {after} kB after");
    assert_eq!(outcome(&host.run(&line("Pending", "", ""))).unwrap().as_array().unwrap().len(), 1);
}
