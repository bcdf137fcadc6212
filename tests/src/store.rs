//! A store of a fleet: a real etcd on a booted host, with an authority of its own, where whoever comes
//! with a certificate is the user of its name and may what that user may. It sets up what an
//! administrator would, and knows nothing of what is put there.

use crate::host::{Host, HostBuilder};
use crate::run::Output;
use std::time::Duration;

/// The start of a line of etcdctl.
const ETCDCTL: &str = "ETCDCTL_API=3 etcdctl --cacert=/srv/store/ca.pem";

/// What an administrator sets up rights with.
const SETUP: &str = include_str!("../../packaging/root/usr/share/stint/etcd-setup");

/// As Debian's unit reads it. Metrics are for the host itself.
const SETTINGS: &str = "ETCD_NAME=store\n\
    ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:2379\n\
    ETCD_LISTEN_METRICS_URLS=http://127.0.0.1:2381\n\
    ETCD_CERT_FILE=/srv/store/server.pem\n\
    ETCD_KEY_FILE=/srv/store/server.key\n\
    ETCD_TRUSTED_CA_FILE=/srv/store/ca.pem\n\
    ETCD_CLIENT_CERT_AUTH=true\n";

/// Makes an authority, and certificates: `certificate FILE NAME [EXTENSION]`.
const AUTHORITY: &str = r#"set -eu
mkdir -p /srv/store && cd /srv/store
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
certificate() {
    openssl req -x509 $key -days 30 -subj "/CN=$2" -CA ca.pem -CAkey ca.key \
        -addext basicConstraints=CA:FALSE ${3:+-addext "$3"} -keyout "$1.key" -out "$1.pem"
}
[ -e ca.pem ] || openssl req -x509 $key -days 30 -subj "/CN=store-ca" -keyout ca.key -out ca.pem
"#;

/// What somebody is to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// A host, by its name.
    Host,
    /// A person who approves, gives and revokes.
    Approver,
    /// A person who publishes policies as well.
    Publisher,
}

/// The store on a host. It is there as long as that host is.
#[derive(Clone, Copy, Debug)]
pub struct Store<'a> {
    host: &'a Host,
}

/// Lets a host that is to be booted keep a store.
#[must_use]
pub fn with_etcd(host: HostBuilder) -> HostBuilder {
    // Without its certificate it would fail at the first boot.
    let drop_in = "[Unit]\nConditionPathExists=/srv/store/server.pem\n";
    host.package("etcd-client")
        .package("etcd-server")
        .package("openssl")
        .file("/srv/etcd-setup", 0o755, SETUP)
        .file("/etc/default/etcd", 0o644, SETTINGS)
        .file("/etc/systemd/system/etcd.service.d/certificate.conf", 0o644, drop_in)
}

impl<'a> Store<'a> {
    /// Opens one on a host that was booted [`with_etcd`]: empty, and for nobody but root until
    /// somebody is admitted.
    ///
    /// # Panics
    /// When etcd does not start.
    #[must_use]
    pub fn open(host: &'a Host) -> Self {
        let store = Self { host };
        let name = host.hostname();
        host.ok(&format!(
            "echo 'ETCD_ADVERTISE_CLIENT_URLS=https://{name}:2379' >>/etc/default/etcd"
        ));
        store.script(&format!(
            "certificate root root; certificate server '{name}' 'subjectAltName=DNS:{name}'\n\
             chown etcd server.key && systemctl start etcd\n{}",
            store.setup_line("init")
        ));
        store
    }

    /// The one that was opened on this host.
    #[must_use]
    pub fn of(host: &'a Host) -> Self {
        Self { host }
    }

    /// Where it is found.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("https://{}:2379", self.host.hostname())
    }

    /// Runs a line of etcdctl as its root, as in `get --prefix /stint/1/`.
    #[must_use]
    pub fn ctl(&self, line: &str) -> Output {
        self.ctl_as("root", line)
    }

    /// Runs a line of etcdctl with the certificate of somebody who was admitted.
    #[must_use]
    pub fn ctl_as(&self, name: &str, line: &str) -> Output {
        self.host.run(&self.line(name, line))
    }

    /// Puts a value there, as its root.
    ///
    /// # Panics
    /// When it does not take it.
    pub fn put(&self, key: &str, value: impl AsRef<[u8]>) {
        let line = self.line("root", &format!("put '{key}'"));
        let output = self.host.run_with(&line, value.as_ref(), Duration::from_secs(60));
        assert!(output.ok(), "{key}: {output}");
    }

    /// The keys below a prefix, in their order.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let output = self.ctl(&format!("get --prefix --keys-only '{prefix}'"));
        assert!(output.ok(), "{prefix}: {output}");
        output.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Admits a host, which has its certificate in `/etc/stint` then; [`Store::table`] is for its
    /// `sync.toml`.
    ///
    /// # Panics
    /// When it has not the package under test.
    pub fn admit_host(&self, host: &Host) {
        self.admit(host.hostname(), Right::Host);
        self.hand_over(host, host.hostname(), "/etc/stint", "root:stint-sync", "0640");
    }

    /// Admits a person, whose account on a host has the certificate and a `fleet.toml` then.
    ///
    /// # Panics
    /// When there is no such account.
    pub fn admit_person(&self, host: &Host, person: &str, right: Right) {
        self.admit(person, right);
        let folder = format!("/home/{person}/.config/stint");
        self.hand_over(host, person, &folder, &format!("{person}:"), "0600");
        host.write(&format!("{folder}/fleet.toml"), "0644", self.table("~/.config/stint"));
        host.ok(&format!("chown -R {person}: /home/{person}/.config"));
    }

    /// The table `[etcd]` for whoever has the certificate in this folder.
    #[must_use]
    pub fn table(&self, folder: &str) -> String {
        format!(
            "[etcd]\nendpoints = [\"{}\"]\nca_file = \"{folder}/etcd-ca.pem\"\n\
             cert_file = \"{folder}/etcd-client.pem\"\nkey_file = \"{folder}/etcd-client.key\"\n",
            self.endpoint()
        )
    }

    /// Makes somebody's certificate, and the user with these rights. Twice is once.
    fn admit(&self, name: &str, right: Right) {
        let verb = match right {
            Right::Host => "host",
            Right::Approver => "approver",
            Right::Publisher => "publisher",
        };
        self.script(&format!(
            "[ -e '{name}.pem' ] || certificate '{name}' '{name}'\n{}",
            self.setup_line(&format!("{verb} '{name}'"))
        ));
    }

    /// Runs etcd-setup as an administrator does, with these arguments.
    #[must_use]
    pub fn setup(&self, line: &str) -> Output {
        self.host.run(&self.setup_line(line))
    }

    fn setup_line(&self, line: &str) -> String {
        let files = "ETCDCTL_CACERT=/srv/store/ca.pem ETCDCTL_CERT=/srv/store/root.pem \
                     ETCDCTL_KEY=/srv/store/root.key";
        format!("ETCDCTL_ENDPOINTS={} {files} /srv/etcd-setup {line}", self.endpoint())
    }

    /// Gives a host somebody's certificate and key.
    fn hand_over(&self, host: &Host, name: &str, folder: &str, owner: &str, mode: &str) {
        for (from, to, mode) in [
            ("ca.pem".to_owned(), "etcd-ca.pem", "0644"),
            (format!("{name}.pem"), "etcd-client.pem", "0644"),
            (format!("{name}.key"), "etcd-client.key", mode),
        ] {
            let to = format!("{folder}/{to}");
            host.write(&to, mode, self.host.read(&format!("/srv/store/{from}")));
            host.ok(&format!("chown {owner} {to}"));
        }
    }

    /// The line that runs etcdctl on its host with somebody's certificate.
    #[must_use]
    pub fn line(&self, name: &str, line: &str) -> String {
        let (endpoint, files) = (self.endpoint(), format!("/srv/store/{name}"));
        format!("{ETCDCTL} --endpoints={endpoint} --cert={files}.pem --key={files}.key {line}")
    }

    fn script(&self, lines: &str) {
        self.host.ok(&format!("({AUTHORITY}{lines}) 2>&1"));
    }
}
