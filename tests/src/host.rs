//! One booted host: its life from the overlay to the last unmount, and commands in it. It knows
//! nothing of what stint promises.

mod life;

use crate::clock::Deadline;
use crate::image::{Layers, Suite, layers, plain};
use crate::leftovers::{HOSTS, remove, sweep_once};
use crate::network::{Line, Network};
use crate::run::{Output, enter, run};
use crate::shell::Shell;
use crate::slots::Slots;
use nix::mount::{MsFlags, mount};
use nix::unistd::Uid;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The people of every host, uids 1000, 1001 and 1002; the password of NAME is `pw-NAME`.
pub const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// A boot takes one or two seconds; this is for a machine that is busy.
const BOOT: Duration = Duration::from_secs(120);

/// What one command may take, unless told otherwise.
const COMMAND: Duration = Duration::from_secs(120);

static COUNT: AtomicU32 = AtomicU32::new(1);

/// A host that is to be booted.
#[derive(Debug)]
pub struct HostBuilder {
    suite: Suite,
    hostname: String,
    deb: Option<PathBuf>,
    packages: Vec<String>,
    files: Vec<(String, u32, Vec<u8>)>,
    options: Vec<String>,
    network: Option<Network>,
    own_uptime: bool,
    kernel_audit: bool,
}

impl HostBuilder {
    /// It may write to the machine's kernel audit, which nspawn keeps from its containers
    /// ([`crate::Auditd`]).
    #[must_use]
    pub fn kernel_audit(mut self) -> Self {
        self.kernel_audit = true;
        self
    }

    /// Its clocks that count from the boot begin at each of its boots, as a real host's do; else
    /// they are the machine's (time_namespaces(7)).
    #[must_use]
    pub fn own_uptime(mut self) -> Self {
        self.own_uptime = true;
        self
    }

    /// Boots without the package under test.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.deb = None;
        self
    }

    /// Has a package of Debian's beside what all hosts have. It is installed once, on a layer that
    /// is kept.
    #[must_use]
    pub fn package(mut self, name: &str) -> Self {
        self.packages.push(name.to_owned());
        self
    }

    /// The host's name; `web-1` if it is not given.
    #[must_use]
    pub fn hostname(mut self, name: &str) -> Self {
        name.clone_into(&mut self.hostname);
        self
    }

    /// It has a line to this network, which knows its name.
    #[must_use]
    pub fn on(mut self, network: &Network) -> Self {
        self.network = Some(network.clone());
        self
    }

    /// A file that is there before the host boots.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, contents: impl AsRef<[u8]>) -> Self {
        self.files.push((path.to_owned(), mode, contents.as_ref().to_vec()));
        self
    }

    /// A folder of the host that nobody in it can write to.
    #[must_use]
    pub fn read_only(mut self, path: &str) -> Self {
        self.options.push(format!("--bind-ro=+{path}:{path}"));
        self
    }

    /// A folder that is a tmpfs of this size, such as `256k`, so that it can be filled.
    #[must_use]
    pub fn small(mut self, path: &str, size: &str, mode: &str) -> Self {
        self.options.push(format!("--tmpfs={path}:size={size},mode={mode}"));
        self
    }

    /// A file or folder of the machine, read-only, at a path in the host.
    #[must_use]
    pub fn bind(mut self, from: &Path, to: &str) -> Self {
        self.options.push(format!("--bind-ro={}:{to}", plain(from)));
        self
    }

    /// Boots it and waits until all of its units have started.
    ///
    /// # Panics
    /// When it is not up in time; the message ends with its console.
    #[must_use]
    pub fn boot(self) -> Host {
        assert!(Uid::effective().is_root(), "hosts are booted by root: sudo make test");
        sweep_once();
        let layers = layers(self.suite, &self.packages, self.deb.as_deref());
        let slots = self.network.is_none().then(|| Slots::take(1));
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stint-{}-{count}", std::process::id());
        let folder = Path::new(HOSTS).join(&name);
        let mut host = Host {
            suite: self.suite,
            name,
            hostname: self.hostname,
            folder,
            options: self.options,
            own_uptime: self.own_uptime,
            kernel_audit: self.kernel_audit,
            network: self.network,
            line: None,
            nspawn: None,
            leader: 0,
            _slots: slots,
        };
        host.mount(&layers);
        for (path, mode, contents) in &self.files {
            host.prepare(path, *mode, contents);
        }
        host.start();
        host
    }
}

/// A booted Debian. Dropping it ends it and removes every trace.
#[derive(Debug)]
pub struct Host {
    suite: Suite,
    name: String,
    hostname: String,
    folder: PathBuf,
    options: Vec<String>,
    own_uptime: bool,
    kernel_audit: bool,
    network: Option<Network>,
    line: Option<Line>,
    nspawn: Option<Child>,
    leader: i32,
    /// Those of its network, where it has one.
    _slots: Option<Slots>,
}

impl Host {
    /// Boots a host with the package under test installed.
    #[must_use]
    pub fn boot(suite: Suite) -> Self {
        Self::builder(suite).boot()
    }

    /// Boots a host as Debian makes it.
    #[must_use]
    pub fn boot_bare(suite: Suite) -> Self {
        Self::bare(suite).boot()
    }

    /// A host with the package under test, to be told more about before it boots.
    #[must_use]
    pub fn builder(suite: Suite) -> HostBuilder {
        HostBuilder { deb: Some(crate::deb_under_test()), ..Self::bare(suite) }
    }

    /// A host without the package under test, to be told more about before it boots.
    #[must_use]
    pub fn bare(suite: Suite) -> HostBuilder {
        let hostname = "web-1".to_owned();
        let (packages, files, options) = (Vec::new(), Vec::new(), Vec::new());
        let (own_uptime, kernel_audit) = (false, false);
        HostBuilder {
            suite,
            hostname,
            deb: None,
            packages,
            files,
            options,
            network: None,
            own_uptime,
            kernel_audit,
        }
    }

    /// Its Debian release.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Its name.
    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The machine's process id of its first process.
    #[must_use]
    pub fn leader(&self) -> i32 {
        self.leader
    }

    /// Where the machine sees its files: for looking, and for paths that hold no links.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// Runs a line of shell as root.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn run(&self, line: &str) -> Output {
        self.run_with(line, b"", COMMAND)
    }

    /// Runs a line of shell as root with this input, within this time.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn run_with(&self, line: &str, input: &[u8], patience: Duration) -> Output {
        run(enter(self.leader, &["sh", "-c", line]), input, Deadline::after(patience))
    }

    /// Runs a line of shell as root, which must succeed, and returns its standard output.
    ///
    /// # Panics
    /// When its status is not 0.
    pub fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.ok(), "{line}: {output}");
        output.stdout
    }

    /// Runs a line of shell as `user`, without a terminal, in a login session of its own. The way
    /// in is `runuser`, which asks no gate.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn as_user(&self, user: &str, line: &str) -> Output {
        self.as_user_with(user, line, b"", COMMAND)
    }

    /// As `as_user`, with this input, within this time.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn as_user_with(&self, user: &str, line: &str, input: &[u8], patience: Duration) -> Output {
        let argv = ["runuser", "-l", user, "-c", line];
        run(enter(self.leader, &argv), input, Deadline::after(patience))
    }

    /// Opens a login shell of `user` on a terminal of the host.
    #[must_use]
    pub fn shell(&self, user: &str) -> Shell {
        Shell::open(self.leader, user)
    }

    /// Makes a folder read-only (or writable again) for the running processes of one unit alone:
    /// hardened units have a mount namespace of their own.
    ///
    /// # Panics
    /// When the unit does not run.
    pub fn set_writable(&self, unit: &str, path: &str, writable: bool) {
        let flag = if writable { "rw" } else { "ro" };
        self.ok(&format!(
            "nsenter -m -t \"$(systemctl show -P MainPID {unit})\" -- sh -ec \
             'mountpoint -q {path} || mount --bind {path} {path}; mount -o remount,bind,{flag} {path}'"
        ));
    }

    fn mount(&self, layers: &Layers) {
        fs::create_dir_all(&self.folder).expect("a folder in /run");
        let data = Some("size=2g,mode=0755");
        mount(Some("tmpfs"), &self.folder, Some("tmpfs"), MsFlags::empty(), data)
            .expect("a tmpfs for the host");
        for part in ["upper", "work", "root"] {
            fs::create_dir(self.folder.join(part)).expect("a folder on the tmpfs");
        }
        let data = format!(
            "lowerdir={},upperdir={},workdir={}",
            layers.lowerdir(),
            plain(&self.folder.join("upper")),
            plain(&self.folder.join("work"))
        );
        let root = self.root();
        mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(data.as_str()))
            .expect("an overlay for the host");
        self.prepare("/etc/hostname", 0o644, format!("{}\n", self.hostname).as_bytes());
        let others = self.network.as_ref().map_or_else(String::new, |n| n.others(&self.hostname));
        let hosts = format!("127.0.0.1 localhost\n127.0.1.1 {}\n{others}", self.hostname);
        self.prepare("/etc/hosts", 0o644, hosts.as_bytes());
        let id = format!("{:016x}{:016x}\n", std::process::id(), COUNT.load(Ordering::Relaxed));
        self.prepare("/etc/machine-id", 0o444, id.as_bytes());
    }

    /// Writes a file before the host runs.
    fn prepare(&self, path: &str, mode: u32, contents: &[u8]) {
        let file = self.root().join(path.trim_start_matches('/'));
        let write = || {
            let parent = file.parent().expect("a path below the root");
            fs::create_dir_all(parent)?;
            // A link in the host's files must not lead to the machine's.
            assert_eq!(parent.canonicalize()?, parent, "{path}: a folder of it is a link");
            assert!(!file.is_symlink(), "{path} is a link");
            fs::write(&file, contents)?;
            fs::set_permissions(&file, Permissions::from_mode(mode))
        };
        write().unwrap_or_else(|e| panic!("writing {path}: {e}"));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
        remove(&self.folder);
    }
}
