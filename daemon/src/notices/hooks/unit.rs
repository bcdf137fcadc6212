//! One run of a hook: a oneshot unit of systemd's with few rights. stintd itself has no network and
//! starts no programs; systemd does it for it, outside its sandbox, in a smaller one.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use zbus::{Connection, Variant};

use super::{Failure, Job, Start};
use crate::systemd::{Property, SystemdError, start_transient};

/// Who hooks run as; made by packaging/root/usr/lib/sysusers.d/stint.conf.
const USER: &str = "stint-hooks";
/// What a hook may take, in microseconds.
const TIME_LIMIT: u64 = 30_000_000;
/// What it may take to end when it is told to.
const STOP_LIMIT: u64 = 5_000_000;
/// What systemd may take to say how it ended: both of these, SIGKILL, and some time for a busy host.
const LIMIT: Duration = Duration::from_secs(60);
const MEMORY: u64 = 256 << 20;
const TASKS: u64 = 64;
/// Its share of processor and disk where others want them too; they have 100 each.
const WEIGHT: u64 = 10;
/// Lines that one run may write to the journal; what is more is dropped there.
const LOG_LINES: u32 = 200;

/// Hooks as units of systemd's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units;

impl Start<Connection> for Units {
    async fn start(self, bus: Connection, job: Job) -> Result<(), Failure> {
        let unit = format!("stint-hook-{}-{}.service", job.hook, job.event.seq);
        let input = input(&job.event.body).map_err(|error| Failure::Failed(error.to_string()))?;
        let path = job.path.to_str().unwrap_or_default();
        match start_transient(&bus, &unit, &properties(&job, path, input), LIMIT).await {
            Ok(()) => Ok(()),
            Err(error @ SystemdError::NotThere(_)) => Err(Failure::NotThere(error.to_string())),
            // A run that a stintd before this one began; how it ends will not be known.
            Err(error @ SystemdError::Runs) => Err(Failure::NotThere(error.to_string())),
            Err(error) => Err(Failure::Failed(error.to_string())),
        }
    }
}

/// The event, as what the hook reads from. Not a property of the unit: everybody may read those.
fn input(body: &str) -> std::io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"stint-event", flags)?);
    file.write_all(body.as_bytes())?;
    file.write_all(b"\n")?;
    file.rewind()?;
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

fn properties(job: &Job, path: &str, input: OwnedFd) -> Vec<Property> {
    let path = path.to_owned();
    let command = vec![(path.clone(), vec![path], false)];
    let environment = vec![
        format!("STINT_EVENT={}", job.event.event),
        format!("STINT_DELIVERY={}", job.event.seq),
    ];
    let families: Vec<String> =
        ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"].map(str::to_owned).to_vec();
    let mut properties: Vec<Property> = vec![
        ("Description", text(&format!("stint's hook {}, told of {}", job.hook, job.event.event))),
        ("Type", text("oneshot")),
        ("CollectMode", text("inactive-or-failed")),
        ("ExecStart", Variant::from(command)),
        ("Environment", Variant::from(environment)),
        ("StandardInputFileDescriptor", Variant::from(zbus::Fd::from(input))),
        ("StandardOutput", text("journal")),
        ("StandardError", text("journal")),
        ("SyslogIdentifier", text("stint-hook")),
        ("User", text(USER)),
        ("TimeoutStartUSec", Variant::from(TIME_LIMIT)),
        ("TimeoutStopUSec", Variant::from(STOP_LIMIT)),
        ("MemoryMax", Variant::from(MEMORY)),
        ("MemorySwapMax", Variant::from(0_u64)),
        ("TasksMax", Variant::from(TASKS)),
        ("CPUWeight", Variant::from(WEIGHT)),
        ("IOWeight", Variant::from(WEIGHT)),
        ("LogRateLimitIntervalUSec", Variant::from(TIME_LIMIT)),
        ("LogRateLimitBurst", Variant::from(LOG_LINES)),
        ("UMask", Variant::from(0o077_u32)),
        ("CapabilityBoundingSet", Variant::from(0_u64)),
        ("ProtectSystem", text("strict")),
        ("ProtectHome", text("yes")),
        ("ProtectProc", text("invisible")),
        ("KeyringMode", text("private")),
        ("RestrictNamespaces", Variant::from(0_u64)),
        ("RestrictAddressFamilies", Variant::from((true, families))),
    ];
    let switches = [
        "NoNewPrivileges",
        "PrivateTmp",
        "PrivateDevices",
        "ProtectClock",
        "ProtectControlGroups",
        "ProtectHostname",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "LockPersonality",
        "RestrictRealtime",
        "RestrictSUIDSGID",
    ];
    properties.extend(switches.map(|name| (name, Variant::from(true))));
    properties
}

fn text(text: &str) -> Variant<'static> {
    Variant::from(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_hook_reads_the_event_once_and_cannot_change_it() {
        let mut file = File::from(input("{\"event\":\"request.created\"}").unwrap());
        let mut read = String::new();
        file.read_to_string(&mut read).unwrap();
        assert_eq!(read, "{\"event\":\"request.created\"}\n");
        assert!(file.write_all(b"x").is_err());
    }
}
