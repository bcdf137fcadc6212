//! Standing privilege: everything that is held with no end is named once and nothing else is; what can
//! be is turned into eligibility and back, to the byte; and the last administrator keeps a way in.

use std::collections::BTreeSet;

use crate::common::{SOON, document, grant, has_rules, is_in, sudos};
use serde_json::Value;
use stint_tests::{Host, Suite};

/// Two roles that nobody is eligible for: what root gives by them is not standing. And two that will
/// not do instead once the members of sudo have left it: for them, and with them as approvers.
const POLICY: &str = r#"
[audit]
readers = ["carol"]

[roles.crew]
sudo      = [{ commands = ["ALL"] }]
eligible  = ["%sudo"]
approvals = 0

[roles.asked]
sudo      = [{ commands = ["ALL"] }]
eligible  = ["dave"]
approvers = ["%sudo"]

[roles.db]
sudo = [{ commands = ["ALL"] }]

[roles.containers]
groups = ["docker"]
"#;

/// Privilege of every kind, and some that is none.
const PLANT: &str = r#"set -eu
useradd -m -s /bin/sh dave; echo dave:pw-dave | chpasswd
useradd -m -s /bin/sh erin; echo erin:pw-erin | chpasswd
useradd -m -s /bin/sh -g disk frank
useradd -r -s /usr/sbin/nologin svc
groupadd -f docker; groupadd ops; groupadd team; groupadd empty
usermod -aG sudo alice; usermod -aG docker dave; usermod -aG docker svc
usermod -aG ops erin; usermod -aG adm erin; usermod -aG team frank
mkdir /etc/sudo-more
cat >/etc/sudo-more/extra <<'END'
# by an include of an include
%ops ALL=(ALL:ALL) \
    ALL
carol ALL=(root) /usr/bin/id, !/usr/bin/vim
carol ALL=(root) /usr/bin/vim
svc ALL=(ALL) NOPASSWD: ALL
# none of these
erin web-2=(ALL) ALL
frank ALL=(alice) ALL
%empty ALL=(ALL) ALL
END
chmod 0440 /etc/sudo-more/extra
cat >/etc/sudoers.d/10-nested <<'END'
User_Alias A = bob
User_Alias NESTED = A
NESTED ALL=(ALL) NOPASSWD: ALL
@include /etc/sudo-more/extra
END
chmod 0440 /etc/sudoers.d/10-nested
echo 'dave ALL=(ALL) ALL' >/etc/sudoers.d/passed.by
printf 'dave ALL=(ALL) ALL\n' >"$(printf '/etc/sudoers.d/z\033[2Jz')"
chmod 0440 /etc/sudoers.d/*
echo 'toor:x:0:0::/root:/bin/sh' >>/etc/passwd
echo 'toor:*:19000::::::' >>/etc/shadow
echo root:pw-root | chpasswd
mkdir -p -m 0700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -C "$(printf 'x\033[2Jy')" -f /root/key
cat /root/key.pub >/root/.ssh/authorized_keys
mkdir -p /etc/ssh/keys
ssh-keygen -q -t ed25519 -N '' -C elsewhere -f /root/other
sed 's/^/command="id" /' /root/other.pub >/etc/ssh/keys/root
echo 'AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u' >/etc/ssh/sshd_config.d/keys.conf
printf 'permit nopass erin\npermit bob as alice\n' >/etc/doas.conf
cat >/etc/polkit-1/rules.d/10-more.rules <<'END'
polkit.addAdminRule(function(action, subject) {
    if (subject.local) { return ["unix-user:frank"]; }
});
END
sed -i '1i auth sufficient pam_wheel.so trust group=team' /etc/pam.d/su
cp /bin/dash /usr/local/bin/rootsh; chmod 4755 /usr/local/bin/rootsh
chmod u+s /usr/bin/find
"#;

/// What is named of it, by holder, weight and means.
const NAMED: &[&str] = &[
    "alice root member of sudo",
    "bob root sudo rule /etc/sudoers.d/10-nested:3",
    "carol root sudo rule /etc/sudo-more/extra:5",
    "carol unknown sudo rule /etc/sudo-more/extra:4",
    "dave root member of docker",
    "dave root sudo rule /etc/sudoers.d/z\u{1b}[2Jz:1",
    "erin near member of adm",
    "erin root doas rule /etc/doas.conf:1",
    "erin root sudo rule /etc/sudo-more/extra:2, for %ops",
    "everybody root setuid-root program /usr/bin/find",
    "everybody root setuid-root program /usr/local/bin/rootsh",
    "frank root member of team",
    "frank root polkit rule /etc/polkit-1/rules.d/10-more.rules:2",
    "frank root primary group disk",
    "root root key /root/.ssh/authorized_keys:1",
    "root root root's password in /etc/shadow",
    "root unknown key /etc/ssh/keys/root:1",
    "svc root member of docker",
    "svc root sudo rule /etc/sudo-more/extra:6",
    "toor root another name of uid 0 in /etc/passwd",
];

/// What is counted of it: not root's password, nor what is not known to lead further.
const COUNT: usize = NAMED.len() - 3;

fn found(host: &Host) -> Value {
    document(&host.ok("stint standing --json"))
}

/// What is named, a line each; of a key only where it is.
fn named(found: &Value) -> Vec<String> {
    let line = |held: &Value| {
        let word = |name: &str| held[name].as_str().unwrap_or_default().to_owned();
        let how = match word("how").split_once(" in ") {
            Some((key, place)) if key.starts_with("key SHA256:") => format!("key {place}"),
            _ => word("how"),
        };
        format!("{} {} {how}", word("who"), word("weight"))
    };
    found["standing"].as_array().unwrap_or_else(|| panic!("{found}")).iter().map(line).collect()
}

/// Everything that adopting may touch: contents, owners and modes.
fn touched(host: &Host) -> String {
    host.ok(
        "for f in /etc/group /etc/gshadow /etc/sudoers /etc/sudoers.d/* /etc/sudo-more/* /etc/stint/policy.toml; do
             stat -c '%n %a %u %g %s' \"$f\"; cat \"$f\"; done; ls /etc/stint/policy.d",
    )
}

fn assert_untouched(host: &Host, before: &str, when: &str) {
    let now = touched(host);
    let other = now.lines().zip(before.lines()).find(|(now, before)| now != before);
    assert!(now == before, "{when}, something is not as it was, at first: {other:?}");
}

fn refused(host: &Host, line: &str, why: &str) {
    let output = host.run(line);
    assert!(output.status == 3 && output.text().contains(why), "{line}: {output}");
}

fn planted(suite: Suite) -> Host {
    let host = Host::boot(suite);
    host.ok(PLANT);
    host.load_policy(POLICY);
    // sudo-rs would refuse the whole of a file with a netgroup.
    if !suite.has_sudo_rs() {
        host.write("/etc/sudoers.d/net", "0440", "+admins ALL=(ALL) ALL\n");
    }
    host.ok("visudo -c");
    host
}

fn everything_is_named_once_and_nothing_else(host: &Host) {
    // Somebody who may not read the record.
    let output = host.as_user("alice", "stint standing");
    assert!(output.status == 3 && output.stdout.is_empty(), "{output}");
    // What stint gave is there, and not standing.
    grant(host, "carol db --for 1h");
    grant(host, "bob containers --for 1h");
    assert!(has_rules(host) && is_in(host, "bob", "docker"));

    let all = found(host);
    let named: Vec<String> = named(&all);
    let mut wanted: BTreeSet<String> = NAMED.iter().map(|line| (*line).to_owned()).collect();
    let nets = usize::from(!host.suite().has_sudo_rs());
    if nets == 1 {
        wanted.insert("+admins root sudo rule /etc/sudoers.d/net:1".to_owned());
    }
    assert_eq!(named.iter().cloned().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(named.len(), wanted.len(), "named twice: {named:#?}");
    assert_eq!(all["count"], COUNT + nets, "{all:#}");
    assert_eq!(all["unseen"], Value::Array(Vec::new()), "{all:#}");
    let alice = all["standing"].as_array().unwrap().iter().find(|held| held["who"] == "alice");
    let why = alice.unwrap()["why"].to_string();
    assert!(why.contains("sudo, /etc/sudoers:") && why.contains("polkit"), "{why}");

    // A reader, who can read none of these files, sees the same, and since when.
    let again = document(&host.as_user("carol", "stint standing --json").stdout);
    assert_eq!(again["standing"], all["standing"]);
    let text = host.as_user("carol", "stint standing").stdout;
    assert!(text.contains("alice (uid 1000)") && text.contains("gpasswd -d alice sudo"), "{text}");
    assert!(text.contains("svc (uid ") && text.contains("no person's account"), "{text}");
    assert!(!text.contains('\u{1b}') && !all.to_string().contains("$y$"), "{text}");
    host.ok("systemctl restart stintd");
    assert_eq!(found(host)["standing"], all["standing"], "known since before the restart");
    host.ok("stint revoke --all --reason enough");
}

/// As one who is at a terminal would, with a password.
fn sudo(host: &Host, user: &str) -> Vec<stint_tests::Output> {
    let of = |sudo: &str| {
        let sudo = sudo.replace(" -n", " -S");
        host.as_user_with(user, &format!("{sudo} id -u"), format!("pw-{user}\n").as_bytes(), SOON)
    };
    sudos(host.suite()).iter().map(|sudo| of(sudo)).collect()
}

fn assert_sudo(host: &Host, user: &str, when: &str) {
    for output in sudo(host, user) {
        assert!(output.ok() && output.stdout.trim_end().ends_with('0'), "{user}, {when}: {output}");
    }
}

fn assert_no_sudo(host: &Host, user: &str, when: &str) {
    for output in sudo(host, user) {
        assert!(!output.ok(), "{user}, {when}: {output}");
    }
}

fn what_is_adopted_is_asked_for_and_comes_back_to_the_byte(host: &Host) {
    let before = touched(host);
    assert_sudo(host, "alice", "before");
    refused(host, "stint standing --adopt --apply", "the gate is not on for sudo");
    host.ok("stint gate on sudo");
    let one = host.ok("stint standing --adopt dave");
    assert!(one.contains("gpasswd -d dave docker") && !one.contains("alice"), "{one}");
    let nobody = host.run("stint standing --adopt daev --apply");
    assert!(nobody.status == 2 && nobody.stderr.contains("\"daev\" holds nothing"), "{nobody}");
    let dry = host.ok("stint standing --adopt");
    assert_untouched(host, &before, "a dry run");

    // It stops on the way, and goes on.
    host.ok(
        "mount --bind /etc/sudo-more /etc/sudo-more && mount -o remount,bind,ro /etc/sudo-more",
    );
    let stopped = host.run("stint standing --adopt --apply");
    assert!(stopped.status == 1 && stopped.stderr.contains("stopped on the way"), "{stopped}");
    assert!(
        stopped.stdout.starts_with(dry.split("\nNothing was changed").next().unwrap()),
        "{dry}\n{stopped}"
    );
    host.ok("umount /etc/sudo-more");
    host.ok("stint standing --adopt --apply");
    host.ok("visudo -c; grpck -r");
    assert_eq!(host.journal_of("STINT_EVENT=standing.adopted", 2, SOON).len(), 2);

    for user in ["alice", "bob", "erin", "dave"] {
        assert_no_sudo(host, user, "adopted");
    }
    assert!(!is_in(host, "alice", "sudo") && !is_in(host, "dave", "docker"));
    assert!(host.ok("id -Gn svc").contains("docker"), "a service cannot ask");
    let roles =
        [("alice", "admin"), ("dave", "admin"), ("erin", "admin"), ("bob", "admin-nopasswd")];
    for (user, role) in roles {
        let line = format!("stint request {role} --reason 'needs it very much'");
        let output = host.as_user(user, &line);
        assert!(output.ok(), "{user}: {output}");
        assert_sudo(host, user, "on request");
    }
    assert!(host.as_user("bob", "sudo -n true").ok(), "who was asked for none has none to give");
    let output = host.as_user("dave", "stint request docker --reason 'needs it very much'");
    assert!(output.ok() && is_in(host, "dave", "docker"), "{output}");
    let left = named(&found(host));
    let gone = ["alice", "bob", "dave"];
    assert!(!left.iter().any(|line| gone.iter().any(|who| line.starts_with(who))), "{left:#?}");
    assert!(
        left.contains(&"erin near member of adm".to_owned())
            || left.iter().any(|line| line.contains("doas"))
    );

    // At 3 a.m., with grants running, and no daemon for the first try.
    host.ok("systemctl --runtime mask --now stintd.socket stintd.service");
    let away = host.run("stint standing --restore");
    assert_eq!(away.status, 1, "{away}");
    host.ok("systemctl --runtime unmask stintd.socket stintd.service; systemctl start stintd.socket stintd.service");
    host.ok("stint reload");
    host.ok("stint standing --restore");
    assert_untouched(host, &before, "restored");
    host.ok("visudo -c; grpck -r; test ! -e /var/lib/stint/standing");
    let restored = host.journal_of("STINT_EVENT=standing.restored", 1, SOON);
    assert!(!restored.is_empty());
    assert!(host.ok("stint standing --restore").contains("Nothing was adopted"));
    host.ok("stint gate off sudo");
    assert_sudo(host, "alice", "restored");
    host.ok("stint gate on sudo");
}

fn the_last_administrator_keeps_a_way_in(host: &Host) {
    host.ok("passwd -q -l root; mv /root/.ssh/authorized_keys /root/away");
    let before = touched(host);
    refused(host, "stint standing --adopt --apply", "nobody would get in if stint failed");
    assert_untouched(host, &before, "refused");
    host.load_policy(&format!("{POLICY}\n[gate]\nexempt = [\"alice\"]\n"));
    // Who is exempt is in the PAM file.
    refused(host, "stint standing --adopt --apply", "does not say what the policy does");
    host.ok("stint gate on sudo");
    let before = touched(host);
    let done = host.ok("stint standing --adopt --apply");
    assert!(done.contains("alice: member of sudo: passes the gate without a grant"), "{done}");
    assert!(is_in(host, "alice", "sudo") && !is_in(host, "dave", "docker"));

    // What somebody else changes meanwhile stays as they made it.
    host.ok("gpasswd -a carol docker; echo '# mine' >>/etc/sudoers.d/10-nested");
    host.ok("stint standing --restore");
    assert!(is_in(host, "dave", "docker") && is_in(host, "carol", "docker"));
    let nested = host.ok("cat /etc/sudoers.d/10-nested");
    assert!(nested.contains("\nNESTED ALL=") && nested.ends_with("# mine\n"), "{nested}");
    host.ok("gpasswd -M dave,svc docker; sed -i '/^# mine/d' /etc/sudoers.d/10-nested");
    assert_untouched(host, &before, "restored again");

    // Who takes stint away has what was there before it.
    host.ok("stint standing --adopt --apply");
    assert!(!is_in(host, "dave", "docker"));
    host.ok("dpkg --remove stint");
    assert!(is_in(host, "dave", "docker"));
    let bob = host.as_user("bob", "sudo -n id -u");
    assert_eq!((bob.status, bob.stdout.as_str()), (0, "0\n"), "{bob}");
}

/// Killed at any of its renames, which is where something becomes true, adopting leaves nobody without
/// either what they held or a role to ask for; and restoring, killed too, ends where it began.
fn killed_anywhere_it_leaves_a_way_and_a_way_back(host: &Host) {
    let before = touched(host);
    for number in 1.. {
        let killed = |line: &str| {
            let inject = format!("inject=rename,renameat,renameat2:signal=KILL:when={number}");
            host.run(&format!(
                "strace -o /dev/null -e trace=rename,renameat,renameat2 -e {inject} {line}"
            ))
        };
        let done = killed("stint standing --adopt --apply");
        host.ok("visudo -c; grpck -r");
        let when = format!("killed at rename {number}: {done}");
        let may_ask = |user: &str, role: &str| {
            let roles = document(&host.as_user(user, "stint roles --json").stdout);
            roles
                .as_array()
                .unwrap()
                .iter()
                .any(|one| one["name"] == *role && one["eligible"] == true)
        };
        let bobs = host.ok("cat /etc/sudoers.d/10-nested").contains("\nNESTED ALL=");
        assert!(bobs || may_ask("bob", "admin-nopasswd"), "bob, {when}");
        assert!(is_in(host, "dave", "docker") || may_ask("dave", "docker"), "dave, {when}");
        let again = killed("stint standing --restore");
        let last = host.run("stint standing --restore");
        assert!(last.ok(), "{when}, then {again}, then {last}");
        assert_untouched(host, &before, &when);
        if done.ok() {
            assert!(number > 10, "{done}");
            return;
        }
    }
}

fn standing(suite: Suite) {
    let host = planted(suite);
    everything_is_named_once_and_nothing_else(&host);
    what_is_adopted_is_asked_for_and_comes_back_to_the_byte(&host);
    // One suite will do: what is killed is stint.
    if suite.has_sudo_rs() {
        killed_anywhere_it_leaves_a_way_and_a_way_back(&host);
    }
    the_last_administrator_keeps_a_way_in(&host);
}

#[test]
fn who_is_root_with_no_end_is_named_adopted_and_given_back_on_bookworm() {
    standing(Suite::Bookworm);
}

#[test]
fn who_is_root_with_no_end_is_named_adopted_and_given_back_on_trixie() {
    standing(Suite::Trixie);
}
