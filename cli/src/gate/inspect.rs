//! What a service's PAM file says about the gate now.

use stint_policy::GateMode;

use super::places::Places;
use crate::pam::block::{self, Found, Terms};
use crate::pam::stack::{self, Leak, Place};

/// How a service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub service: String,
    /// The gate's own lines, if it has them.
    pub block: Option<Found>,
    /// Lines, from 1, that name the module and were written by hand.
    pub by_hand: Vec<usize>,
    /// The other service whose file brings the module in.
    pub through: Option<String>,
    /// Whether that file's gate only observes.
    pub through_observes: bool,
    /// How a denial would be let through, were the module to deny.
    pub leak: Option<Leak>,
    /// A line where one of the gate's blocks has lost an end.
    pub torn: Option<usize>,
}

impl Standing {
    /// Whether the module is asked at all.
    pub fn asks(&self) -> bool {
        self.leak != Some(Leak::Absent)
    }

    /// Whether who holds no grant is kept out.
    pub fn denies(&self) -> bool {
        self.leak.is_none()
    }

    /// Whether the gate's lines, its own or those of the file that it includes, only observe.
    pub fn observes(&self) -> bool {
        let own = self.block.as_ref().map(|found| found.mode == GateMode::Observe);
        own.unwrap_or(self.through_observes)
    }

    /// Whether the gate's own lines say something other than these terms.
    pub fn differs(&self, terms: &Terms) -> bool {
        self.block.as_ref().is_some_and(|found| {
            let exempt: Vec<_> = terms.exempt.iter().map(ToString::to_string).collect();
            // A gate that only observes asks nobody.
            let prompt = terms.prompt && terms.mode == GateMode::Enforce;
            found.mode != terms.mode || found.prompt != prompt || found.exempt != exempt
        })
    }
}

/// How a service stands; `None` if it has no file.
pub fn standing(places: &Places, service: &str) -> Option<Standing> {
    let text = places.text(service)?;
    let files = |name: &str| places.text(name);
    Some(judge(service, &text, &files))
}

/// Whether the service asks the module; `None` where a file that would tell cannot be read. A
/// service without a file has that of `other`, as libpam reads it.
pub fn asks(places: &Places, service: &str) -> Option<bool> {
    let service = if places.has(service) { service } else { "other" };
    if !places.has(service) {
        return Some(false);
    }
    match standing(places, service)?.leak {
        Some(Leak::Broken(_)) => None,
        leak => Some(leak != Some(Leak::Absent)),
    }
}

/// How every service of the host stands that has to do with the gate.
pub fn gated(places: &Places) -> Vec<Standing> {
    let names = places.names().unwrap_or_default();
    let all = names.iter().filter_map(|name| standing(places, name));
    all.filter(|found| {
        found.asks() || found.block.is_some() || !found.by_hand.is_empty() || found.torn.is_some()
    })
    .collect()
}

/// How a service stands whose file has this text.
pub fn judge(service: &str, text: &str, files: stack::Files<'_>) -> Standing {
    let with = |name: &str| if name == service { Some(text.to_owned()) } else { files(name) };
    let exempt = |place: &Place| is_exempt(place, &with);
    let place = stack::named_at(service, &with);
    let torn = match block::take_out(text) {
        Err(block::CannotEdit::TornBlock { line }) => Some(line),
        _ => None,
    };
    let through = place.map(|place| place.file).filter(|file| file != service);
    let included = through.as_deref().and_then(with).and_then(|text| block::find(&text));
    Standing {
        service: service.to_owned(),
        block: block::find(text),
        by_hand: block::by_hand(text),
        through,
        through_observes: included.is_some_and(|found| found.mode == GateMode::Observe),
        leak: stack::leak(service, &with, &exempt),
        torn,
    }
}

/// Whether a line is one of the gate's own for somebody who is exempt.
fn is_exempt(place: &Place, files: stack::Files<'_>) -> bool {
    let Some(text) = files(&place.file) else { return false };
    let Some(found) = block::find(&text) else { return false };
    let line = place.line.checked_sub(1).and_then(|number| text.lines().nth(number));
    (found.lines.0..=found.lines.1).contains(&place.line)
        && line.is_some_and(|line| line.contains("pam_succeed_if.so quiet"))
}

/// A leak in a sentence, after the service's name.
pub fn describe(leak: &Leak) -> String {
    match leak {
        Leak::Absent => "does not ask stint".to_owned(),
        Leak::PassedBy(place) => {
            format!("passes the gate by: /etc/pam.d/{place} can end the stack or jump over it")
        }
        Leak::Weak(place) => {
            format!("goes on after a denial: /etc/pam.d/{place} does not stop the stack")
        }
        Leak::Broken(place) => {
            format!("includes a file that is not there or includes itself: /etc/pam.d/{place}")
        }
    }
}
