//! The gate's lines in real files, and in any text.

use proptest::prelude::*;

use super::*;
use crate::pam::{fixtures, stack};

fn terms(mode: GateMode, exempt: &[&str]) -> Terms {
    Terms {
        mode,
        prompt: false,
        exempt: exempt.iter().map(|entry| entry.parse().unwrap()).collect(),
    }
}

const SYSTEMS: [&str; 3] = ["debian12", "debian13", "fedora"];

/// The account phase of a gated file never lets a denial through.
#[test]
fn every_shipped_stack_is_closed_once_it_is_gated() {
    for system in SYSTEMS {
        for name in fixtures::names(system) {
            if name.starts_with("common-") || ["system-auth", "postlogin"].contains(&&*name) {
                continue;
            }
            let files = |file: &str| fixtures::file(system, file);
            let text = files(&name).unwrap();
            let gated =
                put_in(&text, &name, &terms(GateMode::Enforce, &["%ops", "eve"]), &files).unwrap();
            let found = find(&gated).unwrap();
            let gated_files =
                |file: &str| if file == name { Some(gated.clone()) } else { files(file) };
            let exempt = |place: &stack::Place| {
                place.file == name
                    && (found.lines.0..=found.lines.1).contains(&place.line)
                    && gated.lines().nth(place.line - 1).unwrap().contains("pam_succeed_if")
            };
            assert_eq!(stack::leak(&name, &gated_files, &exempt), None, "{system} {name}\n{gated}");
            assert_eq!(found.exempt, ["%ops", "eve"]);
            assert_eq!(take_out(&gated).unwrap(), text, "{system} {name}");
        }
    }
}

#[test]
fn sudo_of_debian_gets_exactly_these_lines() {
    let files = |file: &str| fixtures::file("debian12", file);
    let gated = put_in(
        "#%PAM-1.0\nsession required pam_limits.so\n@include common-auth\n@include common-account\n",
        "sudo",
        &terms(GateMode::Enforce, &["%ops", "eve"]),
        &files,
    )
    .unwrap();
    let wanted = format!(
        "#%PAM-1.0\nsession required pam_limits.so\n@include common-auth\n{BEGIN}\n\
         account [success=2 default=ignore] pam_succeed_if.so quiet use_uid user ingroup ops\n\
         account [success=1 default=ignore] pam_succeed_if.so quiet use_uid user = eve\n\
         account requisite pam_stint.so\n{END}\n@include common-account\n{BEGIN}\n\
         session optional pam_stint.so\n{END}\n"
    );
    assert_eq!(gated, wanted);
}

#[test]
fn sshd_is_told_by_who_logs_in_and_observe_stops_nobody() {
    let files = |file: &str| fixtures::file("debian13", file);
    let text = files("sshd").unwrap();
    let gated = put_in(&text, "sshd", &terms(GateMode::Observe, &["eve"]), &files).unwrap();
    assert!(
        gated.contains("pam_succeed_if.so quiet user = eve\naccount optional pam_stint.so quiet\n")
    );
    let block = gated.find(BEGIN).unwrap();
    assert!(block < gated.find("pam_nologin.so").unwrap());
    assert!(block > gated.find("@include common-auth").unwrap());
    assert_eq!(find(&gated).unwrap().mode, GateMode::Observe);
}

#[test]
fn a_second_on_changes_only_what_changed() {
    let files = |file: &str| fixtures::file("debian12", file);
    let text = files("sudo").unwrap();
    let first = put_in(&text, "sudo", &terms(GateMode::Enforce, &[]), &files).unwrap();
    assert_eq!(put_in(&first, "sudo", &terms(GateMode::Enforce, &[]), &files).unwrap(), first);
    let second = put_in(&first, "sudo", &terms(GateMode::Observe, &["eve"]), &files).unwrap();
    assert_eq!(find(&second).unwrap().exempt, ["eve"]);
    assert_eq!(take_out(&second).unwrap(), text);
}

#[test]
fn refuses_where_other_lines_would_change_their_meaning() {
    let none = |_: &str| None;
    let found = put_in("account required \\", "sudo", &terms(GateMode::Enforce, &[]), &none);
    assert_eq!(found, Err(CannotEdit::LastLineContinued));
    let torn = format!("auth required pam_unix.so\n{BEGIN}\naccount requisite pam_stint.so\n");
    assert_eq!(take_out(&torn), Err(CannotEdit::TornBlock { line: 2 }));
    assert_eq!(by_hand(&torn), [3]);
}

#[test]
fn no_rule_is_left_that_names_the_module_and_jumps_lead_where_they_led() {
    let text = "account [success=1 default=ignore] pam_x.so\naccount required \\\n pam_stint.so\n\
                account required pam_y.so\nsession optional /lib/security/pam_stint.so debug\n\
                # pam_stint.so in a comment stays\n";
    assert_eq!(
        take_out_everything(text),
        "account [success=1 default=ignore] pam_x.so\naccount optional pam_permit.so\n\
         account required pam_y.so\n# pam_stint.so in a comment stays\n"
    );
}

proptest! {
    #[test]
    fn out_undoes_in(lines in proptest::collection::vec(
        prop_oneof![
            "[ -~\t]{0,40}",
            Just("account required pam_unix.so".to_owned()),
            Just("@include common-account".to_owned()),
            Just("account [success=1 \\".to_owned()),
        ], 0..12), ending in prop_oneof![Just("\n"), Just(""), Just("\r\n")]
    ) {
        let text = lines.join("\n") + ending;
        let files = |file: &str| fixtures::file("debian12", file);
        let terms = terms(GateMode::Enforce, &["%ops"]);
        if let Ok(gated) = put_in(&text, "sudo", &terms, &files) {
            let back = take_out(&gated).unwrap();
            // A file whose last line had no end gets one; the backup restores that byte.
            let ended = text.clone() + "\n";
            prop_assert!(back == text || back == ended, "{back:?}");
            prop_assert!(by_hand(&gated).is_empty());
            prop_assert!(find(&gated).is_some());
        }
    }
}
