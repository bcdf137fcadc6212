//! What is root's own: second names of uid 0, keys that log in as root, root's password.

use std::collections::BTreeSet;

use stint_proto::{StandingKind, StandingWeight, Uid};

use super::host::{Account, Host};
use super::keys::{Key, Sshd, keys, place, sshd};
use super::{Found, Sight, files, privilege, shown};

/// Adds what there is, and how root gets in.
pub(super) fn look(sight: &Sight, host: &Host, found: &mut Found) {
    let sshd = sshd(&sight.root, &mut found.unseen);
    let mut known = BTreeSet::new();
    for account in host.accounts.iter().filter(|account| account.uid == 0) {
        if account.name != "root" {
            let how = "another name of uid 0 in /etc/passwd".to_owned();
            let why = "it is root by another name".to_owned();
            let mut held =
                privilege(StandingKind::Uid0, StandingWeight::Root, &account.name, how, why);
            held.uid = Some(Uid::ROOT);
            held.path = Some("/etc/passwd".to_owned());
            held.by_hand = format!(
                "give it a number of its own:  vipw, or  userdel -f {}",
                shown(&account.name)
            );
            found.held.push(held);
        }
        if let Some(sshd) = &sshd {
            of_keys(sight, account, sshd, &mut known, found);
        }
    }
    of_password(sight, host, found);
}

/// Whether an account gets a shell when it logs in.
fn logs_in(account: &Account) -> bool {
    !matches!(account.shell.rsplit('/').next(), Some("nologin" | "false"))
}

fn of_keys(
    sight: &Sight,
    account: &Account,
    sshd: &Sshd,
    known: &mut BTreeSet<String>,
    found: &mut Found,
) {
    for pattern in &sshd.files {
        let path = place(pattern, &account.home, &account.name, account.uid);
        // Two names of one home have one file.
        if !known.insert(path.clone()) {
            continue;
        }
        let Some(text) = files::text(&sight.homes, &path, &mut found.unseen) else { continue };
        let all = keys(&text);
        let is_bound = |key: &Key| key.options.contains("command=");
        if sshd.lets_root_in && logs_in(account) && !all.iter().all(is_bound) {
            found.ways_of_root.push(format!("by ssh with a key of {path}"));
        }
        for key in all {
            let comment = match key.comment.as_str() {
                "" => String::new(),
                comment => format!(", \"{comment}\""),
            };
            let how =
                format!("key {} ({}{comment}) in {path}:{}", key.fingerprint, key.kind, key.line);
            let weight =
                if is_bound(&key) { StandingWeight::Unknown } else { StandingWeight::Root };
            let mut why = "whoever has this key logs in as root".to_owned();
            if !key.options.is_empty() {
                why.push_str(&format!("; its options: {}", key.options));
            }
            let mut held = privilege(StandingKind::Key, weight, &account.name, how, why);
            held.uid = Some(Uid(account.uid));
            if !sshd.lets_root_in {
                held.counts = false;
                held.why.push("but sshd takes no key of root's by its settings".to_owned());
            }
            held.path = Some(path.clone());
            held.line = Some(key.line);
            held.by_hand = format!("take line {} out of {}", key.line, shown(&path));
            found.held.push(held);
        }
    }
}

/// Root's password is how an administrator gets in when nothing else does: it is shown, and counts
/// only if there is none to be known.
fn of_password(sight: &Sight, host: &Host, found: &mut Found) {
    let Some(text) = files::text(&sight.root, "/etc/shadow", &mut found.unseen) else { return };
    let field = text.lines().find_map(|line| line.strip_prefix("root:")?.split(':').next());
    let (why, counts) = match field {
        None => return,
        Some(hash) if hash.starts_with(['!', '*']) => return,
        Some("") => ("root has no password at all: nobody is asked for one", true),
        Some(_) => ("whoever knows root's password logs in, or uses su", false),
    };
    if host.account("root").is_some_and(|root| logs_in(&root)) {
        found.ways_of_root.push("on the console, and by su, with root's password".to_owned());
    }
    let how = "root's password in /etc/shadow".to_owned();
    let mut held =
        privilege(StandingKind::Password, StandingWeight::Root, "root", how, why.to_owned());
    held.uid = Some(Uid::ROOT);
    held.counts = counts;
    held.path = Some("/etc/shadow".to_owned());
    held.by_hand = if counts { "passwd root" } else { "passwd -l root" }.to_owned();
    found.held.push(held);
}
