//! How late ends are: of grants that end one after the other, and of ten thousand that end at once,
//! with what a check takes in that moment. Memberships are gone when /etc/group is replaced, once
//! for all; each is recorded after that. The gate was shut before.

use stint_tests::Host;
use stint_tests::clock::pause;

use crate::samples::{PATIENCE, Samples, drive, read};
use crate::table::{Aim, Table};
use crate::{CALM, PROGRAMS, number, pam, query, state_script};

/// How many grants end one after the other, and how far apart, in microseconds.
const SINGLE: usize = 30;
const APART: u64 = 400_000;
/// How many end at once.
const MANY: usize = 10_000;
/// How long stintd has from its start to the first end, in seconds: with ten thousand it has to
/// give all of them their memberships and rules first.
const LEAD: u64 = 25;
/// How many checks are timed while they end, and how many before, for the usual.
const ROUNDS: usize = 200;

/// Both ways of ending.
pub(crate) fn lateness(host: &Host, table: &mut Table) {
    // Accounts of their own, by the line: useradd would take minutes.
    host.ok(&format!(
        "seq {MANY} | awk '{{ print \"filler-\" $1 \":x:\" 300000 + $1 \":100::/:/bin/false\" }}' \
             >>/etc/passwd
         seq {MANY} | awk '{{ print \"filler-\" $1 \":!:20000::::::\" }}' >>/etc/shadow"
    ));
    fill(host, SINGLE, APART);
    let last = host.run_with("sleep 40", b"", PATIENCE);
    assert!(last.ok(), "{last}");
    let late = lateness_of(host, SINGLE);
    table.row("one grant's end, after its time, ms", late.median);
    table.row("  the latest of them, ms", late.worst).aim(Aim::AtMost(20.0));

    let usual = drive(host, ROUNDS, &[pam("stint-bench")]).swap_remove(0);
    let first = fill(host, MANY, 0);
    let given = number(&host.ok("getent group bench-ends | tr , '\\n' | wc -l"));
    assert_eq!(given.to_bits(), number(&MANY.to_string()).to_bits(), "all are members");
    let before = number(&host.ok("stat -c %i /etc/group"));
    let line = format!(
        "while [ \"$(date +%s)\" -lt {first} ]; do sleep 0.02; done; \
         {PROGRAMS}/driver {ROUNDS} {}",
        pam("stint-bench")
    );
    let output = host.run_with(&line, b"", PATIENCE);
    assert!(output.ok(), "{line}: {output}");
    let during: Samples = read(&output.stdout, 1).swap_remove(0);
    pause(CALM * 5);
    let late = lateness_of(host, MANY);
    let gone = number(&host.ok("stat -c %.6Z /etc/group")) - number(&first.to_string());
    assert_ne!(before.to_bits(), number(&host.ok("stat -c %i /etc/group")).to_bits());
    let all = format!("{MANY} ends at once: all are gone after, ms");
    table.row(&all, gone * 1000.0).aim(Aim::AtMost(1000.0));
    table.row("  half are recorded after, ms", late.median);
    table.row("  99 of 100, ms", late.p99);
    table.row("  all, ms", late.worst);
    table.row("  a check meanwhile, µs", during.micros());
    table.row("  beside the usual", during.ratio(&usual)).aim(Aim::AtMost(2.0));
}

/// Fills the state with grants that end from then on; returns when the first does, in seconds
/// since the epoch.
fn fill(host: &Host, count: usize, step: u64) -> u64 {
    host.ok("systemctl stop stintd.service");
    let now: u64 = host.ok("date +%s").trim().parse().expect("seconds");
    let first = now + LEAD;
    let parameters = [
        format!(".parameter set :count {count}"),
        format!(".parameter set :first {}", first * 1_000_000),
        format!(".parameter set :step {step}"),
    ];
    state_script(host, "ends.sql", &parameters);
    host.ok("sync && systemctl start stintd.service");
    first
}

/// How late ends were, in milliseconds.
struct Lateness {
    median: f64,
    p99: f64,
    worst: f64,
}

fn lateness_of(host: &Host, count: usize) -> Lateness {
    let all: Vec<f64> =
        query(host, "lateness.sql").lines().map(|line| number(line) / 1000.0).collect();
    assert_eq!(all.len(), count, "every grant has ended");
    let at = |share: usize| {
        let index = (count - 1) * share / 100;
        all.get(index).copied().expect("an end")
    };
    Lateness { median: at(50), p99: at(99), worst: at(100) }
}
