//! Where no stintd runs that would end a grant, stint-sweep takes back what is over, by the list of
//! what was given alone: nothing that is not in it, and nothing of what still runs.

use crate::bent::{Clocks, bend, bent};
use crate::common::{
    SOON, alarms, builder, daemon, event_of, gate, grant, has_rules, id, is_in, kill, listed,
    next_boot, quiet, with_boots,
};
use serde_json::Value;
use stint_tests::{Host, HostBuilder, Suite, eventually};

const LIST: &str = "/var/lib/stint/applied";

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
groups   = ["video"]
polkit   = ["org.freedesktop.systemd1.manage-units"]
password = false
grace    = "1s"
"#;

const FILES: &str = "[groups]\nbackend = \"files\"\n";

/// It looks every two seconds instead of every minute.
fn hurried(builder: HostBuilder) -> HostBuilder {
    let drop_in = "[Timer]\nOnActiveSec=\nOnActiveSec=2\nAccuracySec=100ms\n";
    builder.file("/etc/systemd/system/stint-sweep.timer.d/hurry.conf", 0o644, drop_in)
}

/// Nothing starts stintd any more, and the one that runs dies in the middle of things.
fn take_away(host: &Host) {
    host.ok("systemctl mask -q --runtime stintd.service");
    let pid = daemon(host);
    assert_ne!(pid, "0", "stintd does not run");
    host.ok(&format!("kill -KILL {pid}"));
    eventually("the end of stintd", SOON, || (!host.run("pgrep -x stintd").ok()).then_some(()));
}

fn give_back(host: &Host) {
    host.ok("systemctl unmask -q --runtime stintd.service && systemctl start stintd.service");
}

fn assert_sound(host: &Host) {
    host.ok("grpck -r && visudo -c");
}

/// Waits for the end of what is over, which nothing else takes back.
fn gone(host: &Host, user: &str) {
    eventually("the group to go", SOON, || (!is_in(host, user, "video")).then_some(()));
}

/// A process of this user's that sudo started, as long as it runs.
fn start_under_sudo(host: &Host, user: &str, number: u32) {
    let started = host.as_user(
        user,
        &format!(
            "nohup sudo -n sleep {number} >/dev/null 2>&1 & sleep 1; pgrep -fx 'sleep {number}'"
        ),
    );
    assert!(started.ok(), "{started}");
}

fn runs(host: &Host, number: u32) -> bool {
    host.run(&format!("pgrep -fx 'sleep {number}'")).ok()
}

fn text(entry: &Value, field: &str) -> String {
    entry[field].as_str().unwrap_or_default().to_owned()
}

fn what_is_over_goes_and_the_rest_stays(suite: Suite, policy: &str) {
    let host = gate(hurried(builder(suite, policy)).boot());
    host.ok("usermod -aG video carol");
    let over = grant(&host, "bob admin --for 15s");
    let lasting = grant(&host, "alice admin --for 1h");
    // A role that carol has too: what is standing is not stint's to take.
    let third = grant(&host, "carol admin --for 15s");
    start_under_sudo(&host, "bob", 7001);
    start_under_sudo(&host, "alice", 7002);
    assert!(is_in(&host, "bob", "video") && is_in(&host, "alice", "video"));
    let list = host.ok(&format!("cat {LIST}"));
    assert_eq!(host.ok(&format!("stat -c %a:%u:%g {LIST}")), "600:0:0\n");
    for wanted in [id(&over), id(&lasting), "member bob group=video", "member alice group=video"] {
        assert!(list.contains(wanted), "{wanted}: {list}");
    }
    assert!(!list.contains("member carol"), "a standing member is listed: {list}");
    take_away(&host);

    let swept = event_of(&host, "grant.swept", id(&over));
    assert_eq!(text(&swept, "STINT_ACTOR"), "stint-sweep");
    assert!(text(&swept, "MESSAGE").ends_with("stint-sweep takes back what it gave"), "{swept}");
    event_of(&host, "grant.swept", id(&third));
    gone(&host, "bob");
    eventually("the session to end", SOON, || (!runs(&host, 7001)).then_some(()));
    event_of(&host, "session.terminated", id(&over));
    let removed = event_of(&host, "group.removed", id(&over));
    assert_eq!(text(&removed, "STINT_ACTOR"), "stint-sweep");
    assert!(is_in(&host, "alice", "video"), "a grant that runs keeps what it has");
    assert!(is_in(&host, "carol", "video"), "a standing member was taken out");
    assert!(runs(&host, 7002), "a session of a grant that runs was ended");
    let rules = host.ok("cat /etc/sudoers.d/stint");
    assert!(rules.contains(id(&lasting)), "{rules}");
    assert!(!rules.contains(id(&over)) && !rules.contains(id(&third)), "{rules}");
    let rules = host.ok("cat /etc/polkit-1/rules.d/40-stint.rules");
    assert!(rules.contains(id(&lasting)) && !rules.contains(id(&over)), "{rules}");
    let list = host.ok(&format!("cat {LIST}"));
    assert!(list.contains(id(&lasting)) && !list.contains("bob"), "{list}");
    assert_sound(&host);

    give_back(&host);
    assert_eq!(listed(&host, id(&over))["end_reason"], "expired");
    assert_eq!(listed(&host, id(&lasting))["state"], "active");
    assert_eq!(alarms(&host), [] as [&str; 0]);
    for grant in [&over, &third] {
        let ends = format!("STINT_EVENT=grant.expired STINT_GRANT={}", id(grant));
        assert_eq!(host.journal_of(&ends, 1, SOON).len(), 1);
    }
    assert!(host.journal("STINT_EVENT=group.drift").is_empty());
    assert!(is_in(&host, "alice", "video") && runs(&host, 7002));
    assert_sound(&host);

    // On a host where nothing is given there is no list, and no timer.
    host.ok("stint revoke --all --reason over");
    eventually("the end of the list", SOON, || {
        (!host.run(&format!("test -e {LIST}")).ok()).then_some(())
    });
    eventually("the end of the timer", SOON, || {
        let timer = host.run("systemctl is-active stint-sweep.timer");
        (timer.stdout == "inactive\n").then_some(())
    });
    host.ok("systemctl is-active stint-sweep.path");
    assert_eq!(host.ok("systemctl list-units --failed --no-legend --plain 'stint*'"), "");
}

#[test]
fn on_bookworm_what_is_over_is_taken_back_although_stintd_is_masked() {
    what_is_over_goes_and_the_rest_stays(Suite::Bookworm, &format!("{FILES}{POLICY}"));
}

#[test]
fn on_trixie_what_is_over_is_taken_back_although_stintd_is_masked() {
    what_is_over_goes_and_the_rest_stays(Suite::Trixie, POLICY);
}

#[test]
fn what_was_taken_away_by_hand_and_given_anew_goes_with_who_gave_it_last() {
    let screen = format!("{FILES}{POLICY}[roles.screen]\ngroups = [\"video\"]\ngrace = \"1s\"\n");
    let host = gate(hurried(builder(Suite::Bookworm, &screen)).boot());
    let lasting = grant(&host, "bob screen --for 1h");
    host.ok("gpasswd -d bob video");
    eventually("the removal to be noticed", SOON, || {
        (listed(&host, id(&lasting))["without"][0] == "group video").then_some(())
    });
    grant(&host, "bob admin --for 10s");
    assert!(is_in(&host, "bob", "video"), "another grant gives it anew");
    take_away(&host);
    gone(&host, "bob");
    give_back(&host);
    assert_eq!(listed(&host, id(&lasting))["state"], "active");
    assert_eq!(alarms(&host), [] as [&str; 0]);
    assert!(!is_in(&host, "bob", "video"), "what somebody took away by hand stays away");
    assert_sound(&host);
}

#[test]
fn what_is_over_is_taken_back_although_the_database_is_broken() {
    let policy = format!("{FILES}{POLICY}");
    let host = gate(hurried(builder(Suite::Trixie, &policy)).boot());
    let over = grant(&host, "bob admin --for 15s");
    let lasting = grant(&host, "alice admin --for 1h");
    host.ok("systemctl stop stintd.socket stintd.service");
    host.ok(
        "cd /var/lib/stint && rm -f state.sqlite-* && head -c 65536 /dev/urandom >state.sqlite",
    );
    host.ok("systemctl start stintd.socket; systemctl start --no-block stintd.service");
    event_of(&host, "grant.swept", id(&over));
    gone(&host, "bob");
    assert!(is_in(&host, "alice", "video"), "a grant that runs keeps what it has");
    assert!(host.ok("cat /etc/sudoers.d/stint").contains(id(&lasting)));
    assert!(!host.as_user("alice", "sudo -n true").ok(), "the gate is shut meanwhile");
    assert!(!host.run("stint status").ok());

    // A new state: what was given of the old one is taken back by the list.
    host.ok("systemctl stop stintd.socket stintd.service && rm /var/lib/stint/state.sqlite");
    host.ok("systemctl start stintd.socket stintd.service");
    assert!(!is_in(&host, "alice", "video"), "a membership that no state knows is left");
    assert!(!has_rules(&host));
    assert_sound(&host);
}

#[test]
fn a_removal_takes_back_what_is_listed_although_the_database_is_broken() {
    let policy = format!("{FILES}{POLICY}");
    let host = gate(builder(Suite::Bookworm, &policy).boot());
    host.ok("usermod -aG video carol");
    grant(&host, "bob admin --for 1h");
    start_under_sudo(&host, "bob", 7003);
    host.ok("systemctl stop stintd.socket stintd.service");
    host.ok(
        "cd /var/lib/stint && rm -f state.sqlite-* && head -c 65536 /dev/urandom >state.sqlite",
    );
    let removed = host.run("dpkg -r stint");
    assert!(removed.ok(), "{removed}");
    assert!(
        removed.stdout.contains("1 grant ended by the list; everything that stint gave"),
        "{removed}"
    );
    assert!(!is_in(&host, "bob", "video") && is_in(&host, "carol", "video"));
    assert!(!has_rules(&host) && !runs(&host, 7003));
    let units = host.ok("systemctl list-units --all --no-legend --plain 'stint*'");
    assert!(!units.contains(" active ") && !units.contains(" failed "), "{units}");
    assert_sound(&host);
}

#[test]
fn beside_a_stintd_that_lives_the_sweep_does_nothing() {
    let host = gate(hurried(builder(Suite::Trixie, POLICY)).boot());
    let given = grant(&host, "bob admin --for 1h");
    // One that hangs is the watchdog's matter.
    let pid = daemon(&host);
    host.freeze(&pid);
    bent(&host, &["stint-sweep.service"]);
    bend(&host, Clocks { wall: 7200, boot: 7200 });
    let before = host.ok(&format!("cat {LIST}"));
    for _ in 0..2 {
        host.ok("systemctl start stint-sweep.service");
    }
    assert_eq!(host.ok(&format!("cat {LIST}")), before);
    assert!(is_in(&host, "bob", "video") && has_rules(&host));
    assert!(
        host.journal(&format!("STINT_EVENT=grant.swept STINT_GRANT={}", id(&given))).is_empty()
    );
    host.thaw(&pid);
    assert_eq!(listed(&host, id(&given))["state"], "active");
}

#[test]
fn before_logins_what_is_over_is_gone_also_where_the_clock_says_1970() {
    let policy = format!("{FILES}{POLICY}");
    let mut host = with_boots(builder(Suite::Bookworm, &policy)).boot();
    // Who logs in as soon as anybody may.
    let probe = "[Unit]\nAfter=systemd-user-sessions.service\n[Service]\nType=oneshot\n\
                 ExecStart=sh -c 'runuser -l bob -c \"id -Gn\" >/var/log/probe; runuser -l alice -c \"id -Gn\" >>/var/log/probe'\n\
                 [Install]\nWantedBy=multi-user.target\n";
    host.write("/etc/systemd/system/probe.service", "0644", probe);
    host.ok("systemctl enable -q probe.service && systemctl stop stint-sweep.path");
    let over = grant(&host, "bob admin --for 5s");
    let lasting = grant(&host, "alice admin --for 10m");
    bent(&host, &["stintd.service", "stint-sweep.service"]);
    host.ok("systemctl mask -q stintd.service stintd.socket");
    host.ok("systemctl kill -s KILL stintd.service; sleep 6");
    assert!(is_in(&host, "bob", "video"), "something has taken it back, so this shows nothing");
    next_boot(&host);
    host.power_cut();
    assert_eq!(host.ok("cat /var/log/probe"), "bob\nalice video\n");
    event_of(&host, "grant.swept", id(&over));
    assert!(host.ok("cat /etc/sudoers.d/stint").contains(id(&lasting)));

    // A dead battery. What was left of it is left by the boot clock, and goes on over more reboots.
    let since_1970: i64 = host.ok("date +%s").trim().parse().unwrap();
    bend(&host, Clocks { wall: -since_1970, boot: 0 });
    next_boot(&host);
    host.power_cut();
    assert_eq!(host.ok("cat /var/log/probe"), "bob\nalice video\n");
    bend(&host, Clocks { wall: -since_1970, boot: 610 });
    next_boot(&host);
    host.power_cut();
    assert_eq!(host.ok("cat /var/log/probe"), "bob\nalice\n", "longer than it was given");
    event_of(&host, "grant.swept", id(&lasting));
    assert!(!has_rules(&host));
    assert!(!host.run(&format!("test -e {LIST}")).ok());
    assert_sound(&host);
}

#[test]
fn a_line_that_is_torn_or_hostile_is_named_and_the_others_count() {
    let policy = format!("{FILES}{POLICY}");
    let host = builder(Suite::Trixie, &policy).boot();
    host.ok("systemctl stop stint-sweep.path stint-sweep.timer");
    host.ok("usermod -aG adm carol");
    let over = grant(&host, "bob admin --for 5s");
    let lasting = grant(&host, "alice admin --for 1h");
    take_away(&host);
    // Nothing of it may be believed: not a member that was never listed, not a path, not a command.
    host.ok(&format!(
        "printf '%s\\n' 'member carol group=adm backend=files grants=- carried=- #00000000' \
         'member carol group=adm' 'grant ../../etc/passwd $(touch /pwned) #deadbeef' >>{LIST}"
    ));
    host.ok("sleep 6");
    let swept = host.run("stintd --sweep");
    assert_eq!(swept.status, 1, "{swept}");
    assert!(swept.stderr.contains(&format!("stintd: {LIST}: line ")), "{swept}");
    assert!(swept.stderr.contains("is torn or was edited"), "{swept}");
    event_of(&host, "grant.swept", id(&over));
    assert!(!is_in(&host, "bob", "video"));
    assert!(is_in(&host, "alice", "video") && is_in(&host, "carol", "adm"));
    assert!(!host.run("test -e /pwned").ok());
    // It stays an alarm until somebody or stintd has put it right.
    assert_eq!(host.run("stintd --sweep").status, 1);
    give_back(&host);
    assert_eq!(listed(&host, id(&lasting))["state"], "active");
    eventually("a list that is whole", SOON, || {
        (!host.ok(&format!("cat {LIST}")).contains("carol")).then_some(())
    });
    assert!(is_in(&host, "carol", "adm"));
}

#[test]
fn doctor_names_a_sweep_that_is_off_and_a_list_that_is_gone() {
    let host = builder(Suite::Bookworm, POLICY).boot();
    grant(&host, "bob admin --for 1h");
    let doctor = || host.run("stint doctor").stdout;
    assert!(!doctor().contains("sweep"), "{}", doctor());
    host.ok(&format!("systemctl mask -q --now stint-sweep.path && rm {LIST}"));
    host.ok("systemctl disable -q stint-sweep.service");
    for wanted in [
        "stint-sweep.path is masked: what is over stays while stintd is dead.",
        "systemctl unmask stint-sweep.path",
        "stint-sweep.service is disabled: what is over stays while stintd is dead at a boot.",
        "/var/lib/stint/applied names 0 of the 1 grants that run",
    ] {
        assert!(doctor().contains(wanted), "{wanted}: {}", doctor());
    }
    // As after an upgrade from a stint that had none: it is there with the first start.
    host.ok("systemctl unmask -q stint-sweep.path && systemctl start stint-sweep.path");
    host.ok("systemctl enable -q stint-sweep.service && systemctl restart stintd.service");
    assert!(host.ok(&format!("cat {LIST}")).contains("member bob group=video"));
    assert!(!doctor().contains("sweep"), "{}", doctor());
}

#[test]
fn rules_that_cannot_be_taken_out_alone_go_with_the_rest() {
    // By hand the sweep sees another boot than the unit does: what is left counts from its start.
    let host = builder(Suite::Bookworm, POLICY).own_uptime().boot();
    host.ok("systemctl stop stint-sweep.path stint-sweep.timer");
    grant(&host, "bob admin --for 5s");
    grant(&host, "alice admin --for 1h");
    take_away(&host);
    host.ok("echo '# mine' >>/etc/sudoers.d/stint && sleep 6");
    let swept = host.run("stintd --sweep");
    assert_eq!(swept.status, 1, "{swept}");
    assert!(swept.stderr.contains("all sudo rules of stint are gone"), "{swept}");
    assert!(!has_rules(&host));
    give_back(&host);
    assert!(has_rules(&host), "the rules of a grant that runs come back");
}

#[test]
fn what_is_over_goes_although_the_state_folder_is_read_only() {
    let policy = format!("{FILES}{POLICY}");
    let host = hurried(builder(Suite::Trixie, &policy)).boot();
    let over = grant(&host, "bob admin --for 15s");
    let lasting = grant(&host, "alice admin --for 1h");
    let drop_in = "[Service]\nReadWritePaths=\nReadWritePaths=/etc /run\n";
    host.write("/etc/systemd/system/stint-sweep.service.d/ro.conf", "0644", drop_in);
    host.ok("systemctl daemon-reload");
    take_away(&host);
    event_of(&host, "grant.swept", id(&over));
    gone(&host, "bob");
    assert!(is_in(&host, "alice", "video"));
    let rules = host.ok("cat /etc/sudoers.d/stint");
    assert!(rules.contains(id(&lasting)) && !rules.contains(id(&over)), "{rules}");
    let why = host.ok("journalctl -u stint-sweep.service -o cat --no-pager");
    assert!(why.contains(&format!("stintd: {LIST} cannot be written: ")), "{why}");
    give_back(&host);
    assert_eq!(listed(&host, id(&over))["end_reason"], "expired");
    assert_eq!(listed(&host, id(&lasting))["state"], "active");
    quiet(&host);
}

#[test]
fn what_was_revoked_on_a_full_disk_stays_so_over_a_crash() {
    let host = builder(Suite::Trixie, POLICY).small("/var/lib/stint", "3m", "0700").boot();
    let revoked = grant(&host, "bob admin --for 1h");
    let lasting = grant(&host, "alice admin --for 1h");
    let room = "head -c 4M /dev/zero >/var/lib/stint/ballast";
    assert!(!host.run(room).ok(), "the disk is not full");
    host.ok(&format!("stint revoke {} --reason 'left the team'", id(&revoked)));
    gone(&host, "bob");
    // The state still says that it runs, and so does the list.
    assert!(host.ok(&format!("cat {LIST}")).contains(id(&revoked)));
    kill(&host);
    let ended = eventually("stintd to answer again", SOON, || {
        host.run("stint status").ok().then(|| listed(&host, id(&lasting)))
    });
    assert_eq!(ended["state"], "active");
    assert!(!is_in(&host, "bob", "video"), "a crash brought it back");
    assert!(!host.ok("cat /etc/sudoers.d/stint").contains(id(&revoked)));
    host.ok("rm /var/lib/stint/ballast");
    quiet(&host);
    assert_eq!(listed(&host, id(&revoked))["end_reason"], "revoked");
    // With no stintd the sweep knows it too.
    host.ok(&format!("{room} || stint revoke {} --reason over", id(&lasting)));
    take_away(&host);
    host.ok("stintd --sweep || rm /var/lib/stint/ballast");
    assert!(!is_in(&host, "alice", "video") && !has_rules(&host));
}
