//! run0, systemd-run and pkexec by polkit actions: their holder is root until the end, and what run0 has
//! started ends with the grant that let it begin.

use std::time::Duration;
use stint_tests::clock::pause;
use stint_tests::{Suite, eventually};

use crate::common::{SOON, event_of, grant, id, plain, quiet};
use crate::polkit::with;

#[test]
fn run0_and_pkexec_let_their_holders_become_root_until_the_end() {
    for suite in Suite::ALL {
        let host = with(suite).boot();
        let root = |line: &str| {
            let output = host.as_user("alice", line);
            (output.status, plain(&output.stdout)) == (0, "0\n".to_owned())
        };
        let ways: &[(&str, &str)] = match suite {
            Suite::Bookworm => &[
                ("programs", "pkexec --disable-internal-agent id -u"),
                ("units", "systemd-run --no-ask-password -qP id -u"),
            ],
            Suite::Trixie => &[
                ("programs", "pkexec --disable-internal-agent id -u"),
                ("units", "systemd-run --no-ask-password -qP id -u"),
                ("units", "run0 --no-ask-password --pipe id -u"),
            ],
        };
        for (role, line) in ways {
            assert!(!root(line), "{suite:?}: {line} without a grant");
            let given = grant(&host, &format!("alice {role} --for 1h"));
            eventually(line, SOON, || root(line).then_some(()));
            host.ok(&format!("stint revoke {} --reason over", id(&given)));
            eventually(&format!("the end of {line}"), SOON, || (!root(line)).then_some(()));
        }
    }
}

#[test]
fn a_root_shell_by_run0_ends_with_the_grant_that_let_it_begin() {
    let host = with(Suite::Trixie).boot();
    let runs = |name: &str| host.run(&format!("systemctl is-active -q {name}.service")).ok();
    // Not stint's: somebody else's, and what alice had before by another way.
    host.ok("systemd-run -q --unit=others -E SUDO_UID=1001 sleep 1000");
    host.ok("systemd-run -q --unit=earlier -E SUDO_UID=1000 sleep 1000");
    host.ok("systemd-run -q --unit=roots sleep 1000");
    pause(Duration::from_secs(1));
    let first = grant(&host, "alice units --for 1h");
    let mut shell = host.shell("alice");
    let tried = shell.run("run0 --no-ask-password --unit=under-first true");
    assert!(tried.ok(), "{tried}");
    shell.start("run0 --no-ask-password --unit=under-first");
    eventually("a root shell", SOON, || runs("under-first").then_some(()));
    shell.type_line("setsid sleep 4321 & echo I am $(id -u)");
    shell.expect_within("I am 0", SOON);
    pause(Duration::from_secs(1));
    let second = grant(&host, "alice units --for 1h");
    assert!(
        host.as_user(
            "alice",
            "run0 --no-ask-password --unit=under-second sleep 1000 >/dev/null 2>&1 & sleep 3"
        )
        .ok()
    );
    eventually("a second one", SOON, || runs("under-second").then_some(()));
    host.ok(&format!("stint revoke {} --reason over", id(&first)));
    eventually("the end of the root shell", SOON, || (!runs("under-first")).then_some(()));
    shell.finish();
    let ended = event_of(&host, "session.terminated", id(&first));
    let said = ended["MESSAGE"].as_str().unwrap_or_default();
    assert!(said.contains("sleep"), "{said}");
    assert_eq!(host.run("pgrep -xf 'sleep 4321'").stdout, "");
    assert!(runs("under-second"), "another grant of hers has let it begin");
    host.ok(&format!("stint revoke {} --reason over", id(&second)));
    eventually("the end of the second", SOON, || (!runs("under-second")).then_some(()));
    for name in ["others", "earlier", "roots"] {
        assert!(runs(name), "{name} was not stint's to end");
    }
    quiet(&host);
}
