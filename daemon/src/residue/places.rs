//! Where it is looked, as one table: each place, what is kept there, and how it is looked at. A
//! place that is not there is nothing.

use stint_proto::ResidueKind as Kind;

/// How a place is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    /// One file.
    File,
    /// Every file and link in a folder, and in the folders inside it so far down.
    Tree(usize),
    /// The same of programs, those apart that bring privileges of their own.
    Programs(usize),
    /// Of a folder, and of those inside it so far down, the programs that bring privileges.
    Privileged(usize),
    /// The units in a folder of systemd's.
    Units,
    /// The groups in a folder of the kernel's tree that begin like this.
    Groups(&'static str),
}

/// A place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) take: Take,
}

const fn place(path: &'static str, kind: Kind, take: Take) -> Place {
    Place { path, kind, take }
}

/// Of the host.
pub(super) const PLACES: &[Place] = &[
    place("/etc/sudoers", Kind::Sudo, Take::File),
    place("/etc/sudoers-rs", Kind::Sudo, Take::File),
    place("/etc/sudo.conf", Kind::Sudo, Take::File),
    place("/etc/doas.conf", Kind::Sudo, Take::File),
    // User and group records for nss-systemd; those that run are looked at as stint's own are.
    place("/etc/userdb", Kind::Account, Take::Tree(1)),
    place("/etc/nsswitch.conf", Kind::Account, Take::File),
    place("/etc/pam.d", Kind::Pam, Take::Tree(1)),
    place("/etc/pam.conf", Kind::Pam, Take::File),
    place("/etc/security", Kind::Pam, Take::Tree(2)),
    place("/usr/lib/pam.d", Kind::Pam, Take::Tree(1)),
    // The modules themselves; the folder is named by the host's architecture.
    place("/usr/lib/x86_64-linux-gnu/security", Kind::Pam, Take::Tree(1)),
    place("/usr/lib/aarch64-linux-gnu/security", Kind::Pam, Take::Tree(1)),
    place("/usr/lib/riscv64-linux-gnu/security", Kind::Pam, Take::Tree(1)),
    place("/usr/lib64/security", Kind::Pam, Take::Tree(1)),
    place("/etc/ssh", Kind::Ssh, Take::Tree(2)),
    place("/etc/stint", Kind::Stint, Take::Tree(2)),
    place("/usr/bin/stint", Kind::Stint, Take::File),
    place("/usr/sbin/stintd", Kind::Stint, Take::File),
    place("/etc/ld.so.preload", Kind::Loader, Take::File),
    place("/etc/ld.so.conf", Kind::Loader, Take::File),
    place("/etc/ld.so.conf.d", Kind::Loader, Take::Tree(1)),
    place("/usr/share/polkit-1/rules.d", Kind::Polkit, Take::Tree(1)),
    place("/etc/crontab", Kind::Cron, Take::File),
    place("/etc/anacrontab", Kind::Cron, Take::File),
    place("/etc/cron.d", Kind::Cron, Take::Tree(1)),
    place("/etc/cron.hourly", Kind::Cron, Take::Tree(1)),
    place("/etc/cron.daily", Kind::Cron, Take::Tree(1)),
    place("/etc/cron.weekly", Kind::Cron, Take::Tree(1)),
    place("/etc/cron.monthly", Kind::Cron, Take::Tree(1)),
    place("/var/spool/cron", Kind::Cron, Take::Tree(1)),
    place("/var/spool/cron/crontabs", Kind::Cron, Take::Tree(1)),
    place("/var/spool/cron/atjobs", Kind::At, Take::Tree(1)),
    place("/var/spool/at", Kind::At, Take::Tree(1)),
    place("/etc/systemd", Kind::Unit, Take::Tree(3)),
    place("/run/systemd/system", Kind::Unit, Take::Tree(2)),
    place("/run/systemd/system.control", Kind::Unit, Take::Tree(2)),
    place("/usr/local/lib/systemd", Kind::Unit, Take::Tree(3)),
    place("/usr/lib/systemd/system", Kind::Unit, Take::Tree(2)),
    place("/usr/lib/systemd/system-generators", Kind::Unit, Take::Tree(1)),
    place("/etc/init.d", Kind::Unit, Take::Tree(1)),
    place("/etc/rc.local", Kind::Unit, Take::File),
    // Whose units run though nobody is logged in.
    place("/var/lib/systemd/linger", Kind::Unit, Take::Tree(1)),
    place("/run/systemd/transient", Kind::Transient, Take::Units),
    place("/run/user/0/systemd/transient", Kind::Transient, Take::Units),
    // Docker, podman and LXC where systemd does not make their groups; else theirs are units.
    place("/sys/fs/cgroup", Kind::Container, Take::Groups("lxc.payload.")),
    place("/sys/fs/cgroup/lxc", Kind::Container, Take::Groups("")),
    place("/sys/fs/cgroup/docker", Kind::Container, Take::Groups("")),
    place("/sys/fs/cgroup/libpod_parent", Kind::Container, Take::Groups("")),
    place("/etc/dbus-1", Kind::Bus, Take::Tree(2)),
    place("/usr/share/dbus-1/system.d", Kind::Bus, Take::Tree(1)),
    place("/usr/share/dbus-1/system-services", Kind::Bus, Take::Tree(1)),
    place("/etc/udev/rules.d", Kind::Udev, Take::Tree(1)),
    place("/run/udev/rules.d", Kind::Udev, Take::Tree(1)),
    place("/etc/environment", Kind::Shell, Take::File),
    place("/etc/profile", Kind::Shell, Take::File),
    place("/etc/profile.d", Kind::Shell, Take::Tree(1)),
    place("/etc/bash.bashrc", Kind::Shell, Take::File),
    place("/etc/bashrc", Kind::Shell, Take::File),
    place("/root/.profile", Kind::Shell, Take::File),
    place("/root/.bash_profile", Kind::Shell, Take::File),
    place("/root/.bash_login", Kind::Shell, Take::File),
    place("/root/.bashrc", Kind::Shell, Take::File),
    place("/root/.zshrc", Kind::Shell, Take::File),
    place("/usr/local/bin", Kind::Program, Take::Programs(1)),
    place("/usr/local/sbin", Kind::Program, Take::Programs(1)),
    place("/usr/bin", Kind::Setuid, Take::Privileged(1)),
    place("/usr/sbin", Kind::Setuid, Take::Privileged(1)),
    // On a host whose folders are merged these are links, and are passed by.
    place("/bin", Kind::Setuid, Take::Privileged(1)),
    place("/sbin", Kind::Setuid, Take::Privileged(1)),
    place("/usr/libexec", Kind::Setuid, Take::Privileged(2)),
    place("/usr/lib/openssh", Kind::Setuid, Take::Privileged(1)),
    place("/usr/lib/dbus-1.0", Kind::Setuid, Take::Privileged(1)),
    place("/usr/lib/polkit-1", Kind::Setuid, Take::Privileged(1)),
    // Where everybody may write.
    place("/tmp", Kind::Setuid, Take::Privileged(2)),
    place("/var/tmp", Kind::Setuid, Take::Privileged(2)),
    place("/dev/shm", Kind::Setuid, Take::Privileged(2)),
];

/// Inside every account's home.
pub(super) const IN_HOMES: &[Place] = &[
    place(".ssh/authorized_keys", Kind::Ssh, Take::File),
    place(".ssh/authorized_keys2", Kind::Ssh, Take::File),
    place(".ssh/rc", Kind::Ssh, Take::File),
    place(".ssh/environment", Kind::Ssh, Take::File),
];

/// Inside the homes of people, and of root.
pub(super) const IN_PEOPLES_HOMES: &[Place] = &[
    place(".config/systemd/user", Kind::Unit, Take::Tree(2)),
    place("", Kind::Setuid, Take::Privileged(2)),
];

/// What stint writes to as well: looked at while it writes nothing.
pub(super) const SHARED: &[Place] = &[
    place("/etc/sudoers.d", Kind::Sudo, Take::Tree(1)),
    place("/run/userdb", Kind::Account, Take::Tree(1)),
    place("/etc/polkit-1", Kind::Polkit, Take::Tree(3)),
];

/// Files of one account or group a line.
pub(super) const ACCOUNTS: &[&str] =
    &["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid"];

/// What is no concern, though it lies in one of these places.
pub(super) const PASSED_BY: &[&str] = &[
    // The number of the last job.
    "/var/spool/cron/atjobs/.SEQ",
    "/var/spool/at/.SEQ",
    // What stint is about to put in its place; sudo, nss-systemd and polkit pass it by too.
    "/etc/sudoers.d/.stint.new",
    "/run/userdb/.stint.new",
    "/etc/polkit-1/rules.d/.40-stint.rules.new",
];

/// Whether what is at this path does not outlive a boot.
pub(super) fn is_volatile(path: &str) -> bool {
    ["/run/", "/dev/", "/sys/"].iter().any(|root| path.starts_with(root))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_place_is_looked_at_once() {
        let all: Vec<&str> = PLACES.iter().chain(SHARED).map(|place| place.path).collect();
        let once: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(once.len(), all.len());
        assert!(all.iter().all(|path| path.starts_with('/') && !path.ends_with('/')));
    }
}
