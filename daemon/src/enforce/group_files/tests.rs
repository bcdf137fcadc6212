//! The group files on copies: refusals first, then what stays as it was.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};

use super::*;

const GROUP: &str = "root:x:0:\ndocker:x:995:daemon\nadm:x:4:\n";
const GSHADOW: &str = "root:*::\ndocker:!:root:daemon\nadm:*::\n";

struct Copy {
    dir: tempfile::TempDir,
}

impl Copy {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("group"), GROUP).unwrap();
        fs::write(dir.path().join("gshadow"), GSHADOW).unwrap();
        Self { dir }
    }

    fn etc(&self, patience: Duration) -> Etc {
        Etc { dir: self.dir.path().to_owned(), patience }
    }

    fn try_add(&self, group: &str) -> Result<Vec<Outcome>, GroupFilesError> {
        let etc = self.etc(Duration::from_millis(200));
        etc.apply(&[change("bin", group, Action::Add)], &mut |_| Ok(()))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// Nothing was changed, and nothing of ours is left.
    fn assert_untouched(&self) {
        assert_eq!((self.read("group").as_str(), self.read("gshadow").as_str()), (GROUP, GSHADOW));
        self.assert_no_leftover();
    }

    fn assert_no_leftover(&self) {
        for entry in fs::read_dir(self.dir.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(matches!(name.as_str(), "group" | "gshadow" | ".pwd.lock"), "{name}");
        }
    }
}

fn change(user: &str, group: &str, action: Action) -> Change {
    Change { membership: (user.parse().unwrap(), group.parse().unwrap()), action }
}

/// A process that lives until it is dropped.
struct Living(Child);

impl Living {
    fn new() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

#[test]
fn a_lock_of_a_living_process_is_waited_for_and_then_refused() {
    for name in ["group.lock", "gshadow.lock"] {
        let copy = Copy::new();
        let living = Living::new();
        copy.write(name, format!("{}\0", living.0.id()));
        let refused = copy.try_add("docker").unwrap_err().to_string();
        assert!(refused.contains(name), "{refused}");
        assert!(refused.contains(&living.0.id().to_string()), "{refused}");
        assert!(copy.dir.path().join(name).exists(), "theirs stays");
        fs::remove_file(copy.dir.path().join(name)).unwrap();
        copy.assert_untouched();
    }
}

#[test]
fn a_lock_that_names_nobody_is_refused() {
    for text in ["", "x", "0", "-1", "99999999999999999999"] {
        let copy = Copy::new();
        copy.write("group.lock", text);
        let refused = copy.try_add("docker").unwrap_err();
        assert!(
            matches!(refused, GroupFilesError::Lock(LockError::NoOwner { .. })),
            "{text:?}: {refused}"
        );
        assert!(copy.dir.path().join("group.lock").exists());
    }
}

#[test]
fn the_password_lock_of_another_process_is_waited_for() {
    let copy = Copy::new();
    let path = copy.dir.path().join(".pwd.lock");
    let script = "import fcntl,sys,time\nf=open(sys.argv[1],'w')\nfcntl.lockf(f,fcntl.LOCK_EX)\n\
                  print('held',flush=True)\nsys.stdin.read()\n";
    let mut holder = Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = io::BufReader::new(holder.stdout.take().unwrap());
    io::BufRead::read_line(&mut output, &mut line).unwrap();
    assert_eq!(line, "held\n");
    let refused = copy.try_add("docker").unwrap_err();
    assert!(matches!(refused, GroupFilesError::Lock(LockError::Held { .. })), "{refused}");
    copy.assert_untouched();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(copy.try_add("docker").unwrap(), [Outcome::Added]);
}

#[test]
fn locks_of_dead_processes_are_taken_over() {
    let copy = Copy::new();
    copy.write("group.lock", format!("{}\0", dead_pid()));
    copy.write("gshadow.lock", std::process::id().to_string());
    // Half a lock, whoever's crash left it.
    for name in [".group.lock.stint", ".gshadow.lock.stint"] {
        copy.write(name, "left by a crash");
    }
    assert_eq!(copy.try_add("docker").unwrap(), [Outcome::Added]);
    copy.assert_no_leftover();
}

#[test]
fn what_a_crash_left_half_made_goes_though_nothing_changes() {
    let copy = Copy::new();
    for name in [".group.stint", ".gshadow.stint"] {
        copy.write(name, "left by a crash");
    }
    let batch = [change("bin", "docker", Action::Remove)];
    let outcomes = copy.etc(Duration::ZERO).apply(&batch, &mut |_| Ok(())).unwrap();
    assert_eq!(outcomes, [Outcome::WasNotMember]);
    copy.assert_untouched();
}

#[test]
fn links_and_missing_files_are_refused() {
    for name in ["group", "gshadow"] {
        let copy = Copy::new();
        let real = copy.dir.path().join("real");
        fs::rename(copy.dir.path().join(name), &real).unwrap();
        symlink("real", copy.dir.path().join(name)).unwrap();
        let before = fs::read(&real).unwrap();
        let refused = copy.try_add("docker").unwrap_err().to_string();
        assert!(refused.contains("symbolic link"), "{refused}");
        assert_eq!(fs::read(&real).unwrap(), before);
    }
    let copy = Copy::new();
    fs::remove_file(copy.dir.path().join("group")).unwrap();
    assert!(copy.try_add("docker").is_err());
}

#[test]
fn a_group_that_is_not_there_is_refused_and_the_others_are_not() {
    let copy = Copy::new();
    let batch = [change("bin", "ldap-ops", Action::Add), change("bin", "adm", Action::Add)];
    let outcomes = copy.etc(Duration::ZERO).apply(&batch, &mut |_| Ok(())).unwrap();
    let Outcome::Failed(why) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert!(why.contains("ldap-ops") && why.contains("userdb"), "{why}");
    assert_eq!(outcomes[1], Outcome::Added);
}

#[test]
fn a_double_line_in_either_file_refuses_to_add() {
    for name in ["group", "gshadow"] {
        let copy = Copy::new();
        copy.write(name, format!("{}docker:x:1:\n", copy.read(name)));
        let outcomes = copy.try_add("docker").unwrap();
        assert!(matches!(&outcomes[0], Outcome::Failed(why) if why.contains("more than once")));
        assert!(!copy.read("group").contains("bin") && !copy.read("gshadow").contains("bin"));
    }
}

#[test]
fn without_a_durable_intention_nothing_changes() {
    let copy = Copy::new();
    let batch = [change("bin", "adm", Action::Add)];
    let mut refuse = |_: &[Change]| Err("disk full".to_owned());
    let refused = copy.etc(Duration::ZERO).apply(&batch, &mut refuse);
    assert!(matches!(refused, Err(GroupFilesError::Intend(_))));
    copy.assert_untouched();
}

#[test]
fn a_panic_of_the_caller_releases_the_locks() {
    let copy = Copy::new();
    let batch = [change("bin", "adm", Action::Add)];
    let etc = copy.etc(Duration::ZERO);
    let panicked = std::panic::catch_unwind(|| etc.apply(&batch, &mut |_| panic!("on purpose")));
    assert!(panicked.is_err());
    copy.assert_untouched();
    assert_eq!(copy.try_add("adm").unwrap(), [Outcome::Added]);
}

#[test]
fn a_standing_member_is_not_intended_and_not_rewritten() {
    let copy = Copy::new();
    let inode = fs::metadata(copy.dir.path().join("group")).unwrap().ino();
    let batch = [change("daemon", "docker", Action::Add), change("bin", "adm", Action::Remove)];
    let mut never = |_: &[Change]| -> Result<(), String> { panic!("nothing is intended") };
    let outcomes = copy.etc(Duration::ZERO).apply(&batch, &mut never).unwrap();
    assert_eq!(outcomes, [Outcome::AlreadyMember, Outcome::WasNotMember]);
    assert_eq!(fs::metadata(copy.dir.path().join("group")).unwrap().ino(), inode);
    copy.assert_untouched();
}

#[test]
fn locks_are_held_and_ownership_told_before_anything_is_seen() {
    let copy = Copy::new();
    let etc = copy.etc(Duration::from_secs(1));
    let batch = [change("daemon", "docker", Action::Add), change("bin", "adm", Action::Add)];
    let mut told = Vec::new();
    let outcomes = etc.apply(&batch, &mut |changes| {
        told.extend_from_slice(changes);
        let own = format!("{}\0", std::process::id());
        assert_eq!((copy.read("group.lock"), copy.read("gshadow.lock")), (own.clone(), own));
        assert_eq!(copy.read("group"), GROUP);
        Ok(())
    });
    assert_eq!(outcomes.unwrap(), [Outcome::AlreadyMember, Outcome::Added]);
    assert_eq!(told, batch[1..]);
    assert_eq!(copy.read("group"), GROUP.replace("adm:x:4:", "adm:x:4:bin"));
}

#[test]
fn both_files_agree_look_as_before_and_come_back_to_the_byte() {
    let copy = Copy::new();
    for (name, mode) in [("group", 0o644), ("gshadow", 0o640)] {
        let path = copy.dir.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        xattr::set(&path, "user.note", name.as_bytes()).unwrap();
    }
    assert_eq!(copy.try_add("docker").unwrap(), [Outcome::Added]);
    assert_eq!(copy.read("group"), GROUP.replace(":daemon", ":daemon,bin"));
    assert_eq!(copy.read("gshadow"), GSHADOW.replace(":daemon", ":daemon,bin"));
    for (name, mode) in [("group", 0o644), ("gshadow", 0o640)] {
        let path = copy.dir.path().join(name);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        assert_eq!(xattr::get(&path, "user.note").unwrap().as_deref(), Some(name.as_bytes()));
    }
    copy.assert_no_leftover();
    let batch = [change("bin", "docker", Action::Remove)];
    let outcomes = copy.etc(Duration::ZERO).apply(&batch, &mut |_| Ok(())).unwrap();
    assert_eq!(outcomes, [Outcome::Removed]);
    copy.assert_untouched();
}

#[test]
fn a_host_without_gshadow_or_with_a_gap_in_it_is_served() {
    let copy = Copy::new();
    copy.write("gshadow", "root:*::\n");
    assert_eq!(copy.try_add("docker").unwrap(), [Outcome::Added]);
    assert_eq!(copy.read("gshadow"), "root:*::\n");
    fs::remove_file(copy.dir.path().join("gshadow")).unwrap();
    assert_eq!(copy.try_add("adm").unwrap(), [Outcome::Added]);
    assert!(!copy.dir.path().join("gshadow").exists());
}

#[test]
fn a_crash_between_the_two_renames_is_mended_by_doing_it_again() {
    let copy = Copy::new();
    copy.write("gshadow", GSHADOW.replace(":daemon", ":daemon,bin"));
    assert_eq!(copy.try_add("docker").unwrap(), [Outcome::Added]);
    assert_eq!(copy.read("gshadow"), GSHADOW.replace(":daemon", ":daemon,bin"));
    copy.write("group", GROUP);
    let batch = [change("bin", "docker", Action::Remove)];
    let outcomes = copy.etc(Duration::ZERO).apply(&batch, &mut |_| Ok(())).unwrap();
    assert_eq!(outcomes, [Outcome::WasNotMember]);
    copy.assert_untouched();
}

#[test]
fn what_is_taken_back_goes_although_gshadow_is_odd() {
    let copy = Copy::new();
    copy.write("gshadow", format!("{GSHADOW}docker:!::\n"));
    let batch = [change("daemon", "docker", Action::Remove)];
    let outcomes = copy.etc(Duration::ZERO).apply(&batch, &mut |_| Ok(())).unwrap();
    assert_eq!(outcomes, [Outcome::Removed]);
    assert_eq!(copy.read("group"), GROUP.replace(":daemon", ":"));
}

#[test]
fn grpck_finds_nothing_afterwards() {
    if !Path::new("/usr/sbin/grpck").exists() {
        return;
    }
    let copy = Copy::new();
    assert_eq!(copy.try_add("docker").unwrap(), [Outcome::Added]);
    let checked = Command::new("/usr/sbin/grpck")
        .arg("-r")
        .args([copy.dir.path().join("group"), copy.dir.path().join("gshadow")])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    assert!(checked.stdout.is_empty() && checked.stderr.is_empty(), "{checked:?}");
}
