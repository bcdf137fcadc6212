//! Who is logged in at which terminal, as logind has it. Only asks.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use stint_proto::Uid;
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use crate::process;

const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// Sessions of a desktop: a line on the terminal under it would be seen by nobody.
const GRAPHICAL: [&str; 3] = ["x11", "wayland", "mir"];
/// The major numbers of pseudo terminals (devices.txt of the kernel).
const PTS_MAJORS: std::ops::RangeInclusive<u64> = 136..=143;
/// How many processes of a session are looked at for its terminal.
const LOOKED_AT: usize = 64;

/// Somebody at a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// Who.
    pub(super) uid: Uid,
    /// Who, by name as logind has it.
    pub(super) user: String,
    /// The terminal's name below /dev.
    pub(super) terminal: String,
}

/// Everybody who is logged in at a terminal.
///
/// # Errors
/// When logind cannot be asked. A session that ends meanwhile is left out.
pub(super) async fn seats(connection: &Connection) -> zbus::Result<Vec<Seat>> {
    let none = &();
    let answer =
        connection.call_method(Some(LOGIND), PATH, Some(MANAGER), "ListSessions", none).await?;
    let sessions: Vec<(String, u32, String, String, OwnedObjectPath)> =
        answer.body().deserialize()?;
    let mut seats = Vec::new();
    for (_, uid, user, _, path) in sessions {
        let asked =
            connection.call_method(Some(LOGIND), &path, Some(PROPERTIES), "GetAll", &SESSION).await;
        let Ok(answer) = asked else { continue };
        let properties: HashMap<String, OwnedVariant> = answer.body().deserialize()?;
        if let Some(terminal) = terminal_of(&properties) {
            seats.push(Seat { uid: Uid(uid), user, terminal });
        }
    }
    Ok(seats)
}

pub(super) fn terminal_of(properties: &HashMap<String, OwnedVariant>) -> Option<String> {
    let text = |name: &str| {
        let text: &str = properties.get(name)?.downcast_ref().ok()?;
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    if text("State").as_deref() == Some("closing")
        || text("Type").is_some_and(|kind| GRAPHICAL.contains(&kind.as_str()))
    {
        return None;
    }
    if let Some(tty) = text("TTY") {
        return is_terminal_name(&tty).then_some(tty);
    }
    // sshd opens the session before the terminal, and where there is no utmp logind never hears
    // of it: the first process of the session that has one is its login shell.
    let scope = text("Scope")?;
    let uid: u32 = match properties.get("User").map(|value| &**value) {
        Some(zbus::Variant::Structure(user)) => user.fields().first()?.downcast_ref().ok()?,
        _ => return None,
    };
    in_scope(uid, &scope)
}

/// Whether this names a terminal below /dev, and nothing else.
pub(super) fn is_terminal_name(tty: &str) -> bool {
    let name = tty.strip_prefix("pts/").unwrap_or(tty);
    !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn in_scope(uid: u32, scope: &str) -> Option<String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !scope.chars().all(fine) || !scope.ends_with(".scope") {
        return None;
    }
    let slice = format!("/sys/fs/cgroup/user.slice/user-{uid}.slice/{scope}/cgroup.procs");
    let text = fs::read_to_string(PathBuf::from(slice)).ok()?;
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    pids.sort_unstable();
    pids.iter().take(LOOKED_AT).find_map(|pid| terminal_in(&process::read(*pid, "stat").ok()?))
}

/// The terminal in a line of /proc/PID/stat, if it is a pseudo terminal: field 7 is its number,
/// in the kernel's form, where the minor is in two pieces (proc(5)).
fn terminal_in(stat: &str) -> Option<String> {
    // A program's name may hold anything, spaces and brackets too; after its end nothing does.
    let (_, rest) = stat.rsplit_once(')')?;
    let number: u64 = rest.split_whitespace().nth(4)?.parse().ok()?;
    let (major, minor) = ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xf_ff00));
    let index = major.checked_sub(*PTS_MAJORS.start())? * (1 << 20) + minor;
    PTS_MAJORS.contains(&major).then(|| format!("pts/{index}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(pairs: &[(&str, &str)]) -> HashMap<String, OwnedVariant> {
        let value = |text: &str| OwnedVariant::from(zbus::Str::from(text.to_owned()));
        pairs.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect()
    }

    #[test]
    fn a_desktop_and_a_session_that_ends_have_no_terminal() {
        let at = |state, kind| session(&[("State", state), ("Type", kind), ("TTY", "tty1")]);
        assert_eq!(terminal_of(&at("closing", "tty")), None);
        assert_eq!(terminal_of(&at("active", "x11")), None);
        assert_eq!(terminal_of(&at("active", "wayland")), None);
        assert_eq!(terminal_of(&at("online", "tty")).as_deref(), Some("tty1"));
        assert_eq!(terminal_of(&session(&[("State", "active"), ("TTY", "")])), None);
    }

    #[test]
    fn only_names_of_terminals_are_taken() {
        for name in ["", "pts/", "../etc/shadow", "pts/../../mem", "/dev/pts/0", "a b", "pts/0\n"] {
            assert!(!is_terminal_name(name), "{name:?}");
        }
        for name in ["pts/0", "pts/117", "tty1", "ttyS0", "hvc0"] {
            assert!(is_terminal_name(name), "{name:?}");
        }
        for scope in ["../../x.scope", "session-1", "a/b.scope"] {
            assert_eq!(in_scope(0, scope), None, "{scope}");
        }
    }

    #[test]
    fn the_kernels_number_names_the_terminal() {
        let stat = |tty: u64| format!("71 (a) b) (c) S 70 71 71 {tty} 71 4194304 0");
        assert_eq!(terminal_in(&stat(34_816)).as_deref(), Some("pts/0"));
        assert_eq!(terminal_in(&stat(34_816 + 255)).as_deref(), Some("pts/255"));
        assert_eq!(terminal_in(&stat((136 << 8) | (1 << 20))).as_deref(), Some("pts/256"));
        assert_eq!(terminal_in(&stat(0)), None);
        assert_eq!(terminal_in(&stat(1_025)), None, "tty1 is the console's");
        assert_eq!(terminal_in("nonsense"), None);
    }
}
