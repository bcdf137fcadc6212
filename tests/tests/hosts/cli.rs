//! The command refuses: what cannot be is one clear message on standard error with the contract's
//! exit status, and nothing is changed.

use crate::parley::{POLICY, all_grants, gated, grant, refused};
use serde_json::Value;
use stint_tests::{Host, Suite};

/// Everything that a mistyped command could have changed.
fn everything(host: &Host) -> (Value, String) {
    let files =
        "sha256sum /etc/group /etc/gshadow /etc/pam.d/* /etc/sudoers.d/* /etc/stint/policy.toml";
    (all_grants(host), host.ok(files))
}

const NO_USER: &str = "only letters, digits, '_', '-' and '.' may stand in it";

#[test]
fn names_that_cannot_be_are_refused_and_change_nothing() {
    let host = gated(Suite::Bookworm);
    grant(&host, "bob", "crew", "--for 1h");
    let before = everything(&host);
    let hostile = [
        "a:b",
        "a,b",
        "#0",
        "%wheel",
        "!bob",
        "a(b",
        "a)b",
        "a\\b",
        "a/b",
        "a=b",
        "a\"b",
        "a b",
        "a\nb",
        "a\u{7}b",
        "a\u{1b}[2J",
        "аlice",
        "alice\u{202e}",
        "*",
        "$(id)",
    ];
    for name in hostile {
        host.write("/root/name", "0600", name);
        let line = "name=$(cat /root/name; echo .); stint grant --reason x -- \"${name%.}\" admin";
        let output = host.run(line);
        let shown: String = name.chars().flat_map(char::escape_default).collect();
        refused(&output, 2, &format!("stint: \"{shown}\" is no user name: {NO_USER}\n"));
    }
    assert_eq!(everything(&host), before);
}

#[test]
fn names_that_nobody_has_are_refused_and_change_nothing() {
    let host = gated(Suite::Bookworm);
    grant(&host, "bob", "crew", "--for 1h");
    let before = everything(&host);
    let no_role = "there is no role nosuch; the roles of this host: admin, crew";
    for (words, message) in [
        ("-rf admin", "\"-rf\" is no user name: it must begin with a letter or '_'"),
        ("1234 admin", "\"1234\" is no user name: it must begin with a letter or '_'"),
        ("0x10 admin", "\"0x10\" is no user name: it must begin with a letter or '_'"),
        ("a..b admin", "\"a..b\" is no user name: dots may only stand alone inside it"),
        (".. admin", "\"..\" is no user name: it must begin with a letter or '_'"),
        ("ALL admin", "\"ALL\" is no user name: sudoers reads it as everybody"),
        ("'' admin", "\"\" is no user name: it needs 1 to 32 characters"),
        ("ghost admin", "there is no account \"ghost\" on this host"),
        ("Alice admin", "there is no account \"Alice\" on this host"),
        ("root admin", "\"root\" is root, who needs no grant and is always let in"),
        (
            "daemon admin",
            "\"daemon\" is a system account (uid 1): it may hold a role only if the policy names it",
        ),
        ("alice nosuch", no_role),
        (
            "alice Admin",
            "\"Admin\" is no role name: only small letters, digits and '-' may stand in it",
        ),
    ] {
        let output = host.run(&format!("stint grant --for 30m --reason x -- {words}"));
        refused(&output, 2, &format!("stint: {message}\n"));
    }
    assert_eq!(everything(&host), before);
}

#[test]
fn what_a_verb_does_not_find_is_told_and_nothing_changes() {
    let host = gated(Suite::Bookworm);
    grant(&host, "bob", "crew", "--for 1h");
    let before = everything(&host);
    // Two names with one number: nobody can tell whose sudo it would be.
    host.ok("useradd --non-unique --uid 1000 twin");
    let twin = "\"twin\" shares uid 1000 with \"alice\": give each account a uid of its own";
    refused(&host.run("stint grant twin admin --reason x"), 2, &format!("stint: {twin}\n"));
    host.ok("userdel twin");
    for (line, message) in [
        ("stint revoke --user ghost --reason x", "there is no account \"ghost\" on this host"),
        (
            "stint revoke --role nosuch --reason x",
            "the policy has no role nosuch; stint roles shows them",
        ),
        ("stint list --user ghost", "there is no account \"ghost\" on this host"),
        ("stint list --all --role nosuch", "the policy has no role nosuch; stint roles shows them"),
        ("stint explain --user ghost", "there is no account \"ghost\" on this host"),
        (
            "stint explain ../shadow",
            "\"../shadow\" is no PAM service: only letters, digits, '_', '-', '.' and '@' may stand in it",
        ),
        (
            "stint gate on nosuch",
            "there is no PAM service nosuch: /etc/pam.d/nosuch does not exist",
        ),
        (
            "stint gate off nosuch",
            "there is no PAM service nosuch: /etc/pam.d/nosuch does not exist",
        ),
    ] {
        refused(&host.run(line), 2, &format!("stint: {message}\n"));
    }
    assert_eq!(everything(&host), before);
}

#[test]
fn times_that_cannot_be_are_refused_and_change_nothing() {
    let host = gated(Suite::Trixie);
    let before = everything(&host);
    let no_time =
        "is no time: write it such as 14:30, +30m, \"2026-12-01 09:00\" or 2026-12-01T09:00:00Z";
    let too_long = "is too long: 366d is the longest";
    let no_duration = "is no duration: write it such as 30m, 1h30m, 90s or 2d";
    for (options, status, message) in [
        ("--for 0s", 2, "\"0s\" is no time at all: 1s is the shortest".to_owned()),
        ("--for 0h0m", 2, "\"0h0m\" is no time at all: 1s is the shortest".to_owned()),
        ("--for -30m", 2, "\"-30m\" is no time at all: 1s is the shortest".to_owned()),
        ("--for 30", 2, format!("\"30\" {no_duration}")),
        ("--for soon", 2, format!("\"soon\" {no_duration}")),
        ("--for ''", 2, format!("\"\" {no_duration}")),
        ("--for 367d", 2, format!("\"367d\" {too_long}")),
        ("--for 99999999999999999999s", 2, format!("\"99999999999999999999s\" {too_long}")),
        ("--for 18446744073709551615s", 2, format!("\"18446744073709551615s\" {too_long}")),
        (
            "--for 4h1s",
            3,
            "admin is given for at most 4h, not for 4h1s (/etc/stint/policy.toml:10)".to_owned(),
        ),
        ("--at yesterday", 2, format!("\"yesterday\" {no_time}")),
        ("--at 25:00", 2, format!("\"25:00\" {no_time}")),
        (
            "--at 2020-01-01T00:00:00Z",
            2,
            "a grant cannot begin in the past (2020-01-01T00:00:00.000Z is over)".to_owned(),
        ),
        ("--at 99999-01-01T00:00:00Z", 2, format!("\"99999-01-01T00:00:00Z\" {no_time}")),
    ] {
        let output = host.run(&format!("stint grant alice admin --reason x {options}"));
        refused(&output, status, &format!("stint: {message}\n"));
    }
    for (reason, message) in [
        ("''", "the reason is empty: say what it is for"),
        ("' \t '", "the reason is empty: say what it is for"),
        ("$(printf '%0513d' 0)", "the reason is too long: 512 characters at most"),
    ] {
        let output = host.run(&format!("stint grant alice admin --reason {reason}"));
        refused(&output, 2, &format!("stint: {message}\n"));
    }
    assert_eq!(everything(&host), before);
}

#[test]
fn an_id_that_is_nobodys_or_more_than_ones_ends_nothing() {
    let host = gated(Suite::Bookworm);
    let unknown = "stint: no running grant has the id zzzzzz; stint list shows them\n";
    refused(&host.run("stint revoke zzzzzz --reason x"), 5, unknown);
    refused(
        &host.run("stint revoke G4T9 --reason x"),
        2,
        "stint: \"G4T9\" is no id: ids look like g4t9\n",
    );
    // There are 31 letters, so that 32 ids cannot all begin with different ones.
    host.ok("for n in $(seq 32); do stint grant alice admin --reason x --at +1h >/dev/null || exit; done");
    let before = all_grants(&host);
    let ids: Vec<_> =
        before.as_array().unwrap().iter().map(|grant| grant["id"].as_str().unwrap()).collect();
    let shared = |letter: &str| ids.iter().filter(|id| id.starts_with(letter)).count();
    let letter = ids.iter().map(|id| &id[..1]).find(|letter| shared(letter) > 1).unwrap();
    let message = format!(
        "stint: {} grants have ids that begin with {letter}; type one more letter\n",
        shared(letter)
    );
    refused(&host.run(&format!("stint revoke {letter} --reason x")), 5, &message);
    assert_eq!(all_grants(&host), before);
    host.ok(&format!("stint revoke {} --reason x", ids[0]));
    let again = format!("stint: no running grant has the id {}; stint list shows them\n", ids[0]);
    refused(&host.run(&format!("stint revoke {} --reason x", ids[0])), 5, &again);
}

#[test]
fn words_that_are_mistyped_are_told_and_nobody_but_root_changes_anything() {
    let host = gated(Suite::Trixie);
    let before = everything(&host);
    for (line, first) in [
        ("stint grnat alice admin", "stint: unrecognized subcommand 'grnat'"),
        ("stint list --jsno", "stint: unexpected argument '--jsno' found"),
        ("stint grant alice", "stint: the following required arguments were not provided:"),
        ("stint revoke --reason x", "stint: the following required arguments were not provided:"),
        ("stint revoke --all", "stint: the following required arguments were not provided:"),
        (
            "stint revoke zz --all --reason x",
            "stint: the argument '[ID]' cannot be used with '--all'",
        ),
        ("stint gate on", "stint: the following required arguments were not provided:"),
        ("stint list alice", "stint: unexpected argument 'alice' found"),
        ("stint \"$(printf 'a\\033[2Jb')\"", "stint: unrecognized subcommand 'ab'"),
    ] {
        let output = host.run(line);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{line}: {output}");
        assert_eq!(output.stderr.lines().next(), Some(first), "{line}");
        assert!(!output.stderr.contains('\u{1b}'), "{line}: {output}");
    }
    for line in ["stint grnat alice admin", "stint generat"] {
        let said = host.run(line).stderr;
        assert!(!said.contains("generate"), "{line} leads to a verb that is hidden: {said}");
    }
    for (verb, rest) in [
        ("grant", "alice admin --reason x"),
        ("revoke", "--all --reason x"),
        ("reload", ""),
        ("doctor", ""),
        ("gate on", "sudo"),
        ("gate off", "--all"),
    ] {
        let output = host.as_user("alice", &format!("stint {verb} {rest}"));
        refused(&output, 3, &format!("stint {verb} is root's: run it as root\n"));
    }
    let about = "stint: only root may ask about others; leave --user out to ask about yourself\n";
    refused(&host.as_user("alice", "stint explain --user bob"), 3, about);
    assert_eq!(everything(&host), before);
}

#[test]
fn a_stintd_that_is_away_is_status_69() {
    let host = gated(Suite::Bookworm);
    let before = everything(&host);
    host.ok("systemctl mask -q --runtime stintd.service && systemctl stop stintd.service");
    let message =
        "stint: stintd cannot be reached: it does not run. root: systemctl status stintd\n";
    for verb in [
        "",
        "status",
        "roles",
        "list",
        "explain",
        "reload",
        "grant alice admin --reason x",
        "revoke --all --reason x",
    ] {
        refused(&host.run(&format!("stint {verb} ")), 69, message);
    }
    // What needs no stintd goes on.
    assert_eq!(
        host.ok("stint policy check"),
        "The policy is good: 2 roles, 0 grants held from it.\n"
    );
    assert!(host.ok("stint gate").contains("sudo"));
    host.ok("systemctl unmask -q --runtime stintd.service && systemctl start stintd.service");
    assert_eq!(everything(&host), before);
}

#[test]
fn a_bad_policy_is_told_with_every_error_and_changes_nothing() {
    let host = gated(Suite::Bookworm);
    let held = grant(&host, "alice", "admin", "--for 1h");
    let before = all_grants(&host);
    let bad = POLICY
        .replace("max_duration = \"4h\"", "max_duratoin = \"4h\"")
        .replace("commands = [\"ALL\"]", "commands = [\"systemctl\"]")
        .replace("groups = [\"crew\"]", "groups = [\"nosuch\"]");
    host.write_policy(&bad);
    for line in ["stint reload", "stint policy check"] {
        let output = host.run(line);
        assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{line}: {output}");
        for part in [
            "/etc/stint/policy.toml:8:",
            "systemctl",
            "/etc/stint/policy.toml:10:1:",
            "max_duratoin",
            "max_duration",
            "/etc/stint/policy.toml:16:",
            "nosuch",
        ] {
            assert!(output.stderr.contains(part), "{line}, {part}: {output}");
        }
    }
    host.write_policy(&format!("{POLICY}\n[roles.admin]\nmax_duration = \"1h\"\n"));
    let twice = host.run("stint reload");
    assert_eq!(twice.status, 1, "{twice}");
    assert!(
        twice.stderr.contains("admin") && twice.stderr.contains("/etc/stint/policy.toml:"),
        "{twice}"
    );
    host.write_policy(POLICY);
    host.ok("chmod 0666 /etc/stint/policy.toml");
    for line in ["stint reload", "stint policy check"] {
        let writable = host.run(line);
        assert_eq!(writable.status, 1, "{line}: {writable}");
        assert!(writable.stderr.contains("/etc/stint/policy.toml"), "{line}: {writable}");
    }
    assert_eq!(all_grants(&host), before);
    assert_eq!(host.as_user("alice", "sudo -n id -u").stdout, "0\n", "{held} is still held");
    assert!(
        host.ok("stint").contains("The policy on disk was refused; the one before is in force:")
    );
    host.ok("chmod 0644 /etc/stint/policy.toml");
    assert_eq!(
        host.ok("stint reload"),
        "The policy is in force: 2 roles on this host, gate mode enforce.\n"
    );
}
