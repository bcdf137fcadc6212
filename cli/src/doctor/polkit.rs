//! Findings about polkit: whether roles that need it find it on this host.

use std::path::Path;

use stint_proto::RoleName;

use super::{Finding, Rank};

/// Where polkit reads rules, below the root.
const RULES: &str = "etc/polkit-1/rules.d";
/// How the bus starts polkit, below the root: it is installed.
const SERVICE: &str = "usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service";

/// What is wrong, for these roles with polkit actions, on the host whose files are below `root`.
pub fn judge(roles: &[RoleName], root: &Path) -> Vec<Finding> {
    let Some(role) = roles.first() else { return Vec::new() };
    let missing = [RULES, SERVICE].into_iter().find(|path| !root.join(path).exists());
    let finding = |missing: &str| {
        let text = format!(
            "The role {role} has polkit actions, and this host has no polkit that reads rules: \
             /{missing} is not there."
        );
        let mend = "install polkitd (polkit with rpm), then  systemctl restart stintd";
        Finding::new(Rank::Wrong, text, mend)
    };
    missing.map(finding).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn finds_that_polkit_is_needed_and_not_there() {
        let root = tempfile::tempdir().unwrap();
        let roles = ["units".parse().unwrap()];
        let found = |roles: &[RoleName]| judge(roles, root.path());
        assert_eq!(found(&[]), []);
        fs::create_dir_all(root.path().join(RULES)).unwrap();
        let one = found(&roles);
        assert!(one[0].text.starts_with("The role units has polkit actions"), "{one:?}");
        assert!(one[0].text.contains("/usr/share/dbus-1/"), "{one:?}");
        fs::create_dir_all(root.path().join(SERVICE)).unwrap();
        assert_eq!(found(&roles), []);
        fs::remove_dir(root.path().join(RULES)).unwrap();
        assert!(found(&roles)[0].text.contains("/etc/polkit-1/rules.d"));
    }
}
