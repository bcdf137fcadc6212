//! Floods of requests: what they cost stintd in memory, and what somebody else's request takes
//! meanwhile. One is of one person, who may have few that wait; the other is of as many people as
//! it takes for all to wait.

use std::fmt::Write as _;

use stint_tests::Host;
use stint_tests::clock::pause;

use crate::programs::Programs;
use crate::samples::{PATIENCE, Samples, read};
use crate::table::{Aim, Table};
use crate::{CALM, PROGRAMS, number, resident};

/// How many requests a flood has.
const CALLS: u32 = 10_000;
/// How many roles can be asked for: as many as may wait in one person's name at most.
const ROLES: u32 = 100;
/// How many people ask for each of them, so that a whole flood waits.
const PEOPLE: u32 = CALLS / ROLES;
/// The connections of one person's flood, and how many calls are under way on each.
const CONNECTIONS: u32 = 8;
const WINDOW: u32 = 100;
/// How often that flood comes, as few requests of somebody else fit into one.
const TIMES: u32 = 3;
/// How many requests of somebody else are timed while nothing else happens; and at most.
const USUAL: u32 = 300;
const MOST: u32 = 100_000;
/// The pause after each of these, in milliseconds.
const REST: u32 = 5;
/// Ends the turn of who is timed.
const OVER: &str = "/run/stint-bench-flood-is-over";

/// Both floods.
pub(crate) fn requests(host: &Host, programs: &Programs, table: &mut Table) {
    let roles = programs.source("policy.toml");
    let roles = String::from_utf8(roles).expect("a policy is text");
    host.load_policy(&policy(&roles, ""));
    host.ok(&format!(
        "groupadd askers && for n in $(seq {PEOPLE}); do useradd -G askers asker$n || exit 1; done"
    ));
    one_persons(host, table);
    let caps = format!("[requests]\nmax_pending_per_user = {ROLES}\nmax_pending = {}\n", 2 * CALLS);
    host.load_policy(&policy(&roles, &caps));
    all_wait(host, table);
}

/// The policy with roles to ask for.
fn policy(base: &str, caps: &str) -> String {
    let mut text = format!("{caps}{base}");
    for number in 0..ROLES {
        write!(
            text,
            "\n[roles.bench-asked{number}]\nservices = [\"stint-bench-asked\"]\n\
             eligible = [\"alice\", \"bob\", \"%askers\"]\napprovers = [\"carol\"]\n"
        )
        .expect("text grows");
    }
    text
}

/// alice asks as fast as she can, bob now and then.
fn one_persons(host: &Host, table: &mut Table) {
    host.ok("systemctl restart stintd");
    let usual = run(host, &timed(USUAL));
    pause(CALM);
    let before = resident(host);
    let flood = flood("alice", CALLS, CONNECTIONS, WINDOW);
    let (mut during, mut tally) = (Samples::default(), [0.0; 3]);
    for _ in 0..TIMES {
        let line =
            format!("rm -f {OVER}; ({flood} >{OVER}.new; mv {OVER}.new {OVER}) & {}", timed(MOST));
        during.extend(vec![run(host, &line)]);
        let said = host.ok(&format!("cat {OVER}"));
        for (sum, word) in tally.iter_mut().zip(said.split_whitespace()) {
            *sum += number(word);
        }
    }
    let after = resident(host);
    let [made, refused, turned_away] = tally;
    let all = made + refused + turned_away;
    assert_eq!(all.to_bits(), f64::from(CALLS * TIMES).to_bits(), "every call is answered");
    table.row("one person's flood: refused by the policy", refused);
    table.row("  turned away before it was asked", turned_away);
    table.row("stintd's memory before it, MB", before);
    table.row("  after it, beside before", after / before).aim(Aim::AtMost(1.2));
    table.row("bob's request and its end, µs", usual.micros());
    table.row("  during the flood, µs", during.micros());
    table.row("  beside the usual", during.ratio(&usual));
    table
        .row("  the slowest during the flood, ms", during.slowest_millis())
        .aim(Aim::Below(1000.0));
}

/// All who may ask do, each for every role.
fn all_wait(host: &Host, table: &mut Table) {
    host.ok("stint revoke --all --reason 'the next measurement'; systemctl restart stintd");
    pause(CALM);
    let count = || number(&host.ok("stint pending --json | grep -c '\"digest\":'"));
    let (waiting, before) = (count(), resident(host));
    // A few at a time: who waits too long for the account database is turned away.
    let each = flood("asker{}", ROLES, 1, 16);
    let line = format!("seq {PEOPLE} | xargs -P 4 -I {{}} {each}");
    let output = host.run_with(&line, b"", PATIENCE);
    assert!(output.ok(), "{output}");
    pause(CALM);
    let grown = (resident(host) - before) * 1024.0 * 1024.0;
    let more = count() - waiting;
    assert_eq!(more.to_bits(), f64::from(CALLS).to_bits(), "{more} wait: {output}");
    table.row("requests that wait, of another flood", more);
    table.row("  bytes of memory for each", grown / more).aim(Aim::AtMost(4096.0));
}

fn flood(user: &str, calls: u32, connections: u32, window: u32) -> String {
    let what = format!("flood {calls} {connections} {window} bench-asked {ROLES}");
    format!("runuser -u {user} -- {PROGRAMS}/requests {what}")
}

fn timed(most: u32) -> String {
    format!("runuser -u bob -- {PROGRAMS}/requests time {most} {REST} bench-asked0 {OVER}")
}

fn run(host: &Host, line: &str) -> Samples {
    let output = host.run_with(line, b"", PATIENCE);
    assert!(output.ok(), "{line}: {output}");
    read(&output.stdout, 1).swap_remove(0)
}
