//! What a look for what a grant left costs, beside what an administrator would type instead: two
//! runs of find over the same host.

use serde_json::Value;
use stint_tests::Host;
use stint_tests::clock::eventually;

use crate::number;
use crate::samples::PATIENCE;
use crate::table::Table;

/// How many grants are given and revoked.
const GRANTS: usize = 30;
/// The alternative: what changed lately below /etc, and every setuid program of the system's.
const FIND: &str = "find /etc -xdev -newerct '1 hour ago' -type f; \
                    find /usr /tmp /home -xdev -type f -perm /6000";

/// The median of the looks after grants that ended one by one, and of the same question to find.
pub(crate) fn looks(host: &Host, table: &mut Table) {
    for _ in 0..GRANTS {
        host.ok("stint grant carol bench --for 1h --reason 'the benchmark'; sleep 0.6; \
                 stint revoke --user carol --reason 'the benchmark'");
    }
    let looked = eventually("a look after each grant", PATIENCE, || {
        let all = host.ok("stint list --all --user carol --json");
        let all: Value = serde_json::from_str(&all).expect("a document");
        let looks: Vec<Value> =
            all.as_array()?.iter().map(|grant| grant["residue"].clone()).collect();
        (looks.len() >= GRANTS && looks.iter().all(Value::is_object)).then_some(looks)
    });
    let field =
        |name: &str| -> Vec<f64> { looked.iter().filter_map(|look| look[name].as_f64()).collect() };
    let micros = median(field("micros"));
    let found = host.ok(&format!(
        "for n in $(seq {GRANTS}); do a=$(date +%s%N); ({FIND}) >/dev/null 2>&1; \
         b=$(date +%s%N); echo $(((b - a) / 1000)); done"
    ));
    let find = median(found.lines().map(number).collect());
    table.row("a look for what a grant left, ms", micros / 1000.0);
    table.row("  files looked at", median(field("files")));
    table.row("find, for a part of the same, ms", find / 1000.0);
    table.row("  stint beside it", micros / find);
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().expect("samples")
}
