//! Findings about stint-sweep, which ends what is over where stintd does not, and about the list that
//! it goes by.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use stint_proto::{Health, STATE_DIR};
use zbus::OwnedObjectPath;

use super::{Finding, Rank};
use crate::bus;

const PATH: &str = "stint-sweep.path";
const TIMER: &str = "stint-sweep.timer";
const SERVICE: &str = "stint-sweep.service";
const LIST: &str = "applied";
const LIMIT: Duration = Duration::from_secs(5);

/// What systemd says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Unit {
    name: &'static str,
    /// `enabled`, `disabled`, `masked`, `static`…
    file: String,
    /// `active`, `inactive`, `failed`…
    state: String,
}

/// What is wrong with its units, as systemd says; nothing where systemd cannot be asked.
pub fn units() -> Vec<Finding> {
    let Ok(runtime) = bus::runtime() else { return Vec::new() };
    let asking = async { tokio::time::timeout(LIMIT, ask()).await };
    runtime.block_on(asking).ok().and_then(Result::ok).map_or_else(Vec::new, |all| judge(&all))
}

async fn ask() -> zbus::Result<Vec<Unit>> {
    const SYSTEMD: &str = "org.freedesktop.systemd1";
    let bus = zbus::Connection::system().await?;
    let mut units = Vec::new();
    for name in [PATH, TIMER, SERVICE] {
        let manager = (SYSTEMD, "/org/freedesktop/systemd1");
        let interface = "org.freedesktop.systemd1.Manager";
        let call = bus.call_method(Some(manager.0), manager.1, Some(interface), "LoadUnit", &name);
        let path: OwnedObjectPath = call.await?.body().deserialize()?;
        let of_unit = async |property: &str| -> zbus::Result<String> {
            let properties = "org.freedesktop.DBus.Properties";
            let asked = &("org.freedesktop.systemd1.Unit", property);
            let call = bus.call_method(Some(SYSTEMD), &path, Some(properties), "Get", asked);
            let value: zbus::OwnedVariant = call.await?.body().deserialize()?;
            String::try_from(value)
        };
        // A masked one has no state of its file but that of its loading.
        let load = of_unit("LoadState").await?;
        let file = if load == "loaded" { of_unit("UnitFileState").await? } else { load };
        units.push(Unit { name, file, state: of_unit("ActiveState").await? });
    }
    Ok(units)
}

fn judge(units: &[Unit]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Unit { name, file, state } in units {
        let why = "what is over stays while stintd is dead";
        let enable = format!("systemctl enable --now {name}");
        let finding = match file.as_str() {
            "masked" => {
                Some((format!("{name} is masked: {why}."), format!("systemctl unmask {name}")))
            }
            "not-found" => {
                Some((format!("{name} is missing: {why}."), "install stint again".into()))
            }
            "disabled" if *name == SERVICE => {
                let text = format!("{name} is disabled: {why} at a boot.");
                Some((text, format!("systemctl enable {name}")))
            }
            "disabled" => Some((format!("{name} is disabled: {why}."), enable)),
            _ if *name == PATH && state != "active" => {
                Some((format!("{name} does not run: {why}."), format!("systemctl start {name}")))
            }
            _ if state == "failed" => {
                let text = format!("{name} fails: something that is over could not be taken back.");
                Some((text, format!("journalctl -u {name} -n 20")))
            }
            _ => None,
        };
        findings.extend(finding.map(|(text, mend)| Finding::new(Rank::Wrong, text, mend)));
    }
    findings
}

/// Whether the list names as many grants as run, by what stintd says.
pub fn list(health: &Health, root: &Path) -> Option<Finding> {
    let path = root.join(STATE_DIR.trim_start_matches('/')).join(LIST);
    let shown = format!("{STATE_DIR}/{LIST}");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => {
            let text = format!("{shown} cannot be read: {error}.");
            return Some(Finding::new(Rank::Wrong, text, "systemctl restart stintd"));
        }
    };
    let listed = text.lines().filter(|line| line.starts_with("grant ")).count();
    let active = usize::try_from(health.active).unwrap_or(usize::MAX);
    // One that has just ended is struck out a moment later.
    if listed >= active {
        return None;
    }
    let text = format!(
        "{shown} names {listed} of the {active} grants that run: stint-sweep goes by it where \
         stintd is dead."
    );
    Some(Finding::new(Rank::Wrong, text, "systemctl restart stintd"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &'static str, file: &str, state: &str) -> Unit {
        Unit { name, file: file.to_owned(), state: state.to_owned() }
    }

    #[test]
    fn a_host_as_it_is_installed_has_no_finding() {
        let installed = [
            unit(PATH, "enabled", "active"),
            unit(TIMER, "static", "inactive"),
            unit(SERVICE, "enabled", "inactive"),
        ];
        assert_eq!(judge(&installed), []);
    }

    #[test]
    fn finds_what_is_masked_disabled_stopped_missing_or_failed() {
        let mends = |unit: Unit| judge(&[unit]).into_iter().map(|found| found.mend).next();
        for (unit, mend) in [
            (unit(PATH, "masked", "inactive"), "systemctl unmask stint-sweep.path"),
            (unit(TIMER, "masked", "inactive"), "systemctl unmask stint-sweep.timer"),
            (unit(PATH, "disabled", "active"), "systemctl enable --now stint-sweep.path"),
            (unit(SERVICE, "disabled", "inactive"), "systemctl enable stint-sweep.service"),
            (unit(PATH, "enabled", "inactive"), "systemctl start stint-sweep.path"),
            (unit(PATH, "not-found", "inactive"), "install stint again"),
            (unit(SERVICE, "enabled", "failed"), "journalctl -u stint-sweep.service -n 20"),
        ] {
            assert_eq!(mends(unit).as_deref(), Some(mend));
        }
    }
}
