//! A stintd that lives and does nothing is ended by systemd and started again, and whoever asked
//! meanwhile is answered.

use crate::common::{SOON, assert_let_in, daemon, gated, grant};
use stint_tests::{Suite, eventually};

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false
"#;

#[test]
fn a_stintd_that_hangs_is_started_again_and_who_waits_is_answered() {
    for suite in Suite::ALL {
        let host = gated(suite, POLICY);
        grant(&host, "alice admin --for 1h");
        let drop_in = "[Service]\nWatchdogSec=8\n";
        host.write("/etc/systemd/system/stintd.service.d/soon.conf", "0644", drop_in);
        host.ok("systemctl daemon-reload && systemctl restart stintd.service");
        host.ok("sed -i 's/pam_stint.so/& timeout=60/' /etc/pam.d/sudo");
        assert_let_in(&host, &mut host.shell("alice"), "before");
        // While it is well it is left alone.
        let first = daemon(&host);
        host.ok("sleep 20");
        assert_eq!(daemon(&host), first, "{suite:?}: it was ended though it lives");
        // The first number of standing privilege is there before anybody has asked for it.
        let known = "import sqlite3; s = sqlite3.connect('/var/lib/stint/state.sqlite'); \
                     print(s.execute('SELECT count(*) > 0 FROM standing').fetchone()[0])";
        assert_eq!(host.ok(&format!("python3 -c \"{known}\"")), "1\n", "{suite:?}");

        host.freeze(&first);
        let waited = host.as_user("alice", "sudo -n id -u");
        assert_eq!((waited.status, waited.stdout.as_str()), (0, "0\n"), "{suite:?}: {waited}");
        assert_ne!(daemon(&host), first, "{suite:?}");
        eventually("systemd's word on it", SOON, || {
            let told = host.ok("journalctl -u stintd.service -o cat --no-pager");
            told.contains("Watchdog timeout").then_some(())
        });
    }
}
