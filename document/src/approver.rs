//! Who has signed an approval, as far as `allowed_signers` and a certificate say: under which names. Which
//! of them is an account, and what that may, is the host's to say.

use std::collections::BTreeSet;

use crate::pattern::means;
use crate::signature::By;
use crate::signers::{in_time, judge};
use crate::{Kind, Refusal, Signers, Times};

/// The names of somebody who signed an approval and may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approver {
    /// With which key: `SHA256:…`.
    pub key: String,
    /// As whom they may sign approvals now: words of lines, principals of their certificate.
    pub names: BTreeSet<String>,
    /// These, and every other name that the same key has: in lines that are about something else or not
    /// of this time, and in its certificate. Whoever has the key is all of them.
    pub all: BTreeSet<String>,
}

impl Approver {
    /// Whoever made such a signature, who may sign approvals.
    ///
    /// # Errors
    /// [`Refusal::Pattern`] when a line lets the key sign them as whoever fits a pattern: that says of
    /// nobody that it is them.
    pub(crate) fn of(by: &By, signers: &Signers, times: Times) -> Result<Self, Refusal> {
        let mut approver = Self { key: by.fingerprint(), ..Self::default() };
        for line in &signers.lines {
            if !line.options.authority && line.key == *by.key() {
                approver.all.extend(words(&line.principals));
            }
            let may = matches!(judge(line, by, times), Some(Ok(_)))
                && in_time(line, Kind::Approval.namespace(), times).is_ok();
            match by {
                _ if !may => {}
                By::Key(_) if is_vague(&line.principals) => {
                    let (signers, line) = (signers.path().to_owned(), line.number);
                    return Err(Refusal::Pattern { signers, line, key: approver.key });
                }
                By::Key(_) => approver.names.extend(words(&line.principals)),
                By::Certificate(certificate) => {
                    let meant = certificate.valid_principals().iter();
                    let meant = meant.filter(|name| means(&line.principals, name));
                    approver.names.extend(meant.cloned());
                }
            }
        }
        if let By::Certificate(certificate) = by {
            approver.all.extend(certificate.valid_principals().iter().cloned());
        }
        approver.all.extend(approver.names.iter().cloned());
        Ok(approver)
    }
}

/// The names that a list of patterns says letter by letter.
fn words(list: &str) -> impl Iterator<Item = String> {
    let plain = |word: &&str| !word.starts_with('!') && !is_pattern(word) && means(list, word);
    list.split(',').filter(plain).map(ToOwned::to_owned)
}

fn is_vague(list: &str) -> bool {
    list.split(',').any(|word| !word.starts_with('!') && is_pattern(word))
}

fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_stands_there_letter_by_letter() {
        let named = |list: &str| words(list).collect::<Vec<_>>();
        assert_eq!(named("lead@example.org,bob"), ["lead@example.org", "bob"]);
        assert_eq!(named("bob,!bob,carol"), ["carol"]);
        assert_eq!(named("b*,c?rol,!x"), Vec::<String>::new());
        assert!(is_vague("bob,*@example.org") && is_vague("b?b") && !is_vague("bob,!m*"));
    }
}
