//! A signed policy: beside the host's own, never in its place. The host's own says what it may bring;
//! where the two do not go together, the host's own is in force alone.

use std::path::Path;
use std::sync::Arc;

use stint_document::{
    Content, Document, Header, Kind, Signer, Times, Verified, read, text_of, verify,
};
use stint_policy::{Accounts, Loaded, SourceFile, parse_signed};
use stint_proto::{Delivery, DeliveryOutcome, ErrorCode, Event, ReloadReport};

use super::{InForce, LIMIT, Remote, named, signers};
use crate::engine::mechanisms::BadRules;
use crate::engine::policy::{Candidate, HostAccounts, Need, errors_of};
use crate::engine::{Engine, Refusal};
use crate::record::Entry;
use crate::store::{Digest, LastSerial, SignedPolicy, Write};

/// A signed policy that goes together with the host's own.
pub(in crate::engine) struct Signed {
    kept: Arc<SignedPolicy>,
    in_force: InForce,
    /// Whether it was just brought.
    is_new: bool,
}

impl Signed {
    /// What has to be durable before it counts.
    pub(in crate::engine) fn writes(&self) -> Vec<Write> {
        let InForce { digest, .. } = self.in_force;
        let last = LastSerial { serial: self.in_force.serial(), digest };
        match self.is_new {
            true => vec![Write::SignedPolicy((*self.kept).clone(), last)],
            false => Vec::new(),
        }
    }

    /// What is known of it from then on.
    pub(in crate::engine) fn put(self, remote: &mut Remote) {
        let InForce { digest, .. } = self.in_force;
        let serial = self.in_force.serial();
        if self.is_new {
            remote.last = Some(LastSerial { serial, digest });
        }
        remote.kept = Some(self.kept);
        remote.in_force = Some(self.in_force);
    }
}

/// Adds the signed policy that is kept to the host's own, if the host's own takes any, if somebody
/// signed it who may still, and if the two go together.
pub(in crate::engine) fn add_signed(
    own: Candidate,
    kept: Option<Arc<SignedPolicy>>,
    signers_file: &Path,
    host: &str,
    accounts: Option<&dyn Accounts>,
) -> Candidate {
    let Some(kept) = kept.filter(|_| own.loaded.policy.remote.is_some()) else { return own };
    let fitted = still_good(&kept, signers_file)
        .and_then(|verified| fit(&own.files, &verified, &kept.source, host, accounts));
    match fitted {
        Ok((loaded, in_force)) => {
            let signed = Some(Signed { kept, in_force, is_new: false });
            Candidate { loaded, signed, ..own }
        }
        Err(problem) => Candidate { problem: Some(problem), ..own },
    }
}

/// Whether those who signed it may still, as of when it came. Where the file that says so cannot be
/// read, it was good once.
fn still_good(kept: &SignedPolicy, signers_file: &Path) -> Result<Verified, String> {
    let document = kept.document.as_bytes();
    match signers(signers_file) {
        Ok(signers) => {
            verify(document, &signers, Times::at(kept.taken_at)).map_err(|no| no.to_string())
        }
        Err(_) => {
            let text = text_of(document).map_err(|no| no.to_string())?.to_owned();
            let digest = super::sources::digest(text.as_bytes());
            let by = vec![Signer { name: kept.signers.clone(), key: String::new() }];
            Ok(Verified { kind: Kind::Policy, text, by, approver: None, digest })
        }
    }
}

/// Reads it together with the host's own.
fn fit(
    own: &[SourceFile],
    verified: &Verified,
    source: &str,
    host: &str,
    accounts: Option<&dyn Accounts>,
) -> Result<(Loaded, InForce), String> {
    let document = read(verified, &named(source)).map_err(|no| no.to_string())?;
    let Document { header, content: Content::Policy(file) } = document else {
        return Err("it is no policy".to_owned());
    };
    if !header.hosts.iter().any(|pattern| pattern.matches(host)) {
        return Err("it is for other hosts".to_owned());
    }
    let loaded = parse_signed(own, &file, host, accounts).map_err(|found| errors_of(&found))?;
    let in_force = InForce { header, signers: verified.signers(), digest: verified.digest };
    Ok((loaded, in_force))
}

impl Engine {
    /// Puts a signed policy in force beside the host's own.
    pub(super) async fn take_policy(
        &self,
        source: &str,
        raw: String,
        verified: &Verified,
        header: Header,
        file: SourceFile,
    ) -> Result<Delivery, Refusal> {
        let reloading = self.reloads.lock().await;
        let serial = header.serial.unwrap_or_default();
        if self.is_known(serial, verified.digest)? {
            let text = format!("the signed policy {serial} is in force already");
            let known = super::delivery(verified, DeliveryOutcome::Known, text);
            return Ok(Delivery { serial: Some(serial), ..known });
        }
        let own = self.own_in_force().await?;
        let (host, beside) = (self.host.clone(), own.clone());
        let asked = move || parse_signed(&beside, &file, &host, Some(&HostAccounts));
        let loaded = match self.lookups.ask(LIMIT, asked).await {
            Some(Ok(loaded)) => loaded,
            Some(Err(found)) => {
                return Err(Refusal::new(ErrorCode::PolicyRejected, errors_of(&found)));
            }
            None => {
                let text = "the account database did not answer within 20 s";
                return Err(Refusal::new(ErrorCode::Failed, text));
            }
        };
        self.try_sudo_rules(&loaded.policy).await.map_err(|problem| match problem {
            BadRules::Wrong(problem) => Refusal::new(ErrorCode::PolicyRejected, problem),
            BadRules::Untried(problem) => Refusal::new(ErrorCode::Failed, problem),
        })?;
        let signers = verified.signers();
        let kept = Arc::new(SignedPolicy {
            document: raw,
            signers: signers.clone(),
            source: source.to_owned(),
            taken_at: self.now().wall,
        });
        let in_force = InForce { header, signers: signers.clone(), digest: verified.digest };
        let signed = Some(Signed { kept, in_force, is_new: true });
        let candidate = Candidate::new(own, loaded, signed);
        let known = self.known_for(&candidate).await;
        let changing = self.changes.lock().await;
        let report = self.take(candidate, Need::Durable, known, &signers).await?;
        drop((changing, reloading));
        let text = format!(
            "the signed policy {serial} by {signers} is in force, from {source}{}",
            changed(&report)
        );
        let mut entry = Entry::new(self.now().wall, Event::SourceSynced, text.clone());
        entry.actor = Some(signers);
        self.record.note(entry);
        let taken = super::delivery(verified, DeliveryOutcome::Taken, text);
        Ok(Delivery { serial: Some(serial), warnings: report.warnings, ..taken })
    }

    /// The host's own policy that is in force, as it was read.
    async fn own_in_force(&self) -> Result<Vec<SourceFile>, Refusal> {
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        let own = self.store.own_policy().await?;
        drop(changing);
        Ok(own)
    }

    /// Whether this very policy is in force already.
    ///
    /// # Errors
    /// [`Refusal`] when a later one was here, or another of this serial.
    fn is_known(&self, serial: u64, digest: Digest) -> Result<bool, Refusal> {
        let state = self.state();
        let Some(last) = state.remote.last else { return Ok(false) };
        let refuse = |text: String| Err(Refusal::new(ErrorCode::Refused, text));
        if serial < last.serial {
            return refuse(format!(
                "its serial {serial} is older than {}, which this host has had",
                last.serial
            ));
        }
        if serial > last.serial {
            return Ok(false);
        }
        if digest != last.digest {
            return refuse(format!(
                "another policy had its serial {serial} here; take a later one"
            ));
        }
        Ok(state.remote.in_force.as_ref().is_some_and(|held| held.digest == digest))
    }

    /// Notes why the signed policy that is kept is not in force; recorded once.
    pub(in crate::engine) fn not_in_force(&self, problem: Option<String>, actor: &str) {
        let is_new = {
            let mut state = self.state();
            let is_new = problem.is_some() && state.remote.problem != problem;
            state.remote.problem.clone_from(&problem);
            is_new
        };
        let Some(problem) = problem.filter(|_| is_new) else { return };
        let first = problem.lines().next().unwrap_or_default();
        let text = format!("the signed policy that was kept is not in force any more: {first}");
        let mut entry = Entry::new(self.now().wall, Event::SourceRejected, text);
        entry.actor = Some(actor.to_owned());
        self.record.note(entry);
    }
}

fn changed(report: &ReloadReport) -> String {
    let part = |count: usize, what: &str| match count {
        0 => String::new(),
        count => format!(", {} {what}", crate::record::counted(count, "grant")),
    };
    format!("{}{}", part(report.granted.len(), "given"), part(report.ended.len(), "ended"))
}
