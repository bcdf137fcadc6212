//! The option `prompt`: who is denied at a terminal, and may ask for what is missing, is asked what
//! for there and then. While the person types nothing is held: no connection, no lock, no thread,
//! and no time is counted.

use stint_ask::harmless;
use stint_proto::{CheckAnswer, DoorRequest, Offer, PamItems, Verdict};

use crate::handle::Handle;

/// The most bytes of what is typed that are passed on; stintd says what is too long for it.
const LONGEST_ANSWER: usize = 4_096;

/// What came of asking the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// They ask for this.
    Asked(DoorRequest),
    /// There was nobody to ask, or they left, or they asked for nothing that is offered.
    Nothing,
}

/// Whether there is something to ask for, and somebody at a terminal to be asked.
#[must_use]
pub fn can_ask(items: &PamItems, answer: &CheckAnswer) -> bool {
    // sshd says "ssh" where a terminal would be named, before there is one.
    let terminal = !items.tty.is_empty() && items.tty != "ssh";
    terminal && answer.verdict == Verdict::Deny && !answer.offers.is_empty()
}

/// Asks the person for what the offered role needs.
pub fn ask(handle: &impl Handle, items: &PamItems, offers: &[Offer]) -> Typed {
    let Some(offer) = choose(handle, offers) else { return Typed::Nothing };
    let needed = |needed: bool, what: &str| {
        if needed { typed(handle, what) } else { Some(String::new()) }
    };
    let Some(ticket) = needed(offer.ticket, "stint: ticket: ") else { return Typed::Nothing };
    let question = format!("stint: what do you need {} for? ", offer.role);
    let Some(reason) = needed(offer.reason, &question) else { return Typed::Nothing };
    let role = offer.role.to_string();
    Typed::Asked(DoorRequest { items: items.clone(), role, reason, ticket })
}

/// The one role that is offered, or the one that the person names; the first if they name none.
fn choose<'a>(handle: &impl Handle, offers: &'a [Offer]) -> Option<&'a Offer> {
    let (first, more) = offers.split_first()?;
    if more.is_empty() {
        // Where nothing else is asked, this is: nobody is granted what they did not ask for.
        if first.reason || first.ticket {
            return Some(first);
        }
        let question = format!("stint: ask for {}? [y/N] ", first.role);
        let yes = handle.ask(&question)?;
        return matches!(yes.trim(), "y" | "Y" | "yes").then_some(first);
    }
    let names: Vec<&str> = offers.iter().map(|offer| offer.role.as_str()).collect();
    let question = format!("stint: which role, {}? [{}] ", names.join(" or "), first.role);
    let named = handle.ask(&harmless(&question))?;
    match named.trim() {
        "" => Some(first),
        name => offers.iter().find(|offer| offer.role.as_str() == name),
    }
}

/// What was typed, if anything was.
fn typed(handle: &impl Handle, question: &str) -> Option<String> {
    let text = handle.ask(question)?;
    let text = text.trim();
    (!text.is_empty() && text.len() <= LONGEST_ANSWER).then(|| text.to_owned())
}
