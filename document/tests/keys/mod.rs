//! Keys, signatures and certificates made by the real ssh-keygen, in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use stint_document::Times;
use stint_proto::Timestamp;

pub struct Keys {
    dir: tempfile::TempDir,
}

fn keygen(arguments: &[&str]) -> bool {
    let mut command = Command::new("ssh-keygen");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Keys {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a key; its public half.
    pub fn key(&self, name: &str, kind: &[&str]) -> String {
        let path = self.path(name);
        let path = path.to_str().unwrap();
        let fixed = ["-q", "-N", "", "-C", name, "-f", path, "-t"];
        assert!(keygen(&[&fixed[..], kind].concat()), "{kind:?}");
        self.public(name)
    }

    fn public(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }

    /// Signs a text by `key`, as this.
    pub fn sign(&self, key: &str, text: &str, namespace: &str) -> String {
        let file = self.unsigned(text);
        let key = self.path(key);
        let line = ["-Y", "sign", "-q", "-f", key.to_str().unwrap(), "-n", namespace];
        assert!(keygen(&[&line[..], &[file.to_str().unwrap()]].concat()));
        fs::read_to_string(self.path("text.sig")).unwrap()
    }

    pub fn certify(&self, authority: &str, key: &str, principals: &str, more: &[&str]) {
        let (authority, key) = (self.path(authority), self.path(&format!("{key}.pub")));
        let mut line = vec!["-q", "-s", authority.to_str().unwrap(), "-I", "a test"];
        if !principals.is_empty() {
            line.extend(["-n", principals]);
        }
        line.extend(more);
        line.push(key.to_str().unwrap());
        assert!(keygen(&line), "{more:?}");
    }

    /// Signs by a key and its certificate, which ssh-keygen takes from an agent alone.
    pub fn sign_certified(&self, name: &str, text: &str, namespace: &str) -> String {
        // With the certificate in the place of the public key, it is what the signature carries.
        let cert = fs::read(self.path(&format!("{name}-cert.pub"))).unwrap();
        fs::write(self.path(&format!("{name}.pub")), cert).unwrap();
        let (key, file) = (self.path(name), self.unsigned(text));
        let script = format!(
            "ssh-add -q {0} && ssh-keygen -q -Y sign -n {namespace} -f {0}-cert.pub {1}",
            shown(&key),
            shown(&file)
        );
        let mut command = Command::new("ssh-agent");
        command.args(["sh", "-c", &script]).stdin(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{script}");
        fs::read_to_string(self.path("text.sig")).unwrap()
    }

    fn unsigned(&self, text: &str) -> PathBuf {
        let file = self.path("text");
        fs::write(&file, text).unwrap();
        drop(fs::remove_file(self.path("text.sig")));
        file
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// What time it is.
pub fn now() -> Times {
    let output = Command::new("date").arg("+%s").output().unwrap();
    let seconds: i64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    Times::at(Timestamp::from_micros(seconds * 1_000_000))
}
