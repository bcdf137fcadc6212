//! Lists of patterns as OpenSSH has them (PATTERNS in ssh_config(5)): `*`, `?`, commas, and `!` for
//! what is not meant.

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

/// Goes back to the last `*` alone, so that no pattern takes more than pattern times text steps.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == letter => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|rest| *rest == b'*')
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
