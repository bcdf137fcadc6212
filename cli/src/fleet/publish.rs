//! Documents on their way into the store: where each belongs, for how long it lies there, and on
//! which hosts it is to count. What is published is signed already; the store carries it.

use sha2::{Digest, Sha256};
use stint_document::{Content, Document, Kind, Revoked, Verified, look, read};
use stint_policy::HostPattern;
use stint_policy::text::{harmless, quoted};
use stint_proto::Timestamp;
use stint_proto::fleet::{DIGEST_DIGITS, FLEET, inbox, is_host};

use super::hosts::Hosts;
use super::store::Store;
use crate::failure::Failure;

/// For how long a revocation lies there: longer than any grant can run that was given before it.
const REVOCATION: u64 = 367 * 86_400;
/// The shortest time for which something lies there, in seconds.
const LEAST: u64 = 60;

/// A document that is to be published.
#[derive(Debug)]
pub struct Parcel {
    /// Where to.
    pub key: String,
    /// The whole document.
    pub document: String,
    /// After how many seconds it goes by itself.
    pub seconds: Option<u64>,
    /// What stands for it in what hosts answer.
    pub digest: String,
    /// On which hosts it is to count.
    pub hosts: Vec<HostPattern>,
    /// What it is.
    pub content: Document,
}

impl Parcel {
    /// A signed document, of which is said where it belongs among these hosts. `name` is a policy's
    /// place.
    ///
    /// # Errors
    /// When it is no whole document, is over, or no place can be told for it.
    pub fn of(
        document: String,
        name: &str,
        known: &Hosts,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let refused = |why: String| Failure::failed(format!("not published: {why}"));
        let verified = look(document.as_bytes()).map_err(|no| refused(no.to_string()))?;
        let content = read(&verified, name).map_err(|no| refused(no.to_string()))?;
        let seconds = seconds(&content, now).map_err(refused)?;
        let digest = short(document.as_bytes());
        let hosts = content.header.hosts.clone();
        let folder = exactly(&hosts, known).map_or_else(|| FLEET.to_owned(), inbox);
        let place = place(&content, &verified, &digest, name)?;
        let key = format!("{folder}{place}");
        Ok(Self { key, document, seconds, digest, hosts, content })
    }

    /// Puts it there.
    ///
    /// # Errors
    /// When the store cannot be reached, or does not let this person.
    pub fn publish(&self, store: &mut impl Store) -> Result<(), Failure> {
        store.put(&self.key, &self.document, self.seconds)
    }

    /// The hosts on which it is to count, of those that are known.
    pub fn meant(&self, hosts: &Hosts) -> Vec<String> {
        let meant = |name: &&str| self.hosts.iter().any(|pattern| pattern.matches(name));
        hosts.known().map(|(name, _)| name).filter(meant).map(str::to_owned).collect()
    }
}

/// The only host that these mean, where it is known by exactly this name: it alone reads what is put
/// before it. What is for a host by its short name, or for one that has never been there, lies where
/// all hosts look.
fn exactly<'a>(hosts: &[HostPattern], known: &'a Hosts) -> Option<&'a str> {
    let [only] = hosts else { return None };
    let only = only.to_string();
    let mut names = known.known().map(|(name, _)| name);
    names.find(|name| name.eq_ignore_ascii_case(&only))
}

/// Below the folder of the fleet, or of a host.
fn place(
    content: &Document,
    verified: &Verified,
    digest: &str,
    name: &str,
) -> Result<String, Failure> {
    Ok(match &content.content {
        Content::Policy(_) if is_host(name) => format!("policy/{name}"),
        Content::Policy(_) => {
            return Err(Failure::usage(format!(
                "{} cannot name a policy in the store: letters, digits, dots and hyphens can, such \
                 as --name web",
                quoted(name)
            )));
        }
        Content::Grant(grant) => format!("grants/{}", grant.id),
        Content::Revocation(_) => format!("revocations/{digest}"),
        Content::Approval(approval) => {
            // Each signer's own, so that two approvals do not replace each other.
            let key = verified.by.first().map(|by| short(by.key.as_bytes())).unwrap_or_default();
            format!("approvals/{}.{key}", approval.request)
        }
    })
}

/// For how long it lies there; for ever if nothing is said.
fn seconds(content: &Document, now: Timestamp) -> Result<Option<u64>, String> {
    let header = &content.header;
    let left = header.not_after.map(|end| end.micros_since(now).div_euclid(1_000_000));
    if let Some(left) = left.filter(|left| *left <= 0) {
        return Err(format!("its time is over, since {} s", left.unsigned_abs()));
    }
    Ok(match header.kind {
        // A policy that is out of date still says which it was, and what it took its place from.
        Kind::Policy => None,
        Kind::Revocation => Some(REVOCATION),
        Kind::Grant | Kind::Approval => {
            left.and_then(|left| u64::try_from(left).ok()).map(|left| left.max(LEAST))
        }
    })
}

/// What it is, in a few words: `the end of what bob holds`.
pub fn what(content: &Document) -> String {
    match &content.content {
        Content::Policy(_) => {
            let serial = content.header.serial.map(|serial| format!(" {serial}"));
            format!("policy{}", serial.unwrap_or_default())
        }
        Content::Grant(grant) => format!("{} for {} ({})", grant.role, grant.user, grant.id),
        Content::Revocation(revocation) => match &revocation.what {
            Revoked::Grant(id) => format!("the end of {id}"),
            Revoked::User(user) => format!("the end of what {user} holds"),
        },
        Content::Approval(approval) => format!("a word on {}", harmless(approval.request.as_str())),
    }
}

/// The [`DIGEST_DIGITS`] first hexadecimal digits of SHA-256.
pub fn short(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().take(DIGEST_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}
