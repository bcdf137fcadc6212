//! `stint request`.

use stint_proto::{ExitStatus, Request, RequestOrder, RequestState, RoleSummary};

use crate::args::{Asking, RequestArgs};
use crate::failure::{Failure, Outcome};
use crate::look::grants::Here;
use crate::look::requests::{made, over, stands};
use crate::waiting::{Waited, grant_of, wait};
use crate::{bus, json, out, prompt};

/// Asks for a role.
pub fn run(args: RequestArgs) -> Outcome {
    let order = order(args.asking, None)?;
    let request: Request = bus::call("Request", &order)?;
    if args.wait {
        return outcome(&wait(request, None)?, args.json.json);
    }
    asked(request, args.json.json)
}

/// Shows what has just been asked for, and is not waited for: granted at once, or made.
///
/// # Errors
/// With the daemon's own message.
pub fn asked(request: Request, as_json: bool) -> Outcome {
    if request.state != RequestState::Pending {
        return outcome(&Waited::Over(request), as_json);
    }
    if as_json {
        out::json(&json::request(&request));
    } else {
        out::print(&made(&request));
    }
    Ok(ExitStatus::Done)
}

/// What is asked for, with the words that the role needs; `known` are the roles, if they have been
/// looked up.
///
/// # Errors
/// When something is missing and nobody is there to be asked for it.
pub fn order(asking: Asking, known: Option<&[RoleSummary]>) -> Result<RequestOrder, Failure> {
    let starts_at = super::future(asking.at.as_deref(), &Here::system())?;
    let reason = asking.reason.map(super::reason).transpose()?;
    let ticket = asking.ticket.map(|ticket| super::text("ticket", ticket)).transpose()?;
    let mut order =
        RequestOrder { role: asking.role, duration: asking.duration, starts_at, reason, ticket };
    if order.reason.is_some() && order.ticket.is_some() {
        return Ok(order);
    }
    let asked: Vec<RoleSummary>;
    let roles = match known {
        Some(roles) => roles,
        None => {
            asked = bus::call("Roles", &())?;
            &asked
        }
    };
    // One that is not there, or not for them, is the daemon's to refuse.
    let role = roles.iter().find(|role| role.name == order.role && role.eligible);
    if let Some(role) = role {
        complete(&mut order, role, prompt::possible(), &mut prompt::line)?;
    }
    Ok(order)
}

/// Asks for the words that are missing.
fn complete(
    order: &mut RequestOrder,
    role: &RoleSummary,
    possible: bool,
    line: &mut dyn FnMut(&str) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let name = &role.name;
    if role.reason && order.reason.is_none() {
        if !possible {
            let text = format!("{name} needs a reason: add  --reason \"what for\"");
            return Err(Failure::usage(text));
        }
        order.reason = Some(super::reason(line(&format!("What do you need {name} for?"))?)?);
    }
    if let (Some(rule), None) = (&role.ticket, &order.ticket) {
        let rule = stint_policy::text::harmless(rule);
        if !possible {
            let text = format!("{name} needs a ticket that matches {rule}: add  --ticket TICKET");
            return Err(Failure::usage(text));
        }
        let ticket = line(&format!("Which ticket? It matches {rule}:"))?;
        if ticket.is_empty() {
            return Err(Failure::usage(format!("the ticket is empty: {name} needs one")));
        }
        order.ticket = Some(ticket);
    }
    Ok(())
}

/// Shows what a wait came to.
pub fn outcome(waited: &Waited, as_json: bool) -> Outcome {
    let here = Here::system();
    let (request, status) = match waited {
        Waited::Over(request) if request.state == RequestState::Approved => {
            (request, ExitStatus::Done)
        }
        Waited::Over(request) => (request, ExitStatus::Refused),
        Waited::Late(request) | Waited::Interrupted(request) => (request, ExitStatus::Pending),
    };
    if as_json {
        out::json(&json::request(request));
        return Ok(status);
    }
    match status {
        ExitStatus::Done => out::print(&over(request, grant_of(request)?.as_ref(), &here)),
        ExitStatus::Pending => out::warn(&format!("stint: {}", stands(request, &here))),
        _ => out::warn(&format!("stint: {}", over(request, None, &here))),
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::grants::tests::role;

    fn empty() -> RequestOrder {
        let role = "admin".parse().unwrap();
        RequestOrder { role, duration: None, starts_at: None, reason: None, ticket: None }
    }

    #[test]
    fn without_a_terminal_it_says_what_to_add() {
        let nobody = &mut |question: &str| panic!("{question}");
        let mut order = empty();
        let failure = complete(&mut order, &role(), false, nobody).unwrap_err();
        assert_eq!(failure.status, ExitStatus::Usage);
        assert_eq!(failure.message, "stint: admin needs a reason: add  --reason \"what for\"");
        order.reason = Some("x".into());
        let failure = complete(&mut order, &role(), false, nobody).unwrap_err();
        assert_eq!(
            failure.message,
            "stint: admin needs a ticket that matches ^INC-\\d+$: add  --ticket TICKET"
        );
        let role = RoleSummary { reason: false, ticket: None, ..role() };
        assert_eq!(complete(&mut empty(), &role, false, nobody), Ok(()));
    }

    #[test]
    fn on_a_terminal_it_asks_for_what_is_missing_only() {
        let mut asked = Vec::new();
        let mut order = empty();
        complete(&mut order, &role(), true, &mut |question| {
            asked.push(question.to_owned());
            Ok(if asked.len() == 1 { "disk full".into() } else { "INC-1".into() })
        })
        .unwrap();
        assert_eq!(asked, ["What do you need admin for?", "Which ticket? It matches ^INC-\\d+$:"]);
        assert_eq!(order.reason.as_deref(), Some("disk full"));
        assert_eq!(order.ticket.as_deref(), Some("INC-1"));
        let failure = complete(&mut empty(), &role(), true, &mut |_| Ok(String::new()));
        assert_eq!(failure.unwrap_err().status, ExitStatus::Usage);
    }
}
