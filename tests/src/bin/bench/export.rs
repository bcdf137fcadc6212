//! What it takes to write the record out for other programs, beside what `journalctl -o json` takes to
//! print as many entries of the same events.

use stint_tests::Host;

use crate::record::{measured, median};
use crate::samples::PATIENCE;
use crate::table::Table;

/// How many events are written out: the last of the record.
const EVENTS: u32 = 100_000;
/// How often each candidate has its turn.
const TURNS: usize = 3;
/// No entry is dropped for being one of many.
const JOURNAL: &str = "[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\n";
/// Tells the journal of the same events. Prints when the first of them was.
const TELL: &str = "import datetime, json, socket, sqlite3, sys
state = sqlite3.connect('/root/state.sqlite')
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.connect('/run/systemd/journal/socket')
last, = state.execute('SELECT max(seq) FROM record').fetchone()
since = None
links = 'SELECT at, event, message, fields FROM record WHERE seq > ? ORDER BY seq'
for at, event, message, fields in state.execute(links, (last - int(sys.argv[1]),)):
    since = since or at
    entry = {'MESSAGE': message, 'PRIORITY': '6', 'SYSLOG_IDENTIFIER': 'bench', 'STINT_EVENT': event}
    entry |= json.loads(fields)
    log.send('\\n'.join(f'{name}={value}' for name, value in entry.items()).encode())
print(datetime.datetime.fromtimestamp(since / 1e6, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'))
";

/// Measures it on a host that has a long record, and a copy of it in `/root/state.sqlite`.
pub(crate) fn measure(host: &Host, table: &mut Table) {
    host.write("/etc/systemd/journald.conf.d/bench.conf", "0644", JOURNAL);
    host.write("/root/tell.py", "0600", TELL);
    host.ok("mkdir -p /var/log/journal; systemctl restart systemd-journald");
    let told = host.run_with(&format!("python3 /root/tell.py {EVENTS}"), b"", PATIENCE);
    assert!(told.ok(), "{told:?}");
    let since = told.stdout.trim();
    host.ok("journalctl --sync");
    let entries = "journalctl -q --no-pager -o json SYSLOG_IDENTIFIER=bench";
    let found = host.ok(&format!("{entries} | wc -l"));
    assert_eq!(found.trim(), EVENTS.to_string(), "the journal has not all of them");
    let export = "stint audit export --since";
    let file = "--state /root/state.sqlite --host web-1";
    let candidates = [
        ("by the daemon, JSON Lines", format!("{export} {since}")),
        ("of a file, JSON Lines", format!("{export} {since} --state /root/state.sqlite")),
        ("of a file, CSV", format!("{export} {since} --state /root/state.sqlite --format csv")),
        ("of a file, OCSF", format!("{export} {since} {file} --format ocsf")),
        ("journalctl -o json of as many", entries.to_owned()),
    ];
    let mut found = candidates.each_ref().map(|_| Vec::new());
    for _ in 0..TURNS {
        for ((_, command), samples) in candidates.iter().zip(&mut found) {
            samples.push(measured(host, command));
        }
    }
    table.row("events that are exported, of each", f64::from(EVENTS));
    let found = found.map(median);
    for ((what, _), (took, memory)) in candidates.iter().zip(found) {
        table.row(&format!("  in a second, {what}"), f64::from(EVENTS) / took * 1000.0);
        table.row("    memory for it, MB", memory);
    }
}
