//! Lines on terminals: an approver who is logged in hears of a request at once, nobody else does,
//! and what somebody typed moves no cursor.

use crate::common::{SOON, builder, document};
use stint_tests::{Host, Shell, Suite};

const POLICY: &str = r#"
[gate]
mode = "enforce"

[roles.admin]
description = "Anything as root"
sudo = [{ run_as = "root", commands = ["ALL"] }]
eligible = ["alice", "bob"]
approvers = ["bob", "carol"]
approvals = 1
max_duration = "4h"

[roles.emergency]
description = "For the night"
sudo = [{ run_as = "root", commands = ["ALL"] }]
eligible = ["alice"]
approvers = ["bob", "carol"]
break_glass = true
max_duration = "1h"
"#;

/// Somebody at a terminal that is theirs, as sshd and login leave it; `script` alone does not.
pub fn at_terminal(host: &Host, user: &str, mode: &str) -> Shell {
    let mut shell = host.shell(user);
    let shown = shell.run("tty").stdout;
    let tty = shown.trim();
    assert!(tty.starts_with("/dev/pts/"), "{tty}");
    host.ok(&format!("chown {user}:tty {tty} && chmod {mode} {tty}"));
    shell
}

/// Asks for a role and returns the request's id.
fn ask(host: &Host, user: &str, what: &str) -> String {
    let asked = host.as_user(user, &format!("stint request {what} --json"));
    assert!(asked.ok(), "{asked}");
    document(&asked.stdout)["id"].as_str().unwrap_or_else(|| panic!("{asked}")).to_owned()
}

/// Asserts that nothing has come to this terminal: what was told last is on another one already.
fn assert_untold(shell: &mut Shell, who: &str) {
    let shown = shell.run("echo still here").stdout;
    assert!(!shown.contains("stint: "), "{who}: {shown:?}");
}

#[test]
fn approvers_hear_of_a_request_and_nobody_else_does() {
    for suite in Suite::ALL {
        let host = builder(suite, POLICY).boot();
        let mut alice = at_terminal(&host, "alice", "620");
        let mut carol = at_terminal(&host, "carol", "600");
        let mut bob = at_terminal(&host, "bob", "620");
        let reason = "a disk\u{1b}[2J is full";
        let id = ask(&host, "alice", &format!("admin --for 30m --reason '{reason}'"));
        let shown = bob.expect_within(&id, SOON);
        assert!(shown.contains("stint: ") && shown.contains("alice"), "{shown:?}");
        let line = format!("{shown}{}", bob.expect("\n"));
        assert!(!line.contains('\u{1b}'), "{line:?}");
        assert_untold(&mut alice, "the one who asks");
        assert_untold(&mut carol, "mesg n");

        // bob may approve for others; his own request is not for him.
        host.ok("stint status >/dev/null");
        let own = ask(&host, "bob", "admin --for 30m --reason 'something of my own'");
        let tty = carol.run("chmod 620 $(tty)");
        assert!(tty.ok(), "{tty}");
        assert_untold(&mut bob, "one's own request");
        assert_ne!(own, id);
    }
}

#[test]
fn an_emergency_is_shown_to_those_who_take_no_messages_too() {
    let host = builder(Suite::Trixie, POLICY).boot();
    let mut carol = at_terminal(&host, "carol", "600");
    let mut bob = at_terminal(&host, "bob", "620");
    let line = "stint request emergency --for 30m --reason 'nobody else is awake' --json";
    let taken = host.as_user("alice", line);
    assert!(taken.ok(), "{taken}");
    for (shell, who) in [(&mut bob, "bob"), (&mut carol, "mesg n")] {
        let shown = shell.expect_within("emergency", SOON);
        assert!(shown.contains("\u{7}stint: "), "{who}: {shown:?}");
    }
    assert_eq!(host.journal_of("STINT_EVENT=break_glass.used PRIORITY=1", 1, SOON).len(), 1);
}

#[test]
fn somebody_who_came_by_ssh_is_told_too() {
    // Where there is no utmp, logind does not know sshd's terminals.
    for suite in Suite::ALL {
        let host = builder(suite, POLICY).boot();
        host.ok("mkdir -p /run/sshd && systemctl start ssh && \
                 ssh-keygen -q -t ed25519 -N '' -f /root/key && mkdir -p /home/bob/.ssh && \
                 cp /root/key.pub /home/bob/.ssh/authorized_keys && chmod 700 /home/bob/.ssh && \
                 chown -R bob /home/bob/.ssh");
        let mut root = host.shell("root");
        root.start("ssh -tt -q -i /root/key -o StrictHostKeyChecking=no bob@127.0.0.1");
        root.type_line("printf 'he is %s\\n' in");
        root.expect("he is in");
        let id = ask(&host, "alice", "admin --for 30m --reason 'a disk is full'");
        root.expect_within(&id, SOON);
    }
}

#[test]
fn terminals_that_are_switched_off_stay_quiet() {
    let policy = format!("[notify]\nterminals = false\n{POLICY}");
    let host = builder(Suite::Bookworm, &policy).boot();
    let mut bob = at_terminal(&host, "bob", "620");
    ask(&host, "alice", "admin --for 30m --reason 'a disk is full'");
    let told = host.journal_of("STINT_EVENT=request.created", 1, SOON);
    assert_eq!(told.len(), 1);
    assert_untold(&mut bob, "switched off");
}
