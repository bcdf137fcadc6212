//! The privileges and their end: groups are added, then root is given up, so that nothing of it is
//! left to be had back. Knows no grant and runs nothing.

use std::collections::BTreeSet;
use std::fmt;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Uid, getgid, getgroups, getresgid, getresuid, getuid, setgroups, setresgid, setresuid,
};

/// Why the privileges are not as they have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// The kernel did not do this.
    Refused {
        /// What.
        what: &'static str,
        /// Why.
        errno: Errno,
    },
    /// They are not gone although the kernel said so.
    NotGone,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { what, errno } => {
                write!(f, "the kernel did not {what}: {}", errno.desc())
            }
            Self::NotGone => f.write_str("the privileges of stint-run could not be given up"),
        }
    }
}

fn refused(what: &'static str) -> impl FnOnce(Errno) -> Stuck {
    move |errno| Stuck::Refused { what, errno }
}

/// The process's groups and the granted ones, each once.
fn joined(own: &[Gid], granted: &[u32]) -> Vec<Gid> {
    let own = own.iter().map(|gid| gid.as_raw());
    let numbers: BTreeSet<u32> = own.chain(granted.iter().copied()).collect();
    numbers.into_iter().map(Gid::from_raw).collect()
}

/// Adds these groups to the process's. `false` if it had them all.
///
/// # Errors
/// When they could not be added.
pub fn add_groups(granted: &[u32]) -> Result<bool, Stuck> {
    let own = getgroups().map_err(refused("say which groups you are in"))?;
    if granted.iter().all(|number| own.contains(&Gid::from_raw(*number))) {
        return Ok(false);
    }
    setgroups(&joined(&own, granted)).map_err(refused("take the groups"))?;
    Ok(true)
}

/// Makes the process its caller's in every way but its groups: real, effective and saved ids are
/// theirs. The kernel drops the capabilities with them.
///
/// # Errors
/// When it was not done, or not for good: then nothing may be run.
pub fn give_up() -> Result<(), Stuck> {
    let (uid, gid) = (getuid(), getgid());
    setresgid(gid, gid, gid).map_err(refused("take back the group"))?;
    setresuid(uid, uid, uid).map_err(refused("take back root"))?;
    is_given_up(uid, gid)
}

/// Asks the kernel, and tries to have root back, which must fail.
fn is_given_up(uid: Uid, gid: Gid) -> Result<(), Stuck> {
    let uids = getresuid().map_err(refused("say whose process this is"))?;
    let gids = getresgid().map_err(refused("say whose process this is"))?;
    let same = [uids.real, uids.effective, uids.saved].iter().all(|is| *is == uid)
        && [gids.real, gids.effective, gids.saved].iter().all(|is| *is == gid);
    if !same
        || uid.is_root()
        || setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_ok()
    {
        return Err(Stuck::NotGone);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_joined_each_once() {
        let gids = |numbers: &[u32]| numbers.iter().copied().map(Gid::from_raw).collect::<Vec<_>>();
        let both = joined(&gids(&[1000, 44, 29]), &[44, 999]);
        assert_eq!(both, gids(&[29, 44, 999, 1000]));
        assert_eq!(joined(&[], &[]), []);
    }

    #[test]
    fn root_is_never_taken_for_somebody_who_gave_it_up() {
        assert_eq!(is_given_up(Uid::from_raw(0), getgid()), Err(Stuck::NotGone));
        let other = Uid::from_raw(getuid().as_raw().wrapping_add(1));
        assert_eq!(is_given_up(other, getgid()), Err(Stuck::NotGone));
    }
}
