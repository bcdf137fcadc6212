//! Whatever is done to a chain, it is found, and the right link is named.

use proptest::prelude::*;
use stint_proto::{Link, Timestamp};

use super::*;

/// A chain of these messages.
fn chain(messages: &[String]) -> Vec<Link> {
    let mut head = Head::EMPTY;
    let mut links = Vec::new();
    for message in messages {
        let mut link = Link {
            seq: head.seq + 1,
            at: Timestamp(1_000 + head.seq),
            boot_id: "b".into(),
            event: "check.denied".into(),
            message: message.clone(),
            fields: format!("{{\"STINT_USER\":\"{}\"}}", links.len()),
            hash: Vec::new(),
        };
        let hash = digest(&head.hash, &link);
        link.hash = hash.to_vec();
        head = Head { seq: link.seq, hash };
        links.push(link);
    }
    links
}

fn verify(links: &[Link], checkpoints: &[Checkpoint]) -> Result<Head, Fault> {
    let mut verifier = Verifier::new(checkpoints.iter().copied());
    links.iter().try_for_each(|link| verifier.take(link))?;
    verifier.end().map(|()| verifier.head())
}

fn head(links: &[Link]) -> Head {
    let last = links.last().unwrap();
    Head { seq: last.seq, hash: last.hash.clone().try_into().unwrap() }
}

fn messages() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-z]{0,4}", 4..30)
}

proptest! {
    #[test]
    fn a_chain_is_whole(texts in messages()) {
        let links = chain(&texts);
        prop_assert_eq!(verify(&links, &[head(&links[..2]), head(&links)]), Ok(head(&links)));
    }

    #[test]
    fn an_edit_is_found(texts in messages(), at in any::<prop::sample::Index>(), what in 0..7) {
        let mut links = chain(&texts);
        let at = at.index(links.len());
        let link = &mut links[at];
        match what {
            0 => link.at = Timestamp(link.at.0 + 1),
            1 => link.boot_id.push('x'),
            2 => link.event = "check.allowed".into(),
            3 => link.message.push('x'),
            4 => link.fields.push(' '),
            // A letter that goes over from one text to the next.
            5 => { link.event.push('x'); link.message.insert(0, 'x'); }
            _ => link.hash[7] ^= 1,
        }
        prop_assert_eq!(verify(&links, &[]), Err(Fault::Changed { seq: at as i64 + 1 }));
    }

    #[test]
    fn a_letter_does_not_move_from_text_to_text(texts in messages(), at in any::<prop::sample::Index>()) {
        let mut links = chain(&texts);
        let at = at.index(links.len());
        let letter = links[at].event.pop().unwrap();
        links[at].message.insert(0, letter);
        prop_assert_eq!(verify(&links, &[]), Err(Fault::Changed { seq: at as i64 + 1 }));
    }

    #[test]
    fn a_removal_is_found(texts in messages(), at in any::<prop::sample::Index>(), renumber in any::<bool>()) {
        let mut links = chain(&texts);
        let at = at.index(links.len() - 1);
        let seq = at as i64 + 1;
        links.remove(at);
        if renumber {
            links.iter_mut().skip(at).for_each(|link| link.seq -= 1);
            prop_assert_eq!(verify(&links, &[]), Err(Fault::Changed { seq }));
        } else {
            prop_assert_eq!(verify(&links, &[]), Err(Fault::Missing { seq, found: seq + 1 }));
        }
    }

    #[test]
    fn an_insertion_is_found(texts in messages(), at in any::<prop::sample::Index>()) {
        let mut links = chain(&texts);
        let at = at.index(links.len() - 1);
        // As good as a forger can make it, without writing all that follows anew.
        let mut forged = links[at].clone();
        forged.seq += 1;
        forged.hash = digest(&head(&links[..=at]).hash, &forged).to_vec();
        links.insert(at + 1, forged);
        let seq = at as i64 + 2;
        prop_assert_eq!(verify(&links, &[]), Err(Fault::OutOfPlace { seq, expected: seq + 1 }));
        links.iter_mut().skip(at + 2).for_each(|link| link.seq += 1);
        prop_assert_eq!(verify(&links, &[]), Err(Fault::Changed { seq: seq + 1 }));
    }

    #[test]
    fn another_order_is_found(texts in messages(), at in any::<prop::sample::Index>()) {
        let mut links = chain(&texts);
        let at = at.index(links.len() - 1);
        links.swap(at, at + 1);
        let seq = at as i64 + 1;
        prop_assert_eq!(verify(&links, &[]), Err(Fault::Missing { seq, found: seq + 1 }));
        (links[at].seq, links[at + 1].seq) = (seq, seq + 1);
        prop_assert_eq!(verify(&links, &[]), Err(Fault::Changed { seq }));
    }

    #[test]
    fn a_missing_end_is_found_by_a_checkpoint(texts in messages(), kept in any::<prop::sample::Index>()) {
        let links = chain(&texts);
        let kept = kept.index(links.len());
        let fault = Fault::Truncated { last: kept as i64, known: links.len() as i64 };
        prop_assert_eq!(verify(&links[..kept], &[head(&links)]), Err(fault));
    }

    #[test]
    fn a_chain_that_is_written_anew_is_found_by_a_checkpoint(texts in messages(), at in any::<prop::sample::Index>()) {
        let links = chain(&texts);
        let mut other = texts;
        let at = at.index(other.len());
        other[at].push('x');
        let anew = chain(&other);
        prop_assert_eq!(verify(&anew, &[]), Ok(head(&anew)));
        let seq = links.len() as i64;
        prop_assert_eq!(verify(&anew, &[head(&links)]), Err(Fault::Rewritten { seq }));
    }
}

#[test]
fn the_encoding_stays_as_it_is() {
    let links = chain(&["a".to_owned()]);
    assert_eq!(
        hex(&head(&links).hash),
        "4650796a82b6d6a49cbf09b488d5cc30cd1b5b581c365df9e84cd59689ea473e"
    );
}

#[test]
fn hexadecimal_reads_back() {
    let hash = head(&chain(&["a".to_owned()])).hash;
    assert_eq!(unhex(&hex(&hash)), Some(hash));
    assert_eq!(unhex("é"), None);
    assert_eq!(unhex(&"g".repeat(64)), None);
}

#[test]
fn checkpoints_that_contradict_each_other_are_not_both_met() {
    let links = chain(&["a".to_owned(), "b".to_owned()]);
    let other = Head { seq: 2, hash: START };
    assert_eq!(verify(&links, &[other, head(&links)]), Err(Fault::Rewritten { seq: 2 }));
}

/// A chain whose links up to `to` were cut off by a link that says so, and what they followed.
fn cut(mut links: Vec<Link>, to: usize) -> (Vec<Link>, Head) {
    let end = head(&links);
    let last = head(&links[..to]);
    let mut seal = Link {
        seq: end.seq + 1,
        event: "audit.cut".into(),
        fields: format!(
            "{{\"STINT_FIRST\":\"1\",\"STINT_LINK\":\"{to}\",\"STINT_HASH\":\"{}\"}}",
            hex(&last.hash)
        ),
        ..links[0].clone()
    };
    seal.hash = digest(&end.hash, &seal).to_vec();
    links.push(seal);
    links.drain(..to);
    (links, last)
}

fn verify_after(links: &[Link], cut: Head, checkpoints: &[Checkpoint]) -> Result<Head, Fault> {
    let mut verifier = Verifier::after(cut, checkpoints.iter().copied());
    links.iter().try_for_each(|link| verifier.take(link))?;
    verifier.end().map(|()| verifier.head())
}

proptest! {
    #[test]
    fn what_was_cut_off_and_sealed_is_not_missed(texts in messages(), to in any::<prop::sample::Index>()) {
        let whole = chain(&texts);
        let to = to.index(whole.len()) + 1;
        let (links, last) = cut(whole.clone(), to);
        let known = [head(&whole[..1]), last, head(&links)];
        prop_assert_eq!(verify_after(&links, last, &known), Ok(head(&links)));
        prop_assert_eq!(verify_after(&links, last, &[]), Ok(head(&links)));
    }

    #[test]
    fn a_missing_beginning_is_found(texts in messages(), to in any::<prop::sample::Index>()) {
        let whole = chain(&texts);
        let to = to.index(whole.len() - 1) + 1;
        let last = head(&whole[..to]);
        let links = &whole[to..];
        let to = to as i64;
        // Nobody says that anything was cut.
        prop_assert_eq!(verify(links, &[]), Err(Fault::Missing { seq: 1, found: to + 1 }));
        // The state does, and no link.
        prop_assert_eq!(verify_after(links, last, &[]), Err(Fault::Unsealed { seq: 1, last: to }));
        // With another hash.
        let other = Head { seq: to, hash: START };
        prop_assert_eq!(verify_after(links, other, &[]), Err(Fault::Changed { seq: to + 1 }));
    }

    #[test]
    fn more_than_the_seal_says_is_missed(texts in messages(), to in any::<prop::sample::Index>()) {
        let whole = chain(&texts);
        let to = to.index(whole.len() - 1) + 1;
        let (mut links, _) = cut(whole.clone(), to);
        links.remove(0);
        let last = head(&whole[..=to]);
        let to = to as i64;
        let fault = Fault::Unsealed { seq: to + 1, last: to + 1 };
        prop_assert_eq!(verify_after(&links, last, &[]), Err(fault));
    }
}

#[test]
fn a_seal_that_no_checkpoint_knows_is_not_believed() {
    let whole = chain(&["a", "b", "c", "d"].map(str::to_owned));
    let known = head(&whole);
    // As good as a forger can make it who has all links, and no checkpoint that tells of it.
    let (links, last) = cut(whole, 3);
    assert_eq!(verify_after(&links, last, &[known]), Err(Fault::Unconfirmed { last: 3, seal: 5 }));
    assert_eq!(verify_after(&links, last, &[known, head(&links)]), Ok(head(&links)));
    let lie = Head { seq: 3, hash: START };
    let rewritten = Err(Fault::Rewritten { seq: 3 });
    assert_eq!(verify_after(&links, last, &[lie, head(&links)]), rewritten);
}
