//! What a record of the kernel's audit says, as shadow-utils and libaudit write such records, so that
//! `ausearch` and every report made with it knows them. Values only.

use stint_proto::Event;

use crate::record::Entry;

/// An account was changed (linux/audit.h, libaudit's audit-records.h).
const USER_MGMT: u16 = 1102;
/// Somebody was given a role.
const ROLE_ASSIGN: u16 = 2301;
/// A role was taken from somebody.
const ROLE_REMOVE: u16 = 2302;

/// How many bytes of a value are kept. Encoded they are twice as many, and the kernel cuts a record
/// at 8,560.
const VALUE_LIMIT: usize = 512;

/// A record that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Its type.
    pub(super) kind: u16,
    /// What it says.
    pub(super) text: String,
}

/// The record for this event; none for what is no grant, no end, and no membership.
pub(super) fn of(entry: &Entry, exe: &str) -> Option<Message> {
    let (kind, op) = match entry.event {
        Event::GrantActivated => (ROLE_ASSIGN, "assign-role"),
        Event::GrantExpired | Event::GrantRevoked | Event::GrantDropped => {
            (ROLE_REMOVE, "remove-role")
        }
        Event::GroupAdded => (USER_MGMT, "add-user-to-group"),
        Event::GroupRemoved => (USER_MGMT, "delete-user-from-group"),
        _ => return None,
    };
    let mut text = format!("op={op}");
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!(" {name}={}", encoded(value)));
        }
    };
    // What people typed comes after the account, which is searched for by its name alone.
    put("grp", entry.group.as_ref().map(|group| group.as_str()));
    put("acct", entry.user.as_deref());
    put("role", entry.role.as_ref().map(|role| role.as_str()));
    put("grant", entry.grant.as_ref().map(|grant| grant.as_str()));
    put("actor", entry.actor.as_deref());
    put("reason", entry.reason.as_deref());
    put("ticket", entry.ticket.as_deref());
    put("exe", Some(exe));
    text.push_str(" hostname=? addr=? terminal=? res=success");
    Some(Message { kind, text })
}

/// A value as audit has those that nobody vouches for: in quotes where it is plain, else its bytes
/// as hexadecimal digits. Plain is less than what libaudit takes for it: what a search could take for
/// a field of its own is encoded too.
fn encoded(value: &str) -> String {
    let mut cut = VALUE_LIMIT.min(value.len());
    while !value.is_char_boundary(cut) {
        cut -= 1;
    }
    let value = value.get(..cut).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+,".contains(c);
    if value.chars().all(is_plain) {
        return format!("\"{value}\"");
    }
    value.bytes().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use stint_proto::{Timestamp, Uid};

    use super::*;

    fn grant(event: Event, reason: &str) -> Entry {
        let mut entry = Entry::new(Timestamp::from_micros(0), event, "for people".to_owned());
        entry = entry.about(&"alice".parse().unwrap(), Uid(1000));
        entry.role = Some("admin".parse().unwrap());
        entry.grant = Some("g4t9".parse().unwrap());
        entry.actor = Some("bob".to_owned());
        entry.reason = Some(reason.to_owned());
        entry
    }

    fn text(entry: &Entry) -> String {
        of(entry, "/usr/sbin/stintd").map(|message| message.text).unwrap_or_default()
    }

    #[test]
    fn a_membership_is_written_as_shadow_utils_does() {
        let mut entry = Entry::new(Timestamp::from_micros(0), Event::GroupAdded, String::new());
        entry.user = Some("alice".to_owned());
        entry.group = Some("docker".parse().unwrap());
        let message = of(&entry, "/usr/sbin/stintd").unwrap();
        assert_eq!(message.kind, 1102);
        assert_eq!(
            message.text,
            "op=add-user-to-group grp=\"docker\" acct=\"alice\" exe=\"/usr/sbin/stintd\" hostname=? \
             addr=? terminal=? res=success"
        );
        entry.event = Event::GroupRemoved;
        assert!(
            text(&entry).starts_with("op=delete-user-from-group grp=\"docker\" acct=\"alice\"")
        );
    }

    #[test]
    fn a_grant_is_a_role_that_is_assigned_and_removed() {
        let begun = of(&grant(Event::GrantActivated, "CHG-4711"), "/usr/sbin/stintd").unwrap();
        assert_eq!(begun.kind, 2301);
        assert_eq!(
            begun.text,
            "op=assign-role acct=\"alice\" role=\"admin\" grant=\"g4t9\" actor=\"bob\" \
             reason=\"CHG-4711\" exe=\"/usr/sbin/stintd\" hostname=? addr=? terminal=? res=success"
        );
        for event in [Event::GrantExpired, Event::GrantRevoked, Event::GrantDropped] {
            assert_eq!(of(&grant(event, "x"), "x").unwrap().kind, 2302);
        }
        assert_eq!(of(&grant(Event::CheckAllowed, "x"), "x"), None);
        assert_eq!(of(&grant(Event::GrantScheduled, "x"), "x"), None);
    }

    #[test]
    fn what_somebody_typed_is_no_field_of_its_own() {
        for reason in ["acct=root", "x acct=\"root\"", "x' res=failed", "a\nb", "ä", "\u{7f}"] {
            let text = text(&grant(Event::GrantActivated, reason));
            assert_eq!(text.matches("acct=").count(), 1, "{text}");
            assert_eq!(text.matches("res=").count(), 1, "{text}");
            assert!(text.is_ascii() && !text.contains(['\'', '\n']), "{text}");
        }
        let told = text(&grant(Event::GrantActivated, "disk full"));
        assert!(told.contains(" reason=6469736B2066756C6C "), "{told}");
    }

    #[test]
    fn the_longest_record_is_not_cut_by_the_kernel() {
        let mut entry = grant(Event::GrantActivated, &"ä ".repeat(5_000));
        entry.ticket = Some("€\n".repeat(5_000));
        entry.actor = Some("\u{1}".repeat(5_000));
        assert!(text(&entry).len() < 8_560, "{}", text(&entry).len());
        assert!(text(&entry).ends_with(" res=success"));
    }
}
