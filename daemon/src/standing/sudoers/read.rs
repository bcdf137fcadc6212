//! sudoers and all that it includes, as sudo reads them. Where sudo's own converter is installed it
//! says which rules there are, and stint's reading of the files only where each is written; sudo-rs
//! brings none, and there stint's reading is all there is.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stint_proto::SUDO_RULE_FILE;

use super::super::files;
use super::grammar::statement;
use super::lines::lines;
use super::model::{Aliases, At, Rule, Statement};
use crate::enforce::run::output_of;

/// Those of sudo; sudo-rs has none.
const CONVERTERS: &[&str] =
    &["usr/bin/cvtsudoers", "usr/sbin/cvtsudoers", "usr/local/bin/cvtsudoers"];
const CONVERTER_LIMIT: Duration = Duration::from_secs(10);
/// The most that a converter may say.
const CONVERTED: usize = 8 << 20;
/// The programs of sudo-rs.
const SUDO_RS: &[&str] = &["usr/lib/cargo/bin/sudo", "usr/bin/sudo-rs"];
/// How deep files may include each other, and how many there may be.
const DEPTH: usize = 64;
/// How often it is read again if a file changes meanwhile.
const TRIES: usize = 3;
const FILES: usize = 2_000;

/// The rules of this host.
#[derive(Debug, Default)]
pub struct Rules {
    /// Each with its place, where that is known.
    pub(super) rules: Vec<(Rule, Option<At>)>,
    pub(super) aliases: Aliases,
    /// sudo asks for a password that is not the caller's.
    pub(super) asks_for_another: bool,
    /// sudo asks nobody for a password.
    pub(super) asks_nobody: bool,
    /// What could not be read, or is read otherwise than it seems, a line each.
    pub notes: Vec<String>,
}

/// Reads the rules below this root, for a host of this name.
#[must_use]
pub fn read(root: &Path, host: &str) -> Rules {
    let mut all = Rules::default();
    let sudo_rs = SUDO_RS.iter().any(|path| root.join(path).exists());
    let own_file = sudo_rs && root.join("etc/sudoers-rs").exists();
    let converter = CONVERTERS.iter().map(|path| root.join(path)).find(|path| path.exists());
    // sudo-rs prefers a file of its own; sudo does not know it.
    if own_file {
        all.take(Reading::of(root, "/etc/sudoers-rs", host), None);
    }
    if !own_file || converter.is_some() {
        let sudoers = root.join("etc/sudoers");
        let own = || Reading::of(root, "/etc/sudoers", host);
        let (mut before, mut said) = (own(), None);
        for _ in 0..TRIES {
            said = converter.as_ref().map(|path| converted(path, &sudoers));
            let after = own();
            // Somebody, stint itself perhaps, wrote one meanwhile.
            let same = after.rules == before.rules;
            before = after;
            if same {
                break;
            }
        }
        all.take(before, said);
    }
    all
}

/// What sudo's own converter makes of the file and all that it includes, as one file.
fn converted(converter: &Path, sudoers: &Path) -> Result<String, String> {
    let args = ["-f".as_ref(), "sudoers".as_ref(), sudoers];
    let ran = output_of(converter, &args, CONVERTER_LIMIT, CONVERTED)
        .map_err(|error| error.to_string())?;
    if ran.success {
        Ok(ran.output.replace('\0', "\u{fffd}"))
    } else {
        Err("it refuses them; see  visudo -c".to_owned())
    }
}

impl Rules {
    fn take(&mut self, own: Reading<'_>, said: Option<Result<String, String>>) {
        self.notes.extend(own.notes);
        let told = match said {
            Some(Ok(text)) => Some(text),
            Some(Err(why)) => {
                let text = "the rules of sudo are shown as stint reads them, not as sudo does";
                self.notes.push(format!("{text}: {why}"));
                None
            }
            None => None,
        };
        let Some(text) = told else {
            self.notes.extend(own.unread);
            self.learn(own.statements.iter().map(|(statement, _)| statement.clone()));
            let kept = own.rules.into_iter().filter(|(_, _, counts)| *counts);
            self.rules.extend(kept.map(|(rule, at, _)| (rule, Some(at))));
            return;
        };
        let read: Vec<_> = lines(&text).iter().map(|line| statement(&line.text)).collect();
        let unread = read.iter().filter(|statement| statement.is_none()).count();
        if unread > 0 {
            let text = format!("{unread} rules of sudo are in words that stint does not know");
            self.notes.push(text);
        }
        self.learn(read.iter().flatten().cloned());
        let mut own: Vec<Option<(Rule, At, bool)>> = own.rules.into_iter().map(Some).collect();
        for statement in read.into_iter().flatten() {
            let Statement::Rule(rule) = statement else { continue };
            let written =
                own.iter_mut().find(|one| one.as_ref().is_some_and(|(o, _, _)| *o == rule));
            match written.and_then(Option::take) {
                Some((rule, at, true)) => self.rules.push((rule, Some(at))),
                Some((_, _, false)) => {}
                None => self.rules.push((rule, None)),
            }
        }
        self.notes.extend(own.into_iter().flatten().filter(|(_, _, counts)| *counts).map(
            |(_, at, _)| format!("{}:{}: sudo reads this otherwise than stint", at.path, at.line),
        ));
    }

    fn learn(&mut self, statements: impl Iterator<Item = Statement>) {
        for statement in statements {
            match statement {
                Statement::Users(found) => self.aliases.users.extend(found),
                Statement::RunAs(found) => self.aliases.run_as.extend(found),
                Statement::Hosts(found) => self.aliases.hosts.extend(found),
                Statement::Commands(found) => self.aliases.commands.extend(found),
                Statement::Defaults(whom, said) if whom.is_empty() => {
                    let mut words = said.split(',').map(str::trim);
                    let mut has = |wanted: &[&str]| words.any(|word| wanted.contains(&word));
                    if has(&["targetpw", "rootpw", "runaspw"]) {
                        self.asks_for_another = true;
                    }
                    self.asks_nobody |= said.split(',').any(|word| word.trim() == "!authenticate");
                }
                Statement::Defaults(..) | Statement::Rule(_) => {}
            }
        }
    }
}

/// stint's own reading of a file and what it includes.
struct Reading<'a> {
    root: &'a Path,
    host: &'a str,
    /// A rule, where it is, and whether it counts: it is neither stint's nor in a file that sudo
    /// passes by.
    rules: Vec<(Rule, At, bool)>,
    statements: Vec<(Statement, String)>,
    notes: Vec<String>,
    unread: Vec<String>,
    open: BTreeSet<PathBuf>,
    files: usize,
}

impl<'a> Reading<'a> {
    fn of(root: &'a Path, path: &str, host: &'a str) -> Self {
        let (rules, statements, notes, unread) = Default::default();
        let open = BTreeSet::new();
        let mut reading = Self { root, host, rules, statements, notes, unread, open, files: 0 };
        reading.file(Path::new(path), true);
        reading
    }

    fn file(&mut self, path: &Path, must_be: bool) {
        self.files += 1;
        if self.open.len() > DEPTH || self.files > FILES || !self.open.insert(path.to_owned()) {
            self.notes.push(format!("{}: included too deep, or by itself", path.display()));
            return;
        }
        let shown = path.to_string_lossy().into_owned();
        match files::read_with(&files::below(self.root, path)) {
            Ok((bytes, metadata)) => {
                let by_others = metadata.mode() & 0o002 != 0
                    || metadata.mode() & 0o020 != 0 && metadata.gid() != 0;
                // A test is not root's.
                let foreign = metadata.uid() != 0 && self.root == Path::new("/");
                if by_others || foreign {
                    let text = "sudo passes it by, as somebody but root may write it";
                    self.notes.push(format!("{shown}: {text}"));
                }
                let counts = !by_others && !foreign && shown != SUDO_RULE_FILE;
                self.text(path, &files::readable(&bytes), counts);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_be => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => self.notes.push(format!("{shown}: {error}")),
        }
        self.open.remove(path);
    }

    fn text(&mut self, path: &Path, text: &str, counts: bool) {
        let shown = path.to_string_lossy().into_owned();
        for line in lines(text) {
            if let Some((is_folder, target)) = include(&line.text) {
                self.include(path, is_folder, &target);
                continue;
            }
            match statement(&line.text) {
                Some(Statement::Rule(rule)) => {
                    let at = At { path: shown.clone(), line: line.line, text: line.raw };
                    self.rules.push((rule, at, counts));
                }
                Some(other) => self.statements.push((other, shown.clone())),
                None => {
                    self.unread.push(format!("{shown}:{}: stint cannot read this rule", line.line))
                }
            }
        }
    }

    fn include(&mut self, from: &Path, is_folder: bool, target: &str) {
        let short = self.host.split('.').next().unwrap_or_default();
        let target = target.replace("%h", short);
        let path = from.parent().unwrap_or(Path::new("/")).join(target);
        if !is_folder {
            return self.file(&path, false);
        }
        let Ok(entries) = std::fs::read_dir(files::below(self.root, &path)) else { return };
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names.iter().map(OsStr::new) {
            let text = name.to_string_lossy();
            if !text.contains('.') && !text.ends_with('~') {
                self.file(&path.join(name), false);
            }
        }
    }
}

/// What an include includes, and whether it is a folder.
fn include(text: &str) -> Option<(bool, String)> {
    let text = text.trim();
    let rest = text.strip_prefix('@').or_else(|| text.strip_prefix('#'))?;
    let (word, path) = rest.split_once(char::is_whitespace)?;
    let is_folder = match word {
        "include" => false,
        "includedir" => true,
        _ => return None,
    };
    let path = path.trim();
    let bare = path.strip_prefix('"').and_then(|path| path.strip_suffix('"'));
    Some((is_folder, bare.map_or_else(|| path.replace("\\ ", " "), str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn includes_are_followed_each_rule_keeps_its_place_and_none_goes_in_circles() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        };
        put(
            "etc/sudoers",
            "User_Alias A = alice\nA ALL=ALL\n@include more\n#includedir /etc/sudoers.d\n",
        );
        put("etc/more", "# x\n@include sudoers\nbob ALL=ALL\n");
        put("etc/sudoers.d/b", "carol \\\n ALL=ALL\n");
        put("etc/sudoers.d/a", "%x ALL=ALL\n");
        put("etc/sudoers.d/c.bak", "dave ALL=ALL\n");
        put("etc/sudoers.d/stint", "erin ALL=ALL\n");
        put("etc/sudoers.d/d~", "frank ALL=ALL\n");
        let rules = read(root.path(), "web-1");
        let places: Vec<_> = rules
            .rules
            .iter()
            .map(|(_, at)| at.as_ref().map(|at| format!("{}:{}", at.path, at.line)).unwrap())
            .collect();
        assert_eq!(
            places,
            ["/etc/sudoers:2", "/etc/more:3", "/etc/sudoers.d/a:1", "/etc/sudoers.d/b:1"]
        );
        assert_eq!(rules.rules[3].1.as_ref().unwrap().text, "carol \\\n ALL=ALL");
        assert_eq!(rules.notes, ["/etc/sudoers: included too deep, or by itself"]);
        assert!(rules.aliases.users.contains_key("A"));
    }

    #[test]
    fn what_sudo_itself_says_decides_and_the_files_say_where() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(
            root.path().join("etc/sudoers"),
            "alice ALL=(ALL:ALL) NOPASSWD:ALL\nbob ALL=ALL\n",
        )
        .unwrap();
        let own = || Reading::of(root.path(), "/etc/sudoers", "web-1");
        let mut rules = Rules::default();
        let said = "alice ALL = (ALL : ALL) NOPASSWD: ALL\n\ncarol ALL = ALL\n\n)x(\n";
        rules.take(own(), Some(Ok(said.to_owned())));
        let lines: Vec<_> =
            rules.rules.iter().map(|(_, at)| at.as_ref().map(|at| at.line)).collect();
        assert_eq!(lines, [Some(1), None]);
        assert_eq!(rules.notes.len(), 2, "{:?}", rules.notes);
        let mut rules = Rules::default();
        rules.take(own(), Some(Err("no".to_owned())));
        assert_eq!((rules.rules.len(), rules.notes.len()), (2, 1));
    }
}
