//! Lists of patterns as OpenSSH has them (PATTERNS in ssh_config(5)): `*`, `?`, commas, and `!` for
//! what is not meant.

use stint_policy::fits;

/// Whether a list means this text: one of its patterns fits, and none with a `!` does.
pub(crate) fn means(list: &str, text: &str) -> bool {
    let mut meant = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits(pattern.as_bytes(), text.as_bytes()) => return false,
            Some(_) => {}
            None => meant |= fits(pattern.as_bytes(), text.as_bytes()),
        }
    }
    meant
}

/// Whether a list can mean anybody at all.
pub(crate) fn means_any(list: &str) -> bool {
    list.split(',').any(|pattern| !pattern.starts_with('!'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_excluded_is_not_meant_wherever_it_stands() {
        assert!(!means("*,!mallory@*", "mallory@example.org"));
        assert!(!means("!mallory@*,*", "mallory@example.org"));
        assert!(!means("!mallory@*", "alice@example.org"), "nobody is named");
        assert!(!means("Alice@example.org", "alice@example.org"), "case counts");
        assert!(!means("", "alice"));
        assert!(means("*@example.org,!mallory@*", "alice@example.org"));
        assert!(means("a?ice@*", "alice@example.org"));
        assert!(means_any("!a,b") && !means_any("!a"));
    }
}
