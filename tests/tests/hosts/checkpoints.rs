//! Signed checkpoints: whoever changes, forges or strips what a host has told of its record is found
//! by whoever has the host's public key, with stint or with ssh-keygen alone; a key that is of no use
//! is told, and stops nothing.

use crate::common::{SOON, alarms, document};
use crate::parley::{POLICY, grant, prepared, refused};
use stint_tests::{Host, Output, Suite, eventually};

const KEY: &str = "/var/lib/stint/checkpoint.key";

fn with(host: &Host, audit: &str) -> Output {
    host.write("/etc/stint/policy.toml", "0644", format!("{POLICY}\n[audit]\n{audit}\n"));
    host.run("stint reload")
}

/// The record, against the checkpoints that are in a file.
fn verify(host: &Host, more: &str) -> Output {
    host.run(&format!("cp /var/lib/stint/state.sqlite* /root/; stint audit verify {more}"))
}

/// All checkpoints so far, as a collector has them.
fn collected(host: &Host) {
    host.ok(
        "journalctl --sync; journalctl -o json _UID=0 STINT_EVENT=audit.checkpoint >/root/collected",
    );
}

/// It is found, and this is said of it.
#[track_caller]
fn found(output: &Output, says: &str) {
    assert_eq!(output.status, 1, "{output}");
    assert!(output.stdout.lines().any(|line| line.contains(says)), "wanted {says}: {output}");
}

/// What docs/record.md has people type who have no stint.
fn documented() -> &'static str {
    let text = include_str!("../../../docs/record.md");
    let (_, rest) = text.split_once("```sh\nfield()").expect("a script in docs/record.md");
    &text[text.len() - rest.len() - "field()".len()..][..rest.find("```").unwrap() + 7]
}

/// With stint, and with ssh-keygen.
fn others_verify(host: &Host) {
    let good = host.run("stint audit verify --key /root/web-1.pub");
    assert!(good.ok() && good.stdout.starts_with("The record is whole: "), "{good}");
    assert!(good.stdout.contains(" of web-1 is signed by SHA256:"), "{good}");
    assert!(good.stdout.contains(" not signed, from before the first that is"), "{good}");
    host.write("/root/by-hand", "0700", documented());
    let by_hand = host.run("cd /root && sh ./by-hand");
    assert!(by_hand.ok(), "{by_hand}");
    assert!(by_hand.stdout.contains("Good \"checkpoint@stint\" signature for web-1"), "{by_hand}");
    let changed =
        host.run("cd /root && sed -i 's/^link ./&0/' checkpoint && tail -n 1 by-hand | sh");
    assert_ne!(changed.status, 0, "{changed}");
}

/// Whoever has the collector's file in hand cannot make it say something else.
fn forgeries_are_found(host: &Host) {
    collected(host);
    let all = "--checkpoints /root/collected --key /root/web-1.pub";
    let whole = verify(host, all);
    assert!(whole.ok(), "{whole}");
    let edited = "--checkpoints /root/edited --key /root/web-1.pub";
    let last = "last=$(tail -n 1 /root/collected)";
    for (edit, says) in [
        (
            "sed '$s/\"STINT_HASH\":\"..../\"STINT_HASH\":\"0000/' /root/collected",
            "is not as it was signed",
        ),
        ("sed '$s/\"STINT_LINK\":\"/&1/' /root/collected", "is not as it was signed"),
        ("sed '$s/\"STINT_HOST\":\"web-1/&1/' /root/collected", "is not as it was signed"),
        (
            "sed '$s/\"STINT_TIME\":\"2/\"STINT_TIME\":\"1/' /root/collected",
            "is not as it was signed",
        ),
        (
            "cat /root/collected; echo \"$last\" | sed 's/STINT_SIGNATURE/STRIPPED/'",
            "is not signed.",
        ),
        (
            "cat /root/collected; echo \"99999 $(printf %064d 0)\"",
            "The checkpoint of link 99999 is not signed.",
        ),
        ("grep -v STINT_SIGNATURE /root/collected", "is not signed."),
    ] {
        host.ok(&format!("{last}; ({edit}) >/root/edited"));
        found(&verify(host, edited), says);
    }
    // Nobody but root is believed to be stintd, and root's word alone is not enough.
    let forged = "printf 'MESSAGE=x\\nMESSAGE_ID=5b1c8f0e6a7d4b53a2e94d1f7c300029\\nSTINT_EVENT=audit.checkpoint\\nSTINT_LINK=99999\\nSTINT_HASH=%064d\\n' 0 | logger --journald";
    assert!(host.as_user("alice", forged).ok());
    host.ok("journalctl --sync");
    assert!(host.run("stint audit verify --key /root/web-1.pub").ok());
    host.ok(&format!("{forged}; journalctl --sync"));
    let output = host.run("stint audit verify --key /root/web-1.pub");
    found(&output, "The checkpoint of link 99999");
    assert!(output.stdout.starts_with("The record is whole"), "it does not count: {output}");
    // A record that was written anew as a whole does not agree with what was signed.
    let anew = host.run(
        "cp /root/state.sqlite /root/anew.sqlite && python3 - <<'END'
import hashlib, sqlite3, struct
state = sqlite3.connect('/root/anew.sqlite'); state.text_factory = bytes
before = bytes(32)
for seq, at, *texts in state.execute('SELECT seq, at, boot_id, event, message, fields FROM record ORDER BY seq').fetchall():
    if seq == 2: texts[2] = b'nothing happened'
    link = hashlib.sha256(b'stint.record.link.1\\n' + before + struct.pack('>qq', seq, at))
    for text in texts: link.update(struct.pack('>Q', len(text)) + text)
    before = link.digest()
    state.execute('UPDATE record SET message = ?, hash = ? WHERE seq = ?', (texts[2].decode(), before, seq))
state.execute('UPDATE chain SET seq = ?, hash = ?', (seq, before)); state.commit()
END
        stint audit verify --state /root/anew.sqlite",
    );
    assert!(anew.ok(), "it fits together: {anew}");
    found(
        &verify(host, &format!("--state /root/anew.sqlite {all}")),
        "is not the one that its checkpoint is of",
    );
}

/// By another key, for another host.
fn other_keys_are_found(host: &Host) {
    host.ok("ssh-keygen -q -t ed25519 -N '' -C other -f /root/other
             sed 's/^web-1/web-2/' /root/web-1.pub >/root/web-2.pub");
    let with = |more: &str| verify(host, &format!("--checkpoints /root/collected {more}"));
    found(&with("--key /root/other.pub"), "is signed by another key: ");
    found(&with("--key /root/web-2.pub"), "it speaks for web-2, not for web-1");
    found(&with("--key /root/web-1.pub --host web-2"), "is of another host: web-1");
    assert!(with("--key /root/web-1.pub --host web-1").ok());
    refused(
        &host.run("stint audit verify --key /root/other"),
        2,
        "stint: \"/root/other\" is a private key: give the public one\n",
    );
    for wrong in ["--key /dev/null", "--key /root/none", "--key /etc/hostname"] {
        assert_eq!(with(wrong).status, 1, "{wrong}");
    }
    assert_eq!(with("--host web-1").status, 2);
}

/// It says so wherever somebody looks, and all else goes on.
fn a_key_of_no_use_stops_nothing(host: &Host) {
    host.ok(&format!("cp -p {KEY} /root/kept && chmod 0644 {KEY}"));
    let told = host.run("stint reload");
    let says = "checkpoints go out unsigned: /var/lib/stint/checkpoint.key: others can read it (mode 0644)";
    assert!(told.ok() && told.text().contains(says), "{told}");
    assert!(alarms(host).iter().any(|alarm| alarm.contains(says)));
    let doctor = host.run("stint doctor");
    assert!(doctor.stdout.contains(says), "{doctor}");
    let key = host.run("stint audit key");
    assert!(key.status == 1 && key.stderr.contains(says), "{key}");
    let given = grant(host, "alice", "admin", "--for 1h");
    assert!(host.as_user("alice", "sudo -n true").ok());
    host.ok(&format!("stint revoke {given} --reason over; systemctl restart stintd.service"));
    let last = host.journal_of("_UID=0 STINT_EVENT=audit.checkpoint", 1, SOON).pop().unwrap();
    assert!(last.get("STINT_SIGNATURE").is_none(), "{last}");
    assert!(last["MESSAGE"].as_str().unwrap().contains("; not signed: "), "{last}");
    found(&host.run("stint audit verify --key /root/web-1.pub"), "is not signed.");
    host.ok(&format!("echo garbage >{KEY}; chmod 0600 {KEY}"));
    let told = host.run("stint reload");
    assert!(told.ok() && told.text().contains("it is no private key of OpenSSH's"), "{told}");
    host.ok(&format!("cp -p /root/kept {KEY}; stint reload"));
    assert_eq!(alarms(host), [] as [&str; 0]);
    // The next is signed again, and need not wait for its hour.
    eventually("a signed one", SOON, || {
        let last = host.journal("_UID=0 STINT_EVENT=audit.checkpoint").pop()?;
        last.get("STINT_SIGNATURE").map(|_| ())
    });
}

#[test]
fn what_a_host_has_signed_nobody_else_can_say() {
    let mut host = prepared(Suite::Trixie).boot();
    host.ok("groupadd crew && groupadd engineers && stint reload && stint gate on sudo");
    let denied = "stint: CheckpointKey is root's, and theirs who may read the record\n";
    refused(&host.as_user("alice", "stint audit key"), 3, denied);
    let off = "stint: checkpoints are not signed on this host; sign = true in [audit] of its policy has \
               them signed\n";
    refused(&host.run("stint audit key"), 1, off);
    let wrong = with(&host, "sign = \"yes\"");
    assert!(wrong.status == 1 && wrong.stderr.contains("audit.sign: "), "{wrong}");
    assert!(!host.run(&format!("test -e {KEY}")).ok());

    assert!(with(&host, "sign = true\nreaders = [\"carol\"]").ok());
    assert_eq!(host.ok(&format!("stat -c '%a %U %G' {KEY}")), "600 root root\n");
    assert!(!host.as_user("carol", &format!("cat {KEY}")).ok());
    host.ok("ls -A /var/lib/stint | grep -c checkpoint | grep -qx 1");
    refused(&host.as_user("alice", "stint audit key"), 3, denied);
    let line = host.as_user("carol", "stint audit key").stdout;
    assert!(line.starts_with("web-1 namespaces=\"checkpoint@stint\" ssh-ed25519 AAAA"), "{line}");
    assert_eq!(document(&host.ok("stint audit key --json"))["allowed_signers"], line.trim());
    host.write("/root/web-1.pub", "0644", &line);
    // OpenSSH reads the file that stintd made.
    let public = host.ok(&format!("ssh-keygen -y -f {KEY}"));
    assert!(line.contains(public.split(' ').nth(1).unwrap().trim()), "{public}");
    // The first that is signed comes with the reload.
    let signed = "_UID=0 STINT_EVENT=audit.checkpoint STINT_HOST=web-1";
    assert_eq!(host.journal_of(signed, 1, SOON).len(), 1);

    others_verify(&host);
    host.ok("systemctl restart stintd.service");
    host.reboot();
    eventually("stintd", SOON, || host.run("stint status").ok().then_some(()));
    assert_eq!(host.ok("stint audit key"), line, "it is as it was");
    forgeries_are_found(&host);
    other_keys_are_found(&host);
    a_key_of_no_use_stops_nothing(&host);

    // With a backup it comes back; without, another is made, which nobody takes for the old one.
    host.ok("systemctl stop stintd.socket stintd.service
             cp -a /var/lib/stint /root/backup; rm -rf /var/lib/stint/*; cp -a /root/backup/. /var/lib/stint/
             systemctl start stintd.socket stintd.service");
    assert_eq!(host.ok("stint audit key"), line);
    host.ok(&format!("rm {KEY}; systemctl restart stintd.service"));
    let new = host.ok("stint audit key");
    assert_ne!(new, line);
    host.ok("journalctl --sync; journalctl -o json _UID=0 STINT_EVENT=audit.checkpoint \
             | grep STINT_SIGNATURE >/root/collected");
    let old = verify(&host, "--checkpoints /root/collected --key /root/web-1.pub");
    found(&old, "is signed by another key: ");
    host.write("/root/both.pub", "0644", format!("{line}{new}"));
    let both = verify(&host, "--checkpoints /root/collected --key /root/both.pub");
    assert!(both.ok(), "{both}");

    // Off again: nothing is signed any more, and the key stays until somebody removes it.
    assert!(with(&host, "sign = false").ok());
    host.ok("systemctl restart stintd.service");
    let last = host.journal_of("_UID=0 STINT_EVENT=audit.checkpoint", 1, SOON).pop().unwrap();
    assert!(last.get("STINT_SIGNATURE").is_none(), "{last}");
    assert_eq!(alarms(&host), [] as [&str; 0]);
}
