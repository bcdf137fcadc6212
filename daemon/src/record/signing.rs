//! Signs checkpoints of the record with a key of this host's, which is made when it is needed first.
//! The file is read for each signature: what an administrator does to it counts from the next one on.
//! Whatever is wrong with it, the checkpoint is told; that it is unsigned, and why, is told with it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stint_document::{HostKey, Statement};
use stint_hostfiles::{Look, Staged, open_dir, open_regular};
use stint_proto::{Alarm, CheckpointKey, Timestamp};

use super::entry::{Entry, Signed};

/// The file's name in the folder of the state.
const FILE: &str = "checkpoint.key";
/// Where it is written before it has its name.
const DRAFT: &str = ".checkpoint.key.new";
/// The most bytes of a key's file; one of ours has some 400.
const SIZE_LIMIT: u64 = 16 * 1024;

/// The way to the key.
#[derive(Debug)]
pub struct Signing {
    folder: PathBuf,
    host: String,
    wish: Mutex<Wish>,
    /// Held while the file is read or made.
    file: Mutex<()>,
}

#[derive(Debug, Default)]
struct Wish {
    /// What the policy wants. While none is in force, what it wanted: the key is there, or is not.
    wanted: Option<bool>,
    /// The last checkpoint went out unsigned.
    left_unsigned: bool,
    /// What keeps it from being done.
    alarm: Option<Alarm>,
}

/// What came of a wish.
#[derive(Debug, PartialEq, Eq)]
pub struct Wished {
    /// The last checkpoint is not signed, and the next would be.
    pub is_behind: bool,
    /// Why they are not signed now, if they should be.
    pub problem: Option<String>,
}

impl Signing {
    /// For checkpoints of this host, by a key in this folder.
    #[must_use]
    pub fn new(folder: PathBuf, host: &str) -> Self {
        let named = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        // It is a field of an entry, a line of what is signed, and a name in allowed_signers.
        let host = host.chars().map(|letter| if named(letter) { letter } else { '_' }).collect();
        Self { folder, host, wish: Mutex::default(), file: Mutex::default() }
    }

    fn wish(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has checkpoints signed from now on, or not. Reads or makes the key, so it may wait for the disk.
    pub fn want(&self, wanted: bool, now: Timestamp) -> Wished {
        self.wish().wanted = Some(wanted);
        if !wanted {
            self.stands(None, now);
            return Wished { is_behind: false, problem: None };
        }
        let problem = self.usable(now).err();
        Wished { is_behind: problem.is_none() && self.wish().left_unsigned, problem }
    }

    /// Signs a checkpoint if that is wanted; if it cannot be, its message says so.
    pub fn sign(&self, entry: &mut Entry) {
        let Some(checkpoint) = entry.checkpoint.filter(|_| self.is_wanted()) else {
            self.wish().left_unsigned = true;
            return;
        };
        let statement = Statement {
            host: self.host.clone(),
            link: checkpoint.seq.to_string(),
            hash: stint_record::hex(&checkpoint.hash),
            time: entry.at.to_string(),
        };
        let signed = self.usable(entry.at).and_then(|key| {
            let signature = key.sign(&statement).map_err(|why| self.about(&why))?;
            Ok((key.fingerprint(), signature))
        });
        self.wish().left_unsigned = signed.is_err();
        match signed {
            Ok((key, signature)) => {
                entry.message.push_str(&format!("; signed by {key}"));
                entry.signed = Some(Signed { host: statement.host, signature });
            }
            Err(why) => entry.message.push_str(&format!("; not signed: {why}")),
        }
    }

    /// The public half of the key; none where checkpoints are not signed.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub fn public(&self, now: Timestamp) -> Result<Option<CheckpointKey>, String> {
        if !self.is_wanted() {
            return Ok(None);
        }
        let key = self.usable(now)?;
        Ok(Some(CheckpointKey { host: self.host.clone(), key: key.public() }))
    }

    /// What keeps checkpoints from being signed, if they should be.
    #[must_use]
    pub fn alarm(&self) -> Option<Alarm> {
        self.wish().alarm.clone()
    }

    fn is_wanted(&self) -> bool {
        let wanted = self.wish().wanted;
        wanted.unwrap_or_else(|| self.folder.join(FILE).exists())
    }

    fn about(&self, what: &dyn std::fmt::Display) -> String {
        format!("{}: {what}", self.folder.join(FILE).display())
    }

    /// The key, made if there is none; what is wrong with it stands until it is not.
    fn usable(&self, now: Timestamp) -> Result<HostKey, String> {
        let reading = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.read_or_make().map_err(|why| self.about(&why));
        drop(reading);
        self.stands(found.as_ref().err().map(String::as_str), now);
        found
    }

    fn stands(&self, problem: Option<&str>, now: Timestamp) {
        let mut wish = self.wish();
        let before = wish.alarm.take();
        let Some(problem) = problem else { return };
        let text = format!("checkpoints go out unsigned: {problem}");
        let (since, tries) = match &before {
            Some(alarm) => (alarm.since, alarm.tries.saturating_add(1)),
            None => (now, 1),
        };
        if before.is_none_or(|alarm| alarm.text != text) {
            eprintln!("stintd: {text}");
        }
        wish.alarm = Some(Alarm { text, since, tries });
    }

    fn read_or_make(&self) -> Result<HostKey, String> {
        let folder = open_dir(&self.folder).map_err(|error| error.to_string())?;
        match open_regular(&folder, FILE) {
            Ok((file, metadata)) => {
                judge(metadata.uid(), metadata.mode())?;
                let mut text = String::new();
                let read = file.take(SIZE_LIMIT).read_to_string(&mut text);
                read.map_err(|error| error.to_string())?;
                HostKey::read(&text).map_err(|why| format!("{why}; {NEW}"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&folder).map_err(|why| format!("it cannot be made: {why}"))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What mends a key that is of no use.
const NEW: &str = "remove it and a new one is made (then tell your auditors: stint audit key)";

fn judge(owner: u32, mode: u32) -> Result<(), String> {
    if owner != nix::unistd::geteuid().as_raw() {
        return Err(format!("uid {owner} owns it, not root; {NEW}"));
    }
    if mode & 0o077 != 0 {
        let mode = mode & 0o7777;
        return Err(format!("others can read it (mode {mode:04o}), so it may be theirs; {NEW}"));
    }
    Ok(())
}

fn make(folder: &File) -> Result<HostKey, String> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
    let key = HostKey::of_seed(&seed, "checkpoints of stint").map_err(|why| why.to_string())?;
    let text = key.openssh().map_err(|why| why.to_string())?;
    Staged::write(folder, DRAFT, text.as_bytes(), &Look::Mode(0o600))
        .and_then(|staged| staged.commit(FILE))
        .map_err(|error| error.to_string())?;
    eprintln!("stintd: a new key signs checkpoints: {} (stint audit key)", key.fingerprint());
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use jiff::tz::TimeZone;
    use stint_document::{host_keys, proven};
    use stint_proto::Event;
    use stint_record::Checkpoint;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_764_579_600_123_000);

    fn checkpoint() -> Entry {
        let mut entry = Entry::new(NOW, Event::AuditCheckpoint, "come to link 7".to_owned());
        entry.checkpoint = Some(Checkpoint { seq: 7, hash: [15; 32] });
        entry
    }

    fn told(signing: &Signing) -> Entry {
        let mut entry = checkpoint();
        signing.sign(&mut entry);
        entry
    }

    /// Whether it is proven by what its fields say alone.
    fn holds(entry: &Entry, keys: &str) -> bool {
        let fields = entry.fields();
        let field = |name: &str| {
            let found = fields.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let statement = Statement {
            host: field("STINT_HOST"),
            link: field("STINT_LINK"),
            hash: field("STINT_HASH"),
            time: field("STINT_TIME"),
        };
        let keys = host_keys("keys", keys, &TimeZone::UTC);
        proven(&statement, &field("STINT_SIGNATURE"), &keys).is_ok()
    }

    fn file(dir: &Path) -> PathBuf {
        dir.join(FILE)
    }

    #[test]
    fn nothing_is_signed_or_made_unless_it_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let signing = Signing::new(dir.path().to_owned(), "web 1\n");
        assert!(told(&signing).signed.is_none());
        assert_eq!(signing.want(false, NOW), Wished { is_behind: false, problem: None });
        assert!(told(&signing).signed.is_none() && !file(dir.path()).exists());
        assert_eq!(signing.public(NOW), Ok(None));
        assert_eq!(signing.want(true, NOW), Wished { is_behind: true, problem: None });
        assert_eq!(fs::metadata(file(dir.path())).unwrap().mode() & 0o7777, 0o600);
        let entry = told(&signing);
        let public = signing.public(NOW).unwrap().unwrap();
        assert_eq!(public.host, "web_1_");
        assert!(holds(&entry, &public.key), "{entry:?}");
        assert!(entry.message.contains("; signed by SHA256:"), "{entry:?}");
        // A cut is a link, which is not altered.
        let mut cut = checkpoint();
        cut.event = Event::AuditCut;
        cut.checkpoint = None;
        signing.sign(&mut cut);
        assert!(cut.signed.is_none());
        // Another daemon, before it has a policy, and one whose policy wants none any more.
        let next = Signing::new(dir.path().to_owned(), "web_1_");
        assert!(holds(&told(&next), &public.key));
        next.want(false, NOW);
        assert!(told(&next).signed.is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something was left");
    }

    #[test]
    fn a_key_of_no_use_is_told_and_nothing_stops() {
        let dir = tempfile::tempdir().unwrap();
        let signing = Signing::new(dir.path().to_owned(), "web-1");
        assert_eq!(signing.want(true, NOW).problem, None);
        let (path, kept) = (file(dir.path()), fs::read(file(dir.path())).unwrap());
        let old = signing.public(NOW).unwrap().unwrap().key;
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let broken: [(&dyn Fn(), &str); 4] = [
            (&|| mode(0o640), "others can read it (mode 0640)"),
            (&|| fs::write(&path, "x").unwrap(), "it is no private key of OpenSSH's"),
            (&|| fs::write(&path, "x".repeat(20_000)).unwrap(), "it is no private key"),
            (
                &|| {
                    fs::remove_file(&path).unwrap();
                    symlink("elsewhere", &path).unwrap();
                },
                "it is a symbolic link",
            ),
        ];
        for (spoil, says) in broken {
            spoil();
            let entry = told(&signing);
            assert!(
                entry.signed.is_none() && entry.message.contains("; not signed: "),
                "{entry:?}"
            );
            assert!(entry.message.contains(says), "{says}: {entry:?}");
            assert!(signing.alarm().unwrap().text.contains(says));
            assert!(signing.public(NOW).unwrap_err().contains(says));
            fs::remove_file(&path).unwrap();
            fs::write(&path, &kept).unwrap();
            mode(0o600);
            assert!(holds(&told(&signing), &old), "{says}");
            assert_eq!(signing.alarm(), None);
        }
        fs::remove_file(&path).unwrap();
        let entry = told(&signing);
        let new = signing.public(NOW).unwrap().unwrap().key;
        assert!(new != old && holds(&entry, &new) && !holds(&entry, &old));
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(told(&signing).message.contains("; not signed: "));
        assert_eq!(signing.want(false, NOW), Wished { is_behind: false, problem: None });
        assert_eq!(signing.alarm(), None);
    }
}
