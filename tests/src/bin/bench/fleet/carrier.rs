//! The host that carries: Debian's etcd and nginx, with a certificate for each simulated host, and the
//! documents that are put there. It knows no stint.

use std::time::Duration;

use stint_tests::{Dialogue, Host, Network, Store, Suite, eventually, with_etcd};

use crate::PROGRAMS;
use crate::simulate::{self, name};

/// Where the certificates are, and all else that the simulation reads.
pub(crate) const FOLDER: &str = "/srv/store";
/// What the carrier is called.
pub(crate) const NAME: &str = "carrier";
/// Making a thousand certificates, or admitting a thousand hosts.
const LONG: Duration = Duration::from_secs(300);
/// What an etcd that is started again may take until it answers.
const START: Duration = Duration::from_secs(60);

/// nginx, for one document, with what a TLS server has by itself.
const NGINX: &str = "server {
    listen 443 ssl;
    ssl_certificate /srv/store/server.pem;
    ssl_certificate_key /srv/store/server.key;
    root /srv/www;
    access_log off;
}
";
/// A certificate for each name that comes in, beside the authority's: `$1` processes at once.
const CERTIFICATES: &str = r#"set -eu
cd /srv/store
printf '[req]\ndistinguished_name=dn\n[dn]\n[ext]\nbasicConstraints=CA:FALSE\n' >hosts.cnf
xargs -P 2 -I {} openssl req -x509 -config hosts.cnf -extensions ext -newkey ec \
    -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={} -CA ca.pem -CAkey ca.key \
    -keyout {}.key -out {}.pem 2>/dev/null
"#;

/// The carrier, with an empty store and a web server.
pub(crate) struct Carrier<'a> {
    pub(crate) host: &'a Host,
    pub(crate) store: Store<'a>,
}

/// Boots it.
pub(crate) fn boot(suite: Suite, network: &Network) -> Host {
    let program = std::env::current_exe().expect("this program");
    with_etcd(Host::bare(suite))
        .hostname(NAME)
        .on(network)
        .package("nginx-light")
        .file("/etc/nginx/conf.d/carrier.conf", 0o644, NGINX)
        .bind(&program, &format!("{PROGRAMS}/bench"))
        .boot()
}

impl<'a> Carrier<'a> {
    /// Opens the store and the web server.
    pub(crate) fn open(host: &'a Host) -> Self {
        let store = Store::open(host);
        host.ok("mkdir -p /srv/www && systemctl restart nginx");
        Self { host, store }
    }

    /// Starts the process in which hosts are simulated, with certificates for so many.
    pub(crate) fn simulation(&self, hosts: usize) -> Dialogue {
        let names: String = (0..hosts).map(|host| format!("{}\n", name(host))).collect();
        let made = self.host.run_with(CERTIFICATES, names.as_bytes(), LONG);
        assert!(made.ok(), "certificates: {made}");
        let word = simulate::WORD;
        // Each of them has a connection, and some have two for a moment.
        let line = format!("ulimit -n 16384; exec {PROGRAMS}/bench {word} {FOLDER} {NAME}");
        let mut simulation = Dialogue::start(self.host, &line);
        simulation.ask(&format!("admit {hosts}"), LONG);
        simulation
    }

    /// Kills etcd and starts it again after so long; returns once it answers, with when it was started.
    pub(crate) fn kill(&self, away: Duration) -> Duration {
        self.host.ok("systemctl mask --runtime -q etcd; systemctl kill -s KILL etcd");
        eventually("etcd to be gone", START, || {
            self.host.run("systemctl is-active -q etcd").status.ne(&0).then_some(())
        });
        stint_tests::clock::pause(away);
        let started = stint_tests::clock::wall();
        self.host.ok("systemctl unmask --runtime -q etcd; systemctl reset-failed etcd; \
                      systemctl start etcd");
        started
    }
}
