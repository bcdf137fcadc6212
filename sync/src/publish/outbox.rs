//! What should lie in the store for a host, and what has to be written so that it does. Pure: it knows
//! texts by their keys, and speaks with nobody.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stint_proto::fleet::{DECISIONS, GRANTS, HOST, REQUESTS, outbox, told_by};
use stint_proto::{Grant, Origin, Publication, json};

/// The most bytes of one value; what is longer is not published.
pub const VALUE_LIMIT: usize = 64 * 1024;
/// The most changes in one transaction: as many as etcd takes.
const CHANGES_LIMIT: usize = 128;
/// The most bytes in one transaction: a third of what etcd takes.
const BYTES_LIMIT: usize = 512 * 1024;

/// Texts by their keys.
pub type Texts = BTreeMap<String, String>;

/// One thing to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This is to lie there.
    Put {
        /// Where.
        key: String,
        /// What.
        text: String,
        /// Whether it goes by itself after a day.
        for_a_day: bool,
    },
    /// What lies there is to go.
    Delete {
        /// Where.
        key: String,
    },
}

impl Change {
    fn size(&self) -> usize {
        match self {
            Self::Put { key, text, .. } => key.len() + text.len(),
            Self::Delete { key } => key.len(),
        }
    }

    fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    /// Makes it so among texts that are known to lie there.
    pub fn made(self, lying: &mut Texts) {
        match self {
            Self::Put { key, text, .. } => drop(lying.insert(key, text)),
            Self::Delete { key } => drop(lying.remove(&key)),
        }
    }
}

/// What should lie in the store, and how many requests and grants are too long for it.
pub fn wanted(publication: &Publication) -> (Texts, u32) {
    let Publication { host, requests, grants, ended, .. } = publication;
    let at = |folder: &str, id: &str| format!("{}{folder}{id}", outbox(host));
    let mut texts = Texts::new();
    let mut too_long = 0;
    let mut put = |key: String, document: Value| {
        let text = json::line(&of(host, document));
        if text.len() > VALUE_LIMIT {
            too_long += 1;
        } else {
            texts.insert(key, text);
        }
    };
    put(at(HOST, ""), about(publication));
    for request in requests {
        put(at(REQUESTS, request.id.as_str()), json::asked(request));
    }
    for request in ended {
        put(at(DECISIONS, request.id.as_str()), json::asked(request));
    }
    for grant in grants {
        put(at(GRANTS, grant.id.as_str()), json::grant(grant, &str::to_owned));
    }
    (texts, too_long)
}

fn about(publication: &Publication) -> Value {
    json!({
        "version": publication.program,
        "serial": publication.serial,
        "since": json::time(publication.since),
        "publishes": publication.publish,
    })
}

/// The document, and of which host it is.
fn of(host: &str, mut document: Value) -> Value {
    if let Value::Object(fields) = &mut document {
        fields.insert("host".to_owned(), json!(host));
    }
    document
}

/// Whether what lies at this key is written, and taken away, by what is here.
pub fn is_ours(host: &str, key: &str) -> bool {
    let below = key.strip_prefix(&outbox(host));
    below.is_some_and(|below| {
        below == HOST
            || [REQUESTS, DECISIONS, GRANTS].iter().any(|folder| below.starts_with(folder))
    })
}

/// What has to be written so that what is wanted lies there, in transactions that the store takes. What
/// comes is written before what goes, so that a request which was decided is never nowhere.
pub fn differences(lying: &Texts, wanted: &Texts) -> Vec<Vec<Change>> {
    let differs = |(key, text): &(&String, &String)| lying.get(*key) != Some(*text);
    let come = wanted.iter().filter(differs).map(|(key, text)| Change::Put {
        key: key.clone(),
        text: text.clone(),
        for_a_day: is_decision(key),
    });
    let gone = lying.keys().filter(|key| !wanted.contains_key(*key));
    let gone = gone.map(|key| Change::Delete { key: key.clone() });
    let mut batches: Vec<Vec<Change>> = Vec::new();
    let mut size = 0;
    for change in come.chain(gone) {
        size += change.size();
        match batches.last_mut() {
            Some(batch) if batch.len() < CHANGES_LIMIT && size <= BYTES_LIMIT => batch.push(change),
            _ => {
                size = change.size();
                batches.push(vec![change]);
            }
        }
    }
    batches
}

/// Whether nobody waits for what these changes say: only that something is over, or what came of a signed
/// document, which all of a fleet says in one moment.
pub fn can_wait(changes: &[Change], publication: &Publication) -> bool {
    let of_a_document = |id: &str| {
        let is_it = |grant: &&Grant| grant.id.as_str() == id && grant.origin == Origin::Remote;
        publication.grants.iter().any(|grant| is_it(&grant))
    };
    changes.iter().all(|change| {
        let below = told_by(change.key()).map_or("", |(_, below)| below);
        match change {
            _ if below == HOST => true,
            Change::Put { .. } => below.strip_prefix(GRANTS).is_some_and(of_a_document),
            // Turned off, it is to go.
            Change::Delete { .. } => publication.publish && below.starts_with(GRANTS),
        }
    })
}

fn is_decision(key: &str) -> bool {
    told_by(key).is_some_and(|(_, below)| below.starts_with(DECISIONS))
}
