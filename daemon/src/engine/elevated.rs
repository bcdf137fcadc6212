//! What somebody has started by run0 under a grant that let them manage units: it is ended with that
//! grant, as a sudo session is. What does not say who called it is not found.

use std::io;
use std::time::Duration;

use stint_policy::PolkitAction;
use stint_proto::{GrantId, RoleName, Timestamp, Uid};

use super::Engine;
use crate::domain::control_group::Group;
use crate::domain::grant::Grant;
use crate::sessions::{Started, Whom, called_by, started};
use crate::store::Eviction;

/// How long systemd may take to say what one unit is.
const LIMIT: Duration = Duration::from_secs(10);

impl Engine {
    /// Whether this role lets its holder have systemd start something.
    pub(super) fn starts_units(&self, role: &RoleName) -> bool {
        let policy = self.policy();
        let role = policy.roles.get(role);
        role.is_some_and(|role| role.polkit.iter().any(PolkitAction::starts_units))
    }

    /// Whom this account has started by run0 since this grant began, and under no later one that
    /// still runs.
    pub(super) async fn started_under(
        &self,
        grant: &GrantId,
        role: &RoleName,
        uid: Uid,
        eviction: &Eviction,
    ) -> io::Result<Vec<Whom>> {
        if !self.starts_units(role) {
            return Ok(Vec::new());
        }
        let names = tokio::task::spawn_blocking(move || called_by(uid));
        let names = names.await.map_err(io::Error::other)??;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let user = Some(eviction.user.clone());
        let ended = self.store.ended(user, Some(role.clone())).await.map_err(io::Error::other)?;
        let is_it = |found: &Grant| found.id == *grant;
        let Some(over) = ended.into_iter().map(|stored| stored.grant).find(is_it) else {
            return Err(io::Error::other("the state does not know yet when it began"));
        };
        let no_bus = || io::Error::other("the system bus is not there");
        let bus = self.bus_within(LIMIT).await.ok_or_else(no_bus)?;
        let mut whom = Vec::new();
        for name in names {
            let asking = tokio::time::timeout(LIMIT, started(&bus, &name));
            let found = asking.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
            let Some(Started { at, main, group }) = found else { continue };
            if at < over.starts_at || self.is_covered(uid, at) {
                continue;
            }
            whom.extend(main.map(|main| Whom::Under([main].into())));
            let Some(tree) = &self.tree else { continue };
            // logind gives run0's shell a session, and a group, of its own, out of the unit's.
            let login = main.and_then(|main| tree.of(main.pid).ok()).filter(Group::is_login);
            let groups = group.into_iter().chain(login);
            whom.extend(groups.map(|group| Whom::In(tree.clone(), group)));
        }
        Ok(whom)
    }

    /// Whether a grant of this account that runs has let them start units at that time.
    fn is_covered(&self, uid: Uid, at: Timestamp) -> bool {
        let now = self.now();
        let running: Vec<Grant> = {
            let state = self.state();
            let running = state.index.of_uid(uid).filter(|grant| grant.holds(now));
            running.filter(|grant| grant.starts_at <= at).cloned().collect()
        };
        running.iter().any(|grant| self.starts_units(&grant.role))
    }
}
