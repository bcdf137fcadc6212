//! One statement of sudoers, read as far as it matters who may run what (sudoers(5), grammar).
//! What is not understood is `None`, never a guess.

use super::model::{Command, Member, Privilege, Rule, Run, Statement, Who};

/// Words with `:` behind them that say how commands run.
const TAGS: &[&str] = &[
    "EXEC",
    "NOEXEC",
    "FOLLOW",
    "NOFOLLOW",
    "INTERCEPT",
    "NOINTERCEPT",
    "LOG_INPUT",
    "NOLOG_INPUT",
    "LOG_OUTPUT",
    "NOLOG_OUTPUT",
    "MAIL",
    "NOMAIL",
    "PASSWD",
    "NOPASSWD",
    "SETENV",
    "NOSETENV",
];
/// Words with `=` behind them that do.
const OPTIONS: &[&str] = &[
    "APPARMOR_PROFILE",
    "CHROOT",
    "CWD",
    "LIMITPRIVS",
    "NOTAFTER",
    "NOTBEFORE",
    "PRIVS",
    "ROLE",
    "TIMEOUT",
    "TYPE",
];

/// Reads a statement; an include is none.
pub(super) fn statement(text: &str) -> Option<Statement> {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if let Some(whom) = word.strip_prefix("Defaults")
        && (whom.is_empty() || whom.starts_with(['@', ':', '!', '>']))
    {
        return Some(Statement::Defaults(whom.to_owned(), rest.trim().to_owned()));
    }
    let mut scan = Scan::new(rest);
    match word {
        "User_Alias" => scan.aliases(Scan::list).map(Statement::Users),
        "Runas_Alias" => scan.aliases(Scan::list).map(Statement::RunAs),
        "Host_Alias" => scan.aliases(Scan::list).map(Statement::Hosts),
        "Cmnd_Alias" | "Cmd_Alias" => scan.aliases(Scan::commands).map(Statement::Commands),
        _ => Scan::new(text).rule().map(Statement::Rule),
    }
}

struct Scan {
    letters: Vec<char>,
    at: usize,
}

impl Scan {
    fn new(text: &str) -> Self {
        Self { letters: text.chars().collect(), at: 0 }
    }

    fn peek(&mut self) -> Option<char> {
        while self.letters.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        self.letters.get(self.at).copied()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn bangs(&mut self) -> bool {
        let mut negated = false;
        while self.eat('!') {
            negated = !negated;
        }
        negated
    }

    /// A word up to a blank or to what parts words; escapes are taken off.
    fn word(&mut self) -> Option<String> {
        self.peek();
        let mut word = String::new();
        while let Some(letter) = self.letters.get(self.at).copied() {
            match letter {
                '\\' => {
                    self.at += 1;
                    word.push(self.letters.get(self.at).copied()?);
                }
                '"' if word.is_empty() => return self.quoted(),
                c if c.is_whitespace() || "!=:,()\"#>".contains(c) => break,
                c => word.push(c),
            }
            self.at += 1;
        }
        (!word.is_empty()).then_some(word)
    }

    fn quoted(&mut self) -> Option<String> {
        self.at += 1;
        let mut word = String::new();
        loop {
            match self.letters.get(self.at).copied()? {
                '"' => break,
                '\\' if self.letters.get(self.at + 1) == Some(&'"') => {
                    self.at += 1;
                    word.push('"');
                }
                letter => word.push(letter),
            }
            self.at += 1;
        }
        self.at += 1;
        Some(word)
    }

    fn member(&mut self) -> Option<Member> {
        let negated = self.bangs();
        let who = match self.peek()? {
            '"' => quoted_name(&self.quoted()?)?,
            '%' => {
                self.at += 1;
                let is_other = self.letters.get(self.at) == Some(&':');
                let is_number = self.letters.get(self.at) == Some(&'#');
                self.at += usize::from(is_other || is_number);
                let name = self.word()?;
                match (is_other, is_number) {
                    (true, _) => Who::NonUnix(name),
                    (_, true) => Who::Gid(name.parse().ok()?),
                    _ => Who::Group(name),
                }
            }
            '+' => {
                self.at += 1;
                Who::Netgroup(self.word()?)
            }
            '#' => {
                self.at += 1;
                Who::Id(self.word()?.parse().ok()?)
            }
            _ => match self.word()? {
                word if word == "ALL" => Who::All,
                word => Who::Name(word),
            },
        };
        Some(Member { negated, who })
    }

    fn list(&mut self) -> Option<Vec<Member>> {
        let mut list = vec![self.member()?];
        while self.eat(',') {
            list.push(self.member()?);
        }
        Some(list)
    }

    fn aliases<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Option<Vec<T>>,
    ) -> Option<Vec<(String, Vec<T>)>> {
        let mut found = Vec::new();
        loop {
            let name = self.word()?;
            if !self.eat('=') {
                return None;
            }
            found.push((name, read(self)?));
            if !self.eat(':') {
                return self.peek().is_none().then_some(found);
            }
        }
    }

    fn rule(&mut self) -> Option<Rule> {
        let users = self.list()?;
        let mut privileges = Vec::new();
        loop {
            let hosts = self.list()?;
            if !self.eat('=') {
                return None;
            }
            privileges.push(Privilege { hosts, runs: self.runs()? });
            if !self.eat(':') {
                return self.peek().is_none().then_some(Rule { users, privileges });
            }
        }
    }

    fn commands(&mut self) -> Option<Vec<Command>> {
        let mut found = Vec::new();
        loop {
            self.digests()?;
            found.push(self.command()?);
            if !self.eat(',') {
                return Some(found);
            }
        }
    }

    /// What is said before a command holds for those behind it too.
    fn runs(&mut self) -> Option<Vec<Run>> {
        let mut found = Vec::new();
        let (mut users, mut groups) = (None, None);
        let (mut nopasswd, mut noexec, mut ends) = (false, false, false);
        loop {
            if self.eat('(') {
                users = match self.peek()? {
                    ':' | ')' => Some(Vec::new()),
                    _ => Some(self.list()?),
                };
                groups = if self.eat(':') { Some(self.list()?) } else { None };
                if !self.eat(')') {
                    return None;
                }
            }
            while let Some(word) = self.option()? {
                match word.as_str() {
                    "NOPASSWD" => nopasswd = true,
                    "PASSWD" => nopasswd = false,
                    "NOEXEC" => noexec = true,
                    "EXEC" => noexec = false,
                    "NOTAFTER" => ends = true,
                    _ => {}
                }
            }
            self.digests()?;
            let command = self.command()?;
            let (users, groups) = (users.clone(), groups.clone());
            found.push(Run { users, groups, nopasswd, noexec, ends, command });
            if !self.eat(',') {
                return Some(found);
            }
        }
    }

    /// A tag or an option, if one is next.
    fn option(&mut self) -> Option<Option<String>> {
        self.peek()?;
        let start = self.at;
        let mut word = String::new();
        while let Some(letter) = self.letters.get(self.at).copied() {
            if !letter.is_ascii_uppercase() && letter != '_' {
                break;
            }
            word.push(letter);
            self.at += 1;
        }
        if TAGS.contains(&word.as_str()) && self.eat(':') {
            return Some(Some(word));
        }
        if OPTIONS.contains(&word.as_str()) && self.eat('=') {
            // Up to the next blank, whatever it says.
            self.peek()?;
            if self.letters.get(self.at) == Some(&'"') {
                self.quoted()?;
            }
            while self.letters.get(self.at).is_some_and(|c| !c.is_whitespace()) {
                self.at += 1;
            }
            return Some(Some(word));
        }
        self.at = start;
        Some(None)
    }

    /// Passes by `sha256:…` before a command; several stand with commas between.
    fn digests(&mut self) -> Option<()> {
        loop {
            self.peek()?;
            let start = self.at;
            let is_digest = |scan: &Self| {
                let ahead: String = scan.letters.iter().skip(scan.at).take(7).collect();
                ahead.starts_with("sha") && ahead.ends_with(':')
            };
            if !is_digest(self) {
                return Some(());
            }
            while self.letters.get(self.at).is_some_and(|c| !c.is_whitespace() && *c != ',') {
                self.at += 1;
            }
            if self.eat(',') {
                self.peek()?;
                if !is_digest(self) {
                    self.at = start;
                    return None;
                }
            }
        }
    }

    fn command(&mut self) -> Option<Command> {
        let negated = self.bangs();
        let mut text = String::new();
        let mut in_pattern = self.peek()? == '^';
        while let Some(letter) = self.letters.get(self.at).copied() {
            match letter {
                '\\' => {
                    self.at += 1;
                    let escaped = self.letters.get(self.at).copied()?;
                    if in_pattern || !",:=\\ ".contains(escaped) {
                        text.push('\\');
                    }
                    text.push(escaped);
                }
                // A pattern ends with a word.
                '$' if in_pattern => {
                    text.push('$');
                    let next = self.letters.get(self.at + 1);
                    in_pattern = next.is_some_and(|c| !c.is_whitespace() && *c != ',');
                }
                ',' | ':' if !in_pattern => break,
                letter => text.push(letter),
            }
            self.at += 1;
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(Command { negated, text })
    }
}

/// A name in quotes, which may have its sign inside them.
fn quoted_name(text: &str) -> Option<Who> {
    let who = if let Some(rest) = text.strip_prefix("%:") {
        Who::NonUnix(rest.to_owned())
    } else if let Some(rest) = text.strip_prefix("%#") {
        Who::Gid(rest.parse().ok()?)
    } else if let Some(rest) = text.strip_prefix('%') {
        Who::Group(rest.to_owned())
    } else if let Some(rest) = text.strip_prefix('+') {
        Who::Netgroup(rest.to_owned())
    } else {
        Who::Name(text.to_owned())
    };
    Some(who)
}

#[cfg(test)]
mod tests;
