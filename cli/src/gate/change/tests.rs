//! Changes on a folder of PAM files as Debian ships them.

use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::pam::fixtures;

struct Host {
    _dir: tempfile::TempDir,
    places: Places,
}

impl Host {
    fn new(system: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let places = Places {
            pam: dir.path().join("pam.d"),
            vendor: vec![dir.path().join("vendor")],
            backups: dir.path().join("state/gate"),
            modules: vec![dir.path().join("security")],
        };
        fs::create_dir(&places.pam).unwrap();
        fs::create_dir(&places.vendor[0]).unwrap();
        fs::create_dir(&places.modules[0]).unwrap();
        fs::write(places.modules[0].join(MODULE_FILE), "").unwrap();
        for name in fixtures::names(system) {
            fs::write(places.path(&name), fixtures::file(system, &name).unwrap()).unwrap();
        }
        Self { _dir: dir, places }
    }

    fn write(&self, service: &str, text: &str) {
        fs::write(self.places.path(service), text).unwrap();
    }

    fn on(&self, service: &str, mode: GateMode) -> Result<Vec<Change>, Failure> {
        let terms = Terms { mode, prompt: false, exempt: vec!["%ops".parse().unwrap()] };
        plan_on(&self.places, &[service.parse().unwrap()], &terms)
    }

    fn off(&self, service: &str) -> Result<Vec<Change>, Failure> {
        plan_off(&self.places, &[service.parse().unwrap()])
    }

    fn apply(&self, changes: &[Change]) {
        changes.iter().for_each(|change| change.apply(&self.places).unwrap());
    }

    fn bytes(&self) -> Vec<(String, Vec<u8>)> {
        let names = self.places.names().unwrap().into_iter();
        names.map(|name| (name.clone(), fs::read(self.places.path(&name)).unwrap())).collect()
    }
}

fn message(outcome: Result<Vec<Change>, Failure>) -> String {
    outcome.unwrap_err().message
}

#[test]
fn refuses_what_would_shut_or_open_a_door() {
    let host = Host::new("debian12");
    let pam = host.places.pam.display().to_string();
    assert_eq!(
        message(host.on("nowhere", GateMode::Enforce)),
        format!("stint: there is no PAM service nowhere: {pam}/nowhere does not exist")
    );
    assert!(message(host.on("common-account", GateMode::Enforce)).contains("is no service"));
    host.write("hand", "account required pam_stint.so\n@include common-account\n");
    assert_eq!(
        message(host.on("hand", GateMode::Enforce)),
        format!(
            "stint: hand was left as it is: {pam}/hand:1 names pam_stint.so and was written by \
             hand; take it out first"
        )
    );
    host.write("broken", "account include not-there\n");
    assert!(message(host.on("broken", GateMode::Observe)).contains("not there"));
    fs::write(host.places.vendor[0].join("vendored"), "").unwrap();
    assert!(message(host.on("vendored", GateMode::Enforce)).contains("copy it to"));
    fs::remove_file(host.places.modules[0].join(MODULE_FILE)).unwrap();
    assert!(message(host.on("sudo", GateMode::Enforce)).contains("is in no PAM module folder"));
    assert!(!host.places.backups.exists(), "something was written");
}

#[test]
fn off_gives_every_file_back_to_the_byte() {
    for system in ["debian12", "debian13", "fedora"] {
        for service in ["sudo", "su", "sshd", "doas", "login"] {
            let host = Host::new(system);
            if !host.places.path(service).exists() {
                continue;
            }
            // No line end at the end of the file: that, too, comes back.
            let text = fs::read_to_string(host.places.path(service)).unwrap();
            host.write(service, text.trim_end());
            let before = host.bytes();
            host.apply(&host.on(service, GateMode::Enforce).unwrap());
            assert_ne!(host.bytes(), before);
            assert!(standing(&host.places, service).unwrap().denies(), "{system} {service}");
            host.apply(&host.off(service).unwrap());
            assert_eq!(host.bytes(), before, "{system} {service}");
            assert_eq!(fs::read_dir(&host.places.backups).unwrap().count(), 0);
        }
    }
}

#[test]
fn sudo_takes_sudo_i_along_and_su_covers_su_l() {
    let host = Host::new("debian12");
    host.apply(&host.on("sudo", GateMode::Enforce).unwrap());
    assert!(standing(&host.places, "sudo-i").unwrap().denies());
    let backup = host.places.backups.join("sudo-i");
    assert_eq!(fs::metadata(backup).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(&host.places.backups).unwrap().mode() & 0o7777, 0o700);
    host.apply(&host.on("su", GateMode::Enforce).unwrap());
    let su_l = standing(&host.places, "su-l").unwrap();
    assert!(su_l.denies());
    assert_eq!(su_l.through.as_deref(), Some("su"));
    assert!(message(host.off("su-l")).contains("stint gate off su"));
}

#[test]
fn a_second_on_keeps_the_first_backup() {
    let host = Host::new("debian13");
    let before = host.bytes();
    host.apply(&host.on("sudo", GateMode::Enforce).unwrap());
    let same = host.on("sudo", GateMode::Enforce).unwrap();
    assert!(same.iter().all(|change| !change.is_needed()));
    let observe = host.on("sudo", GateMode::Observe).unwrap();
    assert!(observe.iter().all(|change| change.is_needed() && change.backup == Backup::Keep));
    host.apply(&observe);
    let now = standing(&host.places, "sudo").unwrap();
    assert!(now.observes() && !now.denies());
    host.apply(&host.off("sudo").unwrap());
    assert_eq!(host.bytes(), before);
}

#[test]
fn what_was_edited_in_the_meantime_stays() {
    let host = Host::new("debian12");
    host.apply(&host.on("sudo", GateMode::Enforce).unwrap());
    let gated = fs::read_to_string(host.places.path("sudo")).unwrap();
    host.write("sudo", &format!("# mine\n{gated}"));
    host.apply(&host.off("sudo").unwrap());
    let wanted = format!("# mine\n{}", fixtures::file("debian12", "sudo").unwrap());
    assert_eq!(fs::read_to_string(host.places.path("sudo")).unwrap(), wanted);
}

#[test]
fn off_all_leaves_no_file_that_names_the_module() {
    let host = Host::new("debian12");
    host.apply(&host.on("sudo", GateMode::Enforce).unwrap());
    host.write("cron", "account required pam_stint.so\n@include common-account\n");
    host.write("torn", &format!("{}\naccount requisite pam_stint.so\n", block::BEGIN));
    let (changes, problems) = plan_off_all(&host.places).unwrap();
    assert_eq!(problems, Vec::<String>::new());
    let notes: Vec<_> = changes.iter().flat_map(|change| change.notes.clone()).collect();
    assert_eq!(
        notes,
        ["cron:1 was written by hand and goes too", "torn:2 was written by hand and goes too"]
    );
    host.apply(&changes);
    for (name, bytes) in host.bytes() {
        assert!(!String::from_utf8(bytes).unwrap().contains("pam_stint.so"), "{name}");
    }
}

#[test]
fn a_link_is_left_alone() {
    let host = Host::new("debian12");
    fs::rename(host.places.path("sudo"), host.places.path("sudo.real")).unwrap();
    symlink("sudo.real", host.places.path("sudo")).unwrap();
    let changes = host.on("sudo", GateMode::Enforce).unwrap();
    let failure = changes[0].apply(&host.places).unwrap_err();
    assert!(failure.message.contains("link"), "{failure:?}");
    assert!(fs::symlink_metadata(host.places.path("sudo")).unwrap().is_symlink());
}
