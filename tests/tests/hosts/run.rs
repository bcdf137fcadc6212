//! `stint-run` runs a program with the groups of a grant, in that process alone: only for who holds
//! the grant at that moment, with nothing else changed, and with nothing of root left in it. What
//! the caller brings along has no say before the privileges are gone.

use crate::common::{SOON, builder, daemon, grant, id};
use std::time::Duration;
use stint_tests::{Host, Output, Shell, Suite, eventually};

const RUN: &str = "/usr/libexec/stint/stint-run";

/// Runs what alice wants to be run: it leaves who ran it.
const MARK: &str = "#!/bin/sh\nid -u >/home/alice/mark; id -Gn\n";

/// Becomes a program with no arguments at all, not even a name.
const NO_NAME: &str = r#"
use POSIX;
my $execve = { x86_64 => 59, aarch64 => 221 }->{(POSIX::uname())[4]} or die "which machine?";
my ($program, $end) = ("$ARGV[0]\0", pack("Q", 0));
syscall($execve, $program, $end, $end);
die "execve: $!";
"#;

/// In stintd's place: the first question gets group 44, the second what it is told to answer.
const STAND_IN: &str = r#"
use Socket;
my ($path, $second) = @ARGV;
unlink $path;
socket(my $listener, PF_UNIX, SOCK_STREAM, 0) or die "$!";
bind($listener, pack_sockaddr_un($path)) and listen($listener, 9) or die "$!";
my $is_answer = pack("C C a C V", 5, 1, "u", 0, 1);
sub text { my $text = shift; pack("V", length $text) . "$text\0" }
sub message {
    my ($kind, $fields, $body) = @_;
    my $head = pack("a C C C V V V", "l", $kind, 0, 1, length $body, 1, length $fields) . $fields;
    $head . "\0" x (-length($head) % 8) . $body;
}
sub groups {
    message(2, $is_answer . pack("C C a C C a2 C", 8, 1, "g", 0, 2, "au", 0), pack("V*", 4 * @_, @_));
}
my $name = pack("C C a C", 4, 1, "s", 0) . text("org.stint.Stint1.Error.NoSuchId");
my $denial = message(3, $is_answer . $name . "\0" x (-length($name) % 8)
    . pack("C C a C C a C", 8, 1, "g", 0, 1, "s", 0), text("it is over"));
my %answers = (same => groups(44), other => groups(44, 29), over => $denial);
for my $answer (groups(44), $answers{$second}) {
    accept(my $peer, $listener) or die "$!";
    sysread $peer, my $question, 65536;
    syswrite $peer, "OK " . "0" x 32 . "\r\n" . $answer;
}
"#;

fn host(suite: Suite, backend: &str) -> Host {
    let policy = format!(
        "[groups]\nbackend = \"{backend}\"\n\
         [roles.media]\ngroups = [\"audio\", \"video\"]\n\
         [roles.admin]\nsudo = [{{ commands = [\"ALL\"] }}]\npassword = false\n"
    );
    let host = builder(suite, &policy)
        .file("/usr/local/bin/mark", 0o755, MARK)
        .file("/root/stand-in.pl", 0o644, STAND_IN)
        .file("/usr/local/lib/no-name.pl", 0o644, NO_NAME)
        .boot();
    assert_eq!(host.ok(&format!("stat -c %a,%U,%G {RUN}")), "4755,root,root\n");
    host
}

fn run(grant: &str, command: &str) -> String {
    format!("{RUN} {grant} -- {command}")
}

/// Asserts that nothing was run, and what was said about it.
fn is_refused(host: &Host, output: &Output, status: i32, says: &str) {
    assert_eq!((output.status, output.text().as_str()), (status, says));
    assert!(!host.run("test -e /home/alice/mark").ok(), "it was run all the same: {says}");
}

fn not_held(id: &str) -> String {
    format!("stint: you hold no grant with the id {id}; stint shows what you hold\n")
}

/// How often stint-run's questions were decided like this, by the record.
fn events(host: &Host, event: &str) -> usize {
    host.journal(&format!("STINT_EVENT={event} STINT_SERVICE=stint-run")).len()
}

fn groups(output: &Output) -> Vec<String> {
    assert!(output.ok(), "{output}");
    let mut names: Vec<_> = output.stdout.split_whitespace().map(str::to_owned).collect();
    names.sort();
    names
}

fn only_the_groups_are_added(suite: Suite, backend: &str) {
    let host = host(suite, backend);
    let mut shell = host.shell("alice");
    let own = groups(&shell.run("id -Gn"));
    let given = grant(&host, "alice media --for 1h");
    let id = id(&given);
    assert_eq!(groups(&shell.run("id -Gn")), own, "an open shell has a new group");

    let mut both = own.clone();
    both.extend(["audio".to_owned(), "video".to_owned()]);
    both.sort();
    assert_eq!(groups(&shell.run(&run(id, "id -Gn"))), both);
    assert_eq!(groups(&shell.run(&run(&id[..2], "id -Gn"))), both, "an id cut short");
    assert_eq!(groups(&shell.run("id -Gn")), own);
    eventually("two events, one for each program", SOON, || {
        (events(&host, "check.allowed") == 2).then_some(())
    });

    // Everything else is as without it: ids, capabilities, signals, descriptors, limits, terminal.
    shell.run("export WORD='two words' EMPTY=; umask 027; ulimit -c 7; cd /tmp; trap '' USR1");
    for line in [
        "grep -E '^(Uid|Gid|Cap|Sig[BI]|Shd|NoNewPrivs|Seccomp|Threads)' /proc/self/status",
        "sh -c 'id -u; id -ru; id -g; id -rg; tty; pwd; umask; ulimit -a; ls /proc/self/fd'",
        "env -u _",
        "env printf '%s|' 'a b' '' -- '$x' \"$WORD\"",
        "sh -c 'exit 7'",
        "sh -c 'kill -KILL $$'",
        "cat /proc/self/oom_score_adj /proc/self/cgroup /proc/self/loginuid",
    ] {
        assert_eq!(shell.run(&run(id, line)), shell.run(line), "{line}");
    }
    // Root is gone for good, and sudo in it works: the gate asks as it does everywhere.
    let tries = "perl -MPOSIX -e 'print POSIX::setuid(0) // 0, POSIX::setgid(0) // 0; \
                 ($<, $>) = (0, 0); $) = \"0 0\"; print \" $< $> $)\\n\"'";
    let (with, without) = (shell.run(&run(id, tries)), shell.run(tries));
    assert!(with.stdout.starts_with("00 1000 1000 1000 "), "{with}");
    assert!(without.stdout.starts_with("00 1000 1000 1000 "), "{without}");
    assert_eq!(shell.run(&run(id, "sudo -n id -u")).stdout, "0\n");

    host.ok(&format!("stint revoke {id} --reason over"));
    assert_eq!(shell.run(&run(id, "mark")).text(), not_held(id));
}

#[test]
fn on_bookworm_with_files_only_the_groups_are_added() {
    only_the_groups_are_added(Suite::Bookworm, "files");
}

#[test]
fn on_trixie_with_userdb_only_the_groups_are_added() {
    only_the_groups_are_added(Suite::Trixie, "userdb");
}

#[test]
fn nobody_runs_anything_by_what_they_do_not_hold() {
    let host = host(Suite::Bookworm, "userdb");
    let his = grant(&host, "bob media --for 1h");
    let over = grant(&host, "alice media --for 1h");
    host.ok(&format!("stint revoke {} --reason over", id(&over)));
    let later = grant(&host, "alice media --for 1h --at 2099-01-01T12:00:00Z");
    let alice = |line: &str| host.as_user("alice", line);
    for id in [id(&his), id(&over), "zzzz"] {
        is_refused(&host, &alice(&run(id, "mark")), 3, &not_held(id));
    }
    let scheduled = alice(&run(id(&later), "mark"));
    let says = format!("stint: {} begins at 2099-01-01 12:00\n", id(&later));
    is_refused(&host, &scheduled, 3, &says);
    eventually("an event for each refusal", SOON, || {
        (events(&host, "check.denied") == 4).then_some(())
    });
    assert_eq!(events(&host, "check.allowed"), 0);

    for typed in ["", "zzzz", "zzzz --", "zzzz mark", "zzzz -- ''", "-- zzzz mark", "zzzz --x mark"]
    {
        let output = alice(&format!("{RUN} {typed}"));
        assert!(output.stderr.starts_with("stint: usage: stint-run GRANT -- COMMAND"), "{output}");
        is_refused(&host, &output, 2, &output.stderr);
    }
    for id in
        ["../x", "G4T9", "''", "$(printf '\\033[2J')", "$(head -c 100000 /dev/zero | tr '\\0' 2)"]
    {
        let output = alice(&run(id, "mark"));
        assert!(output.stderr.ends_with(": ids look like g4t9\n"), "{output}");
        assert!(output.stderr.len() < 200 && !output.stderr.contains('\u{1b}'), "{output}");
        is_refused(&host, &output, 2, &output.stderr);
    }
    let mine = grant(&host, "alice media --for 1h");
    let copied = alice(&format!("cp {RUN} copy && ./copy {} -- mark", id(&mine)));
    assert!(copied.stderr.starts_with("stint: this program has lost its rights"), "{copied}");
    is_refused(&host, &copied, 1, &copied.stderr);
    let nosuid = alice(&format!("setpriv --no-new-privs {}", run(id(&mine), "mark")));
    is_refused(&host, &nosuid, 1, &copied.stderr);
    assert_eq!(host.run(&run("zzzz", "id -u")).stdout, "0\n", "root needs no grant");
    for (program, status, why) in [
        ("/no/such", 127, "No such file or directory"),
        ("no-such-program", 127, "No such file or directory"),
        ("/etc/passwd", 126, "Permission denied"),
        ("/", 126, "Permission denied"),
    ] {
        let says = format!("stint: {program} cannot be run: {why}\n");
        is_refused(&host, &alice(&run(id(&mine), program)), status, &says);
    }
    let stintd = daemon(&host);
    host.freeze(&stintd);
    let away = "stint: stintd does not answer, so nothing was run. root: systemctl status stintd\n";
    is_refused(&host, &alice(&run(id(&mine), "mark")), 69, away);
    host.thaw(&stintd);
    host.ok("systemctl stop stintd.socket stintd.service");
    is_refused(&host, &alice(&run(id(&mine), "mark")), 69, away);
}

#[test]
fn what_the_caller_brings_has_no_say() {
    let host = host(Suite::Trixie, "files");
    let mut shell = host.shell("alice");
    let given = grant(&host, "alice media --for 1h");
    let id = id(&given);
    // What the loader would take from there breaks every program that lets it.
    host.ok("cd /home/alice && mkdir bin lib && echo no library >lib/libc.so.6 && \
         cp /usr/local/bin/mark bin/id && cp /usr/local/bin/mark bin/mine && chown -R alice: .");
    assert!(!shell.run("LD_LIBRARY_PATH=/home/alice/lib id").ok(), "the folder breaks nothing");
    let mark = run(id, "/usr/local/bin/mark");
    let brought = [
        "env LD_LIBRARY_PATH=/home/alice/lib {}",
        "env LD_PRELOAD=/home/alice/lib/libc.so.6 LD_AUDIT=/home/alice/lib/libc.so.6 {}",
        "env GLIBC_TUNABLES=glibc.malloc.check=3 GCONV_PATH=/home/alice LOCPATH=/home/alice {}",
        "env RUST_BACKTRACE=full RUST_LOG=trace RUST_MIN_STACK=x STINT_SOCKET=/home/alice/s {}",
        "env USER=root LOGNAME=root HOME=/root SUDO_UID=0 LISTEN_FDS=1 {}",
        "env BIG=$(head -c 100000 /dev/zero | tr '\\0' x) {}",
        "env -i /bin/sh -c '{}'",
        "bash -c \"exec -a '' {}\"",
        "perl -e '$SIG{$_} = \"IGNORE\" for qw(PIPE CHLD ALRM USR1); exec @ARGV' {}",
        "sh -c '{} <&- >&- 2>&-'",
        "(mkdir -p /tmp/gone && cd /tmp/gone && rmdir /tmp/gone && {})",
    ];
    for how in brought {
        let output = shell.run(&format!("rm -f ~/mark; {}", how.replace("{}", &mark)));
        assert_eq!(host.ok("cat /home/alice/mark"), "1000\n", "{how}: {output}");
        // With nowhere to write to, its last line fails.
        let is_heard = !how.contains(">&-");
        assert_eq!(
            (output.ok(), output.stdout.contains("video")),
            (is_heard, is_heard),
            "{how}: {output}"
        );
    }
    // A search path is the caller's, and so is what is found along it: with nothing of root.
    let own = "grep -E '^(Uid|Cap(Prm|Eff))' /proc/self/status";
    host.write("/home/alice/bin/mine", "0755", format!("#!/bin/sh\n{own}\n"));
    let found = shell.run(&format!("PATH=/home/alice/bin:$PATH {}", run(id, "mine")));
    assert_eq!(found.stdout, shell.run(own).stdout);
    // Limits below which it may fail; but then it fails, and never as root.
    for limit in
        ["nofile=3:3", "nofile=4:4", "as=4000000", "data=400000", "stack=20000", "nproc=1:1"]
    {
        let _ = shell.run(&format!("rm -f ~/mark; prlimit --{limit} {mark}"));
        let ran = host.run("cat /home/alice/mark").stdout;
        assert!(ran.is_empty() || ran == "1000\n", "{limit}: {ran}");
    }
    host.ok("rm -f /home/alice/mark");
    let no_name = shell.run(&format!("perl /usr/local/lib/no-name.pl {RUN}"));
    assert!(no_name.stdout.starts_with("stint: usage: "), "{no_name}");
    is_refused(&host, &no_name, 2, &no_name.stdout);
    let many = shell.run(&run(id, "sh -c 'echo $#' sh $(seq 100000)"));
    assert_eq!(many.stdout, "100000\n");
    let long =
        shell.run(&run(id, "sh -c 'echo ${#1}' sh $(head -c 120000 /dev/zero | tr '\\0' x)"));
    assert_eq!(long.stdout, "120000\n");
}

/// As after a SIGSTOP between the answer and the program: the grant is over when it goes on.
#[test]
fn a_grant_that_ends_between_the_answer_and_the_program_gives_nothing() {
    let host = host(Suite::Bookworm, "files");
    let mut shell = host.shell("alice");
    host.ok("systemctl mask --runtime --now stintd.socket stintd.service && mkdir -p /run/stint");
    let mut ask = |second: &str| second_answer(&host, &mut shell, second);
    let over = ask("over");
    assert_eq!((over.status, over.stdout.as_str()), (3, "stint: it is over\n"));
    let other = ask("other");
    let changed = "stint: the role of g4t9 was changed this moment; try again\n";
    assert_eq!((other.status, other.stdout.as_str()), (1, changed));
    assert!(!host.run("test -e /home/alice/mark").ok(), "it was run");
    let same = ask("same");
    assert!(same.ok() && same.stdout.contains("video"), "{same}");
    assert_eq!(host.ok("cat /home/alice/mark"), "1000\n");
}

fn second_answer(host: &Host, shell: &mut Shell, second: &str) -> Output {
    const SOCKET: &str = "/run/stint/pam.sock";
    host.ok(&format!("rm -f {SOCKET}; systemctl reset-failed; systemctl stop stand-in || true"));
    host.ok(&format!(
        "systemd-run -q --unit=stand-in --collect perl /root/stand-in.pl {SOCKET} {second}"
    ));
    eventually("the stand-in", Duration::from_secs(20), || {
        host.run(&format!("grep -q {SOCKET} /proc/net/unix")).ok().then_some(())
    });
    shell.run(&run("g4t9", "mark"))
}
