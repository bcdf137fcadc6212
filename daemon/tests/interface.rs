//! The interface as it is installed, as it is, and as the table of who may call what knows it:
//! the three agree.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::collections::BTreeSet;
use std::sync::Arc;

use stint_daemon::clock::KernelClock;
use stint_daemon::dbus::{authority, introspection};
use stint_daemon::engine::{Engine, Mechanisms, Places};

const INSTALLED: &str =
    include_str!("../../packaging/root/usr/share/dbus-1/interfaces/org.stint.Stint1.xml");

async fn live() -> String {
    let folder = tempfile::tempdir().unwrap();
    let places = Places {
        policy_file: folder.path().join("policy.toml"),
        policy_dir: folder.path().join("policy.d"),
        signers_file: folder.path().join("allowed_signers"),
        state_dir: folder.path().to_owned(),
        journal: folder.path().join("journal"),
        syslog: folder.path().join("log"),
        run_dir: folder.path().to_owned(),
        kernel_audit: false,
    };
    let mechanisms = Mechanisms::of_host(folder.path());
    let (engine, _) = Engine::open(places, Arc::new(KernelClock), mechanisms).await.unwrap();
    introspection(engine)
}

fn methods(xml: &str) -> BTreeSet<String> {
    xml.lines()
        .filter_map(|line| line.trim().strip_prefix("<method name=\""))
        .filter_map(|rest| rest.split('"').next().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn every_method_is_in_the_table_and_nothing_else_is() {
    let table: BTreeSet<String> =
        authority::TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(methods(&live().await), table);
}

#[tokio::test]
async fn the_installed_file_is_the_interface_as_it_is() {
    let live = live().await;
    let lines = |text: &str| -> Vec<String> {
        let start = text.find("<interface").unwrap();
        let end = text.find("</interface>").unwrap();
        let inside = text[start..end].lines().map(|line| line.trim().to_owned());
        inside.filter(|line| !line.is_empty()).collect()
    };
    assert_eq!(lines(INSTALLED), lines(&live), "\n{live}");
}
