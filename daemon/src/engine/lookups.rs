//! Questions to the account database, which may hang (LDAP, sssd): asked on threads of their own,
//! a few at a time, with a limit, so that a hung one holds up nobody but its asker.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// How many questions may be under way at once.
const AT_ONCE: usize = 8;

/// A limited way to the account database; cheap to clone.
#[derive(Clone)]
pub struct Lookups {
    permits: Arc<Semaphore>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Lookups {
    /// The answer of `ask`, or `None` when there was none within `limit`.
    pub async fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let asking = async {
            let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
            let answer = tokio::task::spawn_blocking(move || {
                let answer = ask();
                drop(permit);
                answer
            });
            answer.await.ok()
        };
        tokio::time::timeout(limit, asking).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hung_database_costs_the_limit_and_no_more() {
        let lookups = Lookups::default();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        for _ in 0..AT_ONCE {
            let held = Arc::clone(&held);
            let hung = lookups.ask(Duration::from_millis(5), move || {
                held.lock().unwrap().recv().ok();
            });
            assert!(hung.await.is_none());
        }
        assert!(lookups.ask(Duration::from_millis(5), || 1).await.is_none(), "none is free");
        drop(release);
        assert_eq!(lookups.ask(Duration::from_secs(60), || 1).await, Some(1));
    }
}
