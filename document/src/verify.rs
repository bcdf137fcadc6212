//! Whether a document is what people who may sign it have signed. What comes out can be read; what
//! went in was not.

use sha2::{Digest, Sha256};
use stint_policy::text::harmless;

use crate::signature::Verdict;
use crate::{Approver, Kind, Refusal, Signers, Times, envelope};

/// Somebody who signed, and may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// As whom, as `allowed_signers` or their certificate says; harmless.
    pub name: String,
    /// With which key: `SHA256:…`.
    pub key: String,
}

/// A text that is what somebody signed who may sign such documents here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it is signed as.
    pub kind: Kind,
    /// The text.
    pub text: String,
    /// Who signed it, of those who may; at least one.
    pub by: Vec<Signer>,
    /// Of an approval: under which names its one signer is known.
    pub approver: Option<Approver>,
    /// SHA-256 of the text: the same document, whoever has signed it besides.
    pub digest: [u8; 32],
}

impl Verified {
    /// Who signed it, in one line.
    #[must_use]
    pub fn signers(&self) -> String {
        self.by.iter().map(|signer| signer.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// A document as somebody signed it, whoever that is: to be looked at, never to be believed.
///
/// # Errors
/// [`Refusal`] when it is none, or was changed after it was signed.
pub fn look(document: &[u8]) -> Result<Verified, Refusal> {
    let envelope = envelope::open(document)?;
    let kind = kind_of(&envelope)?;
    for (number, signature) in envelope.signatures.iter().enumerate() {
        if signature.verdict(envelope.text.as_bytes()) == Verdict::Broken {
            return Err(Refusal::Broken { number: number + 1 });
        }
    }
    let by = envelope
        .signatures
        .iter()
        .map(|signature| Signer { name: String::new(), key: signature.by.fingerprint() });
    let digest = Sha256::digest(envelope.text.as_bytes()).into();
    let text = envelope.text.to_owned();
    Ok(Verified { kind, text, by: by.collect(), approver: None, digest })
}

/// What all signatures say it is.
fn kind_of(envelope: &envelope::Envelope<'_>) -> Result<Kind, Refusal> {
    let mut kind = None;
    for signature in &envelope.signatures {
        let of = Kind::of_namespace(&signature.namespace);
        if of.is_none() || kind.is_some_and(|kind| Some(kind) != of) {
            return Err(Refusal::Namespace { found: signature.namespace.clone() });
        }
        kind = of;
    }
    kind.ok_or(Refusal::Unsigned)
}

/// Looks at every signature of a document. All must be of its text; at least one must be by somebody
/// who may sign what it is. What others have signed besides does no harm; an approval has one alone.
///
/// # Errors
/// [`Refusal`] at the first thing that is wrong.
pub fn verify(document: &[u8], signers: &Signers, times: Times) -> Result<Verified, Refusal> {
    let envelope = envelope::open(document)?;
    let text = envelope.text;
    let kind = kind_of(&envelope)?;
    if kind == Kind::Approval && envelope.signatures.len() != 1 {
        return Err(Refusal::NotOne { count: envelope.signatures.len() });
    }
    let (mut by, mut why): (Vec<Signer>, Vec<String>) = (Vec::new(), Vec::new());
    for (number, signature) in envelope.signatures.iter().enumerate() {
        let key = signature.by.fingerprint();
        match signature.verdict(text.as_bytes()) {
            Verdict::Broken => return Err(Refusal::Broken { number: number + 1 }),
            Verdict::Untouched => {
                why.push(format!("the security key {key} was not touched"));
                continue;
            }
            Verdict::Good => {}
        }
        match signers.allowed(&signature.by, kind.namespace(), times) {
            Ok(_) if by.iter().any(|other| other.key == key) => {}
            Ok(name) => by.push(Signer { name: harmless(&name), key }),
            Err(reason) => why.push(reason),
        }
    }
    if by.is_empty() {
        return Err(Refusal::NotAllowed { signers: signers.path().to_owned(), why });
    }
    let approver = match (kind, envelope.signatures.first()) {
        (Kind::Approval, Some(signature)) => Some(Approver::of(&signature.by, signers, times)?),
        _ => None,
    };
    let digest = Sha256::digest(text.as_bytes()).into();
    Ok(Verified { kind, text: text.to_owned(), by, approver, digest })
}
