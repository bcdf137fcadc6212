//! What PAM says about the call, checked. Opens nothing, asks nobody.

use std::fmt;

use stint_proto::PamItems;
use stint_proto::text::is_harmless;

use crate::handle::{Handle, Item};

/// The most bytes of an item.
pub const LONGEST_ITEM: usize = 256;

/// Why the items cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadItem {
    /// PAM would not hand it out.
    Withheld(Item),
    /// It must be set and is not.
    Missing(Item),
    /// It is longer than [`LONGEST_ITEM`].
    TooLong(Item),
    /// It is no UTF-8, or has control characters.
    NoText(Item),
}

impl fmt::Display for BadItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Withheld(item) => write!(f, "{} cannot be read", name(*item)),
            Self::Missing(item) => write!(f, "{} is not set", name(*item)),
            Self::TooLong(item) => {
                write!(f, "{} is longer than {LONGEST_ITEM} bytes", name(*item))
            }
            Self::NoText(item) => {
                write!(f, "{} is no UTF-8 text free of control characters", name(*item))
            }
        }
    }
}

const fn name(item: Item) -> &'static str {
    match item {
        Item::Service => "PAM_SERVICE",
        Item::User => "PAM_USER",
        Item::Ruser => "PAM_RUSER",
        Item::Tty => "PAM_TTY",
        Item::Rhost => "PAM_RHOST",
    }
}

fn read(handle: &impl Handle, item: Item) -> Result<String, BadItem> {
    let Some(value) = handle.item(item).map_err(|_| BadItem::Withheld(item))? else {
        return Ok(String::new());
    };
    if value.as_bytes().len() > LONGEST_ITEM {
        return Err(BadItem::TooLong(item));
    }
    let text = value.into_string().map_err(|_| BadItem::NoText(item))?;
    if text.chars().all(is_harmless) { Ok(text) } else { Err(BadItem::NoText(item)) }
}

/// Reads the items of a call.
///
/// # Errors
/// On an item that is unreadable, too long or no plain text, and on a missing service.
pub fn read_items(handle: &impl Handle) -> Result<PamItems, BadItem> {
    let service = read(handle, Item::Service)?;
    if service.is_empty() {
        return Err(BadItem::Missing(Item::Service));
    }
    Ok(PamItems {
        service,
        user: read(handle, Item::User)?,
        ruser: read(handle, Item::Ruser)?,
        tty: read(handle, Item::Tty)?,
        rhost: read(handle, Item::Rhost)?,
    })
}
