//! Keeping what lies in the store as it should be, whatever becomes of single writes: what was asked for
//! and not answered may have been done or not, so all of it is read again. Knows no store in particular.

use std::future::Future;

use stint_proto::Publication;

use super::outbox::{Change, Texts, can_wait, differences, wanted};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The store does not want it.
    Refused(String),
    /// It is not known what became of it: the connection is of no use any more.
    Lost(String),
}

/// Where what a host says of itself lies.
pub trait Shelf {
    /// What lies there of this host, of what is written here.
    fn read(&mut self, host: &str) -> impl Future<Output = Result<Texts, Failed>>;

    /// Makes these changes, all of them or none.
    fn write(&mut self, changes: &[Change]) -> impl Future<Output = Result<(), Failed>>;
}

/// A place, and what is known of it.
pub struct Book<P> {
    place: P,
    /// What lies there, of which host.
    known: Option<(String, Texts)>,
}

impl<P: Shelf> Book<P> {
    /// Nothing is known yet of what lies there.
    pub fn new(place: P) -> Self {
        Self { place, known: None }
    }

    #[cfg(test)]
    pub fn with(place: P, known: Option<(String, Texts)>) -> Self {
        Self { place, known }
    }

    #[cfg(test)]
    pub fn known(self) -> Option<(String, Texts)> {
        self.known
    }

    /// Whether something is to be written, and nobody waits for it.
    pub fn can_wait(&self, publication: &Publication) -> bool {
        let Some((_, lying)) = &self.known else { return false };
        let changes = differences(lying, &wanted(publication).0).concat();
        !changes.is_empty() && can_wait(&changes, publication)
    }

    /// Has the place say what the publication says; answers how much of that finds no room there.
    ///
    /// # Errors
    /// [`Failed`]; part of it may have been done.
    pub async fn bring(&mut self, publication: &Publication) -> Result<u32, Failed> {
        let host = &publication.host;
        let (wanted, too_long) = wanted(publication);
        // Not known any more until all of it is answered.
        let known = self.known.take().filter(|(known, _)| known == host);
        let mut lying = match known {
            Some((_, lying)) => lying,
            None => self.place.read(host).await?,
        };
        for batch in differences(&lying, &wanted) {
            self.place.write(&batch).await?;
            batch.into_iter().for_each(|change| change.made(&mut lying));
        }
        self.known = Some((host.clone(), lying));
        Ok(publication.left_out.saturating_add(too_long))
    }
}
