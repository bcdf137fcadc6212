//! What PAM says about the call, checked. Opens nothing, asks nobody.

use core::ffi::CStr;

use stint_ask::{Line, Say, Text};
use stint_wire::Items;
use stint_wire::text::is_harmless;

use crate::handle::{Handle, Item};

/// The most bytes of an item.
const LONGEST_ITEM: usize = 256;

/// Why the items cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadItem {
    /// PAM would not hand it out.
    Withheld(Item),
    /// It must be set and is not.
    Missing(Item),
    /// It is longer than 256 bytes.
    TooLong(Item),
    /// It is no UTF-8, or has control characters.
    NoText(Item),
}

impl Say for BadItem {
    fn say(&self, line: &mut Line) {
        let (item, why) = match self {
            Self::Withheld(item) => (item, " cannot be read"),
            Self::Missing(item) => (item, " is not set"),
            Self::TooLong(item) => (item, " is longer than 256 bytes"),
            Self::NoText(item) => (item, " is no UTF-8 text free of control characters"),
        };
        line.push(name(*item));
        line.push(why);
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

/// The items of a call, in memory of the module's own: nothing refers to PAM's after PAM is called
/// again.
#[derive(Debug, Default)]
pub struct OwnItems {
    service: OwnItem,
    user: OwnItem,
    ruser: OwnItem,
    tty: OwnItem,
    rhost: OwnItem,
}

type OwnItem = Text<{ LONGEST_ITEM + 1 }>;

impl OwnItems {
    /// Reads the items of a call.
    ///
    /// # Errors
    /// On an item that is unreadable, too long or no plain text, and on a missing service.
    pub fn read(&mut self, handle: &impl Handle) -> Result<Items<'_>, BadItem> {
        read(handle, Item::Service, &mut self.service)?;
        if self.service.as_str().is_empty() {
            return Err(BadItem::Missing(Item::Service));
        }
        read(handle, Item::User, &mut self.user)?;
        read(handle, Item::Ruser, &mut self.ruser)?;
        read(handle, Item::Tty, &mut self.tty)?;
        read(handle, Item::Rhost, &mut self.rhost)?;
        Ok(Items {
            service: self.service.as_str(),
            user: self.user.as_str(),
            ruser: self.ruser.as_str(),
            tty: self.tty.as_str(),
            rhost: self.rhost.as_str(),
        })
    }
}

fn read(handle: &impl Handle, item: Item, to: &mut OwnItem) -> Result<(), BadItem> {
    let copied = handle.item(item, |value| value.map_or(Ok(()), |value| copy(item, value, to)));
    copied.map_err(|_| BadItem::Withheld(item))?
}

fn copy(item: Item, value: &CStr, to: &mut OwnItem) -> Result<(), BadItem> {
    if value.to_bytes().len() > LONGEST_ITEM {
        return Err(BadItem::TooLong(item));
    }
    let text = value.to_str().map_err(|_| BadItem::NoText(item))?;
    if !text.chars().all(is_harmless) {
        return Err(BadItem::NoText(item));
    }
    to.push(text);
    Ok(())
}
