//! Which sudo is installed, which of them understand what, and which checkers there are. Looks at
//! the host and runs `sudo -V`; changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::run::run;

const SUDO: [&str; 3] = ["/usr/bin/sudo", "/usr/bin/sudo.ws", "/usr/local/bin/sudo"];
const SUDO_RS: [&str; 4] =
    ["/usr/bin/sudo-rs", "/usr/bin/visudo-rs", "/usr/lib/sudo-rs", "/usr/lib/cargo/bin/sudo"];
const CHECKERS: [&str; 8] = [
    "/usr/sbin/visudo",
    "/usr/bin/visudo",
    "/usr/sbin/visudo.ws",
    "/usr/bin/visudo.ws",
    "/usr/local/sbin/visudo",
    "/usr/sbin/visudo-rs",
    "/usr/bin/visudo-rs",
    "/usr/lib/cargo/bin/visudo",
];
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// What was found of sudo on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SudoProbe {
    /// What each installed sudo says of its version (`sudo -V`); not asked beside sudo-rs.
    pub versions: Vec<String>,
    /// Whether a file of sudo-rs is there.
    pub sudo_rs_files: bool,
    /// The programs that check a sudoers file, each once; a new file must please all of them.
    pub checkers: Vec<PathBuf>,
}

impl SudoProbe {
    /// Looks at this host.
    #[must_use]
    pub fn of_host() -> Self {
        let sudo_rs_files = SUDO_RS.iter().any(|path| Path::new(path).exists());
        // Beside sudo-rs no version changes anything, and a sudo that cannot resolve the host's
        // name may take seconds to say it.
        let programs = if sudo_rs_files { Vec::new() } else { each_once(&SUDO) };
        let versions =
            programs.iter().map(|sudo| match run(sudo, &["-V".as_ref()], VERSION_LIMIT) {
                Ok(ran) => ran.output,
                // A sudo that does not say its version is one of unknown abilities.
                Err(error) => error.to_string(),
            });
        Self { versions: versions.collect(), sudo_rs_files, checkers: each_once(&CHECKERS) }
    }

    /// Whether sudo-rs may be the one that reads the rules.
    #[must_use]
    pub fn has_sudo_rs(&self) -> bool {
        let says_so = |text: &String| text.lines().any(|line| line.starts_with("sudo-rs"));
        self.sudo_rs_files || self.versions.iter().any(says_so)
    }

    /// Whether every installed sudo honours NOTAFTER: sudo does since 1.8.20, sudo-rs refuses the
    /// line that holds it.
    #[must_use]
    pub fn understands_notafter(&self) -> bool {
        let new = |text: &String| version(text).is_some_and(|version| version >= [1, 8, 20]);
        !self.has_sudo_rs() && !self.versions.is_empty() && self.versions.iter().all(new)
    }

    /// Whether a role's `record` does nothing for some installed sudo: sudo-rs takes the tags, warns
    /// and ignores them.
    #[must_use]
    pub fn ignores_record(&self) -> bool {
        self.has_sudo_rs()
    }
}

/// The three numbers after `Sudo version`.
fn version(text: &str) -> Option<[u32; 3]> {
    let line = text.lines().find_map(|line| line.strip_prefix("Sudo version "))?;
    let mut numbers = line.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    Some([numbers.next()??, numbers.next()??, numbers.next().unwrap_or(Some(0))?])
}

/// Those that are there, in this order; of several names of one program the first.
fn each_once(paths: &[&str]) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let real = |path: &&&str| fs::canonicalize(path).ok();
    paths
        .iter()
        .filter(|path| real(path).is_some_and(|path| seen.insert(path)))
        .map(PathBuf::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(versions: &[&str], sudo_rs_files: bool) -> SudoProbe {
        let versions = versions.iter().map(|text| (*text).to_owned()).collect();
        SudoProbe { versions, sudo_rs_files, checkers: Vec::new() }
    }

    #[test]
    fn no_notafter_where_one_sudo_would_not_take_it() {
        assert!(!probe(&[], false).understands_notafter());
        assert!(!probe(&["Sudo version 1.9.16p2\n"], true).understands_notafter());
        assert!(!probe(&["sudo-rs 0.2.5\n"], false).understands_notafter());
        assert!(
            !probe(&["Sudo version 1.9.16\n", "sudo-rs 0.2.8\n"], false).understands_notafter()
        );
        assert!(!probe(&["Sudo version 1.8.19p2\n"], false).understands_notafter());
        assert!(!probe(&["garbage"], false).understands_notafter());
        assert!(!probe(&["Sudo version x"], false).understands_notafter());
    }

    #[test]
    fn notafter_where_all_take_it() {
        for text in ["Sudo version 1.8.20", "Sudo version 1.9.13p3\nSudoers", "Sudo version 2.0"] {
            assert!(probe(&[text], false).understands_notafter(), "{text}");
        }
        let warned = "sudo: unable to resolve host web-1\nSudo version 1.9.13p3\n";
        assert!(probe(&[warned], false).understands_notafter());
    }
}
