//! A role for one command: the grant that is held, the request that is pending, or a new one; and
//! giving back what was taken.

use std::path::Path;

use stint_policy::text::harmless;
use stint_proto::{
    DropOrder, ExitStatus, Grant, GrantState, Request, RequestState, RoleName, RoleSummary, Status,
};

use crate::args::Asking;
use crate::failure::Failure;
use crate::look::grants::Here;
use crate::look::requests::{over, stands};
use crate::waiting::{Started, Waited, grant_of, look, wait, wait_for_start};
use crate::{bus, out};

/// Gives one process the groups of a grant. A program of its own, as that takes root.
pub const HELPER: &str = "/usr/libexec/stint/stint-run";

/// A grant that is held now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obtained {
    /// It.
    pub grant: Grant,
    /// Whether it is for the command alone, and given back after it.
    pub ours: bool,
}

/// Takes the caller's running grant of the role, or asks for one and waits until it is there.
///
/// # Errors
/// When the role is not to be had, or the wait was ended; then nothing stands that was not there
/// before.
pub fn obtain(asking: Asking) -> Result<Obtained, Failure> {
    let role = asking.role.clone();
    let Status { grants, requests, .. } = bus::call("Status", &())?;
    let running = |grant: &Grant| grant.role == role && grant.state == GrantState::Active;
    if let Some(grant) = grants.into_iter().find(running) {
        needs_helper(&role, !grant.groups.is_empty(), Path::new(HELPER))?;
        return Ok(Obtained { grant, ours: false });
    }
    let roles: Vec<RoleSummary> = bus::call("Roles", &())?;
    if let Some(known) = roles.iter().find(|known| known.name == role) {
        needs_helper(&role, !known.groups.is_empty(), Path::new(HELPER))?;
    }
    let pending = |request: &Request| request.role == role && request.extends.is_none();
    let (request, made) = match requests.into_iter().find(pending) {
        Some(request) => {
            out::warn(&format!("stint: {}", taken_over(&request)));
            (request, false)
        }
        None => {
            let order = crate::verbs::request::order(asking, Some(&roles))?;
            (bus::call("Request", &order)?, true)
        }
    };
    let grant = awaited(request, made)?;
    // The role may give groups only since the policy was loaded again.
    needs_helper(&role, !grant.groups.is_empty(), Path::new(HELPER)).inspect_err(|_| {
        give_back(&grant);
    })?;
    Ok(Obtained { grant, ours: true })
}

/// What is waited for, and that what was typed now does not count for it.
fn taken_over(request: &Request) -> String {
    let reason = match request.reason.as_str() {
        "" => String::new(),
        reason => format!(", \"{}\"", harmless(reason)),
    };
    let (id, role, duration) = (&request.id, &request.role, request.duration);
    format!(
        "your request {id} for {role} is pending already; waiting for it as it is: {duration}{reason}"
    )
}

/// The grant that comes of a request; one that was `made` for the command does not outlive the
/// wait for it.
fn awaited(request: Request, made: bool) -> Result<Grant, Failure> {
    let here = Here::system();
    let request = match wait(request, None)? {
        Waited::Over(request) if request.state == RequestState::Approved => request,
        Waited::Over(request) => {
            return Err(Failure::new(ExitStatus::Refused, over(&request, None, &here)));
        }
        Waited::Late(request) | Waited::Interrupted(request) if made => {
            return Err(taken_back(&request, &here));
        }
        Waited::Late(request) | Waited::Interrupted(request) => {
            return Err(Failure::new(ExitStatus::Pending, stands(&request, &here)));
        }
    };
    match wait_for_start(&request)? {
        Started::Held(grant) => Ok(grant),
        Started::Interrupted(grant) if made => Err(given_back(&grant)),
        Started::Interrupted(grant) => {
            let (role, id) = (&grant.role, &grant.id);
            let text =
                format!("{role} has not begun yet ({id}). To give it back:  stint drop {id}");
            Err(Failure::new(ExitStatus::Pending, text))
        }
    }
}

/// Takes back a request that nobody waits for any more; what came of it this moment, too.
fn taken_back(request: &Request, here: &Here) -> Failure {
    let cancelled: Result<Request, Failure> = bus::call("Cancel", &request.id);
    let failure = match cancelled {
        Ok(request) => {
            let text = format!("{}, the request for {}, is taken back", request.id, request.role);
            return Failure::new(ExitStatus::Pending, text);
        }
        Err(failure) => failure,
    };
    if failure.status != ExitStatus::Refused {
        out::warn(&failure.message);
        return Failure::new(ExitStatus::Pending, stands(request, here));
    }
    // It is not pending any more.
    let came_of_it = || {
        let now = look(&request.id)?;
        let grant = grant_of(&now)?;
        Ok::<_, Failure>((now, grant))
    };
    match came_of_it() {
        Ok((_, Some(grant))) => given_back(&grant),
        Ok((now, None)) => Failure::new(ExitStatus::Refused, over(&now, None, here)),
        Err(failure) => failure,
    }
}

fn given_back(grant: &Grant) -> Failure {
    let given = if give_back(grant) {
        format!("{} is given back ({}), and ", grant.role, grant.id)
    } else {
        String::new()
    };
    Failure::new(ExitStatus::Pending, format!("{given}nothing was run"))
}

/// Gives back what was taken for the command: whether that is done, which is said if not. Has it
/// ended meanwhile, that is as good.
pub fn give_back(grant: &Grant) -> bool {
    let order = DropOrder { id: Some(grant.id.clone()) };
    let given: Result<Vec<Grant>, Failure> = bus::call("Drop", &order);
    let Some(failure) = given.err().filter(|why| why.status != ExitStatus::NoSuchId) else {
        return true;
    };
    let (role, id) = (&grant.role, &grant.id);
    let until = Here::system().clock(grant.expires_at);
    out::warn(&failure.message);
    out::warn(&format!("stint: {role} stays yours until {until}. To end it:  stint drop {id}"));
    false
}

/// Refuses where the program is missing that a role with groups needs.
fn needs_helper(role: &RoleName, groups: bool, helper: &Path) -> Result<(), Failure> {
    if !groups || helper.exists() {
        return Ok(());
    }
    let helper = helper.display();
    let text =
        format!("{role} gives groups, and {helper}, which gives them to a command, is missing");
    Err(Failure::failed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_helper_is_said_where_it_is_needed() {
        let (role, missing) = ("containers".parse().unwrap(), Path::new("/nonexistent/stint-run"));
        assert_eq!(
            needs_helper(&role, true, missing).unwrap_err().message,
            "stint: containers gives groups, and /nonexistent/stint-run, which gives them to a \
             command, is missing"
        );
        assert_eq!(needs_helper(&role, false, missing), Ok(()));
        assert_eq!(needs_helper(&role, true, Path::new("/")), Ok(()));
    }

    #[test]
    fn what_is_taken_over_is_said_as_it_was_asked_for() {
        let mut request = crate::look::requests::tests::example();
        request.reason = "a\u{1b}[2Jb".into();
        assert_eq!(
            taken_over(&request),
            "your request 7kq2 for db-restore is pending already; waiting for it as it is: 30m, \
             \"a\\u{1b}[2Jb\""
        );
        request.reason.clear();
        assert!(taken_over(&request).ends_with("as it is: 30m"));
    }
}
