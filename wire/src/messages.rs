//! What is asked and answered on the module's socket. One type a question, one an answer; each is
//! borrowed, from where it was read or from who sends it.

use crate::INVOKER_SERVICES;
use crate::body::{Array, Decode, Encode, Reader, Signature, Writer};

/// What PAM says of a call: the module's question in the account phase, its report in the session
/// phase. All of it is a claim; who is asking is read from the kernel. Absent items are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Items<'a> {
    /// `PAM_SERVICE`; never empty.
    pub service: &'a str,
    /// `PAM_USER`: the target for su, who authenticated for sudo, who logs in for sshd.
    pub user: &'a str,
    /// `PAM_RUSER`: the invoker; empty for sshd.
    pub ruser: &'a str,
    /// `PAM_TTY`.
    pub tty: &'a str,
    /// `PAM_RHOST`.
    pub rhost: &'a str,
}

impl<'a> Items<'a> {
    /// Whose call it is, by name: the invoker's, or, where root itself lets somebody in, theirs.
    ///
    /// A process of another real uid can only be the invoker's. One of root's own is sshd and its
    /// like: there `PAM_RUSER` counts where it is set, but not beside a `PAM_RHOST`, where it is
    /// what the far end claims; only [`INVOKER_SERVICES`] are known to set it themselves.
    #[must_use]
    pub fn subject(&self, real_uid: u32) -> &'a str {
        let invoker = self.rhost.is_empty() || INVOKER_SERVICES.contains(&self.service);
        if real_uid != 0 || (invoker && !self.ruser.is_empty()) { self.ruser } else { self.user }
    }

    /// Whether root itself asks, who is never gated, whether stintd lives or not.
    #[must_use]
    pub fn are_of_root(&self, real_uid: u32) -> bool {
        real_uid == 0 && self.subject(real_uid) == "root"
    }
}

impl Signature for Items<'_> {
    const SIGNATURE: &'static str = "(sssss)";
}

impl Encode for Items<'_> {
    fn write(&self, to: &mut Writer<'_>) {
        to.align(8);
        for item in [self.service, self.user, self.ruser, self.tty, self.rhost] {
            to.text(item);
        }
    }
}

impl<'a> Decode<'a> for Items<'a> {
    const ALIGNMENT: usize = 8;

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        from.align(8)?;
        let mut item = || from.text();
        Some(Self { service: item()?, user: item()?, ruser: item()?, tty: item()?, rhost: item()? })
    }
}

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Let in.
    Allow,
    /// Do not.
    Deny,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// The verdict of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Allow, Self::Deny].into_iter().find(|verdict| verdict.as_str() == word)
    }
}

/// The most bytes of a role's name.
const LONGEST_ROLE: usize = 48;

/// A role that would open the door at which somebody was denied, and that they may ask for there
/// and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The role.
    pub role: &'a str,
    /// Whether a reason has to be given.
    pub reason: bool,
    /// Whether a ticket has to be given.
    pub ticket: bool,
}

impl Signature for Offer<'_> {
    const SIGNATURE: &'static str = "(sbb)";
}

impl Encode for Offer<'_> {
    fn write(&self, to: &mut Writer<'_>) {
        to.align(8);
        to.text(self.role);
        to.flag(self.reason);
        to.flag(self.ticket);
    }
}

impl<'a> Decode<'a> for Offer<'a> {
    const ALIGNMENT: usize = 8;

    /// A role's name is as the policy lets one be.
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        from.align(8)?;
        let role = from.text()?;
        let is_name = (1..=LONGEST_ROLE).contains(&role.len())
            && role.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        is_name.then_some(())?;
        Some(Self { role, reason: from.flag()?, ticket: from.flag()? })
    }
}

/// The answer to the question whether [`Items`] may pass.
#[derive(Clone, Debug)]
pub struct Answer<L, O> {
    /// In or not. The module takes anything but `allow` for a denial.
    pub verdict: Verdict,
    /// What the person is told: at most three lines, none of them with a control character.
    pub lines: L,
    /// With a denial: what the person may ask for there and then, most fitting first.
    pub offers: O,
}

/// An answer as it was given to who asked.
pub type Given<'a> = Answer<Array<'a, &'a str>, Array<'a, Offer<'a>>>;

impl<L, O> Signature for Answer<L, O> {
    const SIGNATURE: &'static str = "(sasa(sbb))";
}

impl<'a, L, O> Encode for Answer<L, O>
where
    L: Iterator<Item = &'a str> + Clone,
    O: Iterator<Item = Offer<'a>> + Clone,
{
    fn write(&self, to: &mut Writer<'_>) {
        to.align(8);
        to.text(self.verdict.as_str());
        to.array(4, self.lines.clone(), |to, line| to.text(line));
        to.array(8, self.offers.clone(), |to, offer| offer.write(to));
    }
}

impl<'a> Decode<'a> for Given<'a> {
    const ALIGNMENT: usize = 8;

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        from.align(8)?;
        Some(Self {
            verdict: Verdict::from_word(from.text()?)?,
            lines: Array::read(from)?,
            offers: Array::read(from)?,
        })
    }
}

impl Signature for Array<'_, &str> {
    const SIGNATURE: &'static str = "as";
}

impl Signature for Array<'_, Offer<'_>> {
    const SIGNATURE: &'static str = "a(sbb)";
}

/// What comes of the report of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The session's id, for the report of its end.
    pub id: &'a str,
    /// The control group that the process enters itself, as a thread, before it starts anything: its
    /// path from the root of the tree. Empty where it need not.
    pub group: &'a str,
}

impl Signature for Opened<'_> {
    const SIGNATURE: &'static str = "(ss)";
}

impl Encode for Opened<'_> {
    fn write(&self, to: &mut Writer<'_>) {
        to.align(8);
        to.text(self.id);
        to.text(self.group);
    }
}

impl<'a> Decode<'a> for Opened<'a> {
    const ALIGNMENT: usize = 8;

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        from.align(8)?;
        Some(Self { id: from.text()?, group: from.text()? })
    }
}

/// What the module asks for on behalf of the person at the door: the role is one of those offered,
/// what was typed is empty where nothing was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What PAM says of the call.
    pub items: Items<'a>,
    /// The role.
    pub role: &'a str,
    /// What for.
    pub reason: &'a str,
    /// The ticket it refers to.
    pub ticket: &'a str,
}

impl Signature for Request<'_> {
    const SIGNATURE: &'static str = "((sssss)sss)";
}

impl Encode for Request<'_> {
    fn write(&self, to: &mut Writer<'_>) {
        to.align(8);
        self.items.write(to);
        for text in [self.role, self.reason, self.ticket] {
            to.text(text);
        }
    }
}

impl<'a> Decode<'a> for Request<'a> {
    const ALIGNMENT: usize = 8;

    fn read(from: &mut Reader<'a>) -> Option<Self> {
        from.align(8)?;
        let items = Items::read(from)?;
        let mut text = || from.text();
        Some(Self { items, role: text()?, reason: text()?, ticket: text()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items<'a>(service: &'a str, user: &'a str, ruser: &'a str, rhost: &'a str) -> Items<'a> {
        Items { service, user, ruser, rhost, tty: "" }
    }

    #[test]
    fn nobody_is_root_by_saying_so() {
        assert!(!items("sudo", "root", "root", "").are_of_root(1000));
        assert!(!items("sshd", "root", "", "").are_of_root(1000));
        assert!(!items("su", "root", "alice", "").are_of_root(0));
        assert!(!items("sshd", "alice", "", "198.51.100.7").are_of_root(0));
        assert!(!items("rlogin", "alice", "root", "198.51.100.7").are_of_root(0));
        assert!(!items("sudo", "Root", "", "").are_of_root(0));
        assert!(!items("sudo", "", "", "").are_of_root(0));
    }

    #[test]
    fn root_is_root() {
        assert!(items("sudo", "root", "root", "").are_of_root(0));
        assert!(items("sudo", "alice", "root", "web-1").are_of_root(0));
        assert!(items("su", "alice", "root", "").are_of_root(0));
        assert!(items("sshd", "root", "", "198.51.100.7").are_of_root(0));
        assert!(items("cron", "root", "", "").are_of_root(0));
    }

    #[test]
    fn only_a_word_is_a_verdict() {
        for word in ["", "Allow", "allow ", "allowed", "no"] {
            assert_eq!(Verdict::from_word(word), None, "{word:?}");
        }
        assert_eq!(Verdict::from_word("allow"), Some(Verdict::Allow));
        assert_eq!(Verdict::from_word("deny"), Some(Verdict::Deny));
    }
}
