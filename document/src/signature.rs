//! One signature in the form of OpenSSH (PROTOCOL.sshsig): what it says it is, and whether it is one
//! of a text. Who may sign is none of its business.

use signature::Verifier as _;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Certificate, Fingerprint, HashAlg};

/// By what it was made.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// A key of its own.
    Key(KeyData),
    /// A key for which a certificate speaks.
    Certificate(Box<Certificate>),
}

impl By {
    /// The key itself.
    pub(crate) fn key(&self) -> &KeyData {
        match self {
            Self::Key(key) => key,
            Self::Certificate(certificate) => certificate.public_key(),
        }
    }

    /// `SHA256:…`, as ssh-keygen -l shows it.
    pub(crate) fn fingerprint(&self) -> String {
        Fingerprint::new(HashAlg::Sha256, self.key()).to_string()
    }
}

/// A signature; not verified.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) by: By,
    pub(crate) namespace: String,
    hash: HashAlg,
    signature: ssh_key::Signature,
}

/// Whether a signature is one of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is.
    Good,
    /// It is not.
    Broken,
    /// It is, but nobody touched the security key that made it.
    Untouched,
}

impl Signature {
    /// Reads one.
    pub(crate) fn read(blob: &[u8]) -> Result<Self, &'static str> {
        const NONE: &str = "it is no SSH signature";
        let mut rest = blob.strip_prefix(b"SSHSIG").ok_or(NONE)?;
        if number(&mut rest).ok_or(NONE)? != 1 {
            return Err("it is of a version that is not known");
        }
        let by = key(string(&mut rest).ok_or(NONE)?)?;
        let namespace = string(&mut rest).ok_or(NONE)?;
        let namespace = String::from_utf8(namespace.to_vec()).map_err(|_| NONE)?;
        if !string(&mut rest).ok_or(NONE)?.is_empty() {
            return Err("it carries something that is not known");
        }
        let hash = match string(&mut rest).ok_or(NONE)? {
            b"sha256" => HashAlg::Sha256,
            b"sha512" => HashAlg::Sha512,
            _ => return Err("its hash is neither sha256 nor sha512"),
        };
        let signature = string(&mut rest).ok_or(NONE)?;
        if !is_whole(signature) {
            return Err(NONE);
        }
        let signature = ssh_key::Signature::try_from(signature).map_err(|_| NONE)?;
        if !rest.is_empty() {
            return Err("something follows it");
        }
        Ok(Self { by, namespace, hash, signature })
    }

    /// Whether it is one of this text. An RSA signature with SHA-1 is none.
    pub(crate) fn verdict(&self, text: &[u8]) -> Verdict {
        let signed = ssh_key::SshSig::signed_data(&self.namespace, self.hash, text);
        let verified =
            signed.is_ok_and(|signed| self.by.key().verify(&signed, &self.signature).is_ok());
        match verified {
            false => Verdict::Broken,
            true if self.was_touched() => Verdict::Good,
            true => Verdict::Untouched,
        }
    }

    /// Whether somebody touched the key, where it is one that can tell (PROTOCOL.u2f: the flags are
    /// part of what is signed; before the counter of four bytes).
    fn was_touched(&self) -> bool {
        const USER_PRESENT: u8 = 0x01;
        match self.signature.algorithm() {
            Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => {
                let bytes = self.signature.as_bytes();
                let flags = bytes.len().checked_sub(5).and_then(|at| bytes.get(at));
                flags.is_some_and(|flags| flags & USER_PRESENT != 0)
            }
            _ => true,
        }
    }
}

fn key(blob: &[u8]) -> Result<By, &'static str> {
    const NONE: &str = "its key is of a kind that is not known";
    let mut rest = blob;
    let name = string(&mut rest).ok_or(NONE)?;
    if name.ends_with(b"-cert-v01@openssh.com") {
        let certificate = Certificate::from_bytes(blob)
            .map_err(|_| "its certificate cannot be read, or has no end (ssh-keygen -V)")?;
        return Ok(By::Certificate(Box::new(certificate)));
    }
    key_of(blob).map(By::Key).ok_or(NONE)
}

/// Whether a signature proper has its name, its value, of a security key the flags and the counter,
/// and nothing else: ssh-key does not mind what follows.
fn is_whole(mut rest: &[u8]) -> bool {
    let Some(name) = string(&mut rest) else { return false };
    let counted = if name.starts_with(b"sk-") { 5 } else { 0 };
    string(&mut rest).is_some() && rest.len() == counted
}

/// A public key as it is on the wire, all of it, and written as it has to be: ssh-key does not mind
/// every length.
pub(crate) fn key_of(blob: &[u8]) -> Option<KeyData> {
    let key = ssh_key::PublicKey::from_bytes(blob).ok()?;
    if key.to_bytes().ok()? != blob {
        return None;
    }
    let key = key.key_data().clone();
    // Kinds that are not verified here are none.
    match key {
        KeyData::Dsa(_) | KeyData::Other(_) => None,
        key => Some(key),
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4)?.try_into().ok().map(u32::from_be_bytes)
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)?;
    take(rest, usize::try_from(length).ok()?)
}
