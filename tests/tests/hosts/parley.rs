//! What the tests of promises share: a policy and a gated host, refusals judged byte for byte, and
//! the module's side of its socket played by hand. It promises nothing itself.

use serde_json::Value;
use std::time::Duration;
use stint_tests::{Host, HostBuilder, Output, Suite};

/// Two roles: one that opens sudo without a password, one that gives a group.
pub const POLICY: &str = r#"
[gate]
mode = "enforce"
exempt = []

[roles.admin]
description = "Anything as root"
sudo = [{ run_as = "root", commands = ["ALL"] }]
eligible = ["alice"]
max_duration = "4h"
default_duration = "30m"
password = false

[roles.crew]
description = "The crew"
groups = ["crew"]
eligible = ["%engineers"]
max_duration = "8h"
"#;

/// With these rules sudo alone would let alice and bob in, so that a denial is the gate's.
pub const STANDING: &str = "alice ALL=(ALL) NOPASSWD: ALL\nbob ALL=(ALL) NOPASSWD: ALL\n";

/// A host with the package, the policy and the standing rules, not gated and not booted yet.
pub fn prepared(suite: Suite) -> HostBuilder {
    Host::builder(suite).file("/etc/stint/policy.toml", 0o644, POLICY).file(
        "/etc/sudoers.d/standing",
        0o440,
        STANDING,
    )
}

/// A booted host with the groups of the policy, where sudo is gated.
pub fn gated(suite: Suite) -> Host {
    let host = prepared(suite).boot();
    host.ok("groupadd crew && groupadd engineers && stint reload && stint gate on sudo");
    host
}

/// What `stint list --json --all` shows root: equal before and after is "nothing was changed".
pub fn all_grants(host: &Host) -> Value {
    json(&host.ok("stint list --json --all"))
}

/// One JSON document.
pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("no JSON, {e}: {text}"))
}

/// Grants a role to a user and returns the grant's id.
pub fn grant(host: &Host, user: &str, role: &str, more: &str) -> String {
    let line = format!("stint grant {user} {role} --json --reason 'a test' {more}");
    json(&host.ok(&line))["id"].as_str().expect("a grant has an id").to_owned()
}

/// The command was refused like this: the status, all of standard error, and no output.
#[track_caller]
pub fn refused(output: &Output, status: i32, message: &str) {
    assert_eq!((output.status, output.stderr.as_str()), (status, message));
    assert_eq!(output.stdout, "");
}

/// The denial at sudo of somebody who may ask for the role, as alice may.
pub const DENIED: &str = "\
stint: sudo on web-1 needs a grant, and you hold none that opens it.
stint: ask for one:  stint request admin --for 30m --reason \"what for\"
";

/// The denial at sudo of somebody who may ask for nothing that opens it, as bob may not.
pub const NOBODY_HELPS: &str = "stint: no role in the policy of web-1 would open sudo for you.\n";

/// Plays the module's side of `/run/stint/pam.sock`: sends the message on standard input as often
/// as the argument says, each over a connection of its own, and prints the last answer.
const ASK: &str = r#"
use strict; use IO::Socket::UNIX;
alarm 60;
binmode STDIN; binmode STDOUT;
my $message = do { local $/; <STDIN> };
my ($socket, $got, $answer);
sub more { sysread($socket, $got, 65536, length $got) or die "closed after: $got\n" }
for (1 .. $ARGV[0]) {
    $socket = IO::Socket::UNIX->new(Peer => "/run/stint/pam.sock") or die "connect: $!\n";
    $got = "";
    syswrite $socket, "\0AUTH EXTERNAL 30\r\nBEGIN\r\n$message";
    more() until $got =~ s/^OK [0-9a-f]+\r\n//;
    more() while length $got < 16;
    my ($body, $fields) = unpack 'x4 V x4 V', $got;
    my $length = 16 + $fields + (-$fields % 8) + $body;
    more() while length $got < $length;
    $answer = substr $got, 0, $length;
}
print $answer;
"#;

/// Asks stintd over the module's socket, as root: a method of the interface with this body.
pub fn ask(host: &Host, member: &str, signature: &str, body: &[u8], times: u32) -> Output {
    host.write("/root/ask.pl", "0600", ASK);
    let message = call(member, signature, body);
    host.run_with(&format!("perl /root/ask.pl {times}"), &message, Duration::from_secs(90))
}

/// Asks the gate as the module does: service, user, invoker, terminal, remote host.
pub fn check(host: &Host, items: [&str; 5], times: u32) -> Output {
    let mut body = Vec::new();
    items.iter().for_each(|item| put_text(&mut body, item));
    ask(host, "Check", "(sssss)", &body, times)
}

/// A value in a dictionary.
#[derive(Clone, Copy)]
pub enum Piece {
    /// `s`.
    Text(&'static str),
    /// `b`, and true.
    True,
}

/// The bytes of an `a{sv}`.
pub fn dictionary(entries: &[(&str, Piece)]) -> Vec<u8> {
    let mut out = vec![0; 8];
    for (name, value) in entries {
        pad(&mut out, 8);
        put_text(&mut out, name);
        match value {
            Piece::Text(text) => {
                out.extend(*b"\x01s\0");
                put_text(&mut out, text);
            }
            Piece::True => {
                out.extend(*b"\x01b\0");
                pad(&mut out, 4);
                out.extend(size(1));
            }
        }
    }
    let length = size(out.len() - 8);
    out[..4].copy_from_slice(&length);
    out
}

/// A D-Bus method call, little-endian, without a destination as between two peers.
fn call(member: &str, signature: &str, body: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    let named = [(1, "o", "/org/stint/Stint1"), (2, "s", "org.stint.Stint1"), (3, "s", member)];
    for (code, kind, value) in named {
        pad(&mut fields, 8);
        fields.extend([code, 1]);
        fields.extend(kind.bytes().chain([0]));
        put_text(&mut fields, value);
    }
    if !signature.is_empty() {
        pad(&mut fields, 8);
        fields.extend([8, 1, b'g', 0, u8::try_from(signature.len()).expect("a short signature")]);
        fields.extend(signature.bytes().chain([0]));
    }
    let mut message = vec![b'l', 1, 0, 1];
    message.extend(size(body.len()));
    message.extend(size(1));
    message.extend(size(fields.len()));
    message.extend(fields);
    pad(&mut message, 8);
    message.extend(body);
    message
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    pad(out, 4);
    out.extend(size(text.len()));
    out.extend(text.bytes().chain([0]));
}

fn pad(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

fn size(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a message below 4 GiB").to_le_bytes()
}
