//! What an access review reads, and a reviewer's word. The word is recorded and shown at the next
//! review; it gives nothing and takes nothing away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stint_policy::{Principal, Role};
use stint_proto::{
    AttestOrder, Attestation, EligibleEntry, EligibleUser, ErrorCode, Event, Grant as Shown,
    GrantId, GrantState, GrantsPage, GroupName, Origin, PastApproval, ReviewWord, ReviewedGrant,
    RoleName, Timestamp, Uid, UserName,
};

use super::decide::check_text;
use super::person::{BusCaller, Person};
use super::{Engine, Refusal};
use crate::accounts;
use crate::domain::grant::Grant;
use crate::record::Entry;
use crate::store::{GrantsRead, Write};

/// How long the account database may take over all entries of the policy.
const LIMIT: Duration = Duration::from_secs(20);

/// Whom each entry names; none where there is no such account or group.
type Named = BTreeMap<Principal, Option<BTreeSet<UserName>>>;

/// What a word is of.
struct Reviewed {
    grant: Option<Grant>,
    who: Principal,
    role: RoleName,
    uid: Option<Uid>,
    mend: Option<String>,
}

impl Engine {
    /// The next grants after one, by their beginning, that had not ended at `since`.
    ///
    /// # Errors
    /// [`Refusal`] when the state cannot be read.
    pub async fn grants_since(
        &self,
        since: Timestamp,
        after: (Timestamp, String),
    ) -> Result<GrantsPage, Refusal> {
        let mut read = self.store.grants_since(since, after).await?;
        let policy = self.policy();
        let mut shown: Vec<Shown> =
            read.grants.iter().map(|grant| self.shown(&policy, grant)).collect();
        self.mark_withdrawn(&mut shown);
        let grants = std::mem::take(&mut read.grants);
        let grants = grants.into_iter().zip(shown);
        let grants = grants.map(|(grant, shown)| reviewed(grant, shown, &mut read)).collect();
        let (next_at, next_id) = read.next.unzip();
        Ok(GrantsPage { grants, next_at, next_id })
    }

    /// Who is eligible for the roles of this host, by which entry of the policy, and what reviewers
    /// said of it.
    ///
    /// # Errors
    /// [`Refusal`] when the state cannot be read.
    pub async fn eligible(&self) -> Result<Vec<EligibleEntry>, Refusal> {
        let policy = self.policy();
        let words = self.store.attested_eligibility().await?;
        let roles: Vec<&Role> = policy.roles_here(&self.host).collect();
        let entries = roles.iter().flat_map(|role| role.eligible.iter().cloned());
        let named = self.named(entries.collect()).await;
        let of = |role: &Role, entry: &Principal| {
            let said = |who: &str| words.get(&(who.to_owned(), role.name.clone())).cloned();
            let users = named.as_ref().and_then(|named| named.get(entry));
            let place = role.eligible_place(entry);
            EligibleEntry {
                role: role.name.clone(),
                break_glass: role.break_glass,
                who: entry.to_string(),
                path: place.path.clone(),
                line: place.line,
                known: users.map(Option::is_some),
                users: users
                    .cloned()
                    .flatten()
                    .unwrap_or_default()
                    .into_iter()
                    .map(|user| EligibleUser { attested: said(user.as_str()), user })
                    .collect(),
                attested: said(&entry.to_string()),
            }
        };
        Ok(roles
            .iter()
            .flat_map(|role| role.eligible.iter().map(|entry| of(role, entry)).collect::<Vec<_>>())
            .collect())
    }

    /// Whom these entries name, without those who are in a group because stint put them there;
    /// `None` where the account database does not say in time.
    async fn named(&self, entries: BTreeSet<Principal>) -> Option<Named> {
        let look = move || {
            let named = entries.into_iter().map(|entry| {
                let users = match &entry {
                    Principal::User(user) => {
                        accounts::by_name(user)?.map(|account| BTreeSet::from([account.name]))
                    }
                    Principal::Group(group) => accounts::members(group)?,
                };
                Ok((entry, users))
            });
            named.collect::<Result<Named, accounts::AccountError>>()
        };
        let mut named = self.public_lookups.ask(LIMIT, look).await?.ok()?;
        let state = self.state();
        for own in &state.owned {
            if let Some(Some(users)) = named.get_mut(&Principal::Group(own.group.clone())) {
                users.remove(&own.user);
            }
        }
        Some(named)
    }

    /// A reviewer's word on a grant, or on somebody's eligibility. It is recorded, and changes
    /// nothing else.
    ///
    /// # Errors
    /// [`Refusal`] when there is nothing of the kind, it is the caller's own, or the word could not
    /// be made durable.
    pub async fn attest(
        &self,
        order: AttestOrder,
        caller: &BusCaller,
    ) -> Result<Attestation, Refusal> {
        check_text("a note", &order.note)?;
        let person = self.person(caller).await?;
        let of = match (&order.grant, &order.who, &order.role) {
            (Some(id), None, None) => self.reviewed_grant(id).await?,
            (None, Some(who), Some(role)) => self.reviewed_eligibility(who, role).await?,
            _ => {
                let text = "say what it is about: a grant, or who is eligible and for which role";
                return Err(Refusal::new(ErrorCode::Invalid, text));
            }
        };
        if is_own(&person, &of) {
            let text = format!("{} is your own: somebody else has to review it", of.name());
            return Err(Refusal::new(ErrorCode::Refused, text));
        }
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        let word = Attestation {
            word: order.word,
            by: person.user.to_string(),
            at: self.now().wall,
            note: order.note,
            grant: of.grant.as_ref().map(|grant| grant.id.clone()),
            who: of.who.to_string(),
            role: of.role.clone(),
            mend: of.mend.clone().filter(|_| order.word == ReviewWord::Remove),
        };
        let said = self.attested(&word, &of);
        let mut writes = vec![Write::Attested(word.clone()), Write::Record(said.clone())];
        writes.extend(self.outgoing(&said, None, of.grant.as_ref()));
        self.store.change(writes).await?;
        self.changed();
        self.record.tell(&said);
        drop(changing);
        Ok(word)
    }

    fn attested(&self, word: &Attestation, of: &Reviewed) -> Entry {
        let text = format!("{} says {} of {}: {}", word.by, word.word, of.name(), word.note);
        let mut said = Entry::new(word.at, Event::ReviewAttested, text);
        match &of.who {
            Principal::User(user) => said.user = Some(user.to_string()),
            Principal::Group(group) => said.group = Some(group.clone()),
        }
        said.uid = of.uid;
        said.role = Some(of.role.clone());
        said.grant.clone_from(&word.grant);
        said.actor = Some(word.by.clone());
        said.reason = Some(word.note.clone());
        said.attested = Some(word.word);
        said
    }

    /// The grant, running or ended, whose id begins like this.
    async fn reviewed_grant(&self, id: &GrantId) -> Result<Reviewed, Refusal> {
        let mut found = self.store.grants_like(id).await?;
        let grant = match (found.pop(), found.len()) {
            (Some(grant), 0) => grant,
            (Some(_), more) => return Err(Refusal::several("grants", id, more + 1)),
            (None, _) => {
                let text = format!("no grant has the id {id}; stint list --all shows them");
                return Err(Refusal::new(ErrorCode::NoSuchId, text));
            }
        };
        let mend = match (grant.stage.state(), grant.origin) {
            (GrantState::Ended, _) => None,
            (_, Origin::Policy) => {
                let entry = "remove its [[grants]] entry from the policy, then: stint reload";
                Some(entry.to_owned())
            }
            _ => Some(format!("stint revoke {} --reason \"reviewed\"", grant.id)),
        };
        let (who, role, uid) =
            (Principal::User(grant.user.clone()), grant.role.clone(), Some(grant.uid));
        Ok(Reviewed { grant: Some(grant), who, role, uid, mend })
    }

    /// Who is eligible for a role now: an account, or an entry of the policy.
    async fn reviewed_eligibility(&self, who: &str, role: &RoleName) -> Result<Reviewed, Refusal> {
        let invalid = |text: String| Refusal::new(ErrorCode::Invalid, text);
        let named: Principal =
            who.parse().map_err(|error: stint_proto::BadName| invalid(error.to_string()))?;
        self.known(None, Some(role)).await?;
        let policy = self.policy();
        let Some(known) = policy.roles.get(role).filter(|role| role.on_host(&self.host)) else {
            return Err(invalid(format!("this host has no role {role}; stint roles shows them")));
        };
        let nobody =
            || invalid(format!("{named} is not eligible for {role}; stint review shows who is"));
        let (entry, uid) = match &named {
            Principal::Group(_) => {
                let entry = known.eligible.iter().find(|entry| **entry == named);
                (entry.ok_or_else(nobody)?, None)
            }
            Principal::User(user) => {
                let (user, uid) = self.uid_of(user.clone()).await?;
                let person = self.stands_as(user, uid).await?;
                let entry = policy.eligible_by(known, person.subject()).ok_or_else(nobody)?;
                (entry, Some(uid))
            }
        };
        let place = known.eligible_place(entry);
        let mend = if *entry == named {
            format!("take \"{entry}\" out of roles.{role}.eligible ({place}), then: stint reload")
        } else {
            let group = entry.to_string();
            let group = group.trim_start_matches('%');
            format!(
                "{named} is eligible by \"{entry}\" ({place}): take {named} out of the group \
                 {group}, or the group out of the policy"
            )
        };
        Ok(Reviewed { grant: None, who: named, role: role.clone(), uid, mend: Some(mend) })
    }
}

impl Reviewed {
    /// In words: `the grant g4t9 (admin of alice)`, `the eligibility of %leads for admin`.
    fn name(&self) -> String {
        let Self { grant, who, role, .. } = self;
        match grant {
            Some(grant) => format!("the grant {} ({role} of {who})", grant.id),
            None => format!("the eligibility of {who} for {role}"),
        }
    }
}

/// Whether it is the reviewer's own, by number, by name, or by a group they are in.
fn is_own(person: &Person, of: &Reviewed) -> bool {
    let by_group = |group: &GroupName| person.groups.contains(group);
    of.uid == Some(person.uid)
        || match &of.who {
            Principal::User(user) => *user == person.user,
            Principal::Group(group) => by_group(group),
        }
}

fn reviewed(grant: Grant, mut shown: Shown, read: &mut GrantsRead) -> ReviewedGrant {
    shown.residue = read.residues.remove(&grant.id);
    let approvals = read.approvals.remove(&grant.id).unwrap_or_default();
    let approvals = approvals.into_iter().map(|given| PastApproval {
        user: given.user,
        at: given.at,
        note: given.note,
    });
    let (reviewed_at, review_note) = grant.review.map(|review| (review.at, review.note)).unzip();
    let attested = read.attested.remove(&grant.id);
    ReviewedGrant {
        grant: shown,
        approvals: approvals.collect(),
        reviewed_at,
        review_note,
        attested,
    }
}
