//! What the caller brings along belongs to the caller: environment, working folder, argv[0],
//! descriptors, limits and signals of an unprivileged person change nothing of what is decided,
//! have nothing run, written or asked by the module, and where they break it, it denies.

use crate::doors::{alice, as_alice, doors, doors_builder, free_su, grant_all, revoke_all};
use std::collections::BTreeMap;
use std::thread;
use stint_tests::{Host, Suite, eventually};

const IMPOSTOR: &str = include_str!("impostor.pl");

/// A program that tells that it was run, and by whom.
const EVIL: &str = "#!/bin/sh\nid -un >>/home/alice/evil-was-run\n";

/// Sets signals up as a hostile parent would, and becomes the program.
const SIGNALS: &str = r#"use POSIX;
my $how = shift;
if ($how eq 'ignore') { for (qw(PIPE CHLD ALRM USR1 IO URG WINCH TSTP TTIN TTOU)) { $SIG{$_} = 'IGNORE'; } }
if ($how eq 'block') { my $set = POSIX::SigSet->new; $set->fillset; sigprocmask(SIG_BLOCK, $set); }
if ($how eq 'crowd') { $^F = 1000; open(my $fh, '<', '/dev/null') and push @kept, $fh for 1 .. 900; }
exec @ARGV;
"#;

/// Runs as root and leaves a mark: for callers that cannot show anything.
const MARK: &str = "#!/bin/sh\numask 077; : >\"/run/marks/$1\"\n";

/// What alice brings along, as lines in which `{}` is the door.
const BROUGHT: &[&str] = &[
    "env DBUS_SYSTEM_BUS_ADDRESS=unixexec:path=/home/alice/bin/evil \
     DBUS_SESSION_BUS_ADDRESS=unixexec:path=/home/alice/bin/evil \
     DBUS_STARTER_ADDRESS=unixexec:path=/home/alice/bin/evil DBUS_STARTER_BUS_TYPE=system {}",
    "env LD_PRELOAD=/home/alice/bin/evil LD_LIBRARY_PATH=/home/alice/bin LD_AUDIT=/home/alice/bin/evil \
     GCONV_PATH=/home/alice/bin {}",
    "env RUST_BACKTRACE=full RUST_LIB_BACKTRACE=1 RUST_LOG=trace RUST_MIN_STACK=1 MALLOC_CHECK_=3 \
     MALLOC_PERTURB_=165 GLIBC_TUNABLES=glibc.malloc.check=3 {}",
    "env TMPDIR=/home/alice/bin TMP=/home/alice/bin TEMP=/home/alice/bin HOME=/home/alice/bin \
     XDG_RUNTIME_DIR=/home/alice/bin XDG_CONFIG_HOME=/home/alice/bin STATE_DIRECTORY=/home/alice/bin {}",
    "env PATH=/home/alice/bin:$PATH SHELL=/bin/sh EDITOR=/home/alice/bin/evil {}",
    "env LC_ALL=../../home/alice LANG=../../home/alice LANGUAGE=../../home/alice \
     LOCPATH=/home/alice NLSPATH=/home/alice/%N TZ=/home/alice/tz TZDIR=/home/alice {}",
    "env STINT_SOCKET=/home/alice/pam.sock STINT_PAM_SOCKET=/home/alice/pam.sock \
     PAM_STINT_SOCKET=/home/alice/pam.sock STINT_TIMEOUT=0 STINT_MODE=observe STINT_USER=root \
     STINT_DEBUG=1 LISTEN_FDS=1 LISTEN_PID=1 NOTIFY_SOCKET=/home/alice/pam.sock {}",
    "env SUDO_USER=root SUDO_UID=0 LOGNAME=root USER=root USERNAME=root PAM_RUSER=root PAM_USER=root {}",
    "env BIG=$(head -c 100000 /dev/zero | tr '\\0' x) A%n%s=%n%s {}",
    "env -i PATH=$PATH {}",
    "mkdir -p /tmp/gone && cd /tmp/gone && rmdir /tmp/gone; {}",
    "mkdir -p /tmp/dark && cd /tmp/dark && chmod 0 /tmp/dark; {}",
    "cd /home/alice/trap && {}",
    "umask 0777; {}",
    "{} <&-",
    "{} >&- 2>&-",
    "{} <&- >&- 2>&-",
    "{} </home/alice/bin/evil >/dev/full 2>/dev/full",
    "perl /usr/local/lib/signals.pl ignore {}",
    // sudo-rs waits for ever for a child of which it is not told: not the module's doing.
    "timeout -s KILL 3 perl /usr/local/lib/signals.pl block {}",
    "perl /usr/local/lib/signals.pl crowd {}",
    "(trap '' HUP INT QUIT PIPE TERM; {})",
    "bash -c \"exec -a '' {}\"",
    "bash -c \"exec -a $'a\\n\\e[2Jstint' {}\"",
    "bash -c \"exec -a $(head -c 5000 /dev/zero | tr '\\0' y) {}\"",
    "prlimit --nofile=64:64 --core=unlimited {}",
    "prlimit --memlock=0:0 --msgqueue=0:0 --sigpending=0:0 --rttime=unlimited {}",
];

/// Limits below which a program may fail, and must not be let in for that.
const LIMITS: &[&str] = &[
    "nofile=3:3",
    "nofile=4:4",
    "nofile=5:5",
    "nofile=6:6",
    "nofile=8:8",
    "nofile=12:12",
    "fsize=0:0",
    "as=8000000",
    "as=12000000",
    "as=24000000",
    "data=400000",
    "stack=20000",
    "nproc=1:1",
];

fn host(suite: Suite) -> Host {
    let host = doors_builder(suite)
        .file("/root/impostor.pl", 0o644, IMPOSTOR)
        .file("/usr/local/lib/signals.pl", 0o644, SIGNALS)
        .file("/usr/local/bin/mark", 0o755, MARK)
        .boot();
    for name in ["evil", "sh", "id", "env", "visudo", "stint", "stintd", "systemctl", "getent"] {
        host.write(&format!("/home/alice/bin/{name}"), "0755", EVIL);
    }
    // Somebody who says allow, where the module could be led: and none of it may be asked.
    host.ok("mkdir -p /run/marks /home/alice/trap/run/stint && ln -s /home/alice/pam.sock /home/alice/trap/run/stint \
             && chown -R alice: /home/alice && chmod 0711 /home/alice");
    host.ok(
        "systemd-run -q --unit=impostor perl /root/impostor.pl /home/alice/pam.sock 1000 allow",
    );
    eventually("the impostor", crate::common::SOON, || {
        host.run("test -S /home/alice/pam.sock").ok().then_some(())
    });
    free_su(&host);
    host
}

/// Tries everything at every door: which were let in, by their number and program.
fn try_all(host: &Host, brought: &[String]) -> BTreeMap<(usize, &'static str), bool> {
    host.ok("rm -f /run/marks/*; mkdir -p /run/tries");
    let through = |door: crate::doors::Door| {
        let tries: Vec<String> = brought
            .iter()
            .enumerate()
            .map(|(number, brought)| {
                let name = format!("{number}.{}", door.program);
                let line =
                    brought.replace("{}", &door.line(&format!("/usr/local/bin/mark {name}")));
                host.write(&format!("/run/tries/{name}"), "0644", format!("{line}\n"));
                name
            })
            .collect();
        // One shell for all, so that a try costs no more than it must. sudo-rs at times misses the
        // end of its command, gated or not: such a try is made again, twice at the most.
        let output = as_alice(
            host,
            &format!(
                "for try in {}; do for again in 1 2 3; do \
                 timeout --foreground -k 1 15 sh /run/tries/$try >>/tmp/said.{} 2>&1 </dev/null; \
                 [ $? = 124 ] || break; done; done; true",
                tries.join(" "),
                door.program
            ),
        );
        assert!(output.ok(), "{}: {output}", door.program);
        door
    };
    let doors: Vec<_> = thread::scope(|scope| {
        let people: Vec<_> = doors(host.suite())
            .into_iter()
            .map(|door| scope.spawn(move || through(door)))
            .collect();
        people.into_iter().map(|person| person.join().unwrap()).collect()
    });
    let marks = host.ok("ls /run/marks");
    let marks: Vec<&str> = marks.lines().collect();
    let pairs =
        doors.iter().flat_map(|door| (0..brought.len()).map(|number| (number, door.program)));
    pairs.map(|pair| (pair, marks.contains(&format!("{}.{}", pair.0, pair.1).as_str()))).collect()
}

fn let_in(tried: &BTreeMap<(usize, &'static str), bool>, brought: &[String]) -> Vec<String> {
    let in_by = tried.iter().filter(|(_, in_by)| **in_by);
    in_by.map(|((number, program), _)| format!("{program}: {}", brought[*number])).collect()
}

/// All files in alice's folder, with owners: what is there afterwards that was not before, was
/// written by somebody with alice's environment.
fn belongings(host: &Host) -> String {
    host.ok("find /home/alice /tmp/dark -printf '%p %u %m\\n' 2>/dev/null | sort; stat -c %s /home/alice/pam.sock.seen")
}

fn nothing_that_is_brought_changes_what_is_decided(suite: Suite) {
    let host = host(suite);
    let brought: Vec<String> = BROUGHT.iter().map(|&line| line.to_owned()).collect();
    let ungated = try_all(&host, &brought);
    let count = let_in(&ungated, &brought).len();
    assert!(
        count * 10 >= ungated.len() * 8,
        "only {count} of {} get in without a gate",
        ungated.len()
    );
    let before = belongings(&host);

    host.ok("stint gate on sudo su doas");
    let refused = try_all(&host, &brought);
    assert_eq!(let_in(&refused, &brought), Vec::<String>::new(), "without a grant");
    host.ok("systemctl mask --now stintd.socket stintd.service");
    let refused = try_all(&host, &brought);
    assert_eq!(let_in(&refused, &brought), Vec::<String>::new(), "without stintd");
    host.ok("systemctl unmask stintd.socket stintd.service && systemctl start stintd.service");

    grant_all(&host);
    let granted = try_all(&host, &brought);
    assert_eq!(
        let_in(&granted, &brought),
        let_in(&ungated, &brought),
        "with a grant, and without a gate"
    );
    assert_eq!(belongings(&host), before, "written, or asked");
    assert!(
        !host.run("test -e /home/alice/evil-was-run").ok(),
        "{}",
        host.ok("cat /home/alice/evil-was-run")
    );
    // Her own question reaches whom it was meant to lead to: the impostor can be reached.
    assert!(host.run(&alice("nc -UzN /home/alice/pam.sock")).ok());
    assert_ne!(belongings(&host), before, "a test that could not fail");
}

#[test]
fn nothing_that_the_caller_brings_changes_what_is_decided_on_bookworm() {
    nothing_that_is_brought_changes_what_is_decided(Suite::Bookworm);
}

#[test]
fn nothing_that_the_caller_brings_changes_what_is_decided_on_trixie() {
    nothing_that_is_brought_changes_what_is_decided(Suite::Trixie);
}

#[test]
fn a_limit_that_is_too_low_denies_and_never_lets_in() {
    // This one has all of the programs.
    let host = host(Suite::Trixie);
    let brought: Vec<String> =
        LIMITS.iter().map(|limit| format!("prlimit --{limit} {{}}")).collect();
    let ungated = try_all(&host, &brought);
    host.ok("stint gate on sudo su doas");
    let refused = try_all(&host, &brought);
    assert_eq!(let_in(&refused, &brought), Vec::<String>::new(), "without a grant");
    grant_all(&host);
    // Where the module needs more than is there, it denies; where nothing was let in before,
    // nothing is now; and where there is enough, it is enough.
    let granted = try_all(&host, &brought);
    for (pair, in_now) in &granted {
        assert!(!in_now || ungated[pair], "{}: {}", pair.1, brought[pair.0]);
    }
    let (now, before) = (let_in(&granted, &brought), let_in(&ungated, &brought));
    assert!(now.len() * 2 > before.len(), "of these\n{before:#?}\nonly these\n{now:#?}");
    // And stintd has come to no harm.
    revoke_all(&host);
    assert!(let_in(&try_all(&host, &brought[..1]), &brought).is_empty());
    assert_eq!(host.ok("systemctl show -P NRestarts stintd.service"), "0\n");
}
