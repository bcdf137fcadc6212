//! Which events of the record somebody asked for, and each of them as a document. Reads by a
//! source; prints nothing.

use serde_json::{Map, Value, json};
use stint_proto::{Link, Timestamp};

use crate::args::FilterArgs;
use crate::failure::Failure;
use crate::look::grants::Here;
use crate::record::Source;
use crate::when;

/// One event, with its fields read.
#[derive(Debug)]
pub struct Recorded {
    /// The link of the chain.
    pub link: Link,
    /// Its fields; none where somebody has made something else of them.
    pub fields: Map<String, Value>,
}

impl From<Link> for Recorded {
    fn from(link: Link) -> Self {
        let fields = match serde_json::from_str(&link.fields) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self { link, fields }
    }
}

impl Recorded {
    /// A field; empty where it is absent.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its hash, in hexadecimal digits.
    pub fn hash(&self) -> String {
        self.link.hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// One JSON document: the fields of the record, and what stands beside them.
    pub fn document(self) -> Value {
        let hash = self.hash();
        let Self { link, mut fields } = self;
        for (name, value) in [
            ("link", json!(link.seq)),
            ("time", json!(link.at.to_string())),
            ("boot_id", json!(link.boot_id)),
            ("event", json!(link.event)),
            ("message", json!(link.message)),
            ("hash", json!(hash)),
        ] {
            fields.insert(name.to_owned(), value);
        }
        Value::Object(fields)
    }
}

/// The events that were asked for.
#[derive(Debug)]
pub struct Selection<'a> {
    args: &'a FilterArgs,
    since: Timestamp,
    until: Timestamp,
}

impl<'a> Selection<'a> {
    /// As it was typed.
    ///
    /// # Errors
    /// When a time is none, or is yet to come.
    pub fn new(args: &'a FilterArgs, here: &Here) -> Result<Self, Failure> {
        let past = |text: &Option<String>| {
            let read = text.as_deref().map(|text| when::past(text, here.now, &here.zone));
            read.transpose().map_err(Failure::usage)
        };
        let since = past(&args.since)?.unwrap_or(Timestamp(i64::MIN));
        let until = past(&args.until)?.unwrap_or(Timestamp(i64::MAX));
        Ok(Self { args, since, until })
    }

    /// Takes each of those in the next page after `after` that was asked for. Returns the last that
    /// was looked at, none where nothing is left, and the number of the last that there should be.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn page(
        &self,
        source: &Source,
        after: i64,
        mut take: impl FnMut(Recorded),
    ) -> Result<(Option<i64>, i64), Failure> {
        let page = source.page(after, self.since)?;
        for link in page.links.into_iter().filter(|link| link.at < self.until) {
            let event = Recorded::from(link);
            if self.fits(&event) {
                take(event);
            }
        }
        Ok((page.next, page.head.map_or(0, |head| head.seq)))
    }

    fn fits(&self, event: &Recorded) -> bool {
        let args = self.args;
        let any_value = |name: &String| {
            let mut values = args.fields.iter().filter(|(other, _)| other == name);
            values.any(|(_, value)| event.fields.contains_key(name) && event.field(name) == value)
        };
        args.event.as_ref().is_none_or(|name| event.link.event == *name)
            && args.user.as_ref().is_none_or(|user| event.field("STINT_USER") == user.as_str())
            && args.role.as_ref().is_none_or(|role| event.field("STINT_ROLE") == role.as_str())
            && args
                .grant
                .as_ref()
                .is_none_or(|id| event.field("STINT_GRANT").starts_with(id.as_str()))
            && args.fields.iter().all(|(name, _)| any_value(name))
    }
}

#[cfg(test)]
pub mod tests {
    use clap::Parser;

    use super::*;

    /// An event of the record.
    pub fn example() -> Recorded {
        Recorded::from(Link {
            seq: 7,
            at: "2026-11-23T14:03:40Z".parse().unwrap(),
            boot_id: "b".into(),
            event: "grant.revoked".into(),
            message: "admin of alice is over".into(),
            fields: "{\"STINT_ACTOR\":\"root\",\"STINT_EVENT\":\"grant.revoked\",\
                     \"STINT_GRANT\":\"g4t9\",\"STINT_ROLE\":\"admin\",\"STINT_UID\":\"1000\",\
                     \"STINT_USER\":\"alice\"}"
                .into(),
            hash: vec![1, 255],
        })
    }

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        filter: FilterArgs,
    }

    fn fits(line: &str) -> bool {
        let words = std::iter::once("x").chain(line.split_whitespace());
        let typed = Typed::try_parse_from(words).unwrap();
        let here = Here { now: example().link.at, zone: jiff::tz::TimeZone::UTC };
        Selection::new(&typed.filter, &here).unwrap().fits(&example())
    }

    #[test]
    fn values_of_one_field_are_alternatives_and_fields_are_all_wanted() {
        for line in [
            "",
            "--user alice --role admin --event grant.revoked --grant g4",
            "STINT_ACTOR=root",
            "STINT_ACTOR=bob STINT_ACTOR=root",
            "STINT_ACTOR=root STINT_USER=alice",
        ] {
            assert!(fits(line), "{line}");
        }
        for line in [
            "--user bob",
            "--role admi",
            "--event grant.dropped",
            "--grant 4t9",
            "STINT_ACTOR=",
            "STINT_TICKET=",
            "STINT_ACTOR=root STINT_USER=bob",
        ] {
            assert!(!fits(line), "{line}");
        }
    }

    #[test]
    fn a_match_is_a_field_of_the_record_and_a_value() {
        for wrong in ["alice", "STINT_ACTOR", "=x", "stint_actor=x", "STINT_=x", "_UID=0"] {
            let typed = Typed::try_parse_from(["x", wrong]).map(|_| ());
            let said = typed.unwrap_err().to_string();
            assert!(said.contains("such as STINT_ACTOR=bob"), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_document_has_the_fields_of_the_record() {
        let document = example().document();
        assert_eq!(document["time"], "2026-11-23T14:03:40.000Z");
        assert_eq!((&document["link"], &document["hash"]), (&json!(7), &json!("01ff")));
        assert_eq!(document["STINT_GRANT"], "g4t9");
    }
}
