//! The members of a group in /etc/group and /etc/gshadow. Reads; what is changed is changed by
//! gpasswd, which takes the locks.

use std::path::Path;

/// Who a group's line lists in `group` of this folder; `None` if there is no such group.
///
/// # Errors
/// When the file cannot be read.
pub fn members(folder: &Path, group: &str) -> std::io::Result<Option<Vec<String>>> {
    listed(&folder.join("group"), group)
}

/// Whether `gshadow` of this folder lists the same members, or has no such group: only then can
/// gpasswd give the lines back as they were.
pub fn agree(folder: &Path, group: &str, members: &[String]) -> bool {
    match listed(&folder.join("gshadow"), group) {
        Ok(Some(shadowed)) => shadowed == members,
        Ok(None) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn listed(path: &Path, group: &str) -> std::io::Result<Option<Vec<String>>> {
    let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
    let of = |line: &str| {
        let mut fields = line.split(':');
        let found = fields.next() == Some(group);
        found.then(|| {
            let last = fields.nth(2).unwrap_or_default();
            last.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        })
    };
    Ok(text.lines().find_map(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_files_have_to_say_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name, text| std::fs::write(folder.path().join(name), text).unwrap();
        put("group", "a:x:1:\nsudo:x:27:bob,alice\n");
        assert_eq!(members(folder.path(), "none").unwrap(), None);
        assert_eq!(members(folder.path(), "a").unwrap(), Some(Vec::new()));
        let sudo = members(folder.path(), "sudo").unwrap().unwrap();
        assert_eq!(sudo, ["bob", "alice"]);
        assert!(agree(folder.path(), "sudo", &sudo), "there is no gshadow");
        put("gshadow", "sudo:*::bob,alice\n");
        assert!(agree(folder.path(), "sudo", &sudo));
        put("gshadow", "sudo:*::alice,bob\n");
        assert!(!agree(folder.path(), "sudo", &sudo));
    }
}
