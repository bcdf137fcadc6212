//! Reads sync.toml against its keys. Knows neither roles nor accounts.

use stint_proto::Length;

use super::report::Report;
use super::source::Source;
use super::table::Table;
use super::{SourceFile, etcd};
use crate::Diagnostic;
use crate::sync::{
    BadUrl, EVERY_LEAST, EVERY_MOST, ProxyUrl, Settings, SourceUrl, URLS_LIMIT, default_every, keys,
};

/// Everything that is wrong, or the settings.
pub(crate) fn read(file: &SourceFile) -> Result<Settings, Vec<Diagnostic>> {
    let source = Source::read(0, file);
    let mut report = Report::default();
    report.syntax(&source);
    let table = Table::top(&source, keys());
    table.check_keys(&mut report);
    let store = table.table(&mut report, "etcd");
    let settings = Settings {
        urls: urls(&mut report, &table),
        every: every(&mut report, &table),
        ca_file: etcd::path(&mut report, &table, "ca_file", None),
        proxy: proxy(&mut report, &table),
        etcd: store.and_then(|store| etcd::read(&mut report, &store, None)),
    };
    report.finish().map(|_| settings)
}

fn urls(report: &mut Report, table: &Table<'_>) -> Vec<SourceUrl> {
    let mut urls: Vec<SourceUrl> = Vec::new();
    if table.key_of("urls").is_none() && table.key_of("etcd").is_none() && table.is_whole() {
        let mut node = table.node();
        "urls".clone_into(&mut node.key);
        let hint = "such as urls = [\"https://policy.example.com/stint/fleet.policy\"]";
        report.error(&node, "missing, and there is no [etcd] either", hint);
    }
    let Some(nodes) = table.texts(report, "urls") else { return urls };
    if nodes.is_empty()
        && let Some(list) = table.any(report, "urls")
        && list.value().and_then(|value| value.as_array()).is_some_and(|items| items.is_empty())
    {
        report.error(&list, "there is nothing to fetch", "name an address, or remove the file");
    }
    for node in nodes {
        let Some(url) = report.parsed(&node, BadUrl::hint) else { continue };
        if urls.contains(&url) {
            report.error(&node, "this address stands here twice", "keep one of the two");
        } else if urls.len() == URLS_LIMIT {
            report.error(&node, "there are too many addresses", "16 at most");
            break;
        } else {
            urls.push(url);
        }
    }
    urls
}

fn every(report: &mut Report, table: &Table<'_>) -> Length {
    let Some(length) = table.length(report, "every") else { return default_every() };
    if !(EVERY_LEAST..=EVERY_MOST).contains(&length.seconds())
        && let Some(node) = table.any(report, "every")
    {
        report.error(&node, "is out of bounds", "from \"1s\" to \"1d\"");
    }
    length
}

fn proxy(report: &mut Report, table: &Table<'_>) -> Option<ProxyUrl> {
    let node = table.any(report, "proxy")?;
    report.parsed(&node, BadUrl::hint)
}
