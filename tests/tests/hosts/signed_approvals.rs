//! Approvals that people sign elsewhere: each counts as its signer's word over the bus would, for
//! exactly the request that was shown, once, and in no other way whoever brings it.

use serde_json::Value;
use stint_tests::{Host, HostBuilder, Shell, Suite, eventually};

use crate::common::{
    SOON, assert_let_in, builder, document, gate, has_rules, is_in, listed, status, sudos,
};
use crate::workflow::{approve, look, pending, text};

/// polkit asks approvers for their password on this host; a signature is a proof of its own.
const POLICY: &str = r#"
[remote]
approvals = ["admin", "twofold", "fleet-*"]
define    = ["fleet-*"]

[groups]
backend = "files"

[roles.admin]
sudo      = [{ commands = ["ALL"] }]
password  = false
eligible  = ["alice", "bob"]
approvers = ["bob", "alice", "%leads"]

[roles.media]
groups    = ["video"]
eligible  = ["alice"]
approvers = ["bob"]

[roles.twofold]
groups    = ["games"]
eligible  = ["alice"]
approvers = ["bob", "carol"]
approvals = 2
"#;

/// A key for each of them.
const KEYS: [&str; 8] = ["alice", "bob", "carol", "old", "lead", "shared", "any", "stranger"];

/// Who may sign approvals: accounts, and names that are none or more than one.
const SIGNERS: &str = "\
alice namespaces=\"approval@stint\" alice
bob,bob@example.org namespaces=\"approval@stint,grant@stint\" bob
carol namespaces=\"approval@stint\" carol
bob namespaces=\"approval@stint\",valid-before=\"20260101Z\" old
lead@example.org namespaces=\"approval@stint\" lead
bob namespaces=\"approval@stint\" shared
alice namespaces=\"policy@stint\" shared
*,bob namespaces=\"approval@stint\" any
bobby namespaces=\"approval@stint\" bobby
";

fn host(builder: HostBuilder) -> Host {
    let host = builder.boot();
    // Before any request is made: who shares bob's number.
    host.ok(
        "groupadd leads && useradd --non-unique --uid 1001 --groups leads bobby && stint reload",
    );
    let mut signers = SIGNERS.to_owned();
    for key in KEYS.iter().chain(&["bobby"]) {
        host.ok(&format!("ssh-keygen -q -t ed25519 -N '' -C {key} -f /root/{key}"));
        let public = host.ok(&format!("cat /root/{key}.pub"));
        signers = signers.replace(&format!("\" {key}\n"), &format!("\" {public}"));
    }
    host.write("/etc/stint/allowed_signers", "0644", &signers);
    gate(host)
}

/// The pending request as `stint pending --json` shows it to root.
fn shown(host: &Host, request: &Value) -> Value {
    let all = document(&host.ok("stint pending --json"));
    let found = all.as_array().unwrap().iter().find(|shown| shown["id"] == request["id"]);
    found.unwrap_or_else(|| panic!("no {request}: {all}")).clone()
}

/// The digest as whoever has no stint makes it of that (docs/remote.md).
const DIGEST: &str = r#"
import hashlib, json, sys
request = json.load(sys.stdin)[0]
keys = "id created_at user uid role duration_seconds starts_at reason ticket extends confers " \
    "approvals_needed approvers"
array = ["stint request 2"] + [request[key] for key in keys.split()]
text = json.dumps(array, separators=(",", ":"), ensure_ascii=False)
print(hashlib.sha256(text.encode()).hexdigest())
"#;

/// What an approver's tool writes of a request that was shown.
fn words(shown: &Value, verdict: &str, note: &str) -> String {
    let (id, user, role) = (text(shown, "id"), text(shown, "user"), text(shown, "role"));
    let (made, lapses) = (text(shown, "created_at"), text(shown, "lapses_at"));
    let note = if note.is_empty() { String::new() } else { format!("note = \"{note}\"\n") };
    format!(
        "[document]\nkind = \"approval\"\nnot_before = {made}\nnot_after = {lapses}\n\
         hosts = [\"web-1\"]\n\n[approval]\nrequest = \"{id}\"\nverdict = \"{verdict}\"\n\
         user = \"{user}\"\nrole = \"{role}\"\ndigest = \"{}\"\n{note}",
        text(shown, "digest")
    )
}

/// Signs a text by a key, into `/root/NAME`.
fn sign(host: &Host, name: &str, text: &str, key: &str, namespace: &str) {
    host.write(&format!("/root/{name}"), "0600", text);
    host.ok(&format!(
        "cd /root && rm -f {name}.sig && ssh-keygen -q -Y sign -f {key} -n {namespace} {name} && \
         cat {name}.sig >>{name}"
    ));
}

fn deliver(host: &Host, name: &str) -> Value {
    document(&host.ok(&format!("stint policy deliver /root/{name} --json")))
}

fn rejected(host: &Host) -> usize {
    host.ok("journalctl -t stintd STINT_EVENT=source.rejected -o cat").lines().count()
}

/// Hands a document in, which must be refused with these words, and recorded, but once.
#[track_caller]
fn refuse(host: &Host, name: &str, words: &str) {
    let before = rejected(host);
    for _ in 0..2 {
        let output = host.run(&format!("stint policy deliver /root/{name}"));
        assert_eq!(output.status, 3, "{name}: {output}");
        assert!(output.stderr.contains(words), "{name}, wanted {words}: {output}");
    }
    eventually("the event", SOON, || (rejected(host) > before).then_some(()));
    assert_eq!(rejected(host), before + 1, "{name}: recorded once");
}

/// Asserts that no gated sudo lets alice in, whatever it tells her of her request.
#[track_caller]
fn shut_out(host: &Host, shell: &mut Shell, when: &str) {
    for sudo in sudos(host.suite()) {
        let output = shell.run(&format!("{sudo} id -u"));
        assert!(
            output.status != 0 && output.text().contains("stint: "),
            "{sudo}, {when}: {output}"
        );
    }
}

/// Each thing that is wrong with an approval of alice's request, or with who signed it.
fn refusals(host: &Host, request: &Value) {
    let request = shown(host, request);
    let good = words(&request, "approve", "");
    let sign_as = |name: &str, text: &str, key: &str| sign(host, name, text, key, "approval@stint");
    sign(host, "file", &good, "bob", "file");
    refuse(host, "file", "it is signed as \"file\"");
    sign(host, "asgrant", &good, "bob", "grant@stint");
    refuse(host, "asgrant", "it is signed as grant@stint and says that it is a \"approval\"");
    sign_as("edited", &good.replace("\"alice\"", "\"alicf\""), "bob");
    host.ok("sed -i s/alicf/alice/ /root/edited");
    refuse(host, "edited", "it was changed after it was signed");
    for (name, from, to, wanted) in [
        ("otherhost", "\"web-1\"", "\"web-2\"", "it is for web-2, and this is web-1"),
        ("pattern", "\"web-1\"", "\"web-*\"", "an approval is for one host"),
        ("two", "\"web-1\"", "\"web-1\", \"web-2\"", "an approval is for one host"),
        ("notthere", text(&request, "id"), "zzzz", "no request has the id zzzz"),
        ("whose", "\"alice\"", "\"carol\"", "is a request for something else"),
        ("media", "\"admin\"", "\"media\"", "lets no signed approval decide on requests for media"),
        ("silent", "\"approve\"", "\"deny\"", "a denial has to say why"),
    ] {
        sign_as(name, &good.replace(from, to), "bob");
        refuse(host, name, wanted);
    }
    let now = host.ok("date -u +%FT%TZ");
    let late = good.replace(text(&request, "lapses_at"), now.trim());
    sign_as("late", &late, "bob");
    host.ok("sleep 1.1");
    refuse(host, "late", "its time is over");
    // No more than 20 are recorded in ten minutes of one stintd.
    host.ok("systemctl restart stintd");
    for (key, wanted) in [
        ("alice", "your own request"),
        ("carol", "you may not decide on requests for admin"),
        ("stranger", "stands in no line"),
        ("old", "it may not sign any more"),
        ("lead", "no account of this host is called that"),
        ("shared", "\"alice\", \"bob\", each an account of this host"),
        ("any", "as whoever fits a pattern"),
        ("bobby", "\"bobby\" shares uid 1001 with \"bob\""),
    ] {
        sign_as(&format!("by-{key}"), &good, key);
        refuse(host, &format!("by-{key}"), wanted);
    }
    sign_as("both", &good, "bob");
    host.ok("ssh-keygen -q -Y sign -f /root/carol -n approval@stint - </root/by-carol >/root/more 2>/dev/null; sed -n '/BEGIN/,$p' /root/by-carol >>/root/both");
    refuse(host, "both", "it has 2 signatures");
    // What was shown was another request.
    let own = shown(host, &pending(host, "bob", "admin"));
    let moved = good.replace(text(&request, "digest"), text(&own, "digest"));
    sign_as("moved", &moved, "bob");
    refuse(host, "moved", "is not what was shown to you");
    // bob's own, whatever his document says of it.
    sign_as("own", &words(&own, "approve", ""), "bob");
    refuse(host, "own", "your own request");
    let media = shown(host, &pending(host, "alice", "media"));
    sign_as("unlisted", &words(&media, "approve", ""), "bob");
    refuse(host, "unlisted", "lets no signed approval decide on requests for media");
    assert_eq!(look(host, &request)["state"], "pending");
    assert!(!has_rules(host), "something was granted");
}

#[test]
fn an_approval_counts_as_its_signers_word_for_what_was_shown_and_once() {
    let host = host(builder(Suite::Trixie, POLICY));
    let mut shell = host.shell("alice");
    let asked = host.as_user("alice", "stint request admin --for 30m --reason 'für \"a\" \\test'");
    assert_eq!(asked.status, 0, "{asked}");
    let request = document(&host.ok("stint pending --json"))[0].clone();
    let id = text(&request, "id").to_owned();
    host.write("/root/digest.py", "0600", DIGEST);
    let made = host.ok("stint pending --json | python3 /root/digest.py");
    assert_eq!(made.trim(), text(&request, "digest"));
    refusals(&host, &request);
    shut_out(&host, &mut shell, "by what was refused");

    // The role confers more than when bob's tool showed it.
    sign(&host, "before", &words(&request, "approve", ""), "bob", "approval@stint");
    host.load_policy(&POLICY.replace("[roles.admin]\n", "[roles.admin]\ngroups = [\"games\"]\n"));
    refuse(&host, "before", "is not what was shown to you");
    let request = shown(&host, &request);
    sign(&host, "good", &words(&request, "approve", "fine with me"), "bob", "approval@stint");
    let looked = host.ok("stint policy inspect /root/good");
    let says = format!("approves admin for alice ({id}): fine with me");
    assert!(looked.contains(&says) && looked.contains("web-1 believes the signature"), "{looked}");
    let taken = deliver(&host, "good");
    assert_eq!((&taken["kind"], &taken["outcome"]), (&"approval".into(), &"taken".into()));
    assert_let_in(&host, &mut shell, "by a signed approval");
    let now = look(&host, &request);
    assert_eq!((&now["state"], &now["ended_by"]), (&"approved".into(), &"bob".into()), "{now}");
    let grant = listed(&host, text(&now, "grant"));
    assert_eq!((&grant["granted_by"], &grant["approvals"][0]), (&"bob".into(), &"bob".into()));
    let told =
        host.journal_of(&format!("STINT_EVENT=request.approved STINT_REQUEST={id}"), 1, SOON);
    let key = host.ok("ssh-keygen -l -f /root/bob.pub | cut -d ' ' -f 2");
    let said =
        format!("bob approves admin for alice ({id}), 1 of 1, signed with {}: fine", key.trim());
    assert!(told[0]["MESSAGE"].as_str().unwrap().starts_with(&said), "{told:?}");
    assert_eq!(told[0]["STINT_ACTOR"], "bob");

    // Once: not while it runs, and not after it has ended.
    assert_eq!(deliver(&host, "good")["outcome"], "known");
    host.ok("stint revoke --user alice --reason 'for a test'");
    assert_eq!(deliver(&host, "good")["outcome"], "known");
    sign(&host, "again", &words(&request, "approve", "once more"), "bob", "approval@stint");
    refuse(&host, "again", &format!("the request {id} is not pending: it is approved (by bob)"));
    host.ok("systemctl restart stintd");
    assert_eq!(deliver(&host, "good")["outcome"], "known", "over a restart");
    shut_out(&host, &mut shell, "by an approval that has counted");
    // Without the section nothing is taken.
    let request = shown(&host, &pending(&host, "alice", "admin"));
    sign(&host, "next", &words(&request, "approve", ""), "bob", "approval@stint");
    host.load_policy(&POLICY.replace("approvals = [\"admin\", \"twofold\", \"fleet-*\"]\n", ""));
    refuse(&host, "next", "lets no signed approval decide on requests for admin");
}

/// Two approvals are of two people with two keys.
fn twofold(host: &Host) {
    let request = shown(host, &pending(host, "alice", "twofold"));
    let yes = words(&request, "approve", "");
    let sign_as = |name: &str, text: &str, key: &str| sign(host, name, text, key, "approval@stint");
    sign_as("bob-1", &yes, "bob");
    sign_as("carol-1", &yes, "carol");
    assert_eq!(deliver(host, "bob-1")["outcome"], "taken");
    assert_eq!(deliver(host, "bob-1")["outcome"], "known");
    sign_as("bob-2", &words(&request, "approve", "twice"), "bob");
    refuse(host, "bob-2", "you have approved");
    assert!(!is_in(host, "alice", "games"));
    // The same key as somebody else, by a certificate, once bob's line is gone.
    host.ok("cd /root && ssh-keygen -q -t ed25519 -N '' -f ca && cp bob ring && \
         ssh-keygen -q -s ca -I x -n carol -V -1d:+1d bob.pub && cp bob-cert.pub ring-cert.pub && \
         cp bob-cert.pub ring.pub && cp /etc/stint/allowed_signers signers && \
         sed -i '/^bob,/d' /etc/stint/allowed_signers && \
         echo \"* cert-authority $(cat ca.pub)\" >>/etc/stint/allowed_signers");
    host.write("/root/certified", "0600", words(&request, "approve", "as carol"));
    host.ok(
        "cd /root && ssh-agent sh -c 'ssh-add -q ring && ssh-keygen -q -Y sign -n approval@stint \
         -f ring-cert.pub certified' && cat certified.sig >>certified",
    );
    refuse(host, "certified", "is signed with this key");
    // And where bob's line stands, it is nobody's word.
    host.ok("echo \"bob namespaces=\\\"policy@stint\\\" $(cat /root/bob.pub)\" >>/etc/stint/allowed_signers");
    refuse(host, "certified", "\"bob\", \"carol\", each an account of this host");
    host.ok("cp /root/signers /etc/stint/allowed_signers && systemctl restart stintd");
    assert_eq!(look(host, &request)["approvals"], serde_json::json!(["bob"]));
    assert_eq!(deliver(host, "carol-1")["outcome"], "taken", "the same text, by another");
    assert!(is_in(host, "alice", "games"));
    assert_eq!(look(host, &request)["approvals"], serde_json::json!(["bob", "carol"]));
    host.ok("stint revoke --user alice --reason 'for a test'");
}

/// A no, and what it leaves.
fn denied(host: &Host) {
    let request = shown(host, &pending(host, "alice", "admin"));
    sign(host, "yes", &words(&request, "approve", ""), "bob", "approval@stint");
    let no = words(&request, "deny", "not today");
    sign(host, "by-carol", &no, "carol", "approval@stint");
    refuse(host, "by-carol", "you may not decide on requests for admin");
    let moved = no.replace(text(&request, "digest"), &"0".repeat(64));
    sign(host, "moved", &moved, "bob", "approval@stint");
    refuse(host, "moved", "is not what was shown to you");
    sign(host, "no", &no, "bob", "approval@stint");
    assert_eq!(deliver(host, "no")["outcome"], "taken");
    let now = look(host, &request);
    assert_eq!((&now["state"], &now["note"]), (&"denied".into(), &"not today".into()), "{now}");
    assert_eq!(deliver(host, "no")["outcome"], "known");
    refuse(host, "yes", "is not pending: it is denied (by bob)");
    let told = host.journal_of("STINT_EVENT=request.denied STINT_ACTOR=bob", 1, SOON);
    assert!(told[0]["MESSAGE"].as_str().unwrap().contains(", signed with SHA256:"), "{told:?}");
}

/// What a full disk keeps from counting counts when it comes again.
fn full_disk(host: &Host) {
    let request = shown(host, &pending(host, "alice", "admin"));
    sign(host, "kept", &words(&request, "approve", ""), "bob", "approval@stint");
    let _ = host.run("cat /dev/zero >/var/lib/stint/ballast; sync");
    let output = host.run("stint policy deliver /root/kept");
    assert_eq!(output.status, 1, "{output}");
    assert!(output.stderr.contains("disk is full"), "{output}");
    assert!(!has_rules(host), "granted on a full disk");
    host.ok("rm /var/lib/stint/ballast");
    assert_eq!(deliver(host, "kept")["outcome"], "taken");
    assert!(has_rules(host));
    host.ok("stint revoke --user alice --reason 'for a test'");
}

/// A role that a signed policy has brought is given by nobody's approval once that is out of date.
fn out_of_date(host: &Host) {
    let fleet =
        "[roles.fleet-web]\ngroups = [\"video\"]\neligible = [\"alice\"]\napprovers = [\"bob\"]\n";
    host.write("/root/fleet.toml", "0600", fleet);
    host.ok("ssh-keygen -q -t ed25519 -N '' -f /root/publisher && \
             echo \"p namespaces=\\\"policy@stint\\\" $(cat /root/publisher.pub)\" >>/etc/stint/allowed_signers");
    let publish = |valid: &str| {
        host.ok(&format!(
            "sleep 1.1; stint policy sign /root/fleet.toml --key /root/publisher --hosts '*' --valid {valid} \
             -o /root/fleet && stint policy deliver /root/fleet"
        ));
    };
    publish("15s");
    let brought = shown(host, &pending(host, "alice", "fleet-web"));
    let own = shown(host, &pending(host, "alice", "admin"));
    for (name, request) in [("brought", &brought), ("its-own", &own)] {
        sign(host, name, &words(request, "approve", ""), "bob", "approval@stint");
    }
    eventually("the end of its time", SOON, || {
        (status(host)["remote"]["stale"] == true).then_some(())
    });
    refuse(host, "brought", "the signed policy is out of date");
    assert_eq!(deliver(host, "its-own")["outcome"], "taken", "the host's own roles");
    publish("1h");
    assert_eq!(deliver(host, "brought")["outcome"], "taken");
    assert!(is_in(host, "alice", "video"));
    host.ok("stint revoke --user alice --reason 'for a test'");
}

/// An approval that counted, where what it gives cannot be applied, is over with that: it gives nothing
/// later, when nobody expects it.
fn cannot_be_applied(host: &Host) {
    let request = shown(host, &pending(host, "alice", "fleet-web"));
    sign(host, "locked", &words(&request, "approve", ""), "bob", "approval@stint");
    host.ok("printf '1\\0' >/etc/group.lock");
    let output = host.run("stint policy deliver /root/locked");
    assert_eq!(output.status, 3, "not to be brought again: {output}");
    assert!(output.stderr.contains("nothing was granted: "), "{output}");
    host.ok("rm /etc/group.lock");
    assert_eq!(deliver(host, "locked")["outcome"], "known");
    assert!(!is_in(host, "alice", "video"));
}

#[test]
fn two_approvals_are_two_peoples_a_no_ends_it_and_what_failed_comes_again() {
    let host = host(builder(Suite::Bookworm, POLICY).small("/var/lib/stint", "3m", "0700"));
    twofold(&host);
    denied(&host);
    full_disk(&host);
    out_of_date(&host);
    cannot_be_applied(&host);
    // Over the bus polkit asks still.
    let request = pending(&host, "bob", "admin");
    assert!(approve(&host, "alice", &request).is_err(), "without a password");
    assert_eq!(look(&host, &request)["state"], "pending");
}
