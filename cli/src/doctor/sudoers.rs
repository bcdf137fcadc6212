//! Findings about sudo's own settings. Reads sudoers only as far as `Defaults` and includes go.

use std::fs;
use std::path::{Path, PathBuf};

use stint_policy::text::harmless;

use super::{Finding, Rank};

/// What sudoers says that matters to the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Settings that go past the gate, with the file that has them.
    pub found: Vec<(Setting, String)>,
    /// Whether /etc/sudoers.d is read.
    pub reads_folder: bool,
    /// Whether there is a sudoers file at all.
    pub exists: bool,
}

/// A setting that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `!pam_acct_mgmt`: the account phase is not run.
    NoAccount,
    /// `!pam_session`: nor the session phase.
    NoSession,
    /// `pam_service`, `pam_login_service`: another PAM file is used.
    Service {
        /// Which option.
        option: String,
        /// Which service.
        service: String,
    },
}

impl Settings {
    /// Whether sudo's account phase is not that of the service sudo.
    pub fn bypass(&self) -> bool {
        self.found.iter().any(|(setting, _)| match setting {
            Setting::NoAccount => true,
            Setting::NoSession => false,
            Setting::Service { option, .. } => option == "pam_service",
        })
    }
}

/// Reads the host's sudoers under `root`.
pub fn read(root: &Path) -> Settings {
    let mut settings = Settings::default();
    for name in ["/etc/sudoers", "/etc/sudoers-rs"] {
        file(root, Path::new(name), 0, &mut settings);
    }
    settings
}

fn file(root: &Path, path: &Path, depth: usize, settings: &mut Settings) {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let Ok(bytes) = fs::read(root.join(relative)) else { return };
    settings.exists = true;
    let text = String::from_utf8_lossy(&bytes).replace("\\\n", "");
    for line in text.lines().map(str::trim) {
        let word = line.split_ascii_whitespace().next().unwrap_or_default();
        let rest = line.get(word.len()..).unwrap_or_default().trim().trim_matches('"');
        let target = |rest: &str| match Path::new(rest) {
            path if path.is_absolute() => path.to_owned(),
            path => Path::new("/etc").join(path),
        };
        match word {
            "@include" | "#include" if depth < 16 => {
                file(root, &target(rest), depth + 1, settings);
            }
            "@includedir" | "#includedir" if depth < 16 => {
                folder(root, &target(rest), depth, settings);
            }
            _ if word.starts_with("Defaults") => {
                let found = defaults(rest);
                let name = path.to_string_lossy().into_owned();
                settings.found.extend(found.into_iter().map(|one| (one, name.clone())));
            }
            _ => {}
        }
    }
}

fn folder(root: &Path, path: &Path, depth: usize, settings: &mut Settings) {
    settings.reads_folder |= path == Path::new("/etc/sudoers.d");
    let relative = path.strip_prefix("/").unwrap_or(path);
    let entries = fs::read_dir(root.join(relative)).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for name in names.iter().filter(|name| !name.contains('.') && !name.ends_with('~')) {
        let inner: PathBuf = path.join(name);
        file(root, &inner, depth + 1, settings);
    }
}

fn defaults(text: &str) -> Vec<Setting> {
    let text = text.split('#').next().unwrap_or_default();
    let settings = text.split(',').map(|one| one.replace([' ', '\t'], ""));
    settings
        .filter_map(|one| match one.as_str() {
            "!pam_acct_mgmt" => Some(Setting::NoAccount),
            "!pam_session" => Some(Setting::NoSession),
            other => {
                let (option, service) = other.split_once('=')?;
                let usual = match option {
                    "pam_service" => "sudo",
                    "pam_login_service" => "sudo-i",
                    _ => return None,
                };
                let service = service.trim_matches('"').to_owned();
                let option = option.to_owned();
                (service != usual).then_some(Setting::Service { option, service })
            }
        })
        .collect()
}

/// What is wrong with it.
pub fn judge(settings: &Settings) -> Vec<Finding> {
    if !settings.exists {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (setting, path) in &settings.found {
        let path = harmless(path);
        let mend = format!("visudo -f {path}");
        findings.push(match setting {
            Setting::NoAccount => {
                let text = format!("{path} has !pam_acct_mgmt: sudo does not ask stint.");
                Finding::new(Rank::Open, text, mend)
            }
            Setting::NoSession => {
                let text = format!(
                    "{path} has !pam_session: sudo's sessions do not end with their grants."
                );
                Finding::new(Rank::Wrong, text, mend)
            }
            Setting::Service { option, service } => {
                let service = harmless(service);
                let text = format!("{path} sets {option}: the PAM file {service} is used instead.");
                Finding::new(Rank::Open, text, format!("stint gate on {service}, or  {mend}"))
            }
        });
    }
    if !settings.reads_folder {
        let text =
            "/etc/sudoers does not include /etc/sudoers.d, so sudo does not see what roles give.";
        findings.push(Finding::new(
            Rank::Wrong,
            text,
            "visudo, and add  @includedir /etc/sudoers.d",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(sudoers: &str, drop_in: &str) -> Settings {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/sudoers.d")).unwrap();
        fs::write(dir.path().join("etc/sudoers"), sudoers).unwrap();
        fs::write(dir.path().join("etc/sudoers.d/site"), drop_in).unwrap();
        fs::write(dir.path().join("etc/sudoers.d/old.bak"), "Defaults !pam_acct_mgmt\n").unwrap();
        read(dir.path())
    }

    #[test]
    fn finds_settings_that_go_past_the_gate_wherever_they_stand() {
        for text in [
            "Defaults !pam_acct_mgmt",
            "Defaults:alice env_reset, ! pam_acct_mgmt",
            "Defaults env_reset, \\\n !pam_acct_mgmt # why",
            "Defaults pam_service=other",
        ] {
            let settings = host("@includedir /etc/sudoers.d\n", text);
            assert!(settings.bypass(), "{text} {settings:?}");
            assert_eq!(judge(&settings)[0].rank, Rank::Open, "{text}");
        }
        let settings = host("Defaults !pam_session\n#includedir /etc/sudoers.d\n", "");
        assert_eq!(judge(&settings)[0].rank, Rank::Wrong);
        assert!(!settings.bypass());
    }

    #[test]
    fn finds_rules_that_sudo_would_not_read() {
        let found = judge(&host("root ALL=(ALL:ALL) ALL\n", ""));
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("does not include"), "{found:?}");
    }

    #[test]
    fn debians_sudoers_has_no_finding() {
        let text = "Defaults\tenv_reset\nDefaults\tmail_badpass\nDefaults\tuse_pty\n\
                    # Defaults !pam_acct_mgmt\nroot\tALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n";
        assert_eq!(judge(&host(text, "Defaults pam_service=sudo\n")), []);
    }
}
