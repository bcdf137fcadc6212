use super::*;

fn rule(text: &str) -> Rule {
    match statement(text) {
        Some(Statement::Rule(rule)) => rule,
        other => panic!("{text}: {other:?}"),
    }
}

fn member(who: Who) -> Member {
    Member { negated: false, who }
}

#[test]
fn every_kind_of_name_is_told_apart() {
    let text = r#"alice, %ops, #1002, %#27, +net, "with space", %:dom\\users, "%two words", !bob, ALL ALL=ALL"#;
    let expected = vec![
        member(Who::Name("alice".into())),
        member(Who::Group("ops".into())),
        member(Who::Id(1002)),
        member(Who::Gid(27)),
        member(Who::Netgroup("net".into())),
        member(Who::Name("with space".into())),
        member(Who::NonUnix("dom\\users".into())),
        member(Who::Group("two words".into())),
        Member { negated: true, who: Who::Name("bob".into()) },
        member(Who::All),
    ];
    assert_eq!(rule(text).users, expected);
}

#[test]
fn what_is_said_before_a_command_holds_for_the_next() {
    let rule = rule(
        "bob WEB = (root) NOPASSWD: /bin/a -x 1\\,2, PASSWD: NOEXEC: !/bin/b \"\" : ALL = (:docker) ALL",
    );
    assert_eq!(rule.privileges.len(), 2);
    let runs = &rule.privileges[0].runs;
    assert_eq!((runs[0].command.text.as_str(), runs[0].nopasswd), ("/bin/a -x 1,2", true));
    assert_eq!(runs[1].users, runs[0].users);
    assert!(runs[1].noexec && !runs[1].nopasswd && runs[1].command.negated);
    let run = &rule.privileges[1].runs[0];
    assert_eq!(run.users, Some(Vec::new()));
    assert_eq!(run.groups, Some(vec![member(Who::Name("docker".into()))]));
}

#[test]
fn options_digests_and_patterns_are_passed_by() {
    let one = rule("dave ALL=(ALL) CWD=/ NOTAFTER=20270101000000Z TIMEOUT=5m NOEXEC: ALL");
    assert!(one.privileges[0].runs[0].ends && one.privileges[0].runs[0].noexec);
    let two = rule("eve ALL = sha224:AA==, sha256:BB== /bin/ls -l *, ^/usr/bin/[a,b:]+$, list");
    let texts: Vec<_> =
        two.privileges[0].runs.iter().map(|run| run.command.text.as_str()).collect();
    assert_eq!(texts, ["/bin/ls -l *", "^/usr/bin/[a,b:]+$", "list"]);
}

#[test]
fn aliases_and_defaults_are_read_and_nonsense_is_not() {
    let two = statement("User_Alias A = alice, %b : B = !A");
    assert!(matches!(two, Some(Statement::Users(found)) if found.len() == 2));
    let shells = statement("Cmnd_Alias SH = /bin/sh, sha224:x /bin/bash -c a");
    assert!(matches!(shells, Some(Statement::Commands(found)) if found[0].1.len() == 2));
    let defaults = statement("Defaults:alice !authenticate");
    assert_eq!(defaults, Some(Statement::Defaults(":alice".into(), "!authenticate".into())));
    for text in [
        "alice",
        "alice ALL",
        "alice ALL=",
        "alice ALL=(root ALL",
        "= ALL",
        "\"a ALL=ALL",
        "User_Alias A",
        "alice ALL=ALL ) x(",
        "@include /x",
    ] {
        assert!(
            !matches!(statement(text), Some(Statement::Rule(rule))
            if rule.privileges.iter().all(|p| p.runs.iter().all(|r| r.command.text == "ALL"))),
            "{text}"
        );
    }
}
