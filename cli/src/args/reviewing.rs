//! What can be typed to review who held what, and who may.

use std::path::PathBuf;

use clap::Args;
use stint_proto::{GrantId, ReviewWord, RoleName};

use super::Json;

/// `stint review`: the report; with `--attest` a reviewer's word; with an id alone the review of the
/// use of a break-glass role.
#[derive(Debug, Args)]
pub struct ReviewArgs {
    /// Look at this grant alone: mark the use of a break-glass role as reviewed, or, with --attest,
    /// say whether it is to be kept
    pub id: Option<GrantId>,
    /// Not before then: 90d (ago), 2026-07-01, "2026-07-01 09:00" or RFC 3339; 90d if absent
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Before then, written in the same ways; now if absent
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// How many grants of one role to one person in 7 days are too many
    #[arg(long, value_name = "NUMBER", default_value_t = crate::review::model::OFTEN, value_parser = clap::value_parser!(u32).range(1..))]
    pub often: u32,
    /// Write a page for a browser, which needs nothing else, into this new file
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub html: Option<PathBuf>,
    /// The file may be there already: put the page in its place
    #[arg(long, requires = "html")]
    pub replace: bool,
    /// Say, for the record, whether something is to be kept or removed; nothing is changed by it
    #[arg(long, value_name = "keep|remove", value_parser = word, requires = "note", conflicts_with_all = ["since", "until", "html"])]
    pub attest: Option<ReviewWord>,
    /// Who is eligible: an account, or an entry of the policy such as %engineers
    #[arg(long, value_name = "WHO", requires_all = ["attest", "role"], conflicts_with = "id")]
    pub eligible: Option<String>,
    /// For which role they are eligible
    #[arg(long, requires = "eligible")]
    pub role: Option<RoleName>,
    /// What was found; kept in the record
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["since", "until", "html"])]
    pub note: Option<String>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// What a reviewer may say.
fn word(text: &str) -> Result<ReviewWord, String> {
    ReviewWord::from_word(text).ok_or_else(|| {
        let found = stint_policy::text::quoted(text);
        format!("{found} is no word of a reviewer: write it as keep or remove")
    })
}
