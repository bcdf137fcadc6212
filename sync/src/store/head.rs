//! For whom a document says it is, where it says so plainly. Believed for one thing alone: not to hand over
//! what is for others, which a carrier may; whatever is not plain is handed over.

use std::str;

use stint_policy::HostPattern;
use toml::de::DeTable;

/// The most bytes of a head that is looked at.
const HEAD_LIMIT: usize = 16 * 1024;

/// Whether it says that it is for hosts of which this is none.
pub(super) fn is_for_others(document: &[u8], host: &str) -> bool {
    let Some(hosts) = hosts(document) else { return false };
    !hosts.is_empty() && !hosts.iter().any(|pattern| pattern.matches(host))
}

fn hosts(document: &[u8]) -> Option<Vec<HostPattern>> {
    let start = document.get(..HEAD_LIMIT).unwrap_or(document);
    // What follows the head may be cut within a letter.
    let text = match str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => str::from_utf8(start.get(..error.valid_up_to())?).ok()?,
    };
    let mut lines = text.split_inclusive('\n').skip_while(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    });
    if lines.next()?.trim_end() != "[document]" {
        return None;
    }
    let mut head = String::new();
    let mut whole = false;
    for line in lines {
        if line.starts_with('[') {
            whole = true;
            break;
        }
        head.push_str(line);
    }
    let tree = DeTable::parse(&head).ok().filter(|_| whole)?;
    let hosts = tree.get_ref().get("hosts")?.get_ref().as_array()?;
    hosts.iter().map(|host| host.get_ref().as_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(hosts: &str) -> bool {
        let text = format!(
            "# for the fleet\n\n[document]\nkind = \"grant\"\nhosts = {hosts}\n\n[grant]\nuser = \"bob\"\n"
        );
        is_for_others(text.as_bytes(), "web-1.example.com")
    }

    #[test]
    fn what_is_plainly_for_others_is_held_back_and_nothing_else() {
        for hosts in
            ["[\"db-1\"]", "[\"db-*\", \"web-2\"]", "[\n  \"db-1\",\n]", "[\"web-1.other.org\"]"]
        {
            assert!(others(hosts), "{hosts}");
        }
        for hosts in [
            "[\"*\"]",
            "[\"db-1\", \"WEB-1\"]",
            "[\"web-?.example.com\"]",
            "[]",
            "\"db-1\"",
            "[\"db 1\"]",
            "[7]",
            "[\"db-1\"",
        ] {
            assert!(!others(hosts), "{hosts}");
        }
        let long =
            format!("[document]\nhosts = [\"db-1\"]\n#{}\n[grant]\n", "x".repeat(HEAD_LIMIT));
        for text in [
            "",
            "hosts = [\"db-1\"]\n",
            "[grant]\n[document]\nhosts = [\"db-1\"]\n[x]\n",
            "[document]\nhosts = [\"db-1\"]\n",
            "[document]\nhosts = [\"db-1\"]\nhosts = [\"web-1\"]\n[grant]\n",
            "[document]\n[grant]\nhosts = [\"db-1\"]\n",
            &long,
        ] {
            assert!(!is_for_others(text.as_bytes(), "web-1"), "{text}");
        }
        assert!(!is_for_others(&[0xff; 40], "web-1"));
        let cut =
            [b"[document]\nhosts = [\"db-1\"]\n[grant]\nreason = \"".as_slice(), &[0xff]].concat();
        assert!(is_for_others(&cut, "web-1"));
    }
}
