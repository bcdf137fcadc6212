//! What it takes to verify a record of a million links, beside what hashes the same bytes and nothing
//! else; and to make such a record of what an earlier version wrote.

use std::fs;

use stint_tests::Host;
use stint_tests::clock::eventually;

use crate::programs::folder;
use crate::samples::PATIENCE;
use crate::table::{Aim, Table};
use crate::{STATE, export, number, state_script};

/// How many links there are.
const LINKS: u32 = 1_000_000;
/// How often each candidate has its turn.
const TURNS: usize = 3;
/// Runs a command; prints how long it took in milliseconds, and the most memory it had, in KB.
const MEASURE: &str = "import resource, subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
took = time.monotonic() - began
print(took * 1000, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
";
/// What the hash of each link covers, one after the other.
const BYTES: &str = "python3 - <<'END'
import sqlite3, struct
state = sqlite3.connect('/root/state.sqlite')
state.text_factory = bytes
with open('/root/bytes', 'wb') as out:
    before = bytes(32)
    links = 'SELECT seq, at, hash, boot_id, event, message, fields FROM record ORDER BY seq'
    for seq, at, stored, *texts in state.execute(links):
        out.write(b'stint.record.link.1\\n' + before + struct.pack('>qq', seq, at))
        for text in texts:
            out.write(struct.pack('>Q', len(text)) + text)
        before = stored
END";

/// Both.
pub(crate) fn verify(host: &Host, table: &mut Table) {
    make(host, table);
    host.ok(&format!("systemctl stop stintd.service; cp {STATE} /root/state.sqlite"));
    host.ok(BYTES);
    host.ok("systemctl start stintd.service && stint status");
    let candidates = [
        "stint audit verify --state /root/state.sqlite",
        "stint audit verify",
        "sha256sum /root/bytes",
    ];
    let mut found = candidates.map(|_| Vec::new());
    for _ in 0..TURNS {
        for (command, samples) in candidates.iter().zip(&mut found) {
            samples.push(measured(host, command));
        }
    }
    let [file, daemon, hash] = found.map(median);
    let links = f64::from(LINKS);
    table.row("links verified in a second, of a file", links / file.0 * 1000.0);
    table.row("  memory for it, MB", file.1).aim(Aim::Below(64.0));
    table.row("links verified in a second, by the daemon", links / daemon.0 * 1000.0);
    table.row("  memory for it, MB", daemon.1).aim(Aim::Below(64.0));
    table.row("sha256sum of the same bytes, ms", hash.0);
    table.row("  verifying the file beside it", file.0 / hash.0);
    host.ok("rm /root/bytes");
    export::measure(host, table);
}

/// How long a command took, in milliseconds, and the most memory that it had, in MB.
pub(crate) fn measured(host: &Host, command: &str) -> (f64, f64) {
    host.write("/root/measure.py", "0600", MEASURE);
    let found = host.run_with(&format!("python3 /root/measure.py {command}"), b"", PATIENCE);
    assert!(found.ok(), "{command}: {found:?}");
    let (took, memory) = found.stdout.trim().split_once(' ').expect("two figures");
    (number(took), number(memory) / 1024.0)
}

/// Makes a record of that many, as an earlier version had it, and has stintd take it on.
fn make(host: &Host, table: &mut Table) {
    // The log has checkpoints of the record that was there.
    host.ok(&format!(
        "systemctl stop stintd.service; rm -f {STATE}*; journalctl -q --rotate --vacuum-time=1us"
    ));
    let tables = folder().join("../tests/hosts/state_v6.sql");
    let state = host.root().join(STATE.trim_start_matches('/'));
    let text = fs::File::open(tables).expect("the state of an earlier version");
    let made = std::process::Command::new("sqlite3").arg(&state).stdin(text).status();
    assert!(made.expect("sqlite3 is installed").success(), "no state of an earlier version");
    state_script(host, "record.sql", &[format!(".parameter set :count {LINKS}")]);
    host.ok("chmod 600 /var/lib/stint/state.sqlite; sync; date +%s%N >/root/began; \
             systemctl start --no-block stintd.service");
    eventually("stintd to take on the record", PATIENCE, || {
        host.run("systemctl is-active -q stintd.service").ok().then_some(())
    });
    let took = host.ok("echo $(( ($(date +%s%N) - $(cat /root/began)) / 1000000 ))");
    table.row("a million events of before made links, s", number(&took) / 1000.0);
}

/// The medians of both figures.
pub(crate) fn median(samples: Vec<(f64, f64)>) -> (f64, f64) {
    let (mut times, mut sizes): (Vec<f64>, Vec<f64>) = samples.into_iter().unzip();
    times.sort_by(f64::total_cmp);
    sizes.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    (*times.get(middle).expect("samples"), *sizes.get(middle).expect("samples"))
}
