//! FLEET in stint(1): what has to be there for the verbs across hosts, its keys from the table that its
//! reader is driven by.

use stint_policy::fleet::keys;

use super::policy::meaning;
use super::roff::Page;

/// The section.
pub fn section(page: &mut Page) {
    page.heading("FLEET");
    page.text(
        "pending, list, watch and revoke with --fleet, a request or grant typed as HOST/ID, and policy \
         publish work on other hosts, by the store (etcd) to which their stint-sync(8) is joined. They ask no \
         stintd, need none on the machine where they are typed, and refuse to be root. stint-sync speaks \
         with the store, run in your name and with a certificate of yours; what you may there is the \
         store's to say, and what your signature is worth is each host's (its allowed_signers, [remote] \
         and approvers).",
    );
    page.text(
        "Nothing that the store says is believed. A request is shown with what its digest is of, and one \
         that has another digest than it claims is told apart and cannot be approved; what is not of its \
         form is counted and not shown. What you sign is the digest of what you were shown, which the host \
         compares with its own: the store can hold your word back, and cannot give it. A word on a request \
         lies in the store until the request lapses, and for 7 days at most.",
    );
    page.text(
        "Where the store is stands in ~/.config/stint/fleet.toml (in $XDG_CONFIG_HOME, if that is set), or, \
         without one, in /etc/stint/fleet.toml. A path may begin with ~/, your home. One key that is not \
         known is an error.",
    );
    for key in keys() {
        page.term(&format!("{} ({})", key.path, key.kind.word()), &meaning(key));
    }
    page.example(EXAMPLE);
}

/// Every key once.
const EXAMPLE: &str = r#"sign_with = "~/.ssh/id_ed25519_sk"

[etcd]
endpoints = ["https://etcd-1.example.com:2379"]
ca_file   = "/etc/stint/etcd-ca.pem"
cert_file = "~/.config/stint/etcd.pem"
key_file  = "~/.config/stint/etcd.key""#;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stint_policy::SourceFile;
    use stint_policy::fleet::{keys, parse};
    use stint_policy::language::Kind;

    #[test]
    fn the_example_is_right_and_has_every_key_and_so_is_the_one_that_is_shipped() {
        for key in keys().iter().filter(|key| key.kind != Kind::Table) {
            assert!(super::EXAMPLE.contains(&format!("{} ", key.name())), "{}", key.path);
        }
        let shipped =
            include_str!("../../../packaging/root/usr/share/doc/stint/examples/fleet.toml");
        for text in [super::EXAMPLE, shipped] {
            let file = SourceFile { path: "example".into(), text: text.into() };
            let settings = parse(&file, Some(Path::new("/home/carol"))).unwrap();
            assert!(settings.sign_with.is_some_and(|key| key.starts_with("/home/carol")));
        }
    }
}
