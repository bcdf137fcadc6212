//! Whether a denial by stint's module can be let through by the rest of a service's account
//! stack. Walks every way that the modules' answers could take, as libpam's dispatcher does;
//! knows nothing of the host but the files it is handed.

use std::collections::HashSet;

use super::line::{Action, Control, Directive, Entry, Facility, is_stint, parse};

/// Where PAM files come from: the text of a service's file, if there is one.
pub type Files<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Includes deeper than this are a loop (libpam gives up at 32, too).
const DEPTH: usize = 32;

/// A place in a PAM file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The service whose file it is.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// How a denial is let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leak {
    /// The stack does not name the module.
    Absent,
    /// A rule before the module can end the stack, or jump over the module.
    PassedBy(Place),
    /// The module's own control does not stop the stack when it denies.
    Weak(Place),
    /// A file that the stack includes is not there, or includes itself.
    Broken(Place),
}

/// One rule of the flat stack.
#[derive(Clone, Debug)]
struct Flat {
    level: usize,
    actions: Vec<(String, Action)>,
    module: String,
    place: Place,
}

impl Flat {
    fn action(&self, answer: &str) -> Action {
        let find = |wanted: &str| self.actions.iter().rev().find(|(name, _)| name == wanted);
        find(answer).or_else(|| find("default")).map_or(Action::Bad, |(_, action)| *action)
    }

    /// Everything that the module could answer, as far as it makes a difference.
    fn answers(&self) -> Vec<&str> {
        let module = self.module.rsplit('/').next().unwrap_or_default();
        match module {
            "pam_deny.so" => vec!["acct_expired"],
            "pam_permit.so" => vec!["success"],
            _ if is_stint(&self.module) => vec!["perm_denied"],
            _ => {
                let mut answers = vec!["success", "ignore", "new_authtok_reqd", "perm_denied"];
                let named = self.actions.iter().map(|(name, _)| name.as_str());
                answers.extend(named.filter(|name| *name != "default"));
                answers
            }
        }
    }
}

/// The ways in which a denial by the module in the account phase of `service` is let through;
/// `None` if there is none. `ignore` names lines, as (file, line from 1), that are known to jump
/// only for those who are exempt.
pub fn leak(service: &str, files: Files<'_>, exempt: &dyn Fn(&Place) -> bool) -> Option<Leak> {
    let mut flat = Vec::new();
    if let Err(place) = flatten(service, files, 0, 0, &mut flat) {
        return Some(Leak::Broken(place));
    }
    flat.retain(|rule| !exempt(&rule.place));
    let Some(last) = flat.iter().rposition(|rule| is_stint(&rule.module)) else {
        return Some(Leak::Absent);
    };
    let mut walk = Walk { flat: &flat, last, seen: HashSet::new(), found: Vec::new() };
    walk.from(Step { at: 0, mood: Mood::Open, asked: None, by: None });
    let passed = walk.found.iter().find(|leak| matches!(leak, Leak::PassedBy(_)));
    passed.or(walk.found.first()).cloned()
}

/// Whether the account stack of `service` names the module anywhere, and in which file.
pub fn named_at(service: &str, files: Files<'_>) -> Option<Place> {
    let mut flat = Vec::new();
    // What could be read before a broken include still counts.
    let _ = flatten(service, files, 0, 0, &mut flat);
    flat.into_iter().find(|rule| is_stint(&rule.module)).map(|rule| rule.place)
}

/// Whether an entry can bring account rules: itself one, or a file that has some or is unknown.
pub fn brings_account(entry: &Entry, files: Files<'_>) -> bool {
    fn file_brings(file: &str, files: Files<'_>, depth: usize) -> bool {
        let Some(text) = files(file) else { return true };
        depth >= DEPTH || parse(&text).iter().any(|entry| entry_brings(entry, files, depth + 1))
    }
    fn entry_brings(entry: &Entry, files: Files<'_>, depth: usize) -> bool {
        match &entry.directive {
            Directive::IncludeAll(file) => file_brings(file, files, depth),
            Directive::Rule { facility, .. } => *facility == Facility::Account,
            Directive::Unreadable => true,
        }
    }
    entry_brings(entry, files, 0)
}

fn flatten(
    file: &str,
    files: Files<'_>,
    level: usize,
    depth: usize,
    flat: &mut Vec<Flat>,
) -> Result<(), Place> {
    let broken = Place { file: file.to_owned(), line: 1 };
    let text = files(file).filter(|_| depth < DEPTH).ok_or(broken)?;
    for entry in parse(&text) {
        let place = Place { file: file.to_owned(), line: entry.first + 1 };
        let include = |name: &str, level, flat: &mut Vec<Flat>| {
            flatten(name, files, level, depth + 1, flat).map_err(|inner| {
                if inner.file == name && inner.line == 1 { place.clone() } else { inner }
            })
        };
        match entry.directive {
            Directive::IncludeAll(name) => include(&name, level, flat)?,
            Directive::Rule { facility: Facility::Account, control, module } => match control {
                Control::Include => include(&module, level, flat)?,
                Control::Substack => include(&module, level + 1, flat)?,
                Control::Actions(actions) => {
                    flat.push(Flat { level, actions, module, place: place.clone() });
                }
            },
            Directive::Rule { .. } => {}
            Directive::Unreadable => {
                // libpam makes a rule of it that always fails.
                let actions = vec![("default".to_owned(), Action::Bad)];
                flat.push(Flat { level, actions, module: "pam_deny.so".into(), place });
            }
        }
    }
    Ok(())
}

/// What the stack would answer if it ended here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mood {
    /// Nothing yet, which is a denial at the end.
    Open,
    Good,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Step {
    at: usize,
    mood: Mood,
    /// Where the module denied.
    asked: Option<usize>,
    /// The rule that last left the straight way while the module was still ahead.
    by: Option<usize>,
}

struct Walk<'a> {
    flat: &'a [Flat],
    last: usize,
    seen: HashSet<Step>,
    found: Vec<Leak>,
}

impl Walk<'_> {
    fn from(&mut self, first: Step) {
        let mut open = vec![first];
        while let Some(step) = open.pop() {
            if !self.seen.insert(step.clone()) {
                continue;
            }
            let Some(rule) = self.flat.get(step.at) else {
                self.end(&step);
                continue;
            };
            for answer in rule.answers() {
                open.push(self.next(&step, rule, answer));
            }
        }
    }

    fn next(&self, step: &Step, rule: &Flat, answer: &str) -> Step {
        let mut next = step.clone();
        next.at += 1;
        if is_stint(&rule.module) {
            next.asked = Some(step.at);
        }
        match rule.action(answer) {
            Action::Ignore => {}
            Action::Bad => next.mood = Mood::Failed,
            Action::Die => {
                next.mood = Mood::Failed;
                next.at = self.end_of(step.at, rule.level);
            }
            Action::Reset => next.mood = Mood::Open,
            Action::Ok => next.mood = better(step.mood, answer),
            Action::Done => {
                next.mood = better(step.mood, answer);
                if next.mood == Mood::Good {
                    next.at = self.end_of(step.at, rule.level);
                }
            }
            Action::Jump(count) => next.at = self.jump(step.at, rule.level, count),
        }
        if next.at > step.at + 1 && step.at < self.last {
            next.by = Some(step.at);
        }
        next
    }

    /// Where a stack of this level ends: an inner stack ends into the outer one.
    fn end_of(&self, at: usize, level: usize) -> usize {
        if level == 0 {
            return self.flat.len();
        }
        let rest = self.flat.iter().enumerate().skip(at + 1);
        let mut outer = rest.filter(|(_, rule)| rule.level < level);
        outer.next().map_or(self.flat.len(), |(number, _)| number)
    }

    /// Jumps over `count` rules; an inner stack counts as one, and no jump leaves its stack.
    fn jump(&self, at: usize, level: usize, count: usize) -> usize {
        let level_at = |at: usize| self.flat.get(at).map(|rule| rule.level);
        let mut next = at + 1;
        for _ in 0..count {
            if level_at(next).is_none_or(|found| found < level) {
                break;
            }
            next += 1;
            while level_at(next).is_some_and(|found| found > level) {
                next += 1;
            }
        }
        next
    }

    fn end(&mut self, step: &Step) {
        let place = |number: usize| self.flat.get(number).map(|rule| rule.place.clone());
        if step.mood != Mood::Good {
            return;
        }
        let leak = match (step.asked.and_then(place), step.by.and_then(place)) {
            (Some(place), _) => Leak::Weak(place),
            (None, Some(by)) => Leak::PassedBy(by),
            (None, None) => Leak::Absent,
        };
        self.found.push(leak);
    }
}

/// A password that must be changed first lets in, once it is changed.
fn better(mood: Mood, answer: &str) -> Mood {
    match (mood, answer) {
        (Mood::Failed, _) => Mood::Failed,
        (mood, "ignore") => mood,
        (_, "success" | "new_authtok_reqd") => Mood::Good,
        _ => Mood::Failed,
    }
}

#[cfg(test)]
mod tests;
