//! The doctor: a healthy gated host has no finding, and each thing that can make a gate useless is
//! found, with the command that mends it, which does mend it.

use crate::common::SOON;
use crate::parley::{POLICY, gated, grant, prepared, refused};
use stint_tests::{Host, Output, Suite, eventually};

/// What is said of a container, which is kept from the kernel's audit.
const NO_AUDIT: &str = "There is no kernel audit here, so nothing of stint is in it.\n";
const GATED: &str = "sudo is gated: who holds no grant is denied.\n";

fn doctor(host: &Host) -> Output {
    host.run("stint doctor")
}

/// The doctor has this finding, and this closing line.
#[track_caller]
fn finds(host: &Host, finding: &str, closing: &str) {
    let found = doctor(host);
    assert_eq!((found.status, found.stderr.as_str()), (1, ""), "{found}");
    assert!(found.stdout.lines().any(|line| line == finding), "wanted:\n{finding}\nbut: {found}");
    assert_eq!(found.stdout.lines().last(), Some(closing.trim_end()), "{found}");
}

#[track_caller]
fn is_healthy(host: &Host) {
    let found = doctor(host);
    let healthy = format!("{NO_AUDIT}{GATED}");
    assert_eq!((found.status, found.text()), (0, healthy), "{found}");
}

#[test]
fn a_healthy_gated_host_has_no_finding() {
    for suite in Suite::ALL {
        let host = prepared(suite).boot();
        host.ok("groupadd crew && groupadd engineers && stint reload");
        finds(
            &host,
            "open   sudo is not gated: its PAM file does not ask stint.  Mend it:  stint gate on sudo",
            "sudo is not gated: its sudoers rules alone say who gets in.",
        );
        host.ok("stint gate on sudo");
        is_healthy(&host);
        grant(&host, "alice", "admin", "--for 1h");
        grant(&host, "bob", "crew", "--for 1h");
        is_healthy(&host);
        refused(
            &host.as_user("alice", "stint doctor"),
            3,
            "stint doctor is root's: run it as root\n",
        );
    }
}

#[test]
fn pam_files_that_let_a_denial_through_are_found() {
    let host = gated(Suite::Bookworm);
    let good = String::from_utf8(host.read("/etc/pam.d/sudo")).unwrap();
    let open = "sudo is not gated: its PAM file lets a denial through.";
    let mend = "stint gate off sudo, then  stint gate on sudo";
    // A line of somebody's before the gate's.
    host.write("/etc/pam.d/sudo", "0644", format!("account sufficient pam_localuser.so\n{good}"));
    finds(
        &host,
        &format!(
            "open   sudo passes the gate by: /etc/pam.d/sudo:1 can end the stack or jump over it.  Mend it:  {mend}"
        ),
        open,
    );
    assert!(host.as_user("alice", "sudo -n true").ok(), "and so it is: alice holds no grant");
    let jump = "account [success=1 default=ignore] pam_localuser.so\n";
    let (before, after) = good.split_once("account requisite pam_stint.so").unwrap();
    host.write(
        "/etc/pam.d/sudo",
        "0644",
        format!("{before}{jump}account requisite pam_stint.so{after}"),
    );
    let found = doctor(&host);
    assert!(found.stdout.contains("can end the stack or jump over it"), "{found}");
    // A denial that does not count.
    host.write("/etc/pam.d/sudo", "0644", good.replace("requisite", "optional"));
    let found = doctor(&host);
    assert_eq!(found.status, 1, "{found}");
    assert_ne!(found.stdout.lines().last(), Some(GATED.trim_end()), "{found}");
    // One end of the gate's lines is gone.
    host.write("/etc/pam.d/sudo", "0644", good.replacen("# stint gate: end\n", "", 1));
    let found = doctor(&host);
    assert!(found.stdout.contains("is one end of the gate's lines without the other."), "{found}");
    // sudo -i has a file of its own.
    host.write("/etc/pam.d/sudo", "0644", &good);
    host.ok("stint gate off sudo-i");
    finds(
        &host,
        "open   sudo is gated, but sudo -i is not: it has a PAM file of its own.  Mend it:  stint gate on sudo",
        GATED,
    );
    host.ok("stint gate on sudo");
    is_healthy(&host);
    // What the policy says is not in the files yet.
    host.load_policy(&POLICY.replace("exempt = []", "exempt = [\"%engineers\"]"));
    finds(
        &host,
        "wrong  sudo: who is exempt in the PAM file is not who is in the policy.  Mend it:  stint gate on sudo",
        GATED,
    );
    host.ok("stint gate on sudo");
    is_healthy(&host);
    host.load_policy(&POLICY.replace("\"enforce\"", "\"observe\""));
    let found = doctor(&host);
    assert_eq!(
        found.stdout.lines().last(),
        Some("sudo is not gated: it is only observed, and nobody is denied."),
        "{found}"
    );
}

#[test]
fn a_module_that_is_missing_is_found() {
    let host = gated(Suite::Trixie);
    let module = host.ok("find /usr/lib -name pam_stint.so").trim().to_owned();
    host.ok(&format!("mv {module} /root/"));
    finds(
        &host,
        "wrong  sudo names pam_stint.so, which is in no PAM module folder: nobody gets in there.  \
         Mend it:  stint gate off --all, or install stint again",
        "sudo is shut: the module is missing, so nobody gets in.",
    );
    assert_ne!(host.as_user("alice", "sudo -n true").status, 0, "and so it is");
    host.ok("stint gate off --all");
    assert!(host.as_user("alice", "sudo -n true").ok(), "the mend works");
}

#[test]
fn a_stintd_that_is_down_is_found() {
    let host = gated(Suite::Bookworm);
    host.ok("systemctl mask -q --runtime stintd.service && systemctl stop stintd.service");
    finds(
        &host,
        "wrong  stintd cannot be reached: it does not run. root: systemctl status stintd  \
         Mend it:  systemctl restart stintd.socket stintd.service",
        GATED,
    );
    host.ok("systemctl unmask -q --runtime stintd.service");
    host.ok("systemctl restart stintd.socket stintd.service");
    is_healthy(&host);
}

#[test]
fn wrong_owners_and_modes_are_found() {
    let host = gated(Suite::Bookworm);
    grant(&host, "alice", "admin", "--for 1h");
    for (path, right, wrong) in [
        ("/etc/sudoers.d/stint", "0440", "0666"),
        ("/etc/stint", "0755", "0777"),
        ("/etc/stint/policy.toml", "0644", "0664"),
        ("/etc/stint/policy.d", "0755", "0775"),
        ("/var/lib/stint", "0700", "0755"),
        ("/run/stint/pam.sock", "0600", "0666"),
    ] {
        host.ok(&format!("chmod {wrong} {path}"));
        let mend = format!("chmod {right} {path}");
        let text =
            format!("wrong  {path} has mode {wrong}; it should be {right}.  Mend it:  {mend}");
        finds(&host, &text, GATED);
        host.ok(&mend);
        // stintd looks at what others have changed a moment after.
        eventually("the mend to be noticed", SOON, || doctor(&host).ok().then_some(()));
        is_healthy(&host);
    }
    host.ok("chown alice /etc/stint");
    let text =
        "wrong  /etc/stint belongs to uid 1000, not to root.  Mend it:  chown root /etc/stint";
    finds(&host, text, GATED);
    host.ok("chown root /etc/stint");
    is_healthy(&host);
}

#[test]
fn name_services_that_do_not_see_what_is_given_are_found() {
    let host = gated(Suite::Trixie);
    host.load_policy(&format!("{POLICY}\n[groups]\nbackend = \"userdb\"\n"));
    is_healthy(&host);
    host.ok("sed -i 's/^group:.*/group: files/' /etc/nsswitch.conf");
    finds(
        &host,
        "wrong  /etc/nsswitch.conf has no \"systemd\" in its group line, so memberships given by \
         userdb are not seen.  Mend it:  sed -i 's/^group:.*/& systemd/' /etc/nsswitch.conf",
        GATED,
    );
    host.ok("sed -i 's/^group:.*/& systemd/' /etc/nsswitch.conf");
    is_healthy(&host);
    host.load_policy(&format!("{POLICY}\n[groups]\nbackend = \"files\"\n"));
    host.ok("groupdel crew");
    finds(
        &host,
        "wrong  A role gives the group crew, which is not in /etc/group.  Mend it:  groupadd crew",
        GATED,
    );
    host.ok("groupadd crew");
    is_healthy(&host);
}

#[test]
fn settings_of_sudo_that_go_past_its_pam_file_are_found() {
    let host = gated(Suite::Bookworm);
    let past = "sudo is not gated: its own settings go past its PAM file.";
    host.write("/etc/sudoers.d/site", "0440", "Defaults env_reset, !pam_acct_mgmt\n");
    assert!(host.as_user("alice", "sudo -n true").ok(), "and so it is: alice holds no grant");
    finds(
        &host,
        "open   /etc/sudoers.d/site has !pam_acct_mgmt: sudo does not ask stint.  Mend it:  \
         visudo -f /etc/sudoers.d/site",
        past,
    );
    host.write("/etc/sudoers.d/site", "0440", "Defaults pam_service=other\n");
    finds(
        &host,
        "open   /etc/sudoers.d/site sets pam_service: the PAM file other is used instead.  \
         Mend it:  stint gate on other, or  visudo -f /etc/sudoers.d/site",
        past,
    );
    host.write("/etc/sudoers.d/site", "0440", "Defaults !pam_session\n");
    finds(
        &host,
        "wrong  /etc/sudoers.d/site has !pam_session: sudo's sessions do not end with their grants.  \
         Mend it:  visudo -f /etc/sudoers.d/site",
        GATED,
    );
    host.ok("rm /etc/sudoers.d/site && sed -i.bak '/includedir/d' /etc/sudoers");
    finds(
        &host,
        "wrong  /etc/sudoers does not include /etc/sudoers.d, so sudo does not see what roles give.  \
         Mend it:  visudo, and add  @includedir /etc/sudoers.d",
        GATED,
    );
    host.ok("mv /etc/sudoers.bak /etc/sudoers");
    is_healthy(&host);
}

#[test]
fn a_policy_that_was_refused_and_work_that_is_not_done_are_found() {
    let host = gated(Suite::Bookworm);
    host.write_policy("[gate]\nmode = \"off\"\n");
    assert_eq!(host.run("stint reload").status, 1);
    let found = doctor(&host);
    assert_eq!(found.status, 1, "{found}");
    let line = "wrong  The policy on disk was refused; the one before is in force: /etc/stint/policy.toml:2:8: ";
    assert!(found.stdout.lines().any(|said| said.starts_with(line)), "{found}");
    host.load_policy(POLICY);
    is_healthy(&host);
    // A membership that cannot be taken back.
    host.load_policy(&format!("{POLICY}\n[groups]\nbackend = \"files\"\n"));
    let his = grant(&host, "bob", "crew", "--for 1h");
    host.set_writable("stintd.service", "/etc", false);
    host.ok(&format!("stint revoke {his} --reason over"));
    let found = doctor(&host);
    assert_eq!((found.status, found.stderr.as_str()), (1, ""), "{found}");
    let told = found.stdout.lines().any(|line| {
        line.starts_with("wrong  Not done after ")
            && line.contains(" tries: bob is still in crew: ")
            && line.ends_with("Mend it:  journalctl -t stintd")
    });
    assert!(told, "{found}");
    host.set_writable("stintd.service", "/etc", true);
    eventually("the end of what was not done", SOON, || doctor(&host).ok().then_some(()));
    is_healthy(&host);
}
