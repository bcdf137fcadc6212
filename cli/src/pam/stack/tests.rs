//! The walk over real stacks, and over those that let a denial through.

use super::*;
use crate::pam::fixtures;

fn check(sudo: &str) -> Option<Leak> {
    let files = |name: &str| {
        if name == "sudo" { Some(sudo.to_owned()) } else { fixtures::file("debian12", name) }
    };
    leak("sudo", &files, &|_| false)
}

fn at(line: usize) -> Place {
    Place { file: "sudo".into(), line }
}

#[test]
fn a_stack_without_the_module_lets_everybody_through() {
    for (system, service) in [("debian12", "sudo"), ("debian13", "su-l"), ("fedora", "su")] {
        let files = |name: &str| fixtures::file(system, name);
        assert_eq!(leak(service, &files, &|_| false), Some(Leak::Absent), "{system} {service}");
    }
    assert_eq!(
        check("session required pam_stint.so\n@include common-account\n"),
        Some(Leak::Absent)
    );
}

#[test]
fn what_stands_before_the_module_may_pass_it_by() {
    for before in [
        "account sufficient pam_localuser.so",
        "account [success=done default=ignore] pam_x.so",
        "account [success=1 default=ignore] pam_x.so",
        "account [default=1] pam_x.so",
        "account [perm_denied=1 default=bad] pam_x.so",
    ] {
        let text =
            format!("{before}\naccount requisite pam_stint.so\naccount required pam_permit.so\n");
        assert_eq!(check(&text), Some(Leak::PassedBy(at(1))), "{before}");
    }
    // Debian's own account lines end the stack for those who must change their password.
    let found = check("@include common-account\naccount requisite pam_stint.so\n");
    assert!(
        matches!(&found, Some(Leak::PassedBy(place)) if place.file == "common-account"),
        "{found:?}"
    );
}

#[test]
fn a_control_that_stops_nothing_is_weak() {
    for control in ["optional", "sufficient", "[success=ok default=ignore]", "[default=reset]"] {
        let text = format!("account {control} pam_stint.so\naccount required pam_permit.so\n");
        assert_eq!(check(&text), Some(Leak::Weak(at(1))), "{control}");
    }
    let reset = "account required pam_stint.so\naccount [success=reset] pam_x.so\n\
                 account required pam_permit.so\n";
    assert_eq!(check(reset), Some(Leak::Weak(at(1))));
}

#[test]
fn an_include_that_is_missing_or_endless_is_broken() {
    assert_eq!(
        check("account requisite pam_stint.so\naccount include nowhere\n"),
        Some(Leak::Broken(at(2)))
    );
    assert!(matches!(check("@include sudo\n"), Some(Leak::Broken(_))));
}

#[test]
fn nothing_passes_a_module_that_comes_first() {
    for control in ["requisite", "required", "[success=ok default=die]"] {
        for rest in [
            "@include common-account",
            "account sufficient pam_localuser.so\naccount required pam_permit.so",
            "account [success=3 default=ignore] pam_x.so\naccount required pam_permit.so",
        ] {
            let text =
                format!("auth sufficient pam_x.so\naccount {control} pam_stint.so\n{rest}\n");
            assert_eq!(check(&text), None, "{text}");
        }
    }
}

#[test]
fn an_inner_stack_ends_only_itself() {
    let files = |name: &str| match name {
        "sudo" => Some("account substack inner\naccount requisite pam_stint.so\n".to_owned()),
        "inner" => Some("account sufficient pam_localuser.so\naccount required pam_x.so\n".into()),
        _ => None,
    };
    assert_eq!(leak("sudo", &files, &|_| false), None);
    let files = |name: &str| match name {
        "sudo" => Some("account include inner\naccount requisite pam_stint.so\n".to_owned()),
        other => files(other),
    };
    let by = Place { file: "inner".into(), line: 1 };
    assert_eq!(leak("sudo", &files, &|_| false), Some(Leak::PassedBy(by)));
}

#[test]
fn a_jump_counts_an_inner_stack_as_one_rule() {
    let files = |name: &str| match name {
        "sudo" => Some(
            "account [success=1 default=ignore] pam_x.so\naccount substack inner\n\
             account requisite pam_stint.so\n"
                .to_owned(),
        ),
        "inner" => Some("account required pam_a.so\naccount required pam_b.so\n".into()),
        _ => None,
    };
    assert_eq!(leak("sudo", &files, &|_| false), None);
}
