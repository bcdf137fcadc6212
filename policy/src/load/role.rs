//! Reads one role.

use std::collections::{BTreeMap, BTreeSet};

use stint_proto::{GroupName, Length, RoleName, SUDO_SERVICES, ServiceName, TEXT_LIMIT};

use super::table::{Node, Table};
use super::{Load, position, sudo};
use crate::language::keys_of;
use crate::{
    HostPattern, OnExpiry, PolkitAction, Principal, ReasonRule, Role, SudoRule, TicketRule,
};

const HOUR: u64 = 3_600;

/// Reads the role; what could not be read has been reported, and has its default.
pub(super) fn read(load: &mut Load<'_>, table: &Table<'_>, name: RoleName, at: &Node<'_>) -> Role {
    let hosts = hosts(load, table);
    let mut role = Role {
        name,
        description: text(load, table, "description"),
        sudo: Vec::new(),
        groups: Vec::new(),
        services: BTreeSet::new(),
        polkit: Vec::new(),
        hosts,
        eligible: Vec::new(),
        approvers: Vec::new(),
        approvals: table.number(&mut load.report, "approvals").unwrap_or(1),
        max_duration: seconds(24 * HOUR),
        default_duration: seconds(HOUR / 2),
        reason: reason(load, table),
        ticket: ticket(load, table),
        hours: None,
        cooldown: table.length(&mut load.report, "cooldown"),
        daily_budget: table.length(&mut load.report, "daily_budget"),
        max_active: table.number(&mut load.report, "max_active"),
        password: table.flag(&mut load.report, "password", true),
        record: table.flag(&mut load.report, "record", false),
        on_expiry: OnExpiry::default(),
        warn_before: warnings(load, table),
        grace: table.length(&mut load.report, "grace").unwrap_or(seconds(10)),
        break_glass: table.flag(&mut load.report, "break_glass", false),
        signed: load.is_signed(at),
        at: position(at),
        places: places(table),
        eligible_places: BTreeMap::new(),
    };
    let here = role.on_host(load.host);
    role.sudo = sudo::read(load, table, here);
    role.groups = groups(load, table, here);
    role.services = services(load, table, &role.sudo);
    role.polkit = polkit(load, table, here);
    let eligible = table.texts(&mut load.report, "eligible").unwrap_or_default();
    for node in &eligible {
        if let Some(Ok(entry)) = node.text().map(str::parse::<Principal>) {
            role.eligible_places.entry(entry).or_insert_with(|| position(node));
        }
    }
    role.eligible = load.principals(eligible, here);
    let approvers = table.texts(&mut load.report, "approvers").unwrap_or_default();
    role.approvers = load.principals(approvers, here);
    if let Some(node) = table.any(&mut load.report, "hours") {
        role.hours = load.report.parsed(&node, crate::BadHours::hint);
    }
    let word = table.word(&mut load.report, "on_expiry", OnExpiry::from_word);
    role.on_expiry = word.unwrap_or_default();
    durations(load, table, &mut role);
    check_confers(load, table, at);
    check_approvers(load, table, &role);
    check_break_glass(load, table, &role);
    role
}

/// A length that is within bounds; the longest otherwise.
fn seconds(count: u64) -> Length {
    Length::from_seconds(count).unwrap_or(Length::MAX)
}

fn places(table: &Table<'_>) -> BTreeMap<&'static str, crate::Position> {
    keys_of("roles.NAME")
        .filter_map(|key| Some((key.name(), position(&table.key_of(key.name())?))))
        .collect()
}

fn text(load: &mut Load<'_>, table: &Table<'_>, name: &str) -> String {
    let Some(node) = table.any(&mut load.report, name) else { return String::new() };
    let text = node.text().unwrap_or_default();
    let length = text.chars().count();
    if length > TEXT_LIMIT {
        let message = format!("this has {length} characters");
        load.report.error(&node, &message, &format!("at most {TEXT_LIMIT}"));
    }
    text.to_owned()
}

fn hosts(load: &mut Load<'_>, table: &Table<'_>) -> Vec<HostPattern> {
    let Some(nodes) = table.texts(&mut load.report, "hosts") else { return Vec::new() };
    if nodes.is_empty()
        && let Some(node) = table.key_of("hosts")
    {
        load.report.error(&node, "names no host", "leave it out for every host");
    }
    let hint = "such as \"web-1\", \"web-*\" or \"*.example.org\"";
    nodes.iter().filter_map(|node| load.report.parsed(node, |_| hint)).collect()
}

fn polkit(load: &mut Load<'_>, table: &Table<'_>, here: bool) -> Vec<PolkitAction> {
    let nodes = table.texts(&mut load.report, "polkit").unwrap_or_default();
    let hint = "such as \"org.freedesktop.systemd1.manage-units\"";
    let mut actions: Vec<PolkitAction> = Vec::new();
    for node in nodes {
        let Some(action) = load.report.parsed::<PolkitAction, _>(&node, |_| hint) else { continue };
        if here && action.is_as_good_as_root() {
            let message = format!("whoever may do {action} is as good as root");
            load.report.warning(&node, &message, "polkit does not know the command; sudo rules do");
        }
        if !actions.contains(&action) {
            actions.push(action);
        }
    }
    actions
}

fn groups(load: &mut Load<'_>, table: &Table<'_>, here: bool) -> Vec<GroupName> {
    let nodes = table.texts(&mut load.report, "groups").unwrap_or_default();
    let mut groups: Vec<GroupName> = Vec::new();
    for node in nodes {
        let Some(group) = load.report.parsed_name::<GroupName>(&node) else { continue };
        if load.accounts.filter(|_| here).is_some_and(|known| !known.group_exists(&group)) {
            let message = format!("there is no group \"{group}\" on this host");
            load.report.error(&node, &message, &format!("create it first: groupadd {group}"));
        }
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

fn services(load: &mut Load<'_>, table: &Table<'_>, sudo: &[SudoRule]) -> BTreeSet<ServiceName> {
    let nodes = table.texts(&mut load.report, "services").unwrap_or_default();
    let mut services: BTreeSet<ServiceName> =
        nodes.iter().filter_map(|node| load.report.parsed_name(node)).collect();
    if !sudo.is_empty() {
        services.extend(SUDO_SERVICES.iter().filter_map(|name| name.parse().ok()));
    }
    services
}

fn reason(load: &mut Load<'_>, table: &Table<'_>) -> ReasonRule {
    let Some(rule) = table.table(&mut load.report, "reason") else {
        return ReasonRule { required: true, min_length: 1 };
    };
    let required = rule.flag(&mut load.report, "required", true);
    let min_length = rule.number(&mut load.report, "min_length").unwrap_or(1);
    ReasonRule { required, min_length }
}

fn ticket(load: &mut Load<'_>, table: &Table<'_>) -> Option<TicketRule> {
    let node = table.any(&mut load.report, "ticket")?;
    let rule: TicketRule = load.report.parsed(&node, |_| "such as '^(INC|CHG)-\\d+$'")?;
    if !rule.is_anchored() {
        let message = "anything around a match passes too";
        load.report.warning(&node, message, "begin it with ^ and end it with $");
    }
    Some(rule)
}

/// Longest first, each once.
fn warnings(load: &mut Load<'_>, table: &Table<'_>) -> Vec<Length> {
    let Some(nodes) = table.texts(&mut load.report, "warn_before") else {
        return vec![seconds(300), seconds(60)];
    };
    let read: BTreeSet<Length> =
        nodes.iter().filter_map(|node| load.report.parsed_length(node)).collect();
    read.into_iter().rev().collect()
}

fn durations(load: &mut Load<'_>, table: &Table<'_>, role: &mut Role) {
    let max = table.length(&mut load.report, "max_duration");
    let usual = table.length(&mut load.report, "default_duration");
    role.max_duration = max.unwrap_or(role.max_duration);
    role.default_duration = usual.unwrap_or(role.default_duration.min(role.max_duration));
    let max_is_known = max.is_some() || table.key_of("max_duration").is_none();
    if role.default_duration > role.max_duration && max_is_known {
        let mut node = table.key_of("default_duration").unwrap_or_else(|| table.node());
        node.key = format!("{}.default_duration", table.node().key);
        let message =
            format!("{} is longer than max_duration, {}", role.default_duration, role.max_duration);
        load.report.error(&node, &message, &format!("at most \"{}\"", role.max_duration));
    }
}

fn check_confers(load: &mut Load<'_>, table: &Table<'_>, at: &Node<'_>) {
    let confers = ["sudo", "groups", "services", "polkit"].iter().any(|name| {
        let value = table.key_of(name).and_then(|node| node.value());
        value.is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()))
    });
    if !confers && load.whole {
        load.report.error(at, "it confers nothing", "give it sudo, groups, services or polkit");
    }
}

/// Whether anybody can approve what the eligible may ask for.
fn check_approvers(load: &mut Load<'_>, table: &Table<'_>, role: &Role) {
    if role.break_glass || role.approvals == 0 || !role.approvers.is_empty() || !load.whole {
        return;
    }
    // An approver that could not be read has been reported already.
    let listed = table.key_of("approvers").and_then(|node| node.value());
    if role.eligible.is_empty()
        || listed.is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()))
    {
        return;
    }
    if let Some(node) = table.key_of("eligible") {
        let message = "it has no approvers: whoever asks for it waits in vain";
        let hint = "name approvers, or write approvals = 0";
        load.report.warning(&node, message, hint);
    }
}

/// What is odd about a role for emergencies.
fn check_break_glass(load: &mut Load<'_>, table: &Table<'_>, role: &Role) {
    if !role.break_glass || !load.whole {
        return;
    }
    if let Some(node) = table.key_of("approvals").filter(|_| role.approvals > 0) {
        let message = "a break_glass role needs no approval, whatever is written here";
        load.report.warning(&node, message, "leave it out, or leave break_glass out");
    }
    if let Some(node) = table.key_of("break_glass").filter(|_| role.approvers.is_empty()) {
        let message = "it has no approvers: nobody is told of its use, and only root and the \
                       audit readers can review it";
        load.report.warning(&node, message, "name approvers");
    }
}
