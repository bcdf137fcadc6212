//! Where PAM keeps its files on this host. Reads them; writes nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stint_proto::{MODULE_FILE, STATE_DIR};

/// The folders that matter.
#[derive(Clone, Debug)]
pub struct Places {
    /// The host's own PAM files.
    pub pam: PathBuf,
    /// Those of packages, where the host has none of that name.
    pub vendor: Vec<PathBuf>,
    /// Where the files are kept as they were.
    pub backups: PathBuf,
    /// Where modules are looked for.
    pub modules: Vec<PathBuf>,
}

impl Places {
    /// This host's.
    pub fn system() -> Self {
        Self {
            pam: "/etc/pam.d".into(),
            vendor: vec!["/usr/lib/pam.d".into(), "/usr/share/pam.d".into()],
            backups: Path::new(STATE_DIR).join("gate"),
            modules: module_folders(),
        }
    }

    /// A service's own file.
    pub fn path(&self, service: &str) -> PathBuf {
        self.pam.join(service)
    }

    /// The text of a service's file, the host's own or a package's; `None` if there is none, or
    /// the one that counts cannot be read. What is no UTF-8 in it is replaced: good for reading,
    /// not for writing back.
    pub fn text(&self, service: &str) -> Option<String> {
        let name = Path::new(service);
        let folders = [&self.pam].into_iter().chain(&self.vendor);
        let candidates = if name.is_absolute() {
            vec![name.to_owned()]
        } else {
            folders.map(|folder| folder.join(name)).collect()
        };
        let read = candidates.iter().map(fs::read);
        let mut there = read.skip_while(|read| {
            read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        });
        let bytes = there.next()?.ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether there is a file for the service, the host's own or a package's.
    pub fn has(&self, service: &str) -> bool {
        let folders = [&self.pam].into_iter().chain(&self.vendor);
        folders.map(|folder| folder.join(service)).any(|path| path.exists())
    }

    /// Whether only a package has a file for the service.
    pub fn only_vendor(&self, service: &str) -> Option<PathBuf> {
        let found = self.vendor.iter().map(|folder| folder.join(service));
        found.into_iter().find(|path| path.is_file() && !self.path(service).exists())
    }

    /// Every file in the host's own folder, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.pam)? {
            let entry = entry?;
            if entry.path().is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Where the module is installed.
    pub fn module(&self) -> Option<PathBuf> {
        self.modules.iter().map(|folder| folder.join(MODULE_FILE)).find(|path| path.is_file())
    }
}

fn module_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for base in ["/usr/lib", "/lib", "/usr/lib64", "/lib64"] {
        folders.push(Path::new(base).join("security"));
        let entries = fs::read_dir(base).into_iter().flatten().flatten();
        let mut multiarch: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_string_lossy().contains("-linux-"))
            .map(|entry| entry.path().join("security"))
            .collect();
        multiarch.sort();
        folders.extend(multiarch);
    }
    folders
}
