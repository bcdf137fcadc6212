//! Booted hosts with stintd and stint-sync, on which a membership ends with each revocation; and the
//! documents, which one of them signs.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use stint_tests::{Host, Network, Suite, eventually};

use super::carrier::{Carrier, FOLDER};
use crate::samples::PATIENCE;

/// What they are called.
pub(crate) const NAMES: [&str; 2] = ["web-1", "web-2"];

const POLICY: &str = r#"[groups]
backend = "files"

[roles.fleet]
description = "A membership whose end is timed"
groups = ["fleet"]

[remote]
roles = ["fleet"]
"#;
const SIGNER: &str = "/root/signer";

/// One of them.
pub(crate) struct Real(Host);

impl Real {
    /// Boots it, with so many accounts, `fleet-0` and so on, that each hold the role.
    pub(crate) fn boot(suite: Suite, network: &Network, name: &str, accounts: usize) -> Self {
        let host = Host::builder(suite)
            .hostname(name)
            .on(network)
            .file("/etc/stint/policy.toml", 0o644, POLICY)
            .boot();
        // Accounts by the line: useradd would take its time.
        let last = accounts - 1;
        host.ok(&format!(
            "for n in $(seq 0 {last}); do
                 echo \"fleet-$n:x:$((300000 + n)):100::/:/bin/false\" >>/etc/passwd
                 echo \"fleet-$n:!:20000::::::\" >>/etc/shadow
             done
             groupadd fleet && stint reload"
        ));
        let given = format!(
            "seq 0 {last} | xargs -P 4 -I {{}} stint grant fleet-{{}} fleet --for 4h --reason bench"
        );
        let given = host.run_with(&given, b"", PATIENCE);
        assert!(given.ok(), "{given}");
        Self(host)
    }

    /// Makes the key that all hosts believe; returns the line for `allowed_signers`.
    pub(crate) fn signer(&self) -> String {
        let key =
            self.0.ok(&format!("ssh-keygen -q -t ed25519 -N '' -f {SIGNER} && cat {SIGNER}.pub"));
        format!("oncall@example.org namespaces=\"revocation@stint\" {key}")
    }

    /// Signs a revocation of each account for all hosts, and brings them to the carrier.
    pub(crate) fn sign(&self, accounts: usize, carrier: &Carrier<'_>) {
        let last = accounts - 1;
        self.0.ok(&format!(
            "mkdir /root/signed && cd /root/signed && seq 0 {last} | xargs -P 2 -I {{}} \
             stint revoke --user fleet-{{}} --reason bench --sign {SIGNER} --hosts '*' -o fleet-{{}}"
        ));
        let documents = self.0.ok("tar -C /root/signed -cf - . | base64 -w0");
        let unpack =
            format!("mkdir -p {FOLDER}/signed && base64 -d | tar -C {FOLDER}/signed -xf -");
        let unpacked = carrier.host.run_with(&unpack, documents.as_bytes(), PATIENCE);
        assert!(unpacked.ok(), "{unpacked}");
    }

    /// Lets it follow the carrier's store, and believe what is signed with the key.
    pub(crate) fn follow(&self, carrier: &Carrier<'_>, signer: &str) {
        self.0.write("/etc/stint/allowed_signers", "0644", signer);
        carrier.store.admit_host(&self.0);
        self.0.write("/etc/stint/sync.toml", "0644", carrier.store.table("/etc/stint"));
        self.0.ok("systemctl restart stint-sync");
    }

    /// When the account's membership ended, by the wall clock; waits for it. That is the time which the
    /// file system has of the new /etc/group.
    pub(crate) fn ended(&self, account: usize) -> Duration {
        let path = self.0.root().join("etc/group");
        let member = format!("fleet-{account}");
        eventually(&format!("{}: the end of {member}", self.0.hostname()), PATIENCE, || {
            let mut file = File::open(&path).ok()?;
            let mut groups = String::new();
            file.read_to_string(&mut groups).ok()?;
            let line = groups.lines().find(|line| line.starts_with("fleet:"))?;
            let gone = line.split([':', ',']).all(|word| word != member);
            let found = file.metadata().ok()?;
            let seconds = Duration::from_secs(u64::try_from(found.ctime()).ok()?);
            let nanos = Duration::from_nanos(u64::try_from(found.ctime_nsec()).ok()?);
            gone.then_some(seconds + nanos)
        })
    }
}
