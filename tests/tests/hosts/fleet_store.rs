//! A fleet by its store: what the hosts' own credentials may and may not do there. No test lives here:
//! `fleet_hosts.rs` goes through it on its machines.

use crate::fleet_ground::Fleet;

/// What a host that somebody has taken over would put or read with the credentials it has.
const NOT_FOR_A_HOST: [&str; 10] = [
    "put /stint/1/fleet/policy/fleet x",
    "put /stint/1/fleet/revocations/x x",
    "put /stint/1/in/web-1/approvals/7kq2.x x",
    "put /stint/1/in/web-2/approvals/7kq2.x x",
    "put /stint/1/out/web-2/requests/7kq2 x",
    "del /stint/1/out/web-2/alive",
    "get --prefix /stint/1/out/web-2/",
    "get --prefix /stint/1/in/web-2/",
    "get --prefix /stint/1/in/web-1",
    "user grant-role web-1 root",
];

/// What the store itself refuses, whatever stint does.
pub fn refused_by_the_store(fleet: &Fleet) {
    let store = fleet.store();
    for line in NOT_FOR_A_HOST {
        let refused = store.ctl_as("web-1", line);
        assert!(!refused.ok() && refused.text().contains("permission denied"), "{line}: {refused}");
    }
    for line in ["put /stint/1/out/web-1/x x", "del /stint/1/out/web-1/x", "get /stint/1/fleet/x"] {
        let taken = store.ctl_as("web-1", line);
        assert!(taken.ok(), "{line}: {taken}");
    }
    // Without a certificate, and with one of another authority, nobody is spoken to.
    let line = "ETCDCTL_API=3 etcdctl --command-timeout=3s --endpoints=https://carrier:2379 \
                --cacert=/srv/store/ca.pem";
    for who in ["", "--cert=/srv/ca/stranger.pem --key=/srv/ca/stranger.key"] {
        let refused = fleet.carrier.host.run(&format!("{line} {who} get /stint/1/fleet/x"));
        assert!(!refused.ok(), "{who}: {refused}");
    }
}
