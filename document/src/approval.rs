//! An approval: an approver's yes or no to one request of one host, as it was shown.

use stint_policy::HostPattern;
use stint_proto::{Request, RequestId, RoleName, Timestamp, UserName, words};

use crate::compose::{head, put, toml};
use crate::fields::{Fields, parse};
use crate::{Header, Kind, Refusal, digest};

words! {
    /// What an approver says.
    Verdict {
        /// Yes.
        Approve = "approve",
        /// No.
        Deny = "deny",
    }
}

/// An approver's word on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// On which.
    pub request: RequestId,
    /// Yes or no.
    pub verdict: Verdict,
    /// Who asks: for people who read what they sign.
    pub user: UserName,
    /// For what.
    pub role: RoleName,
    /// The [`digest`] of what was shown: 64 small hexadecimal digits.
    pub digest: String,
    /// What the approver has to say; a no needs it.
    pub note: Option<String>,
}

impl Approval {
    /// A word on exactly this request, as it is shown.
    #[must_use]
    pub fn of(request: &Request, verdict: Verdict, note: Option<String>) -> Self {
        Self {
            request: request.id.clone(),
            verdict,
            user: request.user.clone(),
            role: request.role.clone(),
            digest: digest(request),
            note,
        }
    }

    /// The head that goes with it: it counts from when the request was made, so that the approver's
    /// clock may go wrong, until it lapses, in whole seconds, on the host of this full name.
    ///
    /// # Errors
    /// When that is no host's name.
    pub fn header(request: &Request, host: &str) -> Result<Header, Refusal> {
        const SECOND: i64 = 1_000_000;
        let wrong = |what: String| Refusal::Content { line: 0, what };
        let name: HostPattern = host.parse().map_err(|error| wrong(format!("hosts: {error}")))?;
        if !name.is_exact() {
            return Err(not_one_host());
        }
        let whole =
            |micros: i64| Timestamp::from_micros(micros.div_euclid(SECOND).saturating_mul(SECOND));
        Ok(Header {
            kind: Kind::Approval,
            serial: None,
            not_before: whole(request.created_at.micros()),
            not_after: Some(whole(request.lapses_at.micros().saturating_add(SECOND))),
            hosts: vec![name],
        })
    }
}

/// The text of an approval.
#[must_use]
pub fn approval(header: &Header, approval: &Approval) -> String {
    let mut text = head(header);
    text.push_str("\n[approval]\n");
    put(&mut text, "request", &toml(approval.request.as_str()));
    put(&mut text, "verdict", &toml(approval.verdict.as_str()));
    put(&mut text, "user", &toml(approval.user.as_str()));
    put(&mut text, "role", &toml(approval.role.as_str()));
    put(&mut text, "digest", &toml(&approval.digest));
    if let Some(note) = &approval.note {
        put(&mut text, "note", &toml(note));
    }
    text
}

pub(crate) fn read(text: &str) -> Result<Approval, Refusal> {
    let tree = parse(text)?;
    let fields = Fields::only(text, &tree, "approval")?;
    let verdict: String = fields.need("verdict", fields.text("verdict")?)?;
    let digest: String = fields.need("digest", fields.text("digest")?)?;
    let wrong = |what: String| Err(Refusal::Content { line: 0, what });
    let Some(verdict) = Verdict::from_word(&verdict) else {
        return wrong("verdict: it is \"approve\" or \"deny\"".to_owned());
    };
    let hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if digest.len() != 64 || !digest.bytes().all(hex) {
        return wrong("digest: 64 small hexadecimal digits".to_owned());
    }
    let approval = Approval {
        request: fields.need("request", fields.parsed("request")?)?,
        verdict,
        user: fields.need("user", fields.parsed("user")?)?,
        role: fields.need("role", fields.parsed("role")?)?,
        digest,
        note: fields.text("note")?,
    };
    fields.done()?;
    if approval.verdict == Verdict::Deny && approval.note.is_none() {
        return wrong("note: a denial has to say why".to_owned());
    }
    Ok(approval)
}

/// That an approval is not for one host alone.
pub(crate) fn not_one_host() -> Refusal {
    let what = "hosts: an approval is for one host, by its full name".to_owned();
    Refusal::Content { line: 0, what }
}
