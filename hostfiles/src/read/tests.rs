//! What is read, and what is refused.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

struct Etc(tempfile::TempDir);

impl Etc {
    fn new() -> Self {
        let etc = Self(tempfile::tempdir().unwrap());
        fs::create_dir(etc.dir()).unwrap();
        fs::set_permissions(etc.dir(), fs::Permissions::from_mode(0o755)).unwrap();
        etc.write("policy.toml", b"# main\n");
        etc
    }
    fn dir(&self) -> PathBuf {
        self.0.path().join("policy.d")
    }
    fn file(&self) -> PathBuf {
        self.0.path().join("policy.toml")
    }
    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    fn read(&self) -> Result<Vec<SourceFile>, ReadError> {
        read_owned(&self.file(), &self.dir(), nix::unistd::geteuid())
    }
}

#[test]
fn refuses_what_others_may_write() {
    let etc = Etc::new();
    for mode in [0o664, 0o646, 0o666] {
        fs::set_permissions(etc.file(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(etc.read(), Err(ReadError::Writable { path: etc.file(), mode }));
    }
    fs::set_permissions(etc.file(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(etc.dir(), fs::Permissions::from_mode(0o775)).unwrap();
    assert_eq!(etc.read(), Err(ReadError::Writable { path: etc.dir(), mode: 0o775 }));
}

#[test]
fn refuses_what_belongs_to_somebody_else() {
    let stranger = Uid::from_raw(12_345);
    let etc = Etc::new();
    let found = read_owned(&etc.file(), &etc.dir(), stranger);
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(etc.file(), Some(54_321), None).unwrap();
        let found = read_owned(&etc.file(), &etc.dir(), stranger);
        assert_eq!(found, Err(ReadError::Owner { path: etc.file(), uid: 54_321 }));
    } else {
        assert!(matches!(found, Err(ReadError::Owner { .. })), "{found:?}");
    }
}

#[test]
fn refuses_links_on_every_step() {
    let etc = Etc::new();
    fs::rename(etc.file(), etc.0.path().join("real")).unwrap();
    symlink("real", etc.file()).unwrap();
    assert_eq!(etc.read(), Err(ReadError::Link { path: etc.file() }));
    let other = Etc::new();
    fs::remove_dir(other.dir()).unwrap();
    symlink(etc.dir(), other.dir()).unwrap();
    assert_eq!(other.read(), Err(ReadError::Link { path: other.dir() }));
}

#[test]
fn refuses_what_is_no_text_file_of_a_sane_size() {
    let etc = Etc::new();
    let size = usize::try_from(SIZE_LIMIT).unwrap() + 1;
    etc.write("policy.d/a.toml", &vec![b'#'; size]);
    let path = etc.dir().join("a.toml");
    assert_eq!(etc.read(), Err(ReadError::TooBig { path: path.clone() }));
    etc.write("policy.d/a.toml", b"ok\n\xff\n");
    assert_eq!(etc.read(), Err(ReadError::NotText { path: path.clone(), line: 2 }));
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
    assert_eq!(etc.read(), Err(ReadError::Kind { path, wanted: "ordinary file" }));
    fs::remove_file(etc.file()).unwrap();
    assert_eq!(etc.read(), Err(ReadError::Missing { path: etc.file() }));
}

#[test]
fn reads_the_file_and_then_the_folder_in_name_order() {
    let etc = Etc::new();
    for name in ["policy.d/b.toml", "policy.d/a.toml", "policy.d/.c.toml", "policy.d/d.toml~"] {
        etc.write(name, name.as_bytes());
    }
    let texts: Vec<_> = etc.read().unwrap().into_iter().map(|source| source.text).collect();
    assert_eq!(texts, ["# main\n", "policy.d/a.toml", "policy.d/b.toml"]);
    fs::remove_dir_all(etc.dir()).unwrap();
    assert_eq!(etc.read().unwrap().len(), 1);
}

#[test]
fn messages_say_what_mends_it() {
    let path = PathBuf::from("/etc/stint/policy.toml");
    let text = ReadError::Writable { path, mode: 0o666 }.to_string();
    assert_eq!(
        text,
        "/etc/stint/policy.toml: others than root may write it (mode 0666); \
         mend it with: chmod go-w /etc/stint/policy.toml"
    );
}
