//! `stint log`: the record, as people and programs read it.

use std::time::Duration;

use stint_policy::text::harmless;
use stint_proto::ExitStatus;

use crate::args::LogArgs;
use crate::failure::Outcome;
use crate::look::grants::Here;
use crate::look::{BAD, GOOD, HEAD, ODD, styled};
use crate::record::Source;
use crate::selection::{Recorded, Selection};
use crate::{json, out};

/// How often it is looked for more.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows what was recorded.
pub fn run(args: &LogArgs) -> Outcome {
    let here = Here::system();
    let wanted = Selection::new(&args.filter, &here)?;
    let source = Source::daemon()?;
    let mut after = i64::MIN;
    while !out::failed() {
        let (next, _) = wanted.page(&source, after, |event| {
            out::print(&if args.json {
                json::line(&event.document())
            } else {
                line(&event, &here)
            });
        })?;
        match next {
            Some(next) => after = next,
            None if args.follow && !out::broken() => source.pause(PAUSE),
            None => break,
        }
    }
    Ok(ExitStatus::Done)
}

/// One line: when, what, and the line for people.
fn line(recorded: &Recorded, here: &Here) -> String {
    let link = &recorded.link;
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
    let by = match recorded.field("STINT_ACTOR") {
        "" => String::new(),
        actor => format!(" (by {})", harmless(actor)),
    };
    let event = styled(style, &format!("{:<20}", harmless(&link.event)));
    format!("{time}  {event}  {}{by}", harmless(&link.message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::tests::example;

    fn shown(recorded: &Recorded) -> String {
        let here = Here { now: recorded.link.at, zone: jiff::tz::TimeZone::UTC };
        anstream::adapter::strip_str(&line(recorded, &here)).to_string()
    }

    #[test]
    fn an_event_is_one_line() {
        let wanted = "2026-11-23 14:03:40  grant.revoked         admin of alice is over (by root)";
        assert_eq!(shown(&example()), wanted);
    }

    #[test]
    fn what_somebody_put_there_is_harmless() {
        let mut link = example().link;
        link.message = "a\u{1b}[2J\nb".into();
        link.event = "x\r".into();
        link.fields = "{\"STINT_ACTOR\":\"\\u001b[2J\"}".into();
        let line = shown(&Recorded::from(link.clone()));
        assert!(!line.contains(char::is_control), "{line:?}");
        link.fields = "[".into();
        assert!(!json::line(&Recorded::from(link).document()).contains(char::is_control));
    }
}
