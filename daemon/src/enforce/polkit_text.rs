//! The text of the polkit rule file, and taking blocks out of it again without the state. Pure: what
//! is to be written comes in, the file's text goes out. Nothing in it was typed freely: numbers,
//! and names of checked types, written as JSON.

use std::fmt;

use serde_json::json;
use stint_policy::PolkitAction;
use stint_proto::{GrantId, RoleName, Timestamp, Uid, UserName};

const HEADER: &str = "\
// Written by stintd and replaced whole: edits are lost. Change the policy in /etc/stint instead.
";
const FOOTER: &str = "// End of the rules that stintd has written.\n";
/// How many lines a block has.
const LINES: usize = 9;

/// What one grant puts into the polkit rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolkitEntry {
    /// Who may.
    pub uid: Uid,
    /// Their name, by which polkit knows them.
    pub user: UserName,
    /// By which grant.
    pub grant: GrantId,
    /// By which role.
    pub role: RoleName,
    /// Until when; in the file in whole milliseconds, rounded down.
    pub expires_at: Timestamp,
    /// Whether polkit asks for their own password.
    pub password: bool,
    /// What; at least one.
    pub actions: Vec<PolkitAction>,
}

/// The file's text, or `None` when no grant has polkit actions. Each grant is a block of its own,
/// and each rule ends by itself, by polkit's own look at the wall clock.
#[must_use]
pub fn render(entries: &[PolkitEntry]) -> Option<String> {
    let blocks: String = entries.iter().map(block).collect();
    (!blocks.is_empty()).then(|| format!("{HEADER}{blocks}{FOOTER}"))
}

fn block(entry: &PolkitEntry) -> String {
    let PolkitEntry { uid, user, grant, role, expires_at, password, actions } = entry;
    let actions: Vec<&str> = actions.iter().map(PolkitAction::as_str).collect();
    let (name, actions) = (json!(user.as_str()), json!(actions));
    // Where polkit has the number, it has it as a signed one of 32 bits.
    let number = uid.0.cast_signed();
    // Whole milliseconds, rounded down, so that polkit is never later than the grant.
    let end = expires_at.micros().div_euclid(1_000);
    // Never one of the _KEEP kind: an answer that is kept outlives the rule.
    let result = if *password { "AUTH_SELF" } else { "YES" };
    format!(
        "\
// grant {grant}: {role} for {user} until {expires_at}
polkit.addRule(function (action, subject) {{
    if (subject.user === {name} &&
        (subject.uid === undefined || subject.uid === {number}) &&
        Date.now() < {end} &&
        {actions}.indexOf(action.id) >= 0) {{
        return polkit.Result.{result};
    }}
}});
"
    )
}

/// A text that stintd has not written: nothing may be taken out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOurs {
    /// The line at which that shows, from 1; for a block, its first.
    pub line: usize,
}

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stintd has not written what stands there at line {}", self.line)
    }
}

impl std::error::Error for NotOurs {}

/// What the file's text says, to the byte.
///
/// # Errors
/// [`NotOurs`] when it is not exactly what [`render`] makes of some entries.
pub fn read(text: &str) -> Result<Vec<PolkitEntry>, NotOurs> {
    let lines = text.split_inclusive('\n').count();
    let inner = text.strip_prefix(HEADER).ok_or(NotOurs { line: 1 })?;
    let inner = inner.strip_suffix(FOOTER).ok_or(NotOurs { line: lines })?;
    let lines: Vec<&str> = inner.split_inclusive('\n').collect();
    let blocks = lines.chunks(LINES).enumerate();
    blocks
        .map(|(number, lines)| read_block(lines).ok_or(NotOurs { line: 2 + number * LINES }))
        .collect()
}

/// The file's text without the grants that `over` says are over; `None` when none is left, and
/// there should be no file. Needs neither the state nor the policy.
///
/// # Errors
/// As [`read`].
pub fn without(text: &str, over: impl Fn(&PolkitEntry) -> bool) -> Result<Option<String>, NotOurs> {
    let mut entries = read(text)?;
    entries.retain(|entry| !over(entry));
    Ok(render(&entries))
}

fn read_block(lines: &[&str]) -> Option<PolkitEntry> {
    let [grant, _, _, uid, _, actions, result, ..] = lines else { return None };
    let (id, rest) = grant.strip_prefix("// grant ")?.trim_end().split_once(": ")?;
    let (role, rest) = rest.split_once(" for ")?;
    let (user, expires_at) = rest.split_once(" until ")?;
    let (_, number) = uid.split_once("subject.uid === undefined || subject.uid === ")?;
    let number: i32 = number.split_once(')')?.0.parse().ok()?;
    let actions = actions.trim().strip_suffix(".indexOf(action.id) >= 0) {")?;
    let actions: Vec<&str> = serde_json::from_str(actions).ok()?;
    let entry = PolkitEntry {
        uid: Uid(number.cast_unsigned()),
        user: user.parse().ok()?,
        grant: id.parse().ok()?,
        role: role.parse().ok()?,
        expires_at: expires_at.parse().ok()?,
        password: result.contains("AUTH_SELF"),
        actions: actions.iter().map(|action| action.parse().ok()).collect::<Option<_>>()?,
    };
    // What was read is what is there only if it makes the same text again.
    (block(&entry) == lines.concat()).then_some(entry)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn entry(user: &str, actions: &[&str]) -> PolkitEntry {
        PolkitEntry {
            uid: Uid(1000),
            user: user.parse().unwrap(),
            grant: "g4t9".parse().unwrap(),
            role: "units".parse().unwrap(),
            expires_at: "2026-12-01T17:00:00.999Z".parse().unwrap(),
            password: true,
            actions: actions.iter().map(|action| action.parse().unwrap()).collect(),
        }
    }

    const TEXT: &str = r#"// Written by stintd and replaced whole: edits are lost. Change the policy in /etc/stint instead.
// grant g4t9: units for alice until 2026-12-01T17:00:00.999Z
polkit.addRule(function (action, subject) {
    if (subject.user === "alice" &&
        (subject.uid === undefined || subject.uid === 1000) &&
        Date.now() < 1796144400999 &&
        ["org.x.a","org.x.b"].indexOf(action.id) >= 0) {
        return polkit.Result.AUTH_SELF;
    }
});
// End of the rules that stintd has written.
"#;

    #[test]
    fn nothing_to_write_is_no_file() {
        assert_eq!(render(&[]), None);
    }

    #[test]
    fn a_grant_is_a_block_with_its_own_end() {
        let one = entry("alice", &["org.x.a", "org.x.b"]);
        assert_eq!(render(std::slice::from_ref(&one)).unwrap(), TEXT);
        let open = PolkitEntry { password: false, uid: Uid(u32::MAX - 1), ..one };
        let text = render(&[open]).unwrap();
        assert!(text.contains("        return polkit.Result.YES;\n"), "{text}");
        assert!(text.contains("subject.uid === -2)"), "{text}");
    }

    #[test]
    fn what_was_written_is_read_again_and_what_is_over_goes() {
        let mut all = Vec::new();
        for (user, id) in [("alice", "aaaa"), ("bob", "bbbb"), ("svc$", "cccc")] {
            let one = entry(user, &["org.x.a", "org.x.b-c_D.9"]);
            all.push(PolkitEntry { grant: id.parse().unwrap(), password: id != "bbbb", ..one });
        }
        all[2].uid = Uid(4_000_000_000);
        let text = render(&all).unwrap();
        assert_eq!(read(&text).unwrap(), all);
        assert_eq!(without(&text, |_| false).unwrap().as_ref(), Some(&text));
        let less = without(&text, |entry| entry.grant.as_str() == "bbbb").unwrap().unwrap();
        assert_eq!(read(&less).unwrap(), [all[0].clone(), all[2].clone()]);
        assert_eq!(without(&less, |_| true), Ok(None));
    }

    #[test]
    fn nothing_is_taken_out_of_what_stintd_has_not_written() {
        for (from, to, line) in [
            ("// Written", "// written", 1),
            ("// End of the rules that stintd has written.\n", "", 10),
            ("written.\n", "written.", 11),
            ("Date.now() < 1796144400999", "Date.now() < 1796144401000", 2),
            ("Date.now() < 1796144400999", "true || Date.now() < 1796144400999", 2),
            ("\"alice\"", "\"bob\"", 2),
            ("AUTH_SELF", "AUTH_SELF_KEEP", 2),
            ("AUTH_SELF", "YES", 0),
            ("\"org.x.b\"", "\"org.x.*\"", 2),
            ("});\n", "});\npolkit.addRule(function () { return \"yes\"; });\n", 11),
            ("// grant", "\n// grant", 2),
            ("});\n", "", 2),
        ] {
            let text = TEXT.replacen(from, to, 1);
            assert_ne!(text, TEXT, "{from}");
            match line {
                0 => assert!(read(&text).is_ok(), "{text}"),
                line => assert_eq!(read(&text), Err(NotOurs { line }), "{text}"),
            }
        }
        assert_eq!(read(""), Err(NotOurs { line: 1 }));
        assert_eq!(read(&format!("{HEADER}{FOOTER}")), Ok(Vec::new()));
    }

    #[test]
    fn no_name_can_leave_its_quotes() {
        // What would, is no name; what is one, stands in quotes as it is.
        for name in ["a\"b", "a\\", "a\nb", "a'b", "a b", "*/", "a;b", "</a>", "a\u{2028}b"] {
            assert!(name.parse::<UserName>().is_err(), "{name:?}");
            assert!(name.parse::<PolkitAction>().is_err(), "{name:?}");
            assert!(name.parse::<RoleName>().is_err(), "{name:?}");
        }
        let text = render(&[entry("a.b-c_d$", &["a.B-c_9"])]).unwrap();
        assert!(text.contains("subject.user === \"a.b-c_d$\" &&\n"), "{text}");
        assert!(text.contains("[\"a.B-c_9\"].indexOf"), "{text}");
        assert_eq!(text.lines().count(), 2 + LINES);
    }
}
