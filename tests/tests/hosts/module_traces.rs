//! Nothing of the module is left in the program that asked, and to the world it does one thing: one
//! connection to stintd.

use crate::doors::{Door, as_alice, doors, doors_builder, free_su, grant_all};
use std::collections::BTreeSet;
use stint_tests::{Host, Suite};

/// Run as root by each door: what the command and those who started it have open, block, ignore
/// and catch, and how many threads they have.
const FAMILY: &str = r#"for fd in /proc/self/fd/*; do readlink $fd; done | sort | sed 's/[0-9][0-9]*//g' >/run/family
pid=$PPID
echo command >>/run/family
grep -e ^SigBlk -e ^SigIgn -e ^SigCgt -e ^Threads /proc/self/status >>/run/family
while read name </proc/$pid/comm && echo " sudo sudo-rs su doas " | grep -q " $name "; do
    echo $name >>/run/family
    grep -e ^SigBlk -e ^SigIgn -e ^SigCgt -e ^Threads /proc/$pid/status >>/run/family
    for fd in /proc/$pid/fd/*; do echo "${fd##*/} $(readlink $fd | sed 's/[0-9][0-9]*//g')"; done >>/run/family
    pid=$(sed -n 's/^PPid:\t//p' /proc/$pid/status)
done
cat /run/family
"#;

fn nothing_is_left(suite: Suite) {
    let host = doors_builder(suite)
        .file("/usr/local/bin/family", 0o755, format!("#!/bin/sh\n{FAMILY}"))
        .boot();
    free_su(&host);
    let look = |door: &Door| {
        let family = as_alice(&host, &format!("{} 2>&1 | cat", door.line("/usr/local/bin/family")));
        let open = as_alice(&host, &door.line("ls /proc/self/fd"));
        // ls has its folder open besides. su alone passes on what it was started with.
        if door.program != "su" {
            assert_eq!(open.stdout, "0\n1\n2\n3\n", "{}: {open}", door.program);
        }
        assert!(family.stdout.contains("SigIgn"), "{}: {family}", door.program);
        family.stdout + &open.stdout
    };
    let without: Vec<String> = doors(suite).iter().map(look).collect();
    host.ok("stint gate on sudo su doas");
    grant_all(&host);
    for (door, without) in doors(suite).iter().zip(without) {
        assert!(without.contains(&format!("\n{}\n", door.program)), "{without}");
        let asked = host.journal("STINT_EVENT=check.allowed").len();
        assert_eq!(look(door), without, "{}: with the gate, and without", door.program);
        let asked_now = host.journal("STINT_EVENT=check.allowed").len();
        assert_eq!(asked_now, asked + 2, "{}: the module was not asked", door.program);
    }
}

#[test]
fn no_descriptor_thread_or_signal_is_left_behind_on_bookworm() {
    nothing_is_left(Suite::Bookworm);
}

#[test]
fn no_descriptor_thread_or_signal_is_left_behind_on_trixie() {
    nothing_is_left(Suite::Trixie);
}

/// What a door's program does to the world, as the kernel saw it: programs run, files written,
/// threads made, sockets connected.
fn deeds(host: &Host, door: &Door) -> BTreeSet<String> {
    let trace = "execve,execveat,clone,clone3,vfork,connect,bind,sendto,openat,open,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,chmod,fchmodat,chown,setitimer,timer_create";
    let line = door.line("/bin/true");
    host.ok(&format!("cd / && strace -f -qq -e trace={trace} -e signal=none -o /run/trace -u alice {line} && cat /run/trace"));
    let trace = host.ok("cat /run/trace");
    let told = |line: &str| {
        let (_, call) = line.split_once(' ')?;
        let call = call.trim_start();
        let (name, rest) = call.split_once('(')?;
        match name {
            "open" | "openat"
                if rest.contains("O_WRONLY")
                    || rest.contains("O_RDWR")
                    || rest.contains("O_CREAT") =>
            {
                Some(format!("writes {}", rest.split('"').nth(1)?))
            }
            "open" | "openat" | "sendto" => None,
            "clone" | "clone3" if !rest.contains("CLONE_THREAD") => None,
            "connect" => Some(format!("connects {}", rest.split('"').nth(1).unwrap_or(rest))),
            // The name that sd-bus binds begins with a random number.
            "bind" => Some(format!("binds {}", rest.rsplit('/').next()?)),
            _ => Some(format!("{name} {}", rest.split('"').nth(1).unwrap_or("a thread or timer"))),
        }
    };
    trace.lines().filter_map(told).collect()
}

fn one_connection_is_all(suite: Suite) {
    let host = doors_builder(suite).boot();
    free_su(&host);
    let without: Vec<_> = doors(suite).iter().map(|door| deeds(&host, door)).collect();
    host.ok("stint gate on sudo su doas");
    grant_all(&host);
    for (door, without) in doors(suite).iter().zip(without) {
        assert!(without.iter().any(|deed| deed.starts_with("execve ")), "{without:?}");
        let with = deeds(&host, door);
        let more: Vec<_> = with.difference(&without).collect();
        assert_eq!(more, ["connects /run/stint/pam.sock"], "{}", door.program);
    }
}

#[test]
fn one_connection_to_stintd_is_all_that_it_does_on_bookworm() {
    one_connection_is_all(Suite::Bookworm);
}

#[test]
fn one_connection_to_stintd_is_all_that_it_does_on_trixie() {
    one_connection_is_all(Suite::Trixie);
}
