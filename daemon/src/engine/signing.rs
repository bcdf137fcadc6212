//! Signed checkpoints of the record: what the policy wants of them, and by which key. Signs nothing
//! itself.

use std::sync::Arc;

use stint_proto::{CheckpointKey, ErrorCode};

use super::{Engine, Refusal};
use crate::record::Wished;

impl Engine {
    /// Has checkpoints of the record signed from now on, or not. Returns why they are not, if they should
    /// be: nothing else waits for that.
    pub(super) async fn see_to_signing(&self, wanted: bool) -> Option<String> {
        let (signing, now) = (Arc::clone(self.record.signing()), self.now().wall);
        let work = tokio::task::spawn_blocking(move || signing.want(wanted, now));
        let Wished { is_behind, problem } = match work.await {
            Ok(wished) => wished,
            Err(error) => return Some(error.to_string()),
        };
        if is_behind {
            // The first that is signed need not wait for its hour.
            self.record.tell_of_chain();
        }
        problem.map(|why| format!("checkpoints go out unsigned: {why}"))
    }

    /// By which key this host signs how far the record has come.
    ///
    /// # Errors
    /// [`Refusal`] when the policy wants none of that, or the key is of no use.
    pub async fn checkpoint_key(&self) -> Result<CheckpointKey, Refusal> {
        let (signing, now) = (Arc::clone(self.record.signing()), self.now().wall);
        let work = tokio::task::spawn_blocking(move || signing.public(now));
        let text = match work.await {
            Ok(Ok(Some(key))) => return Ok(key),
            Ok(Ok(None)) => {
                "checkpoints are not signed on this host; sign = true in [audit] of its \
                             policy has them signed"
                    .to_owned()
            }
            Ok(Err(problem)) => format!("checkpoints go out unsigned: {problem}"),
            Err(error) => error.to_string(),
        };
        Err(Refusal::new(ErrorCode::Failed, text))
    }
}
