//! Changes to PAM files: worked out whole before the first is written, each then written whole or
//! not at all.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use similar::TextDiff;
use stint_policy::{GateMode, text::harmless};
use stint_proto::{ExitStatus, MODULE_FILE, ServiceName};

use super::inspect::{describe, judge, standing};
use super::places::Places;
use crate::failure::Failure;
use crate::pam::block::{self, CannotEdit, Terms};
use crate::pam::stack::Leak;

/// What becomes of one service's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub service: String,
    /// What the file holds.
    pub before: Vec<u8>,
    /// What it will hold.
    pub after: Vec<u8>,
    /// What becomes of the backup.
    pub backup: Backup,
    /// What else has to be said.
    pub notes: Vec<String>,
}

/// What becomes of the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backup {
    /// What the file holds now is kept.
    Write,
    /// It stays.
    Keep,
    /// It has done its work.
    Remove,
}

impl Change {
    /// The difference, as `diff -u` shows it.
    pub fn diff(&self, places: &Places) -> String {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (before, after) = (text(&self.before), text(&self.after));
        let path = places.path(&self.service).to_string_lossy().into_owned();
        let diff = TextDiff::from_lines(&before, &after);
        let diff = diff.unified_diff().header(&path, &path).to_string();
        diff.lines()
            .map(|line| harmless(&line.replace('\t', "    ")))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Whether the file changes at all.
    pub fn is_needed(&self) -> bool {
        self.before != self.after
    }

    /// Does it.
    ///
    /// # Errors
    /// When the backup or the file cannot be written; the file is then as it was.
    pub fn apply(&self, places: &Places) -> Result<(), Failure> {
        let backup = places.backups.join(&self.service);
        if self.backup == Backup::Write {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&places.backups)
                .and_then(|()| {
                    fs::set_permissions(&places.backups, fs::Permissions::from_mode(0o700))
                })
                .map_err(|error| {
                    let path = harmless(&places.backups.to_string_lossy());
                    Failure::failed(format!("{path}: {error}; nothing was changed"))
                })?;
            stint_hostfiles::put_file(&backup, &self.before, 0o600).map_err(Failure::failed)?;
        }
        if self.is_needed() {
            stint_hostfiles::replace_file(&places.path(&self.service), &self.after)
                .map_err(Failure::failed)?;
        }
        if self.backup == Backup::Remove
            && let Err(error) = fs::remove_file(&backup)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            let path = harmless(&backup.to_string_lossy());
            return Err(Failure::failed(format!("{path}: it could not be removed: {error}")));
        }
        Ok(())
    }
}

/// The services that are meant, with those that go along: sudo takes sudo-i, su takes su-l.
fn with_companions(places: &Places, services: &[ServiceName]) -> Vec<(String, bool)> {
    let mut all: Vec<(String, bool)> = Vec::new();
    for service in services {
        let companion = match service.as_str() {
            "sudo" => Some("sudo-i"),
            "su" => Some("su-l"),
            _ => None,
        };
        let companion = companion.filter(|name| places.path(name).exists());
        let named =
            [(service.as_str(), true)].into_iter().chain(companion.map(|name| (name, false)));
        for (name, asked) in named {
            if !all.iter().any(|(other, _)| other == name) {
                all.push((name.to_owned(), asked));
            }
        }
    }
    all
}

/// What `gate on` would change; nothing is written.
///
/// # Errors
/// With the first service that cannot be gated: then none is.
pub fn plan_on(
    places: &Places,
    services: &[ServiceName],
    terms: &Terms,
) -> Result<Vec<Change>, Failure> {
    if places.module().is_none() {
        let folder = places.modules.iter().find(|path| path.join("pam_unix.so").is_file());
        let folder = folder.or(places.modules.first());
        let folder = folder.map(|path| path.display().to_string()).unwrap_or_default();
        return Err(Failure::failed(format!(
            "{MODULE_FILE} is in no PAM module folder of this host (such as {folder}): \
             install it first, or every gated service would be shut"
        )));
    }
    let mut changes: Vec<Change> = Vec::new();
    for (service, asked) in with_companions(places, services) {
        let pending = |name: &str| {
            let change = changes.iter().find(|change| change.service == name);
            let text = change.and_then(|change| String::from_utf8(change.after.clone()).ok());
            text.or_else(|| places.text(name))
        };
        if let Some(change) = plan_one(places, &service, asked, terms, &pending)? {
            changes.push(change);
        }
    }
    Ok(changes)
}

fn plan_one(
    places: &Places,
    service: &str,
    asked: bool,
    terms: &Terms,
    files: crate::pam::stack::Files<'_>,
) -> Result<Option<Change>, Failure> {
    if service.starts_with("common-") {
        return Err(Failure::usage(format!(
            "{service} is no service but a part of nearly all: gate the services themselves, such as  stint gate on sudo"
        )));
    }
    let (bytes, text) = read(places, service)?;
    let refuse = |why: String| Failure::failed(format!("{service} was left as it is: {why}"));
    if let Some(line) = block::by_hand(&text).first() {
        let path = places.path(service).display().to_string();
        return Err(refuse(format!(
            "{path}:{line} names {MODULE_FILE} and was written by hand; take it out first"
        )));
    }
    let now = judge(service, &text, files);
    if now.block.is_none()
        && now.through.is_some()
        && (now.denies() || terms.mode == GateMode::Observe)
    {
        // The file that it includes is gated: a second question would say the same.
        return Ok(None);
    }
    let put = |terms: &Terms| {
        block::put_in(&text, service, terms, files).map_err(|error| refuse(cannot(&error)))
    };
    // Whether a denial would hold is judged as if it were one, whatever the mode is.
    let strict = put(&Terms { mode: GateMode::Enforce, ..terms.clone() })?;
    if let Some(leak) = judge(service, &strict, files).leak {
        // Where it is in the file that can be looked at, not in the one that is not written.
        let leak = now.leak.filter(|now| matches!(now, Leak::Broken(_))).unwrap_or(leak);
        return Err(refuse(format!("its stack {}", describe(&leak))));
    }
    let after = put(terms)?.into_bytes();
    let backup = if now.block.is_none() { Backup::Write } else { Backup::Keep };
    let notes = if asked { Vec::new() } else { vec![format!("{service} goes along")] };
    Ok(Some(Change { service: service.to_owned(), before: bytes, after, backup, notes }))
}

fn read(places: &Places, service: &str) -> Result<(Vec<u8>, String), Failure> {
    let path = places.path(service);
    let shown = path.display();
    if let Some(vendor) = places.only_vendor(service) {
        let vendor = vendor.display();
        return Err(Failure::usage(format!(
            "{service} has its PAM file in {vendor} only: copy it to {shown} first"
        )));
    }
    let bytes = fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::usage(format!("there is no PAM service {service}: {shown} does not exist"))
        }
        _ => Failure::failed(format!("{shown}: {error}")),
    })?;
    let text = String::from_utf8(bytes.clone()).map_err(|_| {
        Failure::failed(format!("{service} was left as it is: {shown} is no UTF-8 text"))
    })?;
    Ok((bytes, text))
}

fn cannot(error: &CannotEdit) -> String {
    match error {
        CannotEdit::LastLineContinued => {
            "its last line ends with a backslash and would swallow what is added".to_owned()
        }
        CannotEdit::TornBlock { line } => format!(
            "line {line} is one end of the gate's lines, and the other end is missing; \
             take them all out with  stint gate off --all"
        ),
    }
}

/// What `gate off` would change; nothing is written.
///
/// # Errors
/// With the first service that cannot be changed.
pub fn plan_off(places: &Places, services: &[ServiceName]) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    for (service, asked) in with_companions(places, services) {
        let (bytes, text) = read(places, &service)?;
        let refuse = |why: String| Failure::failed(format!("{service} was left as it is: {why}"));
        if let (Some(line), true) = (block::by_hand(&text).first(), asked) {
            return Err(refuse(format!(
                "line {line} names {MODULE_FILE} and was written by hand; \
                 take it out yourself, or with  stint gate off --all"
            )));
        }
        let bare = block::take_out(&text).map_err(|error| refuse(cannot(&error)))?;
        if bare == text {
            if asked && let Some(other) = standing(places, &service).and_then(|now| now.through) {
                return Err(refuse(format!("it is gated by {other}:  stint gate off {other}")));
            }
            continue;
        }
        let after = restored(places, &service, bare);
        let notes = if asked { Vec::new() } else { vec![format!("{service} goes along")] };
        changes.push(Change { service, before: bytes, after, backup: Backup::Remove, notes });
    }
    Ok(changes)
}

/// The file as it was: the backup's bytes where they are what is left, so that even a missing
/// last line end comes back; otherwise somebody has edited the file since, and what they wrote
/// stays.
fn restored(places: &Places, service: &str, bare: String) -> Vec<u8> {
    match fs::read(places.backups.join(service)) {
        Ok(kept)
            if kept.strip_suffix(b"\n").unwrap_or(&kept)
                == bare.strip_suffix('\n').unwrap_or(&bare).as_bytes() =>
        {
            kept
        }
        _ => bare.into_bytes(),
    }
}

/// What `gate off --all` would change, and what it could not read.
///
/// # Errors
/// When the folder of PAM files cannot be read.
pub fn plan_off_all(places: &Places) -> Result<(Vec<Change>, Vec<String>), Failure> {
    let names = places.names().map_err(|error| {
        Failure::new(ExitStatus::Failed, format!("{}: {error}", places.pam.display()))
    })?;
    let (mut changes, mut problems) = (Vec::new(), Vec::new());
    for service in names {
        let path = places.path(&service);
        let Ok(bytes) = fs::read(&path) else {
            problems.push(format!("{} could not be read", harmless(&path.to_string_lossy())));
            continue;
        };
        let Ok(text) = String::from_utf8(bytes.clone()) else {
            let names_it =
                bytes.windows(MODULE_FILE.len()).any(|part| part == MODULE_FILE.as_bytes());
            if names_it {
                let path = harmless(&path.to_string_lossy());
                problems.push(format!("{path} is no UTF-8 text and names {MODULE_FILE}: edit it"));
            }
            continue;
        };
        let bare = block::take_out_everything(&text);
        if bare == text {
            continue;
        }
        let by_hand = block::by_hand(&text).into_iter();
        let notes = by_hand
            .map(|line| format!("{service}:{line} was written by hand and goes too"))
            .collect();
        let after = restored(places, &service, bare);
        changes.push(Change { service, before: bytes, after, backup: Backup::Remove, notes });
    }
    Ok((changes, problems))
}

#[cfg(test)]
mod tests;
