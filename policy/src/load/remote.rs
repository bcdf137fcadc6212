//! Reads `[remote]`, and holds a signed policy against it: only roles and grants, only roles that the
//! host's own policy lets it bring, only grants of roles that it lets it give.

use super::Load;
use super::sections::{Seen, first_place};
use super::table::{Node, Table};
use crate::remote::{Offline, Remote, RolePattern};
use crate::{Policy, Role};

/// What a signed policy may have at its top.
const ALLOWED: [&str; 2] = ["roles", "grants"];

pub(super) fn read(load: &mut Load<'_>, table: &Table<'_>, policy: &mut Policy, seen: &mut Seen) {
    let mut remote = policy.remote.take().unwrap_or_default();
    if first_place(load, table, "roles", "remote.roles", seen).is_some() {
        remote.roles = patterns(load, table, "roles");
    }
    if first_place(load, table, "define", "remote.define", seen).is_some() {
        remote.define = patterns(load, table, "define");
    }
    if first_place(load, table, "approvals", "remote.approvals", seen).is_some() {
        remote.approvals = patterns(load, table, "approvals");
    }
    if first_place(load, table, "max_age", "remote.max_age", seen).is_some() {
        remote.max_age = table.length(&mut load.report, "max_age");
    }
    if first_place(load, table, "offline", "remote.offline", seen).is_some() {
        let word = table.word(&mut load.report, "offline", Offline::from_word);
        remote.offline = word.unwrap_or_default();
    }
    if first_place(load, table, "offline_for", "remote.offline_for", seen).is_some() {
        remote.offline_for = table.length(&mut load.report, "offline_for");
    }
    if first_place(load, table, "publish", "remote.publish", seen).is_some() {
        remote.publish = table.flag(&mut load.report, "publish", false);
    }
    check(load, table, &remote);
    policy.remote = Some(remote);
}

/// What only makes sense together, and in one file.
fn check(load: &mut Load<'_>, table: &Table<'_>, remote: &Remote) {
    match (remote.offline, table.key_of("offline"), table.key_of("offline_for")) {
        (Offline::New, Some(node), None) => {
            let hint = "add beside it, such as, offline_for = \"24h\"";
            load.report.error(&node, "it needs to be said for how long", hint);
        }
        (Offline::Running | Offline::Nothing, _, Some(node)) => {
            let hint = "remove it, or set offline = \"new\" beside it";
            load.report.error(&node, "only \"new\" goes on for a while", hint);
        }
        _ => {}
    }
}

fn patterns(load: &mut Load<'_>, table: &Table<'_>, name: &str) -> Vec<RolePattern> {
    let nodes = table.texts(&mut load.report, name).unwrap_or_default();
    let hint = |_: &crate::remote::BadRolePattern| "such as \"containers\" or \"web-*\"";
    nodes.iter().filter_map(|node| load.report.parsed(node, hint)).collect()
}

/// Refuses everything but roles and grants.
pub(super) fn check_top(load: &mut Load<'_>, top: &Table<'_>) {
    for node in top.entries() {
        let name = node.text().unwrap_or_default();
        if !ALLOWED.contains(&name) {
            let hint = "this is for each host's own policy; only roles and grants stand here";
            load.report.error(&node, "a signed policy may not say this", hint);
        }
    }
}

/// Refuses a role of a signed policy that this host does not let it bring.
pub(super) fn check_role(
    load: &mut Load<'_>,
    node: &Node<'_>,
    role: &Role,
    remote: Option<&Remote>,
) {
    let Some(remote) = remote.filter(|_| role.on_host(load.host)) else { return };
    if !remote.defines(&role.name) {
        let message = "this host's own policy lets no signed policy bring this role";
        let hint = "root here can, in [remote]: define; or limit the role to other hosts";
        load.report.error(node, message, hint);
    }
}

/// Refuses an entry of a signed policy for a role that this host does not let it give.
pub(super) fn check_grant(
    load: &mut Load<'_>,
    node: &Node<'_>,
    role: &Role,
    remote: Option<&Remote>,
) {
    let Some(remote) = remote.filter(|_| role.on_host(load.host)) else { return };
    if !role.signed && !remote.gives(&role.name) {
        let message = "this host's own policy lets no signed document give this role";
        load.report.error(node, message, "root here can, in [remote]: roles");
    }
}
