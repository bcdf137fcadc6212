//! `stint audit verify`: is the record as it was written?

use std::io::IsTerminal;

use stint_document::Signers;
use stint_policy::text::quoted;
use stint_proto::{ExitStatus, Timestamp};
use stint_record::{Fault, Head, Verifier};

use crate::args::VerifyArgs;
use crate::checkpoints::{self, Told};
use crate::failure::{Failure, Outcome};
use crate::look::grants::Here;
use crate::look::{BAD, GOOD, ODD, count, styled};
use crate::out;
use crate::record::Source;
use crate::signatures::{self, Judged};

/// What was read of a record.
struct Read {
    verifier: Verifier,
    /// What its first link follows.
    cut: Head,
    /// When its first link was recorded.
    begins: Option<Timestamp>,
    fault: Option<Fault>,
}

/// Does what was typed.
pub fn run(args: &VerifyArgs) -> Outcome {
    let keys = args.key.as_deref().map(signatures::keys).transpose()?;
    let source = Source::of(args.state.as_deref())?;
    let known = match &args.checkpoints {
        Some(path) => Ok(checkpoints::of_file(path, keys.is_some())?),
        // The journal of this host says nothing of another's state.
        None if Source::is_own(args.state.as_deref()) => checkpoints::of_journal(),
        None => Err("a copy of a state has none with it: give them with --checkpoints".to_owned()),
    };
    let here = Here::system();
    let (known, judged) = match (keys, known) {
        (Some(keys), known) => signed(known, &keys, args.host.as_deref(), &here),
        (None, known) => (known, None),
    };
    // What is cut off while it is read is not there to be read: then it is read once more.
    let read = loop {
        if let Some(read) = read_all(&source, known.as_deref().unwrap_or_default())? {
            break read;
        }
    };
    Ok(report(&read, &known, judged.as_ref(), &here))
}

/// Those of the checkpoints that a host has signed, which alone count where that is asked for.
fn signed(
    known: Result<Vec<Told>, String>,
    keys: &Signers,
    host: Option<&str>,
    here: &Here,
) -> (Result<Vec<Told>, String>, Option<Judged>) {
    let known = match known {
        Ok(known) => known,
        Err(why) => return (Err(why), Some(Judged::default())),
    };
    let judged = signatures::judge(known, keys, host, here);
    let good = judged.good.clone();
    if good.is_empty() {
        let none = format!("none is signed by a key of {}", quoted(keys.path()));
        return (Err(none), Some(judged));
    }
    (Ok(good), Some(judged))
}

/// Reads the whole chain, up to the first fault; none where links were cut off meanwhile.
fn read_all(source: &Source, known: &[Told]) -> Result<Option<Read>, Failure> {
    let mut shown = std::io::stderr().is_terminal().then(out::Progress::new);
    let mut page = source.page(i64::MIN, Timestamp(i64::MIN))?;
    // The daemon goes on writing: the first answer says how far the record goes at least.
    let (cut, end) = (page.cut, page.head);
    let begins = page.links.first().map(|link| link.at);
    let mut verifier = Verifier::after(cut, known.iter().map(|told| told.checkpoint));
    let fault = loop {
        if let Some(fault) = take(&mut verifier, &page.links, end) {
            break Some(fault);
        }
        let (done, all) = (verifier.head().seq, end.map_or(0, |end| end.seq));
        if let Some(shown) = &mut shown {
            let (done, all) = (done.saturating_sub(cut.seq), all.saturating_sub(cut.seq));
            shown.show("Verifying", &bar(done, all.max(1)));
        }
        let Some(next) = page.next else { break None };
        page = source.page(next, Timestamp(i64::MIN))?;
        if page.cut != cut {
            return Ok(None);
        }
    };
    let last = verifier.head().seq;
    let short = end.filter(|end| end.seq > last);
    let short = short.map(|end| Fault::Truncated { last, known: end.seq });
    let fault = fault.or_else(|| match verifier.end().err() {
        // The first that is missing is named, whatever else is.
        Some(front @ Fault::Unsealed { .. }) => Some(front),
        other => short.or(other),
    });
    Ok(Some(Read { verifier, cut, begins, fault }))
}

/// Takes these links, up to the first fault. `end` is where the state says that the chain ends.
fn take(verifier: &mut Verifier, links: &[stint_proto::Link], end: Option<Head>) -> Option<Fault> {
    for link in links {
        if let Err(fault) = verifier.take(link) {
            return Some(fault);
        }
        if let Some(end) = end.filter(|end| end.seq == link.seq)
            && end.hash.as_slice() != link.hash
        {
            return Some(Fault::Rewritten { seq: link.seq });
        }
    }
    None
}

/// How far it has come.
pub(super) fn bar(done: i64, all: i64) -> String {
    const WIDTH: i64 = 30;
    let filled = (done.saturating_mul(WIDTH) / all).clamp(0, WIDTH);
    let part = |letter: &str, length: i64| letter.repeat(usize::try_from(length).unwrap_or(0));
    format!("[{}{}] {done} of {all} links", part("#", filled), part(" ", WIDTH - filled))
}

fn report(
    read: &Read,
    known: &Result<Vec<Told>, String>,
    judged: Option<&Judged>,
    here: &Here,
) -> ExitStatus {
    match &read.fault {
        Some(fault) => out::print(&broken(read, fault, known.as_deref().unwrap_or_default(), here)),
        None => out::print(&whole(read, known, here)),
    }
    judged.iter().flat_map(|judged| judged.lines()).for_each(|line| out::print(&line));
    let is_fine = judged.is_none_or(Judged::is_fine);
    if read.fault.is_none() && is_fine { ExitStatus::Done } else { ExitStatus::Failed }
}

fn whole(read: &Read, known: &Result<Vec<Told>, String>, here: &Here) -> String {
    let Read { verifier, cut, .. } = read;
    let last = verifier.head().seq;
    let number = usize::try_from(last.saturating_sub(cut.seq)).unwrap_or(usize::MAX);
    let links = count(number, "link", "links");
    let mut lines = vec![styled(GOOD, &format!("The record is whole: {links}."))];
    if let Some(seal) = verifier.seal() {
        let times = match (seal.since, seal.until) {
            (Some(since), Some(until)) => {
                format!(", of {} to {},", here.clock(since), here.clock(until))
            }
            _ => String::new(),
        };
        lines.push(format!(
            "It begins with link {}: those before{times} were cut off by retention at {}, and link {} \
             seals that.",
            cut.seq.saturating_add(1),
            here.clock(seal.at),
            seal.link
        ));
    }
    match known {
        Err(why) => {
            lines.push(styled(
                ODD,
                "No checkpoint was found, so nothing shows that it was not written anew as a whole.",
            ));
            lines.push(format!("Why: {why}."));
        }
        Ok(known) => {
            let confirmed = verifier.confirmed();
            let cut_off = known.iter().filter(|told| told.checkpoint.seq < cut.seq).count();
            let usable = known.len().saturating_sub(cut_off);
            let verb = if usable == 1 { "confirms" } else { "confirm" };
            let usable = count(usable, "checkpoint", "checkpoints");
            lines.push(format!("{usable} {verb} it up to link {confirmed}."));
            if cut_off > 0 {
                let are = count(cut_off, "other is of a link", "others are of links");
                lines.push(format!("{are} cut off since."));
            }
        }
    }
    lines.join("\n")
}

fn broken(read: &Read, fault: &Fault, known: &[Told], here: &Here) -> String {
    let (last, confirmed) = (read.verifier.head().seq, read.verifier.confirmed());
    let mut lines = vec![styled(BAD, &format!("The record is broken: {fault}."))];
    lines.push(match (last, confirmed) {
        (last, _) if last <= read.cut.seq => "Nothing before it is good.".to_owned(),
        (last, 0) => format!("Up to link {last} it fits together; no checkpoint confirms that."),
        (last, confirmed) => {
            format!("Up to link {last} it fits together; checkpoints confirm it up to {confirmed}.")
        }
    });
    if let Some(begins) = read.begins.filter(|begins| is_of_another(fault, known, *begins)) {
        lines.push(format!(
            "That checkpoint is older than this record, which begins at {}: it is of another record. \
             If the state was begun anew on purpose, give those since then with --checkpoints.",
            here.clock(begins)
        ));
    }
    if let Fault::Unconfirmed { .. } = fault {
        lines.push("If your checkpoints are older than the cut, give newer ones, too.".to_owned());
    }
    lines.join("\n")
}

/// Whether the record contradicts a checkpoint that was told before the record begins.
fn is_of_another(fault: &Fault, known: &[Told], begins: Timestamp) -> bool {
    let (Fault::Rewritten { seq } | Fault::Truncated { known: seq, .. }) = fault else {
        return false;
    };
    let told = known.iter().filter(|told| told.checkpoint.seq == *seq);
    told.filter_map(|told| told.at).any(|at| at < begins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoints::Proof;

    #[test]
    fn the_bar_is_full_at_the_end_and_never_more() {
        assert!(bar(0, 1).starts_with("[  "));
        assert!(bar(9, 3).starts_with(&format!("[{}]", "#".repeat(30))));
    }

    #[test]
    fn a_checkpoint_of_another_record_is_told_by_its_age() {
        let told =
            |seq, at| Told { checkpoint: Head { seq, hash: [0; 32] }, at, proof: Proof::None };
        let known = [told(1, None), told(7, Some(Timestamp(2))), told(9, Some(Timestamp(4)))];
        let is = |fault| is_of_another(&fault, &known, Timestamp(3));
        assert!(is(Fault::Rewritten { seq: 7 }) && is(Fault::Truncated { last: 3, known: 7 }));
        assert!(!is(Fault::Rewritten { seq: 9 }) && !is(Fault::Rewritten { seq: 1 }));
        assert!(!is(Fault::Changed { seq: 7 }));
    }
}
