//! In which order a store's documents are handed over: what ends privilege before all that gives some.
//! Knows keys alone; what a document is, its signatures say.

use std::collections::VecDeque;

/// What is read first. A document that lies in none of these folders comes after them.
const FOLDERS: [&str; 4] = ["revocations/", "policy/", "grants/", "approvals/"];

/// Keys from the first up to the second, which is not one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: Vec<u8>,
    /// What comes after the last.
    pub to: Vec<u8>,
}

impl Span {
    /// All keys that begin with this, which ends with a slash.
    #[must_use]
    pub fn below(prefix: &str) -> Self {
        let mut to = prefix.as_bytes().to_vec();
        if let Some(last) = to.last_mut() {
            *last = last.saturating_add(1);
        }
        Self { from: prefix.as_bytes().to_vec(), to }
    }
}

/// All keys below these prefixes, each once.
pub(super) fn spans(prefixes: &[String]) -> VecDeque<Span> {
    let folder = |name: &str| {
        prefixes.iter().map(|prefix| Span::below(&format!("{prefix}{name}"))).collect()
    };
    let mut spans: Vec<Span> =
        FOLDERS.iter().flat_map(|name| -> Vec<Span> { folder(name) }).collect();
    for prefix in prefixes {
        let mut known: Vec<Span> =
            FOLDERS.iter().map(|name| Span::below(&format!("{prefix}{name}"))).collect();
        known.sort_by(|one, other| one.from.cmp(&other.from));
        let Span { mut from, to } = Span::below(prefix);
        for folder in known {
            spans.push(Span { from, to: folder.from });
            from = folder.to;
        }
        spans.push(Span { from, to });
    }
    spans.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_once_and_revocations_before_all_else() {
        let prefixes = ["/stint/1/fleet/".to_owned(), "/stint/1/in/web-1/".to_owned()];
        let spans = spans(&prefixes);
        let place = |key: &str| {
            let within = |span: &&(usize, &Span)| {
                span.1.from.as_slice() <= key.as_bytes() && key.as_bytes() < span.1.to.as_slice()
            };
            let places: Vec<(usize, &Span)> = spans.iter().enumerate().collect();
            let found: Vec<usize> = places.iter().filter(within).map(|(at, _)| *at).collect();
            assert!(found.len() <= 1, "{key}: {found:?}");
            found.first().copied()
        };
        let order = [
            "/stint/1/fleet/revocations/x",
            "/stint/1/in/web-1/revocations/x",
            "/stint/1/fleet/policy/web",
            "/stint/1/in/web-1/policy/web",
            "/stint/1/fleet/grants/x",
            "/stint/1/in/web-1/grants/x/y",
            "/stint/1/in/web-1/approvals/7kq2.abc",
            "/stint/1/fleet/a",
            "/stint/1/fleet/policies/web",
            "/stint/1/fleet/zz",
            "/stint/1/in/web-1/notes",
        ];
        let places: Vec<usize> = order.iter().map(|key| place(key).unwrap()).collect();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1] || pair[0] > 7), "{places:?}");
        assert!(places.iter().skip(7).all(|at| *at > 7), "{places:?}");
        for key in
            ["/stint/1/in/web-10/grants/x", "/stint/1/out/web-1/host", "/stint/1/fleet0", "/"]
        {
            assert_eq!(place(key), None, "{key}");
        }
    }
}
