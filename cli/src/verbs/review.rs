//! `stint review`: the access review; a reviewer's word on a part of it; and the review of one use
//! of a break-glass role, which is shown first.

use std::io::Write;
use std::path::Path;

use stint_policy::text::{harmless, quoted};
use stint_proto::{
    AttestOrder, Attestation, ExitStatus, Grant, GrantId, ListFilter, ReviewOrder, ReviewWord,
};

use crate::args::ReviewArgs;
use crate::draft::{Draft, Tidy};
use crate::failure::{Failure, Outcome};
use crate::look::grants::{Here, in_full};
use crate::review::gather::gather;
use crate::review::model::Period;
use crate::review::{document, page, text};
use crate::{agent, bus, json, out, when};

/// The time that is reviewed if nothing is said.
const QUARTER: &str = "90d";

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
    // Begun first: a review of a great record takes a while.
    let draft = args.html.as_deref().map(|path| begin(path, args.replace)).transpose()?;
    let review = gather(Period { from, until }, args.often)?;
    if let (Some(mut draft), Some(path)) = (draft, args.html.as_deref()) {
        let made = page::page(&review, &here).map_err(Failure::failed)?;
        let name = quoted(&path.to_string_lossy());
        let unwritten = |error| Failure::failed(format!("{name}: {error}"));
        draft.write_all(made.as_bytes()).map_err(unwritten)?;
        draft.keep()?;
        out::print(&format!("The review is in {name}."));
    } else if args.json.json {
        out::json(&document::document(&review));
    } else {
        out::print(&text::text(&review, &here.zone));
    }
    Ok(ExitStatus::Done)
}

/// Begins the page's file.
fn begin(path: &Path, replaces: bool) -> Result<Draft, Failure> {
    let tidy = Tidy::hold()?;
    let draft = Draft::begin(path, replaces)?;
    tidy.after(&draft);
    Ok(draft)
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
