//! Measures what a person would feel of stint, beside its alternatives, on a booted host: `make
//! bench`. It prints a table with each aim beside its figure and never fails for a missed one: a
//! busy machine is no broken promise. What is measured and how: `docs/benchmarks.md`.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it reports by panicking, as the harness does"
)]

mod ends;
mod export;
mod fleet;
mod floods;
mod programs;
mod record;
mod residue;
mod samples;
mod simulate;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use programs::Programs;
use samples::{Samples, drive, drive_after};
use stint_tests::clock::pause;
use stint_tests::{Host, Suite, deb_under_test};
use table::{Aim, Table};

/// Where the benchmark's programs lie in the host.
pub(crate) const PROGRAMS: &str = "/usr/local/lib/stint-bench";
/// Where its PAM files lie: alone, so that PAM loads nothing beside the module that is measured.
const PAM_FILES: &str = "/etc/stint-bench/pam.d";
/// Where stintd keeps its state.
pub(crate) const STATE: &str = "/var/lib/stint/state.sqlite";
/// How many processes of each candidate are measured.
const ROUNDS: usize = 300;
/// How many times the small and the large state take turns, and how many samples each turn has.
const TURNS: usize = 3;
const ROUNDS_A_TURN: usize = 150;
/// The small and the large state.
const FEW: usize = 10;
const MANY: usize = 100_000;
/// How long the machine has after stintd has read another state.
pub(crate) const CALM: Duration = Duration::from_secs(2);
/// How long stintd has after a start, and how long it is then watched for wake-ups.
const SETTLE: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((simulate::WORD, rest)) =
        words.split_first().map(|(word, rest)| (word.as_str(), rest))
    {
        return simulate::run(rest);
    }
    let (suites, parts) = match asked(&words) {
        Ok(asked) => asked,
        Err(problem) => {
            eprintln!("bench: {problem}");
            return ExitCode::from(2);
        }
    };
    let programs = match Programs::build(&target().join("bench")) {
        Ok(programs) => programs,
        Err(problem) => {
            eprintln!("bench: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let measured = suites.into_iter().map(|suite| measure(suite, &parts, &programs));
    let tables: Vec<Table> = measured.collect();
    let file = target().join("bench.json");
    let all: Vec<_> = tables.iter().map(Table::json).collect();
    fs::write(&file, format!("{:#}\n", serde_json::Value::from(all))).expect("the build folder");
    println!("written to {}", file.display());
    ExitCode::SUCCESS
}

/// The build folder: the package under test lies in a folder of it.
fn target() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top.join("target"), |dir| top.join(dir))
}

/// What is measured, one after the other.
type Part = (&'static str, fn(&Host, &Programs, &mut Table));
const PARTS: [Part; 9] = [
    ("idle", |host, _, table| idle(host, table)),
    ("checks", |host, _, table| checks(host, table)),
    ("sudo", |host, _, table| sudo(host, table)),
    ("sizes", |host, _, table| sizes(host, table)),
    ("ends", |host, _, table| ends::lateness(host, table)),
    ("residue", |host, _, table| residue::looks(host, table)),
    ("floods", floods::requests),
    ("fleet", |host, _, table| fleet::measure(host.suite(), table)),
    // The last: the state is another one then.
    ("record", |host, _, table| record::verify(host, table)),
];

/// The suites and parts that are asked for: `bench [SUITE [PART…]]`.
fn asked(words: &[String]) -> Result<(Vec<Suite>, Vec<Part>), String> {
    let (suite, names) = match words.split_first() {
        None => ("bookworm", words),
        Some((suite, names)) => (suite.as_str(), names),
    };
    let suites = match suite {
        "bookworm" => vec![Suite::Bookworm],
        "trixie" => vec![Suite::Trixie],
        "all" => Suite::ALL.to_vec(),
        other => return Err(format!("{other:?} is no suite; bookworm, trixie and all are")),
    };
    if let Some(other) = names.iter().find(|name| PARTS.iter().all(|(part, _)| part != name)) {
        let known: Vec<&str> = PARTS.iter().map(|(part, _)| *part).collect();
        return Err(format!("{other:?} is no part; there are {}", known.join(", ")));
    }
    let is_asked = |name: &str| names.is_empty() || names.iter().any(|asked| asked == name);
    Ok((suites, PARTS.into_iter().filter(|(name, _)| is_asked(name)).collect()))
}

fn measure(suite: Suite, parts: &[Part], programs: &Programs) -> Table {
    eprintln!("bench: booting {} with {}", suite.name(), deb_under_test().display());
    let host = boot(suite, programs);
    prepare(&host);
    let mut table = Table::new(suite);
    for (_, part) in parts {
        fill(&host, FEW);
        part(&host, programs, &mut table);
    }
    table.row("the module's file, bytes", module_size(&host)).aim(Aim::Below(500_000.0));
    println!("{table}");
    table
}

fn boot(suite: Suite, programs: &Programs) -> Host {
    let file = |name: &str| programs.source(name);
    let mut builder = Host::builder(suite)
        .file("/etc/stint/policy.toml", 0o644, file("policy.toml"))
        .file("/etc/sudoers.d/bench", 0o440, file("sudoers_bob"))
        .file("/etc/dbus-1/system.d/org.stint.Bench.conf", 0o644, file("bus_policy.conf"))
        .file("/etc/stint-bench/allowed", 0o644, "alice\nbob\n")
        .file(&format!("{PROGRAMS}/script_gate.sh"), 0o755, file("script_gate.sh"));
    for (service, module) in [
        ("stint-bench", "pam_stint.so".to_owned()),
        ("echo", format!("{PROGRAMS}/echo_module.so")),
        ("bus", format!("{PROGRAMS}/bus_module.so")),
        ("script", format!("pam_exec.so quiet {PROGRAMS}/script_gate.sh")),
    ] {
        let line = format!("account required {module}\n");
        builder = builder.file(&format!("{PAM_FILES}/{service}"), 0o644, line);
    }
    // PAM reads this one for every service, and complains to the log where it is missing.
    builder = builder.file(&format!("{PAM_FILES}/other"), 0o644, "");
    for (name, bytes) in programs.built() {
        builder = builder.file(&format!("{PROGRAMS}/{name}"), 0o755, bytes);
    }
    builder.boot()
}

/// Starts the alternatives' servers, gives alice her grants, and gates sudo.
fn prepare(host: &Host) {
    host.ok(&format!(
        "systemd-run -q --unit=bench-echo -p RuntimeDirectory=stint-bench {PROGRAMS}/echo_server
         systemd-run -q --unit=bench-bus {PROGRAMS}/bus_server
         cp -p /etc/pam.d/sudo /etc/pam.d/sudo-plain
         groupadd bench-ends && stint reload"
    ));
    for role in ["bench", "bench-sudo"] {
        host.ok(&format!("stint grant alice {role} --for 4h --reason 'the benchmark'"));
    }
    host.ok("stint gate on sudo");
    host.ok("for i in $(seq 100); do busctl status org.stint.Bench >/dev/null 2>&1 && exit 0; \
             sleep 0.05; done; exit 1");
}

/// Brings the state to this many grants, alice's two among them, and starts stintd again.
fn fill(host: &Host, grants: usize) {
    // Its socket stays, and nobody asks meanwhile, which would start it.
    host.ok("systemctl stop stintd.service");
    host.ok(&format!(
        "sed -i '/^filler[0-9]/d' /etc/passwd
         seq {} | awk '{{ print \"filler\" $1 \":x:\" 100000 + $1 \":100::/:/bin/false\" }}' \
             >>/etc/passwd",
        grants - 2
    ));
    let count = format!(".parameter set :count {}", grants - 2);
    state_script(host, "grants.sql", &[count]);
    // What was written goes to the disk now, not beside what is measured.
    host.ok("sync && systemctl start stintd.service");
    let last = format!("stint list --json --user filler{}", grants - 2);
    assert!(host.ok(&last).contains("bench-filler"), "stintd holds as many as were written");
    pause(CALM);
}

/// Runs a script of this folder on the state; returns what it printed.
pub(crate) fn query(host: &Host, script: &str) -> String {
    state_script(host, script, &[])
}

/// The same, with these lines for sqlite3 before it.
pub(crate) fn state_script(host: &Host, script: &str, lines: &[String]) -> String {
    let state = host.root().join(STATE.trim_start_matches('/'));
    let text = fs::File::open(programs::folder().join(script)).expect("a script of the benchmark");
    let mut command = Command::new("sqlite3");
    command.arg("-bail");
    for line in lines {
        command.args(["-cmd", line]);
    }
    let output = command.arg(&state).stdin(text).output().expect("sqlite3 is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{script}: {said}");
    String::from_utf8(output.stdout).expect("figures are text")
}

/// What stintd needs while nothing happens.
fn idle(host: &Host, table: &mut Table) {
    host.ok("systemctl restart stintd");
    // By then what the start needed is over, its spare threads too; the watchdog's next ping is
    // more than a minute away.
    pause(SETTLE);
    let what = format!("stintd's memory with {FEW} grants, MB");
    table.row(&what, resident(host)).aim(Aim::Below(12.0));
    let before = sleeps(host);
    pause(IDLE);
    let wakes = woken(&before, &sleeps(host));
    table.row(&format!("stintd's wake-ups in {} s", IDLE.as_secs()), wakes).aim(Aim::AtMost(0.0));
}

/// How often each of stintd's threads has gone to sleep so far.
fn sleeps(host: &Host) -> BTreeMap<String, u32> {
    let line = "cd /proc/$(systemctl show -P MainPID stintd)/task && \
                grep ^voluntary_ctxt_switches */status";
    let read = |text: &str| {
        let (thread, rest) = text.split_once('/')?;
        Some((thread.to_owned(), rest.split_whitespace().last()?.parse().ok()?))
    };
    host.ok(line).lines().map(|text| read(text).expect("a count")).collect()
}

/// How often threads woke between two counts; one that came or went woke for that alone.
fn woken(before: &BTreeMap<String, u32>, after: &BTreeMap<String, u32>) -> f64 {
    let woke = |thread: &String| match (before.get(thread), after.get(thread)) {
        (Some(before), Some(after)) => f64::from(after.saturating_sub(*before)),
        _ => 1.0,
    };
    let threads: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    threads.into_iter().map(woke).sum()
}

/// What stintd keeps in memory, in megabytes.
pub(crate) fn resident(host: &Host) -> f64 {
    number(&host.ok("awk '/^VmRSS/ { print $2 }' /proc/$(systemctl show -P MainPID stintd)/status"))
        / 1024.0
}

pub(crate) fn number(text: &str) -> f64 {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

pub(crate) fn pam(service: &str) -> String {
    format!("pam:{PAM_FILES}:{service}:alice")
}

/// One check in a new process, beside the alternatives.
fn checks(host: &Host, table: &mut Table) {
    let services = ["stint-bench", "echo", "bus", "script"];
    let found = drive(host, ROUNDS, &services.map(pam));
    let [stint, echo, bus, script] = found.as_slice() else { panic!("four candidates") };
    table.row("a check through pam_stint.so, µs", stint.micros());
    table.row("  of that, loading the module", stint.loading_micros());
    for (what, other, aim) in [
        ("(a) a bare Unix socket's echo", echo, 1.6),
        ("(b) libsystemd over the system bus", bus, 0.5),
        ("(c) pam_exec, a shell and grep", script, 0.25),
    ] {
        table.row(&format!("{what}, µs"), other.micros());
        table.row("  stint beside it", stint.ratio(other)).aim(Aim::AtMost(aim));
    }
    table.row("  of (a), loading the module", echo.loading_micros());
}

/// sudo as people type it: alice through the gate, bob past it. Both are logged in meanwhile, and
/// what is typed is in the control group of a login.
fn sudo(host: &Host, table: &mut Table) {
    let _logged_in = ["alice", "bob"].map(|user| host.shell(user));
    let run = |user: &str| format!("run:{user}:/usr/bin/sudo:-n:/usr/bin/true");
    let uid = host.ok("id -u alice");
    let login = format!("/sys/fs/cgroup/user.slice/user-{}.slice/session-*.scope", uid.trim());
    let enter = format!("echo $$ >$(echo {login}/cgroup.procs)");
    let found = drive_after(host, &enter, ROUNDS, &[run("alice"), run("bob")]);
    let [gated, plain] = found.as_slice() else { panic!("two candidates") };
    table.row("sudo -n true, without the gate, µs", plain.micros());
    table.row("sudo -n true, gated, µs", gated.micros());
    table.row("  beside itself without the gate", gated.ratio(plain)).aim(Aim::AtMost(1.1));
}

/// The same check with few and with many grants in the state, in turns.
fn sizes(host: &Host, table: &mut Table) {
    let (mut few, mut many) = (Samples::default(), Samples::default());
    for _ in 0..TURNS {
        for (grants, samples) in [(FEW, &mut few), (MANY, &mut many)] {
            fill(host, grants);
            samples.extend(drive(host, ROUNDS_A_TURN, &[pam("stint-bench")]));
        }
    }
    table.row(&format!("a check with {FEW} grants, µs"), few.micros());
    table.row(&format!("a check with {MANY} grants, µs"), many.micros());
    table.row("  beside the one before", many.ratio(&few)).aim(Aim::AtMost(1.1));
    table.row(&format!("stintd's memory with {MANY} grants, MB"), resident(host));
}

fn module_size(host: &Host) -> f64 {
    let path = host.ok("dpkg -L stint | grep '/pam_stint.so$'");
    number(&host.ok(&format!("stat -c %s {}", path.trim())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{PARTS, asked, woken};

    #[test]
    fn what_is_not_there_to_be_measured_is_refused() {
        let of = |words: &[&str]| asked(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(of(&["jessie"]).is_err() && of(&["all", "end"]).is_err());
        assert_eq!(of(&[]).unwrap().1.len(), PARTS.len());
        let (suites, parts) = of(&["all", "ends"]).unwrap();
        assert_eq!((suites.len(), parts.len()), (2, 1));
    }

    #[test]
    fn threads_that_come_and_go_count_as_wake_ups() {
        let count = |threads: &[(&str, u32)]| -> BTreeMap<String, u32> {
            threads.iter().map(|(thread, count)| ((*thread).to_owned(), *count)).collect()
        };
        let before = count(&[("7", 40), ("8", 20)]);
        assert_eq!(woken(&before, &before).to_bits(), 0.0_f64.to_bits());
        let after = count(&[("7", 43), ("9", 2)]);
        assert_eq!(woken(&before, &after).to_bits(), 5.0_f64.to_bits());
    }
}
