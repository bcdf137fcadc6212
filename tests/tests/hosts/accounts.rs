//! The accounts of holders: one that is deleted, renamed, or whose number becomes another's holds
//! nothing any more; what is no definite answer ends nothing.

use crate::common::{SOON, event_of, gated, grant, has_rules, id, is_in, kill, listed};
use stint_tests::{Host, Suite, eventually};

const POLICY: &str = "\
[groups]
backend = \"files\"
[roles.both]
sudo     = [{ commands = [\"ALL\"] }]
groups   = [\"audio\"]
password = false
approvals = 0
grace    = \"1s\"
[roles.asked]
groups    = [\"video\"]
eligible  = [\"bob\"]
approvers = [\"carol\"]
";

/// Asserts that sudo does nothing for this account.
fn refused(host: &Host, user: &str, when: &str) {
    let output = host.as_user(user, "sudo -n id -u");
    assert_eq!((output.ok(), output.stdout.as_str()), (false, ""), "{user}, {when}: {output}");
}

/// Ends what runs as bob's number: usermod and userdel touch no account that is in use.
fn idle(host: &Host) {
    host.ok("systemctl stop user-1001.slice user@1001.service; kill $(pgrep -xf 'sleep 7100') \
         2>/dev/null; loginctl terminate-user 1001 2>/dev/null; true");
    eventually("an account without processes", SOON, || {
        (!host.run("pgrep -u 1001").ok()).then_some(())
    });
}

/// Waits for the end of this grant, which has to be because of the account.
fn ended(host: &Host, id: &str, why: &str) {
    let said = event_of(host, "grant.revoked", id);
    assert_eq!(said["STINT_REASON"], why);
    assert_eq!(listed(host, id)["end_reason"], "policy");
    let changed = host.journal_of("STINT_EVENT=account.changed", 1, SOON).pop().unwrap();
    assert_eq!(changed["STINT_USER"], "bob");
    let message = changed["MESSAGE"].as_str().unwrap();
    assert!(
        message.starts_with(&format!("{why}; what bob held or asked for is over")),
        "{message}"
    );
    eventually("the end of the rules", SOON, || (!has_rules(host)).then_some(()));
    eventually("the end of all processes", SOON, || {
        (!host.run("pgrep -xf 'sleep 7100'").ok()).then_some(())
    });
    let group = host.ok("grep '^audio:' /etc/group /etc/gshadow");
    for name in ["bob", "robert", "mallory"] {
        assert!(!group.contains(name), "{group}");
    }
    assert_eq!(host.run("grpck -r").status, 0, "{}", host.run("grpck -r"));
}

/// A host on which bob holds both, with a program under his own uid that carries the group.
fn held(suite: Suite) -> (Host, String) {
    let host = gated(suite, POLICY);
    refused(&host, "bob", "without a grant");
    let given = grant(&host, "bob both --for 1h");
    assert_eq!(host.as_user("bob", "sudo -n id -u").stdout, "0\n");
    let line = "setpriv --reuid 1001 --regid 1001 --init-groups setsid sleep 7100";
    host.ok(&format!("{line} >/dev/null 2>&1 </dev/null &"));
    eventually("the program", SOON, || host.run("pgrep -xf 'sleep 7100'").ok().then_some(()));
    // He is marked as one of this host's own with the first look, right after the grant.
    eventually("the look", SOON, || {
        host.run("ls -l /proc/$(systemctl show -P MainPID stintd)/fd | grep -q inotify")
            .ok()
            .then_some(())
    });
    (host, id(&given).to_owned())
}

#[test]
fn a_deleted_account_holds_nothing_nor_does_who_gets_its_number() {
    for suite in Suite::ALL {
        let (host, given) = held(suite);
        host.ok("stint request asked --help >/dev/null");
        let asked = host.as_user("bob", "stint request asked --reason x --json");
        assert!(asked.ok(), "{asked}");
        host.ok("userdel --force bob 2>/dev/null; ! id bob 2>/dev/null");
        ended(&host, &given, "the account bob (uid 1001) is gone");
        let lapsed = host.journal_of("STINT_EVENT=request.lapsed", 1, SOON);
        assert!(lapsed[0]["MESSAGE"].as_str().unwrap().ends_with("(uid 1001) is gone"));
        host.ok("useradd -o -u 1001 -m -s /bin/sh mallory");
        let mallory = host.as_user("mallory", "id -Gn; sudo -n id -u");
        assert_eq!((mallory.ok(), mallory.stdout.as_str()), (false, "mallory\n"), "{mallory}");
        idle(&host);
        host.ok("userdel mallory; useradd -u 1001 -s /bin/sh -M bob");
        assert!(!is_in(&host, "bob", "audio"));
        refused(&host, "bob", "bob anew");
    }
}

#[test]
fn a_renamed_account_holds_nothing_under_either_name() {
    for suite in Suite::ALL {
        let (host, given) = held(suite);
        if suite == Suite::Bookworm {
            idle(&host);
            host.ok("usermod -l robert bob");
        } else {
            // By an editor, with a program that carries the group.
            host.ok(
                "cd /etc; sed 's/^bob:/robert:/' passwd >p; sed 's/^bob:/robert:/' shadow >s; \
                 sed 's/:bob$/:robert/' group >g; sed 's/:bob$/:robert/' gshadow >gs; \
                 chmod 640 s gs; chgrp shadow s gs; \
                 perl -e 'rename($$_[0], $$_[1]) for [qw(gs gshadow)], [qw(s shadow)], [qw(g group)], \
                 [qw(p passwd)]'",
            );
        }
        ended(&host, &given, "uid 1001 is called robert now, not bob");
        assert!(!is_in(&host, "robert", "audio"), "the group stayed under the new name");
        refused(&host, "robert", "renamed");
    }
}

#[test]
fn an_account_that_was_changed_while_nobody_looked_holds_nothing_after_the_start() {
    let (host, given) = held(Suite::Bookworm);
    idle(&host);
    host.ok("systemctl stop stintd.service stintd.socket");
    host.ok("usermod -l robert bob; grep '^audio:.*robert' /etc/group");
    host.ok("systemctl start stintd.socket stintd.service");
    ended(&host, &given, "uid 1001 is called robert now, not bob");
    assert!(!is_in(&host, "robert", "audio"), "the group stayed under the new name");
    let given = grant(&host, "carol both --for 1h");
    host.ok("systemctl stop stintd.service stintd.socket; userdel carol");
    host.ok("systemctl start stintd.socket stintd.service");
    let said = event_of(&host, "grant.revoked", id(&given));
    assert_eq!(said["STINT_REASON"], "the account carol (uid 1002) is gone");
}

#[test]
fn another_number_or_another_name_for_it_is_the_end() {
    for suite in Suite::ALL {
        let (host, given) = held(suite);
        idle(&host);
        host.ok("usermod -u 2001 bob");
        ended(&host, &given, "bob has the uid 2001 now, not 1001");
        assert!(!is_in(&host, "bob", "audio"));
        refused(&host, "bob", "with another number");
        let given = grant(&host, "alice both --for 1h");
        event_of(&host, "grant.activated", id(&given));
        eventually("the look", SOON, || {
            host.run("ls -l /proc/$(systemctl show -P MainPID stintd)/fd | grep -q inotify")
                .ok()
                .then_some(())
        });
        host.ok("sleep 1; useradd -o -u 1000 -M mallory");
        let said = event_of(&host, "grant.revoked", id(&given));
        assert_eq!(said["STINT_REASON"], "uid 1000 has another name now, mallory");
    }
}

#[test]
fn what_is_no_definite_answer_ends_nothing() {
    let (host, given) = held(Suite::Trixie);
    // As vipw does: beside it, and renamed.
    host.ok("cp -a /etc/passwd /etc/passwd.edit && echo '# edited' >>/etc/passwd.edit && \
         mv /etc/passwd.edit /etc/passwd");
    // Empty, cut off, away, for a while.
    host.ok("cp -a /etc/passwd /root/whole");
    for damage in [
        ": >/etc/passwd",
        "head -c 700 /root/whole >/etc/passwd",
        "grep -v '^root:' /root/whole | grep -v '^bob:' >/etc/passwd",
        "mv /etc/passwd /etc/passwd.away",
    ] {
        host.ok(&format!("{damage}; sleep 1; cp -a /root/whole /etc/passwd; sleep 0.5"));
        assert_eq!(listed(&host, &given)["state"], "active", "{damage}");
    }
    kill(&host);
    eventually("stintd again", SOON, || host.run("stint status").ok().then_some(()));
    assert_eq!(listed(&host, &given)["state"], "active");
    assert!(is_in(&host, "bob", "audio"));
    assert_eq!(host.as_user("bob", "sudo -n id -u").stdout, "0\n");
    assert!(host.journal("STINT_EVENT=account.changed").is_empty());
    host.ok("stint revoke --all --reason over");
}
