//! An event of the record as one of the Open Cybersecurity Schema Framework. Nothing of it is lost:
//! what the class has no place for is in `unmapped`.

mod classes;

use serde_json::{Map, Value, json};
use stint_proto::{Event, Priority};

use self::classes::{Class, Mapping, UNKNOWN, mapping};
use crate::selection::Recorded;

/// The version of the schema: the oldest that has every class. A later one takes what it has.
const VERSION: &str = "1.3.0";

/// What a call that was refused would have used.
const BUS_NAME: &str = "org.stint.Stint1";

/// The event as a document, of the record of this host.
pub fn document(event: Recorded, host: &str) -> Value {
    let known = Event::named(&event.link.event);
    let mut mapped = known.map_or(UNKNOWN, mapping);
    let mut fields = Fields::of(&event);
    let mut document = match body(mapped.class, known, &event, &mut fields, host) {
        Some(document) => document,
        None => {
            fields = Fields::of(&event);
            mapped = Mapping { class: Class::Base, activity: 99, ..mapped };
            Object::default()
        }
    };
    let mut unmapped = Object::default().with("boot_id", event.link.boot_id.as_str());
    if mapped.class == Class::Base {
        unmapped.put("host", host);
    } else {
        document.put("device", json!({ "hostname": host, "type_id": 0 }));
        let own = (mapped.class == Class::FileActivity).then(|| "stintd".to_owned());
        let actor = fields.take("STINT_ACTOR").or(own);
        document.put_some("actor", actor.map(|name| self::actor(&name)));
    }
    document.put("metadata", metadata(&event, mapped.class, &fields));
    classify(&mut document, mapped, known);
    document.put("time", event.link.at.micros().div_euclid(1_000));
    document.put("message", event.link.message.as_str());
    document.put_some("status_detail", fields.take("STINT_DECISION"));
    document.put_some("count", fields.take_number("STINT_COUNT"));
    unmapped.0.extend(fields.rest());
    document.put("unmapped", unmapped.0);
    Value::Object(document.0)
}

/// An object that is being put together.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.put(name, value);
        self
    }

    fn with_some(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        self.put_some(name, value);
        self
    }
}

/// Class, activity, severity and status, each with its name.
fn classify(document: &mut Object, mapped: Mapping, known: Option<Event>) {
    let ((class, class_name), (category, category_name)) =
        (mapped.class.id(), mapped.class.category());
    // As loud as the journal has it.
    let (severity, severity_name) = match known.map(Event::priority) {
        None => (0, "Unknown"),
        Some(Priority::Alert) => (5, "Critical"),
        Some(Priority::Error) => (4, "High"),
        Some(Priority::Warning) => (3, "Medium"),
        Some(Priority::Notice | Priority::Info) => (1, "Informational"),
    };
    let (status, status_name) = match (mapped.class, mapped.activity, mapped.success) {
        (Class::Finding, 3, _) => (4, "Resolved"),
        (Class::Finding, ..) => (1, "New"),
        (_, 0, _) => (0, "Unknown"),
        (.., true) => (1, "Success"),
        (.., false) => (2, "Failure"),
    };
    document.put("class_uid", class);
    document.put("class_name", class_name);
    document.put("category_uid", category);
    document.put("category_name", category_name);
    document.put("activity_id", mapped.activity);
    document.put("activity_name", mapped.name);
    document.put("type_uid", class * 100 + mapped.activity);
    document.put("type_name", format!("{class_name}: {}", mapped.name));
    document.put("severity_id", severity);
    document.put("severity", severity_name);
    document.put("status_id", status);
    document.put("status", status_name);
}

/// Where the event comes from. Its hash is its identity: no other event of any host has it.
fn metadata(event: &Recorded, class: Class, fields: &Fields<'_>) -> Value {
    let product = Object::default()
        .with("name", "stint")
        .with("vendor_name", "stint")
        .with("version", env!("CARGO_PKG_VERSION"));
    let id = fields.look("STINT_GRANT").or_else(|| fields.look("STINT_REQUEST"));
    let metadata = Object::default()
        .with("version", VERSION)
        .with("product", product.0)
        .with("uid", event.hash())
        .with("sequence", event.link.seq)
        .with("event_code", event.link.event.as_str())
        .with("log_name", "stint")
        .with("log_provider", "stintd")
        .with("original_time", event.link.at.to_string())
        .with_some("correlation_uid", id)
        .with_some("profiles", (class != Class::Base).then(|| json!(["host"])));
    metadata.0.into()
}

/// What the class has beside what all have; none where the event lacks what the class needs.
fn body(
    class: Class,
    known: Option<Event>,
    event: &Recorded,
    fields: &mut Fields<'_>,
    host: &str,
) -> Option<Object> {
    let body = Object::default();
    let endpoint = json!({ "hostname": host });
    Some(match class {
        Class::Base | Class::ConfigState => body,
        Class::FileActivity => body.with("file", file(known)),
        Class::EventLog => body.with("log_name", "stint"),
        Class::AccountChange => body.with("user", user(fields)?),
        Class::Authentication => {
            let service = fields.take("STINT_SERVICE").map(|name| json!({ "name": name }));
            body.with("user", user(fields)?)
                .with("dst_endpoint", endpoint)
                .with_some("service", service)
        }
        Class::AuthorizeSession => {
            let asked = fields.take("STINT_ROLE").or_else(|| fields.take("STINT_SERVICE"));
            let privilege = asked.unwrap_or_else(|| BUS_NAME.to_owned());
            body.with("user", user(fields)?)
                .with("privileges", json!([privilege]))
                .with("dst_endpoint", endpoint)
        }
        Class::UserAccess => {
            body.with("user", user(fields)?).with("privileges", json!([fields.take("STINT_ROLE")?]))
        }
        Class::Group => body
            .with("user", user(fields)?)
            .with("group", json!({ "name": fields.take("STINT_GROUP")? })),
        Class::Entity => body
            .with("entity", entity(known?, fields)?)
            .with_some("comment", fields.take("STINT_REASON")),
        Class::Finding => {
            let whose = user(fields).map(|user| json!([Object(user).with("type", "User").0]));
            body.with("finding_info", finding(event, fields))
                .with_some("resources", whose)
                .with_some("comment", fields.take("STINT_REASON"))
        }
    })
}

fn user(fields: &mut Fields<'_>) -> Option<Map<String, Value>> {
    let user = Object::default()
        .with_some("name", fields.take("STINT_USER"))
        .with_some("uid", fields.take("STINT_UID"));
    (!user.0.is_empty()).then_some(user.0)
}

/// Who did it: an account, or a part of stint.
fn actor(name: &str) -> Value {
    match name {
        "policy" | "stintd" | "stint-sweep" => json!({ "app_name": name }),
        name => json!({ "user": { "name": name } }),
    }
}

fn file(known: Option<Event>) -> Value {
    let (folder, name) = match known {
        Some(Event::PolkitRuleWritten | Event::PolkitRuleFailed) => {
            ("/etc/polkit-1/rules.d", "40-stint.rules")
        }
        _ => ("/etc/sudoers.d", "stint"),
    };
    let path = format!("{folder}/{name}");
    json!({ "name": name, "path": path, "type_id": 1, "type": "Regular File" })
}

/// What is managed: a request, a grant that is to come, a role that is reviewed, a policy.
fn entity(known: Event, fields: &mut Fields<'_>) -> Option<Value> {
    const POLICY: &str = "/etc/stint/policy.toml";
    let (kind, id) = match known {
        Event::PolicyLoaded | Event::PolicyRejected => {
            let policy = json!({ "name": POLICY });
            return Some(json!({ "type": "Policy", "type_id": 5, "policy": policy }));
        }
        Event::SourceSynced | Event::SourceRejected | Event::SourceStale => {
            return Some(
                json!({ "type": "Policy Source", "type_id": 99, "name": "remote source" }),
            );
        }
        Event::ReviewAttested => ("Role", None),
        Event::GrantScheduled => ("Grant", Some("STINT_GRANT")),
        _ => ("Request", Some("STINT_REQUEST")),
    };
    let entity = Object::default()
        .with("type", kind)
        .with("type_id", 99)
        // Of the role that it is about.
        .with("name", fields.take("STINT_ROLE")?)
        .with_some("uid", id.and_then(|id| fields.take(id)))
        .with_some("user", user(fields));
    Some(entity.0.into())
}

/// A use of break-glass and its review are one finding.
fn finding(event: &Recorded, fields: &Fields<'_>) -> Value {
    let kind = event.link.event.split('.').next().unwrap_or_default();
    let uid = match fields.look("STINT_GRANT") {
        Some(grant) => format!("{kind}/{grant}"),
        None => event.hash(),
    };
    json!({ "uid": uid, "title": event.link.message, "types": [event.link.event] })
}

/// The fields of an event, and which of them have found their place.
struct Fields<'a> {
    all: &'a Map<String, Value>,
    taken: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    fn of(event: &'a Recorded) -> Self {
        let named = event.field("STINT_EVENT") == event.link.event;
        let taken = if named { vec!["STINT_EVENT"] } else { Vec::new() };
        Self { all: &event.fields, taken }
    }

    fn look(&self, name: &str) -> Option<&'a str> {
        self.all.get(name).and_then(Value::as_str).filter(|value| !value.is_empty())
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        let value = self.look(name)?;
        self.taken.push(name);
        Some(value.to_owned())
    }

    /// A number that stands as a text, as all fields of the record do, or as one.
    fn take_number(&mut self, name: &'static str) -> Option<Value> {
        let value = self.all.get(name)?;
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
        self.taken.push(name);
        Some(number.into())
    }

    fn rest(self) -> impl Iterator<Item = (String, Value)> {
        let Self { all, taken } = self;
        let rest = all.iter().filter(move |(name, _)| !taken.contains(&name.as_str()));
        rest.map(|(name, value)| (name.clone(), value.clone()))
    }
}

#[cfg(test)]
mod tests;
