//! What a host signs itself: how far its record has come. The text that is signed, the key that
//! signs it, and whether a signature is one of a text by a key that may. Where the key is kept is
//! none of its business.

use std::ops::Deref;

use base64ct::{Base64, Encoding};
use jiff::tz::TimeZone;
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};
use stint_policy::text::harmless;
use stint_proto::Timestamp;

use crate::envelope::read;
use crate::lines::of_any_host;
use crate::signature::{By, Verdict};
use crate::{Signers, Times};

/// As what checkpoints are signed: no signature of a document is one of a checkpoint.
pub const CHECKPOINT_NAMESPACE: &str = "checkpoint@stint";

/// What a checkpoint says, as its fields say it in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The name of the host.
    pub host: String,
    /// The number of the link.
    pub link: String,
    /// The link's hash, in hexadecimal digits.
    pub hash: String,
    /// When it was told: RFC 3339, UTC.
    pub time: String,
}

impl Statement {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { host, link, hash, time } = self;
        format!("stint.record.checkpoint.1\nhost {host}\nlink {link}\nhash {hash}\ntime {time}\n")
    }
}

/// Why a file's text is no key to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// It is no private key in the form of OpenSSH.
    Unreadable,
    /// It needs a passphrase, which nobody is there to type.
    Locked,
    /// It is of another kind.
    Kind,
}

impl std::fmt::Display for BadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "it is no private key of OpenSSH's",
            Self::Locked => "it has a passphrase, and nobody is there to type it",
            Self::Kind => "it is no Ed25519 key",
        })
    }
}

impl std::error::Error for BadKey {}

/// The key of a host. Its private half is wiped from memory with it.
#[derive(Debug)]
pub struct HostKey(PrivateKey);

impl HostKey {
    /// The key of these 32 random bytes.
    ///
    /// # Errors
    /// Never, of bytes that are random.
    pub fn of_seed(seed: &[u8; 32], comment: &str) -> Result<Self, BadKey> {
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(seed));
        PrivateKey::new(pair, comment).map(Self).map_err(|_| BadKey::Unreadable)
    }

    /// Reads the text of a file in the form of OpenSSH.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn read(text: &str) -> Result<Self, BadKey> {
        let key = PrivateKey::from_openssh(text).map_err(|_| BadKey::Unreadable)?;
        // Of one with a passphrase only the public half says its kind.
        match (key.algorithm(), key.key_data()) {
            (Algorithm::Ed25519, KeypairData::Encrypted(_)) => Err(BadKey::Locked),
            // One whose halves are of two keys would make signatures that nobody can verify.
            (_, KeypairData::Ed25519(pair))
                if Ed25519Keypair::from_seed(&pair.private.to_bytes()).public == pair.public =>
            {
                Ok(Self(key))
            }
            (_, KeypairData::Ed25519(_)) => Err(BadKey::Unreadable),
            _ => Err(BadKey::Kind),
        }
    }

    /// The text of its file, which is wiped from memory with it.
    ///
    /// # Errors
    /// Never, of a key that was read or made.
    pub fn openssh(&self) -> Result<impl Deref<Target = String> + use<>, BadKey> {
        self.0.to_openssh(LineEnding::LF).map_err(|_| BadKey::Unreadable)
    }

    /// The public half: `ssh-ed25519 AAAA…`, without a comment.
    #[must_use]
    pub fn public(&self) -> String {
        let blob = self.0.public_key().to_bytes().unwrap_or_default();
        format!("ssh-ed25519 {}", Base64::encode_string(&blob))
    }

    /// `SHA256:…`, as ssh-keygen -l shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Signs: what stands between the lines of an SSH signature, in one line.
    ///
    /// # Errors
    /// Never, by a key that was read or made.
    pub fn sign(&self, statement: &Statement) -> Result<String, BadKey> {
        let text = statement.text();
        let signed = self.0.sign(CHECKPOINT_NAMESPACE, HashAlg::Sha512, text.as_bytes());
        let signed = signed.map_err(|_| BadKey::Unreadable)?;
        let armored = signed.to_pem(LineEnding::LF).map_err(|_| BadKey::Unreadable)?;
        Ok(armored.lines().filter(|line| !line.starts_with("-----")).collect())
    }
}

/// Why a signature does not show that a checkpoint is a host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// It is none of this text: one of the two was changed, or it is no signature of a checkpoint.
    Broken(String),
    /// It is one, by a key that may not speak for this host.
    Other(String),
}

/// The keys that may sign for hosts: of `allowed_signers`, and of files of public keys (a line without
/// a name speaks for any host).
#[must_use]
pub fn host_keys(path: &str, text: &str, zone: &TimeZone) -> Signers {
    let lines: Vec<_> = text.lines().map(of_any_host).collect();
    Signers::read(path, &lines.join("\n"), zone)
}

/// By which key a checkpoint is signed that is as that key's host has told it: `SHA256:…`.
///
/// # Errors
/// [`Unproven`].
pub fn proven(statement: &Statement, signature: &str, keys: &Signers) -> Result<String, Unproven> {
    let broken = |why: &str| Unproven::Broken(why.to_owned());
    let signature = read(signature).map_err(broken)?;
    if signature.namespace != CHECKPOINT_NAMESPACE {
        return Err(Unproven::Broken(format!(
            "it is signed as {}, not as {CHECKPOINT_NAMESPACE}",
            harmless(&signature.namespace)
        )));
    }
    if signature.verdict(statement.text().as_bytes()) != Verdict::Good {
        return Err(broken("the signature is not one of what it says"));
    }
    let at: Timestamp = statement.time.parse().map_err(|_| broken("it has no time"))?;
    match &signature.by {
        By::Key(key) => keys
            .speaks_for(key, &statement.host, CHECKPOINT_NAMESPACE, Times::at(at))
            .map(|()| signature.by.fingerprint())
            .map_err(Unproven::Other),
        By::Certificate(_) => Err(Unproven::Other("a certificate signs for no host".to_owned())),
    }
}

#[cfg(test)]
mod tests;
