use std::fs;

use super::*;

struct Planted(tempfile::TempDir);

impl Planted {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }

    fn look(&self, owned: &[(&str, &str)]) -> Found {
        let owned = owned.iter().map(|(user, group)| (user.to_string(), group.to_string()));
        look(&Sight {
            root: self.0.path().to_owned(),
            homes: self.0.path().to_owned(),
            host: "web-1".to_owned(),
            owned: owned.collect(),
            programs: Vec::new(),
        })
    }
}

const PASSWD: &str = "root:x:0:0::/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n\
    bob:x:1001:1001::/home/bob:/bin/bash\ncarol:x:1002:998::/home/carol:/bin/bash\n\
    backup:x:34:34::/x:/usr/sbin/nologin\nci:x:1003:1003::/x:/usr/sbin/nologin\n\
    toor:x:0:0::/root:/bin/bash\n";
const GROUP: &str = "root:x:0:\nsudo:x:27:alice,ci\ndocker:x:998:bob,backup,gone\n\
    ops:x:1100:bob,carol\nempty:x:1101:\n";

fn lines(found: &Found) -> Vec<String> {
    let line = |held: &StandingPrivilege| {
        let counts = if held.counts { "" } else { " uncounted" };
        format!("{} {}: {} -> {}{counts}", held.who, held.weight, held.how, held.end)
    };
    found.held.iter().map(line).collect()
}

#[test]
fn each_membership_is_one_privilege_whatever_it_is_good_for() {
    let planted = Planted::new(&[
        ("etc/passwd", PASSWD),
        ("etc/group", GROUP),
        ("etc/sudoers", "root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n%empty ALL=ALL\n"),
        (
            "usr/share/polkit-1/rules.d/40-debian-sudo.rules",
            "polkit.addAdminRule(function() {\n return [\"unix-group:sudo\"];\n});\n",
        ),
    ]);
    let found = planted.look(&[("bob", "docker")]);
    assert_eq!(
        lines(&found),
        [
            "toor root: another name of uid 0 in /etc/passwd -> by-hand",
            "backup root: member of docker -> by-hand",
            "alice root: member of sudo -> group",
            "carol root: primary group docker -> by-hand",
            "ci root: member of sudo -> by-hand",
            "gone root: member of docker -> by-hand uncounted",
        ]
    );
    assert_eq!(found.unseen, Vec::<String>::new());
    let alice = &found.held[2];
    assert_eq!((alice.why.len(), alice.instead.as_deref()), (2, Some("sudo")));
    assert_eq!(alice.by_hand, "gpasswd -d alice sudo");
    assert!(found.ways_of_root.is_empty());
}

#[test]
fn a_rule_for_a_team_is_changed_and_nobody_leaves_the_team() {
    let sudoers = "%ops ALL=(ALL) NOPASSWD: ALL\nalice, %ops ALL=ALL\nALL ALL=/usr/bin/id\n\
                   +net ALL=ALL\nbob, backup ALL=ALL\ncarol, !carol ALL=ALL\nmallory ALL=ALL\n\
                   %ops, !bob ALL=ALL\n";
    let planted =
        Planted::new(&[("etc/passwd", PASSWD), ("etc/group", GROUP), ("etc/sudoers", sudoers)]);
    let found = planted.look(&[]);
    let sudo: Vec<String> = lines(&found)
        .into_iter()
        .filter(|line| !line.contains("docker") && !line.starts_with("toor"))
        .collect();
    assert_eq!(
        sudo,
        [
            "backup root: sudo rule /etc/sudoers:5 -> by-hand",
            "alice root: sudo rule /etc/sudoers:2 -> sudo-rule",
            "bob root: sudo rule /etc/sudoers:1, for %ops -> sudo-rule",
            "bob root: sudo rule /etc/sudoers:2, for %ops -> sudo-rule",
            "bob root: sudo rule /etc/sudoers:5 -> by-hand",
            "carol root: sudo rule /etc/sudoers:1, for %ops -> sudo-rule",
            "carol root: sudo rule /etc/sudoers:2, for %ops -> sudo-rule",
            "carol root: sudo rule /etc/sudoers:8, for %ops -> by-hand",
            "+net root: sudo rule /etc/sudoers:4 -> by-hand",
            "everybody unknown: sudo rule /etc/sudoers:3 -> by-hand uncounted",
            "mallory root: sudo rule /etc/sudoers:7 -> by-hand uncounted",
        ]
    );
    let bob = found.held.iter().find(|held| held.how.ends_with(":1, for %ops")).unwrap();
    assert!(bob.nopasswd && bob.principals == ["%ops"]);
    let alice = found.held.iter().find(|held| held.who == "alice").unwrap();
    assert_eq!(alice.principals, ["alice", "%ops"]);
}

#[test]
fn a_rule_that_names_a_group_of_administrators_too_is_nobodys_to_change() {
    let planted = Planted::new(&[
        ("etc/passwd", PASSWD),
        ("etc/group", GROUP),
        ("etc/sudoers", "bob, %sudo ALL=ALL\n"),
    ]);
    let found = planted.look(&[]);
    let bob = found.held.iter().find(|held| held.kind == StandingKind::Sudo).unwrap();
    assert_eq!((bob.who.as_str(), bob.end), ("bob", StandingEnd::ByHand));
}

#[test]
fn what_is_roots_own_is_found_where_sshd_looks() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x\u{1b}[2J\n";
    let mut files = vec![
        ("etc/passwd", PASSWD),
        ("etc/group", GROUP),
        ("etc/shadow", "root:$y$hash:1::::::\nalice::1::::::\n"),
        ("root/.ssh/authorized_keys", key),
        ("etc/ssh/sshd_config", "AuthorizedKeysFile .ssh/authorized_keys /etc/keys/%u\n"),
        ("etc/keys/toor", key),
    ];
    let found = Planted::new(&files).look(&[]);
    assert_eq!(found.ways_of_root.len(), 1, "no sshd: {:?}", found.ways_of_root);
    files.push(("usr/sbin/sshd", ""));
    let found = Planted::new(&files).look(&[]);
    let keys: Vec<_> = found.held.iter().filter(|held| held.kind == StandingKind::Key).collect();
    assert_eq!(keys.len(), 2, "root's, which is toor's too, and toor's own: {keys:#?}");
    assert!(keys.iter().all(|key| key.counts && key.by_hand.starts_with("take line 1 out of ")));
    let password = found.held.iter().find(|held| held.kind == StandingKind::Password).unwrap();
    assert!(!password.counts);
    let text = format!("{found:?}");
    assert!(!text.contains("$y$hash"));
}
