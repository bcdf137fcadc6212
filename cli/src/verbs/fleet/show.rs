//! `stint pending --fleet` and `stint list --fleet`: what hosts publish. Nobody is believed: what cannot
//! be read is counted and not shown, and a request that is not what it claims is told apart.

use serde_json::{Value, json};
use stint_proto::{ExitStatus, Grant, Request, RoleName, UserName};

use crate::args::Json;
use crate::failure::Outcome;
use crate::fleet::approve::is_as_claimed;
use crate::fleet::hosts::{Host, Hosts};
use crate::look::fleet::{Of, list, notes, pending};
use crate::look::grants::Here;
use crate::look::{BAD, styled};
use crate::{fleet, json as documents, out};

/// Shows the pending requests of all hosts.
pub fn requests(args: Json) -> Outcome {
    let hosts = fleet::look()?.hosts;
    let mut all: Vec<Of<'_, Request>> = each(&hosts, |host| host.requests.values());
    all.sort_by_key(|of| (of.it.created_at, of.host.to_owned()));
    if args.json {
        let document = |of: &Of<'_, Request>| {
            let claim = [("as_claimed", is_as_claimed(of.it).into())];
            with(documents::request(of.it), of.told().into_iter().chain(claim))
        };
        out::json(&whole("requests", all.iter().map(document).collect(), &hosts));
        return Ok(ExitStatus::Done);
    }
    let here = Here::system();
    let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|of| is_as_claimed(of.it));
    if good.is_empty() {
        out::print("No request is pending on any host that publishes its own.");
    } else {
        out::print(&pending(&good, &here));
    }
    if !bad.is_empty() {
        let text = "Not to be trusted, and not to be approved: what the store shows has another \
                    digest than it claims";
        out::print(&format!("\n{}\n{}", styled(BAD, text), pending(&bad, &here)));
    }
    tell(&hosts);
    Ok(ExitStatus::Done)
}

/// Shows the grants of all hosts that are held or scheduled.
pub fn grants(user: Option<&UserName>, role: Option<&RoleName>, args: Json) -> Outcome {
    let hosts = fleet::look()?.hosts;
    let mut all: Vec<Of<'_, Grant>> = each(&hosts, |host| host.grants.values());
    all.retain(|of| {
        user.is_none_or(|user| of.it.user == *user) && role.is_none_or(|role| of.it.role == *role)
    });
    if args.json {
        let document = |of: &Of<'_, Grant>| with(documents::grant(of.it), of.told());
        out::json(&whole("grants", all.iter().map(document).collect(), &hosts));
        return Ok(ExitStatus::Done);
    }
    if all.is_empty() {
        out::print("No grants on any host that publishes its own.");
    } else {
        out::print(&list(&all, &Here::system()));
    }
    tell(&hosts);
    Ok(ExitStatus::Done)
}

fn each<'a, T: 'a, I: Iterator<Item = &'a T>>(
    hosts: &'a Hosts,
    of: impl Fn(&'a Host) -> I,
) -> Vec<Of<'a, T>> {
    let known = hosts.known();
    known
        .flat_map(|(name, host)| of(host).map(move |it| Of { host: name, away: !host.alive, it }))
        .collect()
}

/// A document with these fields besides.
fn with<'a>(mut document: Value, fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    if let Value::Object(all) = &mut document {
        all.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    document
}

impl<T> Of<'_, T> {
    /// Whose it is, for a document.
    fn told(&self) -> [(&'static str, Value); 2] {
        [("host", self.host.into()), ("away", self.away.into())]
    }
}

/// The whole document: what was asked for, every host, and how much of the store cannot be used.
fn whole(name: &str, shown: Value, hosts: &Hosts) -> Value {
    let each = hosts.known().map(|(name, host)| {
        json!({
            "host": name,
            "away": !host.alive,
            "serial": host.itself.as_ref().and_then(|itself| itself.serial),
            "publishes": host.itself.as_ref().is_some_and(|itself| itself.publishes),
        })
    });
    let each: Value = each.collect();
    let document = json!({ "hosts": each, "unusable": hosts.unusable().0 });
    with(document, [(name, shown)])
}

fn tell(hosts: &Hosts) {
    let notes = notes(hosts);
    if !notes.is_empty() {
        out::print(&format!("\n{}", notes.join("\n")));
    }
}
