//! Checkpoints of the record: from this host's journal, from a file, or from standard input. What is no
//! checkpoint of stintd, which runs as root, is none: anybody may write to the journal.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use stint_document::Statement;
use stint_policy::text::quoted;
use stint_proto::{Event, Timestamp};
use stint_record::{Checkpoint, unhex};

use crate::failure::Failure;

/// Where the journal's files are, in folders by the id of a host.
const JOURNALS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// What tells how far a record has come. Which link was cut off last is that of a link, too.
const EVENTS: [Event; 2] = [Event::AuditCheckpoint, Event::AuditCut];

/// A checkpoint, and when it was told, where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The link and its hash.
    pub checkpoint: Checkpoint,
    /// When the log got it.
    pub at: Option<Timestamp>,
    /// What shows that it is its host's.
    pub proof: Proof,
}

/// What shows that a checkpoint is its host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing, but for the place where it stands.
    None,
    /// It tells of a cut, which is a link itself.
    Cut,
    /// What was signed, and the signature; neither has been looked at.
    Signature(Box<Statement>, String),
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
        found.extend(lines.filter_map(|line| of_line(&line, false).ok().flatten()));
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

/// Those of a file, or of standard input (`-`). Where they are to be signed, lines of syslog count too:
/// of these nothing else shows who wrote them.
///
/// # Errors
/// When it cannot be read, has none, or has something else in it.
pub fn of_file(path: &Path, signed: bool) -> Result<Vec<Told>, Failure> {
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
        found.extend(of_line(&line.map_err(wrong)?, signed).map_err(bad)?);
    }
    if found.is_empty() {
        return Err(Failure::failed(format!("{name} has no checkpoint of stint in it")));
    }
    Ok(found)
}

const WRONG: &str = "this is no checkpoint: a line of journalctl -o json, or a link's number \
                     and its hash, is right";

/// A line of `journalctl -o json`, or a link's number and its hash; or of syslog.
fn of_line(line: &str, signed: bool) -> Result<Option<Told>, &'static str> {
    let line = line.trim();
    if line.starts_with('{') {
        let entry: Value = serde_json::from_str(line).map_err(|_| WRONG)?;
        let field = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        return if field("_UID").as_deref() == Some("0") { of_fields(field) } else { Ok(None) };
    }
    if line.is_empty() {
        return Ok(None);
    }
    if let Some((seq, hash)) = line.split_once(' ')
        && let Some(checkpoint) = checkpoint(seq, hash.trim())
    {
        return Ok(Some(Told { checkpoint, at: None, proof: Proof::None }));
    }
    match signed {
        true => of_fields(|name| of_syslog(line, name)),
        false => Err(WRONG),
    }
}

/// What the fields of an event say, if it is one of these.
fn of_fields(field: impl Fn(&str) -> Option<String>) -> Result<Option<Told>, &'static str> {
    let event = field("STINT_EVENT").unwrap_or_default();
    if EVENTS.iter().all(|known| known.as_str() != event) {
        return Ok(None);
    }
    let (link, hash) = (field("STINT_LINK").ok_or(WRONG)?, field("STINT_HASH").ok_or(WRONG)?);
    let checkpoint = checkpoint(&link, &hash).ok_or(WRONG)?;
    let at = field("__REALTIME_TIMESTAMP").and_then(|at| at.parse().ok()).map(Timestamp);
    let (host, time) = (field("STINT_HOST"), field("STINT_TIME"));
    let at = at.or_else(|| time.as_ref().and_then(|time| time.parse().ok()));
    let proof = match (field("STINT_SIGNATURE"), event == Event::AuditCut.as_str()) {
        (_, true) => Proof::Cut,
        (None, false) => Proof::None,
        (Some(signature), false) => {
            let (host, time) = (host.unwrap_or_default(), time.unwrap_or_default());
            Proof::Signature(Box::new(Statement { host, link, hash, time }), signature)
        }
    };
    Ok(Some(Told { checkpoint, at, proof }))
}

/// A field of a line of syslog: the last of that name, as what people typed comes before.
fn of_syslog(line: &str, name: &str) -> Option<String> {
    let (_, value) = line.rsplit_once(&format!(" {name}=\""))?;
    value.split_once('"').map(|(value, _)| value.to_owned())
}

fn checkpoint(seq: &str, hash: &str) -> Option<Checkpoint> {
    let seq = seq.parse().ok().filter(|seq| *seq > 0)?;
    Some(Checkpoint { seq, hash: unhex(hash)? })
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
        let seventh = |at, proof| Ok(Some(Told { checkpoint, at, proof }));
        let nine = Some(Timestamp(9));
        let of_line = |line: &str| of_line(line, false);
        assert_eq!(of_line(&entry("0", "audit.checkpoint")), seventh(nine, Proof::None));
        assert_eq!(of_line(&entry("0", "audit.cut")), seventh(nine, Proof::Cut));
        assert_eq!(of_line(&format!("7 {hash}")), seventh(None, Proof::None));
        assert_eq!(of_line(&entry("1000", "audit.checkpoint")), Ok(None));
        assert_eq!(of_line(&entry("0", "check.denied")), Ok(None));
        assert_eq!(of_line("{\"_UID\":\"0\"}"), Ok(None));
        assert_eq!(of_line(""), Ok(None));
        for wrong in ["{", "7", "7 x", &format!("0 {hash}"), &format!("-1 {hash}"), "{\"a\""] {
            assert!(of_line(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_of_syslog_are_read_where_a_signature_says_who_wrote_them() {
        let line = format!(
            "Nov 25 22:00:00 web-1 stintd[7]: come to link 7; STINT_LINK=\"8\" \
             STINT_EVENT=\"audit.checkpoint\" STINT_LINK=\"7\" STINT_HASH=\"{}\" STINT_HOST=\"web-1\" \
             STINT_TIME=\"2026-11-25T22:00:00.000Z\" STINT_SIGNATURE=\"U1NI\"",
            "0f".repeat(32)
        );
        assert!(of_line(&line, false).is_err());
        let told = of_line(&line, true).unwrap().unwrap();
        assert_eq!(told.checkpoint, Checkpoint { seq: 7, hash: [15; 32] });
        let Proof::Signature(statement, signature) = told.proof else { panic!("{told:?}") };
        assert_eq!((statement.host.as_str(), signature.as_str()), ("web-1", "U1NI"));
        assert_eq!(of_line("Nov 25 22:00:00 web-1 sshd[7]: hello", true), Ok(None));
        assert_eq!(of_line("Nov 25 stintd: x STINT_EVENT=\"check.denied\"", true), Ok(None));
    }
}
