//! `stint audit`: what auditors do with the record beside reading it.

use super::{export, key, verify};
use crate::args::{AuditArgs, AuditVerb};
use crate::failure::Outcome;

/// Does what was typed.
pub fn run(args: AuditArgs) -> Outcome {
    match args.what {
        AuditVerb::Verify(args) => verify::run(&args),
        AuditVerb::Export(args) => export::run(&args),
        AuditVerb::Key(args) => key::run(args),
    }
}
