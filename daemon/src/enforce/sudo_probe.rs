//! Which checkers of sudoers are installed, and what the sudo of each understands. Asks `visudo -V`:
//! `sudo -V` as root reads the rules, and complains into the log where it may not. Changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::run::run;

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
    /// The programs that check a sudoers file, each once; a new file must please all of them.
    pub checkers: Vec<PathBuf>,
    /// What each of them says of its version, in the same order.
    pub versions: Vec<String>,
}

impl SudoProbe {
    /// Looks at this host.
    #[must_use]
    pub fn of_host() -> Self {
        let checkers = each_once(&CHECKERS);
        let versions =
            checkers.iter().map(|visudo| match run(visudo, &["-V".as_ref()], VERSION_LIMIT) {
                Ok(ran) => ran.output,
                // One that does not say its version is one of unknown abilities.
                Err(error) => error.to_string(),
            });
        Self { versions: versions.collect(), checkers }
    }

    /// Whether every installed sudo honours NOTAFTER: sudo does since 1.8.20, sudo-rs refuses the
    /// line that holds it.
    #[must_use]
    pub fn understands_notafter(&self) -> bool {
        let new = |text: &String| sudo_version(text).is_some_and(|version| version >= [1, 8, 20]);
        !self.versions.is_empty() && self.versions.iter().all(new)
    }
}

/// The version in what sudo's visudo says of itself; `None` for sudo-rs's, which knows no grammar
/// version.
fn sudo_version(text: &str) -> Option<[u32; 3]> {
    text.lines().find(|line| line.starts_with("visudo grammar version "))?;
    let line = text.lines().find_map(|line| line.strip_prefix("visudo version "))?;
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

    const SUDO: &str = "visudo version 1.9.13p3\nvisudo grammar version 48\n";
    const SUDO_RS: &str = "visudo version 0.2.5\n";

    fn understands(versions: &[&str]) -> bool {
        let versions = versions.iter().map(|text| (*text).to_owned()).collect();
        SudoProbe { versions, checkers: Vec::new() }.understands_notafter()
    }

    #[test]
    fn no_notafter_where_one_sudo_would_not_take_it() {
        assert!(!understands(&[]));
        assert!(!understands(&[SUDO_RS]));
        assert!(!understands(&[SUDO, SUDO_RS]));
        assert!(!understands(&["visudo version 1.8.19p2\nvisudo grammar version 45\n"]));
        assert!(!understands(&["visudo version 2.0.0\n"]), "a later sudo-rs");
        assert!(!understands(&["garbage"]));
        assert!(!understands(&["visudo version x\nvisudo grammar version 1\n"]));
    }

    #[test]
    fn notafter_where_all_take_it() {
        assert!(understands(&[SUDO]));
        assert!(understands(&["visudo version 1.8.20\nvisudo grammar version 46\n"]));
        assert!(understands(&["visudo version 2.0\nvisudo grammar version 60\n", SUDO]));
    }
}
