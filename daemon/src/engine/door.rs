//! Asking at the door itself: the module's `prompt`. The person was denied, was asked what for, and
//! the module brings the answer.

use stint_proto::{
    CheckAnswer, DoorRequest, ErrorCode, RequestOrder, RoleName, ServiceName, Verdict,
};

use super::check::Peer;
use super::{Engine, Refusal};
use crate::domain::gate::{Subject, awaited};
use crate::domain::request::Request;

impl Engine {
    /// Asks for a role in the name of who stands at the door. They are let in if what they asked
    /// for is granted at once and opens this door; otherwise they are told what it came to.
    pub async fn request_at_door(&self, peer: Peer, asked: DoorRequest) -> CheckAnswer {
        let items = asked.items.clone();
        let items = &items;
        let (subject, service) = match self.who(peer, items).await {
            Ok(known) => known,
            Err(unclear) => return self.refuse_unclear(peer, items, &unclear),
        };
        match self.ask_at_door(peer, &subject, &service, asked).await {
            Ok(request) if request.is_pending() => denied(vec![
                format!(
                    "your request {} for {} awaits {}.",
                    request.id,
                    request.role,
                    awaited(request.missing(), &request.terms.approvers)
                ),
                format!("wait for it:  stint wait {}", request.id),
            ]),
            Ok(_) => self.check(peer, items).await,
            Err(refusal) => denied(refusal.message.lines().map(str::to_owned).collect()),
        }
    }

    async fn ask_at_door(
        &self,
        peer: Peer,
        subject: &Subject,
        service: &ServiceName,
        asked: DoorRequest,
    ) -> Result<Request, Refusal> {
        let invalid = |text: String| Refusal::new(ErrorCode::Invalid, text);
        let role: RoleName = asked.role.parse().map_err(|error| invalid(format!("{error}")))?;
        self.acts_as_itself(subject.uid, peer.pid).await?;
        if !self.is_own_name(subject).await {
            return Err(invalid(format!(
                "uid {} is not {}'s alone, so nothing can be asked for",
                subject.uid, subject.user
            )));
        }
        let policy = self.policy();
        if !policy.roles.get(&role).is_some_and(|role| role.opens(service)) {
            return Err(invalid(format!("{role} does not open {service}")));
        }
        let person = self.stands_as(subject.user.clone(), subject.uid).await?;
        let said = |text: String| Some(text).filter(|text| !text.trim().is_empty());
        let order = RequestOrder {
            role,
            duration: None,
            starts_at: None,
            reason: said(asked.reason),
            ticket: said(asked.ticket),
        };
        self.ask_for(&order, &person).await
    }
}

fn denied(lines: Vec<String>) -> CheckAnswer {
    let lines = lines.into_iter().take(3).map(|line| format!("stint: {line}")).collect();
    CheckAnswer { verdict: Verdict::Deny, lines, offers: Vec::new() }
}
