//! A cable between two booted hosts: a pair of virtual Ethernet devices, one end in each host's
//! network, so that it goes with whichever host ends first. Nothing of it is in the machine's own
//! network. Each host finds the other by its name in /etc/hosts. It knows nothing of what is sent.

use crate::clock::Deadline;
use crate::host::Host;
use crate::run::run;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

static COUNT: AtomicU8 = AtomicU8::new(1);

/// Two hosts that reach each other, for as long as both run and none is booted again.
#[derive(Debug)]
pub struct Cable {
    /// The first process of the first host.
    leader: i32,
    device: String,
    addresses: [String; 2],
}

impl Cable {
    /// Plugs one in. Hosts may have several, to different hosts.
    ///
    /// # Panics
    /// When the machine cannot make one (it needs the package iproute2).
    #[must_use]
    pub fn between(one: &Host, other: &Host) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        assert!(number < u8::MAX, "too many cables for one process");
        let device = format!("cable{number}");
        let addresses = [1, 2].map(|end| format!("10.77.{number}.{end}"));
        let peer = other.leader().to_string();
        let add = ["link", "add", &device, "type", "veth", "peer", "name", &device, "netns", &peer];
        ip(one.leader(), &add);
        for (end, host) in [one, other].into_iter().enumerate() {
            let address = format!("{}/30", addresses[end]);
            ip(host.leader(), &["address", "add", &address, "dev", &device]);
            ip(host.leader(), &["link", "set", &device, "up"]);
        }
        for (host, (to, address)) in [(one, (other, &addresses[1])), (other, (one, &addresses[0]))]
        {
            host.ok(&format!("echo '{address} {}' >>/etc/hosts", to.hostname()));
        }
        Self { leader: one.leader(), device, addresses }
    }

    /// The addresses of the first host and of the other.
    #[must_use]
    pub fn addresses(&self) -> [&str; 2] {
        [&self.addresses[0], &self.addresses[1]]
    }

    /// Cuts it: neither host reaches the other until it is mended.
    pub fn cut(&self) {
        ip(self.leader, &["link", "set", &self.device, "down"]);
    }

    /// Mends it.
    pub fn mend(&self) {
        ip(self.leader, &["link", "set", &self.device, "up"]);
    }
}

/// Runs the machine's ip(8) in the network of the host whose first process is `leader`.
fn ip(leader: i32, arguments: &[&str]) {
    let mut command = Command::new("nsenter");
    command.args(["-t", &leader.to_string(), "-n", "--", "ip"]).args(arguments);
    let output = run(command, b"", Deadline::seconds(20));
    assert!(output.ok(), "ip {}: {output}", arguments.join(" "));
}
