//! The document that a hook reads: one event as JSON, with the grant and the request as `--json` of
//! the command has them. Fields may be added, none is renamed or taken away. What people typed is
//! escaped and capped as in the record, as hooks put it into mails and pages.

use serde_json::json;
use stint_proto::{Event, Grant, Request, Timestamp, json};

use crate::record::harmless;

/// The document of an event: one line, without an end of line.
#[must_use]
pub fn body(
    event: Event,
    at: Timestamp,
    host: &str,
    request: Option<&Request>,
    grant: Option<&Grant>,
    actor: &str,
    message: &str,
) -> String {
    let shown = |text: &str| harmless(text).into_owned();
    json!({
        "event": event.as_str(),
        "at": json::time(at),
        "host": harmless(host),
        "request": request.map(|request| json::request(request, &shown)),
        "grant": grant.map(|grant| json::grant(grant, &shown)),
        "actor": harmless(actor),
        "message": harmless(message),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use stint_proto::text::is_harmless;
    use stint_proto::{GrantState, Length, Origin, RequestState, Uid};

    use super::*;

    const REQUEST: &str = "id user uid role state duration_seconds starts_at reason ticket \
                           created_at approvals approvals_needed grant";
    const GRANT: &str = "id user uid role state starts_at expires_at ended_at end_reason origin \
                         reason ticket granted_by approvals";

    fn request(reason: &str) -> Request {
        Request {
            id: "7kq2".parse().unwrap(),
            user: "alice".parse().unwrap(),
            uid: Uid(1000),
            role: "admin".parse().unwrap(),
            state: RequestState::Pending,
            duration: Length::from_seconds(1800).unwrap(),
            starts_at: None,
            reason: reason.to_owned(),
            ticket: Some("INC-1\u{202e}".to_owned()),
            created_at: Timestamp::from_micros(0),
            lapses_at: Timestamp::from_micros(86_400_000_000),
            ended_at: None,
            approvals: Vec::new(),
            approvals_needed: 1,
            approvers: vec!["%leads".to_owned()],
            grant: None,
            extends: None,
            ended_by: None,
            note: None,
            confers: vec!["sudo: (root) ALL".to_owned()],
            digest: "0".to_owned(),
        }
    }

    fn grant() -> Grant {
        Grant {
            id: "g4t9".parse().unwrap(),
            user: "alice".parse().unwrap(),
            uid: Uid(1000),
            role: "admin".parse().unwrap(),
            state: GrantState::Active,
            starts_at: Timestamp::from_micros(0),
            expires_at: Timestamp::from_micros(1),
            ended_at: None,
            end_reason: None,
            origin: Origin::BreakGlass,
            reason: String::new(),
            ticket: None,
            granted_by: "policy".to_owned(),
            approvals: vec!["bob".parse().unwrap()],
            request: Some("7kq2".parse().unwrap()),
            reviewed_by: None,
            services: Vec::new(),
            groups: Vec::new(),
            polkit: Vec::new(),
            residue: None,
            without: Vec::new(),
        }
    }

    #[test]
    fn it_has_the_fields_of_the_contract() {
        let (request, grant) = (request("a disk is full"), grant());
        let at = Timestamp::from_micros(0);
        let event = Event::RequestCreated;
        let text = body(event, at, "web-1", Some(&request), Some(&grant), "alice", "asks");
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["event"], "request.created");
        assert_eq!(document["at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(
            (&document["host"], &document["actor"], &document["message"]),
            (&json!("web-1"), &json!("alice"), &json!("asks"))
        );
        for (part, fields) in [("request", REQUEST), ("grant", GRANT)] {
            for field in fields.split(' ') {
                assert!(document[part].get(field).is_some(), "{part}.{field}");
            }
        }
        assert_eq!(document["request"]["duration_seconds"], 1800);
        assert_eq!(document["request"]["state"], "pending");
        assert_eq!(document["grant"]["origin"], "break-glass");
        assert_eq!(document["request"].get("digest"), None, "nothing that an approval names");
        let alone = body(event, at, "web-1", None, None, "policy", "");
        assert_eq!(serde_json::from_str::<Value>(&alone).unwrap()["request"], Value::Null);
    }

    #[test]
    fn typed_text_is_harmless_and_one_line() {
        let hostile = format!("a\r\nBcc: all@example.org\u{1b}[2J{}", "x".repeat(65_536));
        let request = request(&hostile);
        let at = Timestamp::from_micros(0);
        let text = body(Event::RequestDenied, at, "h", Some(&request), None, "b\u{85}", &hostile);
        assert!(text.chars().all(is_harmless), "one harmless line");
        let document: Value = serde_json::from_str(&text).unwrap();
        for value in [&document["request"]["reason"], &document["message"]] {
            let value = value.as_str().unwrap();
            assert!(value.chars().all(is_harmless) && value.chars().count() < 600, "{value}");
        }
        assert_eq!(document["request"]["ticket"], "INC-1\\u{202e}");
    }
}
