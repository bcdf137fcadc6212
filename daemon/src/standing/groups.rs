//! Groups whose members are root, or nearly: those that are by what they may touch, as one table.
//! That others are, because a rule of sudo, doas, polkit or su names them, is found elsewhere.

use stint_proto::StandingWeight::{self, Near, Root};

/// A group, how far it goes, and why.
pub(super) const TABLE: &[(&str, StandingWeight, &str)] = &[
    ("docker", Root, "starts containers as root, with any folder of the host in them"),
    ("lxd", Root, "starts containers as root, with any folder of the host in them"),
    ("incus-admin", Root, "starts containers as root, with any folder of the host in them"),
    ("incus", Near, "starts containers within the project that incus gives them"),
    ("microk8s", Root, "runs anything as root through its cluster"),
    ("libvirt", Root, "starts machines with any disk or folder of the host in them"),
    ("disk", Root, "reads and writes every disk, past all permissions"),
    ("kmem", Root, "reads the kernel's memory"),
    ("staff", Near, "writes /usr/local, which is before /usr in root's search path"),
    ("root", Near, "writes what is root's group's to write"),
    ("shadow", Near, "reads the hashes of every password"),
    ("adm", Near, "reads the logs, in which secrets end up"),
    ("systemd-journal", Near, "reads the whole journal, in which secrets end up"),
    ("input", Near, "reads every key that is typed"),
    ("tty", Near, "writes to other people's terminals"),
];

/// Groups that exist to be administrators': somebody is taken out of them, where the rule that
/// names another group would be changed instead.
pub(super) const OF_ADMINISTRATORS: &[&str] = &["admin", "sudo", "wheel"];

/// What being in this group comes to by itself.
pub(super) fn known(name: &str) -> Option<(StandingWeight, &'static str)> {
    TABLE.iter().find(|(known, _, _)| *known == name).map(|(_, weight, why)| (*weight, *why))
}
