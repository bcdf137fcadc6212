//! What adopting would do, worked out whole before anything is done. Pure: what is held, and which
//! roles there are, come in as values.

use std::collections::{BTreeMap, BTreeSet};

use stint_policy::text::harmless;
use stint_proto::{Standing, StandingEnd, StandingKind, StandingPrivilege, StandingWeight};

use super::POLICY;

/// A role that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRole {
    /// Its name.
    pub name: String,
    /// What it gives: `sudo` or `group NAME`.
    pub gives: String,
    /// Whether it asks for no password.
    pub nopasswd: bool,
    /// Who may ask for it.
    pub eligible: BTreeSet<String>,
}

/// A rule that becomes a comment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// In which file.
    pub path: String,
    /// Its first line, from 1.
    pub line: u32,
    /// Its lines.
    pub text: String,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Roles that are written first.
    pub roles: Vec<NewRole>,
    /// Who leaves which group.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// Which rules become comments, and whose they are.
    pub rules: BTreeMap<Rule, BTreeSet<String>>,
    /// Who keeps what, and why.
    pub kept: Vec<String>,
    /// What is ended by hand, and how.
    pub by_hand: Vec<String>,
}

/// What there is already.
#[derive(Clone, Debug, Default)]
pub struct There {
    /// The names of all roles of the policy.
    pub roles: BTreeSet<String>,
    /// The policy file that would be written is there already.
    pub policy: bool,
    /// Whose privileges are meant; everybody's if it is empty.
    pub only: BTreeSet<String>,
}

impl There {
    fn means(&self, user: &str) -> bool {
        self.only.is_empty() || self.only.contains(user)
    }
}

/// Works it out.
pub fn plan(found: &Standing, there: &There) -> Plan {
    let mut plan = Plan::default();
    let mut rules: BTreeMap<Rule, Vec<&StandingPrivilege>> = BTreeMap::new();
    for held in &found.held {
        match held.end {
            StandingEnd::ByHand | StandingEnd::Group if !there.means(&held.who) => {}
            StandingEnd::ByHand if held.counts => plan.by_hand.push(by_hand(held)),
            StandingEnd::ByHand => {}
            StandingEnd::Group => plan.leave(found, there, held),
            StandingEnd::SudoRule => match rule_of(held) {
                Some(rule) => rules.entry(rule).or_default().push(held),
                None => plan.by_hand.push(by_hand(held)),
            },
        }
    }
    rules.retain(|_, holders| holders.iter().any(|held| there.means(&held.who)));
    for (rule, holders) in rules {
        plan.comment(found, there, rule, &holders);
    }
    plan
}

fn rule_of(held: &StandingPrivilege) -> Option<Rule> {
    Some(Rule { path: held.path.clone()?, line: held.line?, text: held.rule.clone()? })
}

fn by_hand(held: &StandingPrivilege) -> String {
    format!("{}: {}:  {}", harmless(&held.who), harmless(&held.how), harmless(&held.by_hand))
}

/// Whether a role in force would do for this holder.
fn has_way(found: &Standing, user: &str, gives: &str) -> bool {
    found.ways.iter().any(|way| way.user == user && way.gives == gives)
}

impl Plan {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.rules.is_empty()
    }

    /// Everybody who loses something by it.
    pub fn people(&self) -> BTreeSet<&str> {
        let all = self.groups.values().chain(self.rules.values());
        all.flatten().map(String::as_str).collect()
    }

    fn keep(&mut self, held: &StandingPrivilege, why: &str) {
        self.kept.push(format!("{}: {}: {why}", harmless(&held.who), harmless(&held.how)));
    }

    /// Why this holder keeps it, if so.
    fn stays(found: &Standing, there: &There, held: &StandingPrivilege) -> Option<String> {
        if !there.means(&held.who) {
            return Some("is not among those named".to_owned());
        }
        if found.exempt.contains(&held.who) {
            return Some(
                "passes the gate without a grant (gate.exempt), for emergencies".to_owned(),
            );
        }
        let gives = held.instead.as_deref().unwrap_or_default();
        if !has_way(found, &held.who, gives) && there.policy {
            return Some(format!(
                "no role in force would give it to them; {POLICY} is there already, so add them to it"
            ));
        }
        None
    }

    fn leave(&mut self, found: &Standing, there: &There, held: &StandingPrivilege) {
        let Some(group) = &held.group else { return };
        if let Some(why) = Self::stays(found, there, held) {
            return self.keep(held, &why);
        }
        let gives = held.instead.clone().unwrap_or_default();
        if !has_way(found, &held.who, &gives) {
            self.make_eligible(there, &gives, held.nopasswd, [held.who.clone()]);
        }
        self.groups.entry(group.clone()).or_default().insert(held.who.clone());
    }

    fn comment(
        &mut self,
        found: &Standing,
        there: &There,
        rule: Rule,
        holders: &[&StandingPrivilege],
    ) {
        let staying = holders.iter().find_map(|held| {
            let why = Self::stays(found, there, held)?;
            Some((held.who.clone(), why))
        });
        if let Some((who, why)) = staying {
            for held in holders {
                let others = if held.who == who { "" } else { "the rule stays for another: " };
                self.keep(held, &format!("{others}{} {why}", harmless(&who)));
            }
            return;
        }
        // A rule that others hold by it too, who cannot be adopted, is not for adoption: each of
        // its privileges says so.
        let theirs = |held: &&StandingPrivilege| {
            held.end == StandingEnd::ByHand && rule_of(held).as_ref() == Some(&rule)
        };
        if found.held.iter().any(|held| theirs(&held)) {
            for held in holders {
                self.keep(held, "the rule names others who could not ask for a role");
            }
            return;
        }
        let missing = holders.iter().any(|held| !has_way(found, &held.who, "sudo"));
        if missing && let Some(first) = holders.first() {
            let principals = first.principals.iter().cloned();
            self.make_eligible(there, "sudo", first.nopasswd, principals);
        }
        let people = holders.iter().map(|held| held.who.clone()).collect();
        self.rules.insert(rule, people);
    }

    fn make_eligible(
        &mut self,
        there: &There,
        gives: &str,
        nopasswd: bool,
        who: impl IntoIterator<Item = String>,
    ) {
        let known =
            self.roles.iter_mut().find(|role| role.gives == gives && role.nopasswd == nopasswd);
        if let Some(role) = known {
            role.eligible.extend(who);
            return;
        }
        let usual = match (gives.strip_prefix("group "), nopasswd) {
            (Some(group), _) => group.to_owned(),
            (None, false) => "admin".to_owned(),
            (None, true) => "admin-nopasswd".to_owned(),
        };
        let taken = |name: &str| {
            there.roles.contains(name) || self.roles.iter().any(|role| role.name == name)
        };
        let names = ["", "adopted-"].iter().map(|first| format!("{first}{usual}"));
        let more = (2..100).map(|number| format!("adopted-{usual}-{number}"));
        let name = names.chain(more).find(|name| !taken(name)).unwrap_or(usual);
        let eligible = who.into_iter().collect();
        self.roles.push(NewRole { name, gives: gives.to_owned(), nopasswd, eligible });
    }

    /// The policy that makes them eligible; nothing where the one in force does already.
    pub fn policy(&self) -> Option<String> {
        if self.roles.is_empty() {
            return None;
        }
        let mut text = String::from(
            "# Written by stint standing --adopt: what these accounts held with no end, to ask for.\n\
             # Given at once, on a reason, for 4 hours at the most. With approvals = 1 and approvers,\n\
             # somebody else has to say yes.\n",
        );
        for role in &self.roles {
            let eligible: Vec<String> = role.eligible.iter().map(|who| toml_text(who)).collect();
            text.push_str(&format!("\n[roles.{}]\n", toml_key(&role.name)));
            match role.gives.strip_prefix("group ") {
                Some(group) => text.push_str(&format!("groups       = [{}]\n", toml_text(group))),
                None => text.push_str(
                    "description  = \"Anything as root\"\n\
                     sudo         = [{ run_as = \"ALL\", commands = [\"ALL\"] }]\n",
                ),
            }
            text.push_str(&format!("eligible     = [{}]\n", eligible.join(", ")));
            text.push_str(
                "approvals    = 0\nmax_duration = \"4h\"\nreason       = { min_length = 10 }\n",
            );
            if role.nopasswd {
                text.push_str("password     = false\n");
            }
        }
        Some(text)
    }
}

fn toml_key(text: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.chars().all(is_bare) { text.to_owned() } else { toml_text(text) }
}

fn toml_text(text: &str) -> String {
    // The escapes of JSON are TOML's too.
    serde_json::Value::String(text.to_owned()).to_string()
}

/// Why nothing may be taken from anybody now; a way to mend it each.
pub fn blockers(found: &Standing, others: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut why: Vec<String> = others.into_iter().collect();
    let keeps_root = |held: &&StandingPrivilege| {
        found.exempt.contains(&held.who)
            && held.weight == StandingWeight::Root
            && matches!(held.kind, StandingKind::Sudo | StandingKind::Group)
            && held.instead.as_deref() == Some("sudo")
    };
    if found.ways_of_root.is_empty() && !found.held.iter().any(|held| keeps_root(&held)) {
        why.push(
            "nobody would get in if stint failed: root has neither a password nor a key. Set one \
             (passwd root), or name an administrator in gate.exempt, who then keeps what they have"
                .to_owned(),
        );
    }
    why
}

#[cfg(test)]
mod tests {
    use stint_proto::StandingWay;

    use super::*;
    use crate::look::standing::tests::{example, found};

    fn rule(who: &str, principals: &[&str]) -> StandingPrivilege {
        StandingPrivilege {
            kind: StandingKind::Sudo,
            who: who.to_owned(),
            how: "sudo rule /etc/sudoers.d/x:3".to_owned(),
            end: StandingEnd::SudoRule,
            group: None,
            path: Some("/etc/sudoers.d/x".to_owned()),
            line: Some(3),
            rule: Some("alice, bob ALL=ALL".to_owned()),
            principals: principals.iter().map(ToString::to_string).collect(),
            ..example()
        }
    }

    fn way(user: &str, gives: &str) -> StandingWay {
        let role = "ops".parse().unwrap();
        StandingWay { user: user.to_owned(), role, gives: gives.to_owned() }
    }

    #[test]
    fn who_has_no_role_to_ask_for_gets_one_and_who_has_one_does_not() {
        let docker = StandingPrivilege {
            group: Some("docker".to_owned()),
            instead: Some("group docker".to_owned()),
            ..example()
        };
        let all = [example(), docker, rule("bob", &["alice", "bob"])];
        let plan_of = |ways| {
            let found = Standing { ways, ..found(all.to_vec()) };
            plan(&found, &There { roles: ["admin".to_owned()].into(), ..There::default() })
        };
        let fresh = plan_of(Vec::new());
        let policy = fresh.policy().unwrap();
        let names: Vec<_> = fresh.roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["adopted-admin", "docker"]);
        assert!(policy.contains("eligible     = [\"alice\", \"bob\"]"), "{policy}");
        let file = stint_policy::SourceFile { path: POLICY.to_owned(), text: policy };
        assert!(stint_policy::parse(&[file], "web-1", None).is_ok());
        let ways = vec![way("alice", "sudo"), way("alice", "group docker"), way("bob", "sudo")];
        let plan = plan_of(ways);
        assert_eq!(plan.policy(), None);
        assert_eq!((plan.groups.len(), plan.rules.len()), (2, 1));
        assert_eq!(plan.people(), ["alice", "bob"].into());
    }

    #[test]
    fn a_rule_goes_only_if_everybody_it_names_can_ask() {
        let service = StandingPrivilege { end: StandingEnd::ByHand, ..rule("backup", &[]) };
        let two = found(vec![rule("alice", &["alice"]), service]);
        let kept = plan(&two, &There::default());
        assert!(kept.is_empty() && kept.kept.len() == 1 && kept.by_hand.len() == 1, "{kept:?}");
        let mut exempt =
            found(vec![rule("alice", &["alice", "bob"]), rule("bob", &["alice", "bob"])]);
        exempt.exempt = vec!["bob".to_owned()];
        let kept = plan(&exempt, &There::default());
        assert!(kept.is_empty() && kept.kept.len() == 2, "{kept:?}");
    }

    #[test]
    fn a_rule_that_is_somebody_elses_too_stays_where_one_is_named() {
        let two = found(vec![
            rule("alice", &["alice", "bob"]),
            rule("bob", &["alice", "bob"]),
            example(),
        ]);
        let only = |name: &str| There { only: [name.to_owned()].into(), ..There::default() };
        let kept = plan(&two, &only("bob"));
        assert!(kept.is_empty() && kept.kept.len() == 2, "{kept:?}");
        let alice = plan(&two, &only("alice"));
        assert_eq!((alice.groups.len(), alice.rules.len()), (1, 0));
    }

    #[test]
    fn a_policy_that_was_edited_since_is_not_written_over() {
        let there = There { policy: true, ..There::default() };
        let kept = plan(&found(vec![example()]), &there);
        assert!(kept.is_empty() && kept.kept[0].contains("add them to it"), "{kept:?}");
    }

    #[test]
    fn the_last_way_in_is_never_closed() {
        let mut one = found(vec![example()]);
        assert!(blockers(&one, None).is_empty());
        one.ways_of_root.clear();
        assert_eq!(blockers(&one, None).len(), 1);
        one.exempt = vec!["alice".to_owned()];
        assert!(blockers(&one, None).is_empty());
        assert_eq!(blockers(&one, Some("the gate is off".to_owned())).len(), 1);
    }
}
