//! The access review: gathered from the daemon, shown as text, as JSON, or as a page of its own.

pub mod document;
pub mod gather;
pub mod model;
pub mod page;
pub mod text;
mod timeline;

#[cfg(test)]
mod tests;
