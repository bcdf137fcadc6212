//! What a look sees of a folder that stands for a host, and what it leaves alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;

use stint_proto::{Finding, ResidueChange};

use super::super::{Report, compare};
use super::*;
use crate::clock::KernelClock;

struct Host {
    folder: tempfile::TempDir,
    own: Own,
}

impl Host {
    fn new() -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap(), own: Own::default() };
        // alice has one of her own, at a place whose name is no text.
        let mounts = b"22 1 0:21 / / rw - ext4 x rw\n23 22 0:1 / /home/far rw - nfs x rw\n\
            24 22 0:9 / /home/alice/\xff rw - fuse.x x rw\n";
        fs::write(host.path("mountinfo"), mounts).unwrap();
        for folder in ["etc/sudoers.d", "etc/cron.d", "usr/bin", "tmp", "home/alice/.ssh"] {
            fs::create_dir_all(host.path(folder)).unwrap();
        }
        host.write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\nalice:x:1000:1::/home/alice:/bin/sh\n\
             far:x:1001:1::/home/far:/bin/sh\n",
        );
        host.write("etc/group", "sudo:x:27:\n");
        host
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), PermissionsExt::from_mode(mode)).unwrap();
    }

    fn look(&self) -> Picture {
        let (root, mountinfo) = (self.folder.path().to_owned(), self.path("mountinfo"));
        let look = Look { root, mountinfo, clock: Arc::new(KernelClock) };
        look.look(Part::Rest, &self.own).with(look.look(Part::Shared, &self.own))
    }
}

fn told(report: &Report) -> Vec<String> {
    let line = |one: &Finding| {
        let entry = if one.entry.is_empty() { "" } else { " " };
        format!("{} {} {}{entry}{}", one.change, one.kind, one.path, one.entry)
    };
    report.found.iter().map(line).collect()
}

#[test]
fn two_looks_at_the_same_are_the_same() {
    let host = Host::new();
    let first = host.look();
    assert_eq!(first, host.look());
    let again: Picture = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
    assert_eq!(Picture { files: first.files(), ..again }, first);
}

#[test]
fn everything_that_opens_something_is_found() {
    let host = Host::new();
    host.write("etc/cron.d/old", "a");
    host.write("usr/bin/tool", "a");
    let before = host.look();
    host.write("etc/sudoers.d/x", "a");
    host.write("home/alice/.ssh/authorized_keys", "a");
    host.mode("etc/cron.d/old", 0o600);
    host.mode("usr/bin/tool", 0o4755);
    host.write("tmp/a/shell", "a");
    host.mode("tmp/a/shell", 0o2755);
    host.mode("etc/cron.d", 0o777);
    host.write("etc/group", "sudo:x:27:alice\n");
    assert_eq!(
        told(&compare(&before, &host.look(), true)),
        [
            "new sudo /etc/sudoers.d/x",
            "new account /etc/group alice in sudo",
            "new ssh /home/alice/.ssh/authorized_keys",
            "new setuid /tmp/a/shell",
            "new setuid /usr/bin/tool",
            "changed cron /etc/cron.d/",
            "changed cron /etc/cron.d/old",
        ]
    );
}

#[test]
fn no_link_is_followed_and_nothing_that_may_hang_is_touched() {
    let host = Host::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("x"), "a").unwrap();
    fs::set_permissions(elsewhere.path().join("x"), PermissionsExt::from_mode(0o4755)).unwrap();
    fs::remove_dir(host.path("home/alice/.ssh")).unwrap();
    let before = host.look();
    symlink(elsewhere.path(), host.path("etc/cron.d/folder")).unwrap();
    symlink(elsewhere.path(), host.path("tmp/folder")).unwrap();
    symlink(elsewhere.path(), host.path("home/alice/.ssh")).unwrap();
    host.write("home/far/.ssh/authorized_keys", "a");
    let report = compare(&before, &host.look(), true);
    assert_eq!(told(&report), ["new cron /etc/cron.d/folder"]);
    let unseen = report.unseen.join("\n");
    assert!(unseen.contains("/home/alice/.ssh/authorized_keys: a link leads there"), "{unseen}");
    assert!(unseen.contains("/home/far: it is on nfs, which may not be local"), "{unseen}");
    assert!(report.went_dark);
}

#[test]
fn what_stint_put_there_is_its_own_until_somebody_touches_it() {
    let mut host = Host::new();
    let before = host.look();
    host.write("etc/sudoers.d/stint", "rules");
    host.write("etc/group", "sudo:x:27:alice\n");
    host.write("run/userdb/alice:video.membership", "{}");
    let mark = Mark::of_file(&nix::sys::stat::lstat(&host.path("etc/sudoers.d/stint")).unwrap());
    host.own.files.insert("/etc/sudoers.d/stint".to_owned(), mark);
    for group in ["sudo", "video"] {
        host.own.members.insert(("alice".to_owned(), group.to_owned()));
    }
    let with = host.look();
    assert_eq!(told(&compare(&before, &with, true)), [""; 0]);
    host.write("etc/sudoers.d/stint", "rules and more");
    let report = compare(&with, &host.look(), true);
    assert_eq!(told(&report), ["changed sudo /etc/sudoers.d/stint"]);
    assert_eq!(report.found[0].change, ResidueChange::Changed);
}

#[test]
fn too_much_is_said_and_does_not_hide_the_rest() {
    let host = Host::new();
    let before = host.look();
    for number in 0..=FILES.0 {
        fs::write(host.path("tmp").join(number.to_string()), "").unwrap();
    }
    host.write("etc/cron.d/x", "a");
    let report = compare(&before, &host.look(), true);
    assert_eq!(told(&report), ["new cron /etc/cron.d/x"]);
    assert_eq!(report.unseen.last().unwrap(), "/tmp: there is too much in it");
}

#[test]
fn where_the_host_cannot_be_seen_that_is_said() {
    let look = Look {
        root: "/nonexistent".into(),
        mountinfo: "/proc/self/mountinfo".into(),
        clock: Arc::new(KernelClock),
    };
    let report = compare(&look.look(Part::Rest, &Own::default()), &Picture::default(), true);
    assert!(report.went_dark && report.unseen[0].starts_with("the host cannot be seen: "));
}
