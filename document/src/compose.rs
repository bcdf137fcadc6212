//! The texts of documents, to be signed. What is made here reads as what it was made of.

use std::fmt::Write;

use stint_policy::SourceFile;
use stint_proto::Timestamp;

use crate::{Header, Revocation, Revoked, SignedGrant};

/// The text of a policy: a head, then the files as they are, one after the other.
#[must_use]
pub fn policy(header: &Header, files: &[SourceFile]) -> String {
    let mut text = head(header);
    for file in files {
        text.push('\n');
        text.push_str(&file.text);
        if !file.text.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

/// The text of a grant.
#[must_use]
pub fn grant(header: &Header, grant: &SignedGrant) -> String {
    let mut text = head(header);
    text.push_str("\n[grant]\n");
    put(&mut text, "id", &toml(grant.id.as_str()));
    put(&mut text, "user", &toml(grant.user.as_str()));
    put(&mut text, "role", &toml(grant.role.as_str()));
    if let Some(from) = grant.from {
        put(&mut text, "from", &time(from));
    }
    put(&mut text, "until", &time(grant.until));
    put(&mut text, "reason", &toml(&grant.reason));
    if let Some(ticket) = &grant.ticket {
        put(&mut text, "ticket", &toml(ticket));
    }
    text
}

/// The text of a revocation.
#[must_use]
pub fn revocation(header: &Header, revocation: &Revocation) -> String {
    let mut text = head(header);
    text.push_str("\n[revocation]\n");
    match &revocation.what {
        Revoked::Grant(id) => put(&mut text, "grant", &toml(id.as_str())),
        Revoked::User(user) => put(&mut text, "user", &toml(user.as_str())),
    }
    put(&mut text, "reason", &toml(&revocation.reason));
    text
}

pub(crate) fn head(header: &Header) -> String {
    let mut text = "[document]\n".to_owned();
    put(&mut text, "kind", &toml(header.kind.as_str()));
    if let Some(serial) = header.serial {
        put(&mut text, "serial", &serial.to_string());
    }
    put(&mut text, "not_before", &time(header.not_before));
    if let Some(not_after) = header.not_after {
        put(&mut text, "not_after", &time(not_after));
    }
    let hosts: Vec<String> = header.hosts.iter().map(|host| toml(&host.to_string())).collect();
    put(&mut text, "hosts", &format!("[{}]", hosts.join(", ")));
    text
}

pub(crate) fn put(text: &mut String, key: &str, value: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{key:<10} = {value}");
}

fn time(time: Timestamp) -> String {
    time.to_string()
}

/// A text in quotes as TOML reads it.
pub(crate) fn toml(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if stint_policy::text::is_harmless(c) => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}
