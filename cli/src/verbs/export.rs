//! `stint audit export`: the record for other programs.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use stint_policy::text::quoted;
use stint_proto::ExitStatus;

use crate::args::{ExportArgs, Format};
use crate::draft::{Draft, Tidy};
use crate::export::{Form, Table};
use crate::failure::{Failure, Outcome};
use crate::look::count;
use crate::look::grants::Here;
use crate::out;
use crate::record::Source;
use crate::selection::Selection;
use crate::verbs::verify::bar;

/// Writes out what was asked for.
pub fn run(args: &ExportArgs) -> Outcome {
    let wanted = Selection::new(&args.filter, &Here::system())?;
    let host = host(args)?;
    if let Some(path) = args.output.as_deref().filter(|path| *path != Path::new("-")) {
        return to_file(args, path, host, &wanted);
    }
    let source = Source::of(args.state.as_deref())?;
    let unwritten = |error: io::Error| Failure::failed(format!("standard output: {error}"));
    let form = form(args.format, host, out::Bulk::new()).map_err(unwritten)?;
    export(form, &wanted, &source, false).map_err(|why| why.told(unwritten))?;
    Ok(ExitStatus::Done)
}

/// Whose record it is.
fn host(args: &ExportArgs) -> Result<String, Failure> {
    match &args.host {
        Some(_) if args.format != Format::Ocsf => {
            Err(Failure::usage("--host is for --format ocsf: the other forms name no host"))
        }
        Some(name) if name.trim().is_empty() => Err(Failure::usage("the host's name is empty")),
        Some(name) => Ok(name.clone()),
        None if args.format == Format::Ocsf && !Source::is_own(args.state.as_deref()) => {
            let whose = "a copy of a state does not say whose record it is: name it, such as \
                         --host web-1";
            Err(Failure::usage(whose))
        }
        None => Ok(nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_else(|_| "localhost".to_owned())),
    }
}

fn form<W: Write>(format: Format, host: String, to: W) -> io::Result<Form<W>> {
    Ok(match format {
        Format::Jsonl => Form::Jsonl(to),
        Format::Csv => Form::Csv(Table::begin(to)?),
        Format::Ocsf => Form::Ocsf(to, host),
    })
}

/// Into a file that is there whole or not at all: a signal meanwhile leaves nothing of it.
fn to_file(args: &ExportArgs, path: &Path, host: String, wanted: &Selection<'_>) -> Outcome {
    let name = quoted(&path.to_string_lossy());
    let unwritten = |error: io::Error| Failure::failed(format!("{name}: {error}"));
    let tidy = Tidy::hold()?;
    let source = Source::of(args.state.as_deref())?;
    let draft = Draft::begin(path, args.replace)?;
    tidy.after(&draft);
    let form = form(args.format, host, draft).map_err(unwritten)?;
    let done = export(form, wanted, &source, io::stderr().is_terminal());
    let (draft, events) = done.map_err(|why| why.told(unwritten))?;
    draft.keep()?;
    out::print(&format!("{} in {name}.", count(events, "event", "events")));
    Ok(ExitStatus::Done)
}

/// Why an export came to no end.
enum Unfinished {
    Reading(Failure),
    Writing(io::Error),
}

impl Unfinished {
    fn told(self, unwritten: impl Fn(io::Error) -> Failure) -> Failure {
        match self {
            Self::Reading(failure) => failure,
            Self::Writing(error) => unwritten(error),
        }
    }
}

/// Page by page, until the end or until nobody reads any more: where it went, and how many events.
fn export<W: Write>(
    mut form: Form<W>,
    wanted: &Selection<'_>,
    source: &Source,
    shows: bool,
) -> Result<(W, usize), Unfinished> {
    let mut shown = shows.then(out::Progress::new);
    let (mut after, mut events) = (i64::MIN, 0);
    while !out::broken() {
        let mut written = Ok(());
        let read = wanted.page(source, after, |event| {
            if written.is_ok() {
                written = form.put(event);
                events += 1;
            }
        });
        let (next, head) = read.map_err(Unfinished::Reading)?;
        written.map_err(Unfinished::Writing)?;
        let Some(next) = next else { break };
        after = next;
        if let Some(shown) = &mut shown {
            shown.show("Exporting", &bar(after, head.max(1)));
        }
    }
    Ok((form.end().map_err(Unfinished::Writing)?, events))
}
