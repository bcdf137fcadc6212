//! Reads the table `[etcd]`, wherever it stands. Opens none of the files that it names.

use std::path::{Path, PathBuf};

use super::report::Report;
use super::table::Table;
use crate::sync::{BadUrl, ENDPOINTS_LIMIT, EndpointUrl, Etcd};

/// The store, or nothing, which has been reported. `home` is what `~/` stands for, where there is
/// somebody whose home it is.
pub(super) fn read(report: &mut Report, table: &Table<'_>, home: Option<&Path>) -> Option<Etcd> {
    let endpoints = endpoints(report, table);
    let ca_file = path(report, table, "ca_file", home);
    let cert_file = path(report, table, "cert_file", home);
    let key_file = path(report, table, "key_file", home);
    Some(Etcd {
        endpoints: endpoints?,
        ca_file: ca_file?,
        cert_file: cert_file?,
        key_file: key_file?,
    })
}

fn endpoints(report: &mut Report, table: &Table<'_>) -> Option<Vec<EndpointUrl>> {
    let list = table.any(report, "endpoints")?;
    let nodes = table.texts(report, "endpoints")?;
    let mut endpoints: Vec<EndpointUrl> = Vec::new();
    if list.value().and_then(|value| value.as_array()).is_some_and(|items| items.is_empty()) {
        report.error(
            &list,
            "there is nobody to ask",
            "such as [\"https://etcd-1.example.com:2379\"]",
        );
    }
    for node in nodes {
        let Some(endpoint) = report.parsed(&node, BadUrl::hint) else { continue };
        if endpoints.contains(&endpoint) {
            report.error(&node, "this address stands here twice", "keep one of the two");
        } else if endpoints.len() == ENDPOINTS_LIMIT {
            report.error(&node, "there are too many addresses", "8 at most");
            break;
        } else {
            endpoints.push(endpoint);
        }
    }
    Some(endpoints)
}

/// An absolute path.
pub(super) fn path(
    report: &mut Report,
    table: &Table<'_>,
    name: &str,
    home: Option<&Path>,
) -> Option<PathBuf> {
    let node = table.any(report, name)?;
    let text = node.text()?;
    let path = match (home, text.strip_prefix("~/")) {
        (Some(home), Some(rest)) => home.join(rest),
        _ => PathBuf::from(text),
    };
    if !path.is_absolute() {
        let hint = if home.is_some() {
            "it begins with / or with ~/"
        } else {
            "it begins with /, such as \"/etc/stint/fleet-ca.pem\""
        };
        report.error(&node, "this path is not absolute", hint);
    }
    Some(path)
}
