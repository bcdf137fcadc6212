//! Who is an administrator by other rules than sudo's: doas, polkit's administrators, and su for
//! those whom pam_wheel trusts. Reads texts; runs nothing and evaluates nothing.

use std::path::Path;

use super::files;

/// Whom a rule means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    User(String),
    Group(String),
}

/// One rule, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin {
    pub(super) whom: Whom,
    pub(super) path: String,
    pub(super) line: u32,
    pub(super) why: String,
    /// It asks for no password.
    pub(super) nopasswd: bool,
    /// It is one command, which may or may not lead further.
    pub(super) command: Option<String>,
}

const DOAS: &[&str] = &["/usr/bin/doas", "/usr/local/bin/doas"];
const DOAS_CONF: &str = "/etc/doas.conf";

/// Whom doas lets run things as root; nobody where it is not installed. The last rule that fits
/// decides (doas.conf(5)), so a later `deny` of the same name takes it back.
pub(super) fn doas(root: &Path, notes: &mut Vec<String>) -> Vec<Admin> {
    if !DOAS.iter().any(|path| files::below(root, Path::new(path)).exists()) {
        return Vec::new();
    }
    let text = files::text(root, DOAS_CONF, notes).unwrap_or_default();
    let mut found: Vec<Admin> = Vec::new();
    for (line, text) in (1_u32..).zip(text.lines()) {
        let words = doas_words(text);
        let mut words = words.iter().map(String::as_str).peekable();
        let is_permit = match words.next() {
            Some("permit") => true,
            Some("deny") => false,
            _ => continue,
        };
        let (mut nopasswd, mut in_braces) = (false, false);
        while let Some(word) = words.peek().copied() {
            match word {
                "nopass" => nopasswd = true,
                "persist" | "keepenv" | "nolog" => {}
                "setenv" => in_braces = true,
                "}" => in_braces = false,
                _ if in_braces => {}
                _ => break,
            }
            words.next();
        }
        let Some(name) = words.next() else { continue };
        let whom = match name.strip_prefix(':') {
            Some(group) => Whom::Group(group.to_owned()),
            None => Whom::User(name.to_owned()),
        };
        let rest: Vec<&str> = words.collect();
        let after = |word| rest.iter().position(|one| *one == word).map(|at| at + 1);
        let target = after("as").and_then(|at| rest.get(at).copied());
        let command = after("cmd").and_then(|at| rest.get(at).map(|one| (*one).to_owned()));
        if target.is_some_and(|target| target != "root") {
            continue;
        }
        if command.is_none() {
            found.retain(|earlier| earlier.whom != whom);
        }
        if is_permit {
            let why = match &command {
                None => "doas lets them run everything as root".to_owned(),
                Some(command) => format!("doas lets them run {command} as root"),
            };
            let path = DOAS_CONF.to_owned();
            found.push(Admin { whom, path, line, why, nopasswd, command });
        }
    }
    found
}

/// The words of a line of doas.conf, with braces apart and comments off.
fn doas_words(text: &str) -> Vec<String> {
    let text = text.split('#').next().unwrap_or_default();
    let text = text.replace('{', " { ").replace('}', " } ");
    text.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
}

/// Where polkit's rules are; of files of one name, the one in the earlier folder counts.
const POLKIT: &[&str] = &[
    "/etc/polkit-1/rules.d",
    "/run/polkit-1/rules.d",
    "/usr/local/share/polkit-1/rules.d",
    "/usr/share/polkit-1/rules.d",
];

/// Whom polkit takes for administrators: those that the first file names, in order of their names,
/// whose function says so without an `if`, and those of files with one before it. By their text:
/// nothing is evaluated.
pub(super) fn polkit(root: &Path, notes: &mut Vec<String>) -> Vec<Admin> {
    let mut names: Vec<(String, &str)> = Vec::new();
    for folder in POLKIT {
        for name in files::names(root, folder, ".rules") {
            if !names.iter().any(|(known, _)| *known == name) {
                names.push((name, folder));
            }
        }
    }
    names.sort();
    let mut found = Vec::new();
    for (name, folder) in names {
        let path = format!("{folder}/{name}");
        let text = files::text(root, &path, notes).unwrap_or_default();
        let code = without_comments(&text);
        let Some(at) = code.find("addAdminRule") else { continue };
        let function = code.get(at..).unwrap_or_default();
        for (offset, whom) in identities(function) {
            let lines = code.get(..at + offset).unwrap_or_default().matches('\n').count();
            let line = u32::try_from(lines + 1).unwrap_or(u32::MAX);
            let why = "polkit takes them for an administrator: their own password is enough for \
                       what asks for one, pkexec and run0 among it";
            let (path, why) = (path.clone(), why.to_owned());
            found.push(Admin { whom, path, line, why, nopasswd: false, command: None });
        }
        let is_certain = !function.contains("if (") && !function.contains("if(");
        if is_certain && function.contains("return [") {
            break;
        }
    }
    found
}

/// JavaScript with its comments made blank, each letter in its place.
fn without_comments(text: &str) -> String {
    let mut code = String::new();
    for line in text.split_inclusive('\n') {
        let comment = line.trim_start();
        if comment.starts_with("//") || comment.starts_with('*') || comment.starts_with("/*") {
            code.push_str(if line.ends_with('\n') { "\n" } else { "" });
        } else {
            code.push_str(line);
        }
    }
    code
}

/// The strings `unix-group:NAME` and `unix-user:NAME`, but root's, with their places.
fn identities(code: &str) -> Vec<(usize, Whom)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("unix-") {
        let place = code.len() - rest.len() + at;
        let from = rest.get(at..).unwrap_or_default();
        let end = from.find(['"', '\'']).unwrap_or(from.len());
        let word = from.get(..end).unwrap_or_default();
        if let Some(name) = word.strip_prefix("unix-group:") {
            found.push((place, Whom::Group(name.to_owned())));
        } else if let Some(name) = word.strip_prefix("unix-user:")
            && !matches!(name, "0" | "root")
        {
            found.push((place, Whom::User(name.to_owned())));
        }
        rest = from.get(end..).unwrap_or_default();
    }
    found
}

/// The groups whose members become root by su without a password. `has_wheel`: the group that
/// pam_wheel takes where none is named (pam_wheel(8)).
pub(super) fn su(root: &Path, has_wheel: bool, notes: &mut Vec<String>) -> Vec<Admin> {
    let mut found = Vec::new();
    for path in ["/etc/pam.d/su", "/etc/pam.d/su-l"] {
        let text = files::text(root, path, notes).unwrap_or_default();
        for (line, text) in (1_u32..).zip(text.lines()) {
            let mut words = text.split_whitespace();
            if !matches!(words.next(), Some("auth" | "-auth")) {
                continue;
            }
            let words: Vec<&str> = words.collect();
            let Some(at) = words.iter().position(|word| word.ends_with("pam_wheel.so")) else {
                continue;
            };
            let options = words.get(at + 1..).unwrap_or_default();
            let lets_in = matches!(words.first(), Some(&"sufficient"))
                || words.iter().take(at).any(|word| word.contains("success="));
            if !options.contains(&"trust") || options.contains(&"deny") || !lets_in {
                continue;
            }
            let named = options.iter().find_map(|option| option.strip_prefix("group="));
            let fallback = if has_wheel { "wheel" } else { "root" };
            found.push(Admin {
                whom: Whom::Group(named.unwrap_or(fallback).to_owned()),
                path: path.to_owned(),
                line,
                why: "su makes them root without a password: pam_wheel trusts them".to_owned(),
                nopasswd: true,
                command: None,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn shown(admins: &[Admin]) -> Vec<String> {
        let shown = |admin: &Admin| {
            let file = admin.path.rsplit('/').next().unwrap();
            let command = admin.command.as_deref().unwrap_or_default();
            format!("{:?} {file}:{} {command}", admin.whom, admin.line)
        };
        admins.iter().map(shown).collect()
    }

    #[test]
    fn doas_counts_where_it_is_installed_and_a_later_word_takes_an_earlier_back() {
        let text = "# permit nobody\npermit alice\npermit nopass keepenv setenv { A B=c } :ops\n\
                    permit bob as postgres\ndeny alice\npermit carol as root cmd /usr/bin/id args\n\
                    permit persist dave\n";
        let mut notes = Vec::new();
        assert!(doas(root(&[("etc/doas.conf", text)]).path(), &mut notes).is_empty());
        let root = root(&[("etc/doas.conf", text), ("usr/bin/doas", "")]);
        let found = doas(root.path(), &mut notes);
        assert_eq!(
            shown(&found),
            [
                "Group(\"ops\") doas.conf:3 ",
                "User(\"carol\") doas.conf:6 /usr/bin/id",
                "User(\"dave\") doas.conf:7 "
            ]
        );
        assert!(found[0].nopasswd && notes.is_empty());
    }

    #[test]
    fn polkits_administrators_are_those_of_the_first_file_that_is_sure() {
        let rule = |who: &str| {
            format!(
                "// unix-group:none\npolkit.addAdminRule(function(action, subject) {{\n    return [{who}];\n}});\n"
            )
        };
        let root = root(&[
            ("usr/share/polkit-1/rules.d/40-debian-sudo.rules", &rule("\"unix-group:sudo\"")),
            ("usr/share/polkit-1/rules.d/50-default.rules", &rule("\"unix-group:wheel\"")),
            (
                "etc/polkit-1/rules.d/10-x.rules",
                "polkit.addAdminRule(function(a, s) {\n  if (s.local) {\n    return ['unix-user:bob', 'unix-user:0'];\n  }\n});\n",
            ),
            (
                "etc/polkit-1/rules.d/20-y.rules",
                "polkit.addRule(function() { return 'unix-group:z'; });",
            ),
        ]);
        let found = polkit(root.path(), &mut Vec::new());
        assert_eq!(
            shown(&found),
            ["User(\"bob\") 10-x.rules:3 ", "Group(\"sudo\") 40-debian-sudo.rules:3 "]
        );
    }

    #[test]
    fn su_trusts_only_by_a_line_that_is_none_of_a_comment() {
        let su_file = "# auth sufficient pam_wheel.so trust\nauth required pam_wheel.so\n\
                       auth sufficient pam_wheel.so trust group=ops\n\
                       auth sufficient pam_wheel.so trust deny group=no\n\
                       auth [success=done default=ignore] pam_wheel.so trust use_uid\n";
        let root = root(&[("etc/pam.d/su", su_file)]);
        let found = su(root.path(), false, &mut Vec::new());
        assert_eq!(shown(&found), ["Group(\"ops\") su:3 ", "Group(\"root\") su:5 "]);
    }
}
