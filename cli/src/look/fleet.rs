//! Requests, grants and answers of many hosts, in tables and sentences.

use std::collections::BTreeMap;

use stint_policy::text::harmless;
use stint_proto::{Grant, Request};

use super::grants::Here;
use super::table::{self, table};
use super::{BAD, ODD, count, grants, requests, styled};
use crate::fleet::answers::{Answers, Heard, is_done};
use crate::fleet::hosts::Hosts;
use crate::fleet::read::{Answer, Outcome};

/// The most names of hosts in a line.
const NAMES: usize = 20;

/// A request or a grant, with the host whose it is, and whether that is away.
#[derive(Clone, Debug)]
pub struct Of<'a, T> {
    /// The host.
    pub host: &'a str,
    /// Whether it is away.
    pub away: bool,
    /// What is its.
    pub it: &'a T,
}

/// Pending requests.
pub fn pending(all: &[Of<'_, Request>], here: &Here) -> String {
    let rows: Vec<_> = all
        .iter()
        .map(|of| {
            let mut row = requests::row(of.it, here);
            if let Some(id) = row.first_mut() {
                let away = if of.away { " (away)" } else { "" };
                *id = format!("{}/{id}{away}", of.host);
            }
            row
        })
        .collect();
    table(&requests::HEADINGS, &rows)
}

/// Grants.
pub fn list(all: &[Of<'_, Grant>], here: &Here) -> String {
    let rows: Vec<_> = all
        .iter()
        .map(|of| {
            let away = if of.away { " (away)" } else { "" };
            let host = format!("{}{away}", of.host);
            std::iter::once(host).chain(grants::row(of.it, here)).collect()
        })
        .collect();
    let headings: Vec<&str> = std::iter::once("HOST").chain(grants::HEADINGS).collect();
    table(&headings, &rows)
}

/// Everything that an approver says yes to, and on which host.
pub fn in_full(host: &str, request: &Request, here: &Here) -> String {
    let head = format!("{host}/{}", requests::headline(request));
    let host = std::iter::once(("host", host.to_owned()));
    let facts: Vec<_> = host.chain(requests::facts(request, here)).collect();
    table::facts(&head, &facts)
}

/// What is to be known beside a table: which hosts are away, and what of the store is not shown.
pub fn notes(hosts: &Hosts) -> Vec<String> {
    let mut notes = Vec::new();
    let away = hosts.away();
    if !away.is_empty() {
        let text = format!("Away, and shown as they last were: {}", names(&away));
        notes.push(styled(ODD, &text));
    }
    notes.extend(unusable(hosts).map(|text| styled(BAD, &text)));
    notes
}

/// What of the store is not shown.
pub fn unusable(hosts: &Hosts) -> Option<String> {
    let (number, first) = hosts.unusable();
    let first = first?;
    let entries = count(number, "entry", "entries");
    let which = if number > 1 { "the first is " } else { "" };
    Some(format!("Not shown, as it cannot be used: {entries} of the store; {which}{first}"))
}

/// `web-1, web-2 and 7 more`.
fn names(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES).map(|name| harmless(name)).collect();
    match names.len().saturating_sub(NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What became of a document, host by host: where it counts, and of each other host why not.
pub fn answers(what: &str, answers: &Answers) -> String {
    let done = answers.values().filter(|heard| is_done(heard)).count();
    let hosts = count(done, "host", "hosts");
    let mut lines = vec![match (done, answers.len()) {
        (_, 0) => format!("{what}: published. The store knows no host yet that it is for."),
        (0, _) => format!("{what}: published, and done on no host yet."),
        (done, all) if done == all => format!("{what}: done on {hosts}."),
        (_, all) => format!("{what}: done on {done} of {all} hosts."),
    }];
    let of = |wanted: fn(&Heard) -> bool| {
        let hosts = answers.iter().filter(|(_, heard)| wanted(heard));
        hosts.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    let mut why: BTreeMap<(bool, &str), Vec<&str>> = BTreeMap::new();
    for (name, heard) in answers {
        if let Heard::Answer(Answer { outcome, message }) = heard
            && !is_done(heard)
        {
            why.entry((*outcome == Outcome::Failed, message)).or_default().push(name);
        }
    }
    for ((failed, message), hosts) in why {
        let verb = if failed { "Failed, and tried again" } else { "Refused" };
        let text = format!("  {verb} by {}: {}", names(&hosts), harmless(message));
        lines.push(styled(BAD, &text));
    }
    let silent = of(|heard| *heard == Heard::Nothing);
    if !silent.is_empty() {
        lines.push(styled(ODD, &format!("  No answer yet from {}", names(&silent))));
    }
    let away = of(|heard| *heard == Heard::Away);
    if !away.is_empty() {
        let text = format!("  Away, and done when they come back: {}", names(&away));
        lines.push(styled(ODD, &text));
    }
    lines.join("\n")
}
