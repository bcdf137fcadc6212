//! Checkpoints of the record: from this host's journal, from a file, or from standard input. What is no
//! checkpoint of stintd, which runs as root, is none: anybody may write to the journal.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use stint_policy::text::quoted;
use stint_proto::{Event, Timestamp};
use stint_record::{Checkpoint, unhex};

use crate::failure::Failure;

/// Where the journal's files are, in folders by the id of a host.
const JOURNALS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// What tells how far a record has come. Which link was cut off last is that of a link, too.
const EVENTS: [Event; 2] = [Event::AuditCheckpoint, Event::AuditCut];

/// A checkpoint, and when it was told, where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The link and its hash.
    pub checkpoint: Checkpoint,
    /// When the log got it.
    pub at: Option<Timestamp>,
}

/// Those of this host's journal; or why there are none.
pub fn of_journal() -> Result<Vec<Told>, String> {
    let mut command = Command::new("journalctl");
    command.args(["-q", "--no-pager", "-o", "json", "_UID=0"]);
    command.args(EVENTS.map(|event| format!("MESSAGE_ID={}", event.message_id())));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let cannot = |error: std::io::Error| format!("journalctl does not start: {error}");
    let mut journal = command.spawn().map_err(cannot)?;
    let mut found = Vec::new();
    if let Some(printed) = journal.stdout.take() {
        let lines = BufReader::new(printed).lines().map_while(Result::ok);
        found.extend(lines.filter_map(|line| of_line(&line).ok().flatten()));
    }
    let done = journal.wait().map_err(cannot)?;
    if !found.is_empty() {
        return Ok(found);
    }
    Err(match (is_readable(), done.success()) {
        (Some(false), _) => "you may not read this host's journal: root may, and the members of \
                             systemd-journal and adm"
            .to_owned(),
        (None, _) => "this host has no journal".to_owned(),
        (Some(true), false) => format!("journalctl failed ({done})"),
        (Some(true), true) => "this host's journal has none (does it forget too soon?)".to_owned(),
    })
}

/// Whether the caller may read a file of the system's journal; none where there is no such file.
fn is_readable() -> Option<bool> {
    let mut answer = None;
    let forbidden = |error: &std::io::Error| error.kind() == ErrorKind::PermissionDenied;
    let mut folders: Vec<PathBuf> = Vec::new();
    for journal in JOURNALS {
        match std::fs::read_dir(journal) {
            Ok(found) => folders.extend(found.flatten().map(|folder| folder.path())),
            Err(error) if forbidden(&error) => answer = Some(false),
            Err(_) => {}
        }
    }
    for folder in folders {
        match File::open(folder.join("system.journal")) {
            Ok(_) => return Some(true),
            Err(error) if forbidden(&error) => answer = Some(false),
            Err(_) => {}
        }
    }
    answer
}

/// Those of a file, or of standard input (`-`).
///
/// # Errors
/// When it cannot be read, has none, or has something else in it.
pub fn of_file(path: &Path) -> Result<Vec<Told>, Failure> {
    let stdin = path == Path::new("-");
    let name = if stdin {
        "standard input".to_owned()
    } else {
        quoted(&path.to_string_lossy()).to_string()
    };
    let wrong = |error: std::io::Error| Failure::failed(format!("{name}: {error}"));
    let lines: Box<dyn BufRead> = if stdin {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(wrong)?))
    };
    let mut found = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let bad = |why: &str| Failure::failed(format!("{name}:{}: {why}", number + 1));
        found.extend(of_line(&line.map_err(wrong)?).map_err(bad)?);
    }
    if found.is_empty() {
        return Err(Failure::failed(format!("{name} has no checkpoint of stint in it")));
    }
    Ok(found)
}

/// A line of `journalctl -o json`, or a link's number and its hash.
fn of_line(line: &str) -> Result<Option<Told>, &'static str> {
    const WRONG: &str = "this is no checkpoint: a line of journalctl -o json, or a link's number \
                         and its hash, is right";
    let line = line.trim();
    let (seq, hash, at) = if line.starts_with('{') {
        let entry: Value = serde_json::from_str(line).map_err(|_| WRONG)?;
        let field = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let event = field("STINT_EVENT").unwrap_or_default();
        if EVENTS.iter().all(|known| known.as_str() != event)
            || field("_UID").as_deref() != Some("0")
        {
            return Ok(None);
        }
        let at = field("__REALTIME_TIMESTAMP").and_then(|at| at.parse().ok()).map(Timestamp);
        (field("STINT_LINK").ok_or(WRONG)?, field("STINT_HASH").ok_or(WRONG)?, at)
    } else if line.is_empty() {
        return Ok(None);
    } else {
        let (seq, hash) = line.split_once(' ').ok_or(WRONG)?;
        (seq.to_owned(), hash.trim().to_owned(), None)
    };
    let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or(WRONG)?;
    let checkpoint = Checkpoint { seq, hash: unhex(&hash).ok_or(WRONG)? };
    Ok(Some(Told { checkpoint, at }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_read_from_the_journal_and_nobody_but_root_writes_one() {
        let hash = "0f".repeat(32);
        let entry = |uid: &str, event: &str| {
            format!(
                "{{\"_UID\":\"{uid}\",\"STINT_EVENT\":\"{event}\",\"STINT_LINK\":\"7\",\
                 \"STINT_HASH\":\"{hash}\",\"__REALTIME_TIMESTAMP\":\"9\"}}"
            )
        };
        let checkpoint = Checkpoint { seq: 7, hash: [15; 32] };
        let seventh = |at| Ok(Some(Told { checkpoint, at }));
        assert_eq!(of_line(&entry("0", "audit.checkpoint")), seventh(Some(Timestamp(9))));
        assert_eq!(of_line(&entry("0", "audit.cut")), seventh(Some(Timestamp(9))));
        assert_eq!(of_line(&format!("7 {hash}")), seventh(None));
        assert_eq!(of_line(&entry("1000", "audit.checkpoint")), Ok(None));
        assert_eq!(of_line(&entry("0", "check.denied")), Ok(None));
        assert_eq!(of_line("{\"_UID\":\"0\"}"), Ok(None));
        assert_eq!(of_line(""), Ok(None));
        for wrong in ["{", "7", "7 x", &format!("0 {hash}"), &format!("-1 {hash}"), "{\"a\""] {
            assert!(of_line(wrong).is_err(), "{wrong}");
        }
    }
}
