//! `stint wait`.

use crate::args::WaitArgs;
use crate::failure::Outcome;
use crate::waiting::{look, wait};

/// Waits until a request is decided.
pub fn run(args: &WaitArgs) -> Outcome {
    super::request::outcome(&wait(look(&args.id)?, args.timeout)?, args.json.json)
}
