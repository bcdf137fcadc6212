//! The gate's lines in a PAM file: put in, found again, taken out. Text in, text out.

use stint_policy::{GateMode, Principal};
use stint_proto::{INVOKER_SERVICES, MODULE_FILE};

use super::line::{Entry, Facility, parse};
use super::stack::{Files, brings_account};

/// The line before each of the gate's two blocks.
pub const BEGIN: &str = "# stint gate: begin (written by stint gate on, removed by stint gate off)";
/// The line after each of them.
pub const END: &str = "# stint gate: end";

/// What the gate's lines shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whether it denies.
    pub mode: GateMode,
    /// Whether it asks at a terminal what for.
    pub prompt: bool,
    /// Who passes whatever it says.
    pub exempt: Vec<Principal>,
}

/// What the gate's lines in a file say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether it denies.
    pub mode: GateMode,
    /// Whether it asks at a terminal what for.
    pub prompt: bool,
    /// Who passes: `alice`, `%ops`.
    pub exempt: Vec<String>,
    /// The lines of the account block, from 1, both ends included.
    pub lines: (usize, usize),
}

/// Why the gate's lines cannot be put into a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotEdit {
    /// The last line ends with a backslash: whatever is added would become a part of it.
    LastLineContinued,
    /// A begin without an end, or the reverse.
    TornBlock {
        /// The line, from 1.
        line: usize,
    },
}

/// The account lines of the gate.
fn account_lines(service: &str, terms: &Terms) -> Vec<String> {
    let by_invoker = if INVOKER_SERVICES.contains(&service) { " use_uid" } else { "" };
    let count = terms.exempt.len();
    let exempt = terms.exempt.iter().enumerate().map(|(number, principal)| {
        let over = count - number;
        let who = match principal {
            Principal::User(user) => format!("user = {user}"),
            Principal::Group(group) => format!("user ingroup {group}"),
        };
        format!("account [success={over} default=ignore] pam_succeed_if.so quiet{by_invoker} {who}")
    });
    let asks = match terms.mode {
        GateMode::Enforce if terms.prompt => format!("account requisite {MODULE_FILE} prompt"),
        GateMode::Enforce => format!("account requisite {MODULE_FILE}"),
        // Whatever it answers, they are let in: so it must not tell them that they are not.
        GateMode::Observe => format!("account optional {MODULE_FILE} quiet"),
    };
    exempt.chain([asks]).collect()
}

/// The file's text with the gate's lines: the account lines before the first line that can bring
/// an account rule, the session line at the very end. Lines of an earlier `stint gate on` go.
///
/// # Errors
/// When lines cannot be added without changing what others mean.
pub fn put_in(
    text: &str,
    service: &str,
    terms: &Terms,
    files: Files<'_>,
) -> Result<String, CannotEdit> {
    let bare = take_out(text)?;
    if bare.trim_end_matches(['\n', '\r', ' ', '\t']).ends_with('\\') {
        return Err(CannotEdit::LastLineContinued);
    }
    let first = parse(&bare).into_iter().find(|entry| brings_account(entry, files));
    let lines: Vec<&str> = bare.split_inclusive('\n').collect();
    let at = first.map_or(lines.len(), |entry| entry.first);
    let mut whole = String::new();
    for line in lines.iter().take(at) {
        whole.push_str(line);
    }
    add_block(&mut whole, &account_lines(service, terms));
    for line in lines.iter().skip(at) {
        whole.push_str(line);
    }
    add_block(&mut whole, &[format!("session optional {MODULE_FILE}")]);
    Ok(whole)
}

fn add_block(text: &mut String, lines: &[String]) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(BEGIN);
    text.push('\n');
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(END);
    text.push('\n');
}

/// Where the gate's blocks stand: line numbers from 0, both ends included.
fn blocks(text: &str) -> Result<Vec<(usize, usize)>, CannotEdit> {
    let mut found = Vec::new();
    let mut begun = None;
    for (number, line) in text.lines().enumerate() {
        match (line.trim_end(), begun) {
            (BEGIN, None) => begun = Some(number),
            (END, Some(first)) => {
                found.push((first, number));
                begun = None;
            }
            (BEGIN, Some(_)) | (END, None) => {
                return Err(CannotEdit::TornBlock { line: number + 1 });
            }
            _ => {}
        }
    }
    match begun {
        Some(number) => Err(CannotEdit::TornBlock { line: number + 1 }),
        None => Ok(found),
    }
}

/// The file's text without the gate's blocks.
///
/// # Errors
/// When a block has lost one of its ends: its lines are then no longer known to be the gate's.
pub fn take_out(text: &str) -> Result<String, CannotEdit> {
    let blocks = blocks(text)?;
    let ours = |number: usize| blocks.iter().any(|(a, z)| (*a..=*z).contains(&number));
    let lines = text.split_inclusive('\n').enumerate();
    Ok(lines.filter(|(number, _)| !ours(*number)).map(|(_, line)| line).collect())
}

/// What the gate's account block says, if there is one and it is whole.
pub fn find(text: &str) -> Option<Found> {
    let blocks = blocks(text).ok()?;
    let entries = parse(text);
    let inside = |entry: &&Entry, (a, z): (usize, usize)| (a..=z).contains(&entry.first);
    let (block, asks) = blocks.iter().find_map(|block| {
        let mut inner = entries.iter().filter(|entry| inside(entry, *block));
        inner
            .find(|entry| entry.names_stint() && entry.is_rule_of(Facility::Account))
            .map(|entry| (*block, entry))
    })?;
    let line = |number: usize| text.lines().nth(number).unwrap_or_default();
    let mut words = line(asks.first).split_ascii_whitespace();
    let mode = match words.nth(1) {
        Some("optional") => GateMode::Observe,
        _ => GateMode::Enforce,
    };
    let prompt = words.any(|word| word == "prompt");
    let exempt = (block.0..asks.first).filter_map(|number| exempted(line(number))).collect();
    Some(Found { mode, prompt, exempt, lines: (block.0 + 1, block.1 + 1) })
}

fn exempted(line: &str) -> Option<String> {
    let (_, condition) = line.split_once("pam_succeed_if.so ")?;
    if let Some((_, group)) = condition.split_once("user ingroup ") {
        return Some(format!("%{}", group.trim()));
    }
    condition.split_once("user = ").map(|(_, user)| user.trim().to_owned())
}

/// The lines, from 1, that name the module without being the gate's.
pub fn by_hand(text: &str) -> Vec<usize> {
    let blocks = blocks(text).unwrap_or_default();
    let ours = |number: usize| blocks.iter().any(|(a, z)| (*a..=*z).contains(&number));
    let entries = parse(text).into_iter();
    entries
        .filter(|entry| entry.names_stint() && !ours(entry.first))
        .map(|entry| entry.first + 1)
        .collect()
}

/// The file's text with no rule that names the module. Where a jump counts the rule, one that
/// always succeeds takes its place, so that the jump leads where it led before.
pub fn take_out_everything(text: &str) -> String {
    let bare = take_out(text).unwrap_or_else(|_| text.to_owned());
    let entries = parse(&bare);
    let named: Vec<&Entry> = entries.iter().filter(|entry| entry.names_stint()).collect();
    let mut out = String::new();
    for (number, line) in bare.split_inclusive('\n').enumerate() {
        let Some(entry) = named.iter().find(|e| (e.first..=e.last).contains(&number)) else {
            if line.trim_end() != BEGIN && line.trim_end() != END {
                out.push_str(line);
            }
            continue;
        };
        if number == entry.first
            && let Some(facility) = counted_by_a_jump(entry, &entries)
        {
            out.push_str(&format!("{} optional pam_permit.so\n", facility.as_str()));
        }
    }
    out
}

fn counted_by_a_jump(entry: &Entry, entries: &[Entry]) -> Option<Facility> {
    use super::line::{Action, Control, Directive};
    let Directive::Rule { facility, .. } = entry.directive else { return None };
    let jumps = |earlier: &Entry| match &earlier.directive {
        Directive::Rule { control: Control::Actions(actions), facility: theirs, .. } => {
            *theirs == facility
                && actions.iter().any(|(_, action)| matches!(action, Action::Jump(_)))
        }
        _ => false,
    };
    entries.iter().take_while(|other| other.first < entry.first).any(jumps).then_some(facility)
}

#[cfg(test)]
mod tests;
