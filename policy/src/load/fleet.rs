//! Reads a person's fleet.toml against its keys. Opens none of the files that it names.

use std::path::Path;

use super::report::Report;
use super::source::Source;
use super::table::Table;
use super::{SourceFile, etcd};
use crate::Diagnostic;
use crate::fleet::{Settings, keys};

/// Everything that is wrong, or the settings.
pub(crate) fn read(file: &SourceFile, home: Option<&Path>) -> Result<Settings, Vec<Diagnostic>> {
    let source = Source::read(0, file);
    let mut report = Report::default();
    report.syntax(&source);
    let table = Table::top(&source, keys());
    table.check_keys(&mut report);
    let sign_with = etcd::path(&mut report, &table, "sign_with", home);
    let store = table.table(&mut report, "etcd");
    let store = store.and_then(|store| etcd::read(&mut report, &store, home));
    report.finish()?;
    // What is required and missing has been reported.
    let etcd = store.ok_or_else(Vec::new)?;
    Ok(Settings { etcd, sign_with })
}
