//! The option `prompt`: who is denied at a terminal, and may ask for what is missing, is asked what
//! for there and then. While the person types nothing is held: no connection, no lock, no thread,
//! and no time is counted.

use stint_ask::{Line, harmless};
use stint_wire::{Array, Given, Items, Offer, Request, Verdict};

use crate::handle::{Handle, Typed};

/// Room for what the person types.
#[derive(Debug, Default)]
pub struct Words {
    reason: Typed,
    ticket: Typed,
}

/// Whether there is something to ask for, and somebody at a terminal to be asked.
#[must_use]
pub fn can_ask(items: &Items<'_>, answer: &Given<'_>) -> bool {
    // sshd says "ssh" where a terminal would be named, before there is one.
    let terminal = !items.tty.is_empty() && items.tty != "ssh";
    terminal && answer.verdict == Verdict::Deny && !answer.offers.is_empty()
}

/// Asks the person for what the offered role needs. `None` if there was nobody to ask, or they left,
/// or they asked for nothing that is offered.
pub fn ask<'a>(
    handle: &impl Handle,
    items: Items<'a>,
    offers: Array<'a, Offer<'a>>,
    words: &'a mut Words,
) -> Option<Request<'a>> {
    let Offer { role, reason, ticket } = choose(handle, offers)?;
    let ticket = if ticket {
        said(typed(handle, &Line::of(["stint: ticket: "]), &mut words.ticket))?
    } else {
        ""
    };
    let reason = if reason {
        let mut question = Line::of(["stint: what do you need "]);
        question.push_harmless(role);
        question.push(" for? ");
        said(typed(handle, &question, &mut words.reason))?
    } else {
        ""
    };
    Some(Request { items, role, reason, ticket })
}

/// The one role that is offered, or the one that the person names; the first if they name none.
fn choose<'a>(handle: &impl Handle, offers: Array<'a, Offer<'a>>) -> Option<Offer<'a>> {
    let mut more = offers.clone();
    let first = more.next()?;
    let mut answer = Typed::default();
    if more.is_empty() {
        // Where nothing else is asked, this is: nobody is granted what they did not ask for.
        if first.reason || first.ticket {
            return Some(first);
        }
        let mut question = Line::of(["stint: ask for "]);
        question.push_harmless(first.role);
        question.push("? [y/N] ");
        let yes = typed(handle, &question, &mut answer)?;
        return matches!(yes, "y" | "Y" | "yes").then_some(first);
    }
    let mut question = Line::of(["stint: which role, ", first.role]);
    for offer in more {
        question.push(" or ");
        question.push(offer.role);
    }
    question.push("? [");
    question.push(first.role);
    question.push("] ");
    match typed(handle, &harmless(question.as_str()), &mut answer)? {
        "" => Some(first),
        name => offers.into_iter().find(|offer| offer.role == name),
    }
}

/// What was typed, with no space around it; `None` if it is too long, or nobody typed.
fn typed<'a>(handle: &impl Handle, question: &Line, answer: &'a mut Typed) -> Option<&'a str> {
    let answer = handle.ask(question, answer)?;
    (!answer.is_cut()).then(|| answer.as_str().trim())
}

/// The words, if there are any.
fn said(typed: Option<&str>) -> Option<&str> {
    typed.filter(|text| !text.is_empty())
}
