//! What the command prints: for people, for pipes, for programs, and the same in the help, the man
//! page and the completions.

use crate::common::document;
use crate::parley::{all_grants, gated, grant, prepared};
use serde_json::Value;
use stint_tests::{Host, Suite, clock, deb_under_test};

/// The names of an object's fields, in the order of the alphabet.
fn fields(value: &Value) -> String {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    let mut names: Vec<_> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}

/// RFC 3339, UTC, to the millisecond.
fn assert_time(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("no time: {value}"));
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text}");
}

/// Has the host's people live where it is noon: a time of another day is shown with its day.
fn at_noon(host: &Host) {
    let hour = clock::wall().as_secs() / 3_600 % 24;
    // The signs of these zones are those of POSIX: east is less.
    let zone = match hour {
        0..12 => format!("GMT-{}", 12 - hour),
        _ => format!("GMT+{}", hour - 12),
    };
    host.ok(&format!("ln -sfn /usr/share/zoneinfo/Etc/{zone} /etc/localtime"));
}

const GRANT: &str = "approvals end_reason ended_at expires_at granted_by groups id origin reason \
                     request residue reviewed_by role services starts_at state ticket uid user without";

#[test]
fn json_is_one_document_with_the_contracts_names_and_utc_times() {
    let host = gated(Suite::Bookworm);
    // Whatever clock the host shows its people.
    host.ok("ln -sf /usr/share/zoneinfo/Pacific/Auckland /etc/localtime");
    let ask = |line: &str| document(&host.ok(line));
    let given = ask("stint grant alice admin --for 1h --reason x --ticket CHG-1 --json");
    assert_eq!(fields(&given), GRANT);
    assert_time(&given["starts_at"]);
    assert_time(&given["expires_at"]);
    for (name, value) in [
        ("user", Value::from("alice")),
        ("uid", Value::from(1000)),
        ("role", Value::from("admin")),
        ("state", Value::from("active")),
        ("origin", Value::from("admin")),
        ("reason", Value::from("x")),
        ("ticket", Value::from("CHG-1")),
        ("granted_by", Value::from("root")),
        ("approvals", Value::Array(Vec::new())),
        ("ended_at", Value::Null),
        ("end_reason", Value::Null),
    ] {
        assert_eq!(given[name], value, "{name}");
    }
    assert_eq!(ask("stint list --json"), Value::Array(vec![given.clone()]));
    let status = document(&host.as_user("alice", "stint status --json").stdout);
    assert_eq!(
        fields(&status),
        "alarms eligible gate_mode grants host notes policy_problem remote requests to_decide user"
    );
    assert_eq!((&status["grants"][0], &status["user"]), (&given, &Value::from("alice")));
    let role = &ask("stint roles --json")[0];
    let wanted = "approvals approvers break_glass default_duration_seconds description eligible \
                  groups max_duration_seconds name polkit reason services sudo ticket";
    assert_eq!(fields(role), wanted);
    assert_eq!((&role["max_duration_seconds"], &role["eligible"]), (&14_400.into(), &false.into()));
    let explained = ask("stint explain --user alice --json");
    assert_eq!(fields(&explained), "at because gated service user verdict");
    assert_time(&explained["at"]);
    assert_eq!((&explained["verdict"], &explained["service"]), (&"allow".into(), &"sudo".into()));
    assert_eq!(explained["gated"], true);
    let reloaded = ask("stint reload --json");
    assert_eq!(fields(&reloaded), "ended gate_differs gate_mode granted roles warnings");
    let doctor = ask("stint doctor --json");
    assert_eq!(fields(&doctor), "closing findings kernel_audit sudo_gated");
    let gate = ask("stint gate --json");
    assert_eq!(fields(&gate[0]), "exempt gate problem service through");
    let checked = ask("stint policy check --json");
    assert_eq!(fields(&checked), "diagnostics ok");
    let ended = ask("stint revoke --all --reason over --json");
    assert_eq!((fields(&ended[0]), &ended[0]["end_reason"]), (GRANT.to_owned(), &"revoked".into()));
    assert_time(&ended[0]["ended_at"]);
    // People read their own clock.
    let local = host.ok("stint list --all");
    let utc = ended[0]["starts_at"].as_str().unwrap();
    assert!(!local.contains(&utc[11..16]), "{local} shows UTC");
}

#[test]
fn stint_alone_says_what_one_holds() {
    let host = gated(Suite::Bookworm);
    at_noon(&host);
    host.ok("usermod -aG engineers carol");
    let alone = |user: &str| host.as_user(user, "stint").stdout;
    assert_eq!(host.ok("stint"), "You hold nothing on web-1.\n");
    assert_eq!(alone("bob"), "You hold nothing on web-1.\n");
    assert_eq!(
        alone("carol"),
        "You hold nothing on web-1.\nYou may ask for  crew       stint roles\n"
    );
    let hers = grant(&host, "alice", "admin", "--for 30m");
    let table = alone("alice");
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(
        lines[..2],
        ["You hold on web-1", "  ROLE   OPENS  LEFT    ENDS   APPROVED BY  GRANT"]
    );
    assert!(lines[2].starts_with("  admin  sudo   30 min  "), "{table}");
    assert!(lines[2].ends_with(&format!("  root         {hers}")), "{table}");
    assert_eq!(lines[3..], ["You may ask for  admin       stint roles"]);
    assert_eq!(host.as_user("alice", "stint status").stdout, table, "stint alone is stint status");
    assert_eq!(host.ok("stint"), "You hold nothing on web-1.\n", "root holds nothing by it");
}

#[test]
fn explain_says_why_and_what_the_gate_then_does() {
    let host = gated(Suite::Trixie);
    let why = |user: &str| {
        let text = host.as_user(user, "stint explain").stdout;
        let (first, rest) = text.split_once('\n').unwrap();
        (first.split_once(' ').unwrap().1[6..].to_owned(), rest.to_owned())
    };
    let (verdict, because) = why("alice");
    assert_eq!(verdict, "sudo does not let alice in.");
    assert_eq!(
        because,
        "  alice holds no grant on web-1.\n  \
         admin would open it; alice is eligible by alice (/etc/stint/policy.toml:9).\n  \
         A request for admin would be refused: admin needs one approval, and the policy names \
         nobody who may give it (/etc/stint/policy.toml:6).\n"
    );
    assert_ne!(host.as_user("alice", "sudo -n true").status, 0);
    let hers = grant(&host, "alice", "admin", "--for 30m");
    let (verdict, because) = why("alice");
    assert_eq!(verdict, "sudo lets alice in.");
    assert!(because.contains(&hers) && because.contains("admin opens sudo"), "{because}");
    assert!(host.as_user("alice", "sudo -n true").ok());
    // Another time, another door, somebody else.
    assert!(host.ok("stint explain --user alice --at +1h").contains("sudo does not let alice in."));
    assert!(host.ok("stint explain su --user alice").contains("su does not let alice in."));
    assert!(host.ok("stint explain --user root").contains("sudo lets root in."));
}

#[test]
fn explain_says_of_a_service_that_is_not_gated_that_it_is_not() {
    let host = gated(Suite::Bookworm);
    let first = |service: &str| {
        let text = host.as_user("alice", &format!("stint explain {service}")).stdout;
        assert!(text.contains(&format!("{service} does not let alice in.")), "{service}: {text}");
        text.lines().next().unwrap_or_default().to_owned()
    };
    let not_gated = |service: &str| {
        format!("{service} is not gated on this host. If it were (stint gate on {service}):")
    };
    let gated = |service: &str| {
        let line = format!("stint explain {service} --json");
        document(&host.as_user("alice", &line).stdout)["gated"].clone()
    };
    for service in ["su", "su-l", "doas", "of-no-program"] {
        assert_eq!((first(service), gated(service)), (not_gated(service), false.into()));
    }
    for service in ["sudo", "sudo-i"] {
        assert!(first(service).starts_with("At "), "{service}");
        assert_eq!(gated(service), true, "{service}");
    }
    host.ok("stint gate on su");
    assert!(first("su").starts_with("At "));
    assert_eq!((gated("su-l"), gated("doas")), (true.into(), false.into()), "su-l includes su");
    // What alice may not read she is told nothing about.
    host.ok("chmod 0600 /etc/pam.d/doas");
    assert!(first("doas").starts_with("At "));
    assert_eq!(gated("doas"), Value::Null);
    assert_eq!(host.ok("stint explain doas").lines().next(), Some(&*not_gated("doas")));
}

#[test]
fn output_fits_pipes_terminals_and_people_without_colour() {
    let host = gated(Suite::Bookworm);
    at_noon(&host);
    let reason = "a reason that goes on and on over the edge of any terminal that is narrow";
    host.ok(&format!("stint grant alice admin --reason '{reason}'"));
    let plain = host.ok("stint list");
    assert!(!plain.contains('\u{1b}'), "colour in a pipe: {plain}");
    let head = host.run("{ stint list; echo \"status $?\" >&2; } | head -n 1");
    assert_eq!(head.stdout, "  GRANT  USER   ROLE   STATE   FROM   UNTIL  LEFT    BY    REASON\n");
    assert_eq!(head.stderr, "status 0\n");
    // A reader who has left takes nothing back and is no error.
    let gone =
        host.run("{ sleep 0.2; stint grant bob crew --reason x; echo \"status $?\" >&2; } | true");
    assert_eq!(gone.stderr, "status 0\n");
    assert_eq!(all_grants(&host).as_array().unwrap().len(), 2);
    let full = host.run("stint list >/dev/full");
    assert_eq!((full.status, full.stdout.as_str()), (1, ""), "{full}");
    assert!(full.stderr.starts_with("stint: standard output: "), "{full}");

    let mut shell = host.shell("alice");
    let coloured = shell.run("TERM=xterm-256color stint").stdout;
    assert!(coloured.contains("\u{1b}["), "no colour on a terminal: {coloured:?}");
    let told = shell.run("TERM=xterm-256color NO_COLOR=1 stint").stdout;
    assert!(!told.contains('\u{1b}'), "colour under NO_COLOR: {told:?}");
    for columns in [80, 40, 1] {
        let narrow = shell.run(&format!("stty cols {columns}; NO_COLOR=1 stint list"));
        assert!(narrow.ok() && narrow.stdout.contains(reason), "{columns}: {narrow}");
    }
}

/// The long options and the verbs in a help text.
fn words_of_help(help: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut in_verbs = false;
    for line in help.lines() {
        if !line.starts_with(' ') {
            in_verbs = line == "Verbs:";
        }
        let words = line.trim().split([' ', ',', '=']).take(3);
        found.extend(
            words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned),
        );
        if in_verbs && line.starts_with("  ") && !line.starts_with("   ") {
            found.extend(line.split_whitespace().next().map(str::to_owned));
        }
    }
    found
}

#[test]
fn help_man_pages_and_completions_agree() {
    let host = prepared(Suite::Bookworm).boot();
    host.put(&deb_under_test(), "/root/stint.deb", "0644");
    let page = host.ok("dpkg-deb --fsys-tarfile /root/stint.deb | tar -xO ./usr/share/man/man1/stint.1.gz | gunzip");
    let page = page.replace("\\-", "-");
    let bash = host.ok("cat /usr/share/bash-completion/completions/stint");
    let zsh = host.ok("cat /usr/share/zsh/vendor-completions/_stint");
    let fish = host.ok("cat /usr/share/fish/vendor_completions.d/stint.fish");
    let verbs = words_of_help(&host.ok("stint --help"));
    for verb in [
        "status", "roles", "explain", "grant", "revoke", "list", "reload", "gate", "doctor",
        "policy",
    ] {
        assert!(verbs.iter().any(|word| word == verb), "{verb} is not in the help: {verbs:?}");
    }
    assert!(verbs.iter().any(|word| word == "--version"), "{verbs:?}");
    let mut lines: Vec<String> =
        verbs.iter().filter(|word| !word.starts_with('-')).cloned().collect();
    let deeper = ["gate on", "gate off", "policy check", "policy simulate", "policy schema"];
    lines.extend(deeper.map(str::to_owned));
    let mut told = 0;
    for line in lines {
        let help = host.ok(&format!("stint {line} --help"));
        for word in words_of_help(&help).iter().chain([&line]) {
            assert!(page.contains(word.as_str()), "stint(1) has no {word} of stint {line}");
            for part in word.split(' ') {
                let option = part.trim_start_matches("--");
                assert!(bash.contains(part), "bash does not complete {part} of stint {line}");
                assert!(zsh.contains(part), "zsh does not complete {part} of stint {line}");
                assert!(fish.contains(option), "fish does not complete {part} of stint {line}");
            }
            told += 1;
        }
    }
    assert!(told > 50, "only {told} words were found in the help");
    assert_eq!(host.ok("stint --version"), host.ok("stintd --version").replace("stintd", "stint"));
}
