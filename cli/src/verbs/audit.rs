//! `stint audit`: is the record as it was written?

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use stint_policy::text::quoted;
use stint_proto::{Event, ExitStatus, Timestamp};
use stint_record::{Checkpoint, Fault, Verifier, unhex};

use crate::args::{AuditArgs, AuditVerb, VerifyArgs};
use crate::failure::{Failure, Outcome};
use crate::look::{BAD, GOOD, ODD, count, styled};
use crate::out;
use crate::record::Source;

/// This host's own state.
const STATE: &str = "/var/lib/stint/state.sqlite";

/// Does what was typed.
pub fn run(args: AuditArgs) -> Outcome {
    match args.what {
        AuditVerb::Verify(args) => verify(&args),
    }
}

fn verify(args: &VerifyArgs) -> Outcome {
    let source = match &args.state {
        Some(path) => Source::file(path)?,
        None => Source::daemon()?,
    };
    let known = match &args.checkpoints {
        Some(path) => of_file(path)?,
        // The journal of this host says nothing of another's state.
        None if args.state.as_deref().is_none_or(|path| path == Path::new(STATE)) => of_journal(),
        None => Vec::new(),
    };
    let number = known.len();
    let mut verifier = Verifier::new(known);
    let fault = read_all(&source, &mut verifier)?.or_else(|| verifier.end().err());
    Ok(report(&verifier, fault.as_ref(), number))
}

/// Reads the whole chain, up to the first fault.
fn read_all(source: &Source, verifier: &mut Verifier) -> Result<Option<Fault>, Failure> {
    let mut shown = std::io::stderr().is_terminal().then(out::Progress::new);
    let mut after = i64::MIN;
    let mut end = None;
    loop {
        let page = source.page(after, Timestamp(i64::MIN))?;
        // The daemon goes on writing: the first answer says how far the record goes at least.
        end = end.or(page.head);
        for link in &page.links {
            if let Err(fault) = verifier.take(link) {
                return Ok(Some(fault));
            }
            if let Some(end) = end.filter(|end| end.seq == link.seq)
                && end.hash.as_slice() != link.hash
            {
                return Ok(Some(Fault::Rewritten { seq: link.seq }));
            }
        }
        let (done, all) = (verifier.head().seq, end.map_or(0, |end| end.seq).max(1));
        if let Some(shown) = &mut shown {
            shown.show("Verifying", &bar(done, all));
        }
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    let last = verifier.head().seq;
    let cut = end.filter(|end| end.seq > last);
    Ok(cut.map(|end| Fault::Truncated { last, known: end.seq }))
}

/// How far it has come.
fn bar(done: i64, all: i64) -> String {
    const WIDTH: i64 = 30;
    let filled = (done.saturating_mul(WIDTH) / all).clamp(0, WIDTH);
    let part = |letter: &str, length: i64| letter.repeat(usize::try_from(length).unwrap_or(0));
    format!("[{}{}] {done} of {all} links", part("#", filled), part(" ", WIDTH - filled))
}

fn report(verifier: &Verifier, fault: Option<&Fault>, checkpoints: usize) -> ExitStatus {
    let (last, confirmed) = (verifier.head().seq, verifier.confirmed());
    let Some(fault) = fault else {
        let links = count(usize::try_from(last).unwrap_or(usize::MAX), "link", "links");
        let text = format!("The record is whole: {links}.");
        out::print(&styled(GOOD, &text));
        out::print(&match (checkpoints, confirmed) {
            (0, _) => styled(
                ODD,
                "No checkpoint was found, so nothing shows that it was not written anew as a whole.",
            ),
            (number, confirmed) => {
                let known = count(number, "checkpoint", "checkpoints");
                let from = if number == 1 { "confirms" } else { "confirm" };
                format!("{known} {from} it up to link {confirmed}.")
            }
        });
        return ExitStatus::Done;
    };
    out::print(&styled(BAD, &format!("The record is broken: {fault}.")));
    out::print(&match (last, confirmed) {
        (0, _) => "Nothing before it is good.".to_owned(),
        (last, 0) => format!("Up to link {last} it fits together; no checkpoint confirms that."),
        (last, confirmed) => {
            format!("Up to link {last} it fits together; checkpoints confirm it up to {confirmed}.")
        }
    });
    ExitStatus::Failed
}

/// The checkpoints of this host's journal; none where it has none, or none that the caller may read.
fn of_journal() -> Vec<Checkpoint> {
    let id = format!("MESSAGE_ID={}", Event::AuditCheckpoint.message_id());
    let journal = Command::new("journalctl")
        .args(["-q", "--no-pager", "-o", "json", "_UID=0", &id])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(printed) = journal else { return Vec::new() };
    let text = String::from_utf8_lossy(&printed.stdout);
    text.lines().filter_map(|line| of_line(line).ok().flatten()).collect()
}

fn of_file(path: &Path) -> Result<Vec<Checkpoint>, Failure> {
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
        Box::new(BufReader::new(std::fs::File::open(path).map_err(wrong)?))
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

/// A line of `journalctl -o json`, or a link's number and its hash. What is no checkpoint of
/// stintd, which runs as root, is none: anybody may write to the journal.
fn of_line(line: &str) -> Result<Option<Checkpoint>, &'static str> {
    const WRONG: &str = "this is no checkpoint: a line of journalctl -o json, or a link's number \
                         and its hash, is right";
    let line = line.trim();
    let (seq, hash) = if line.starts_with('{') {
        let entry: Value = serde_json::from_str(line).map_err(|_| WRONG)?;
        let field = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        if field("STINT_EVENT").as_deref() != Some(Event::AuditCheckpoint.as_str())
            || field("_UID").as_deref() != Some("0")
        {
            return Ok(None);
        }
        (field("STINT_LINK").ok_or(WRONG)?, field("STINT_HASH").ok_or(WRONG)?)
    } else if line.is_empty() {
        return Ok(None);
    } else {
        let (seq, hash) = line.split_once(' ').ok_or(WRONG)?;
        (seq.to_owned(), hash.trim().to_owned())
    };
    let seq = seq.parse().ok().filter(|seq| *seq > 0).ok_or(WRONG)?;
    Ok(Some(Checkpoint { seq, hash: unhex(&hash).ok_or(WRONG)? }))
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
                 \"STINT_HASH\":\"{hash}\"}}"
            )
        };
        let seventh = Ok(Some(Checkpoint { seq: 7, hash: [15; 32] }));
        assert_eq!(of_line(&entry("0", "audit.checkpoint")), seventh);
        assert_eq!(of_line(&format!("7 {hash}")), seventh);
        assert_eq!(of_line(&entry("1000", "audit.checkpoint")), Ok(None));
        assert_eq!(of_line(&entry("0", "check.denied")), Ok(None));
        assert_eq!(of_line("{\"_UID\":\"0\"}"), Ok(None));
        assert_eq!(of_line(""), Ok(None));
        for wrong in ["{", "7", "7 x", &format!("0 {hash}"), &format!("-1 {hash}"), "{\"a\""] {
            assert!(of_line(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_bar_is_full_at_the_end_and_never_more() {
        assert!(bar(0, 1).starts_with("[  "));
        assert!(bar(9, 3).starts_with(&format!("[{}]", "#".repeat(30))));
    }
}
