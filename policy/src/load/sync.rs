//! Reads sync.toml against its keys. Knows neither roles nor accounts.

use std::path::PathBuf;

use stint_proto::Length;

use super::SourceFile;
use super::report::Report;
use super::source::Source;
use super::table::Table;
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
    let settings = Settings {
        urls: urls(&mut report, &table),
        every: every(&mut report, &table),
        ca_file: ca_file(&mut report, &table),
        proxy: proxy(&mut report, &table),
    };
    report.finish().map(|_| settings)
}

fn urls(report: &mut Report, table: &Table<'_>) -> Vec<SourceUrl> {
    let mut urls: Vec<SourceUrl> = Vec::new();
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

fn ca_file(report: &mut Report, table: &Table<'_>) -> Option<PathBuf> {
    let node = table.any(report, "ca_file")?;
    let path = PathBuf::from(node.text()?);
    if !path.is_absolute() {
        report.error(&node, "this path is not absolute", "such as \"/etc/stint/fleet-ca.pem\"");
    }
    Some(path)
}

fn proxy(report: &mut Report, table: &Table<'_>) -> Option<ProxyUrl> {
    let node = table.any(report, "proxy")?;
    report.parsed(&node, BadUrl::hint)
}
