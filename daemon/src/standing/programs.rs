//! Programs that run with root's rights whoever starts them, in the places that are looked at for
//! what grants leave: those that no package brings, and those that are a shell in disguise.

use std::collections::BTreeSet;
use std::path::Path;

use stint_proto::StandingWeight::{self, Root, Unknown};

use super::files;
use super::sudoers::is_root_by_itself;
use crate::residue::Program;

/// What distributions ship setuid root, and what guards itself.
const USUAL: &[&str] = &[
    "at",
    "chage",
    "chfn",
    "chrome-sandbox",
    "chsh",
    "crontab",
    "dbus-daemon-launch-helper",
    "doas",
    "dotlockfile",
    "exim4",
    "expiry",
    "fusermount",
    "fusermount3",
    "gpasswd",
    "ksu",
    "lxc-user-nic",
    "mount",
    "mount.cifs",
    "mount.nfs",
    "newgidmap",
    "newgrp",
    "newuidmap",
    "ntfs-3g",
    "pam_timestamp_check",
    "passwd",
    "ping",
    "ping6",
    "pkexec",
    "polkit-agent-helper-1",
    "pppd",
    "snap-confine",
    "ssh-keysign",
    "stint-run",
    "su",
    "sudo",
    "sudo-rs",
    "su-rs",
    "sudoreplay",
    "umount",
    "unix_chkpwd",
    "usernetctl",
    "vmware-user-suid-wrapper",
    "Xorg.wrap",
];
/// Where distributions ship them.
const SHIPPED: &[&str] =
    &["/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/libexec/", "/bin/", "/sbin/"];
/// Shells and interpreters that a copy may be of.
const SHELLS: &[&str] = &[
    "/usr/bin/bash",
    "/usr/bin/dash",
    "/usr/bin/zsh",
    "/usr/bin/ksh",
    "/usr/bin/fish",
    "/usr/bin/busybox",
    "/usr/bin/python3",
    "/usr/bin/perl",
    "/usr/bin/env",
];
/// Capabilities that are root's whole privilege, by their numbers (capabilities(7)).
const CAPABILITIES: &[(u32, &str)] = &[
    (0, "chown"),
    (1, "dac_override"),
    (2, "dac_read_search"),
    (3, "fowner"),
    (6, "setgid"),
    (7, "setuid"),
    (16, "sys_module"),
    (17, "sys_rawio"),
    (18, "sys_chroot"),
    (19, "sys_ptrace"),
    (21, "sys_admin"),
    (31, "setfcap"),
];

/// What one program comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) weight: StandingWeight,
    pub(super) why: String,
}

/// Judges those that are not as usual. `root` is where their files can be read.
pub(super) fn judge<'a>(root: &Path, programs: &'a [Program]) -> Vec<(&'a Program, Judged)> {
    let odd: Vec<&Program> = programs.iter().filter(|program| !is_usual(program)).collect();
    let setuid = |program: &&&Program| !program.capable;
    let shipped = packaged(root, &odd.iter().filter(setuid).copied().collect::<Vec<_>>());
    odd.into_iter()
        .filter_map(|program| Some((program, judged(root, program, &shipped)?)))
        .collect()
}

fn is_usual(program: &Program) -> bool {
    let is_shipped = SHIPPED.iter().any(|folder| program.path.starts_with(folder));
    // ssh-agent and the like are there for a group, not for root.
    !program.capable && is_shipped && USUAL.contains(&program.name())
}

fn judged(root: &Path, program: &Program, shipped: &BTreeSet<String>) -> Option<Judged> {
    if program.capable {
        let set = capabilities(root, program)?;
        let why = format!("has the capabilities {}, for whoever starts it", set.join(", "));
        return Some(Judged { weight: Root, why });
    }
    if let Some(shell) = copy_of(root, program) {
        let why = format!("is {shell}, and makes root of whoever starts it");
        return Some(Judged { weight: Root, why });
    }
    if is_root_by_itself(program.name()) {
        let why = "runs any command, as root, for whoever starts it".to_owned();
        return Some(Judged { weight: Root, why });
    }
    let unusr = |path: &str| path.strip_prefix("/usr").unwrap_or(path).to_owned();
    Some(if shipped.contains(&unusr(&program.path)) {
        let why = "runs as root for whoever starts it; a package brought it".to_owned();
        Judged { weight: Unknown, why }
    } else {
        let why = "runs as root for whoever starts it, and no package brought it".to_owned();
        Judged { weight: Root, why }
    })
}

/// Which shell it is a copy of, or is itself.
fn copy_of(root: &Path, program: &Program) -> Option<&'static str> {
    let own = files::below(root, Path::new(&program.path));
    let length = std::fs::metadata(&own).ok()?.len();
    SHELLS.iter().copied().find(|shell| {
        let shell = files::below(root, Path::new(shell));
        // Only what is as long can be the same.
        std::fs::metadata(&shell).is_ok_and(|one| one.is_file() && one.len() == length)
            && match (files::read_with(&own), files::read_with(&shell)) {
                (Ok((own, _)), Ok((shell, _))) => own == shell,
                _ => false,
            }
    })
}

/// Which of these a package of dpkg's brought, without `/usr` before them. Nothing is read where
/// nothing is asked for.
fn packaged(root: &Path, programs: &[&Program]) -> BTreeSet<String> {
    let unusr = |path: &str| path.strip_prefix("/usr").unwrap_or(path).to_owned();
    let wanted: BTreeSet<String> = programs.iter().map(|program| unusr(&program.path)).collect();
    let mut found = BTreeSet::new();
    if wanted.is_empty() {
        return found;
    }
    for list in files::names(root, "/var/lib/dpkg/info", ".list") {
        let path = files::below(root, &Path::new("/var/lib/dpkg/info").join(list));
        let Ok((bytes, _)) = files::read_with(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        found.extend(text.lines().map(unusr).filter(|path| wanted.contains(path)));
    }
    found
}

/// Which of root's capabilities a program gives; `None` if none of those that matter.
fn capabilities(root: &Path, program: &Program) -> Option<Vec<&'static str>> {
    let path = files::below(root, Path::new(&program.path));
    let set = xattr::get(path, "security.capability").ok().flatten()?;
    let permitted = set.get(4..8).and_then(|bytes| bytes.try_into().ok());
    let permitted = u32::from_le_bytes(permitted?);
    let found: Vec<_> = CAPABILITIES
        .iter()
        .filter(|(number, _)| permitted >> number & 1 == 1)
        .map(|(_, name)| *name)
        .collect();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_every_host_has_is_passed_by_and_a_shell_by_any_name_is_not() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("usr/bin/dash", "a shell");
        put("tmp/x", "a shell");
        put("usr/bin/odd", "");
        put("usr/local/bin/sudo", "");
        put("var/lib/dpkg/info/odd.list", "/usr\n/bin/odd\n");
        let program =
            |path: &str| Program { path: path.to_owned(), others: true, gid: 0, capable: false };
        let all: Vec<Program> =
            ["/usr/bin/passwd", "/tmp/x", "/usr/bin/odd", "/usr/local/bin/sudo", "/usr/bin/find"]
                .into_iter()
                .map(program)
                .collect();
        let judged = judge(root.path(), &all);
        let shown: Vec<String> = judged
            .iter()
            .map(|(program, judged)| format!("{} {}", program.path, judged.weight))
            .collect();
        assert_eq!(
            shown,
            [
                "/tmp/x root",
                "/usr/bin/odd unknown",
                "/usr/local/bin/sudo root",
                "/usr/bin/find root"
            ]
        );
        assert_eq!(judged[0].1.why, "is /usr/bin/dash, and makes root of whoever starts it");
    }
}
