//! `stint review`: the access review; a reviewer's word on a part of it; and the review of one use
//! of a break-glass role, which is shown first.

use std::path::{Path, PathBuf};

use stint_hostfiles::{ReplaceError, put_file, put_new_file};
use stint_policy::text::{harmless, quoted};
use stint_proto::{
    AttestOrder, Attestation, ExitStatus, Grant, GrantId, ListFilter, ReviewOrder, ReviewWord,
};

use crate::args::ReviewArgs;
use crate::draft::is_there;
use crate::failure::{Failure, Outcome};
use crate::look::grants::{Here, in_full};
use crate::review::gather::gather;
use crate::review::model::Period;
use crate::review::{document, page, text};
use crate::{agent, bus, json, out, when};

/// The time that is reviewed if nothing is said.
const QUARTER: &str = "90d";
/// The page is the business of whoever had it made.
const MODE: u32 = 0o600;

/// Does what was typed.
pub fn run(args: ReviewArgs) -> Outcome {
    match (args.attest, args.id.clone(), args.note.clone()) {
        (Some(word), _, Some(note)) => attest(word, note, args),
        (None, Some(id), Some(note)) => mark(id, note, &args),
        (None, None, None) => report(&args),
        (None, Some(id), None) => Err(Failure::usage(format!(
            "say what was found: stint review {id} --note TEXT; the review of all grants needs no id"
        ))),
        (_, None, Some(_)) => Err(Failure::usage(
            "say what the note is about: a grant, or with --attest who is eligible for which role",
        )),
        // clap asks for the note.
        (Some(_), _, None) => Err(Failure::usage("--attest needs --note TEXT")),
    }
}

/// Shows the review, or writes its page.
fn report(args: &ReviewArgs) -> Outcome {
    let here = Here::system();
    let past = |text: &str| when::past(text, here.now, &here.zone).map_err(Failure::usage);
    let from = past(args.since.as_deref().unwrap_or(QUARTER))?;
    let until = args.until.as_deref().map(past).transpose()?.unwrap_or(here.now);
    if until <= from {
        return Err(Failure::usage("--until is not after --since: nothing lies between them"));
    }
    // Looked at first: a review of a great record takes a while.
    let file = args.html.as_deref().map(|path| target(path, args.replace)).transpose()?;
    let review = gather(Period { from, until }, args.often)?;
    if let Some(file) = file {
        let made = page::page(&review, &here).map_err(Failure::failed)?;
        let put = if args.replace { put_file } else { put_new_file };
        put(&file, made.as_bytes(), MODE).map_err(|error| not_put(&file, &error))?;
        out::print(&format!("The review is in {}.", harmless(&file.to_string_lossy())));
    } else if args.json.json {
        out::json(&document::document(&review));
    } else {
        out::print(&text::text(&review, &here.zone));
    }
    Ok(ExitStatus::Done)
}

/// Where the page goes: the file in the folder as it is, links of folders followed.
fn target(path: &Path, replace: bool) -> Result<PathBuf, Failure> {
    let shown = || quoted(&path.to_string_lossy());
    let name = path.file_name().ok_or_else(|| Failure::usage(format!("{} is no file", shown())))?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder =
        folder.canonicalize().map_err(|error| Failure::failed(format!("{}: {error}", shown())))?;
    let file = folder.join(name);
    match file.symlink_metadata() {
        Ok(found) if !found.is_file() => {
            Err(Failure::usage(format!("{} is there, and is no ordinary file", shown())))
        }
        Ok(_) if !replace => Err(is_there(&file)),
        _ => Ok(file),
    }
}

fn not_put(file: &Path, error: &ReplaceError) -> Failure {
    if error.is_taken() { is_there(file) } else { Failure::failed(error) }
}

/// Records a reviewer's word.
fn attest(word: ReviewWord, note: String, args: ReviewArgs) -> Outcome {
    if args.id.is_none() && args.eligible.is_none() {
        return Err(Failure::usage(
            "say what is to be kept or removed: stint review GRANT --attest …, or --eligible WHO --role ROLE",
        ));
    }
    let note = super::text("note", note)?;
    let ReviewArgs { id: grant, eligible: who, role, json, .. } = args;
    let said: Attestation = bus::call("Attest", &AttestOrder { word, grant, who, role, note })?;
    if json.json {
        out::json(&document::attested(&said));
        return Ok(ExitStatus::Done);
    }
    let of = match &said.grant {
        Some(id) => format!("the grant {id} ({} of {})", said.role, said.who),
        None => format!("{} eligible for {}", said.who, said.role),
    };
    out::print(&format!("Recorded: {word} {of}."));
    if let Some(mend) = &said.mend {
        out::print(&format!("Nothing was changed. To remove it:  {}", harmless(mend)));
    }
    Ok(ExitStatus::Done)
}

/// Marks the use of a break-glass role as reviewed.
fn mark(id: GrantId, note: String, args: &ReviewArgs) -> Outcome {
    let mut order = ReviewOrder { id, note: super::text("note", note)? };
    if !args.json.json
        && let Some(used) = awaits(&order.id)?
    {
        out::print(&in_full(&used, &Here::system()));
        order.id = used.id;
    }
    let grant: Grant = agent::call("Review", &order)?;
    if args.json.json {
        out::json(&json::grant(&grant));
    } else {
        let (role, user, id) = (&grant.role, &grant.user, &grant.id);
        out::print(&format!("{user}'s use of {role} is reviewed ({id})."));
    }
    Ok(ExitStatus::Done)
}

/// The use that awaits the caller's review under this id. Where there is not exactly one, the
/// daemon says why, before it asks for a password.
fn awaits(id: &GrantId) -> Result<Option<Grant>, Failure> {
    let filter = ListFilter { to_review: true, ..ListFilter::default() };
    let uses: Vec<Grant> = bus::call("List", &filter)?;
    let mut fitting = uses.into_iter().filter(|used| used.id.as_str().starts_with(id.as_str()));
    Ok(fitting.next().filter(|_| fitting.next().is_none()))
}
