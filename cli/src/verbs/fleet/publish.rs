//! `stint revoke --fleet`, `stint revoke HOST/ID` and `stint policy publish`: a signed document is put
//! where it belongs, and the hosts' answers are waited for.

use serde_json::{Value, json};
use stint_document::{Content, Kind, Revocation, Revoked, revocation};
use stint_policy::HostPattern;
use stint_policy::text::quoted;
use stint_proto::{ExitStatus, GrantId};

use crate::args::{Addressed, Json, Named, PublishArgs, RevokeArgs};
use crate::failure::{Failure, Outcome};
use crate::fleet::answers::{self, Answers, Heard, status};
use crate::fleet::hosts::only;
use crate::fleet::publish::{Parcel, what};
use crate::fleet::store::Store;
use crate::fleet::{self, Config, Fleet, PATIENCE};
use crate::look;
use crate::{clock, out, prompt, sign};

/// The most bytes of a document that is read from the store.
const DOCUMENT: usize = stint_document::SIZE_LIMIT;

/// Ends what somebody holds on all hosts, or one grant of another host.
pub fn revoke(args: RevokeArgs) -> Outcome {
    let reason = crate::verbs::reason(args.reason)?;
    if !args.to.hosts.is_empty() || args.to.output.is_some() {
        let text = "--hosts and -o are for a document that is written to a file: without --fleet and \
                    HOST/ID";
        return Err(Failure::usage(text));
    }
    let of_one = matches!(args.id, Some(Named::There(..)));
    if of_one == args.fleet || (args.fleet && args.user.is_none()) {
        return Err(Failure::usage("say which grants: HOST/ID, or --fleet with --user"));
    }
    let (store, key) = fleet::open(args.sign.as_deref())?;
    let (mut fleet, hosts, what) = match (args.id, args.user) {
        (Some(Named::There(host, id)), None) => {
            let (fleet, host) = Fleet::of_host(store, &host)?;
            let id = grant(&fleet, &host, &id)?;
            (fleet, host, Revoked::Grant(id))
        }
        (None, Some(user)) => (Fleet::whole(store)?, "*".to_owned(), Revoked::User(user)),
        _ => return Err(Failure::usage("say which grants: HOST/ID, or --fleet with --user")),
    };
    let hosts: HostPattern = hosts.parse().map_err(Failure::failed)?;
    let to = Addressed { hosts: vec![hosts], output: None };
    let header = sign::header(Kind::Revocation, &to, (clock::wall(), None))?;
    let text = revocation(&header, &Revocation { what, reason });
    let document = sign::document(&text, Kind::Revocation, &key)?;
    let parcel = Parcel::of(document, "", &fleet.hosts, clock::wall())?;
    deliver(&mut fleet, &parcel, args.json)
}

/// The grant of this host whose id begins like this, in full. Of a host that does not publish its grants
/// it is taken as it was typed.
fn grant<S>(fleet: &Fleet<S>, name: &str, id: &GrantId) -> Result<GrantId, Failure> {
    let host = fleet.hosts.get(name);
    match host {
        Some(host) if !host.itself.as_ref().is_some_and(|itself| itself.publishes) => {
            out::warn(&format!(
                "stint: {name} does not publish its grants; {id} is taken for the whole id"
            ));
            Ok(id.clone())
        }
        Some(host) => only(&host.grants, name, id.as_str(), "grant").map(|grant| grant.id.clone()),
        None => Err(Failure::new(ExitStatus::NoSuchId, format!("the store knows no host {name}"))),
    }
}

/// Publishes a signed document.
pub fn publish(args: &PublishArgs) -> Outcome {
    let bytes = sign::read(&args.file)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => {
            let file = args.file.file_name().unwrap_or_default().to_string_lossy();
            file.split('.').next().unwrap_or_default().to_owned()
        }
    };
    // Before the store is asked: what is no document is not published.
    stint_document::look(&bytes).map_err(|no| {
        let file = quoted(&args.file.to_string_lossy());
        Failure::failed(format!("{file} is not published: {no}"))
    })?;
    let document = String::from_utf8(bytes).map_err(Failure::failed)?;
    let mut fleet = Fleet::whole(Config::read()?.store()?)?;
    let parcel = Parcel::of(document, &name, &fleet.hosts, clock::wall())?;
    if let Content::Approval(_) = parcel.content.content {
        return Err(Failure::usage("an approval is published by  stint approve HOST/ID"));
    }
    if let Some(later) = later(&mut fleet, &parcel)? {
        out::warn(&format!("stint: {later}"));
        if !args.yes {
            if !prompt::possible() {
                return Err(Failure::usage("nothing was published; add --yes if it is meant"));
            }
            if !prompt::yes("Publish it nevertheless?")? {
                return Err(Failure::failed("nothing was published"));
            }
        }
    }
    deliver(&mut fleet, &parcel, args.json)
}

/// What is to be known where the store holds a policy in this place that is later than this one.
fn later<S: Store>(fleet: &mut Fleet<S>, parcel: &Parcel) -> Result<Option<String>, Failure> {
    let Some(serial) = parcel.content.header.serial else { return Ok(None) };
    let (_, there) = fleet.store.get(&parcel.key, DOCUMENT)?;
    let there = there.into_iter().find(|entry| entry.key == parcel.key);
    let Some(text) = there.and_then(|entry| entry.value) else { return Ok(None) };
    // What is no document there is in nobody's way.
    let there = stint_document::look(text.as_bytes()).ok();
    let there = there.and_then(|there| stint_document::read(&there, "it").ok());
    let there = there.and_then(|there| there.header.serial).filter(|there| *there > serial);
    Ok(there.map(|there| {
        format!(
            "the store holds policy {there} there, which is later than {serial}: a host that has \
             it refuses this one for ever. Sign it again for a later serial"
        )
    }))
}

fn deliver<S: Store>(fleet: &mut Fleet<S>, parcel: &Parcel, json: Json) -> Outcome {
    fleet.watch()?;
    let meant = parcel.meant(&fleet.hosts);
    let heard = answers::publish(fleet, parcel, &meant, PATIENCE)?;
    if json.json {
        out::json(&document(parcel, &heard));
    } else {
        let mut what = what(&parcel.content);
        if let Some(first) = what.get(..1).map(str::to_uppercase) {
            what.replace_range(..1, &first);
        }
        out::print(&look::fleet::answers(&what, &heard));
    }
    Ok(status(&heard))
}

fn document(parcel: &Parcel, heard: &Answers) -> Value {
    let host = |(name, heard): (&String, &Heard)| {
        let (outcome, message) = match heard {
            Heard::Answer(answer) => (answer.outcome.as_str(), Some(&answer.message)),
            Heard::Nothing => ("unanswered", None),
            Heard::Away => ("away", None),
        };
        json!({ "host": name, "outcome": outcome, "message": message })
    };
    json!({
        "kind": parcel.content.header.kind,
        "key": parcel.key,
        "digest": parcel.digest,
        "hosts": heard.iter().map(host).collect::<Value>(),
    })
}
