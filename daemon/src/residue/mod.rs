//! What outlives a grant and can be seen: a picture of the places where a privilege is kept for
//! later, and how two pictures differ. Reads only, in bounds; changes nothing and knows no grants.

mod accounts;
mod compare;
mod look;
mod mounts;
mod picture;
mod places;
mod programs;
mod walk;
mod words;

pub use compare::{Report, compare};
pub use look::{Look, Own, Part};
pub use picture::{Mark, Picture, digest};
pub use programs::Program;
pub use words::told;
