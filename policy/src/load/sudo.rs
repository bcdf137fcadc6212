//! Reads a role's sudo rules.

use stint_proto::UserName;

use super::Load;
use super::table::{Node, Table};
use crate::{BadCommand, RunAs, SudoCommand, SudoRule};

/// Every rule that could be read; what could not has been reported.
pub(super) fn read(load: &mut Load<'_>, role: &Table<'_>, here: bool) -> Vec<SudoRule> {
    let tables = role.tables(&mut load.report, "sudo");
    tables.iter().filter_map(|table| rule(load, table, here)).collect()
}

fn rule(load: &mut Load<'_>, table: &Table<'_>, here: bool) -> Option<SudoRule> {
    let run_as = match table.any(&mut load.report, "run_as") {
        Some(node) => run_as(load, &node, here),
        None => "root".parse().ok().map(RunAs::User),
    };
    let nodes = table.texts(&mut load.report, "commands")?;
    if nodes.is_empty() {
        let node = table.key_of("commands")?;
        load.report.error(&node, "lists no command", "such as [\"ALL\"]");
    }
    let read = |node: &Node<'_>| load.report.parsed(node, BadCommand::hint);
    let commands: Vec<SudoCommand> = nodes.iter().filter_map(read).collect();
    if commands.is_empty() {
        return None;
    }
    Some(SudoRule { run_as: run_as?, commands })
}

fn run_as(load: &mut Load<'_>, node: &Node<'_>, here: bool) -> Option<RunAs> {
    if node.text()? == "ALL" {
        return Some(RunAs::All);
    }
    let user: UserName = load.report.parsed_name(node)?;
    if load.accounts.filter(|_| here).is_some_and(|known| !known.user_exists(&user)) {
        let message = format!("there is no user \"{user}\" on this host");
        load.report.warning(node, &message, "no matter if a directory will know it");
    }
    Some(RunAs::User(user))
}
