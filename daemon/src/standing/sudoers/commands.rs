//! Which single commands are root's privilege in disguise. Only what can be said for sure is: a
//! program that starts any other, or writes any file, when its arguments are the caller's to choose.

/// Those that run, write or read whatever their arguments say.
const ANYTHING: &[&str] = &[
    "adduser",
    "apt",
    "apt-get",
    "aptitude",
    "at",
    "awk",
    "bash",
    "batch",
    "bpftrace",
    "busybox",
    "chmod",
    "chown",
    "chroot",
    "cp",
    "crontab",
    "csh",
    "dash",
    "dd",
    "debugfs",
    "dnf",
    "docker",
    "dpkg",
    "emacs",
    "env",
    "expect",
    "find",
    "fish",
    "flock",
    "gawk",
    "gcc",
    "gdb",
    "git",
    "gpasswd",
    "install",
    "ionice",
    "kexec",
    "kpartx",
    "ksh",
    "ln",
    "lua",
    "lxc",
    "machinectl",
    "make",
    "mawk",
    "modprobe",
    "mount",
    "mv",
    "nawk",
    "nerdctl",
    "nice",
    "node",
    "nohup",
    "nsenter",
    "openssl",
    "passwd",
    "perl",
    "php",
    "pip",
    "pip3",
    "pkexec",
    "podman",
    "python",
    "python2",
    "python3",
    "rpm",
    "rsync",
    "ruby",
    "run-parts",
    "runuser",
    "rvim",
    "scp",
    "screen",
    "script",
    "sed",
    "setarch",
    "setfacl",
    "setpriv",
    "sh",
    "snap",
    "socat",
    "ssh",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemctl",
    "systemd-run",
    "tar",
    "taskset",
    "tclsh",
    "tcsh",
    "tee",
    "time",
    "timeout",
    "tmux",
    "unshare",
    "useradd",
    "usermod",
    "vipw",
    "virsh",
    "visudo",
    "watch",
    "xargs",
    "yum",
    "zip",
    "zsh",
    "zypper",
];
/// Those that start a shell from inside, whatever they were called with.
const INSIDE: &[&str] = &[
    "ed", "emacs", "ftp", "info", "less", "man", "more", "most", "mutt", "nano", "pico", "vi",
    "view", "vim", "vimdiff", "vipw", "visudo",
];
/// Files that make root of whoever edits them.
const FILES: &[&str] = &[
    "/etc/crontab",
    "/etc/group",
    "/etc/gshadow",
    "/etc/ld.so.preload",
    "/etc/pam.conf",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/sudoers",
];
/// Folders in which every file does.
const FOLDERS: &[&str] =
    &["/etc/cron.", "/etc/pam.d/", "/etc/sudoers.d/", "/etc/systemd/system/", "/root/"];

/// Why this command, as root, is all of root's privilege; `None` if that cannot be said.
pub(super) fn leads_to_root(command: &str, noexec: bool) -> Option<String> {
    let (path, args) = command.split_once(' ').unwrap_or((command, ""));
    if path == "sudoedit" {
        let edits = |file: &str| {
            FILES.contains(&file) || FOLDERS.iter().any(|folder| file.starts_with(folder))
        };
        return args
            .split(' ')
            .find(|file| edits(file))
            .map(|file| format!("who edits {file} makes themselves root"));
    }
    if path.starts_with('^') {
        return None;
    }
    if path.ends_with('/') || path.ends_with("/*") {
        return Some(format!("{path} is every program in that folder, shells among them"));
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = without_version(name);
    if INSIDE.contains(&name) && !noexec {
        return Some(format!("{path} starts a shell from inside"));
    }
    let is_free = args.is_empty() || args == "*";
    if ANYTHING.contains(&name) && is_free {
        return Some(format!("{path} does anything with arguments that nobody limits"));
    }
    None
}

/// Whether a program of this name, setuid root, makes root of whoever starts it.
pub(crate) fn is_root_by_itself(name: &str) -> bool {
    const NOT: &[&str] =
        &["at", "batch", "crontab", "gpasswd", "mount", "passwd", "pkexec", "su", "sudo"];
    let name = without_version(name);
    (ANYTHING.contains(&name) || INSIDE.contains(&name)) && !NOT.contains(&name)
}

/// `python3.11` is `python3`.
fn without_version(name: &str) -> &str {
    name.split_once('.').map_or(name, |(first, rest)| {
        let is_version = rest.chars().all(|c| c.is_ascii_digit() || c == '.');
        if is_version { first } else { name }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_is_said() {
        let all = [
            "/usr/bin/vim /etc/motd",
            "/usr/bin/less",
            "/bin/bash",
            "/usr/bin/python3.11 *",
            "/usr/bin/find",
            "/usr/local/bin/",
            "/usr/bin/*",
            "sudoedit /etc/sudoers.d/x",
            "/usr/bin/systemctl",
        ];
        for command in all {
            assert!(leads_to_root(command, false).is_some(), "{command}");
        }
        let unknown = [
            "/usr/bin/systemctl restart nginx",
            "/bin/bash /opt/backup.sh",
            "/usr/bin/id",
            "sudoedit /etc/motd",
            "list",
            "^/usr/bin/.*$",
            "/usr/bin/find \"\"",
        ];
        for command in unknown {
            assert_eq!(leads_to_root(command, false), None, "{command}");
        }
        assert_eq!(leads_to_root("/usr/bin/less", true), None, "NOEXEC keeps it inside");
        assert!(is_root_by_itself("dash") && !is_root_by_itself("passwd"));
    }
}
