//! The command as it is typed: what it says and how it ends when it cannot do what was asked.
//! Without a daemon, without a bus, as root and as somebody else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use crate::{command, refuses};

const NOBODY: u32 = 65_534;

/// As whoever runs the tests.
fn stint(arguments: &[&str]) -> Output {
    crate::stint(arguments).output().unwrap()
}

/// As somebody who is not root.
fn as_nobody(arguments: &[&str]) -> Output {
    if !nix::unistd::geteuid().is_root() {
        return stint(arguments);
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("stint");
    // By another process: a file that this one has open for writing cannot be run meanwhile.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_stint")).arg(&program).status();
    assert!(copied.unwrap().success());
    command(&program, arguments).uid(NOBODY).gid(NOBODY).current_dir("/").output().unwrap()
}

#[test]
fn root_verbs_are_roots() {
    for (verb, arguments) in [
        ("grant", vec!["grant", "alice", "admin", "--for", "30m", "--reason", "x"]),
        ("revoke", vec!["revoke", "--all", "--reason", "x"]),
        ("reload", vec!["reload"]),
        ("doctor", vec!["doctor"]),
        ("gate on", vec!["gate", "on", "sudo"]),
        ("gate off", vec!["gate", "off", "--all"]),
    ] {
        let message = format!("stint {verb} is root's: run it as root\n");
        refuses(&as_nobody(&arguments), 3, &message);
    }
}

#[test]
fn a_daemon_that_is_away_is_status_69() {
    let message = "stint: stintd cannot be reached: the system bus does not answer. \
                   root: systemctl status stintd\n";
    for arguments in [
        &[][..],
        &["status"],
        &["roles", "--json"],
        &["list"],
        &["explain", "su"],
        &["request", "admin", "--reason", "x"],
        &["request", "admin", "--reason", "x", "--ticket", "INC-1", "--wait"],
        &["wait", "7kq2"],
        &["cancel", "7kq2"],
        &["run", "admin", "--", "true"],
        &["extend", "g4t9", "--for", "15m"],
        &["drop"],
        &["pending", "--json"],
        &["approve", "7kq2", "--yes"],
        &["deny", "7kq2", "--reason", "x"],
        &["review", "g4t9", "--note", "x"],
    ] {
        refuses(&as_nobody(arguments), 69, message);
    }
}

#[test]
fn bad_words_are_one_clear_line_and_status_2() {
    let grant = |user, role, length, reason| {
        stint(&["grant", user, role, "--for", length, "--reason", reason])
    };
    for (output, message) in [
        (
            grant("a b", "admin", "30m", "x"),
            "stint: \"a b\" is no user name: only letters, digits, '_', '-' and '.' may stand in it\n",
        ),
        (
            grant("%wheel", "admin", "30m", "x"),
            "stint: \"%wheel\" is no user name: only letters, digits, '_', '-' and '.' may stand in it\n",
        ),
        (
            grant("ALL", "admin", "30m", "x"),
            "stint: \"ALL\" is no user name: sudoers reads it as everybody\n",
        ),
        (
            grant("a\u{1b}[2J", "admin", "30m", "x"),
            "stint: \"a\\u{1b}[2J\" is no user name: only letters, digits, '_', '-' and '.' may stand in it\n",
        ),
        (
            grant("alice", "Admin", "30m", "x"),
            "stint: \"Admin\" is no role name: only small letters, digits and '-' may stand in it\n",
        ),
        (
            grant("alice", "admin", "0s", "x"),
            "stint: \"0s\" is no time at all: 1s is the shortest\n",
        ),
        (
            grant("alice", "admin", "-30m", "x"),
            "stint: \"-30m\" is no time at all: 1s is the shortest\n",
        ),
        (
            grant("alice", "admin", "99999999999999999999s", "x"),
            "stint: \"99999999999999999999s\" is too long: 366d is the longest\n",
        ),
        (
            grant("alice", "admin", "soon", "x"),
            "stint: \"soon\" is no duration: write it such as 30m, 1h30m, 90s or 2d\n",
        ),
        (
            stint(&["revoke", "G4T9", "--reason", "x"]),
            "stint: \"G4T9\" is no id: ids look like g4t9\n",
        ),
        (
            stint(&["explain", "../shadow"]),
            "stint: \"../shadow\" is no PAM service: only letters, digits, '_', '-', '.' and '@' may stand in it\n",
        ),
        (
            stint(&["explain", "--at", "soon"]),
            "stint: \"soon\" is no time: write it such as 14:30, +30m, \"2026-12-01 09:00\" or 2026-12-01T09:00:00Z\n",
        ),
    ] {
        refuses(&output, 2, message);
    }
}

#[test]
fn an_empty_reason_is_none() {
    if nix::unistd::geteuid().is_root() {
        let output = stint(&["grant", "alice", "admin", "--for", "30m", "--reason", " "]);
        refuses(&output, 2, "stint: the reason is empty: say what it is for\n");
        let long = "x".repeat(513);
        let output = stint(&["revoke", "--all", "--reason", &long]);
        refuses(&output, 2, "stint: the reason is too long: 512 characters at most\n");
    }
}

#[test]
fn revoke_takes_exactly_one_of_four() {
    for arguments in [
        &["revoke", "--reason", "x"][..],
        &["revoke", "g4t9", "--all", "--reason", "x"],
        &["revoke", "--user", "alice", "--role", "admin", "--reason", "x"],
        &["revoke", "g4t9"],
        &["gate", "off"],
        &["gate", "off", "sudo", "--all"],
        &["nonsense"],
        &["list", "--no\u{1b}pe"],
    ] {
        let output = stint(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("stint: ") && !error.contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn a_policy_with_errors_says_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.toml");
    fs::write(
        &file,
        "[roles.admin]\nsudo = [{ comands = [\"ALL\"] }]\nmax_duration = \"4 hours\"\n\
         [roles.web]\nsudo = [{ commands = [\"systemctl\"] }]\n",
    )
    .unwrap();
    let output = stint(&["policy", "check", file.to_str().unwrap(), "--elsewhere"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    for place in [":2:", ":3:16: roles.admin.max_duration: ", ":5:"] {
        assert!(error.contains(&format!("{}{place}", file.display())), "{place}\n{error}");
    }
    assert!(error.ends_with(" errors\n"), "{error}");
    let output = stint(&["policy", "check", "/nonexistent/policy.toml"]);
    refuses(&output, 1, "stint: /nonexistent/policy.toml: there is no such file\n");
}

#[test]
fn simulate_says_no_with_status_3_and_yes_with_0() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.toml");
    fs::write(
        &file,
        "[roles.admin]\nsudo = [{ commands = [\"ALL\"] }]\neligible = [\"%engineers\"]\n\
         approvals = 0\n",
    )
    .unwrap();
    let simulate = |groups: &str| {
        let file = file.to_str().unwrap();
        let user = ["--user", "alice", "--role", "admin", "--host", "web-1", "--groups", groups];
        stint(&[&["policy", "simulate", file][..], &user].concat())
    };
    let no = simulate("staff");
    assert_eq!(no.status.code(), Some(3), "{no:?}");
    assert!(no.stdout.starts_with(b"alice may not have admin on web-1.\n"), "{no:?}");
    let yes = simulate("staff,engineers");
    assert_eq!(yes.status.code(), Some(0), "{yes:?}");
    assert!(yes.stdout.starts_with(b"alice may have admin on web-1.\n"), "{yes:?}");
}

#[test]
fn a_reader_who_leaves_breaks_nothing() {
    let mut child = crate::stint(&["policy", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        crate::stint(&["policy", "schema"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn man_pages_and_completions_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    for what in ["man", "completions"] {
        assert_eq!(stint(&["generate", what, path]).status.code(), Some(0));
    }
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let wanted = [
        "_stint",
        "pam_stint.8",
        "stint-policy.5",
        "stint-sync.8",
        "stint.1",
        "stint.bash",
        "stint.fish",
        "stintd.8",
    ];
    assert_eq!(names, wanted);
    for name in ["_stint", "stint.bash", "stint.fish"] {
        let text = fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(text.contains("simulate") && !text.contains("generate "), "{name}");
    }
}

#[test]
fn plain_text_has_no_colour_where_there_is_no_terminal() {
    let output = stint(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("grant") && !text.contains('\u{1b}') && !text.contains("generate"));
}
