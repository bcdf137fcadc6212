//! Sudo rules: what may be written, and how sudoers writes it. What is accepted here cannot be
//! read by sudoers as anything but itself; where sudoers has a second meaning for a character,
//! the character is refused, or escaped.

use std::fmt;
use std::str::FromStr;

use stint_proto::UserName;

use crate::text::{self, quoted};

/// The most characters of a command.
pub const COMMAND_LIMIT: usize = 1024;

/// As whom commands run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunAs {
    /// As anybody.
    All,
    /// As this account.
    User(UserName),
}

/// As sudoers writes it, without the parentheses.
impl fmt::Display for RunAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad("ALL"),
            Self::User(name) => f.pad(name.as_str()),
        }
    }
}

/// One entry of a role's `sudo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SudoRule {
    /// As whom.
    pub run_as: RunAs,
    /// What; never empty.
    pub commands: Vec<SudoCommand>,
}

impl SudoRule {
    /// The commands as sudoers lists them: `/usr/bin/id, /usr/bin/systemctl restart nginx`.
    #[must_use]
    pub fn commands_to_sudoers(&self) -> String {
        self.commands.iter().map(SudoCommand::to_sudoers).collect::<Vec<_>>().join(", ")
    }
}

/// What may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SudoCommand {
    /// Anything.
    All,
    /// One program.
    Exact {
        /// Where it is: absolute, and free of what sudoers reads otherwise.
        path: String,
        /// With which arguments.
        args: Args,
    },
}

/// With which arguments a program may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Args {
    /// With any.
    Any,
    /// With none; written `""`.
    None,
    /// With exactly these, parted by single blanks.
    These(String),
}

/// Why a text is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCommand {
    /// There is nothing.
    Empty,
    /// It is longer than [`COMMAND_LIMIT`].
    TooLong,
    /// It begins with `!`.
    Exclusion,
    /// It does not begin with `/`.
    Relative {
        /// What was found.
        found: String,
    },
    /// It names a folder, or has an empty, `.` or `..` component.
    Path {
        /// What was found.
        found: String,
    },
    /// A character that sudoers, a shell or a terminal would read otherwise.
    Character {
        /// Which.
        found: char,
    },
}

impl fmt::Display for BadCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a command is empty"),
            Self::TooLong => write!(f, "a command has more than {COMMAND_LIMIT} characters"),
            Self::Exclusion => write!(f, "a command begins with '!', and exclusions do not hold"),
            Self::Relative { found } => write!(f, "{} is no absolute path", quoted(found)),
            Self::Path { found } => write!(f, "{} is no path of one program", quoted(found)),
            Self::Character { found } => {
                write!(f, "{} may not stand in a command", quoted(&found.to_string()))
            }
        }
    }
}

impl BadCommand {
    /// What would be right.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Exclusion => "name what is allowed, not what is not",
            Self::Character { .. } => "write path and arguments out, without wildcards and quotes",
            _ => "such as \"/usr/bin/systemctl restart nginx\", or \"ALL\"",
        }
    }
}

impl std::error::Error for BadCommand {}

/// Whether sudoers would read more into this character than itself: wildcards, quoting, the
/// beginning of a comment (`#`) or of a regular expression (`^`).
const fn has_second_meaning(c: char) -> bool {
    matches!(c, '*' | '?' | '[' | ']' | '\\' | '"' | '\'' | '#' | '^')
}

fn check_characters(text: &str) -> Result<(), BadCommand> {
    let bad = |c: &char| {
        has_second_meaning(*c) || !text::is_harmless(*c) || (c.is_whitespace() && *c != ' ')
    };
    match text.chars().find(bad) {
        Some(found) => Err(BadCommand::Character { found }),
        None => Ok(()),
    }
}

fn check_path(path: &str) -> Result<(), BadCommand> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err(BadCommand::Relative { found: path.to_owned() });
    };
    if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(BadCommand::Path { found: path.to_owned() });
    }
    check_characters(path)
}

impl FromStr for SudoCommand {
    type Err = BadCommand;

    fn from_str(text: &str) -> Result<Self, BadCommand> {
        if text.chars().nth(COMMAND_LIMIT).is_some() {
            return Err(BadCommand::TooLong);
        }
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let path = words.next().ok_or(BadCommand::Empty)?;
        let args: Vec<&str> = words.collect();
        if text.starts_with('!') {
            return Err(BadCommand::Exclusion);
        }
        if path == "ALL" && args.is_empty() {
            return Ok(Self::All);
        }
        check_path(path)?;
        let args = match args.as_slice() {
            [] => Args::Any,
            ["\"\""] => Args::None,
            words => {
                let joined = words.join(" ");
                check_characters(&joined)?;
                Args::These(joined)
            }
        };
        Ok(Self::Exact { path: path.to_owned(), args })
    }
}

/// What sudoers takes for punctuation, escaped.
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, ',' | ':' | '=') {
            written.push('\\');
        }
        written.push(c);
    }
    written
}

impl SudoCommand {
    /// As it is written into a sudoers file: no comma, colon or equals sign without a backslash,
    /// and no line break, so that one command stays one command.
    #[must_use]
    pub fn to_sudoers(&self) -> String {
        match self {
            Self::All => "ALL".to_owned(),
            Self::Exact { path, args } => match args {
                Args::Any => escaped(path),
                Args::None => format!("{} \"\"", escaped(path)),
                Args::These(args) => format!("{} {}", escaped(path), escaped(args)),
            },
        }
    }
}

/// As it is written in the policy.
impl fmt::Display for SudoCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad("ALL"),
            Self::Exact { path, args: Args::Any } => f.pad(path),
            Self::Exact { path, args: Args::None } => write!(f, "{path} \"\""),
            Self::Exact { path, args: Args::These(args) } => write!(f, "{path} {args}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_sudoers_could_read_otherwise() {
        let hostile = [
            "",
            " ",
            "ALL ALL",
            "all",
            "id",
            "./id",
            "!/usr/bin/id",
            "!ALL",
            "/",
            "/usr/bin/",
            "/usr//bin/id",
            "/usr/../bin/id",
            "/usr/./bin/id",
            "/usr/bin/*",
            "/usr/bin/i?",
            "/usr/bin/[a]",
            "/usr/bin/id\n",
            "/usr/bin/id\nALL",
            "/usr/bin/id \\",
            "/a\\,b",
            "/usr/bin/id # x",
            "/usr/bin/id ^.*$",
            "/usr/bin/id \"a b\"",
            "/usr/bin/id 'a'",
            "/usr/bin/id a \"\"",
            "/usr/bin/id\ta",
            "/usr/bin/id \u{202e}",
            "/usr/bin/id \u{a0}",
            "sudoedit /etc/passwd",
            "sha256:00 /usr/bin/id",
            "/usr/bin/id \u{0}",
            "^/usr/bin/id$",
        ];
        for text in hostile {
            assert!(text.parse::<SudoCommand>().is_err(), "{text:?}");
        }
        let long = format!("/usr/bin/id {}", "x".repeat(COMMAND_LIMIT));
        assert_eq!(long.parse::<SudoCommand>(), Err(BadCommand::TooLong));
    }

    #[test]
    fn writes_what_it_takes() {
        let pairs = [
            ("ALL", "ALL"),
            ("/usr/bin/id", "/usr/bin/id"),
            ("/usr/bin/id \"\"", "/usr/bin/id \"\""),
            ("/usr/bin/systemctl  restart nginx ", "/usr/bin/systemctl restart nginx"),
            ("/bin/mount -o ro,uid=0 a:b", "/bin/mount -o ro\\,uid\\=0 a\\:b"),
            ("/opt/a=b:c,d ALL", "/opt/a\\=b\\:c\\,d ALL"),
        ];
        for (text, written) in pairs {
            assert_eq!(text.parse::<SudoCommand>().unwrap().to_sudoers(), written);
        }
    }

    fn bare_punctuation(line: &str) -> bool {
        let mut before = ' ';
        line.chars().any(|c| {
            let bare = matches!(c, ',' | ':' | '=' | '\n' | '\r' | '#') && before != '\\';
            before = c;
            bare
        })
    }

    proptest! {
        #[test]
        fn no_command_widens_the_line(text in "/[ -~\n\u{80}-\u{ff}]{1,60}") {
            if let Ok(command) = text.parse::<SudoCommand>() {
                let written = command.to_sudoers();
                prop_assert!(!bare_punctuation(&written), "{written:?}");
                prop_assert!(!written.contains(['*', '?', '[', ']', '^', '\'', '\n']));
                prop_assert!(!written.ends_with('\\'));
                let again: SudoCommand = command.to_string().parse().unwrap();
                prop_assert_eq!(again, command);
            }
        }

        #[test]
        fn most_plain_commands_are_taken(path in "/[a-z]{1,8}/[a-z]{1,8}", args in "[a-z,:=-]{0,20}") {
            let text = format!("{path} {args}");
            prop_assert!(text.parse::<SudoCommand>().is_ok());
        }
    }
}
