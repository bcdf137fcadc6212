//! Which kind of file system a path is on, from the text of mountinfo (proc_pid_mountinfo(5)),
//! without touching it: one whose server is gone would hold up whoever does.

use std::collections::HashMap;

/// What answers without a network and without somebody's own program. Of all others nothing is
/// known, and they are left alone; so is what is mounted when it is touched.
const LOCAL: &[&str] = &[
    "bcachefs", "btrfs", "cgroup2", "devtmpfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs",
    "jfs", "nilfs2", "ntfs3", "overlay", "ramfs", "reiserfs", "squashfs", "tmpfs", "vfat", "xfs",
    "zfs",
];

/// What is mounted where.
#[derive(Clone, Debug, Default)]
pub(super) struct Mounts {
    by_point: HashMap<String, String>,
}

impl Mounts {
    pub(super) fn parse(mountinfo: &str) -> Self {
        let read = |line: &str| {
            let (fields, rest) = line.split_once(" - ")?;
            let point = unescaped(fields.split(' ').nth(4)?);
            Some((point, rest.split(' ').next()?.to_owned()))
        };
        // The last that was mounted at a place hides the others.
        Self { by_point: mountinfo.lines().filter_map(read).collect() }
    }

    /// Whether something is mounted right there.
    pub(super) fn is_point(&self, path: &str) -> bool {
        self.by_point.contains_key(path)
    }

    /// The kind of file system that stands in the way of looking there, if one does. What the host
    /// itself lives on does not: it would hang with it.
    pub(super) fn foreign(&self, path: &str) -> Option<&str> {
        let mut point = path;
        while !point.is_empty() {
            if let Some(kind) = self.by_point.get(point) {
                return (!LOCAL.contains(&kind.as_str())).then_some(kind);
            }
            point = point.rsplit_once('/')?.0;
        }
        None
    }
}

/// Blanks and the like are written as `\040`.
fn unescaped(field: &str) -> String {
    let mut out = Vec::new();
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| *first == b'\\');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hang_is_known_before_it_is_touched() {
        let mounts = Mounts::parse(
            "22 1 0:21 / / rw - nfs srv:/root rw\n\
             23 22 0:22 / /home rw,relatime shared:1 - autofs auto.home rw\n\
             24 23 0:23 / /home/alice rw - nfs4 srv:/alice rw\n\
             25 22 8:1 / /srv/a\\040b rw - ext4 /dev/sda1 rw\n\
             26 22 8:1 / /data rw - ext4 /dev/sda1 rw\n\
             27 22 0:24 / /data rw - fuse.sshfs x rw\n",
        );
        assert_eq!(mounts.foreign("/home/alice/.ssh"), Some("nfs4"));
        assert_eq!(mounts.foreign("/home/bob"), Some("autofs"));
        assert_eq!(mounts.foreign("/homes/bob"), None);
        assert_eq!(mounts.foreign("/etc/sudoers"), None, "what the host lives on");
        assert_eq!(mounts.foreign("/srv/a b/c"), None);
        assert_eq!(mounts.foreign("/data/x"), Some("fuse.sshfs"));
    }
}
