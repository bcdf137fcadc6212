//! No sequence of events leads to a grant that the rules forbid, nothing changes after the end,
//! and each transition takes place once.

use proptest::prelude::*;

use super::*;

/// A request of alice (1000) for admin that needs so many approvals; it lapses at 1000 µs.
pub(crate) fn sample(id: &str, needed: u32) -> Request {
    Request {
        id: id.parse().unwrap(),
        user: "alice".parse().unwrap(),
        uid: Uid(1000),
        role: "admin".parse().unwrap(),
        duration: Length::from_seconds(1_800).unwrap(),
        starts_at: None,
        reason: "for a test".to_owned(),
        ticket: None,
        extends: None,
        created_at: Timestamp::from_micros(0),
        lapses_at: Timestamp::from_micros(1_000),
        groups: BTreeSet::new(),
        terms: Terms {
            confers: vec!["sudo (root) ALL".to_owned()],
            approvals_needed: needed,
            approvers: vec!["%leads".to_owned()],
        },
        approvals: Vec::new(),
        stage: Stage::Pending,
    }
}

fn yes(uid: u32, at: i64) -> Approval {
    let user = format!("user{uid}").parse().unwrap();
    Approval { user, uid: Uid(uid), at: Timestamp::from_micros(at), note: None, key: None }
}

#[test]
fn nobody_approves_their_own_not_even_under_a_second_name() {
    let mut request = sample("7kq2", 1);
    let digest = request.digest();
    assert_eq!(request.approve(yes(1000, 1), &digest), Err(NoApproval::Own));
    let mut renumbered = yes(1001, 1);
    renumbered.user = "alice".parse().unwrap();
    assert_eq!(request.approve(renumbered, &digest), Err(NoApproval::Own));
    assert_eq!(request.missing(), 1);
}

#[test]
fn two_approvals_are_of_two_people() {
    let mut request = sample("7kq2", 2);
    let digest = request.digest();
    assert_eq!(request.approve(yes(1001, 1), &digest), Ok(()));
    assert_eq!(request.approve(yes(1001, 2), &digest), Err(NoApproval::Twice));
    let mut second_name = yes(1001, 2);
    second_name.user = "bobby".parse().unwrap();
    assert_eq!(request.approve(second_name, &digest), Err(NoApproval::Twice));
    assert!(!request.granted("g4t9".parse().unwrap(), Timestamp::from_micros(3), "user1001"));
    assert_eq!(request.approve(yes(1002, 3), &digest), Ok(()));
    assert!(request.granted("g4t9".parse().unwrap(), Timestamp::from_micros(4), "user1002"));
}

#[test]
fn two_approvals_are_signed_with_two_keys() {
    let mut request = sample("7kq2", 3);
    let digest = request.digest();
    let signed = |uid, key: &str| Approval { key: Some(key.to_owned()), ..yes(uid, 1) };
    assert_eq!(request.approve(signed(1001, "SHA256:a"), &digest), Ok(()));
    assert_eq!(request.approve(signed(1002, "SHA256:a"), &digest), Err(NoApproval::SameKey));
    assert_eq!(request.approve(yes(1002, 2), &digest), Ok(()), "over the bus there is no key");
    assert_eq!(request.approve(signed(1003, "SHA256:b"), &digest), Ok(()));
    assert_eq!(request.missing(), 0);
}

#[test]
fn an_approval_is_of_exactly_what_was_shown() {
    let shown = sample("7kq2", 1).digest();
    let changes: [fn(&mut Request); 8] = [
        |r| r.id = "7kq3".parse().unwrap(),
        |r| r.role = "other".parse().unwrap(),
        |r| r.duration = Length::from_seconds(1_801).unwrap(),
        |r| r.starts_at = Some(Timestamp::from_micros(5)),
        |r| r.reason.push('!'),
        |r| r.ticket = Some("INC-1".to_owned()),
        |r| r.extends = Some("g4t9".parse().unwrap()),
        |r| r.terms.confers.push("group docker".to_owned()),
    ];
    for change in changes {
        let mut request = sample("7kq2", 1);
        change(&mut request);
        assert_eq!(request.approve(yes(1001, 1), &shown), Err(NoApproval::OtherDigest));
    }
}

#[test]
fn fields_cannot_run_into_each_other_in_the_digest() {
    let mut one = sample("7kq2", 1);
    one.reason = "a\",\"b".to_owned();
    let mut other = sample("7kq2", 1);
    other.reason = "a".to_owned();
    other.ticket = Some("b".to_owned());
    assert_ne!(one.digest(), other.digest());
}

#[derive(Clone, Debug)]
enum Step {
    Approve { uid: u32, right_digest: bool },
    Grant,
    Deny,
    Cancel,
    Lapse,
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let step = prop_oneof![
        4 => (999_u32..1005, any::<bool>())
            .prop_map(|(uid, right_digest)| Step::Approve { uid, right_digest }),
        2 => Just(Step::Grant),
        1 => Just(Step::Deny),
        1 => Just(Step::Cancel),
        1 => Just(Step::Lapse),
    ];
    proptest::collection::vec((step, 0_i64..1_200), 0..24)
}

proptest! {
    #[test]
    fn no_sequence_leads_to_a_grant_that_the_rules_forbid(needed in 0_u32..4, steps in steps()) {
        let mut request = sample("7kq2", needed);
        let digest = request.digest();
        let mut transitions = 0;
        let mut good: BTreeSet<u32> = BTreeSet::new();
        for (step, at) in steps {
            let at = Timestamp::from_micros(at);
            let before = request.clone();
            let ended = match step {
                Step::Approve { uid, right_digest } => {
                    let told = if right_digest { digest.as_str() } else { "" };
                    if request.approve(yes(uid, at.micros()), told).is_ok() {
                        prop_assert!(uid != 1000 && right_digest && at < request.lapses_at);
                        prop_assert!(good.insert(uid));
                    } else {
                        prop_assert_eq!(&request, &before, "a refusal changes nothing");
                    }
                    false
                }
                Step::Grant => request.granted("g4t9".parse().unwrap(), at, "x"),
                Step::Deny => request.deny("no".to_owned(), at, "x"),
                Step::Cancel => request.cancel(at, "alice"),
                Step::Lapse => request.lapse("late".to_owned(), at),
            };
            transitions += u32::from(ended);
            if !before.is_pending() {
                prop_assert_eq!(&request, &before, "nothing changes after the end");
            }
            if let Stage::Ended { how: End::Approved(_), at, .. } = &request.stage {
                prop_assert!(good.len() >= needed as usize);
                prop_assert!(*at < request.lapses_at);
            }
        }
        prop_assert!(transitions <= 1);
        prop_assert_eq!(transitions == 0, request.is_pending());
        prop_assert_eq!(request.digest(), digest, "what was asked never changes");
    }
}
