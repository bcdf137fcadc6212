//! A network of booted hosts: one bridge in a network namespace of its own, to which each host has a
//! line. Each host finds the others by name, its own address stays over its boots, and its line can be
//! pulled out. Nothing of it is in the machine's own network, and it goes with its last host. It
//! knows nothing of what is sent.

use crate::clock::Deadline;
use crate::run::{end_tree, pid_of, run};
use crate::slots::Slots;
use std::fmt::Display;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A network on which hosts are booted ([`crate::HostBuilder::on`]).
#[derive(Clone, Debug)]
pub struct Network(Arc<Hub>);

/// What all hosts of a network share.
#[derive(Debug)]
struct Hub {
    /// The names of its hosts; the address of each is its place among them.
    names: Vec<String>,
    /// A process that does nothing but be in the namespace of the bridge. It ends when its input
    /// does, so also when the tests are killed.
    holder: Child,
    /// For the names of lines: one of a host that has ended may be there for a moment still.
    lines: AtomicU32,
    _slots: Slots,
}

impl Network {
    /// A network for hosts of these names, which all of them know from the first; each may be booted
    /// whenever it is wanted. It has the right to run all of them from now on, so that tests with
    /// several hosts do not wait for each other.
    ///
    /// # Panics
    /// When the machine cannot make one (it needs the package iproute2).
    #[must_use]
    pub fn of(names: &[&str]) -> Self {
        let slots = Slots::take(names.len());
        let mut holder = Command::new("unshare");
        holder.args(["--net", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = holder.spawn().expect("unshare is installed (util-linux)");
        // What comes back comes from within the namespace.
        let mut line = [0; 1];
        holder.stdin.as_mut().unwrap().write_all(b"\n").expect("cat takes a line");
        let heard = holder.stdout.as_mut().unwrap().read_exact(&mut line);
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let hub = Hub { names, holder, lines: AtomicU32::new(1), _slots: slots };
        heard.expect("a network namespace of its own");
        hub.ip("link add hub type bridge");
        hub.ip("link set hub up");
        Self(Arc::new(hub))
    }

    /// The address of the host of this name.
    ///
    /// # Panics
    /// When the network has no such host.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        format!("10.77.0.{}", self.0.place(name))
    }

    /// The lines of /etc/hosts for all hosts but this one, which knows itself.
    pub(crate) fn others(&self, name: &str) -> String {
        let others = self.0.names.iter().filter(|other| *other != name);
        others.map(|other| format!("{} {other}\n", self.address(other))).collect()
    }

    /// Gives the host of this name, whose first process is `leader`, a line; those of its earlier
    /// boots have gone with them.
    pub(crate) fn line(&self, name: &str, leader: i32) -> Line {
        let place = self.0.place(name);
        let device = format!("line{}", self.0.lines.fetch_add(1, Ordering::Relaxed));
        // The same at each boot, as others remember it for a while.
        let card = format!("02:77:00:00:00:{place:02x}");
        self.0.ip(&format!(
            "link add {device} type veth peer name eth0 address {card} netns {leader}"
        ));
        self.0.ip(&format!("link set {device} master hub up"));
        ip(leader, &format!("address add {}/24 dev eth0", self.address(name)));
        ip(leader, "link set eth0 up");
        Line { network: self.clone(), device }
    }
}

impl Hub {
    fn place(&self, name: &str) -> usize {
        let place = self.names.iter().position(|known| known == name);
        place.unwrap_or_else(|| panic!("the network has no host {name}: {:?}", self.names)) + 1
    }

    fn ip(&self, arguments: &str) {
        ip(pid_of(&self.holder), arguments);
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        end_tree(&mut self.holder);
    }
}

/// What connects one boot of a host with its network.
#[derive(Debug)]
pub(crate) struct Line {
    network: Network,
    device: String,
}

impl Line {
    /// Pulls it out at the far end: the host keeps its address, and nothing comes or goes.
    pub(crate) fn unplug(&self) {
        self.network.0.ip(&format!("link set {} down", self.device));
    }

    /// Puts it back.
    pub(crate) fn plug_in(&self) {
        self.network.0.ip(&format!("link set {} up", self.device));
    }
}

/// The network namespace that a process is in; `None` when it has ended.
pub(crate) fn namespace(process: impl Display) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{process}/ns/net")).ok()
}

/// Runs the machine's ip(8) in the network of a process.
fn ip(process: i32, arguments: &str) {
    let mut command = Command::new("nsenter");
    command.args(["-t", &process.to_string(), "-n", "--", "ip"]);
    command.args(arguments.split(' '));
    let output = run(command, b"", Deadline::seconds(20));
    assert!(output.ok(), "ip {arguments}: {output}");
}
