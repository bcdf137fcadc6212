//! One event of the record, as a value: what happened, to whom, by whom, and one line for people.

use std::borrow::Cow;

use stint_policy::text::is_harmless;
use stint_proto::{
    Decision, Event, GrantId, GroupName, RequestId, ReviewWord, RoleName, TEXT_LIMIT, Timestamp,
    Uid, UserName,
};

/// One event. Fields that do not apply stay `None` and are left out of the record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
    /// What it decided.
    pub decision: Option<Decision>,
    /// To whom, by name as it was said; escaped where it is written.
    pub user: Option<String>,
    /// To whom, by number as the kernel says.
    pub uid: Option<Uid>,
    /// Which role.
    pub role: Option<RoleName>,
    /// Which grant.
    pub grant: Option<GrantId>,
    /// Which request.
    pub request: Option<RequestId>,
    /// Which group.
    pub group: Option<GroupName>,
    /// By whom.
    pub actor: Option<String>,
    /// At which door.
    pub service: Option<String>,
    /// What for, as typed.
    pub reason: Option<String>,
    /// The ticket it refers to, as typed.
    pub ticket: Option<String>,
    /// What a reviewer said of it.
    pub attested: Option<ReviewWord>,
    /// Of which link of the record's chain it tells.
    pub checkpoint: Option<stint_record::Checkpoint>,
    /// Which links of the chain were cut off, the last of which is the checkpoint's.
    pub cut: Option<Cut>,
    /// A checkpoint's signature.
    pub signed: Option<Signed>,
    /// How many it stands for, where it is not one.
    pub repeated: Option<Repeated>,
    /// One line for people.
    pub message: String,
}

/// That an event stands for many of the same, the last of which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// How many.
    pub count: u64,
    /// When the first of them was.
    pub since: Timestamp,
}

/// A signature of a checkpoint, with what of the signed text is no field otherwise; its time is the
/// event's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The host that signed it.
    pub host: String,
    /// What stands between the lines of an SSH signature, in one line.
    pub signature: String,
}

/// Links that were cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first of them.
    pub first: i64,
    /// When the first had been recorded.
    pub since: Timestamp,
    /// When the last had been.
    pub until: Timestamp,
}

impl Entry {
    /// An event with nothing but its line.
    #[must_use]
    pub fn new(at: Timestamp, event: Event, message: String) -> Self {
        Self {
            at,
            event,
            decision: None,
            user: None,
            uid: None,
            role: None,
            grant: None,
            request: None,
            group: None,
            actor: None,
            service: None,
            reason: None,
            ticket: None,
            attested: None,
            checkpoint: None,
            cut: None,
            signed: None,
            repeated: None,
            message,
        }
    }

    /// About this account.
    #[must_use]
    pub fn about(mut self, user: &UserName, uid: Uid) -> Self {
        self.user = Some(user.to_string());
        self.uid = Some(uid);
        self
    }

    /// The fields under the names that the journal, syslog and the state share, each value escaped
    /// and capped: whatever people typed, one event stays one harmless record.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::with_capacity(8);
        self.each_field(|name, value| fields.push((name, value.to_owned())));
        fields
    }

    /// The same, one after the other.
    pub fn each_field(&self, mut take: impl FnMut(&'static str, &str)) {
        let mut put = |name, value: Option<&str>| {
            if let Some(value) = value {
                take(name, &harmless(value));
            }
        };
        put("STINT_EVENT", Some(self.event.as_str()));
        put("STINT_DECISION", self.decision.map(Decision::as_str));
        put("STINT_USER", self.user.as_deref());
        put("STINT_UID", self.uid.map(|uid| uid.to_string()).as_deref());
        put("STINT_ROLE", self.role.as_ref().map(RoleName::as_str));
        put("STINT_GRANT", self.grant.as_ref().map(GrantId::as_str));
        put("STINT_REQUEST", self.request.as_ref().map(RequestId::as_str));
        put("STINT_GROUP", self.group.as_ref().map(GroupName::as_str));
        put("STINT_ACTOR", self.actor.as_deref());
        put("STINT_SERVICE", self.service.as_deref());
        put("STINT_REASON", self.reason.as_deref());
        put("STINT_TICKET", self.ticket.as_deref());
        put("STINT_ATTESTED", self.attested.map(ReviewWord::as_str));
        put("STINT_LINK", self.checkpoint.map(|link| link.seq.to_string()).as_deref());
        put("STINT_HASH", self.checkpoint.map(|link| stint_record::hex(&link.hash)).as_deref());
        put("STINT_FIRST", self.cut.map(|cut| cut.first.to_string()).as_deref());
        put("STINT_COUNT", self.repeated.map(|repeated| repeated.count.to_string()).as_deref());
        let since = self.repeated.map(|repeated| repeated.since);
        let since = since.or(self.cut.map(|cut| cut.since));
        put("STINT_SINCE", since.map(|at| at.to_string()).as_deref());
        put("STINT_UNTIL", self.cut.map(|cut| cut.until.to_string()).as_deref());
        if let Some(Signed { host, signature }) = &self.signed {
            put("STINT_HOST", Some(host));
            put("STINT_TIME", Some(&self.at.to_string()));
            put("STINT_SIGNATURE", Some(signature));
        }
    }
}

/// A number of things, in words: `1 role`, `2 roles`.
#[must_use]
pub fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// The text with everything taken out that could forge a record or move a terminal's cursor:
/// control characters, line ends of every kind, and marks that turn the direction of writing are
/// escaped (`\u{202e}`); what is longer than [`TEXT_LIMIT`] characters is cut, and says so.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\';
    // Most texts are so; and so many bytes are as many characters.
    if text.len() <= TEXT_LIMIT && text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (count, letter) in text.chars().enumerate() {
        if count == TEXT_LIMIT {
            out.push_str("… (cut)");
            break;
        }
        if !is_harmless(letter) {
            out.extend(letter.escape_unicode());
        } else if letter == '\\' {
            out.push_str("\\\\");
        } else {
            out.push(letter);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_one_harmless_line() {
        let hostile = "a\nSTINT_EVENT=check.allowed\r\u{1b}[2J\u{202e}b\u{2028}c\u{85}d\0";
        let text = harmless(hostile);
        assert!(text.chars().all(is_harmless), "{text:?}");
        assert!(text.starts_with("a\\u{a}STINT_EVENT"));
    }

    #[test]
    fn what_is_harmless_is_left_as_it_is_and_nothing_else() {
        let most = "x".repeat(TEXT_LIMIT);
        for text in ["", " a b~", &most] {
            assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
        for text in ["a\\u{a}", "\n", "\u{7f}", "\u{85}", "\u{202e}", &format!("{most}x")] {
            assert!(harmless(text) != text, "{text:?}");
        }
        assert_eq!(harmless("ß…語"), "ß…語");
    }

    #[test]
    fn an_escape_cannot_be_forged() {
        assert_ne!(harmless("\\u{a}"), harmless("\n"));
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let text = "x".repeat(65_536);
        let text = harmless(&text);
        assert!(text.ends_with("… (cut)") && text.chars().count() < TEXT_LIMIT + 10);
    }
}
