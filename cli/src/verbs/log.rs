//! `stint log`: the record, as people and programs read it.

use std::time::Duration;

use serde_json::{Map, Value, json};
use stint_policy::text::harmless;
use stint_proto::{ExitStatus, Link, Timestamp};

use crate::args::LogArgs;
use crate::failure::{Failure, Outcome};
use crate::look::grants::Here;
use crate::look::{BAD, GOOD, HEAD, ODD, styled};
use crate::record::Source;
use crate::{out, when};

/// How often it is looked for more.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows what was recorded.
pub fn run(args: &LogArgs) -> Outcome {
    let here = Here::system();
    let past = |text: &Option<String>| {
        let read = text.as_deref().map(|text| when::past(text, here.now, &here.zone));
        read.transpose().map_err(Failure::usage)
    };
    let since = past(&args.since)?.unwrap_or(Timestamp(i64::MIN));
    let until = past(&args.until)?.unwrap_or(Timestamp(i64::MAX));
    let source = Source::daemon()?;
    let mut after = i64::MIN;
    while !out::failed() {
        let page = source.page(after, since)?;
        for link in page.links.iter().filter(|link| link.at < until) {
            let fields = link.read_fields();
            if fits(args, link, &fields) {
                out::print(&if args.json {
                    document(link, fields).to_string()
                } else {
                    line(link, &fields, &here)
                });
            }
        }
        match page.next {
            Some(next) => after = next,
            None if args.follow && !out::broken() => source.pause(PAUSE),
            None => break,
        }
    }
    Ok(ExitStatus::Done)
}

fn fits(args: &LogArgs, link: &Link, fields: &Map<String, Value>) -> bool {
    let field = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    args.event.as_ref().is_none_or(|event| link.event == *event)
        && args.user.as_ref().is_none_or(|user| field("STINT_USER") == user.as_str())
        && args.role.as_ref().is_none_or(|role| field("STINT_ROLE") == role.as_str())
        && args.grant.as_ref().is_none_or(|id| field("STINT_GRANT").starts_with(id.as_str()))
}

/// One JSON document: the fields of the record, and what stands beside them.
fn document(link: &Link, mut fields: Map<String, Value>) -> Value {
    let hash: String = link.hash.iter().map(|byte| format!("{byte:02x}")).collect();
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

/// One line: when, what, and the line for people.
fn line(link: &Link, fields: &Map<String, Value>, here: &Here) -> String {
    let time = jiff::Timestamp::from_microsecond(link.at.micros())
        .map(|time| {
            time.to_zoned_datetime(here.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        })
        .unwrap_or_else(|_| link.at.to_string());
    let style = match link.event.as_str() {
        "check.denied" | "call.denied" | "request.denied" | "audit.gap" | "break_glass.used" => BAD,
        "grant.activated" | "grant.extended" | "request.approved" => GOOD,
        event if event.ends_with(".failed") || event.ends_with(".rejected") => ODD,
        _ => HEAD,
    };
    let actor = fields.get("STINT_ACTOR").and_then(Value::as_str);
    let by = actor.map(|actor| format!(" (by {})", harmless(actor))).unwrap_or_default();
    let event = styled(style, &format!("{:<20}", harmless(&link.event)));
    format!("{time}  {event}  {}{by}", harmless(&link.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            seq: 7,
            at: "2026-11-23T14:03:40Z".parse().unwrap(),
            boot_id: "b".into(),
            event: "grant.revoked".into(),
            message: "admin of alice is over".into(),
            fields: "{\"STINT_ACTOR\":\"root\",\"STINT_GRANT\":\"g4t9\"}".into(),
            hash: vec![1, 255],
        }
    }

    fn shown(link: &Link) -> String {
        let here = Here { now: link.at, zone: jiff::tz::TimeZone::UTC };
        anstream::adapter::strip_str(&line(link, &link.read_fields(), &here)).to_string()
    }

    #[test]
    fn an_event_is_one_line() {
        let wanted = "2026-11-23 14:03:40  grant.revoked         admin of alice is over (by root)";
        assert_eq!(shown(&link()), wanted);
    }

    #[test]
    fn what_somebody_put_there_is_harmless() {
        let mut link = link();
        link.message = "a\u{1b}[2J\nb".into();
        link.event = "x\r".into();
        link.fields = "{\"STINT_ACTOR\":\"\\u001b[2J\"}".into();
        assert!(!shown(&link).contains(char::is_control), "{:?}", shown(&link));
        link.fields = "[".into();
        assert!(!document(&link, link.read_fields()).to_string().contains(char::is_control));
    }

    #[test]
    fn a_document_has_the_fields_of_the_record() {
        let link = link();
        let document = document(&link, link.read_fields());
        assert_eq!(document["time"], "2026-11-23T14:03:40.000Z");
        assert_eq!((&document["link"], &document["hash"]), (&json!(7), &json!("01ff")));
        assert_eq!(document["STINT_GRANT"], "g4t9");
    }
}
