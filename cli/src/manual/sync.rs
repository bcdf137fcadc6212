//! stint-sync(8), its keys from the table that its reader is driven by.

use stint_policy::sync::keys;
use stint_proto::{BUS_NAME, SYNC_FILE};

use super::policy::meaning;
use super::roff::Page;

/// The page.
pub fn page() -> String {
    let mut page = Page::new("stint-sync", 8, "brings signed documents to stintd");
    page.heading("SYNOPSIS");
    page.example(
        "stint-sync\nstint-sync --check\nstint-sync --once\nstint-sync --store FILE\nstint-sync --help | --version",
    );
    page.heading("DESCRIPTION");
    page.text(
        "stint-sync looks every minute whether there is something new at the addresses in \
         /etc/stint/sync.toml, and hands what it fetches to stintd(8), which alone judges it: by \
         who signed it, not by where it came from. So neither the server, nor whoever is on the \
         way, nor stint-sync itself can confer anything; they can hold back what is new. It is the \
         only part of stint with a network. The account stint-sync runs it, which owns nothing; on \
         the bus it may hand over documents, say how its sources fare and ask what is to be \
         published, and no more.",
    );
    page.text(
        "It is started at boot where there is a sync.toml. That has to be root's and writable by \
         nobody else; it is read once. After a change:",
    );
    page.example("stint-sync --check && systemctl restart stint-sync");
    page.heading("OPTIONS");
    page.term(
        "--check",
        "Say what is wrong with sync.toml, everything at once, or with the files that it names, and \
         exit. Fetches nothing.",
    );
    page.term(
        "--once",
        "Fetch everything once, hand it over, say what came of it, and exit. It does not fetch as \
         root:",
    );
    page.example("runuser -u stint-sync -- stint-sync --once");
    page.term(
        "--store FILE",
        "Ask the store of a fleet for stint(1), which starts it so: in the person's name and with the \
         certificate that FILE, their fleet.toml, names. Questions are read and answers written a JSON \
         document a line; it ends with its input. It refuses to be root, and has nothing to do with \
         sync.toml.",
    );
    page.term("--help, --version", "Say how it is called, or which version it is, and exit.");
    page.heading("KEYS");
    page.text("The keys of /etc/stint/sync.toml. One that is not known is an error.");
    for key in keys() {
        page.term(&format!("{} ({})", key.path, key.kind.word()), &meaning(key));
    }
    page.heading("EXAMPLE");
    page.example(EXAMPLE);
    page.heading("FETCHING");
    page.text(
        "TLS 1.2 or 1.3. The certificate has to be for the name in the address, in time by this \
         host's clock, and signed by an authority that is believed; the list is read anew for each \
         fetch. No redirect is followed. A document has 1 MiB at most, and 30 s from the host's \
         name to its last byte. http, and a proxy that only the environment names, are not used.",
    );
    page.text(
        "What the server calls the version that stintd has taken (ETag) is sent with the next \
         request, and costs the server an answer without a body. One that stintd has not taken is \
         never sent. It is kept in memory for an hour at most, so that a stintd that lost its \
         state has the documents again.",
    );
    page.text(
        "Pauses are spread by a fifth to either side. When a server fails, or stintd refuses what \
         it has, each pause is twice the one before, up to 15 minutes or to every, whichever is \
         longer. When only stintd is away it is tried again after 5 s, 10 s, and so on. Each address \
         goes its own way: a slow one holds up no other.",
    );
    page.heading("PUBLISHING");
    page.text(
        "In the store of [etcd] it writes, below /stint/1/out/HOST/, what the host says of itself: \
         that it is there, and, where the policy says publish = true in [remote], its pending \
         requests, what came of them for a day, and its grants, as in --json. Whoever may read there \
         sees who asks for what and why. Only what differs is written, once a second at most. What \
         lies there is compared at every beginning, so what a killed one left is put right; where \
         publish is turned off all of it is taken out. stintd is never started for it.",
    );
    page.heading("FOLLOWING A STORE");
    page.text(
        "The etcd of [etcd] is read once, and watched from there: what is put below /stint/1/fleet/ \
         or /stint/1/in/HOST/ is with stintd at once. HOST is the host's name as stintd knows it. The \
         certificate of cert_file is shown to it, and its name (CN) is the account there; the key has \
         to be readable by the account stint-sync and not by everybody. A lost connection is \
         noticed within 20 s and picked up where it was. A document has 1 MiB at most, a folder 10,000 \
         documents. What came of each is written below /stint/1/out/HOST/answers/ for a day.",
    );
    page.text(
        "/usr/share/stint/etcd-setup sets up who may do what in it; called with --help, it says how.",
    );
    page.heading("EXIT STATUS");
    page.term("0", "Done.");
    page.term("1", "Something could not be fetched or was not taken.");
    page.term("2", "It was called in a wrong way.");
    page.term("78", "sync.toml is wrong; systemd does not start it again.");
    page.heading("FILES");
    for (path, what) in [
        (SYNC_FILE, "What it fetches."),
        ("/usr/share/doc/stint/examples/sync.toml", "One to begin with."),
        ("/usr/share/stint/etcd-setup", "Sets up the rights in an etcd."),
        (BUS_NAME, "Whom it hands documents to, on the system bus."),
    ] {
        page.term(path, what);
    }
    page.text(
        "What it tells is in the journal (journalctl -u stint-sync), each trouble once, and its \
         end; what stintd made of a document is in the record.",
    );
    page.finish("stint(1), stintd(8), stint-policy(5)")
}

/// Every key once.
const EXAMPLE: &str = r#"urls    = ["https://policy.example.com/stint/fleet.policy",
           "https://policy.example.com/stint/latest.revoked"]
every   = "1m"
ca_file = "/etc/stint/fleet-ca.pem"
proxy   = "http://proxy.example.com:3128"

[etcd]
endpoints = ["https://etcd-1.example.com:2379"]
ca_file   = "/etc/stint/etcd-ca.pem"
cert_file = "/etc/stint/etcd-client.pem"
key_file  = "/etc/stint/etcd-client.key""#;

#[cfg(test)]
mod tests {
    use stint_policy::SourceFile;
    use stint_policy::language::Kind;
    use stint_policy::sync::{keys, parse};

    #[test]
    fn the_example_is_right_and_has_every_key_and_so_is_the_one_that_is_shipped() {
        for key in keys() {
            let written = match key.kind {
                Kind::Table => format!("[{}]", key.path),
                _ => format!("{} ", key.name()),
            };
            assert!(super::EXAMPLE.contains(&written), "{}", key.path);
        }
        let shipped =
            include_str!("../../../packaging/root/usr/share/doc/stint/examples/sync.toml");
        for text in [super::EXAMPLE, shipped] {
            let file = SourceFile { path: "example".into(), text: text.into() };
            assert_eq!(parse(&file).unwrap().urls.len(), 2);
        }
    }
}
