//! What hosts write into the store, read: requests, grants, answers. Nobody is believed here. What is
//! not exactly of its form, or larger than it can be, is refused with a word, and never half taken.

use std::str::FromStr;

use serde_json::{Map, Value};
use stint_policy::text::quoted;
use stint_proto::{
    EndReason, Grant, GrantState, Length, Origin, Request, RequestState, Timestamp, Uid, words,
};

/// The most characters of a text: what a role confers is the longest.
const TEXT: usize = 32 * 1_024;
/// The most entries of a list.
const LIST: usize = 1_024;

words! {
    /// What came of a document on a host, as that host says.
    Outcome {
        /// It counts from now on.
        Taken = "taken",
        /// It counted already.
        Known = "known",
        /// The host refuses it.
        Refused = "refused",
        /// Something went wrong there; it is tried again.
        Failed = "failed",
    }
}

/// What a host says came of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What came of it.
    pub outcome: Outcome,
    /// What was done, or why not: as the host wrote it.
    pub message: String,
}

/// What a host says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Itself {
    /// The serial of the signed policy in force there.
    pub serial: Option<u64>,
    /// Whether it publishes requests and grants.
    pub publishes: bool,
}

/// Why a value is not what its key says.
pub type Unusable = String;

/// The value, which has to be a JSON object, and to say that it is of this host.
fn object(value: &str, host: &str) -> Result<Fields, Unusable> {
    let read = serde_json::from_str(value).map_err(|_| "it is no JSON".to_owned())?;
    let Value::Object(fields) = read else { return Err("it is no JSON object".to_owned()) };
    let fields = Fields(fields);
    let of = fields.text("host")?;
    if of != host {
        return Err(format!("it says that it is of {}", quoted(of)));
    }
    Ok(fields)
}

/// A request of this host, with this id.
pub fn request(value: &str, host: &str, id: &str) -> Result<Request, Unusable> {
    let fields = object(value, host)?;
    fields.is_of(id)?;
    let state: String = fields.text("state")?.to_owned();
    Ok(Request {
        id: fields.name("id")?,
        user: fields.name("user")?,
        uid: Uid(fields.number("uid")?),
        role: fields.name("role")?,
        state: RequestState::from_word(&state).ok_or_else(|| wrong("state"))?,
        duration: fields.length("duration_seconds")?,
        starts_at: fields.maybe("starts_at", Fields::time)?,
        reason: fields.text("reason")?.to_owned(),
        ticket: fields.maybe("ticket", Fields::owned)?,
        created_at: fields.time("created_at")?,
        lapses_at: fields.time("lapses_at")?,
        ended_at: fields.maybe("ended_at", Fields::time)?,
        approvals: fields.names("approvals")?,
        approvals_needed: fields.number("approvals_needed")?,
        approvers: fields.texts("approvers")?,
        grant: fields.maybe("grant", Fields::name)?,
        extends: fields.maybe("extends", Fields::name)?,
        ended_by: fields.maybe("ended_by", Fields::owned)?,
        note: fields.maybe("note", Fields::owned)?,
        confers: fields.texts("confers")?,
        digest: fields.text("digest")?.to_owned(),
    })
}

/// A grant of this host, with this id.
pub fn grant(value: &str, host: &str, id: &str) -> Result<Grant, Unusable> {
    let fields = object(value, host)?;
    fields.is_of(id)?;
    let end_reason: Option<String> = fields.maybe("end_reason", Fields::owned)?;
    let end_reason = end_reason.map(|word| EndReason::from_word(&word).ok_or(wrong("end_reason")));
    Ok(Grant {
        id: fields.name("id")?,
        user: fields.name("user")?,
        uid: Uid(fields.number("uid")?),
        role: fields.name("role")?,
        state: GrantState::from_word(fields.text("state")?).ok_or_else(|| wrong("state"))?,
        starts_at: fields.time("starts_at")?,
        expires_at: fields.time("expires_at")?,
        ended_at: fields.maybe("ended_at", Fields::time)?,
        end_reason: end_reason.transpose()?,
        origin: Origin::from_word(fields.text("origin")?).ok_or_else(|| wrong("origin"))?,
        reason: fields.text("reason")?.to_owned(),
        ticket: fields.maybe("ticket", Fields::owned)?,
        granted_by: fields.text("granted_by")?.to_owned(),
        approvals: fields.names("approvals")?,
        request: fields.maybe("request", Fields::name)?,
        reviewed_by: fields.maybe("reviewed_by", Fields::owned)?,
        services: fields.names("services")?,
        groups: fields.names("groups")?,
        polkit: Vec::new(),
        residue: None,
        without: fields.texts("without")?,
    })
}

/// What a host says of itself.
pub fn itself(value: &str, host: &str) -> Result<Itself, Unusable> {
    let fields = object(value, host)?;
    let serial = fields
        .maybe("serial", |fields, name| fields.value(name)?.as_u64().ok_or_else(|| wrong(name)))?;
    let publishes = fields.value("publishes")?.as_bool().ok_or_else(|| wrong("publishes"))?;
    Ok(Itself { serial, publishes })
}

/// What a host says came of a document. That it is of this host says its key alone.
pub fn answer(value: &str) -> Result<Answer, Unusable> {
    let read = serde_json::from_str(value).map_err(|_| "it is no JSON".to_owned())?;
    let Value::Object(fields) = read else { return Err("it is no JSON object".to_owned()) };
    let fields = Fields(fields);
    let outcome = Outcome::from_word(fields.text("outcome")?).ok_or_else(|| wrong("outcome"))?;
    Ok(Answer { outcome, message: fields.text("message")?.to_owned() })
}

/// The fields of an object, each to be of its kind.
struct Fields(Map<String, Value>);

fn wrong(name: &str) -> Unusable {
    format!("its {name} is not what it should be")
}

impl Fields {
    fn value(&self, name: &str) -> Result<&Value, Unusable> {
        self.0.get(name).ok_or_else(|| format!("it has no {name}"))
    }

    /// A field that may be null or absent.
    fn maybe<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, Unusable>,
    ) -> Result<Option<T>, Unusable> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => read(self, name).map(Some),
        }
    }

    fn text(&self, name: &str) -> Result<&str, Unusable> {
        let text = self.value(name)?.as_str().ok_or_else(|| wrong(name))?;
        if text.chars().count() > TEXT { Err(format!("its {name} is too long")) } else { Ok(text) }
    }

    fn owned(&self, name: &str) -> Result<String, Unusable> {
        self.text(name).map(str::to_owned)
    }

    fn name<T: FromStr>(&self, name: &str) -> Result<T, Unusable> {
        self.text(name)?.parse().map_err(|_| wrong(name))
    }

    fn number(&self, name: &str) -> Result<u32, Unusable> {
        let number = self.value(name)?.as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| wrong(name))
    }

    fn length(&self, name: &str) -> Result<Length, Unusable> {
        Length::from_seconds(u64::from(self.number(name)?)).ok_or_else(|| wrong(name))
    }

    fn time(&self, name: &str) -> Result<Timestamp, Unusable> {
        self.text(name)?.parse().map_err(|_| wrong(name))
    }

    fn list<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Unusable> {
        let list = self.value(name)?.as_array().ok_or_else(|| wrong(name))?;
        if list.len() > LIST {
            return Err(format!("its {name} are too many"));
        }
        let read = |item: &Value| {
            let text = item.as_str().filter(|text| text.chars().count() <= TEXT)?;
            read(text)
        };
        list.iter().map(|item| read(item).ok_or_else(|| wrong(name))).collect()
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, Unusable> {
        self.list(name, |text| Some(text.to_owned()))
    }

    fn names<T: FromStr>(&self, name: &str) -> Result<Vec<T>, Unusable> {
        self.list(name, |text| text.parse().ok())
    }

    /// It is what its key names.
    fn is_of(&self, id: &str) -> Result<(), Unusable> {
        let of = self.text("id")?;
        if of == id { Ok(()) } else { Err(format!("it says that it is {}", quoted(of))) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::look::{grants, requests};

    /// A request as its host writes it.
    fn written(request: &Request, host: &str) -> Value {
        let mut document = crate::json::request(request);
        document["host"] = host.into();
        document
    }

    #[test]
    fn what_a_host_writes_is_read_as_it_was() {
        let mut asked = requests::tests::example();
        asked.reason = "a\u{1b}[2J\n\u{202e}b".into();
        asked.ticket = Some("INC-1".into());
        asked.starts_at = Some("2026-11-23T15:00:00.250Z".parse().unwrap());
        let read = request(&written(&asked, "web-1").to_string(), "web-1", "7kq2").unwrap();
        assert_eq!(read, asked);
        let held = grants::tests::example();
        let mut document = crate::json::grant(&held);
        document["host"] = "web-1".into();
        assert_eq!(grant(&document.to_string(), "web-1", "g4t9").unwrap(), held);
        let document = json!({ "host": "web-1", "version": "1", "serial": 7, "since": "x",
            "publishes": true });
        let told = itself(&document.to_string(), "web-1").unwrap();
        assert_eq!(told, Itself { serial: Some(7), publishes: true });
        let document = json!({ "key": "k", "outcome": "refused", "message": "no", "at": "x" });
        assert_eq!(answer(&document.to_string()).unwrap().outcome, Outcome::Refused);
    }

    #[test]
    fn whatever_is_not_of_its_form_is_refused_with_a_word() {
        let good = written(&requests::tests::example(), "web-1");
        let bent = |field: &str, value: Value| {
            let mut document = good.clone();
            document[field] = value;
            request(&document.to_string(), "web-1", "7kq2").unwrap_err()
        };
        for (field, value, why) in [
            ("host", json!("web-2"), "it says that it is of \"web-2\""),
            ("id", json!("7kq3"), "it says that it is \"7kq3\""),
            ("user", json!("al ice"), "its user is not"),
            ("user", json!("\u{1b}[2J"), "its user is not"),
            ("uid", json!(-1), "its uid is not"),
            ("uid", json!(1_u64 << 40), "its uid is not"),
            ("role", json!(["admin"]), "its role is not"),
            ("state", json!("granted"), "its state is not"),
            ("duration_seconds", json!(0), "its duration_seconds is not"),
            ("created_at", json!("yesterday"), "its created_at is not"),
            ("reason", json!("x".repeat(TEXT + 1)), "its reason is too long"),
            ("approvals", json!(["bob", "%leads"]), "its approvals is not"),
            ("confers", json!([["sudo"]]), "its confers is not"),
            ("confers", json!(vec!["x"; LIST + 1]), "its confers are too many"),
            ("digest", Value::Null, "its digest is not"),
        ] {
            let told = bent(field, value);
            assert!(told.contains(why), "{field}: {told}");
        }
        for value in ["", "7", "[]", "{", "{}", "null", "\"x\""] {
            request(value, "web-1", "7kq2").unwrap_err();
            grant(value, "web-1", "7kq2").unwrap_err();
            itself(value, "web-1").unwrap_err();
            answer(value).unwrap_err();
        }
        // Nested as deep as it likes, it is refused and nothing worse.
        request(&"[".repeat(100_000), "web-1", "7kq2").unwrap_err();
    }
}
