//! One PAM file, line by line, as libpam reads it: comments, continued lines, `@include`, controls
//! in words and in brackets. Keeps where every rule stands, and judges nothing.

use stint_proto::{MODULE_FILE, words};

words! {
    /// The four kinds of rules.
    Facility {
        /// `auth`
        Auth = "auth",
        /// `account`
        Account = "account",
        /// `password`
        Password = "password",
        /// `session`
        Session = "session",
    }
}

impl Facility {
    /// As the first word of a rule: in letters of any size, behind a dash or not.
    fn from_first(word: &str) -> Option<Self> {
        let word = word.strip_prefix('-').unwrap_or(word);
        Self::from_word(&word.to_ascii_lowercase())
    }
}

/// What a return value of a module does to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Ignore,
    /// It fails, at the end.
    Bad,
    /// It fails, now.
    Die,
    /// It is fine so far.
    Ok,
    /// It is fine, now, if nothing failed before.
    Done,
    /// All is forgotten.
    Reset,
    /// So many rules are jumped over.
    Jump(usize),
}

/// The second word of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// What each return value does; `default` stands for the others.
    Actions(Vec<(String, Action)>),
    /// The other file's rules of the same kind stand here.
    Include,
    /// So they do, as a stack of their own.
    Substack,
}

/// A rule, an include, or what is neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// `@include FILE`: all kinds of rules.
    IncludeAll(String),
    /// A rule.
    Rule {
        /// Which kind.
        facility: Facility,
        /// What its answer does.
        control: Control,
        /// The module, or the file for an include.
        module: String,
    },
    /// libpam would not understand it, and fails the whole file for it.
    Unreadable,
}

/// A directive and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of its first line, from 0.
    pub first: usize,
    /// The number of its last line.
    pub last: usize,
    /// What it says.
    pub directive: Directive,
}

impl Entry {
    /// Whether it is a rule of this kind; an `@include` is none.
    pub fn is_rule_of(&self, wanted: Facility) -> bool {
        matches!(&self.directive, Directive::Rule { facility, .. } if *facility == wanted)
    }

    /// Whether it is a rule that names stint's module, by name or by any path.
    pub fn names_stint(&self) -> bool {
        match &self.directive {
            Directive::Rule { control: Control::Actions(_), module, .. } => is_stint(module),
            _ => false,
        }
    }
}

/// Whether a module's name or path is stint's.
pub fn is_stint(module: &str) -> bool {
    module.rsplit('/').next() == Some(MODULE_FILE)
}

/// Every directive of a file.
pub fn parse(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (number, raw) in text.lines().enumerate() {
        let line = raw.split('#').next().unwrap_or_default();
        let cut = line.len() < raw.len();
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() {
            continue;
        }
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(rest) if !cut => (rest, true),
            _ => (line, false),
        };
        let (first, mut whole) = pending.take().unwrap_or((number, String::new()));
        whole.push_str(line);
        whole.push(' ');
        if goes_on {
            pending = Some((first, whole));
        } else {
            entries.push(Entry { first, last: number, directive: directive(&whole) });
        }
    }
    if let Some((first, _)) = pending {
        let last = text.lines().count().saturating_sub(1);
        entries.push(Entry { first, last, directive: Directive::Unreadable });
    }
    entries
}

fn directive(line: &str) -> Directive {
    let mut words = line.split_ascii_whitespace();
    let Some(first) = words.next() else { return Directive::Unreadable };
    if first.eq_ignore_ascii_case("@include") {
        return words
            .next()
            .map_or(Directive::Unreadable, |file| Directive::IncludeAll(file.to_owned()));
    }
    let Some(facility) = Facility::from_first(first) else { return Directive::Unreadable };
    let rest = line.trim_start().get(first.len()..).unwrap_or_default().trim_start();
    let (control, rest) = match rest.strip_prefix('[') {
        Some(inside) => match inside.split_once(']') {
            Some((inside, rest)) => (actions(inside), rest),
            None => return Directive::Unreadable,
        },
        None => {
            let (word, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
            (keyword(word), rest)
        }
    };
    match (control, rest.split_ascii_whitespace().next()) {
        (Some(control), Some(module)) => {
            Directive::Rule { facility, control, module: module.to_owned() }
        }
        _ => Directive::Unreadable,
    }
}

fn keyword(word: &str) -> Option<Control> {
    let actions = |success, ignore, default| {
        let action = |name: &str, action| (name.to_owned(), action);
        Some(Control::Actions(vec![
            action("success", success),
            action("new_authtok_reqd", success),
            action("ignore", ignore),
            action("default", default),
        ]))
    };
    match word.to_ascii_lowercase().as_str() {
        "required" => actions(Action::Ok, Action::Ignore, Action::Bad),
        "requisite" => actions(Action::Ok, Action::Ignore, Action::Die),
        "sufficient" => actions(Action::Done, Action::Ignore, Action::Ignore),
        "optional" => actions(Action::Ok, Action::Ignore, Action::Ignore),
        "include" => Some(Control::Include),
        "substack" => Some(Control::Substack),
        _ => None,
    }
}

fn actions(inside: &str) -> Option<Control> {
    let pairs = inside.split_ascii_whitespace().map(|pair| {
        let (name, action) = pair.split_once('=')?;
        let action = match action {
            "ignore" => Action::Ignore,
            "bad" => Action::Bad,
            "die" => Action::Die,
            "ok" => Action::Ok,
            "done" => Action::Done,
            "reset" => Action::Reset,
            number => Action::Jump(number.parse().ok()?),
        };
        Some((name.to_owned(), action))
    });
    pairs.collect::<Option<Vec<_>>>().map(Control::Actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Directive {
        let mut entries = parse(text);
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0).directive
    }

    #[test]
    fn what_libpam_would_not_read_is_unreadable() {
        for text in [
            "acount required pam_unix.so",
            "account required",
            "account [success=ok pam_unix.so",
            "account [success] pam_unix.so",
            "account maybe pam_unix.so",
            "@include",
            "account required \\",
        ] {
            assert_eq!(only(text), Directive::Unreadable, "{text}");
        }
    }

    #[test]
    fn comments_and_blank_lines_are_nothing() {
        assert!(parse("# account required pam_stint.so\n\n   \t\n#\\\n").is_empty());
        let Directive::Rule { module, .. } = only("session optional pam_mail.so noenv # [1]")
        else {
            panic!("no rule")
        };
        assert_eq!(module, "pam_mail.so");
    }

    #[test]
    fn continued_lines_are_one_rule_with_its_place() {
        let entries = parse("# x\naccount \\\n  [success=1 \\\n default=ignore] pam_unix.so\n");
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((entry.first, entry.last), (1, 3));
        let Directive::Rule { control: Control::Actions(actions), module, .. } = &entry.directive
        else {
            panic!("{entry:?}")
        };
        assert_eq!(module, "pam_unix.so");
        assert_eq!(actions[0], ("success".to_owned(), Action::Jump(1)));
    }

    #[test]
    fn a_dash_and_capitals_are_read_as_libpam_does() {
        for text in ["-account REQUISITE /x/pam_stint.so", "ACCOUNT\trequired\tpam_stint.so"] {
            let entries = parse(text);
            assert!(entries[0].is_rule_of(Facility::Account) && entries[0].names_stint(), "{text}");
        }
        assert!(!parse("account required pam_stint.so.old")[0].names_stint());
    }

    #[test]
    fn includes_name_their_file() {
        assert_eq!(only("@include common-auth"), Directive::IncludeAll("common-auth".into()));
        let Directive::Rule { control, module, .. } = only("account include system-auth") else {
            panic!("no rule")
        };
        assert_eq!((control, module.as_str()), (Control::Include, "system-auth"));
    }
}
