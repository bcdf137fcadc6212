//! Reads the sections that are no roles and no grants. They may stand in several files, each key in one.

use std::collections::BTreeMap;

use super::table::Table;
use super::{Load, position, remote};
use crate::{Backend, BadRetention, GateMode, Policy, Position};

/// Where each key was seen first.
pub(super) type Seen = BTreeMap<&'static str, Position>;

pub(super) fn read(load: &mut Load<'_>, tops: &[Table<'_>], policy: &mut Policy) {
    let mut seen = Seen::new();
    for top in tops {
        if load.is_signed(&top.node()) {
            continue;
        }
        if let Some(gate) = top.table(&mut load.report, "gate") {
            read_gate(load, &gate, policy, &mut seen);
        }
        if let Some(audit) = top.table(&mut load.report, "audit") {
            read_audit(load, &audit, policy, &mut seen);
        }
        if let Some(requests) = top.table(&mut load.report, "requests") {
            read_requests(load, &requests, policy, &mut seen);
        }
        if let Some(approvals) = top.table(&mut load.report, "approvals") {
            let path = "approvals.authenticate";
            if first_place(load, &approvals, "authenticate", path, &mut seen).is_some() {
                let flag = approvals.flag(&mut load.report, "authenticate", true);
                policy.approvals.authenticate = flag;
            }
        }
        if let Some(notify) = top.table(&mut load.report, "notify")
            && first_place(load, &notify, "terminals", "notify.terminals", &mut seen).is_some()
        {
            policy.notify.terminals = notify.flag(&mut load.report, "terminals", true);
        }
        if let Some(groups) = top.table(&mut load.report, "groups")
            && first_place(load, &groups, "backend", "groups.backend", &mut seen).is_some()
        {
            let word = groups.word(&mut load.report, "backend", Backend::from_word);
            policy.backend = word.unwrap_or_default();
        }
        if let Some(table) = top.table(&mut load.report, "remote") {
            remote::read(load, &table, policy, &mut seen);
        }
    }
}

fn read_gate(load: &mut Load<'_>, gate: &Table<'_>, policy: &mut Policy, seen: &mut Seen) {
    if let Some(at) = first_place(load, gate, "mode", "gate.mode", seen) {
        let word = gate.word(&mut load.report, "mode", GateMode::from_word);
        policy.gate.mode = word.unwrap_or_default();
        policy.gate.mode_at = Some(at);
    }
    if first_place(load, gate, "prompt", "gate.prompt", seen).is_some() {
        policy.gate.prompt = gate.flag(&mut load.report, "prompt", false);
    }
    if let Some(at) = first_place(load, gate, "exempt", "gate.exempt", seen) {
        let nodes = gate.texts(&mut load.report, "exempt").unwrap_or_default();
        policy.gate.exempt = load.principals(nodes, true);
        policy.gate.exempt_at = Some(at);
    }
}

fn read_audit(load: &mut Load<'_>, audit: &Table<'_>, policy: &mut Policy, seen: &mut Seen) {
    if first_place(load, audit, "readers", "audit.readers", seen).is_some() {
        let nodes = audit.texts(&mut load.report, "readers").unwrap_or_default();
        policy.audit_readers = load.principals(nodes, true);
    }
    if first_place(load, audit, "keep", "audit.keep", seen).is_some()
        && let Some(node) = audit.any(&mut load.report, "keep")
    {
        let hint =
            |_: &BadRetention| "from \"30d\" to \"36500d\"; without the key it is kept for ever";
        policy.audit_keep = load.report.parsed(&node, hint);
    }
    if first_place(load, audit, "sign", "audit.sign", seen).is_some() {
        policy.audit_sign = audit.flag(&mut load.report, "sign", false);
    }
}

fn read_requests(load: &mut Load<'_>, table: &Table<'_>, policy: &mut Policy, seen: &mut Seen) {
    let requests = &mut policy.requests;
    if first_place(load, table, "lapse_after", "requests.lapse_after", seen).is_some() {
        let length = table.length(&mut load.report, "lapse_after");
        requests.lapse_after = length.unwrap_or(requests.lapse_after);
    }
    let path = "requests.max_pending_per_user";
    if let Some(at) = first_place(load, table, "max_pending_per_user", path, seen) {
        let number = table.number(&mut load.report, "max_pending_per_user");
        requests.max_pending_per_user = number.unwrap_or(requests.max_pending_per_user);
        requests.max_pending_per_user_at = Some(at);
    }
    if let Some(at) = first_place(load, table, "max_pending", "requests.max_pending", seen) {
        let number = table.number(&mut load.report, "max_pending");
        requests.max_pending = number.unwrap_or(requests.max_pending);
        requests.max_pending_at = Some(at);
    }
}

/// Where a key stands, if it does; where it stands for the second time, that is an error.
pub(super) fn first_place(
    load: &mut Load<'_>,
    table: &Table<'_>,
    name: &str,
    path: &'static str,
    seen: &mut Seen,
) -> Option<Position> {
    let node = table.key_of(name)?;
    if let Some(first) = seen.get(path) {
        let message = format!("set a second time; the first is at {first}");
        load.report.error(&node, &message, "keep one of the two");
        return None;
    }
    let at = position(&node);
    seen.insert(path, at.clone());
    Some(at)
}
