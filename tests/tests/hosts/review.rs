//! The access review: for root and readers of the record alone; it says who held what, what asks for
//! a decision and where in the policy; and a reviewer's word is recorded, changes nothing, and
//! stands there at the next review.

use serde_json::Value;
use stint_tests::{Host, Output, Suite, eventually};

use crate::common::{SOON, builder, document, grant, id, listed, quiet};
use crate::workflow::{approve, ask, call, line, outcome, pending, refused, text};

const POLICY: &str = r#"
[approvals]
authenticate = false

[audit]
readers = ["carol"]

[roles.tools]
groups = ["games"]
eligible = [
    "alice",
    "%staff",
    "mallory",
]
approvers = ["bob"]
approvals = 1

[roles.books]
groups = ["users"]
eligible = ["carol", "bob"]
approvals = 0

[roles.rescue]
groups = ["video"]
eligible = ["alice"]
approvers = ["bob"]
break_glass = true
"#;

fn review(host: &Host, user: &str, options: &str) -> Value {
    let output = host.as_user(user, &format!("stint review --json {options}"));
    assert!(output.ok(), "{output}");
    document(&output.stdout)
}

/// The entry of this role for these.
fn eligible<'a>(review: &'a Value, role: &str, who: &str) -> &'a Value {
    let entries = review["eligible"].as_array().unwrap();
    let found = entries.iter().find(|entry| entry["role"] == role && entry["who"] == who);
    found.unwrap_or_else(|| panic!("no {who} of {role}: {review}"))
}

fn of_grant<'a>(review: &'a Value, id: &str) -> &'a Value {
    let found = review["grants"].as_array().unwrap().iter().find(|grant| grant["id"] == *id);
    found.unwrap_or_else(|| panic!("no {id}: {review}"))
}

fn said(output: &Output, status: i32, words: &str) {
    assert_eq!(output.status, status, "{output}");
    assert!(output.stderr.contains(words), "wanted {words:?}: {output}");
}

/// Who may not is turned away by command and by raw call, and recorded.
fn turned_away(host: &Host) {
    said(&host.as_user("alice", "stint review"), 3, "Eligible is root's");
    let page = "stint review --html ./review.html; status=$?; test -e ./review.html && exit 9; exit $status";
    said(&host.as_user("alice", page), 3, "root's, and theirs who may read the record");
    for (member, signature, arguments) in [
        ("GrantsSince", "x(xs)", "0 0 ''"),
        ("Eligible", "", ""),
        ("Attest", "a{sv}", "4 word s keep who s bob role s books note s x"),
    ] {
        let called = outcome(&host.as_user("alice", &line(member, signature, arguments)));
        refused(&called, "Access denied");
    }
    let attest = "stint review --attest keep --eligible bob --role books --note x";
    said(&host.as_user("bob", attest), 3, "Attest is root's");
    let events = host.journal_of("STINT_EVENT=call.denied STINT_USER=bob", 1, SOON);
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(host.journal("STINT_EVENT=review.attested").is_empty());
}

/// What somebody mistypes gets one message and changes nothing.
fn mistyped(host: &Host, held: &str) {
    for (typed, status, words) in [
        (held.to_owned(), 2, "say what was found"),
        ("--note x".to_owned(), 2, "say what the note is about"),
        (format!("{held} --attest perhaps --note x"), 2, "write it as keep or remove"),
        (format!("{held} --attest keep"), 2, "--note"),
        ("--attest keep --note x".to_owned(), 2, "say what is to be kept or removed"),
        ("--attest keep --eligible bob --note x".to_owned(), 2, "--role"),
        ("--attest keep --eligible bob --role nothing --note x".to_owned(), 2, "no role nothing"),
        (
            "--attest keep --eligible alice --role books --note x".to_owned(),
            2,
            "alice is not eligible for books",
        ),
        ("--attest keep --eligible %games --role tools --note x".to_owned(), 2, "not eligible"),
        ("--attest keep --eligible nobody1 --role tools --note x".to_owned(), 2, "no account"),
        ("--attest keep --eligible 'a b' --role tools --note x".to_owned(), 2, "no user name"),
        ("zzzz --attest keep --note x".to_owned(), 5, "no grant has the id zzzz"),
        (format!("{held} --attest keep --note ''"), 2, "the note is empty"),
        ("--since tomorrow".to_owned(), 2, "is no time"),
        ("--since 1d --until 2d".to_owned(), 2, "--until is not after --since"),
        ("--often 0".to_owned(), 2, "0"),
        ("--html /".to_owned(), 2, "no ordinary file"),
        ("--html /etc/stint".to_owned(), 2, "no ordinary file"),
        ("--replace".to_owned(), 2, "--html"),
    ] {
        said(&host.as_user("carol", &format!("stint review {typed}")), status, words);
    }
    assert!(host.journal("STINT_EVENT=review.attested").is_empty());
}

/// Alice asks twice, root gives once, she takes what is for emergencies, and a hand changes a group.
fn lived_in(host: &Host) -> [String; 2] {
    let asked = pending(host, "alice", "tools");
    approve(host, "bob", &asked).unwrap();
    call(host, "alice", "Drop", &[]).unwrap();
    let given = id(&grant(host, "bob books --for 1h")).to_owned();
    let loud = text(&ask(host, "alice", "rescue").unwrap(), "grant").to_owned();
    host.ok("gpasswd -q -d bob users 2>/dev/null || rm /run/userdb/bob:users.membership");
    eventually("a word of the change", SOON, || {
        (!host.journal("STINT_EVENT=group.drift").is_empty()).then_some(())
    });
    host.write("/etc/sudoers.d/left", "0440", "# nothing\n");
    call(host, "alice", "Drop", &[("id", "s", &loud)]).unwrap();
    eventually("the look for what it left", SOON, || {
        (!listed(host, &loud)["residue"].is_null()).then_some(())
    });
    [given, loud]
}

#[test]
fn a_review_is_for_those_who_read_the_record_and_says_what_asks_for_a_decision() {
    let host = builder(Suite::Trixie, POLICY).boot();
    host.ok("usermod -aG staff alice && usermod -aG staff bob");
    turned_away(&host);
    let [given, loud] = lived_in(&host);
    mistyped(&host, &given);

    let seen = review(&host, "carol", "--often 2");
    assert_eq!((&seen["host"], &seen["record_cut"]), (&"web-1".into(), &false.into()));
    assert!(seen["record_begins"].is_string(), "the host is younger than 90 days: {seen}");
    let summary = &seen["summary"];
    assert_eq!((&summary["grants"], &summary["holders"]), (&3.into(), &2.into()), "{summary}");
    assert_eq!((&summary["active"], &summary["requests"]), (&1.into(), &2.into()), "{summary}");
    let tools = of_grant(&seen, text(&seen["grants"][0], "id"));
    assert_eq!((&tools["role"], &tools["end_reason"]), (&"tools".into(), &"dropped".into()));
    assert_eq!(tools["approved"][0]["user"], "bob", "{tools}");
    assert!(tools["approved"][0]["at"].is_string(), "{tools}");
    let staff = eligible(&seen, "tools", "%staff");
    assert_eq!((&staff["used"], &staff["unused"]), (&1.into(), &1.into()), "{staff}");
    assert_eq!((&staff["path"], &staff["line"]), (&"/etc/stint/policy.toml".into(), &12.into()));
    let mallory = eligible(&seen, "tools", "mallory");
    assert_eq!((&mallory["known"], &mallory["line"]), (&false.into(), &13.into()), "{mallory}");
    let books = eligible(&seen, "books", "bob");
    assert_eq!(books["used"], 0, "what root gives is no use of eligibility: {books}");
    assert_eq!(of_grant(&seen, &loud)["origin"], "break-glass");
    let left = &of_grant(&seen, &loud)["residue"];
    assert!(left.to_string().contains("/etc/sudoers.d/left"), "{left}");
    assert_eq!(seen["outside"][0]["event"], "group.drift", "{seen}");
    assert_eq!(seen["outside"][0]["group"], "users", "{seen}");
    let none = review(&host, "carol", "--until 1h");
    assert_eq!((&none["summary"]["grants"], &none["outside"]), (&0.into(), &Value::Array(vec![])));

    words(&host, &given);
    told(&host, &given, &loud);
}

/// A reviewer's word is recorded with who said it, and changes nothing.
fn words(host: &Host, given: &str) {
    let held = listed(host, given);
    said(
        &host.as_user(
            "carol",
            "stint review --attest keep --eligible carol --role books --note mine",
        ),
        3,
        "is your own",
    );
    let removed = host.as_user(
        "carol",
        &format!("stint review {given} --attest remove --note 'not; \"needed\"'"),
    );
    assert!(removed.ok(), "{removed}");
    let told = format!(
        "Recorded: remove the grant {given} (books of bob).\nNothing was changed. To \
                        remove it:  stint revoke {given} --reason \"reviewed\"\n"
    );
    assert_eq!(removed.stdout, told);
    assert_eq!(listed(host, given), held, "a word changes nothing");
    for (who, role, note) in [
        ("%staff", "tools", "on call until May"),
        ("bob", "tools", "his team"),
        ("%staff", "tools", "again"),
    ] {
        let typed = format!(
            "stint review --attest keep --eligible {who} --role {role} --note '{note}' --json"
        );
        let kept = host.as_user("carol", &typed);
        assert!(kept.ok(), "{kept}");
        assert_eq!(document(&kept.stdout)["by"], "carol");
    }
    let remove = "stint review --attest remove --eligible bob --role tools --note x";
    let mend = host.as_user("carol", remove).stdout;
    assert!(mend.contains("bob is eligible by \"%staff\" (/etc/stint/policy.toml:12)"), "{mend}");
    let events = host.journal_of("STINT_EVENT=review.attested STINT_ACTOR=carol", 5, SOON);
    assert_eq!(events.len(), 5, "every word is in the record: {events:?}");
    let of = |field: &str| {
        events.iter().map(|event| event[field].as_str().unwrap_or("-")).collect::<Vec<_>>()
    };
    assert_eq!(of("STINT_ATTESTED"), ["remove", "keep", "keep", "keep", "remove"]);
    assert_eq!(of("STINT_GROUP"), ["-", "staff", "-", "staff", "-"]);
    assert_eq!(of("STINT_USER"), ["bob", "-", "bob", "-", "bob"]);
    assert_eq!(of("STINT_GRANT")[0], given);
    assert_eq!(of("STINT_REASON")[0], "not; \"needed\"");
    assert!(host.ok("stint audit verify").contains("The record is whole"));

    // Over a restart too.
    crate::common::kill(host);
    quiet(host);
    let seen = review(host, "carol", "");
    assert_eq!(of_grant(&seen, given)["attested"]["word"], "remove", "{seen}");
    let staff = eligible(&seen, "tools", "%staff");
    assert_eq!(
        (&staff["attested"]["word"], &staff["attested"]["note"]),
        (&"keep".into(), &"again".into())
    );
    let users = staff["users"].as_array().unwrap();
    let bob = users.iter().find(|user| user["user"] == "bob").unwrap();
    assert_eq!(bob["attested"]["word"], "remove", "the last word stands: {staff}");
}

/// What a terminal is told, and the review of an emergency beside it.
fn told(host: &Host, given: &str, loud: &str) {
    let shown = host.as_user("carol", "stint review").stdout;
    for wanted in [
        "Access review of web-1, ",
        "Eligible, and not used in this time",
        "  take \"mallory\" out of roles.tools.eligible (/etc/stint/policy.toml:13)",
        "by 1 of 2: bob",
        "keep, carol ",
        "Uses of break-glass roles",
        &format!("stint review {loud} --note TEXT"),
        "new sudo /etc/sudoers.d/left",
        "Changed outside stint",
        "The record begins ",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    let marked = host.as_user("carol", &format!("stint review {loud} --note 'as the report says'"));
    assert!(
        marked.stdout.ends_with(&format!("alice's use of rescue is reviewed ({loud}).\n")),
        "{marked}"
    );
    let seen = review(host, "carol", "");
    let looked = of_grant(&seen, loud);
    assert_eq!(
        (&looked["reviewed_by"], &looked["review_note"]),
        (&"carol".into(), &"as the report says".into())
    );
    assert!(looked["reviewed_at"].is_string(), "{looked}");
    let again = format!("stint review {given} --note x");
    said(&host.as_user("carol", &again), 5, "awaits review");
}
