//! What the rules come to on this host: who is meant, and how far it goes. Asks nobody; who an
//! account is comes in as a value.

use stint_proto::StandingWeight;

use super::commands::leads_to_root;
use super::model::{At, Command, DEPTH, Member, Privilege, Run, Who, is_plain, listed, taken_in};
use super::read::Rules;

/// What one rule gives on this host.
#[derive(Clone, Debug)]
pub struct Give {
    /// Every entry that takes somebody in.
    pub who: Vec<Who>,
    /// The list that they are in, to be asked by [`Judge::means`].
    users: Vec<Member>,
    /// How far it goes.
    pub weight: StandingWeight,
    /// Why.
    pub why: String,
    /// It asks for no password.
    pub nopasswd: bool,
    /// It is everything as root and nothing else: a role can stand for it.
    pub whole: bool,
    /// It takes nobody out of whom it names.
    pub plain: bool,
    /// Where it is written, if that is known.
    pub at: Option<At>,
}

/// The rules, and what they are judged by.
pub struct Judge<'a> {
    rules: &'a Rules,
    /// This host's name, short or full.
    host: &'a str,
    /// Whether being in this group, by its name, is root's privilege.
    is_root_group: &'a dyn Fn(&str) -> bool,
}

/// What a command comes to.
struct Reach {
    weight: StandingWeight,
    why: String,
    nopasswd: bool,
    whole: bool,
}

impl<'a> Judge<'a> {
    /// Judges these rules.
    #[must_use]
    pub fn new(rules: &'a Rules, host: &'a str, is_root_group: &'a dyn Fn(&str) -> bool) -> Self {
        Self { rules, host, is_root_group }
    }

    /// What every rule gives here that has no end.
    #[must_use]
    pub fn gives(&self) -> Vec<Give> {
        let judged = |(rule, at): &(super::model::Rule, Option<At>)| {
            let here = rule.privileges.iter().filter(|privilege| self.is_here(privilege));
            let reaches: Vec<Reach> =
                here.flat_map(|privilege| self.reaches(&privilege.runs)).collect();
            let whole = rule.privileges.len() == 1 && reaches.iter().all(|reach| reach.whole);
            let most = reaches.into_iter().min_by_key(|reach| reach.weight)?;
            Some(Give {
                who: taken_in(&rule.users, &self.rules.aliases.users, false, DEPTH),
                users: rule.users.clone(),
                weight: most.weight,
                why: most.why,
                nopasswd: most.nopasswd,
                whole,
                plain: is_plain(&rule.users, &self.rules.aliases.users, DEPTH),
                at: at.clone(),
            })
        };
        self.rules.rules.iter().filter_map(judged).collect()
    }

    /// Whether the rule means somebody for whom these entries hold.
    #[must_use]
    pub fn means(&self, give: &Give, fits: &dyn Fn(&Who) -> bool) -> bool {
        listed(&give.users, &self.rules.aliases.users, fits, DEPTH) == Some(true)
    }

    /// A network or netgroup may be this host's, which is not known here: the rule is taken to hold.
    fn is_here(&self, privilege: &Privilege) -> bool {
        let short = self.host.split('.').next().unwrap_or_default();
        let fits = |who: &Who| match who {
            Who::All | Who::Netgroup(_) => true,
            Who::Name(name) => {
                let is_address =
                    name.starts_with(|c: char| c.is_ascii_digit()) || name.contains(':');
                let name = name.to_lowercase();
                is_address || [short, self.host].iter().any(|own| glob(&name, &own.to_lowercase()))
            }
            _ => false,
        };
        listed(&privilege.hosts, &self.rules.aliases.hosts, &fits, DEPTH) == Some(true)
    }

    fn reaches(&self, runs: &[Run]) -> Vec<Reach> {
        let mut found = Vec::new();
        for run in runs.iter().filter(|run| !run.ends) {
            for command in self.commands(&run.command, DEPTH) {
                found.extend(self.reach(run, &command));
            }
        }
        found
    }

    /// The commands of an alias, one by one; what is taken out limits nothing (sudoers(5) says so
    /// itself of `ALL, !/bin/su`).
    fn commands(&self, command: &Command, depth: usize) -> Vec<String> {
        match self.rules.aliases.commands.get(&command.text) {
            Some(inner) if depth > 0 => inner
                .iter()
                .flat_map(|one| {
                    let negated = one.negated != command.negated;
                    self.commands(&Command { negated, text: one.text.clone() }, depth - 1)
                })
                .collect(),
            _ if command.negated => Vec::new(),
            _ => vec![command.text.clone()],
        }
    }

    fn reach(&self, run: &Run, command: &str) -> Option<Reach> {
        let (as_root, by_group) = self.as_root(run);
        if !as_root && by_group.is_none() || command == "list" {
            return None;
        }
        let nopasswd = run.nopasswd || self.rules.asks_nobody;
        let known = |why: String| (StandingWeight::Root, why);
        let (mut weight, mut why) = match (command, by_group) {
            ("ALL", None) => known("everything as root".to_owned()),
            ("ALL", Some(group)) => {
                known(format!("everything with group {group}, which is root's"))
            }
            (one, None) => match leads_to_root(one, run.noexec) {
                Some(why) => known(format!("root by a command: {why}")),
                None => (StandingWeight::Unknown, format!("runs {one} as root")),
            },
            (one, Some(group)) => {
                (StandingWeight::Unknown, format!("runs {one} with group {group}"))
            }
        };
        if self.rules.asks_for_another && !nopasswd {
            weight = StandingWeight::Unknown;
            why.push_str(", with a password that is not theirs");
        }
        let whole = command == "ALL" && as_root && weight == StandingWeight::Root;
        Some(Reach { weight, why, nopasswd, whole })
    }

    /// Whether it runs as root, or else with which group that is root's.
    fn as_root(&self, run: &Run) -> (bool, Option<String>) {
        let aliases = &self.rules.aliases.run_as;
        let root = |who: &Who| match who {
            Who::All => true,
            Who::Name(name) => name == "root",
            Who::Id(uid) => *uid == 0,
            Who::Group(group) => group == "root",
            Who::Gid(gid) => *gid == 0,
            _ => false,
        };
        if run.users.as_ref().is_none_or(|users| listed(users, aliases, &root, DEPTH) == Some(true))
        {
            return (true, None);
        }
        let groups = run.groups.iter().flat_map(|list| taken_in(list, aliases, false, DEPTH));
        let by_group = groups
            .filter_map(|who| match who {
                Who::Name(name) => Some(name),
                Who::All => Some("ALL".to_owned()),
                _ => None,
            })
            .find(|name| name == "ALL" || (self.is_root_group)(name));
        (false, by_group)
    }
}

/// Whether a name fits a pattern of `*` and `?`, as far as host names need it.
fn glob(pattern: &str, name: &str) -> bool {
    match (pattern.chars().next(), name.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let rest = pattern.get(1..).unwrap_or_default();
            (0..=name.len()).any(|at| name.get(at..).is_some_and(|name| glob(rest, name)))
        }
        (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
            let (rest, name) = (pattern.get(wanted.len_utf8()..), name.get(found.len_utf8()..));
            glob(rest.unwrap_or_default(), name.unwrap_or_default())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file gives: for each rule that gives something, whom it names and how far it goes.
    fn gives(sudoers: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/sudoers"), sudoers).unwrap();
        let rules = super::super::read(root.path(), "web-1.example.org");
        assert_eq!(rules.notes, Vec::<String>::new());
        let judge = Judge::new(&rules, "web-1.example.org", &|group| group == "docker");
        let shown = |give: Give| {
            let names = ["alice", "bob", "carol"];
            let meant = names.iter().filter(|name| {
                judge.means(&give, &|who| match who {
                    Who::All => true,
                    Who::Name(one) => one == **name,
                    Who::Group(one) => one == "ops" && **name != "carol",
                    _ => false,
                })
            });
            let meant = meant.copied().collect::<Vec<_>>().join(" ");
            let whole = if give.whole { " whole" } else { "" };
            let password = if give.nopasswd { " nopasswd" } else { "" };
            format!("{meant}: {}{whole}{password}: {}", give.weight, give.why)
        };
        judge.gives().into_iter().map(shown).collect()
    }

    #[test]
    fn aliases_and_negations_mean_whom_sudo_means() {
        let text = "User_Alias A = alice, %ops : B = A, !bob\nB ALL=ALL\n%ops, !B ALL=ALL\n\
                    ALL, !carol ALL=ALL\n!A ALL=ALL\n";
        let all = "root whole: everything as root";
        assert_eq!(
            gives(text),
            [
                format!("alice: {all}"),
                format!("bob: {all}"),
                format!("alice bob: {all}"),
                format!(": {all}")
            ]
        );
    }

    #[test]
    fn only_rules_of_this_host_as_root_and_without_an_end_give_anything() {
        let none = "Host_Alias OTHER = web-2, db-*\nalice OTHER=ALL\nalice web-9=ALL\n\
                    alice ALL, !web-1=ALL\nalice ALL=(bob) ALL\nalice ALL=(ALL, !root) ALL\n\
                    alice ALL=(:users) ALL\nalice ALL=!ALL\nalice ALL=list\n\
                    alice ALL=(ALL) NOTAFTER=20270101000000Z ALL\n";
        assert_eq!(gives(none), Vec::<String>::new());
        let some = "Runas_Alias R = root\nCmnd_Alias SH = /bin/sh, /bin/id\n\
                    alice web-*=(R) NOPASSWD: ALL, !/bin/su\nbob 10.0.0.0/8=SH\n\
                    alice ALL=(:docker) ALL\nalice web-1=/usr/bin/id : web-2=ALL\n";
        assert_eq!(
            gives(some),
            [
                "alice: root whole nopasswd: everything as root",
                "bob: root: root by a command: /bin/sh does anything with arguments that nobody limits",
                "alice: root: everything with group docker, which is root's",
                "alice: unknown: runs /usr/bin/id as root",
            ]
        );
    }

    #[test]
    fn a_rule_that_wants_roots_password_gives_nothing_that_is_sure() {
        let text = "Defaults targetpw\nALL ALL=(ALL) ALL\nbob ALL=NOPASSWD: ALL\n";
        assert_eq!(
            gives(text),
            [
                "alice bob carol: unknown: everything as root, with a password that is not theirs",
                "bob: root whole nopasswd: everything as root"
            ]
        );
    }
}
