//! What the policy refuses, and in which words. The texts are part of the product.

mod common;

use common::{Host, errors, file, load};
use stint_policy::parse;

#[test]
fn a_bad_duration_reads_as_the_design_says() {
    let text = "\n".repeat(12)
        + "[roles.admin]\nmax_duration = \"4 hours\"\nsudo = [{ commands = [\"ALL\"] }]\n";
    let found = parse(&[file("/etc/stint/policy.toml", &text)], "web-1", None).unwrap_err();
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    let wanted = concat!(
        "/etc/stint/policy.toml:14:16: roles.admin.max_duration: \"4 hours\" is no duration\n",
        "   14 | max_duration = \"4 hours\"\n",
        "      |                ^^^^^^^^^ such as \"4h\", \"90m\", \"1h30m\"",
    );
    assert_eq!(shown, [wanted]);
}

#[test]
fn an_unknown_key_is_refused_with_the_likely_one() {
    let text = "[roles.admin]\nsudo = [{ commands = [\"ALL\"] }]\nmax_durration = \"4h\"\n";
    let shown = load(text).unwrap_err().first().unwrap().to_string();
    let wanted = concat!(
        "p.toml:3:1: roles.admin.max_durration: unknown key\n",
        "    3 | max_durration = \"4h\"\n",
        "      | ^^^^^^^^^^^^^ did you mean max_duration?",
    );
    assert_eq!(shown, wanted);
    assert_eq!(errors("[gates]\n"), ["p.toml:1:2: gates: unknown key"]);
    let text = "[roles.a]\nsudo = [{ command = [\"ALL\"] }]\n";
    let wanted = [
        "p.toml:2:9: roles.a.sudo.commands: missing",
        "p.toml:2:11: roles.a.sudo.command: unknown key",
    ];
    assert_eq!(errors(text), wanted);
}

#[test]
fn everything_wrong_is_told_at_once_in_the_order_of_the_file() {
    let text = r##"
[gate]
mode = "off"
exempt = ["#0"]
[roles.a]
groups = ["dockr"]
approvals = 17
max_duration = "1h"
default_duration = "2h"
password = "no"
eligible = "alice"
hours = "Mon 08:00-18:00 Mars/Olympus"
ticket = "("
hosts = ["web 1"]
[roles.B]
sudo = [{ run_as = "0x0", commands = ["id"] }]
[roles.empty]
[[grants]]
user = "mallory"
role = "aa"
from = 2026-12-01T09:00:00
until = "tomorrow"
"##;
    let wanted = [
        "p.toml:3:8: gate.mode: \"off\" is not known here",
        "p.toml:4:11: gate.exempt: \"#0\" is no user name",
        "p.toml:6:11: roles.a.groups: there is no group \"dockr\" on this host",
        "p.toml:7:13: roles.a.approvals: 17 is out of bounds",
        "p.toml:9:1: roles.a.default_duration: 2h is longer than max_duration, 1h",
        "p.toml:10:12: roles.a.password: \"no\" is neither true nor false",
        "p.toml:11:12: roles.a.eligible: \"alice\" is no list of texts",
        "p.toml:12:9: roles.a.hours: \"Mars/Olympus\" is no known time zone",
        "p.toml:13:10: roles.a.ticket: this is no regular expression: unclosed group",
        "p.toml:14:10: roles.a.hosts: \"web 1\" is no host name, not even with * and ?",
        "p.toml:15:8: roles.B: \"B\" is no role name",
        "p.toml:16:20: roles.B.sudo.run_as: \"0x0\" is no user name",
        "p.toml:16:39: roles.B.sudo.commands: \"id\" is no absolute path",
        "p.toml:17:8: roles.empty: it confers nothing",
        "p.toml:18:1: grants.reason: missing",
        "p.toml:20:8: grants.role: there is no role \"aa\"",
        "p.toml:21:8: grants.from: 2026-12-01T09:00:00 has no time zone",
        "p.toml:22:9: grants.until: \"tomorrow\" is no date and time",
    ];
    assert_eq!(errors(text), wanted);
}

#[test]
fn groups_that_do_not_exist_are_refused_where_the_role_exists() {
    let role = "[roles.a]\ngroups = [\"dockr\"]\n";
    let wanted = "p.toml:2:11: roles.a.groups: there is no group \"dockr\" on this host";
    assert_eq!(errors(role), [wanted]);
    assert!(load(&format!("{role}hosts = [\"db-*\"]\n")).is_ok());
    assert!(parse(&[file("p.toml", role)], "web-1", None).is_ok());
}

#[test]
fn two_roles_of_one_name_are_refused_and_both_places_named() {
    let role = "[roles.a]\nservices = [\"su\"]\n";
    let files = [file("1.toml", &format!("\n{role}")), file("2.toml", role)];
    let found = parse(&files, "web-1", Some(&Host)).unwrap_err();
    let shown: Vec<String> = found.iter().map(|told| told.headline()).collect();
    let wanted = "2.toml:1:8: roles.a: a second role of this name; the first is at 1.toml:2";
    assert_eq!(shown, [wanted]);
    let wanted = "p.toml:3:8: a stands here twice; the first is at p.toml:1";
    assert_eq!(errors(&format!("{role}{role}")), [wanted]);
}

#[test]
fn a_key_of_a_section_stands_in_one_file_only() {
    let files = [
        file("1.toml", "[gate]\nmode = \"observe\"\n"),
        file("2.toml", "[gate]\nexempt = [\"%wheel\"]\nmode = \"enforce\"\n"),
    ];
    let found = parse(&files, "web-1", Some(&Host)).unwrap_err();
    let shown: Vec<String> = found.iter().map(|told| told.headline()).collect();
    assert_eq!(shown, ["2.toml:3:1: gate.mode: set a second time; the first is at 1.toml:2"]);
}

#[test]
fn limits_of_requests_have_bounds() {
    let text = "[requests]\nlapse_after = \"0s\"\nmax_pending_per_user = 101\nmax_pending = 0\n\
                [approvals]\nauthenticate = \"no\"\n[notify]\nterminal = true\n\
                [audit]\nkeep = \"4h\"\n";
    let wanted = [
        "p.toml:2:15: requests.lapse_after: \"0s\" is no time at all",
        "p.toml:3:24: requests.max_pending_per_user: 101 is out of bounds",
        "p.toml:4:15: requests.max_pending: 0 is out of bounds",
        "p.toml:6:16: approvals.authenticate: \"no\" is neither true nor false",
        "p.toml:8:1: notify.terminal: unknown key",
        "p.toml:10:8: audit.keep: \"4h\" is no number of days to keep the record",
    ];
    assert_eq!(errors(text), wanted);
}

#[test]
fn broken_toml_is_told_with_what_else_is_wrong() {
    let text = "[roles.a]\nmax_duration = \"4h\nservices = [\"su\"]\ngrace = \"0s\"\n";
    let found = errors(text);
    assert!(found.first().unwrap().starts_with("p.toml:2:"), "{found:?}");
    assert!(found.first().unwrap().contains("this is no TOML"), "{found:?}");
    assert_eq!(found.last().unwrap(), "p.toml:4:9: roles.a.grace: \"0s\" is no time at all");
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_bracket_left_open_is_told_once() {
    let text =
        "[roles.a]\nsudo = [{ commands = [\"ALL\", \"id\"] }\ngrace = \"4h\"\npassword = 1\n";
    let wanted = [
        "p.toml:2:30: roles.a.sudo.commands: \"id\" is no absolute path",
        "p.toml:3:1: this is no TOML: missing comma between array elements, expected `,`",
    ];
    assert_eq!(errors(text), wanted);
}

#[test]
fn grants_that_cannot_be_are_refused() {
    let entry = |user: &str, from: &str, until: &str, reason: &str| {
        errors(&format!(
            "[roles.a]\nservices = [\"su\"]\n[[grants]]\nuser = \"{user}\"\nrole = \"a\"\n\
             from = {from}\nuntil = {until}\nreason = \"{reason}\"\n"
        ))
    };
    let (from, until) = ("2026-12-01T09:00:00Z", "2026-12-01T17:00:00Z");
    let unknown = "p.toml:4:8: grants.user: there is no user \"mallory\" on this host";
    assert_eq!(entry("mallory", from, until, "x"), [unknown]);
    assert_eq!(entry("root", from, until, "x"), ["p.toml:4:8: grants.user: root needs no grant"]);
    let backwards = "p.toml:7:9: grants.until: it ends before it begins";
    assert_eq!(entry("bob", until, from, "x"), [backwards]);
    assert_eq!(entry("bob", from, from, "x"), [backwards]);
    assert_eq!(entry("bob", from, until, " "), ["p.toml:8:10: grants.reason: \" \" says nothing"]);
    let day = "p.toml:6:8: grants.from: 2026-12-01 is no point in time";
    assert_eq!(entry("bob", "2026-12-01", until, "x"), [day]);
}

#[test]
fn the_same_grant_twice_is_refused() {
    let grant = "[[grants]]\nuser = \"bob\"\nrole = \"a\"\nfrom = 2026-12-01T09:00:00Z\n\
                 until = 2026-12-01T17:00:00Z\nreason = \"x\"\n";
    let text = format!("[roles.a]\nservices = [\"su\"]\n{grant}{grant}");
    let wanted = "p.toml:9:1: grants: the same grant a second time; the first is at p.toml:3";
    assert_eq!(errors(&text), [wanted]);
}

#[test]
fn what_a_file_says_never_reaches_the_terminal_raw() {
    let text = "[roles.admin]\nsudo = [{ commands = [\"ALL\"] }]\n\"a\u{202e}b\" = 1 # \u{85}\u{feff}\n\
                eligible = [\"\\u001B[2J\\n\"]\n";
    for told in parse(&[file("p\u{7}.toml", text)], "web-1", None).unwrap_err() {
        let shown = told.to_string();
        let harmless = |c: char| c == '\n' || stint_policy::text::is_harmless(c);
        assert!(shown.chars().all(harmless), "{shown:?}");
        assert!(shown.lines().count() <= 3, "{shown:?}");
    }
}
