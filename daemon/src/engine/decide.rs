//! Deciding on a request: an approver's yes or no, the requester's withdrawal, and time.

use stint_policy::{Policy, Role};
use stint_proto::{
    ApproveOrder, DenyOrder, ErrorCode, Event, Request as Shown, RequestId, TEXT_LIMIT, Timestamp,
    Uid,
};

use super::person::{BusCaller, Person};
use super::{Engine, Refusal};
use crate::domain::request::{Approval, NoApproval, Request};
use crate::record::Entry;
use crate::store::{TakenDocument, Write};

/// An approver's word on a request: whose, and how it came.
pub(super) struct Word {
    /// Whose.
    pub(super) person: Person,
    /// The request whose id begins like this.
    pub(super) id: RequestId,
    /// What they have to say.
    pub(super) note: Option<String>,
    /// By which signature, where it came by one.
    pub(super) signature: Option<Signature>,
}

/// That a word came as a signed document.
pub(super) struct Signature {
    /// With which key: `SHA256:…`.
    pub(super) key: String,
    /// The document, which counts once.
    pub(super) taken: TakenDocument,
}

impl Engine {
    /// Whether this caller may decide on this request, before they are asked to prove themselves:
    /// the request, if so. Looked at again when the decision is taken.
    ///
    /// # Errors
    /// [`Refusal`] when it is not pending, not theirs to decide, or their own.
    pub async fn may_decide(&self, id: &RequestId, caller: &BusCaller) -> Result<Shown, Refusal> {
        let person = self.person(caller).await?;
        let request = self.pending_request(id, |request| self.sees(&person, request)).await?;
        Self::decides(&self.policy(), &person, &request)?;
        Ok(request.shown())
    }

    /// An approver's yes. With the last one that is needed, the request is granted.
    ///
    /// # Errors
    /// [`Refusal`] when it may not be, or the grant could not be given now; then the approval does
    /// not count.
    pub async fn approve(&self, order: ApproveOrder, caller: &BusCaller) -> Result<Shown, Refusal> {
        let person = self.person(caller).await?;
        let word = Word { person, id: order.id, note: order.note, signature: None };
        let done = self.approve_by(word, &order.digest).await;
        done.map(|(request, _)| request.shown())
    }

    /// The same, however the word came: the request as it is then, and what was said.
    ///
    /// # Errors
    /// As above.
    pub(super) async fn approve_by(
        &self,
        word: Word,
        digest: &str,
    ) -> Result<(Request, String), Refusal> {
        let Word { person, id, note, signature } = word;
        let note = note.filter(|note| !note.trim().is_empty());
        if let Some(note) = &note {
            check_text("a note", note)?;
        }
        // Who they are is asked for before the turn comes: the account database may be slow.
        let seen = |request: &Request| self.sees(&person, request);
        let asked = self.pending_request(&id, seen).await?;
        let requester = self.stands_as(asked.user.clone(), asked.uid).await?;
        self.may_hold(&requester, &asked.role).await?;
        self.look_ahead().await;
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        let policy = self.policy();
        let mut request = self.pending_request(&asked.id, seen).await?;
        Self::decides(&policy, &person, &request)?;
        let key = signature.as_ref().map(|signature| signature.key.clone());
        let (user, at) = (person.user.clone(), self.now().wall);
        let approval = Approval { user, uid: person.uid, at, note: note.clone(), key };
        request.approve(approval, digest).map_err(|why| not_counted(why, &request))?;
        // Not only with the last approval: what cannot be granted shall not gather them.
        self.may_start(&policy, &request, &requester).await?;
        let text = approved_text(&person, &request, signature.as_ref(), note.as_deref());
        let said = self.about_request(
            Event::RequestApproved,
            &request,
            person.user.as_str(),
            text.clone(),
        );
        let taken = signature.map(|signature| Write::Document(signature.taken));
        if request.missing() == 0 {
            let done = self.fulfil(request, &policy, vec![said], taken).await;
            drop(changing);
            return done.map(|request| (request, text));
        }
        self.replace(&request, said, taken).await?;
        self.announce_approval(&policy, &request);
        drop(changing);
        Ok((request, text))
    }

    /// An approver's no.
    ///
    /// # Errors
    /// [`Refusal`] when it may not be, or could not be made durable.
    pub async fn deny(&self, order: DenyOrder, caller: &BusCaller) -> Result<Shown, Refusal> {
        let person = self.person(caller).await?;
        let word = Word { person, id: order.id, note: Some(order.reason), signature: None };
        let done = self.deny_by(word, None).await;
        done.map(|(request, _)| request.shown())
    }

    /// The same, however the word came; where it says so, of what was shown alone.
    ///
    /// # Errors
    /// As above.
    pub(super) async fn deny_by(
        &self,
        word: Word,
        digest: Option<&str>,
    ) -> Result<(Request, String), Refusal> {
        let Word { person, id, note, signature } = word;
        let why = note.unwrap_or_default();
        check_text("a denial", &why)?;
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        let seen = |request: &Request| self.sees(&person, request);
        let mut request = self.pending_request(&id, seen).await?;
        Self::decides(&self.policy(), &person, &request)?;
        if digest.is_some_and(|digest| digest != request.digest()) {
            return Err(not_counted(NoApproval::OtherDigest, &request));
        }
        let by = person.user.as_str();
        if !request.deny(why.clone(), self.now().wall, by) {
            return Err(is_over(&request));
        }
        let text = format!(
            "{by} denies {} for {} ({}){}: {why}",
            request.role,
            request.user,
            request.id,
            with_key(signature.as_ref())
        );
        let mut said = self.about_request(Event::RequestDenied, &request, by, text.clone());
        said.reason = Some(why);
        let taken = signature.map(|signature| Write::Document(signature.taken));
        self.replace(&request, said, taken).await?;
        self.announce_end(&request);
        drop(changing);
        Ok((request, text))
    }

    /// The requester takes it back; root may take back anybody's.
    ///
    /// # Errors
    /// [`Refusal`] when it is not pending or not the caller's, or could not be made durable.
    pub async fn cancel(&self, id: &RequestId, caller: &BusCaller) -> Result<Shown, Refusal> {
        let by = self.called(caller.uid).await;
        let changing = self.changes.lock().await;
        self.save_what_waits().await?;
        let theirs = |request: &Request| caller.uid == request.uid || caller.uid == Uid::ROOT;
        let mut request = self.pending_request(id, theirs).await?;
        if !theirs(&request) {
            return Err(no_such(id));
        }
        if !request.cancel(self.now().wall, &by) {
            return Err(is_over(&request));
        }
        let text = format!("{by} takes back the request {} for {}", request.id, request.role);
        let said = self.about_request(Event::RequestCancelled, &request, &by, text);
        self.replace(&request, said, None).await?;
        drop(changing);
        Ok(request.shown())
    }

    /// Lets requests lapse whose time is over, or that the policy has left without ground. The
    /// caller holds `changes`. What cannot be made durable is tried again with the next turn.
    pub(super) async fn lapse(&self, ids: &[RequestId], why: &str) {
        for id in ids {
            let Some(mut request) = self.state().pending.get(id).cloned() else { continue };
            if !request.lapse(why.to_owned(), self.now().wall) {
                continue;
            }
            let text = format!(
                "the request {} of {} for {} has lapsed: {why}",
                request.id, request.user, request.role
            );
            let said = self.about_request(Event::RequestLapsed, &request, "policy", text);
            let mut writes = vec![Write::Request(request.clone()), Write::Record(said.clone())];
            writes.extend(self.outgoing(&said, Some(&request), None));
            self.store_or_keep(writes).await;
            self.state().pending.put(request.clone());
            self.changed();
            self.record.tell(&said);
            self.announce_end(&request);
        }
    }

    /// Makes a request's new state durable, with what else belongs to it, then known. The caller
    /// holds `changes`.
    async fn replace(
        &self,
        request: &Request,
        said: Entry,
        with: Option<Write>,
    ) -> Result<(), Refusal> {
        let mut writes = vec![Write::Request(request.clone()), Write::Record(said.clone())];
        writes.extend(with);
        writes.extend(self.outgoing(&said, Some(request), None));
        self.store.change(writes).await?;
        self.state().pending.put(request.clone());
        self.changed();
        self.record.tell(&said);
        Ok(())
    }

    /// The pending request whose id begins like this. How one ended is told to those alone by whom
    /// it may be seen.
    async fn pending_request(
        &self,
        id: &RequestId,
        seen: impl FnOnce(&Request) -> bool,
    ) -> Result<Request, Refusal> {
        still_pending(self.request_like(id).await?, id, self.now().wall, seen)
    }

    /// Refuses who may not decide on a request: its requester, by number or by name, and who is no
    /// approver of its role.
    fn decides<'a>(
        policy: &'a Policy,
        person: &Person,
        request: &Request,
    ) -> Result<&'a Role, Refusal> {
        if person.uid == request.uid || person.user == request.user {
            let text = format!(
                "{} is your own request: somebody else has to decide on it; to take it back: \
                 stint cancel {}",
                request.id, request.id
            );
            return Err(Refusal::new(ErrorCode::Refused, text));
        }
        let role = policy.roles.get(&request.role);
        let role = role.filter(|role| Self::approves(person, role)).ok_or_else(|| {
            let who = match request.terms.approvers.as_slice() {
                [] => "nobody is".to_owned(),
                some => format!("{} may", some.join(", ")),
            };
            let text = format!("you may not decide on requests for {}: {who}", request.role);
            Refusal::new(ErrorCode::Refused, text)
        })?;
        Ok(role)
    }
}

fn with_key(signature: Option<&Signature>) -> String {
    signature.map_or_else(String::new, |signature| format!(", signed with {}", signature.key))
}

fn approved_text(
    person: &Person,
    request: &Request,
    signature: Option<&Signature>,
    note: Option<&str>,
) -> String {
    let note = note.map_or_else(String::new, |note| format!(": {note}"));
    format!(
        "{} approves {} for {} ({}), {} of {}{}{note}",
        person.user,
        request.role,
        request.user,
        request.id,
        request.approvals.len(),
        request.terms.approvals_needed,
        with_key(signature)
    )
}

fn not_counted(why: NoApproval, request: &Request) -> Refusal {
    let id = &request.id;
    let text = match why {
        NoApproval::Over => return is_over(request),
        NoApproval::Own => format!("{id} is your own request: somebody else has to decide on it"),
        NoApproval::Twice => {
            let missing = request.missing();
            format!("you have approved {id} already; it awaits {missing} more, of other people")
        }
        NoApproval::SameKey => {
            format!("another approval of {id} is signed with this key: each approver has their own")
        }
        NoApproval::OtherDigest => format!(
            "{id} is not what was shown to you: look at it again, and approve what you then see"
        ),
    };
    Refusal::new(ErrorCode::Refused, text)
}

fn still_pending(
    request: Request,
    id: &RequestId,
    now: Timestamp,
    seen: impl FnOnce(&Request) -> bool,
) -> Result<Request, Refusal> {
    match request.is_pending() && !request.is_due(now) {
        true => Ok(request),
        false if seen(&request) => Err(is_over(&request)),
        false => Err(no_such(id)),
    }
}

fn is_over(request: &Request) -> Refusal {
    let shown = request.shown();
    if request.is_pending() {
        let text = format!("the request {} is not pending any more: its time is over", shown.id);
        return Refusal::new(ErrorCode::Refused, text);
    }
    let by = shown.ended_by.map_or_else(String::new, |by| format!(" (by {by})"));
    let text = format!("the request {} is not pending: it is {}{by}", shown.id, shown.state);
    Refusal::new(ErrorCode::Refused, text)
}

pub(super) fn no_such(id: &RequestId) -> Refusal {
    let text = format!("no request has the id {id}; stint pending shows those that await approval");
    Refusal::new(ErrorCode::NoSuchId, text)
}

/// Refuses a text that is empty or longer than [`TEXT_LIMIT`].
///
/// # Errors
/// [`Refusal`] that says how long it may be.
pub(super) fn check_text(what: &str, text: &str) -> Result<(), Refusal> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > TEXT_LIMIT {
        let text = format!("{what} needs 1 to {TEXT_LIMIT} characters, this one has {length}");
        return Err(Refusal::new(ErrorCode::Invalid, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::tests::sample;

    fn refusal(request: Request, now: i64, seen: bool) -> (ErrorCode, String) {
        let id = "7k".parse().unwrap();
        let refusal = still_pending(request, &id, Timestamp::from_micros(now), |_| seen);
        let refusal = refusal.unwrap_err();
        (refusal.code, refusal.message)
    }

    #[test]
    fn how_a_request_ended_is_nobodys_business_who_may_not_see_it() {
        let mut request = sample("7kq2", 1);
        assert!(request.deny("not today".to_owned(), Timestamp::from_micros(5), "bob"));
        let nothing = no_such(&"7k".parse().unwrap());
        assert_eq!(refusal(request.clone(), 6, false), (ErrorCode::NoSuchId, nothing.message));
        let told = "the request 7kq2 is not pending: it is denied (by bob)".to_owned();
        assert_eq!(refusal(request, 6, true), (ErrorCode::Refused, told));
    }

    #[test]
    fn one_whose_time_is_over_is_not_said_to_be_pending() {
        let request = sample("7kq2", 1);
        let id = request.id.clone();
        let in_time = still_pending(request.clone(), &id, Timestamp::from_micros(999), |_| false);
        assert_eq!(in_time, Ok(request.clone()));
        let told = "the request 7kq2 is not pending any more: its time is over".to_owned();
        assert_eq!(refusal(request.clone(), 1_000, true), (ErrorCode::Refused, told));
        assert_eq!(refusal(request, 1_000, false).0, ErrorCode::NoSuchId);
    }
}
