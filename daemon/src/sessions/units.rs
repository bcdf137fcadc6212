//! Services that somebody had systemd start by a polkit action, as far as they say so themselves:
//! run0 writes into its unit who called it. Whoever starts a unit writes there what they like, so
//! this finds who was honest, and nothing more. Only looks.

use std::fs;
use std::io;
use std::path::Path;

use stint_proto::{Timestamp, Uid};
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use crate::domain::control_group::Group;
use crate::domain::human::Process;
use crate::process;

/// Where systemd keeps units that were started without a file of their own.
const TRANSIENT: &str = "/run/systemd/transient";
const SYSTEMD: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// A service that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// When it was started.
    pub at: Timestamp,
    /// Its first process.
    pub main: Option<Process>,
    /// Its control group. Who opened a session of logind's inside has left it.
    pub group: Option<Group>,
}

/// The names of the services that say that this account called run0 for them.
///
/// # Errors
/// When systemd's folder cannot be read.
pub fn called_by(uid: Uid) -> io::Result<Vec<String>> {
    called_by_in(Path::new(TRANSIENT), uid)
}

fn called_by_in(folder: &Path, uid: Uid) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.ends_with(".service") {
            continue;
        }
        match fs::read_to_string(entry.path()) {
            Ok(text) if says(&text, uid) => names.push(name),
            Ok(_) => {}
            // It has ended meanwhile, or is no text, which run0 never writes.
            Err(error)
                if [io::ErrorKind::NotFound, io::ErrorKind::InvalidData]
                    .contains(&error.kind()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

/// Whether a unit's text has this number for the caller in its environment.
fn says(text: &str, uid: Uid) -> bool {
    let word = format!("\"SUDO_UID={uid}\"");
    text.lines()
        .filter_map(|line| line.strip_prefix("Environment="))
        .any(|words| words.split(' ').any(|found| found == word))
}

/// This service, if systemd runs it.
///
/// # Errors
/// When systemd cannot be asked.
pub async fn started(connection: &Connection, unit: &str) -> zbus::Result<Option<Started>> {
    let asked = connection.call_method(Some(SYSTEMD), PATH, Some(MANAGER), "GetUnit", &unit).await;
    let path: OwnedObjectPath = match asked {
        Ok(answer) => answer.body().deserialize()?,
        Err(zbus::Error::MethodError(name, ..)) if name.ends_with(".NoSuchUnit") => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let get = async |interface: &str, name: &str| -> zbus::Result<OwnedVariant> {
        let asked = (interface, name);
        let answer =
            connection.call_method(Some(SYSTEMD), &path, Some(PROPERTIES), "Get", &asked).await?;
        answer.body().deserialize()
    };
    let at: u64 = u64::try_from(get(UNIT, "InactiveExitTimestamp").await?)?;
    let main = u32::try_from(get(SERVICE, "MainPID").await?)?;
    let group = String::try_from(get(SERVICE, "ControlGroup").await?)?;
    let main = i32::try_from(main).ok().filter(|pid| *pid > 0);
    Ok(Some(Started {
        at: Timestamp::from_micros(i64::try_from(at).unwrap_or(i64::MAX)),
        main: main.and_then(|pid| process::identify(pid).ok()),
        group: Group::parse(&group),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_called_is_read_word_by_word() {
        let text = "# written by systemd\n[Unit]\nDescription=[run0] \"SUDO_UID=7\"\n[Service]\n\
                    Environment=\"TERM=dumb\" \"SUDO_USER=alice\" \"SUDO_UID=1000\" \"SUDO_GID=7\"\n";
        assert!(says(text, Uid(1000)));
        for other in [0, 7, 100, 10_000] {
            assert!(!says(text, Uid(other)), "{other}");
        }
        let inside = "Environment=\"A=x \\\"SUDO_UID=1000\\\" y\"\n";
        assert!(!says(inside, Uid(1000)));
    }

    #[test]
    fn only_services_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let text = "Environment=\"SUDO_UID=1000\"\n";
        for name in ["run-p1-i2.service", "run-p3-i4.scope", "other.service"] {
            let text = if name.starts_with("other") { "Environment=\"A=b\"\n" } else { text };
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::write(folder.path().join("odd.service"), [0xff, 0xfe]).unwrap();
        fs::create_dir(folder.path().join("run-p1-i2.service.d")).unwrap();
        assert_eq!(called_by_in(folder.path(), Uid(1000)).unwrap(), ["run-p1-i2.service"]);
        let gone = folder.path().join("gone");
        assert_eq!(called_by_in(&gone, Uid(1000)).unwrap(), [] as [&str; 0]);
    }
}
