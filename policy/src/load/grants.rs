//! Reads `[[grants]]`.

use std::collections::BTreeMap;

use stint_proto::{RoleName, TEXT_LIMIT, Timestamp, UserName};
use toml::de::DeValue;

use super::table::{Node, Table};
use super::{Load, position, remote};
use crate::text::{self, quoted};
use crate::{HeldGrant, Policy, Position, Role};

/// The entries for this host; those of roles that do not exist here are looked at and left out.
pub(super) fn read(load: &mut Load<'_>, tops: &[Table<'_>], policy: &Policy) -> Vec<HeldGrant> {
    let roles = &policy.roles;
    let mut grants = Vec::new();
    let mut seen: BTreeMap<String, Position> = BTreeMap::new();
    for top in tops {
        for table in top.tables(&mut load.report, "grants") {
            let Some(grant) = entry(load, &table, roles) else { continue };
            let key = grant.key();
            if let Some(first) = seen.get(&key) {
                let message = format!("the same grant a second time; the first is at {first}");
                load.report.error(&table.node(), &message, "keep one of the two");
                continue;
            }
            seen.insert(key, grant.at.clone());
            if let Some(role) = roles.get(&grant.role).filter(|_| grant.signed) {
                remote::check_grant(load, &table.node(), role, policy.remote.as_ref());
            }
            if roles.get(&grant.role).is_some_and(|role| role.on_host(load.host)) {
                grants.push(grant);
            }
        }
    }
    grants
}

fn entry(
    load: &mut Load<'_>,
    table: &Table<'_>,
    roles: &BTreeMap<RoleName, Role>,
) -> Option<HeldGrant> {
    let role = table.any(&mut load.report, "role").and_then(|node| role(load, &node, roles));
    let here = role.as_ref().and_then(|name| roles.get(name)).map(|role| role.on_host(load.host));
    let user = table.any(&mut load.report, "user");
    let user = user.and_then(|node| user_name(load, &node, here.unwrap_or_default()));
    let from = table.any(&mut load.report, "from").and_then(|node| time(load, &node));
    let until_node = table.any(&mut load.report, "until");
    let until = until_node.as_ref().and_then(|node| time(load, node));
    if let (Some(node), Some(from), Some(until)) = (&until_node, from, until)
        && until <= from
    {
        load.report.error(node, "it ends before it begins", &format!("later than {from}"));
    }
    let reason = table.any(&mut load.report, "reason").and_then(|node| reason(load, &node));
    let (at, signed) = (position(&table.node()), load.is_signed(&table.node()));
    let (user, role, from, until, reason) = (user?, role?, from?, until?, reason?);
    Some(HeldGrant { user, role, from, until, reason, signed, at })
}

fn role(
    load: &mut Load<'_>,
    node: &Node<'_>,
    roles: &BTreeMap<RoleName, Role>,
) -> Option<RoleName> {
    let name: RoleName = load.report.parsed_name(node)?;
    if roles.contains_key(&name) {
        return Some(name);
    }
    if load.whole && !load.anywhere {
        let known: Vec<&str> = roles.keys().map(RoleName::as_str).collect();
        let hint = match text::closest(name.as_str(), known.iter().copied()) {
            Some(close) => format!("did you mean \"{close}\"?"),
            None if known.is_empty() => "the policy has no role".to_owned(),
            None => format!("the roles are {}", known.join(", ")),
        };
        load.report.error(node, &format!("there is no role \"{name}\""), &hint);
    }
    None
}

fn user_name(load: &mut Load<'_>, node: &Node<'_>, here: bool) -> Option<UserName> {
    let user: UserName = load.report.parsed_name(node)?;
    if user.as_str() == "root" {
        load.report.error(node, "root needs no grant", "name the person");
        return None;
    }
    if load.accounts.filter(|_| here).is_some_and(|known| !known.user_exists(&user)) {
        let message = format!("there is no user \"{user}\" on this host");
        // What is signed is for many hosts, and not everybody has an account on each.
        if load.is_signed(node) {
            load.report.warning(node, &message, "nothing is held here by this entry");
        } else {
            load.report.error(node, &message, "name an account that exists");
        }
    }
    Some(user)
}

fn time(load: &mut Load<'_>, node: &Node<'_>) -> Option<Timestamp> {
    let Some(DeValue::Datetime(written)) = node.value() else { return None };
    let hint = "such as 2026-12-01T09:00:00Z or 2026-12-01T10:00:00+01:00";
    let message = match (written.date, written.time, written.offset) {
        (Some(_), Some(_), Some(_)) => match written.to_string().parse() {
            Ok(time) => return Some(time),
            Err(_) => format!("{written} is no point in time"),
        },
        (Some(_), Some(_), None) => format!("{written} has no time zone"),
        _ => format!("{written} is no point in time"),
    };
    load.report.error(node, &message, hint);
    None
}

fn reason(load: &mut Load<'_>, node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let length = text.chars().count();
    if text.trim().is_empty() {
        load.report.error(node, &format!("{} says nothing", quoted(text)), "say what for");
    }
    if length > TEXT_LIMIT {
        let message = format!("this has {length} characters");
        load.report.error(node, &message, &format!("at most {TEXT_LIMIT}"));
    }
    Some(text.to_owned())
}
