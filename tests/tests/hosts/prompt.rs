//! The module's `prompt`: at a terminal, who may ask for what is missing is asked there and then,
//! and sudo goes on when it is granted. Never without a terminal, never with `-n`, and nothing is
//! held while somebody types.

use std::time::Duration;

use stint_tests::clock::pause;
use stint_tests::{Host, Suite, eventually};

use crate::common::{SOON, builder, document, gate, plain};
use crate::workflow::{approve, line, outcome};

const POLICY: &str = r#"
[gate]
prompt = true

[approvals]
authenticate = false

[roles.quick]
sudo = [{ commands = ["ALL"] }]
eligible = ["alice"]
approvals = 0
password = false

[roles.slow]
sudo = [{ commands = ["ALL"] }]
eligible = ["carol"]
approvers = ["bob"]
password = false
"#;

const QUESTION: &str = "stint: what do you need quick for? ";

fn host(suite: Suite) -> Host {
    gate(
        builder(suite, POLICY)
            .file(
                "/etc/sudoers.d/carol",
                0o440,
                "carol ALL=(ALL) NOPASSWD: ALL\nbob ALL=(ALL) ALL\n",
            )
            .boot(),
    )
}

fn programs(suite: Suite) -> &'static [&'static str] {
    if suite.has_sudo_rs() { &["sudo", "sudo-rs"] } else { &["sudo"] }
}

fn requests(host: &Host) -> usize {
    let past = outcome(&host.run(&line("History", "x", "0"))).unwrap();
    past.as_array().unwrap().len()
}

#[test]
fn without_a_terminal_or_with_n_nobody_is_asked() {
    let host = host(Suite::Trixie);
    for program in programs(Suite::Trixie) {
        let output = host.as_user_with("alice", &format!("setsid {program} id -u"), b"why\n", SOON);
        assert_ne!(output.status, 0, "{program}: {output}");
        let mut shell = host.shell("alice");
        let output = shell.run(&format!("{program} -n id -u"));
        assert_ne!(output.status, 0, "{program} -n: {output}");
        assert!(output.stdout.contains("stint request quick"), "{program} -n: {output}");
    }
    assert_eq!(requests(&host), 0);
}

#[test]
fn who_leaves_or_says_nothing_is_denied_at_once_and_has_asked_for_nothing() {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let host = host(suite);
        for program in programs(suite) {
            let mut shell = host.shell("alice");
            shell.start(&format!("{program} id -u"));
            shell.expect(QUESTION);
            // sudo has a moment between its question and its read in which a signal is not heard.
            eventually("the end of sudo", Duration::from_secs(20), || {
                shell.type_keys("\x03");
                pause(Duration::from_millis(500));
                (!host.run(&format!("pgrep -x {program}")).ok()).then_some(())
            });
            shell.interrupt();
            shell.start(&format!("{program} id -u"));
            shell.expect(QUESTION);
            shell.type_line("");
            let output = shell.finish();
            assert_ne!(output.status, 0, "{program}, nothing said: {output}");
            assert!(plain(&output.stdout).contains("stint request quick"), "{program}: {output}");
        }
        assert_eq!(requests(&host), 0);
    }
}

#[test]
fn sudo_goes_on_when_it_is_granted() {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let host = host(suite);
        for program in programs(suite) {
            let mut shell = host.shell("alice");
            shell.start(&format!("{program} id -u"));
            let before = shell.expect(QUESTION);
            assert!(before.contains("sudo on web-1 needs a grant"), "{program}: {before}");
            shell.type_line("the site is down");
            let output = shell.finish();
            assert_eq!(output.status, 0, "{program}: {output}");
            assert!(plain(&output.stdout).lines().any(|line| line == "0"), "{program}: {output}");
            let grant = document(&host.ok("stint list --json"))[0].clone();
            assert_eq!(
                (&grant["reason"], &grant["origin"]),
                (&"the site is down".into(), &"request".into())
            );
            host.ok("stint revoke --all --reason 'the next program'");
        }
    }
}

#[test]
fn what_awaits_approval_says_whose_and_how_to_wait() {
    let host = host(Suite::Trixie);
    for program in programs(Suite::Trixie) {
        let mut shell = host.shell("carol");
        shell.start(&format!("{program} id -u"));
        shell.expect("stint: what do you need slow for? ");
        shell.type_line("to see");
        let output = shell.finish();
        assert_ne!(output.status, 0, "{program}: {output}");
        let said = plain(&output.stdout);
        assert!(said.contains("awaits one approval, from bob"), "{program}: {said}");
        assert!(said.contains("stint wait "), "{program}: {said}");
        // Asked again, she is not asked again.
        let output = shell.run(&format!("{program} id -u"));
        assert!(plain(&output.stdout).contains("awaits one approval"), "{program}: {output}");
        let waiting = outcome(&host.as_user("bob", &line("Pending", "", ""))).unwrap()[0].clone();
        approve(&host, "bob", &waiting).unwrap();
        let output = shell.run(&format!("{program} id -u"));
        assert_eq!(output.status, 0, "{program}: {output}");
        host.ok("stint revoke --all --reason 'the next program'");
    }
}

#[test]
fn with_a_password_the_question_comes_after_it() {
    let host = host(Suite::Bookworm);
    host.ok("sed -i 's/NOPASSWD: //' /etc/sudoers.d/standing");
    let mut shell = host.shell("alice");
    shell.start("sudo id -u");
    shell.expect("assword");
    shell.type_line("pw-alice");
    shell.expect(QUESTION);
    shell.type_line("with a password");
    let output = shell.finish();
    assert_eq!(output.status, 0, "{output}");
}

#[test]
fn parked_prompts_hold_nothing() {
    let host = host(Suite::Bookworm);
    let before = host.ok("ls /proc/$(systemctl show -P MainPID stintd)/fd | wc -l");
    let mut shells: Vec<_> = (0..12).map(|_| host.shell("alice")).collect();
    for shell in &mut shells {
        shell.start("sudo id -u");
        shell.expect(QUESTION);
    }
    let parked = host.ok("ls /proc/$(systemctl show -P MainPID stintd)/fd | wc -l");
    assert_eq!(parked, before, "a prompt holds a connection of the daemon's");
    let sockets = host
        .ok("for p in $(pgrep -x sudo); do ls -l /proc/$p/fd; done | grep -c 'socket:' || true");
    let threads = host.ok("for p in $(pgrep -x sudo); do ls /proc/$p/task; done | wc -l");
    let sudos = host.ok("pgrep -cx sudo");
    assert_eq!(threads, sudos, "a thread is held at the prompt");
    assert!(
        sockets.trim().parse::<u32>().unwrap() <= sudos.trim().parse::<u32>().unwrap(),
        "{sockets}"
    );
    // Time in which somebody types is not the daemon's: far beyond the module's timeout.
    pause(Duration::from_secs(4));
    let last = shells.last_mut().unwrap();
    last.type_line("slow fingers");
    assert_eq!(last.finish().status, 0);
}
