//! The text of the sudo rule file. Pure: what is to be written comes in, the file's text goes out.
//! Nothing in it was typed freely: numbers, names of checked types, and commands that the policy
//! has checked and escaped.

use std::fmt::{Arguments, Write};

use stint_policy::{RunAs, SudoRule};
use stint_proto::{GrantId, RoleName, Timestamp, Uid, UserName};

const HEADER: &str = "\
# Written by stintd and replaced whole: edits are lost. Change the policy in /etc/stint instead.
";
/// Both sudo and sudo-rs take a last line that was cut off for a whole one: so the last line is
/// one that says nothing.
const FOOTER: &str = "# End of the rules that stintd has written.\n";
const GRANT: &str = "# grant ";

/// What one grant puts into the sudo rule file.
#[derive(Clone, Debug)]
pub struct SudoEntry<'a> {
    /// Who may.
    pub uid: Uid,
    /// Their name, for whoever reads the file.
    pub user: UserName,
    /// By which grant.
    pub grant: GrantId,
    /// By which role.
    pub role: RoleName,
    /// Until when.
    pub expires_at: Timestamp,
    /// Whether sudo asks for the password.
    pub password: bool,
    /// Whether sudo records input and output.
    pub record: bool,
    /// What.
    pub rules: &'a [SudoRule],
}

/// The file's text, or `None` when no grant has rules. With `notafter`, sudo itself ends a rule
/// when its grant expires.
#[must_use]
pub(super) fn render(entries: &[SudoEntry<'_>], notafter: bool) -> Option<String> {
    let mut text = String::from(HEADER);
    let mut any = false;
    for entry in entries.iter().filter(|entry| !entry.rules.is_empty()) {
        any = true;
        put(
            &mut text,
            format_args!(
                "{GRANT}{}: {} for {} until {}\n",
                entry.grant, entry.role, entry.user, entry.expires_at
            ),
        );
        let tags = tags(entry, notafter);
        for rule in entry.rules {
            let (uid, run_as) = (entry.uid, run_as(&rule.run_as));
            put(&mut text, format_args!("#{uid} ALL=({run_as}) {tags} "));
            for (at, command) in rule.commands.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                text.push_str(&command.to_sudoers());
            }
            text.push('\n');
        }
    }
    text.push_str(FOOTER);
    any.then_some(text)
}

/// A text that stintd has not written, so that nothing can be taken out of it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotOurs;

/// The file's text without the rules of the grants that `over` says are over; `None` when no rule is
/// left, and there should be no file. Needs neither the state nor the policy.
///
/// # Errors
/// [`NotOurs`] when the text is not of the form that stintd writes.
pub(super) fn without(
    text: &str,
    over: impl Fn(&GrantId) -> bool,
) -> Result<Option<String>, NotOurs> {
    let inner = text.strip_prefix(HEADER).and_then(|rest| rest.strip_suffix(FOOTER));
    let (mut left, mut keeping) = (String::new(), None);
    for line in inner.ok_or(NotOurs)?.split_inclusive('\n') {
        if let Some(grant) = line.strip_prefix(GRANT) {
            let id = grant.split_once(": ").and_then(|(id, _)| id.parse::<GrantId>().ok());
            keeping = Some(!over(&id.ok_or(NotOurs)?));
        } else if !is_rule(line) {
            return Err(NotOurs);
        }
        if keeping.ok_or(NotOurs)? {
            left.push_str(line);
        }
    }
    Ok((!left.is_empty()).then(|| format!("{HEADER}{left}{FOOTER}")))
}

/// Whether a line begins as those do that give somebody something: `#UID ALL=(`.
fn is_rule(line: &str) -> bool {
    let rest = line.strip_prefix('#').and_then(|rest| rest.split_once(" ALL=("));
    rest.is_some_and(|(uid, _)| !uid.is_empty() && uid.bytes().all(|b| b.is_ascii_digit()))
}

fn put(text: &mut String, part: Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(part);
}

fn tags(entry: &SudoEntry<'_>, notafter: bool) -> String {
    let mut tags = String::new();
    // Whole seconds, rounded down, so that sudo is never later than the grant.
    if notafter && let Ok(end) = jiff::Timestamp::from_microsecond(entry.expires_at.micros()) {
        put(&mut tags, format_args!("NOTAFTER={} ", end.strftime("%Y%m%d%H%M%SZ")));
    }
    if entry.record {
        tags.push_str("LOG_INPUT: LOG_OUTPUT: ");
    }
    tags.push_str(if entry.password { "PASSWD:" } else { "NOPASSWD:" });
    tags
}

/// As whom, so that sudoers reads it as an account: a word of capitals would be an alias, which
/// stands for whatever another file says, and sudo-rs takes `$` in quotes only.
fn run_as(run_as: &RunAs) -> String {
    match run_as {
        RunAs::All => "ALL".to_owned(),
        RunAs::User(name) => {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b);
            let plain = name.as_str().bytes().all(plain);
            if plain { name.to_string() } else { format!("\"{name}\"") }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What entries borrow from, in tests.
    pub(in super::super) struct Given {
        pub(in super::super) user: UserName,
        pub(in super::super) grant: GrantId,
        pub(in super::super) role: RoleName,
        pub(in super::super) rules: Vec<SudoRule>,
    }

    impl Given {
        pub(in super::super) fn with(run_as: RunAs, commands: &[&str]) -> Self {
            let commands = commands.iter().map(|command| command.parse().unwrap()).collect();
            Self {
                user: "alice".parse().unwrap(),
                grant: "g4t9".parse().unwrap(),
                role: "admin".parse().unwrap(),
                rules: vec![SudoRule { run_as, commands }],
            }
        }

        pub(in super::super) fn entry(&self) -> SudoEntry<'_> {
            SudoEntry {
                uid: Uid(1000),
                user: self.user.clone(),
                grant: self.grant.clone(),
                role: self.role.clone(),
                expires_at: "2026-12-01T17:00:00.999Z".parse().unwrap(),
                password: true,
                record: false,
                rules: &self.rules,
            }
        }
    }

    fn rule_line(entry: SudoEntry<'_>, notafter: bool) -> String {
        let text = render(&[entry], notafter).unwrap();
        text.lines().find(|line| line.starts_with("#1000 ")).unwrap().to_owned()
    }

    #[test]
    fn an_account_is_never_read_as_an_alias() {
        for name in ["ADMINS", "A", "DB_1", "Admins", "svc$"] {
            let given = Given::with(RunAs::User(name.parse().unwrap()), &["ALL"]);
            let line = rule_line(given.entry(), false);
            assert_eq!(line, format!("#1000 ALL=(\"{name}\") PASSWD: ALL"));
        }
        for name in ["root", "www-data", "_apt", "j.doe"] {
            let given = Given::with(RunAs::User(name.parse().unwrap()), &["ALL"]);
            assert_eq!(rule_line(given.entry(), false), format!("#1000 ALL=({name}) PASSWD: ALL"));
        }
    }

    #[test]
    fn nothing_to_write_is_no_file() {
        assert_eq!(render(&[], true), None);
        let given = Given::with(RunAs::All, &["ALL"]);
        assert_eq!(render(&[SudoEntry { rules: &[], ..given.entry() }], true), None);
    }

    #[test]
    fn a_rule_is_one_line_for_a_uid() {
        let given = Given::with(
            RunAs::User("root".parse().unwrap()),
            &["/usr/bin/id", "/usr/bin/env A=b:c,d", "/bin/true \"\""],
        );
        let entry = given.entry();
        assert_eq!(
            rule_line(entry, false),
            "#1000 ALL=(root) PASSWD: /usr/bin/id, /usr/bin/env A\\=b\\:c\\,d, /bin/true \"\""
        );
        let given = Given::with(RunAs::All, &["ALL"]);
        let entry = SudoEntry { password: false, record: true, ..given.entry() };
        assert_eq!(
            rule_line(entry, true),
            "#1000 ALL=(ALL) NOTAFTER=20261201170000Z LOG_INPUT: LOG_OUTPUT: NOPASSWD: ALL"
        );
    }

    #[test]
    fn what_is_over_is_taken_out_and_the_rest_stays_to_the_letter() {
        let given = Given::with(RunAs::All, &["/usr/bin/id -u", "/usr/bin/true"]);
        let other = Given { grant: "k2mf".parse().unwrap(), ..Given::with(RunAs::All, &["ALL"]) };
        let both = render(&[given.entry(), other.entry()], true).unwrap();
        for (over, left) in [("g4t9", other.entry()), ("k2mf", given.entry())] {
            let found = without(&both, |id| id.as_str() == over).unwrap();
            assert_eq!(found, render(&[left], true));
        }
        assert_eq!(without(&both, |_| false).unwrap().as_ref(), Some(&both));
        assert_eq!(without(&both, |_| true), Ok(None));
        let first = both.lines().nth(1).unwrap();
        for bad in [
            both.replacen("#1000 ALL", "%wheel ALL", 1),
            both.replacen(&format!("{first}\n"), "", 1),
            both.replacen("# grant g4t9", "# grant ../x", 1),
            both.replacen(FOOTER, "", 1),
            format!("Defaults !pam_acct_mgmt\n{both}"),
            String::new(),
        ] {
            assert_eq!(without(&bad, |_| false), Err(NotOurs), "{bad}");
        }
    }

    #[test]
    fn a_file_cut_off_in_its_last_line_says_the_same() {
        let given = Given::with(RunAs::All, &["/usr/bin/id -u"]);
        let text = render(&[given.entry(), given.entry()], false).unwrap();
        assert!(text.ends_with('\n'));
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("# "));
        let rules = |text: &str| text.lines().filter(|line| line.starts_with("#1")).count();
        assert_eq!(rules(&text), 2);
        assert_eq!(rules(&text[..text.len() - last.len()]), 2);
    }
}
