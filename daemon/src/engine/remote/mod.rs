//! Signed documents: handed in by whoever carries them, believed for their signatures alone. What is
//! bad changes nothing and is told; what is good is a policy beside the host's own, a grant, the end of
//! some, or an approver's word on a request.

mod approvals;
mod fresh;
mod grants;
mod policy;
mod sources;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stint_document::{Content, Document, Header, Signers, Times, Verified, read, verify};
use stint_hostfiles::{ReadError, read_trusted};
use stint_proto::{Delivery, DeliveryOutcome, ErrorCode, SIGNERS_FILE};

use super::{Engine, Refusal};
use crate::store::{Digest, LastSerial, SignedPolicy};

pub(super) use policy::{Signed, add_signed};
use sources::Sources;

/// How long the files of this host may take to be read.
const LIMIT: Duration = Duration::from_secs(20);

/// What is known of signed documents.
#[derive(Default)]
pub(super) struct Remote {
    /// The signed policy that is kept, in force or not.
    pub(super) kept: Option<Arc<SignedPolicy>>,
    /// The last serial that a policy had here.
    pub(super) last: Option<LastSerial>,
    /// What of it is in force.
    pub(super) in_force: Option<InForce>,
    /// Why the one that is kept is not in force.
    pub(super) problem: Option<String>,
    /// What is wrong with the file that says who may sign.
    signers: Vec<String>,
    /// Of which serial it was told that it is no longer current.
    told_stale: Option<u64>,
    sources: Sources,
}

impl Remote {
    /// As the state has it.
    pub(super) fn found(kept: Option<SignedPolicy>, last: Option<LastSerial>) -> Self {
        Self { kept: kept.map(Arc::new), last, ..Self::default() }
    }
}

/// A signed policy in force.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    header: Header,
    signers: String,
    digest: Digest,
}

impl InForce {
    fn serial(&self) -> u64 {
        self.header.serial.unwrap_or_default()
    }
}

/// A document that somebody signed who may, read.
struct Opened {
    raw: String,
    verified: Verified,
    document: Document,
}

/// Who may sign on this host.
///
/// # Errors
/// When the file is not to be trusted or cannot be read; one that is not there lets nobody sign.
fn signers(path: &Path) -> Result<Signers, ReadError> {
    let zone = jiff::tz::TimeZone::system();
    match read_trusted(path) {
        Ok(file) => Ok(Signers::read(&file.path, &file.text, &zone)),
        Err(ReadError::Missing { .. }) => Ok(Signers::read(&path.to_string_lossy(), "", &zone)),
        Err(error) => Err(error),
    }
}

/// How messages name a policy that a source brought.
fn named(source: &str) -> String {
    format!("the signed policy ({source})")
}

fn open(
    document: &[u8],
    signers: &Signers,
    source: &str,
    times: Times,
) -> Result<Opened, stint_document::Refusal> {
    let verified = verify(document, signers, times)?;
    let read = read(&verified, &named(source))?;
    let raw = String::from_utf8_lossy(document).into_owned();
    Ok(Opened { raw, verified, document: read })
}

impl Engine {
    /// Takes a document that somebody has brought, if people signed it who may, for this host and
    /// this time, and if this host's own policy lets it do what it says.
    ///
    /// # Errors
    /// [`Refusal`]: with [`ErrorCode::Failed`] it may be brought again as it is; otherwise something
    /// is wrong with it, which is recorded. Nothing was changed.
    pub async fn deliver(&self, source: &str, document: Vec<u8>) -> Result<Delivery, Refusal> {
        let source = sources::name(source)?;
        let digest = sources::digest(&document);
        let done = self.judge_document(&source, document).await;
        match &done {
            Ok(_) => self.source_is_good(&source),
            Err(refusal) if refusal.code == ErrorCode::Failed => {
                self.source_fails(&source, &refusal.message);
            }
            Err(refusal) => self.source_is_refused(&source, digest, &refusal.message),
        }
        done
    }

    async fn judge_document(&self, source: &str, document: Vec<u8>) -> Result<Delivery, Refusal> {
        if self.policy().remote.is_none() {
            let text = "this host takes no signed documents: its own policy has no [remote]";
            return Err(Refusal::new(ErrorCode::Refused, text));
        }
        let times = self.times();
        let (path, name) = (self.places.signers_file.clone(), source.to_owned());
        let opened = self
            .lookups
            .ask(LIMIT, move || {
                let signers = signers(&path).map_err(|error| error.to_string());
                signers.map(|signers| {
                    let opened = open(&document, &signers, &name, times);
                    (opened, signers.problems().to_vec(), signers.is_empty())
                })
            })
            .await;
        let refuse = |text: String| Err(Refusal::new(ErrorCode::Refused, text));
        let (opened, problems, nobody) = match opened {
            None => {
                let text = format!("{SIGNERS_FILE} was not read within 20 s; try again");
                return Err(Refusal::new(ErrorCode::Failed, text));
            }
            Some(Err(problem)) => {
                self.state().remote.signers = vec![problem.clone()];
                return refuse(problem);
            }
            Some(Ok(opened)) => opened,
        };
        self.state().remote.signers.clone_from(&problems);
        let opened = match opened {
            Ok(opened) => opened,
            Err(stint_document::Refusal::NotAllowed { .. }) if nobody => {
                return refuse(format!(
                    "nobody may sign anything here: {SIGNERS_FILE} names nobody"
                ));
            }
            Err(refusal) => return refuse(told(&refusal.to_string(), &problems)),
        };
        if let Err(refusal) = opened.document.counts_on(&self.host, times) {
            // A revocation is never too late, but where it says so itself.
            return refuse(refusal.to_string());
        }
        let Opened { raw, verified, document: Document { header, content } } = opened;
        match content {
            Content::Policy(file) => self.take_policy(source, raw, &verified, header, file).await,
            Content::Grant(grant) => Box::pin(self.take_grant(&verified, &header, grant)).await,
            Content::Revocation(revocation) => {
                self.take_revocation(&verified, &header, revocation).await
            }
            Content::Approval(approval) => {
                Box::pin(self.take_approval(&verified, &header, approval)).await
            }
        }
    }

    /// What time it is for what people signed.
    fn times(&self) -> Times {
        let now = self.now();
        Times { wall: now.wall, latest: self.trusted_wall(now) }
    }
}

/// What is wrong with a document, and with the file that says who may sign.
fn told(refusal: &str, problems: &[String]) -> String {
    match problems {
        [] => refusal.to_owned(),
        problems => format!("{refusal}; and {}", problems.join("; ")),
    }
}

fn delivery(verified: &Verified, outcome: DeliveryOutcome, message: String) -> Delivery {
    Delivery {
        kind: verified.kind,
        outcome,
        serial: None,
        signers: verified.signers(),
        message,
        warnings: Vec::new(),
    }
}
