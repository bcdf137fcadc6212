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

mod programs;
mod samples;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use programs::Programs;
use samples::{Samples, drive};
use stint_tests::clock::pause;
use stint_tests::{Host, Suite, deb_under_test};
use table::{Aim, Table};

/// Where the benchmark's programs lie in the host.
pub(crate) const PROGRAMS: &str = "/usr/local/lib/stint-bench";
/// Where its PAM files lie: alone, so that PAM loads nothing beside the module that is measured.
const PAM_FILES: &str = "/etc/stint-bench/pam.d";
/// Where stintd keeps its state.
const STATE: &str = "/var/lib/stint/state.sqlite";
/// How many processes of each candidate are measured.
const ROUNDS: usize = 300;
/// How many times the small and the large state take turns, and how many samples each turn has.
const TURNS: usize = 3;
const ROUNDS_A_TURN: usize = 150;
/// The small and the large state.
const FEW: usize = 10;
const MANY: usize = 100_000;
/// How long stintd is left alone to see whether it wakes.
const IDLE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let suites: Vec<Suite> = match std::env::args().nth(1).as_deref() {
        None | Some("bookworm") => vec![Suite::Bookworm],
        Some("trixie") => vec![Suite::Trixie],
        Some("all") => Suite::ALL.to_vec(),
        Some(other) => {
            eprintln!("bench: {other:?} is not understood; bookworm, trixie and all are");
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
    let tables: Vec<Table> = suites.into_iter().map(|suite| measure(suite, &programs)).collect();
    let file = target().join("bench.json");
    let all: Vec<_> = tables.iter().map(Table::json).collect();
    fs::write(&file, format!("{:#}\n", serde_json::Value::from(all))).expect("the build folder");
    println!("written to {}", file.display());
    ExitCode::SUCCESS
}

/// The build folder: the package under test lies in a folder of it.
fn target() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top.join("target"), |dir| top.join(dir))
}

fn measure(suite: Suite, programs: &Programs) -> Table {
    eprintln!("bench: booting {} with {}", suite.name(), deb_under_test().display());
    let host = boot(suite, programs);
    prepare(&host);
    let mut table = Table::new(suite);
    fill(&host, FEW);
    idle(&host, &mut table);
    checks(&host, &mut table);
    sudo(&host, &mut table);
    sizes(&host, &mut table);
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
         cp -p /etc/pam.d/sudo /etc/pam.d/sudo-plain"
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
    host.ok("systemctl stop stintd.socket stintd.service");
    let state = host.root().join(STATE.trim_start_matches('/'));
    let count = format!(".parameter set :count {}", grants - 2);
    let script = fs::File::open(programs::folder().join("grants.sql")).expect("grants.sql");
    let output = Command::new("sqlite3")
        .args(["-bail", "-cmd", &count])
        .arg(&state)
        .stdin(script)
        .output()
        .expect("sqlite3 is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "filling the state: {said}");
    host.ok("systemctl start stintd.socket stintd.service");
    let held = host.ok("stint list --json | grep -o '\"state\": *\"active\"' | wc -l");
    assert_eq!(held.trim(), grants.to_string(), "stintd holds as many as were written");
}

/// What stintd needs while nothing happens.
fn idle(host: &Host, table: &mut Table) {
    const WAKE_UPS: &str = "cat /proc/$(systemctl show -P MainPID stintd)/task/*/status | \
                            awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }'";
    host.ok("systemctl restart stintd");
    // What a start leaves to be done is done by then; the watchdog's first ping is long past.
    pause(Duration::from_secs(5));
    let number = |text: String| text.trim().parse::<f64>().expect("a number");
    let kilobytes = "awk '/^VmRSS/ { print $2 }' /proc/$(systemctl show -P MainPID stintd)/status";
    table
        .row(&format!("stintd's memory with {FEW} grants, MB"), number(host.ok(kilobytes)) / 1024.0)
        .aim(Aim::Below(12.0));
    let before = number(host.ok(WAKE_UPS));
    pause(IDLE);
    let wakes = number(host.ok(WAKE_UPS)) - before;
    table.row(&format!("stintd's wake-ups in {} s", IDLE.as_secs()), wakes).aim(Aim::AtMost(0.0));
}

fn pam(service: &str) -> String {
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

/// sudo as people type it: alice through the gate, bob past it.
fn sudo(host: &Host, table: &mut Table) {
    let run = |user: &str| format!("run:{user}:/usr/bin/sudo:-n:/usr/bin/true");
    let found = drive(host, ROUNDS, &[run("alice"), run("bob")]);
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
}

fn module_size(host: &Host) -> f64 {
    let path = host.ok("dpkg -L stint | grep '/pam_stint.so$'");
    host.ok(&format!("stat -c %s {}", path.trim())).trim().parse().expect("a size")
}
