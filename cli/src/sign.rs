//! Signing: a text goes to ssh-keygen, which knows people's keys, agents and security keys; a document
//! comes back. No key is read here.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use stint_document::{Approval, Header, Kind, SIZE_LIMIT, Verdict};
use stint_policy::text::harmless;
use stint_proto::{Request, Timestamp};

use crate::args::Addressed;
use crate::failure::Failure;

/// The head of a document.
///
/// # Errors
/// When it is for no host.
pub fn header(
    kind: Kind,
    to: &Addressed,
    (not_before, not_after): (Timestamp, Option<Timestamp>),
) -> Result<Header, Failure> {
    if to.hosts.is_empty() {
        let text = "say on which hosts it counts, such as --hosts \"web-*\", or --hosts \"*\"";
        return Err(Failure::usage(text));
    }
    // Whole seconds: what is signed is what people read.
    let whole = |time: Timestamp| {
        Timestamp::from_micros(time.micros().div_euclid(1_000_000).saturating_mul(1_000_000))
    };
    let (not_before, not_after) = (whole(not_before), not_after.map(whole));
    Ok(Header { kind, serial: None, not_before, not_after, hosts: to.hosts.clone() })
}

/// Has a text signed, and writes the document.
///
/// # Errors
/// When ssh-keygen does not sign it, or the file cannot be written.
pub fn write(text: &str, kind: Kind, key: &Path, to: &Addressed) -> Result<(), Failure> {
    let Some(output) = &to.output else {
        return Err(Failure::usage("say where to write the document: -o FILE"));
    };
    std::fs::write(output, document(text, kind, key)?)
        .map_err(|error| Failure::failed(format!("{}: {error}", shown(output))))
}

/// Has a text signed; the document.
///
/// # Errors
/// When ssh-keygen does not sign it.
pub fn document(text: &str, kind: Kind, key: &Path) -> Result<String, Failure> {
    let signature = signature(text, kind, key)?;
    let document = format!("{text}{signature}");
    if document.len() > SIZE_LIMIT {
        return Err(Failure::failed("the document is larger than 1 MiB, which no host takes"));
    }
    // Before anybody relies on it: what was signed is what was shown.
    let looked = stint_document::look(document.as_bytes()).map_err(Failure::failed)?;
    stint_document::read(&looked, "it").map_err(Failure::failed)?;
    Ok(document)
}

/// Has an approver's word on a request of this host signed, exactly as the request was shown: a document
/// for that host alone, until the request lapses. What the request says of its own digest is not
/// believed.
///
/// # Errors
/// When that is no host's name, or ssh-keygen does not sign it.
pub fn approval(
    request: &Request,
    host: &str,
    verdict: Verdict,
    note: Option<String>,
    key: &Path,
) -> Result<String, Failure> {
    let header = Approval::header(request, host).map_err(Failure::failed)?;
    let text = stint_document::approval(&header, &Approval::of(request, verdict, note));
    document(&text, Kind::Approval, key)
}

fn signature(text: &str, kind: Kind, key: &Path) -> Result<String, Failure> {
    let failed = |what: String| Failure::failed(format!("ssh-keygen {what}"));
    let mut keygen = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", kind.namespace(), "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error} (openssh-client brings it)")))?;
    if let Some(mut input) = keygen.stdin.take() {
        // If it has ended it has said why.
        drop(input.write_all(text.as_bytes()));
    }
    let mut signature = String::new();
    if let Some(output) = &mut keygen.stdout {
        output.read_to_string(&mut signature).map_err(|error| failed(error.to_string()))?;
    }
    let status = keygen.wait().map_err(|error| failed(error.to_string()))?;
    if !status.success() || signature.is_empty() {
        return Err(failed(format!("has not signed by {}", shown(key))));
    }
    Ok(signature)
}

/// A document, as it is; no more of it than a document may have, and a byte.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", shown(path)));
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(SIZE_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn shown(path: &Path) -> String {
    harmless(&path.to_string_lossy())
}
