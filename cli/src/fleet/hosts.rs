//! What the store holds of every host, kept up with what changes there. Knows no store: entries come
//! in as values. What cannot be read is left out and counted.

use std::collections::BTreeMap;

use stint_policy::text::{harmless, quoted};
use stint_proto::fleet::told_by;
use stint_proto::{ExitStatus, Grant, GrantState, Request, RequestState};

use super::read::{self, Answer, Itself};
use super::store::{Entry, Event};
use crate::failure::Failure;

/// The most bytes of one value: a request whose role confers a great deal.
pub const VALUE_LIMIT: usize = 256 * 1_024;

/// One host, as far as the store tells.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// What it says of itself; nothing where it never has.
    pub itself: Option<Itself>,
    /// Whether it is there: it keeps telling.
    pub alive: bool,
    /// Its pending requests, by id.
    pub requests: BTreeMap<String, Request>,
    /// Requests that ended lately, by id.
    pub decisions: BTreeMap<String, Request>,
    /// Its grants that are held or scheduled, by id.
    pub grants: BTreeMap<String, Grant>,
    /// What came of documents, by their short digest.
    pub answers: BTreeMap<String, Answer>,
    /// What cannot be used, by the rest of its key, and why.
    pub unusable: BTreeMap<String, String>,
}

/// All hosts.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    hosts: BTreeMap<String, Host>,
    /// Keys that name no host.
    strange: BTreeMap<String, ()>,
}

impl Hosts {
    /// Of these entries.
    pub fn of(entries: Vec<Entry>) -> Self {
        let mut hosts = Self::default();
        entries.into_iter().for_each(|entry| hosts.put(entry));
        hosts
    }

    /// Takes a change. Whether it was one: nothing else of the events is.
    pub fn apply(&mut self, event: Event) -> bool {
        match event {
            Event::Put(entry) => self.put(entry),
            Event::Deleted(key) => self.delete(&key),
            Event::Anew | Event::Lost(_) | Event::Found => return false,
        }
        true
    }

    fn put(&mut self, entry: Entry) {
        let Some((name, rest)) = told_by(&entry.key) else {
            self.strange.insert(entry.key, ());
            return;
        };
        let host = self.hosts.entry(name.to_owned()).or_default();
        host.forget(rest);
        if let Err(why) = host.take(name, rest, entry.value.as_deref()) {
            host.unusable.insert(rest.to_owned(), why);
        }
    }

    fn delete(&mut self, key: &str) {
        let Some((name, rest)) = told_by(key) else {
            self.strange.remove(key);
            return;
        };
        if let Some(host) = self.hosts.get_mut(name) {
            host.forget(rest);
        }
    }

    /// Forgets what hosts have said of a document, and tells it.
    pub fn take_answers(&mut self, digest: &str) -> Vec<(String, Answer)> {
        let hosts = self.hosts.iter_mut();
        let taken = hosts.filter_map(|(name, host)| {
            host.answers.remove(digest).map(|said| (name.clone(), said))
        });
        taken.collect()
    }

    /// Remembers what hosts have said of a document, where they have said nothing since.
    pub fn put_back(&mut self, digest: &str, said: Vec<(String, Answer)>) {
        for (name, answer) in said {
            if let Some(host) = self.hosts.get_mut(&name) {
                host.answers.entry(digest.to_owned()).or_insert(answer);
            }
        }
    }

    /// Every host that has said that it is one, by name.
    pub fn known(&self) -> impl Iterator<Item = (&str, &Host)> {
        self.hosts
            .iter()
            .filter(|(_, host)| host.itself.is_some() || host.alive)
            .map(|(name, host)| (name.as_str(), host))
    }

    /// One host.
    pub fn get(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// The names of hosts that are away.
    pub fn away(&self) -> Vec<&str> {
        self.known().filter(|(_, host)| !host.alive).map(|(name, _)| name).collect()
    }

    /// The name under which a host is known that somebody calls so: its whole name, or what stands
    /// before the first dot of only one.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn called(&self, name: &str) -> Result<String, Failure> {
        let unknown = |why: String| Err(Failure::new(ExitStatus::NoSuchId, why));
        if self.hosts.contains_key(name) {
            return Ok(name.to_owned());
        }
        let short = |full: &&String| full.split('.').next() == Some(name);
        let mut found = self.hosts.keys().filter(short);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only.clone()),
            (Some(one), Some(two)) => unknown(format!("{name} is {one} or {two}: say which")),
            (None, _) => unknown(format!(
                "the store knows no host {}; it knows of those that publish there",
                quoted(name)
            )),
        }
    }

    /// How many values cannot be used, and the first of them in one line.
    pub fn unusable(&self) -> (usize, Option<String>) {
        let each = |(name, host): (&String, &Host)| {
            let name = name.clone();
            let lines = host
                .unusable
                .iter()
                .map(move |(rest, why)| format!("{} of {name}: {}", harmless(rest), harmless(why)));
            lines.collect::<Vec<_>>()
        };
        let mut all = self.hosts.iter().flat_map(each);
        let strange = self.strange.keys().next().map(|key| format!("{}: no host's", quoted(key)));
        let count =
            self.strange.len() + self.hosts.values().map(|host| host.unusable.len()).sum::<usize>();
        (count, all.next().or(strange))
    }
}

impl Host {
    fn forget(&mut self, rest: &str) {
        self.unusable.remove(rest);
        match rest.split_once('/') {
            None if rest == "host" => self.itself = None,
            None if rest == "alive" => self.alive = false,
            Some(("requests", id)) => drop(self.requests.remove(id)),
            Some(("decisions", id)) => drop(self.decisions.remove(id)),
            Some(("grants", id)) => drop(self.grants.remove(id)),
            Some(("answers", digest)) => drop(self.answers.remove(digest)),
            _ => {}
        }
    }

    fn take(&mut self, name: &str, rest: &str, value: Option<&str>) -> Result<(), String> {
        let text = || value.ok_or_else(|| "it is no text, or larger than it can be".to_owned());
        match rest.split_once('/') {
            None if rest == "host" => self.itself = Some(read::itself(text()?, name)?),
            None if rest == "alive" => self.alive = true,
            Some(("requests", id)) => {
                let request = read::request(text()?, name, id)?;
                if request.state != RequestState::Pending {
                    return Err(format!("it is no longer pending, but {}", request.state));
                }
                self.requests.insert(id.to_owned(), request);
            }
            Some(("decisions", id)) => {
                self.decisions.insert(id.to_owned(), read::request(text()?, name, id)?);
            }
            Some(("grants", id)) => {
                let grant = read::grant(text()?, name, id)?;
                if grant.state == GrantState::Ended {
                    return Err("it has ended".to_owned());
                }
                self.grants.insert(id.to_owned(), grant);
            }
            Some(("answers", digest)) => {
                self.answers.insert(digest.to_owned(), read::answer(text()?)?);
            }
            _ => return Err("nothing of this name is known here".to_owned()),
        }
        Ok(())
    }
}

/// What begins like this in a list by id: exactly one.
///
/// # Errors
/// When nothing does, or more than one.
pub fn only<'a, T>(
    of: &'a BTreeMap<String, T>,
    host: &str,
    prefix: &str,
    what: &str,
) -> Result<&'a T, Failure> {
    if let Some(exact) = of.get(prefix) {
        return Ok(exact);
    }
    let mut found = of.iter().filter(|(id, _)| id.starts_with(prefix));
    let unknown = |why: String| Err(Failure::new(ExitStatus::NoSuchId, why));
    match (found.next(), found.next()) {
        (Some((_, only)), None) => Ok(only),
        (None, _) => unknown(format!("{host} tells of no {what} {prefix}")),
        (Some(_), Some(_)) => {
            unknown(format!("more than one {what} of {host} begins with {prefix}: type more of it"))
        }
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A host that is there and publishes.
    pub fn there(host: &str) -> Vec<Entry> {
        let itself = json!({ "host": host, "version": "1", "serial": null, "since": "x",
            "publishes": true });
        vec![entry(host, "host", itself.to_string()), entry(host, "alive", "1".to_owned())]
    }

    /// A request as a host writes it, with the digest that it has.
    pub fn asked(host: &str, request: &Request) -> Entry {
        let request = Request { digest: stint_document::digest(request), ..request.clone() };
        let mut document = crate::json::request(&request);
        document["host"] = host.into();
        let folder = if request.state == RequestState::Pending { "requests" } else { "decisions" };
        entry(host, &format!("{folder}/{}", request.id), document.to_string())
    }

    /// A grant as a host writes it.
    pub fn held(host: &str, grant: &Grant) -> Entry {
        let mut document = crate::json::grant(grant);
        document["host"] = host.into();
        entry(host, &format!("grants/{}", grant.id), document.to_string())
    }

    /// An entry of a host.
    pub fn entry(host: &str, rest: &str, value: String) -> Entry {
        Entry { key: format!("/stint/1/out/{host}/{rest}"), value: Some(value) }
    }

    #[test]
    fn what_cannot_be_used_is_counted_and_takes_nothing_from_the_rest() {
        let request = crate::look::requests::tests::example();
        let mut all = [there("web-1"), there("web-2")].concat();
        all.extend([
            asked("web-1", &request),
            held("web-1", &crate::look::grants::tests::example()),
        ]);
        // Another host's request under its own key, and the other way round.
        let stolen = asked("web-1", &request).value.unwrap();
        all.push(entry("web-2", "requests/7kq2", stolen.clone()));
        all.push(entry("web-2", "requests/\u{1b}[2J", stolen));
        all.push(entry("web-2", "requests/3aaa", "{".to_owned()));
        all.push(Entry { value: None, ..entry("web-2", "grants/big", String::new()) });
        all.push(entry("web-2", "something", "1".to_owned()));
        all.push(Entry { key: "/stint/1/out/\u{202e}/x".to_owned(), value: None });
        let mut hosts = Hosts::of(all);
        assert_eq!(hosts.get("web-1").unwrap().requests.len(), 1);
        assert_eq!(hosts.get("web-1").unwrap().grants.len(), 1);
        assert!(hosts.get("web-2").unwrap().requests.is_empty());
        let (count, first) = hosts.unusable();
        assert_eq!(count, 6);
        let first = first.unwrap();
        assert!(first.chars().all(stint_policy::text::is_harmless), "{first}");
        // It is over for each as its key goes, or has a good value.
        for rest in ["requests/7kq2", "requests/\u{1b}[2J", "requests/3aaa", "grants/big"] {
            assert!(hosts.apply(Event::Deleted(format!("/stint/1/out/web-2/{rest}"))));
        }
        assert_eq!(hosts.unusable().0, 2);
        assert!(hosts.away().is_empty());
        hosts.apply(Event::Deleted("/stint/1/out/web-2/alive".to_owned()));
        assert_eq!(hosts.away(), ["web-2"]);
    }

    #[test]
    fn what_has_ended_is_not_pending_and_not_held() {
        let mut request = crate::look::requests::tests::example();
        request.state = RequestState::Denied;
        let ended = Entry { key: "/stint/1/out/a/requests/7kq2".into(), ..asked("a", &request) };
        let hosts = Hosts::of(vec![ended, asked("a", &request)]);
        let host = hosts.get("a").unwrap();
        assert!(host.requests.is_empty() && host.decisions.len() == 1);
        assert!(hosts.unusable().1.unwrap().contains("no longer pending, but denied"));
    }

    #[test]
    fn a_host_is_known_by_its_name_or_by_the_first_part_of_it() {
        let names = ["web-1.a.example", "web-2.a.example", "web-2.b.example", "db"];
        let hosts = Hosts::of(names.iter().flat_map(|name| there(name)).collect());
        assert_eq!(hosts.called("web-1").unwrap(), "web-1.a.example");
        assert_eq!(hosts.called("db").unwrap(), "db");
        for (name, why) in [("web-2", "say which"), ("web-3", "knows no host"), ("w", "no host")] {
            let failure = hosts.called(name).unwrap_err();
            assert_eq!(failure.status, ExitStatus::NoSuchId);
            assert!(failure.message.contains(why), "{}", failure.message);
        }
    }

    #[test]
    fn an_id_may_be_cut_short_as_long_as_only_one_begins_like_it() {
        let of: BTreeMap<String, u8> =
            [("7kq2", 1), ("7kq", 2), ("7abc", 3)].map(|(id, it)| (id.to_owned(), it)).into();
        assert_eq!(only(&of, "a", "7kq", "grant"), Ok(&2));
        assert_eq!(only(&of, "a", "7a", "grant"), Ok(&3));
        for prefix in ["7", "8"] {
            let failure = only(&of, "a", prefix, "grant").unwrap_err();
            assert_eq!(failure.status, ExitStatus::NoSuchId);
        }
    }
}
