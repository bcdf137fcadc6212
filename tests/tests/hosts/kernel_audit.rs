//! Grants, ends and memberships in the kernel's audit, by the machine's own kernel, a real auditd and
//! its ausearch; and nothing that waits for it, or fails for it.

use crate::common::{SOON, builder, document, event_of, gate, grant, id};
use stint_tests::{Auditd, Host, Suite, eventually};

/// The log has what every host of the machine writes meanwhile: of this role there is one alone.
const POLICY: &str = r#"
[roles.audited]
groups = ["audio"]
eligible = ["alice"]
approvals = 0
"#;

/// What ausearch finds of these types about this grant, or about the group of its role. Nothing is
/// no failure.
fn ausearch(host: &Host, types: &str, about: &str) -> Vec<String> {
    let found = host.run(&format!("ausearch --input-logs --raw -m {types}"));
    assert!(found.ok() || found.text().is_empty(), "{types}: {found}");
    let lines = found.stdout.lines().filter(|line| line.contains(about));
    lines.map(str::to_owned).collect()
}

/// The one record of this type about that, once it is there.
fn recorded(host: &Host, kind: &str, about: &str) -> String {
    let found = eventually(&format!("{kind} of {about}"), SOON, || {
        Some(ausearch(host, kind, about)).filter(|found| !found.is_empty())
    });
    assert_eq!(found.len(), 1, "{found:#?}");
    found.concat()
}

fn assert_has(record: &str, parts: &[&str]) {
    for part in parts {
        assert!(record.contains(part), "{part} in {record}");
    }
}

/// What doctor says of it.
fn told(host: &Host) -> String {
    let doctor = document(&host.run("stint doctor --json").stdout);
    doctor["kernel_audit"].as_str().unwrap_or_default().to_owned()
}

const DROP_IN: &str = "/etc/systemd/system/stintd.service.d/audit.conf";
const OFF: &str = "The kernel's audit is off, so nothing of stint is in it.";
const ON: &str = "Grants, their ends and memberships are in the kernel's audit too:  ausearch -m \
                  ROLE_ASSIGN,ROLE_REMOVE,USER_MGMT";
const HOSTILE: &str = "x' acct=\"root\" res=failed\nop=forged ä";
/// The same as audit has it.
const ENCODED: &str =
    "782720616363743D22726F6F7422207265733D6661696C65640A6F703D666F7267656420C3A4";

#[test]
fn grants_and_ends_are_found_by_ausearch() {
    let host = gate(builder(Suite::Bookworm, POLICY).package("auditd").kernel_audit().boot());
    let Some(auditd) = Auditd::start(&host) else {
        eprintln!("not shown here: this machine's kernel audit is in use, or there is none");
        return;
    };
    assert_eq!(told(&host), ON);
    let given = grant(&host, "alice audited --for 3s");
    let about = format!("grant=\"{}\"", id(&given));
    let who = ["acct=\"alice\"", "exe=\"/usr/sbin/stintd\"", "res=success'", " uid=0 "];
    let begun = recorded(&host, "ROLE_ASSIGN", &about);
    assert_has(&begun, &who);
    assert_has(&begun, &["op=assign-role", "role=\"audited\"", "actor=\"root\""]);
    let added = recorded(&host, "USER_MGMT", "op=add-user-to-group grp=\"audio\" acct=\"alice\"");
    assert_has(&added, &who);
    event_of(&host, "grant.expired", id(&given));
    let ended = recorded(&host, "ROLE_REMOVE", &about);
    assert_has(&ended, &who);
    assert_has(&ended, &["op=remove-role", "role=\"audited\"", "actor=\"stintd\""]);
    let gone = "op=delete-user-from-group grp=\"audio\" acct=\"alice\"";
    assert_has(&recorded(&host, "USER_MGMT", gone), &who);

    // As an auditor reads it, and as audit's own reports do.
    let read = host.ok("ausearch --input-logs -i -m USER_MGMT");
    assert_has(&read, &["op=add-user-to-group grp=audio acct=alice"]);
    let read = host.ok("ausearch --input-logs --format text -m ROLE_ASSIGN,ROLE_REMOVE");
    assert_has(&read, &["successfully assigned-user-role-to alice using /usr/sbin/stintd"]);
    let report = host.ok("aureport --input-logs -m -i </dev/null");
    assert_has(&report, &["/usr/sbin/stintd alice yes"]);

    // What somebody typed is no field, and no record, of its own.
    host.write("/root/reason", "0600", HOSTILE);
    host.ok("stint grant alice audited --for 1h --reason \"$(cat /root/reason)\"");
    let hostile = recorded(&host, "ROLE_ASSIGN", &format!("reason={ENCODED} "));
    assert_has(&hostile, &who);
    assert!(!hostile.contains("forged") && hostile.matches("acct=").count() == 1, "{hostile}");

    // What is taken back where no stintd is, too.
    host.ok("stint revoke --all --reason 'the next one'");
    let last = grant(&host, "alice audited --for 4s");
    host.ok("systemctl mask -q --now --runtime stintd.service stintd.socket");
    let swept = format!("STINT_EVENT=grant.swept STINT_GRANT={}", id(&last));
    eventually("the sweep", SOON, || {
        host.ok("systemctl start stint-sweep.service");
        (host.journal(&swept).len() == 1).then_some(())
    });
    let gone = format!("{gone} grant=\"{}\" actor=\"stint-sweep\"", id(&last));
    assert_has(&recorded(&host, "USER_MGMT", &gone), &who);
    host.ok("systemctl unmask -q --runtime stintd.service stintd.socket");
    host.ok("systemctl start stintd.socket stintd.service");
    let about = format!("grant=\"{}\"", id(&last));
    assert_has(&recorded(&host, "ROLE_REMOVE", &about), &["op=remove-role"]);

    // Whoever may not write there is none the worse for it.
    host.write(DROP_IN, "0644", "[Service]\nCapabilityBoundingSet=~CAP_AUDIT_WRITE\n");
    host.ok("systemctl daemon-reload && systemctl restart stintd.service");
    let before = ausearch(&host, "ROLE_ASSIGN,ROLE_REMOVE", "role=\"audited\"");
    assert_eq!(
        told(&host),
        "The kernel's audit takes nothing from stintd here, as in most containers."
    );
    let kept_out = grant(&host, "alice audited --for 1h");
    host.ok(&format!(
        "rm {DROP_IN} && systemctl daemon-reload && systemctl restart stintd.service"
    ));
    assert_eq!(told(&host), ON);
    host.ok(&format!("stint revoke {} --reason 'back again'", id(&kept_out)));
    let about = format!("grant=\"{}\"", id(&kept_out));
    assert_has(&recorded(&host, "ROLE_REMOVE", &about), &["op=remove-role"]);
    let after = ausearch(&host, "ROLE_ASSIGN,ROLE_REMOVE", "role=\"audited\"");
    assert_eq!(after.len(), before.len() + 1, "{after:#?}");

    // Nor is whoever has no audit any more.
    let before = ausearch(&host, "ROLE_ASSIGN,ROLE_REMOVE", "role=\"audited\"");
    drop(auditd);
    assert_eq!(told(&host), OFF);
    assert!(host.ok("stint doctor || true").contains(OFF));
    let quiet = grant(&host, "alice audited --for 1h");
    host.ok(&format!("stint revoke {} --reason 'it is off'", id(&quiet)));
    grant(&host, "alice audited --for 1h");
    assert_eq!(ausearch(&host, "ROLE_ASSIGN,ROLE_REMOVE", "role=\"audited\""), before);
    let metrics = host.ok("stint metrics");
    assert_has(&metrics, &["stint_record_lost_total{where=\"audit\"} 0\n"]);
}
