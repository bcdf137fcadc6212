//! The folder of hooks: which programs are run, and which are not, and why. A hook is root's, and
//! nobody else can write it or a folder above it: it runs unprivileged, but it is told of requests.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use stint_proto::Timestamp;

use crate::record::harmless;

/// The longest name of a hook, so that a unit can be named after it.
const NAME_LIMIT: usize = 64;

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    /// Its file's name.
    pub(super) name: String,
    /// Its file.
    pub(super) path: PathBuf,
    /// When it was put there: events from then on are for it.
    pub(super) since: Timestamp,
}

/// What a look at the folder found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// What is run, in the order of names.
    pub(super) hooks: Vec<Hook>,
    /// What is not, and why, with what would be right.
    pub(super) skipped: Vec<String>,
}

/// The folder, and those above it.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    chain: Vec<PathBuf>,
    owner: u32,
}

impl Folder {
    /// /etc/stint/hooks.d.
    pub(super) fn of_host() -> Self {
        let chain = ["/etc", "/etc/stint", "/etc/stint/hooks.d"].map(PathBuf::from).to_vec();
        Self { chain, owner: 0 }
    }

    /// A folder of whoever runs the test.
    #[cfg(test)]
    pub(super) fn at(path: &Path) -> Self {
        Self { chain: vec![path.to_owned()], owner: nix::unistd::Uid::effective().as_raw() }
    }

    /// Looks what is there now. A folder that is missing holds no hooks; one that must not be
    /// trusted, or a file in it, is passed over and named.
    pub(super) fn look(&self) -> Found {
        let mut found = Found::default();
        for path in &self.chain {
            match self.judge(path) {
                Ok(data) if data.is_dir() => {}
                Ok(_) => {
                    found.skipped.push(format!("{}: it is no folder", path.display()));
                    return found;
                }
                Err(Why::Missing) => return found,
                Err(Why::Wrong(why)) => {
                    found.skipped.push(why);
                    return found;
                }
            }
        }
        let Some(folder) = self.chain.last() else { return found };
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        match entries {
            Ok(entries) => entries.iter().for_each(|entry| self.take(&entry.path(), &mut found)),
            Err(error) => found.skipped.push(format!("{}: {error}", folder.display())),
        }
        found.hooks.sort_by(|a, b| a.name.cmp(&b.name));
        found.skipped.sort();
        found
    }

    fn take(&self, path: &Path, found: &mut Found) {
        let shown = harmless(&path.to_string_lossy()).into_owned();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|n| is_name(n))
        else {
            let rule = "a hook's name has 1 to 64 letters, digits, '-' and '_', and nothing else";
            found.skipped.push(format!("{shown}: {rule}"));
            return;
        };
        match self.judge(path) {
            Ok(data) if data.is_file() && data.permissions().mode() & 0o111 != 0 => {
                let since = data.ctime().saturating_mul(1_000_000);
                let since = Timestamp::from_micros(since.saturating_add(data.ctime_nsec() / 1_000));
                found.hooks.push(Hook { name: name.to_owned(), path: path.to_owned(), since });
            }
            Ok(data) if data.is_file() => found.skipped.push(format!(
                "{shown}: nobody may run it; mend it with: chmod +x {shown}, or take it away"
            )),
            Ok(_) => found.skipped.push(format!("{shown}: it is no ordinary file")),
            // It went away between two looks.
            Err(Why::Missing) => {}
            Err(Why::Wrong(why)) => found.skipped.push(why),
        }
    }

    fn judge(&self, path: &Path) -> Result<Metadata, Why> {
        let shown = harmless(&path.to_string_lossy()).into_owned();
        let wrong = |why: String| Err(Why::Wrong(format!("{shown}: {why}")));
        let data = match fs::symlink_metadata(path) {
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Why::Missing),
            Err(error) => return wrong(error.to_string()),
        };
        if data.is_symlink() {
            return wrong("it is a symbolic link; put the file itself there".to_owned());
        }
        if data.uid() != self.owner {
            let uid = data.uid();
            return wrong(format!("uid {uid} owns it, not root; mend it with: chown root {shown}"));
        }
        if data.permissions().mode() & 0o022 != 0 {
            let mend = format!("mend it with: chmod go-w {shown}");
            return wrong(format!("others than root may write it; {mend}"));
        }
        Ok(data)
    }
}

enum Why {
    Missing,
    Wrong(String),
}

/// As run-parts(8) takes them: no dots and no tildes, so that what editors and packages leave
/// behind is not run.
fn is_name(name: &str) -> bool {
    (1..=NAME_LIMIT).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Puts a file of this mode into the folder.
    pub(crate) fn put(folder: &Path, name: &str, mode: u32) {
        fs::write(folder.join(name), "#!/bin/sh\n").unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_what_root_alone_can_write_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        put(at, "open", 0o777);
        put(at, "group", 0o775);
        put(at, "README", 0o644);
        put(at, "mail.dpkg-new", 0o755);
        put(at, "mail~", 0o755);
        put(at, "two words", 0o755);
        put(at, &"x".repeat(65), 0o755);
        fs::create_dir(at.join("folder")).unwrap();
        symlink("/bin/true", at.join("link")).unwrap();
        put(at, "mail", 0o755);
        put(at, "chat", 0o700);
        let found = Folder::at(at).look();
        let names: Vec<&str> = found.hooks.iter().map(|hook| hook.name.as_str()).collect();
        assert_eq!(names, ["chat", "mail"]);
        assert_eq!(found.skipped.len(), 9, "{:?}", found.skipped);
        let group = found.skipped.iter().find(|why| why.contains("/group: ")).unwrap();
        assert!(group.ends_with(&format!("chmod go-w {}", at.join("group").display())), "{group}");
    }

    #[test]
    fn a_folder_that_others_can_write_holds_no_hooks() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "mail", 0o755);
        let other = Folder { owner: u32::MAX - 1, ..Folder::at(folder.path()) };
        assert!(other.look().hooks.is_empty());
        assert!(other.look().skipped[0].contains("not root"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let found = Folder::at(folder.path()).look();
        assert!(found.hooks.is_empty() && found.skipped.len() == 1, "{found:?}");
        let missing = Folder::at(&folder.path().join("none")).look();
        assert_eq!(missing, Found::default());
    }
}
