//! Which of the checkpoints that were told are signed by a host, and what is wrong with the others.
//! Reads public keys; no private one.

use std::path::Path;

use jiff::tz::TimeZone;
use stint_document::{Signers, Unproven, host_keys, proven};
use stint_hostfiles::read_plain;
use stint_policy::text::{harmless, quoted};

use crate::checkpoints::{Proof, Told};
use crate::failure::Failure;
use crate::look::grants::Here;
use crate::look::{BAD, GOOD, ODD, count, styled};
use crate::out;

/// How many that are wrong are named one by one.
const NAMED: usize = 5;

/// What was found.
#[derive(Debug, Default)]
pub struct Judged {
    /// Those that a host has signed.
    pub good: Vec<Told>,
    /// By which keys, and of which hosts; each once.
    by: Vec<String>,
    of: Vec<String>,
    /// How many that are not signed are from before the first that is.
    older: usize,
    /// What is wrong with the others.
    wrong: Vec<String>,
}

/// Reads the keys that may sign.
///
/// # Errors
/// When the file cannot be read, or has no public key in it.
pub fn keys(path: &Path) -> Result<Signers, Failure> {
    let file = read_plain(path).map_err(Failure::failed)?;
    let name = quoted(&file.path).to_string();
    if file.text.contains("PRIVATE KEY-----") {
        return Err(Failure::usage(format!("{name} is a private key: give the public one")));
    }
    let keys = host_keys(&file.path, &file.text, &TimeZone::system());
    for problem in keys.problems() {
        out::warn(&format!("stint: {problem}"));
    }
    if keys.is_empty() {
        return Err(Failure::failed(format!(
            "{name} has no public key in it: stint audit key prints that of a host"
        )));
    }
    Ok(keys)
}

/// Judges those that were told, in the order in which they were; all must be of this host, if one is
/// named.
pub fn judge(told: Vec<Told>, keys: &Signers, host: Option<&str>, here: &Here) -> Judged {
    let mut judged = Judged::default();
    let mut unsigned = Vec::new();
    for told in told {
        let wrong = match &told.proof {
            // A link tells of it, which the next checkpoint covers.
            Proof::Cut => continue,
            Proof::None => {
                unsigned.push(told);
                continue;
            }
            Proof::Signature(statement, signature) => match proven(statement, signature, keys) {
                Ok(_) if host.is_some_and(|host| statement.host != host) => {
                    Some(format!("is of another host: {}", harmless(&statement.host)))
                }
                Ok(key) => {
                    put_once(&mut judged.by, key);
                    put_once(&mut judged.of, harmless(&statement.host));
                    None
                }
                Err(Unproven::Broken(why)) => Some(format!("is not as it was signed: {why}")),
                Err(Unproven::Other(why)) => Some(format!("is signed by another key: {why}")),
            },
        };
        match wrong {
            Some(why) => judged.wrong.push(named(&told, &why, here)),
            None => judged.good.push(told),
        }
    }
    if host.is_none() && judged.of.len() > 1 {
        let of = judged.of.join(", ");
        judged.wrong.push(format!("They are of several hosts, {of}: say which with --host."));
    }
    let first = judged.good.iter().map(|told| told.checkpoint.seq).min();
    for told in unsigned {
        // Whoever can take a signature away, or tells of what was never signed, is found.
        match first {
            Some(first) if told.checkpoint.seq < first => judged.older += 1,
            _ => judged.wrong.push(named(&told, "is not signed", here)),
        }
    }
    judged
}

fn put_once(list: &mut Vec<String>, text: String) {
    if !list.contains(&text) {
        list.push(text);
    }
}

fn named(told: &Told, why: &str, here: &Here) -> String {
    let at = told.at.map(|at| format!(" ({})", here.clock(at))).unwrap_or_default();
    format!("The checkpoint of link {}{at} {why}.", told.checkpoint.seq)
}

impl Judged {
    /// Whether all of them are as they should be, and there is one.
    pub fn is_fine(&self) -> bool {
        self.wrong.is_empty() && !self.good.is_empty()
    }

    /// What was found, for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.good.is_empty() {
            let good = count(self.good.len(), "checkpoint", "checkpoints");
            let verb = if self.good.len() == 1 { "is" } else { "are" };
            let (of, by) = (self.of.join(", "), self.by.join(", "));
            let style = if self.is_fine() { GOOD } else { ODD };
            lines.push(styled(style, &format!("{good} of {of} {verb} signed by {by}.")));
        }
        if self.older > 0 {
            let older = count(self.older, "older one is", "older ones are");
            lines.push(format!("{older} not signed, from before the first that is: not counted."));
        }
        lines.extend(self.wrong.iter().take(NAMED).map(|wrong| styled(BAD, wrong)));
        if self.wrong.len() > NAMED {
            let more = self.wrong.len() - NAMED;
            lines.push(styled(BAD, &format!("And {more} more like these.")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use stint_document::{HostKey, Statement};
    use stint_record::Checkpoint;

    use super::*;

    fn told(seq: i64, signed: Option<(&HostKey, &str)>) -> Told {
        let proof = signed.map_or(Proof::None, |(key, host)| {
            let (link, hash) = (seq.to_string(), "0f".repeat(32));
            let time = "2026-11-25T22:00:00.000Z".to_owned();
            let statement = Statement { host: host.to_owned(), link, hash, time };
            let signature = key.sign(&statement).unwrap();
            Proof::Signature(Box::new(statement), signature)
        });
        Told { checkpoint: Checkpoint { seq, hash: [15; 32] }, at: None, proof }
    }

    #[test]
    fn what_is_not_signed_counts_as_old_only_before_the_first_that_is() {
        let key = HostKey::of_seed(&[7; 32], "").unwrap();
        let other = HostKey::of_seed(&[8; 32], "").unwrap();
        let keys = host_keys("keys", &key.public(), &TimeZone::UTC);
        let here = Here::system();
        let judged = |told: Vec<Told>, host| judge(told, &keys, host, &here);
        let one = (&key, "web-1");
        let cut = Told { proof: Proof::Cut, ..told(9, None) };
        let fine = judged(vec![told(3, None), told(5, Some(one)), cut], None);
        assert!(fine.is_fine() && fine.good.len() == 1 && fine.older == 1, "{fine:?}");
        for (bad, why) in [
            (vec![told(3, None)], "link 3 is not signed"),
            (vec![told(5, Some(one)), told(6, None)], "link 6 is not signed"),
            (vec![told(5, Some(one)), told(5, None)], "link 5 is not signed"),
            (vec![told(5, Some(one)), told(6, Some((&other, "web-1")))], "by another key"),
            (vec![told(5, Some(one)), told(6, Some((&key, "web-2")))], "of several hosts"),
        ] {
            let found = judged(bad, None);
            assert!(!found.is_fine(), "{found:?}");
            assert!(found.lines().iter().any(|line| line.contains(why)), "{why}: {found:?}");
        }
        let theirs =
            judged(vec![told(5, Some(one)), told(6, Some((&key, "web-2")))], Some("web-2"));
        assert!(!theirs.is_fine() && theirs.good.len() == 1, "{theirs:?}");
        let many: Vec<_> = (1..=9).map(|seq| told(seq, None)).collect();
        assert_eq!(judged(many, None).lines().len(), NAMED + 1);
        assert!(!judged(Vec::new(), None).is_fine());
    }
}
