//! Loading the policy: at the start, on SIGHUP, on `stint reload`. A bad one never replaces a good
//! one; what rested on what is gone ends.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stint_hostfiles::read_policy;
use stint_policy::{Accounts, Diagnostic, HeldGrant, Loaded, Policy, Severity, SourceFile, parse};
use stint_proto::{
    ErrorCode, Event, Grant as Shown, GrantId, GroupName, POLICY_FILE, ReloadReport, UserName,
};

use super::end::Ending;
use super::ground::People;
use super::hold::Holder;
use super::holders::Changed;
use super::mechanisms::BadRules;
use super::remote::{Signed, add_signed};
use super::{Engine, Refusal};
use crate::accounts;
use crate::domain::grant::Grant;
use crate::record::{Entry, counted};
use crate::store::{SignedPolicy, Write};

/// How long the account database may take over a whole policy.
const LIMIT: Duration = Duration::from_secs(20);

/// What a policy that is put in force needs.
#[derive(Clone, Copy)]
pub(super) enum Need {
    /// To be on the disk first: somebody asked for it, and can be told that it is not.
    Durable,
    /// To be in force, on the disk or not yet: the daemon starts.
    InForce,
}

/// A policy that reads, with the text it was read from.
pub(super) struct Candidate {
    /// The host's own.
    pub(super) files: Vec<SourceFile>,
    /// All of it.
    pub(super) loaded: Loaded,
    /// What of it somebody has signed, if anything.
    pub(super) signed: Option<Signed>,
    /// Why what somebody has signed is no part of it.
    pub(super) problem: Option<String>,
}

impl Candidate {
    /// The host's own policy, and what came of it together with a signed one.
    pub(super) fn new(files: Vec<SourceFile>, loaded: Loaded, signed: Option<Signed>) -> Self {
        Self { files, loaded, signed, problem: None }
    }
}

/// What the account database has said, asked before the lock that changes take.
pub(super) struct Known {
    /// Who is behind grants and requests.
    people: People,
    /// Of whom it has not said who they are, a line each.
    unknown: Vec<String>,
    /// Whom the policy lets hold something.
    holders: Vec<Holder>,
    /// Whose account is gone, or another.
    changed: Vec<Changed>,
}

/// The host's own accounts, for names in the policy.
pub(super) struct HostAccounts;

impl Accounts for HostAccounts {
    fn group_exists(&self, group: &GroupName) -> bool {
        // A database that does not answer is no reason to refuse a name.
        accounts::group_exists(group).unwrap_or(true)
    }

    fn user_exists(&self, user: &UserName) -> bool {
        accounts::by_name(user).map_or(true, |account| account.is_some())
    }
}

/// Reads and judges the policy files.
///
/// # Errors
/// Everything that is wrong with them, as text.
pub(super) fn read(file: &Path, folder: &Path, host: &str) -> Result<Candidate, String> {
    let files = read_policy(file, folder).map_err(|error| error.to_string())?;
    judge(files, host, Some(&HostAccounts))
}

/// Judges policy text.
///
/// # Errors
/// Everything that is wrong with it, as text.
pub(super) fn judge(
    files: Vec<SourceFile>,
    host: &str,
    accounts: Option<&dyn Accounts>,
) -> Result<Candidate, String> {
    match parse(&files, host, accounts) {
        Ok(loaded) => Ok(Candidate::new(files, loaded, None)),
        Err(found) => Err(errors_of(&found)),
    }
}

/// Everything that is wrong, as text.
pub(super) fn errors_of(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|found| found.is_error());
    errors.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Engine {
    /// Loads the policy from its files and brings everything in line with it.
    ///
    /// # Errors
    /// [`Refusal`] with everything that is wrong; the policy in force stays.
    pub async fn reload(&self, actor: &str) -> Result<ReloadReport, Refusal> {
        self.load(Need::Durable, actor).await
    }

    async fn load(&self, need: Need, actor: &str) -> Result<ReloadReport, Refusal> {
        // One after the other, but not in the way of changes: the account database may be slow.
        let reloading = self.reloads.lock().await;
        let (file, folder, host) =
            (self.places.policy_file.clone(), self.places.policy_dir.clone(), self.host.clone());
        let (kept, signers) = (self.kept_policy(), self.places.signers_file.clone());
        let read = move || {
            let own = read(&file, &folder, &host)?;
            Ok(add_signed(own, kept, &signers, &host, Some(&HostAccounts)))
        };
        let read = self.lookups.ask(LIMIT, read).await;
        let candidate = match read {
            Some(Ok(candidate)) => candidate,
            Some(Err(problem)) => return Err(self.reject(problem, actor)),
            None => {
                let text = "the account database did not answer within 20 s".to_owned();
                return Err(self.reject(text, actor));
            }
        };
        match (self.try_sudo_rules(&candidate.loaded.policy).await, need) {
            (Ok(()), _) => {}
            // No rule is put in force that was not checked, so a disk that cannot be written for
            // a while is no reason to start without a policy.
            (Err(BadRules::Untried(problem)), Need::InForce) => eprintln!("stintd: {problem}"),
            (Err(BadRules::Untried(problem) | BadRules::Wrong(problem)), _) => {
                return Err(self.reject(problem, actor));
            }
        }
        let known = self.known_for(&candidate).await;
        let changing = self.changes.lock().await;
        let report = self.take(candidate, need, known, actor).await?;
        drop((changing, reloading));
        Ok(report)
    }

    fn kept_policy(&self) -> Option<Arc<SignedPolicy>> {
        self.state().remote.kept.clone()
    }

    /// Asks the account database what a policy needs to know of people.
    pub(super) async fn known_for(&self, candidate: &Candidate) -> Known {
        let (people, unknown) = self.people().await;
        let holders = self.holders(&candidate.loaded.policy).await;
        Known { people, unknown, holders, changed: self.changed_accounts().await }
    }

    fn reject(&self, problem: String, actor: &str) -> Refusal {
        let first = problem.lines().next().unwrap_or_default();
        let mut entry = Entry::new(
            self.now().wall,
            Event::PolicyRejected,
            format!("the policy was refused, the one before stays in force: {first}"),
        );
        entry.actor = Some(actor.to_owned());
        self.record.note(entry);
        self.state().policy_problem = Some(problem.clone());
        Refusal::new(ErrorCode::PolicyRejected, problem)
    }

    /// Puts a policy in force. The caller holds `reloads` and `changes`.
    pub(super) async fn take(
        &self,
        candidate: Candidate,
        need: Need,
        known: Known,
        actor: &str,
    ) -> Result<ReloadReport, Refusal> {
        let Known { people, unknown, holders, changed } = known;
        let Candidate { files, loaded: Loaded { policy, warnings }, signed, problem } = candidate;
        let policy = Arc::new(policy);
        let roles = policy.roles_here(&self.host).count();
        let text = format!(
            "the policy is in force: {}, {} held from it",
            counted(roles, "role"),
            counted(policy.grants.len(), "grant")
        );
        let mut entry = Entry::new(self.now().wall, Event::PolicyLoaded, text);
        entry.actor = Some(actor.to_owned());
        let mut writes = vec![Write::PolicyInForce(files), Write::Record(entry.clone())];
        writes.extend(signed.iter().flat_map(Signed::writes));
        match need {
            Need::Durable => self.store.change(writes).await?,
            // Without a policy every role would be gone: a full disk must not do that.
            Need::InForce => self.store_or_keep(writes).await,
        }
        self.put_in_force(&policy, signed);
        let unsigned = self.see_to_signing(policy.audit_sign).await;
        self.record.tell(&entry);
        self.not_in_force(problem.clone(), actor);
        self.changed();
        let mut ended = self.end_for_accounts(changed).await;
        ended.extend(self.end_what_rested_on_nothing(&policy).await);
        ended.extend(self.look_again(&policy, &people).await);
        let (granted, mut notes) = self.hold_from_policy(&policy, holders).await;
        self.enforce().await;
        notes.extend(unknown);
        notes.extend(unsigned);
        notes
            .extend(problem.map(|problem| format!("the signed policy is not in force: {problem}")));
        let odd = warnings.iter().filter(|found| found.severity == Severity::Warning);
        notes.extend(odd.map(|found| found.headline()));
        notes.extend(
            policy
                .past_grants(self.now().wall)
                .map(|entry| format!("{}: this grant of {} is over already", entry.at, entry.user)),
        );
        let shown = |grants: &[Grant]| -> Vec<Shown> {
            grants.iter().map(|grant| self.shown(&policy, grant)).collect()
        };
        Ok(ReloadReport {
            roles: u32::try_from(roles).unwrap_or(u32::MAX),
            granted: shown(&granted),
            ended: shown(&ended),
            warnings: notes,
            gate_mode: policy.gate.mode.to_string(),
        })
    }

    fn put_in_force(&self, policy: &Arc<Policy>, signed: Option<Signed>) {
        self.store.keep(policy.audit_keep);
        let mut state = self.state();
        state.policy = Arc::clone(policy);
        state.policy_problem = None;
        state.remote.in_force = None;
        if let Some(signed) = signed {
            signed.put(&mut state.remote);
        }
    }

    /// Ends grants whose role or entry is gone. The caller holds `changes`.
    async fn end_what_rested_on_nothing(&self, policy: &Policy) -> Vec<Grant> {
        let keys: BTreeSet<String> = policy.grants.iter().map(HeldGrant::key).collect();
        let here = |grant: &Grant| policy.role_here(&grant.role, &self.host).is_some();
        let (roleless, keyless): (Vec<GrantId>, Vec<GrantId>) = {
            let state = self.state();
            let roleless = state.index.iter().filter(|grant| !here(grant));
            let keyless = state.index.iter().filter(|grant| {
                here(grant) && grant.policy_key.as_ref().is_some_and(|key| !keys.contains(key))
            });
            (roleless.map(|g| g.id.clone()).collect(), keyless.map(|g| g.id.clone()).collect())
        };
        let mut ended =
            self.end(roleless, &Ending::policy("its role is no longer in the policy")).await;
        let why = "its entry is no longer in the policy";
        ended.extend(self.end(keyless, &Ending::policy(why)).await);
        let unlet = self.let_no_more(policy);
        let why = "this host's policy lets no signed document give it any more";
        ended.extend(self.end(unlet, &Ending::policy(why)).await);
        ended
    }

    /// At the start: the policy on disk if it is good, else the last good one. Then everything is
    /// brought in line with it, before the first answer.
    pub(super) async fn first_policy(&self, last_good: Vec<SourceFile>) {
        let Err(refusal) = self.load(Need::InForce, "stintd").await else { return };
        eprintln!("stintd: {refusal}");
        // It was good once. An account or a group that is gone since, or a database that does not
        // answer yet, must not shut every gate.
        let (kept, signers) = (self.kept_policy(), &self.places.signers_file);
        let judged = judge(last_good, &self.host, None)
            .map(|own| add_signed(own, kept, signers, &self.host, None));
        let known = match &judged {
            Ok(candidate) => Some(self.known_for(candidate).await),
            Err(_) => None,
        };
        let changing = self.changes.lock().await;
        match (judged, known) {
            (Ok(candidate), Some(known)) if !candidate.files.is_empty() => {
                let problem = self.state().policy_problem.take();
                match self.take(candidate, Need::InForce, known, "stintd").await {
                    Ok(_) => eprintln!("stintd: the last good policy is in force instead"),
                    Err(error) => eprintln!("stintd: the last good policy: {error}"),
                }
                self.state().policy_problem = problem;
            }
            _ => {
                eprintln!(
                    "stintd: there is no good policy, so no role exists and every gate is shut; \
                     mend {POLICY_FILE} and type: stint reload"
                );
                self.enforce().await;
            }
        }
        drop(changing);
    }
}
