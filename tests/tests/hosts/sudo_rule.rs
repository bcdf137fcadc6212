//! The sudo rule file says what the running grants say and nothing more: it cannot be widened,
//! is never seen half-written, and is gone with the last grant.

use crate::common::{
    assert_let_in, assert_says, event_of, gated, grant, has_rules, id, is_in, listed, quiet, sudos,
};
use serde_json::Value;
use stint_tests::{Host, Output, Suite};

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false

[roles.anybody]
sudo     = [{ run_as = "ALL", commands = ["ALL"] }]

[roles.narrow]
password = false
record   = false
sudo     = [
  { commands = ["/usr/bin/id -u", "/usr/bin/printf %s a=b:c,d", "/usr/bin/whoami \"\""] },
  { run_as = "carol", commands = ["/usr/bin/id"] },
]

[roles.recorded]
sudo   = [{ commands = ["/usr/bin/id"] }]
record = true

[roles.media]
groups = ["video"]
"#;

const FIRST: &str = "# Written by stintd and replaced whole: edits are lost. Change the policy in /etc/stint instead.";
const LAST: &str = "# End of the rules that stintd has written.";

fn rules(host: &Host) -> String {
    String::from_utf8(host.read("/etc/sudoers.d/stint")).unwrap()
}

/// The tag that this suite's sudo honours, for this grant.
fn notafter(host: &Host, grant: &Value) -> String {
    if host.suite().has_sudo_rs() {
        return String::new();
    }
    let until = grant["expires_at"].as_str().unwrap();
    let second: String = until.chars().take(19).filter(char::is_ascii_digit).collect();
    format!("NOTAFTER={second}Z ")
}

fn comment(grant: &Value, user: &str, role: &str) -> String {
    let until = grant["expires_at"].as_str().unwrap();
    format!("# grant {}: {role} for {user} until {until}", id(grant))
}

fn the_file_says_what_grants_say(suite: Suite) {
    let host = gated(suite, POLICY);
    assert!(!has_rules(&host), "there is a rule file without a grant");
    let media = grant(&host, "carol media --for 1h");
    assert!(!has_rules(&host), "a role without rules writes a rule file");
    let narrow = grant(&host, "bob narrow --for 1h");
    let one = [
        FIRST.to_owned(),
        comment(&narrow, "bob", "narrow"),
        format!(
            "#1001 ALL=(root) {}NOPASSWD: /usr/bin/id -u, /usr/bin/printf %s a\\=b\\:c\\,d, \
             /usr/bin/whoami \"\"",
            notafter(&host, &narrow)
        ),
        format!("#1001 ALL=(carol) {}NOPASSWD: /usr/bin/id", notafter(&host, &narrow)),
        LAST.to_owned(),
    ];
    assert_eq!(rules(&host), one.join("\n") + "\n");
    let anybody = grant(&host, "alice anybody --for 2h");
    let recorded = grant(&host, "carol recorded --for 30m");
    let all = rules(&host);
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!((lines.first(), lines.last()), (Some(&FIRST), Some(&LAST)));
    for (grant, user, role, line) in [
        (&anybody, "alice", "anybody", "#1000 ALL=(ALL) @PASSWD: ALL"),
        (
            &recorded,
            "carol",
            "recorded",
            "#1002 ALL=(root) @LOG_INPUT: LOG_OUTPUT: PASSWD: /usr/bin/id",
        ),
    ] {
        let at = lines.iter().position(|found| **found == comment(grant, user, role));
        let at = at.unwrap_or_else(|| panic!("no comment of {role}: {all}"));
        assert_eq!(lines[at + 1], line.replace('@', &notafter(&host, grant)));
    }
    assert_eq!(lines.len(), 9, "{all}");
    assert_eq!(
        host.ok("stat -c '%a %U:%G %F' /etc/sudoers.d/stint"),
        "440 root:root regular file\n"
    );
    host.ok("visudo -c && visudo -c -f /etc/sudoers.d/stint");
    if suite.has_sudo_rs() {
        host.ok("visudo-rs -c -f /etc/sudoers.d/stint");
    }
    for grant in [&recorded, &anybody] {
        host.ok(&format!("stint revoke {} --reason over", id(grant)));
    }
    assert_eq!(rules(&host), one.join("\n") + "\n", "what is over is not gone");
    host.ok(&format!("stint revoke {} --reason over", id(&narrow)));
    assert!(!has_rules(&host), "a rule file without a rule is left");
    assert_eq!(host.run("ls -A /etc/sudoers.d | grep stint").stdout, "");
    assert_eq!(listed(&host, id(&media))["state"], "active");
}

#[test]
fn on_bookworm_the_rule_file_says_what_the_grants_say_to_the_byte() {
    the_file_says_what_grants_say(Suite::Bookworm);
}

#[test]
fn on_trixie_the_rule_file_says_what_the_grants_say_to_the_byte() {
    the_file_says_what_grants_say(Suite::Trixie);
}

fn refused(output: &Output, what: &str) {
    assert_ne!(output.status, 0, "{what} is let through: {output}");
    assert_eq!(output.stdout, "", "{what} ran: {output}");
}

#[test]
fn only_the_commands_of_a_rule_run_and_only_as_whom_it_says() {
    for suite in Suite::ALL {
        let host = gated(suite, POLICY);
        for sudo in sudos(suite) {
            refused(
                &host.as_user("bob", &format!("{sudo} /usr/bin/id -u")),
                "a rule without a grant",
            );
        }
        let given = grant(&host, "bob narrow --for 1h");
        for sudo in sudos(suite) {
            for no in [
                "/usr/bin/id",
                "/usr/bin/id -u -r",
                "/usr/bin/id -g",
                "/bin/sh -c id",
                "/usr/bin/printf %s a=b",
                "/usr/bin/printf %s a=b:c d",
                "/usr/bin/whoami --version",
                "-u carol /usr/bin/whoami",
                "-u alice /usr/bin/id",
            ] {
                let what = format!("{sudo} {no}");
                refused(&host.as_user("bob", &what), &what);
            }
            for (yes, said) in [
                ("/usr/bin/id -u", "0\n"),
                ("id -u", "0\n"),
                ("/usr/bin/printf %s a=b:c,d", "a=b:c,d"),
                ("/usr/bin/whoami", "root\n"),
                ("-u carol /usr/bin/id -un", "carol\n"),
                ("-u carol /usr/bin/id -u", "1002\n"),
            ] {
                let output = host.as_user("bob", &format!("{sudo} {yes}"));
                assert_eq!(
                    (output.status, output.stdout.as_str()),
                    (0, said),
                    "{sudo} {yes}: {output}"
                );
            }
            refused(&host.as_user("carol", &format!("{sudo} /usr/bin/id -u")), "somebody else");
        }
        host.ok(&format!("stint revoke {} --reason over", id(&given)));
        for sudo in sudos(suite) {
            refused(
                &host.as_user("bob", &format!("{sudo} /usr/bin/id -u")),
                "a rule after its grant",
            );
        }
    }
}

#[test]
fn no_policy_can_write_more_into_the_file_than_one_command() {
    let host = gated(Suite::Trixie, POLICY);
    let given = grant(&host, "bob narrow --for 1h");
    let before = rules(&host);
    for (commands, said) in [
        (r#""/usr/bin/id\n#1002 ALL=(ALL) NOPASSWD: ALL""#, "may not stand in a command"),
        (r#""/usr/bin/id *""#, "\"*\" may not stand in a command"),
        (r#""/usr/bin/i?""#, "\"?\" may not stand in a command"),
        (r#""/usr/bin/[a-z]d""#, "\"[\" may not stand in a command"),
        (r#""/usr/bin/id \\, ALL""#, "may not stand in a command"),
        (r#""/usr/bin/id \"-u\"""#, "may not stand in a command"),
        (r#""/usr/bin/id ^.*$""#, "\"^\" may not stand in a command"),
        (r#""/usr/bin/../../bin/sh""#, "is no path of one program"),
        (r#""/usr/bin/""#, "is no path of one program"),
        (r#""!/bin/sh""#, "exclusions do not hold"),
        (r#""sudoedit /etc/passwd""#, "is no absolute path"),
        (r#""EVERYTHING""#, "is no absolute path"),
        (r#""id""#, "is no absolute path"),
    ] {
        host.write_policy(&format!("[roles.admin]\nsudo = [{{ commands = [{commands}] }}]\n"));
        let output = host.run("stint reload");
        assert_eq!(output.status, 1, "{commands}: {output}");
        assert!(output.stderr.contains(said), "{commands}: {output}");
        assert_eq!(rules(&host), before, "{commands}");
    }
    for run_as in ["root) NOPASSWD: ALL #", "%sudo", "#0", "ALL, !bob", "a b", "-1"] {
        let rule = format!("{{ run_as = \"{run_as}\", commands = [\"/usr/bin/id\"] }}");
        host.write_policy(&format!("[roles.admin]\nsudo = [{rule}]\n"));
        let output = host.run("stint reload");
        assert_eq!(output.status, 1, "{run_as}: {output}");
        assert!(output.stderr.contains(":2:20: roles.admin.sudo"), "{run_as}: {output}");
        assert_eq!(rules(&host), before, "{run_as}");
    }
    // What only looks like punctuation is one command with these arguments, and no other.
    host.load_policy(
        "[roles.narrow]\npassword = false\n\
         sudo = [{ commands = [\"/usr/bin/printf %s ,/bin/sh :(ALL)=ALL !root\"] }]\n",
    );
    let rule = "NOPASSWD: /usr/bin/printf %s \\,/bin/sh \\:(ALL)\\=ALL !root\n";
    assert!(rules(&host).contains(rule), "{}", rules(&host));
    for sudo in sudos(Suite::Trixie) {
        refused(&host.as_user("bob", &format!("{sudo} /bin/sh -c id")), "a shell");
        refused(&host.as_user("bob", &format!("{sudo} /usr/bin/id")), "another command");
        let ran = host
            .as_user("bob", &format!("{sudo} /usr/bin/printf %s ,/bin/sh ':(ALL)=ALL' '!root'"));
        assert_eq!(ran.stdout, ",/bin/sh:(ALL)=ALL!root", "{sudo}: {ran}");
    }
    assert_eq!(listed(&host, id(&given))["state"], "active");
}

/// Reads the file as fast as it can and counts what is not whole: until /run/stop is there.
const READER: &str = r#"
use strict;
my ($reads, $bad, %seen) = (0, 0);
until (-e "/run/stop") {
    open(my $file, "<", "/etc/sudoers.d/stint") or next;
    local $/;
    my $text = <$file>;
    $reads++;
    $seen{$text} = 1;
    next if $text =~ /\A# Written by stintd .*\n# End of the rules that stintd has written\.\n\z/s
        && ($text =~ tr/\n//) == 2 + 2 * (() = $text =~ /^# grant /mg)
        && (stat $file)[2] == 0100440;
    $bad++;
    print "not whole: $text\n";
}
print "$reads reads, $bad bad, ", scalar(keys %seen), " different\n";
"#;

#[test]
fn nobody_ever_sees_half_a_rule_file() {
    let host = gated(Suite::Bookworm, POLICY);
    let kept = grant(&host, "alice admin --for 1h");
    host.write("/run/reader.pl", "0644", READER);
    host.ok("perl /run/reader.pl >/run/read 2>&1 </dev/null & echo $! >/run/reader.pid");
    host.ok("for i in $(seq 100); do stint grant bob admin --for 1h --reason x || exit 1; \
         [ $((i % 10)) != 0 ] || stint revoke --user bob --reason x || exit 1; done >/dev/null");
    host.ok(
        "touch /run/stop; while kill -0 $(cat /run/reader.pid) 2>/dev/null; do sleep 0.05; done",
    );
    let said = host.ok("cat /run/read");
    let numbers: Vec<u32> =
        said.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
    let [reads, bad, different] = numbers[..] else { panic!("{said}") };
    assert_eq!(bad, 0, "{said}");
    assert!(reads > 1_000 && different > 50, "the reader saw too little: {said}");
    assert_eq!(listed(&host, id(&kept))["state"], "active");
}

#[test]
fn where_the_rules_cannot_be_written_nothing_is_granted() {
    let host = gated(Suite::Trixie, POLICY);
    let mut shell = host.shell("alice");
    let nothing = |what: &str, why: &str| {
        let output = host.run("stint grant bob admin --for 1h --reason x");
        assert_eq!(output.status, 1, "{what}: {output}");
        assert_eq!(output.stderr, format!("stint: nothing was granted: {why}\n"), "{what}");
        assert_eq!(output.stdout, "", "{what}");
        assert_eq!(host.ok("stint list --json"), "[]\n", "{what}");
        let gated = host.as_user("bob", "sudo -n id -u");
        assert_says(&gated, "sudo: a password is required", what);
    };
    host.ok("mv /etc/sudoers.d /etc/elsewhere && ln -s elsewhere /etc/sudoers.d");
    nothing("a link", "/etc/sudoers.d: it is a symbolic link; put the folder itself there");
    assert_eq!(host.ok("ls -A /etc/elsewhere"), "README\nstanding\n", "it was followed");
    let without_rules = grant(&host, "bob media --for 1h");
    assert!(is_in(&host, "bob", "video"), "a role that has no rules needs none written");
    host.ok(&format!("stint revoke {} --reason over", id(&without_rules)));
    host.ok("rm /etc/sudoers.d && mv /etc/elsewhere /etc/sudoers.d");

    host.set_writable("stintd.service", "/etc/sudoers.d", false);
    nothing("read-only", "/etc/sudoers.d/.stint.new: Read-only file system (os error 30)");
    host.set_writable("stintd.service", "/etc/sudoers.d", true);

    let given = grant(&host, "alice admin --for 1h");
    assert_let_in(&host, &mut shell, "once it can be written again");
    event_of(&host, "grant.activated", id(&given));
    quiet(&host);
}
