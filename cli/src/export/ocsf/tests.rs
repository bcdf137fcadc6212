//! What is exported, held against the schema.

use std::collections::HashSet;

use stint_proto::Link;

use super::*;

/// What OCSF 1.3.0 (github.com/ocsf/ocsf-schema, tag 1.3.0: events/ and objects/) asks of a class.
struct Schema {
    class: u32,
    name: &'static str,
    /// The numbers of its activities, beside 0 and 99, which all have.
    activities: std::ops::Range<u64>,
    /// What must be there, beside [`ALWAYS`].
    required: &'static [&'static str],
    /// Of these, one at least.
    one_of: &'static [&'static str],
    /// What may be there, beside these and [`MAY`].
    may: &'static [&'static str],
}

/// Required in every class.
const ALWAYS: &[&str] =
    &["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"];

/// Known in every class.
const MAY: &[&str] = &[
    "activity_name",
    "category_name",
    "class_name",
    "count",
    "message",
    "severity",
    "status",
    "status_detail",
    "status_id",
    "type_name",
    "unmapped",
];

/// Of the profile `host`, where a class has it.
const HOST: &[&str] = &["actor", "device"];

const SCHEMA: &[Schema] = &[
    Schema { class: 0, name: "Base Event", activities: 1..1, required: &[], one_of: &[], may: &[] },
    Schema {
        class: 1001,
        name: "File System Activity",
        activities: 1..15,
        required: &["actor", "device", "file"],
        one_of: &[],
        may: &[],
    },
    Schema {
        class: 1008,
        name: "Event Log Activity",
        activities: 1..11,
        required: &[],
        one_of: &["log_file", "log_name", "log_provider", "log_type", "log_type_id"],
        may: HOST,
    },
    Schema {
        class: 2004,
        name: "Detection Finding",
        activities: 1..4,
        required: &["finding_info"],
        one_of: &[],
        may: &["actor", "comment", "device", "resources"],
    },
    Schema {
        class: 3001,
        name: "Account Change",
        activities: 1..12,
        required: &["user"],
        one_of: &[],
        may: HOST,
    },
    Schema {
        class: 3002,
        name: "Authentication",
        activities: 1..7,
        required: &["user"],
        one_of: &["service", "dst_endpoint"],
        may: HOST,
    },
    Schema {
        class: 3003,
        name: "Authorize Session",
        activities: 1..3,
        required: &["user"],
        // And not both of them.
        one_of: &["privileges", "group"],
        may: &["actor", "device", "dst_endpoint"],
    },
    Schema {
        class: 3004,
        name: "Entity Management",
        activities: 1..14,
        required: &["entity"],
        one_of: &[],
        may: &["actor", "comment", "device"],
    },
    Schema {
        class: 3005,
        name: "User Access Management",
        activities: 1..3,
        required: &["privileges", "user"],
        one_of: &[],
        may: HOST,
    },
    Schema {
        class: 3006,
        name: "Group Management",
        activities: 1..7,
        required: &["group"],
        one_of: &["privileges", "user"],
        may: HOST,
    },
    Schema {
        class: 5019,
        name: "Device Config State Change",
        activities: 1..3,
        required: &["device"],
        one_of: &[],
        may: HOST,
    },
];

/// Objects: what each must have, and of what it must have one.
const OBJECTS: &[(&str, &[&str], &[&str])] = &[
    ("metadata", &["product", "version"], &[]),
    ("product", &["vendor_name"], &["name", "uid"]),
    ("device", &["type_id"], &["ip", "uid", "name", "hostname"]),
    ("actor", &[], &["process", "user", "session", "app_name", "app_uid"]),
    ("user", &[], &["account", "name", "uid"]),
    ("group", &[], &["name", "uid"]),
    ("entity", &[], &["name", "uid", "device", "group", "org", "policy", "user"]),
    ("policy", &[], &["name", "uid"]),
    ("service", &[], &["name", "uid"]),
    ("dst_endpoint", &[], &["ip", "uid", "name", "hostname"]),
    ("file", &["name", "type_id"], &[]),
    ("finding_info", &["title", "uid"], &[]),
];

/// Holds a document against the schema.
fn assert_valid(document: &Value) {
    let class = document["class_uid"].as_u64().unwrap();
    let schema = SCHEMA.iter().find(|schema| u64::from(schema.class) == class).unwrap();
    assert_eq!(document["class_name"], schema.name, "{document}");
    assert_eq!(document["category_uid"], class / 1_000, "{document}");
    let activity = document["activity_id"].as_u64().unwrap();
    assert!([0, 99].contains(&activity) || schema.activities.contains(&activity), "{document}");
    assert_eq!(document["type_uid"], class * 100 + activity, "{document}");
    for name in ALWAYS.iter().chain(schema.required) {
        assert!(document.get(name).is_some(), "{name} is missing: {document}");
    }
    let some = schema.one_of.iter().filter(|name| document.get(name).is_some()).count();
    assert!(schema.one_of.is_empty() || some >= 1, "{document}");
    assert!(class != 3003 || some == 1, "{document}");
    let known: HashSet<_> =
        [ALWAYS, MAY, schema.required, schema.one_of, schema.may].concat().into_iter().collect();
    for name in document.as_object().unwrap().keys() {
        assert!(known.contains(name.as_str()), "{name} is unknown to {class}: {document}");
    }
    for name in ["activity_name", "class_name", "severity", "status", "type_name"] {
        assert!(document[name].as_str().is_some_and(|name| !name.is_empty()), "{document}");
    }
    assert!(document["privileges"].as_array().is_none_or(|all| all.iter().all(Value::is_string)));
    objects(document);
}

fn objects(value: &Value) {
    for (name, inner) in value.as_object().into_iter().flatten() {
        if name == "unmapped" {
            continue;
        }
        if let Some((_, required, one_of)) = OBJECTS.iter().find(|(other, ..)| other == name) {
            let has = |key: &&&str| inner.get(**key).is_some_and(|value| !value.is_null());
            assert!(required.iter().all(|key| has(&key)), "{name}: {inner}");
            assert!(one_of.is_empty() || one_of.iter().any(|key| has(&key)), "{name}: {inner}");
        }
        objects(inner);
    }
}

/// An event with these fields.
fn event(name: &str, fields: &[(&str, &str)]) -> Recorded {
    let mut all: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    all.insert("STINT_EVENT".to_owned(), name.into());
    Recorded::from(Link {
        seq: 7,
        at: "2026-11-23T14:03:40.123Z".parse().unwrap(),
        boot_id: "b".into(),
        event: name.into(),
        message: "what happened".into(),
        fields: Value::Object(all).to_string(),
        hash: vec![1, 255],
    })
}

const ALL: &[(&str, &str)] = &[
    ("STINT_DECISION", "denied"),
    ("STINT_USER", "alice"),
    ("STINT_UID", "1000"),
    ("STINT_ROLE", "admin"),
    ("STINT_GRANT", "g4t9"),
    ("STINT_REQUEST", "7kq2"),
    ("STINT_GROUP", "docker"),
    ("STINT_ACTOR", "bob"),
    ("STINT_SERVICE", "sudo"),
    ("STINT_REASON", "disk full"),
    ("STINT_TICKET", "CHG-1"),
    ("STINT_COUNT", "12"),
    ("STINT_NEW", "what is to come"),
];

#[test]
fn every_event_is_valid_with_all_fields_and_with_none() {
    for known in Event::ALL {
        let full = document(event(known.as_str(), ALL), "web-1");
        assert_valid(&full);
        assert_ne!(full["class_uid"], 0, "{known} has no class");
        for fields in [&[][..], &[("STINT_USER", "")], &[("STINT_UID", "1000")]] {
            assert_valid(&document(event(known.as_str(), fields), "web-1"));
        }
        // Each alone is missing in its turn.
        for left_out in ALL {
            let fields: Vec<_> = ALL.iter().filter(|field| *field != left_out).copied().collect();
            assert_valid(&document(event(known.as_str(), &fields), "web-1"));
        }
    }
}

#[test]
fn nothing_of_an_event_is_lost() {
    for known in Event::ALL {
        let text = document(event(known.as_str(), ALL), "web-1").to_string();
        for (name, value) in ALL {
            let shown = if *name == "STINT_COUNT" { "\"count\":12" } else { value };
            assert!(text.contains(shown), "{known} lost {name}: {text}");
        }
        for part in ["01ff", "\"sequence\":7", "\"boot_id\":\"b\"", "web-1", known.as_str()] {
            assert!(text.contains(part), "{known} lost {part}: {text}");
        }
    }
}

#[test]
fn a_denial_reads_as_one() {
    let fields = &[
        ("STINT_DECISION", "denied"),
        ("STINT_USER", "alice"),
        ("STINT_UID", "1000"),
        ("STINT_SERVICE", "sudo"),
        ("STINT_COUNT", "3"),
    ];
    let wanted = json!({
        "activity_id": 1,
        "activity_name": "Assign Privileges",
        "category_name": "Identity & Access Management",
        "category_uid": 3,
        "class_name": "Authorize Session",
        "class_uid": 3003,
        "count": 3,
        "device": { "hostname": "web-1", "type_id": 0 },
        "dst_endpoint": { "hostname": "web-1" },
        "message": "what happened",
        "metadata": {
            "event_code": "check.denied",
            "log_name": "stint",
            "log_provider": "stintd",
            "original_time": "2026-11-23T14:03:40.123Z",
            "product": {
                "name": "stint", "vendor_name": "stint", "version": env!("CARGO_PKG_VERSION")
            },
            "profiles": ["host"],
            "sequence": 7,
            "uid": "01ff",
            "version": "1.3.0",
        },
        "privileges": ["sudo"],
        "severity": "Medium",
        "severity_id": 3,
        "status": "Failure",
        "status_detail": "denied",
        "status_id": 2,
        "time": 1_795_442_620_123_i64,
        "type_name": "Authorize Session: Assign Privileges",
        "type_uid": 300_301,
        "unmapped": { "boot_id": "b" },
        "user": { "name": "alice", "uid": "1000" },
    });
    assert_eq!(document(event("check.denied", fields), "web-1"), wanted);
}

#[test]
fn a_grants_events_belong_together_and_say_who_did_it() {
    let given = document(event("grant.activated", ALL), "web-1");
    let over = document(event("grant.expired", &ALL[1..]), "web-1");
    for event in [&given, &over] {
        assert_eq!(event["metadata"]["correlation_uid"], "g4t9");
        assert_eq!(event["privileges"], json!(["admin"]));
        assert_eq!(event["actor"]["user"]["name"], "bob");
        assert_eq!(event["unmapped"]["STINT_TICKET"], "CHG-1");
    }
    assert_eq!((&given["activity_id"], &over["activity_id"]), (&json!(1), &json!(2)));
    let clock = document(event("grant.expired", &[("STINT_ACTOR", "stintd")]), "web-1");
    // Without a user and a role it is no privilege that went; nothing is made up.
    assert_eq!((&clock["class_uid"], &clock["type_uid"]), (&json!(0), &json!(99)));
    assert_eq!(clock["unmapped"]["STINT_ACTOR"], "stintd");
    let used = document(event("break_glass.used", ALL), "web-1");
    let reviewed = document(event("break_glass.reviewed", ALL), "web-1");
    assert_eq!(used["finding_info"]["uid"], reviewed["finding_info"]["uid"]);
    assert_eq!((&used["status"], &reviewed["status"]), (&json!("New"), &json!("Resolved")));
    assert_eq!(used["severity"], "Critical");
}

#[test]
fn an_event_that_nobody_knows_is_a_base_event() {
    let mut odd = event("coffee.ready", ALL);
    odd.fields.insert("STINT_EVENT".into(), "tea.ready".into());
    let odd = document(odd, "web-1");
    assert_valid(&odd);
    assert_eq!((&odd["class_uid"], &odd["activity_id"]), (&json!(0), &json!(0)));
    assert_eq!(odd["metadata"]["event_code"], "coffee.ready");
    assert_eq!(odd["unmapped"]["STINT_EVENT"], "tea.ready");
}

#[test]
fn the_documents_table_is_this_one() {
    let text = include_str!("../../../../docs/export.md");
    let rows: HashSet<&str> = text.lines().collect();
    for known in Event::ALL {
        let mapped = mapping(*known);
        let (class, name) = mapped.class.id();
        let status = if mapped.success { "" } else { ", failure" };
        let row = format!(
            "| `{known}` | {name} ({class}) | {} {}{status} |",
            mapped.activity, mapped.name
        );
        assert!(rows.contains(row.as_str()), "docs/export.md lacks this row:\n{row}");
    }
}
