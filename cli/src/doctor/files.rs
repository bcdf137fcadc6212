//! Findings about owners and modes.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use stint_proto::{PAM_SOCKET, POLICY_DROP_IN_DIR, POLICY_FILE, STATE_DIR, SUDO_RULE_FILE};

use super::{Finding, Rank};

/// What a file should be.
struct Wanted {
    path: &'static str,
    socket: bool,
    required: bool,
    /// The bits that must not be set.
    forbidden: u32,
    /// The mode that it should have.
    mode: u32,
}

const WANTED: [Wanted; 6] = [
    Wanted { path: "/etc/stint", socket: false, required: true, forbidden: 0o022, mode: 0o755 },
    Wanted { path: POLICY_FILE, socket: false, required: true, forbidden: 0o022, mode: 0o644 },
    Wanted {
        path: POLICY_DROP_IN_DIR,
        socket: false,
        required: false,
        forbidden: 0o022,
        mode: 0o755,
    },
    Wanted { path: STATE_DIR, socket: false, required: true, forbidden: 0o077, mode: 0o700 },
    Wanted { path: SUDO_RULE_FILE, socket: false, required: false, forbidden: 0o337, mode: 0o440 },
    Wanted { path: PAM_SOCKET, socket: true, required: true, forbidden: 0o177, mode: 0o600 },
];

/// What is wrong with stint's own files under `root`.
pub fn judge(root: &Path) -> Vec<Finding> {
    WANTED.iter().filter_map(|wanted| one(root, wanted, 0)).collect()
}

fn one(root: &Path, wanted: &Wanted, owner: u32) -> Option<Finding> {
    let path = wanted.path;
    let wrong = |text: String, mend: String| Some(Finding::new(Rank::Wrong, text, mend));
    let restart = "systemctl restart stintd.socket".to_owned();
    let meta = match fs::symlink_metadata(root.join(path.trim_start_matches('/'))) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mend = if wanted.socket { restart } else { "install stint again".to_owned() };
            return if wanted.required { wrong(format!("{path} is missing."), mend) } else { None };
        }
        Err(error) => return wrong(format!("{path}: {error}."), format!("ls -ld {path}")),
    };
    if wanted.socket != meta.file_type().is_socket() || meta.is_symlink() {
        return wrong(format!("{path} is not what it should be."), format!("ls -ld {path}"));
    }
    if meta.uid() != owner {
        let text = format!("{path} belongs to uid {}, not to root.", meta.uid());
        return wrong(text, format!("chown root {path}"));
    }
    let (mode, right) = (meta.mode() & 0o7777, wanted.mode);
    if mode & wanted.forbidden != 0 {
        let text = format!("{path} has mode {mode:04o}; it should be {right:04o}.");
        return wrong(text, format!("chmod {right:04o} {path}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn finds_what_is_missing_and_what_others_may_write_or_read() {
        let dir = tempfile::tempdir().unwrap();
        let owner = nix::unistd::geteuid().as_raw();
        let texts = || {
            let found = WANTED.iter().filter_map(|wanted| one(dir.path(), wanted, owner));
            found.map(|finding| finding.text).collect::<Vec<_>>()
        };
        assert_eq!(
            texts(),
            [
                "/etc/stint is missing.",
                "/etc/stint/policy.toml is missing.",
                "/var/lib/stint is missing.",
                "/run/stint/pam.sock is missing."
            ]
        );
        for (path, mode) in [("etc/stint", 0o775), ("var/lib/stint", 0o755), ("run/stint", 0o755)] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(dir.path().join(path), mode).unwrap();
        }
        fs::write(dir.path().join("etc/stint/policy.toml"), "").unwrap();
        fs::write(dir.path().join("run/stint/pam.sock"), "").unwrap();
        assert_eq!(
            texts(),
            [
                "/etc/stint has mode 0775; it should be 0755.",
                "/var/lib/stint has mode 0755; it should be 0700.",
                "/run/stint/pam.sock is not what it should be."
            ]
        );
        assert_eq!(one(dir.path(), &WANTED[0], owner + 1).unwrap().mend, "chown root /etc/stint");
    }
}
