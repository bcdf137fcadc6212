//! Whichever of the host's services hangs or dies, an end comes in its time: the gate is shut, what
//! was given is gone, and when the service is back all of it is told.

use crate::common::{DENIED, SOON, assert_says, event_of, gated, grant, id, quiet};
use stint_tests::{Host, Shell, Suite, eventually};

fn policy(backend: &str) -> String {
    format!(
        "[groups]\nbackend = \"{backend}\"\n[roles.admin]\ngroups = [\"audio\"]\n\
         sudo = [{{ commands = [\"ALL\"] }}]\npassword = false\ngrace = \"1s\"\n"
    )
}

/// What becomes of a service.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Hangs(&'static str),
    Dies(&'static str),
    SystemdHangs,
}

const TROUBLES: [Trouble; 8] = [
    Trouble::Hangs("dbus.service"),
    Trouble::Dies("dbus.service"),
    Trouble::Hangs("polkit.service"),
    Trouble::Dies("polkit.service"),
    Trouble::Hangs("systemd-logind.service"),
    Trouble::Hangs("systemd-journald.service"),
    Trouble::Dies("systemd-journald.service"),
    Trouble::SystemdHangs,
];

/// Makes the trouble; returns the line that ends it.
fn begin(host: &Host, trouble: Trouble) -> String {
    let pid = |unit: &str| {
        let pid = host.ok(&format!("systemctl start {unit}; systemctl show -P MainPID {unit}"));
        assert_ne!(pid.trim(), "0", "{unit} does not run");
        pid.trim().to_owned()
    };
    match trouble {
        Trouble::Hangs(unit) => {
            let pid = pid(unit);
            host.freeze(&pid);
            format!("kill -CONT {pid}")
        }
        Trouble::Dies(unit) => {
            host.ok(&format!(
                "mkdir -p /run/systemd/system/{unit}.d && \
                 printf '[Service]\\nRestart=no\\n' >/run/systemd/system/{unit}.d/dead.conf && \
                 systemctl daemon-reload"
            ));
            host.ok(&format!("kill -KILL {}", pid(unit)));
            format!(
                "rm -r /run/systemd/system/{unit}.d; systemctl daemon-reload; \
                 systemctl start {unit}"
            )
        }
        Trouble::SystemdHangs => {
            host.freeze_systemd();
            "true".to_owned()
        }
    }
}

/// Whether anything is still given, by the files alone: the tools ask services.
fn given(host: &Host, backend: &str) -> bool {
    let membership = match backend {
        "files" => "grep -q '^audio:.*alice' /etc/group || grep -q '^audio:.*alice' /etc/gshadow",
        _ => "test -e /run/userdb/alice:audio.membership",
    };
    host.run(&format!("{membership} || test -e /etc/sudoers.d/stint")).ok()
}

fn ends_come(host: &Host, shell: &mut Shell, backend: &str, trouble: Trouble) {
    let grant = grant(host, "alice admin --for 3s");
    assert_eq!(shell.run("sudo -n id -u").status, 0, "{trouble:?}");
    assert!(given(host, backend), "{trouble:?}");
    let end = begin(host, trouble);
    eventually(&format!("the end, {trouble:?}"), SOON, || (!given(host, backend)).then_some(()));
    assert_says(&shell.run("sudo -n id -u"), DENIED, &format!("{trouble:?}"));
    if matches!(trouble, Trouble::SystemdHangs) {
        host.thaw_systemd();
    }
    host.ok(&end);
    event_of(host, "grant.expired", id(&grant));
    eventually("stintd on the bus", SOON, || host.run("stint status").ok().then_some(()));
    quiet(host);
}

fn whatever_hangs(suite: Suite, backend: &str) {
    let host = gated(suite, &policy(backend));
    let mut shell = host.shell("alice");
    assert_says(&shell.run("sudo -n id -u"), DENIED, "before");
    for trouble in TROUBLES {
        ends_come(&host, &mut shell, backend, trouble);
    }
}

#[test]
fn on_bookworm_ends_come_whatever_hangs() {
    whatever_hangs(Suite::Bookworm, "files");
}

#[test]
fn on_trixie_ends_come_whatever_hangs() {
    whatever_hangs(Suite::Trixie, "userdb");
}
