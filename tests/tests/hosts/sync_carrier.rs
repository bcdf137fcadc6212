//! A host that carries documents: a real nginx, with certificates that a real authority has signed
//! and with those that nobody should believe. No test lives here.

use std::time::Duration;
use stint_tests::{Host, HostBuilder};

/// Where nginx serves from.
const WWW: &str = "/srv/www";

/// Makes an authority, one that nobody believes, and the servers' certificates.
const CERTIFICATES: &str = r#"set -eu
mkdir -p /srv/ca /srv/www && cd /srv/ca
authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem"
}
# server FILE NAME AUTHORITY
server() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$2" -keyout "$1.key" -out "$1.csr"
    printf 'subjectAltName=DNS:%s\n' "$2" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -days 20 \
        -extfile "$1.ext" -out "$1.pem"
}
authority fleet-ca
authority stranger-ca
server good carrier fleet-ca
server other elsewhere.example fleet-ca
server stranger carrier stranger-ca
server expired carrier fleet-ca
ssh-keygen -q -t ed25519 -N '' -C fleet -f signer
faketime '2020-01-01 00:00:00' openssl x509 -req -in expired.csr -CA fleet-ca.pem \
    -CAkey fleet-ca.key -days 20 -extfile expired.ext -out expired.pem
"#;

/// nginx, on a port for each certificate.
const NGINX: &str = r#"
log_format asked '$server_port $request_uri $status';
access_log /var/log/nginx/asked asked;
ssl_session_cache off;
server {
    listen 443 ssl;
    ssl_certificate /srv/ca/good.pem;
    ssl_certificate_key /srv/ca/good.key;
    root /srv/www;
    location = /elsewhere { return 302 https://evil.example/fleet.policy; }
    location = /here { return 301 https://carrier/fleet.policy; }
    location = /busy { return 503; }
    location = /drip { limit_rate 1; }
    location = /endless { proxy_pass http://127.0.0.1:9000; proxy_buffering off; }
    location = /half { proxy_pass http://127.0.0.1:9000; proxy_buffering off; }
}
server {
    listen 8441 ssl;
    ssl_certificate /srv/ca/other.pem;
    ssl_certificate_key /srv/ca/other.key;
    root /srv/www;
}
server {
    listen 8442 ssl;
    ssl_certificate /srv/ca/expired.pem;
    ssl_certificate_key /srv/ca/expired.key;
    root /srv/www;
}
server {
    listen 8443 ssl;
    ssl_certificate /srv/ca/stranger.pem;
    ssl_certificate_key /srv/ca/stranger.key;
    root /srv/www;
}
server {
    listen 8444 ssl;
    ssl_certificate /srv/ca/good.pem;
    ssl_certificate_key /srv/ca/good.key;
    ssl_protocols TLSv1.1;
    ssl_ciphers DEFAULT@SECLEVEL=0;
    root /srv/www;
}
server {
    listen 8445;
    root /srv/www;
}
"#;

/// A host that serves what is put into it.
pub struct Carrier {
    pub host: Host,
}

impl Carrier {
    /// Boots it as `carrier`, with nginx running and nothing to fetch.
    pub fn boot(host: HostBuilder) -> Self {
        let host = host
            .hostname("carrier")
            .package("nginx")
            .package("openssl")
            .file("/etc/nginx/conf.d/carrier.conf", 0o644, NGINX)
            .file("/srv/carrier.py", 0o644, include_str!("carrier.py"))
            .boot();
        host.ok(&format!("({CERTIFICATES}) 2>&1"));
        host.ok(&format!(
            "cd {WWW}; head -c 1048577 /dev/zero >big; : >empty; echo 'slow but sure, and for more \
             than half a minute' >drip; systemctl restart nginx; \
             systemd-run -q --unit=hostile python3 /srv/carrier.py"
        ));
        Self { host }
    }

    /// The certificate of its authority.
    pub fn authority(&self) -> Vec<u8> {
        self.host.read("/srv/ca/fleet-ca.pem")
    }

    /// The line of `allowed_signers` for whoever signs its policies.
    pub fn signer(&self) -> String {
        let key = self.host.ok("cat /srv/ca/signer.pub");
        format!("fleet@example.com namespaces=\"policy@stint\" {key}")
    }

    /// A policy for every host, signed, with this role in it.
    pub fn policy(&self, serial: u32, role: &str) -> String {
        self.sign(
            &format!(
                "[document]\nkind = \"policy\"\nserial = {serial}\nnot_before = 2020-01-01T00:00:00Z\n\
                 not_after = 2099-01-01T00:00:00Z\nhosts = [\"*\"]\n\n\
                 [roles.{role}]\nsudo = [{{ commands = [\"/usr/bin/true\"] }}]\n\
                 eligible = [\"alice\"]\napprovals = 0\n"
            ),
            "signer",
            "policy@stint",
        )
    }

    /// This text, signed by a key of `/srv/ca` for a namespace.
    pub fn sign(&self, text: &str, key: &str, namespace: &str) -> String {
        let sign = format!("ssh-keygen -Y sign -q -f /srv/ca/{key} -n {namespace}");
        let signed = self.host.run_with(&sign, text.as_bytes(), Duration::from_secs(20));
        assert!(signed.ok(), "{signed}");
        format!("{text}{}", signed.stdout)
    }

    /// Puts a document there, whole or not at all.
    pub fn publish(&self, name: &str, document: impl AsRef<[u8]>) {
        self.host.write(&format!("{WWW}/.new"), "0644", document);
        self.host.ok(&format!("mv {WWW}/.new {WWW}/{name}"));
    }

    /// The statuses of what it was asked for at this place, the first first.
    pub fn asked(&self, port: u16, path: &str) -> Vec<u16> {
        let log = self.host.ok("cat /var/log/nginx/asked");
        let asked = log.lines().filter_map(|line| line.strip_prefix(&format!("{port} {path} ")));
        asked.map(|status| status.parse().unwrap()).collect()
    }
}
