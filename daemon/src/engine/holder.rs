//! What the holder of a grant, and whoever reviews it, can do about it: drop it, mark the use of a
//! break-glass role as reviewed.

use stint_proto::{
    DropOrder, ErrorCode, Event, Grant as Shown, GrantId, ListFilter, ReviewOrder, Uid,
};

use super::decide::check_text;
use super::end::Ending;
use super::person::{BusCaller, Person};
use super::residue::tell;
use super::{Engine, Refusal};
use crate::domain::grant::{Grant, Review};
use crate::domain::index::NotOne;
use crate::store::Write;

impl Engine {
    /// The holder gives back a grant before its time.
    ///
    /// # Errors
    /// [`Refusal`] when they hold none, or more than one and do not say which.
    pub async fn drop_grant(
        &self,
        order: &DropOrder,
        caller: &BusCaller,
    ) -> Result<Vec<Shown>, Refusal> {
        let by = self.called(caller.uid).await;
        let grant = match &order.id {
            Some(id) => self.own_grant(caller.uid, id)?,
            None => self.only_grant(caller.uid)?,
        };
        let ended = self.end_now(&[grant.id], &Ending::dropped(&by)).await;
        let policy = self.policy();
        Ok(ended.iter().map(|grant| self.shown(&policy, grant)).collect())
    }

    /// The running grant of this person whose id begins like this.
    pub(super) fn held_by(&self, person: &Person, id: &GrantId) -> Result<Grant, Refusal> {
        let grant = self.own_grant(person.uid, id)?;
        if grant.user == person.user { Ok(grant) } else { Err(not_held(id)) }
    }

    /// Among the caller's own grants alone: somebody else's ids are nobody's business.
    pub(super) fn own_grant(&self, uid: Uid, id: &GrantId) -> Result<Grant, Refusal> {
        let state = self.state();
        let fits = |grant: &&Grant| grant.id.as_str().starts_with(id.as_str());
        let fitting: Vec<&Grant> = state.index.of_uid(uid).filter(fits).collect();
        let exact = fitting.iter().find(|grant| grant.id == *id);
        match (exact, fitting.as_slice()) {
            (Some(grant), _) | (None, [grant]) => Ok((*grant).clone()),
            (None, []) => Err(not_held(id)),
            (None, more) => Err(Refusal::several("grants of yours", id, more.len())),
        }
    }

    fn only_grant(&self, uid: Uid) -> Result<Grant, Refusal> {
        let state = self.state();
        let held: Vec<&Grant> = state.index.of_uid(uid).collect();
        match held.as_slice() {
            [grant] => Ok((*grant).clone()),
            [] => {
                let text = "you hold nothing that could be dropped";
                Err(Refusal::new(ErrorCode::NoSuchId, text))
            }
            more => {
                let ids: Vec<String> =
                    more.iter().map(|grant| format!("{} ({})", grant.id, grant.role)).collect();
                let text = format!("say which: stint drop ID; you hold {}", ids.join(", "));
                Err(Refusal::new(ErrorCode::Invalid, text))
            }
        }
    }

    /// The uses of break-glass roles that await this caller's review, running and ended, as far as
    /// they fit the filter.
    ///
    /// # Errors
    /// [`Refusal`] when the state cannot be read, or the account database does not answer.
    pub async fn to_review(&self, filter: &ListFilter, uid: Uid) -> Result<Vec<Shown>, Refusal> {
        let Some(user) = self.name_of(uid).await else { return Ok(Vec::new()) };
        let person = self.stands_as(user, uid).await?;
        let mut used = self.store.unreviewed(None).await?;
        used.extend(self.state().index.iter().filter(|grant| grant.awaits_review()).cloned());
        used.retain(|grant| {
            filter.user.as_ref().is_none_or(|user| grant.user == *user)
                && filter.role.as_ref().is_none_or(|role| grant.role == *role)
                && self.reviews(&person, grant).is_ok()
        });
        used.sort_by_key(|grant| grant.starts_at);
        let policy = self.policy();
        let mut shown: Vec<Shown> = used.iter().map(|grant| self.shown(&policy, grant)).collect();
        let of = self.store.residues(filter.user.clone(), filter.role.clone()).await?;
        tell(&mut shown, of);
        Ok(shown)
    }

    /// Whether this caller may mark this use of a break-glass role as reviewed, before they are
    /// asked to prove themselves. Looked at again when it is marked.
    ///
    /// # Errors
    /// [`Refusal`] when it is no such use, is reviewed already, or is the caller's own.
    pub async fn may_review(&self, id: &GrantId, caller: &BusCaller) -> Result<Shown, Refusal> {
        let person = self.person(caller).await?;
        let grant = self.break_glass_grant(id).await?;
        self.reviews(&person, &grant)?;
        Ok(self.shown(&self.policy(), &grant))
    }

    /// Marks the use of a break-glass role as reviewed; its holder may use the role again.
    ///
    /// # Errors
    /// As [`Engine::may_review`], and when it could not be made durable.
    pub async fn review(&self, order: ReviewOrder, caller: &BusCaller) -> Result<Shown, Refusal> {
        check_text("a review", &order.note)?;
        let person = self.person(caller).await?;
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        let mut grant = self.break_glass_grant(&order.id).await?;
        self.reviews(&person, &grant)?;
        let (by, at) = (person.user.to_string(), self.now().wall);
        let review = Review { by: by.clone(), at, note: order.note.clone() };
        if !grant.mark_reviewed(review) {
            return Err(no_use(&grant.id));
        }
        let text = format!(
            "{by} has reviewed what {} did with {} ({}): {}",
            grant.user, grant.role, grant.id, order.note
        );
        let mut said = self.about(Event::BreakGlassReviewed, &grant, &by, text);
        said.reason = Some(order.note);
        let mut writes = vec![Write::Grant(grant.clone()), Write::Record(said.clone())];
        writes.extend(self.outgoing(&said, None, Some(&grant)));
        self.store.change(writes).await?;
        // One that has ended meanwhile is taken out again, which it is already.
        self.state().index.put(grant.clone());
        self.changed();
        self.record.tell(&said);
        drop(changing);
        Ok(self.shown(&self.policy(), &grant))
    }

    /// Refuses the holder, and who neither decides on the role nor reads the record.
    fn reviews(&self, person: &Person, grant: &Grant) -> Result<(), Refusal> {
        if person.uid == grant.uid || person.user == grant.user {
            let text = format!("{} was your own use: somebody else has to review it", grant.id);
            return Err(Refusal::new(ErrorCode::Refused, text));
        }
        let policy = self.policy();
        let role = policy.roles.get(&grant.role);
        if self.sees_all(person) || role.is_some_and(|role| Self::approves(person, role)) {
            return Ok(());
        }
        let text =
            format!("you are neither an approver of {} nor a reader of the record", grant.role);
        Err(Refusal::new(ErrorCode::Refused, text))
    }

    async fn break_glass_grant(&self, id: &GrantId) -> Result<Grant, Refusal> {
        let running = self.state().index.find(id).cloned();
        match running {
            Ok(grant) if grant.awaits_review() => Ok(grant),
            Ok(grant) => Err(no_use(&grant.id)),
            Err(NotOne::Several(count)) => Err(Refusal::several("grants", id, count)),
            Err(NotOne::None) => match self.store.unreviewed(Some(id.clone())).await?.as_slice() {
                [grant] => Ok(grant.clone()),
                [] => Err(no_use(id)),
                more => Err(Refusal::several("grants", id, more.len())),
            },
        }
    }
}

pub(super) fn not_held(id: &GrantId) -> Refusal {
    let text = format!("you hold no grant with the id {id}; stint shows what you hold");
    Refusal::new(ErrorCode::NoSuchId, text)
}

fn no_use(id: &GrantId) -> Refusal {
    let text = format!("{id} is no use of a break-glass role that awaits review");
    Refusal::new(ErrorCode::NoSuchId, text)
}
