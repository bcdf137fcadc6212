//! The keys that log in as root, and whether sshd would take them: its settings are read, not
//! asked for, as sshd itself needs its own keys to answer.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::files;

/// What sshd says about keys and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sshd {
    /// Where the keys of an account are, with `%h` and `%u`.
    pub(super) files: Vec<String>,
    /// Root may log in, by a key at least.
    pub(super) lets_root_in: bool,
}

/// One key of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) line: u32,
    /// Such as `ssh-ed25519`.
    pub(super) kind: String,
    /// As `ssh-keygen -l` shows it.
    pub(super) fingerprint: String,
    pub(super) comment: String,
    /// What stands before it.
    pub(super) options: String,
}

const SSHD: &[&str] = &["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
const CONFIG: &str = "/etc/ssh/sshd_config";

/// Reads sshd's settings; `None` where there is no sshd.
pub(super) fn sshd(root: &Path, notes: &mut Vec<String>) -> Option<Sshd> {
    if !SSHD.iter().any(|path| files::below(root, Path::new(path)).exists()) {
        return None;
    }
    let mut settings = Settings::default();
    settings.read(root, CONFIG, notes, 0);
    if settings.files.is_empty() {
        settings.files =
            vec![".ssh/authorized_keys".to_owned(), ".ssh/authorized_keys2".to_owned()];
    }
    let first = settings.root_login.first().map(String::as_str);
    let elsewhere = settings.in_match.iter().any(|word| !is_no(word));
    // Of those that only run one command each, none is a way in.
    let lets_root_in = (!is_no(first.unwrap_or_default()) || elsewhere) && !settings.no_keys;
    Some(Sshd { files: settings.files, lets_root_in })
}

fn is_no(word: &str) -> bool {
    matches!(word, "no" | "forced-commands-only")
}

#[derive(Default)]
struct Settings {
    /// The first word about keys is that none is taken.
    no_keys: bool,
    keys_said: bool,
    files: Vec<String>,
    root_login: Vec<String>,
    in_match: Vec<String>,
    matching: bool,
}

impl Settings {
    fn read(&mut self, root: &Path, path: &str, notes: &mut Vec<String>, depth: usize) {
        if depth > 8 {
            notes.push(format!("{path}: included too deep"));
            return;
        }
        let text = files::text(root, path, notes).unwrap_or_default();
        for line in text.lines() {
            let line = line.trim().replacen('=', " ", 1);
            let mut words = line.split_whitespace().map(|word| word.trim_matches('"'));
            let word = words.next().unwrap_or_default().to_ascii_lowercase();
            let mut rest = words.map(str::to_owned);
            match word.as_str() {
                "match" => self.matching = true,
                "authorizedkeysfile" if self.files.is_empty() || self.matching => {
                    self.files.extend(rest.filter(|file| file != "none"));
                }
                "permitrootlogin" => {
                    let values =
                        if self.matching { &mut self.in_match } else { &mut self.root_login };
                    values.extend(rest.next().map(|word| word.to_ascii_lowercase()));
                }
                "pubkeyauthentication" if !self.keys_said && !self.matching => {
                    self.keys_said = true;
                    self.no_keys = rest.next().is_some_and(|word| word.eq_ignore_ascii_case("no"));
                }
                "authorizedkeyscommand" if rest.next().is_some_and(|word| word != "none") => {
                    let text =
                        "sshd asks a command for keys too, and root's among them are not known";
                    notes.push(format!("{path}: {text}"));
                }
                "trustedusercakeys" if rest.next().is_some_and(|word| word != "none") => {
                    let text = "sshd trusts an authority, and who has its certificate as root is not known";
                    notes.push(format!("{path}: {text}"));
                }
                "include" => {
                    for pattern in rest {
                        self.include(root, &pattern, notes, depth);
                    }
                }
                _ => {}
            }
        }
        // A block ends with its file.
        if depth > 0 {
            self.matching = false;
        }
    }

    fn include(&mut self, root: &Path, pattern: &str, notes: &mut Vec<String>, depth: usize) {
        let pattern = if pattern.starts_with('/') {
            pattern.to_owned()
        } else {
            format!("/etc/ssh/{pattern}")
        };
        let (folder, name) = pattern.rsplit_once('/').unwrap_or(("/etc/ssh", &pattern));
        match name.split_once('*') {
            None => self.read(root, &pattern, notes, depth + 1),
            Some((start, end)) => {
                let fitting = files::names(root, folder, end);
                for name in fitting.iter().filter(|name| name.starts_with(start)) {
                    self.read(root, &format!("{folder}/{name}"), notes, depth + 1);
                }
            }
        }
    }
}

/// Where an account's keys are.
pub(super) fn place(pattern: &str, home: &str, user: &str, uid: u32) -> String {
    let path = pattern.replace("%h", home).replace("%u", user).replace("%U", &uid.to_string());
    let path = path.replace("%%", "%");
    if path.starts_with('/') { path } else { format!("{home}/{path}") }
}

/// The keys of a file that have no end of their own.
pub(super) fn keys(text: &str) -> Vec<Key> {
    (1_u32..).zip(text.lines()).filter_map(|(number, line)| key(number, line)).collect()
}

fn key(number: u32, line: &str) -> Option<Key> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (first, rest) = unquoted_word(line);
    let (options, kind, rest) = if is_kind(first) {
        ("", first, rest)
    } else {
        let (kind, rest) = unquoted_word(rest);
        (first, kind, rest)
    };
    let (blob, comment) = unquoted_word(rest);
    let blob = from_base64(blob).filter(|blob| !blob.is_empty() && is_kind(kind))?;
    let has_end = options.split(',').any(|option| option.starts_with("expiry-time="));
    (!has_end).then(|| Key {
        line: number,
        kind: kind.to_owned(),
        fingerprint: format!("SHA256:{}", to_base64(&Sha256::digest(&blob))),
        comment: comment.trim().to_owned(),
        options: options.to_owned(),
    })
}

fn is_kind(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-", "rsa-sha2-"].iter().any(|start| word.starts_with(start))
}

/// The first word, whose quotes may hold blanks, and what comes after.
fn unquoted_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (mut quoted, mut escaped) = (false, false);
    let end = text.find(|c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            c => return c.is_whitespace() && !quoted,
        }
        false
    });
    text.split_at(end.unwrap_or(text.len()))
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut have) = (Vec::new(), 0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = LETTERS.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        have += 6;
        if have >= 8 {
            have -= 8;
            bytes.push(u8::try_from(bits >> have & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// Without `=` at its end, as ssh writes it.
fn to_base64(bytes: &[u8]) -> String {
    let letter = |bits: u32| {
        let at = usize::try_from(bits & 0x3f).unwrap_or_default();
        char::from(LETTERS.get(at).copied().unwrap_or(b'?'))
    };
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let part = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = part(0) << 16 | part(1) << 8 | part(2);
        let all = [bits >> 18, bits >> 12, bits >> 6, bits];
        text.extend(all.into_iter().take(three.len() + 1).map(letter));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn keys_are_told_apart_with_their_options_and_those_with_an_end_left_out() {
        let blob = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
        let text = format!(
            "# x\n\nssh-ed25519 {blob} alice@laptop home\n\
             command=\"echo \\\"a b\\\"\",no-pty ssh-ed25519 {blob}\n\
             expiry-time=\"20270101\" ssh-ed25519 {blob} ends\nnonsense\nssh-rsa !!! x\n"
        );
        let found = keys(&text);
        assert_eq!(found.len(), 2);
        // Of GitHub's published keys, whose fingerprint is known.
        assert_eq!(found[0].fingerprint, "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_eq!((found[0].line, found[0].comment.as_str()), (3, "alice@laptop home"));
        assert_eq!(found[1].options, "command=\"echo \\\"a b\\\"\",no-pty");
    }

    #[test]
    fn sshd_says_where_keys_are_and_whether_root_may_come() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let mut notes = Vec::new();
        assert_eq!(sshd(root.path(), &mut notes), None);
        put("usr/sbin/sshd", "");
        let usual = sshd(root.path(), &mut notes).unwrap();
        assert!(usual.lets_root_in && usual.files.len() == 2);
        put(
            "etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\n\
             AuthorizedKeysFile no\nMatch User x\nAuthorizedKeysFile /etc/keys/%u\n",
        );
        put("etc/ssh/sshd_config.d/a.conf", "permitrootlogin no\nAuthorizedKeysFile=.k\n");
        let other = sshd(root.path(), &mut notes).unwrap();
        assert!(!other.lets_root_in);
        assert_eq!(other.files, [".k", "/etc/keys/%u"]);
        assert_eq!(place("/etc/keys/%u", "/root", "root", 0), "/etc/keys/root");
        assert_eq!(place(".k", "/root", "root", 0), "/root/.k");
        assert!(notes.is_empty());
    }
}
