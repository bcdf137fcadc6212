//! What a verified document says: its head, and a policy, a grant, a revocation or an approval after
//! it.
//!
//! The head is the first table of the text, `[document]`, up to the next line that begins with a
//! bracket. Head and rest are read apart, so that a policy stands in a document as it would stand in
//! its file, line for line.

use stint_policy::{HostPattern, SourceFile};
use stint_proto::{GrantId, RoleName, Timestamp, UserName};

use crate::fields::{Fields, parse};
use crate::{Approval, Kind, Refusal, Times, Verified, approval};

/// The fewest letters of the id of a signed grant: it is chosen before any host is asked.
const ID_LETTERS: usize = 8;

/// What a document says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Of a policy: its place in the row of all of them.
    pub serial: Option<u64>,
    /// From when it counts.
    pub not_before: Timestamp,
    /// Until when; for ever if absent, which only a revocation may be.
    pub not_after: Option<Timestamp>,
    /// On which hosts.
    pub hosts: Vec<HostPattern>,
}

/// A role for one user, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedGrant {
    /// Its id, the same on every host.
    pub id: GrantId,
    /// Who shall hold it.
    pub user: UserName,
    /// What.
    pub role: RoleName,
    /// From when; from when the document counts if absent.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Timestamp,
    /// What for.
    pub reason: String,
    /// The ticket it refers to.
    pub ticket: Option<String>,
}

/// What is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The grant of this id.
    Grant(GrantId),
    /// Every grant of this user, wherever it came from.
    User(UserName),
}

/// The end of grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Of which.
    pub what: Revoked,
    /// What for.
    pub reason: String,
}

/// What a document is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A policy, to be read as one; its lines have the numbers that they have in the document.
    Policy(SourceFile),
    /// A grant.
    Grant(SignedGrant),
    /// A revocation.
    Revocation(Revocation),
    /// An approval.
    Approval(Approval),
}

/// A document, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it says of itself.
    pub header: Header,
    /// What it is about.
    pub content: Content,
}

impl Document {
    /// Whether it is for this host, now. That a revocation is late does not matter to it, but where
    /// it says so itself.
    ///
    /// # Errors
    /// [`Refusal`] if not.
    pub fn counts_on(&self, host: &str, times: Times) -> Result<(), Refusal> {
        let Header { not_before, not_after, hosts, .. } = &self.header;
        let means = |pattern: &HostPattern| match self.header.kind {
            // What was shown was shown by one host, and another may have the same short name.
            Kind::Approval => pattern.is_name_of(host),
            Kind::Policy | Kind::Grant | Kind::Revocation => pattern.matches(host),
        };
        if !hosts.iter().any(means) {
            let hosts = hosts.iter().map(ToString::to_string).collect();
            return Err(Refusal::OtherHosts { host: host.to_owned(), hosts });
        }
        if !times.has_begun(*not_before) {
            return Err(Refusal::Early { not_before: *not_before });
        }
        match not_after {
            Some(not_after) if times.is_over(*not_after) => {
                Err(Refusal::Late { not_after: *not_after })
            }
            _ => Ok(()),
        }
    }
}

/// Reads what a verified document says; `path` is how messages name a policy that it holds.
///
/// # Errors
/// [`Refusal`] with the line that cannot be.
pub fn read(verified: &Verified, path: &str) -> Result<Document, Refusal> {
    let (head, rest) = split(&verified.text)?;
    let header = header(&head, verified.kind)?;
    let content = match verified.kind {
        Kind::Policy => Content::Policy(SourceFile { path: path.to_owned(), text: rest }),
        Kind::Grant => Content::Grant(grant(&rest, &header)?),
        Kind::Revocation => Content::Revocation(revocation(&rest)?),
        Kind::Approval => Content::Approval(approval::read(&rest)?),
    };
    Ok(Document { header, content })
}

/// The head, and the rest with an empty line for each line of the head.
fn split(text: &str) -> Result<(String, String), Refusal> {
    let mut lines = text.split_inclusive('\n').enumerate();
    let first = lines.find(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    let Some((at, _)) = first.filter(|(_, line)| line.trim_end() == "[document]") else {
        let line = first.map_or(0, |(at, _)| at + 1);
        let what = "its text has to begin with [document]".to_owned();
        return Err(Refusal::Content { line, what });
    };
    let after = lines.find(|(_, line)| line.starts_with('[')).map(|(after, _)| after);
    let after = after.unwrap_or(usize::MAX);
    let (mut head, mut rest) = (String::new(), String::new());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let (to, other) =
            if number < after { (&mut head, &mut rest) } else { (&mut rest, &mut head) };
        to.push_str(line);
        if number < after || number < at {
            other.push('\n');
        }
    }
    Ok((head, rest))
}

fn header(text: &str, signed: Kind) -> Result<Header, Refusal> {
    let tree = parse(text)?;
    let fields = Fields::only(text, &tree, "document")?;
    let says: String = fields.need("kind", fields.text("kind")?)?;
    if Kind::from_word(&says) != Some(signed) {
        return Err(Refusal::Kind { signed, says });
    }
    let not_before = fields.need("not_before", fields.time("not_before")?)?;
    let not_after = fields.time("not_after")?;
    let hosts: Vec<HostPattern> = fields.list("hosts")?;
    let serial = match signed {
        Kind::Policy => Some(fields.need("serial", fields.number("serial")?)?),
        Kind::Grant | Kind::Revocation | Kind::Approval => None,
    };
    if signed == Kind::Approval && !matches!(hosts.as_slice(), [host] if host.is_exact()) {
        return Err(approval::not_one_host());
    }
    if signed != Kind::Revocation {
        fields.need("not_after", not_after)?;
    }
    if not_after.is_some_and(|not_after| not_after <= not_before) {
        let what = "not_after: it is over before it begins".to_owned();
        return Err(Refusal::Content { line: 0, what });
    }
    fields.done()?;
    Ok(Header { kind: signed, serial, not_before, not_after, hosts })
}

fn grant(text: &str, header: &Header) -> Result<SignedGrant, Refusal> {
    let tree = parse(text)?;
    let fields = Fields::only(text, &tree, "grant")?;
    let grant = SignedGrant {
        id: fields.need("id", fields.parsed("id")?)?,
        user: fields.need("user", fields.parsed("user")?)?,
        role: fields.need("role", fields.parsed("role")?)?,
        from: fields.time("from")?,
        until: fields.need("until", fields.time("until")?)?,
        reason: fields.need("reason", fields.text("reason")?)?,
        ticket: fields.text("ticket")?,
    };
    fields.done()?;
    let wrong = |what: String| Err(Refusal::Content { line: 0, what });
    if grant.id.as_str().len() < ID_LETTERS {
        return wrong(format!("id: a signed grant needs an id of {ID_LETTERS} letters or more"));
    }
    if grant.until <= grant.from.unwrap_or(header.not_before) {
        return wrong("until: it ends before it begins".to_owned());
    }
    if grant.user.as_str() == "root" {
        return wrong("user: root needs no grant".to_owned());
    }
    Ok(grant)
}

fn revocation(text: &str) -> Result<Revocation, Refusal> {
    let tree = parse(text)?;
    let fields = Fields::only(text, &tree, "revocation")?;
    let what = match (fields.parsed("grant")?, fields.parsed("user")?) {
        (Some(grant), None) => Revoked::Grant(grant),
        (None, Some(user)) => Revoked::User(user),
        _ => {
            let what = "[revocation] needs either grant or user".to_owned();
            return Err(Refusal::Content { line: 0, what });
        }
    };
    let reason = fields.need("reason", fields.text("reason")?)?;
    fields.done()?;
    Ok(Revocation { what, reason })
}
