//! Documents that nobody has made with care: random bytes and lines break nothing and let nobody sign;
//! security keys that nobody touched do not count; what is composed reads as what it was made of.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use base64ct::{Base64, Encoding};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use sha2::{Digest, Sha256, Sha512};
use signature::Signer as _;
use ssh_key::PublicKey;
use ssh_key::private::Ed25519Keypair;
use ssh_key::public::{KeyData, SkEd25519};
use stint_document::{
    Approval, Content, Document, Header, Kind, Refusal, Revocation, Revoked, SignedGrant, Signers,
    Times, Verdict, approval, grant, policy, read, revocation, verify,
};
use stint_policy::SourceFile;
use stint_proto::Timestamp;

fn wire(parts: &[&[u8]]) -> Vec<u8> {
    let part =
        |part: &&[u8]| [&u32::try_from(part.len()).unwrap().to_be_bytes()[..], part].concat();
    parts.iter().flat_map(part).collect()
}

fn armored(key: &[u8], namespace: &str, signature: &[u8]) -> String {
    let head = [&b"SSHSIG"[..], &1_u32.to_be_bytes()].concat();
    let rest = wire(&[key, namespace.as_bytes(), b"", b"sha512", signature]);
    let blob = Base64::encode_string(&[head, rest].concat());
    format!("-----BEGIN SSH SIGNATURE-----\n{blob}\n-----END SSH SIGNATURE-----\n")
}

fn signed_data(namespace: &str, text: &str) -> Vec<u8> {
    let hash = Sha512::digest(text.as_bytes());
    [&b"SSHSIG"[..], &wire(&[namespace.as_bytes(), b"", b"sha512", &hash])].concat()
}

/// A document signed by a key that this test holds.
fn document(keys: &Ed25519Keypair, namespace: &str, text: &str) -> String {
    let key = PublicKey::from(KeyData::from(keys.public)).to_bytes().unwrap();
    let made = keys.try_sign(&signed_data(namespace, text)).unwrap();
    let signature = wire(&[b"ssh-ed25519", made.as_bytes()]);
    format!("{text}{}", armored(&key, namespace, &signature))
}

/// The same as a security key would (PROTOCOL.u2f), with these flags.
fn by_security_key(keys: &Ed25519Keypair, text: &str, flags: u8) -> (String, String) {
    let sk = SkEd25519::new(keys.public, "ssh:");
    let public = PublicKey::from(KeyData::from(sk));
    let (counter, message) = (7_u32.to_be_bytes(), signed_data("policy@stint", text));
    let told =
        [&Sha256::digest(b"ssh:")[..], &[flags], &counter, &Sha256::digest(&message)[..]].concat();
    let made = keys.try_sign(&told).unwrap();
    let signature =
        [&wire(&[b"sk-ssh-ed25519@openssh.com", made.as_bytes()])[..], &[flags], &counter].concat();
    let document =
        format!("{text}{}", armored(&public.to_bytes().unwrap(), "policy@stint", &signature));
    (document, format!("alice {}", public.to_openssh().unwrap()))
}

fn signers(text: &str) -> Signers {
    let signers = Signers::read("signers", text, &TimeZone::UTC);
    assert!(signers.problems().is_empty(), "{:?}", signers.problems());
    signers
}

fn now() -> Times {
    Times::at("2026-11-25T12:00:00Z".parse().unwrap())
}

#[test]
fn a_security_key_that_nobody_touched_does_not_count() {
    let keys = Ed25519Keypair::from_seed(&[7; 32]);
    for (flags, counts) in [(0x00, false), (0x04, false), (0x01, true), (0x05, true)] {
        let (document, line) = by_security_key(&keys, "a text\n", flags);
        let found = verify(document.as_bytes(), &signers(&line), now());
        assert_eq!(found.is_ok(), counts, "flags {flags:#x}: {found:?}");
        if let Err(refusal) = found {
            assert!(refusal.to_string().contains("was not touched"), "{refusal}");
        }
    }
    // The flags are part of what is signed.
    let (document, line) = by_security_key(&keys, "a text\n", 0x00);
    let (touched, _) = by_security_key(&keys, "a text\n", 0x01);
    let blob = |document: &str| Base64::decode_vec(document.lines().nth(2).unwrap()).unwrap();
    let (mut forged, other) = (blob(&document), blob(&touched));
    let at = forged.len() - 5;
    assert_ne!(forged[at], other[at]);
    forged[at] = 0x01;
    let forged =
        document.replace(document.lines().nth(2).unwrap(), &Base64::encode_string(&forged));
    let found = verify(forged.as_bytes(), &signers(&line), now());
    assert_eq!(found, Err(Refusal::Broken { number: 1 }));
}

fn header(kind: Kind) -> Header {
    Header {
        kind,
        serial: (kind == Kind::Policy).then_some(7),
        not_before: "2026-11-25T11:00:00Z".parse().unwrap(),
        not_after: (kind != Kind::Revocation).then(|| "2026-11-26T11:00:00Z".parse().unwrap()),
        hosts: match kind {
            Kind::Approval => vec!["web-1.example.org".parse().unwrap()],
            _ => vec!["web-*".parse().unwrap(), "db-1".parse().unwrap()],
        },
    }
}

fn yes(note: Option<String>) -> Approval {
    Approval {
        request: "7kq2".parse().unwrap(),
        verdict: Verdict::Approve,
        user: "alice".parse().unwrap(),
        role: "admin".parse().unwrap(),
        digest: "0123456789abcdef".repeat(4),
        note,
    }
}

fn back(text: &str, kind: Kind) -> Result<Document, Refusal> {
    let keys = Ed25519Keypair::from_seed(&[7; 32]);
    let line =
        format!("alice {}", PublicKey::from(KeyData::from(keys.public)).to_openssh().unwrap());
    let document = document(&keys, kind.namespace(), text);
    read(&verify(document.as_bytes(), &signers(&line), now()).unwrap(), "fleet")
}

#[test]
fn what_is_missing_unknown_or_makes_no_sense_is_told_with_its_line() {
    let good =
        policy(&header(Kind::Policy), &[SourceFile { path: "x".into(), text: String::new() }]);
    assert!(back(&good, Kind::Policy).is_ok());
    for (from, to, wanted) in [
        ("[document]", "[documents]", "line 1: its text has to begin with [document]"),
        ("[document]", "x = 1\n[document]", "line 1: its text has to begin with [document]"),
        ("serial     = 7\n", "", "line 1: [document] needs serial"),
        ("= 7", "= 0", "line 3: serial: a whole number from 1"),
        ("= 7", "= 0x7", "line 3: serial: a whole number from 1"),
        ("= 7", "= 9007199254740993", "line 3: serial: a whole number from 1"),
        ("\"policy\"", "\"grant\"", "says that it is a \"grant\""),
        ("not_after ", "not_later ", "line 1: [document] needs not_after"),
        ("2026-11-26T11:00:00.000Z", "2026-11-25T10:00:00.000Z", "it is over before it begins"),
        ("2026-11-26T11:00:00.000Z", "2026-11-26T11:00:00", "line 5: not_after: this is no time"),
        ("[\"web-*\", \"db-1\"]", "[]", "line 6: hosts: this is no list of texts"),
        ("\"db-1\"", "\"db 1\"", "line 6: hosts: \"db 1\" is no host name"),
        ("serial ", "color = 1\nserial ", "line 3: unknown key \"color\"; there are hosts"),
        ("= 7", "=", "line 3: "),
        ("kind ", "kind = \"\"\"\n[x]\n\"\"\"\nkindly ", "line 3: "),
    ] {
        assert!(good.contains(from), "{from}");
        let found = back(&good.replacen(from, to, 1), Kind::Policy).unwrap_err().to_string();
        assert!(found.contains(wanted), "{to}: {found}");
    }
    let end = "\n[revocation]\ngrant = \"abcdefgh\"\nuser = \"bob\"\nreason = \"x\"\n";
    let both = revocation(
        &header(Kind::Revocation),
        &Revocation { what: Revoked::User("bob".parse().unwrap()), reason: "x".into() },
    );
    let both = format!("{}{end}", both.split_once("\n\n").unwrap().0);
    let found = back(&both, Kind::Revocation).unwrap_err().to_string();
    assert_eq!(found, "[revocation] needs either grant or user");
}

#[test]
fn what_an_approval_lacks_or_has_too_much_of_is_told() {
    let good = approval(&header(Kind::Approval), &yes(Some("fine".to_owned())));
    assert!(back(&good, Kind::Approval).is_ok());
    for (from, to, wanted) in [
        ("[\"web-1.example.org\"]", "[\"web-*\"]", "hosts: an approval is for one host"),
        ("[\"web-1.example.org\"]", "[\"web-?\"]", "hosts: an approval is for one host"),
        ("[\"web-1.example.org\"]", "[\"web-1\", \"web-2\"]", "hosts: an approval is for one host"),
        ("not_after ", "not_later ", "line 1: [document] needs not_after"),
        ("hosts ", "serial = 1\nhosts ", "line 5: unknown key \"serial\""),
        ("[approval]", "[grant]", "line 7: unknown key \"grant\"; there is [approval]"),
        ("request ", "requests ", "[approval] needs request"),
        ("\"7kq2\"", "\"7KQ2\"", "line 8: request: \"7KQ2\" is no id"),
        ("\"approve\"", "\"yes\"", "verdict: it is \"approve\" or \"deny\""),
        ("verdict ", "verdicts ", "[approval] needs verdict"),
        ("user ", "who ", "[approval] needs user"),
        ("role ", "what ", "[approval] needs role"),
        ("digest ", "hash ", "[approval] needs digest"),
        ("\"0123", "\"012", "digest: 64 small hexadecimal digits"),
        ("\"0123", "\"012G", "digest: 64 small hexadecimal digits"),
        ("89ab", "89aB", "digest: 64 small hexadecimal digits"),
        ("\"fine\"", "\" \"", "note: this says nothing"),
        ("note ", "color = 1\nnote ", "unknown key \"color\""),
        ("\"approval\"", "\"grant\"", "says that it is a \"grant\""),
    ] {
        assert!(good.contains(from), "{from}");
        let found = back(&good.replacen(from, to, 1), Kind::Approval).unwrap_err().to_string();
        assert!(found.contains(wanted), "{to}: {found}");
    }
    let no = Approval { verdict: Verdict::Deny, ..yes(None) };
    let found = back(&approval(&header(Kind::Approval), &no), Kind::Approval).unwrap_err();
    assert_eq!(found.to_string(), "note: a denial has to say why");
}

#[test]
fn an_approval_counts_on_the_host_of_that_full_name_alone() {
    let document = back(&approval(&header(Kind::Approval), &yes(None)), Kind::Approval).unwrap();
    for host in ["web-1", "web-1.example.com", "web-1.example.org.", "db-1"] {
        let found = document.counts_on(host, now());
        assert!(matches!(found, Err(Refusal::OtherHosts { .. })), "{host}: {found:?}");
    }
    assert_eq!(document.counts_on("Web-1.example.org", now()), Ok(()));
}

#[test]
fn a_document_counts_for_its_hosts_and_in_its_time() {
    let text = policy(&header(Kind::Policy), &[]);
    let document = back(&text, Kind::Policy).unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let times = |wall, latest| Times { wall: at(wall), latest: at(latest) };
    let noon = "2026-11-25T12:00:00Z";
    assert!(matches!(document.counts_on("web", now()), Err(Refusal::OtherHosts { .. })));
    let early = times("2026-11-25T10:59:59Z", noon);
    assert!(matches!(document.counts_on("web-1", early), Err(Refusal::Early { .. })));
    // A wall clock that was set back makes nothing good that was over.
    let late = times(noon, "2026-11-26T11:00:01Z");
    assert!(matches!(document.counts_on("web-1", late), Err(Refusal::Late { .. })));
    assert_eq!(document.counts_on("web-1.example.org", now()), Ok(()));
    assert_eq!(document.counts_on("db-1", times(noon, "2026-11-26T11:00:00Z")), Ok(()));
}

proptest! {
    // Each signs and verifies.
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_no_document(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(verify(&bytes, &Signers::default(), now()).is_err());
    }

    #[test]
    fn a_signature_of_random_bytes_breaks_nothing(
        blob in proptest::collection::vec(any::<u8>(), 0..400),
        prefix in prop_oneof![Just(&b""[..]), Just(&b"SSHSIG"[..]), Just(&b"SSHSIG\0\0\0\x01"[..])],
    ) {
        let blob = Base64::encode_string(&[prefix, &blob].concat());
        let document =
            format!("x\n-----BEGIN SSH SIGNATURE-----\n{blob}\n-----END SSH SIGNATURE-----\n");
        prop_assert!(verify(document.as_bytes(), &Signers::default(), now()).is_err());
    }

    #[test]
    fn one_changed_byte_of_a_document_is_never_believed(at in 0_usize..600, bit in 0_u8..8) {
        let keys = Ed25519Keypair::from_seed(&[7; 32]);
        let public = PublicKey::from(KeyData::from(keys.public)).to_openssh().unwrap();
        let text = policy(&header(Kind::Policy), &[]);
        let mut bytes = document(&keys, "policy@stint", &text).into_bytes();
        let at = at % (bytes.len() - 1);
        bytes[at] ^= 1 << bit;
        let found = verify(&bytes, &signers(&format!("alice {public}")), now());
        prop_assert!(found.is_err(), "byte {at}: {found:?}");
    }

    #[test]
    fn random_lines_let_nobody_sign(line in "[ -~\\t]{0,200}") {
        let signers = Signers::read("signers", &line, &TimeZone::UTC);
        prop_assert!(signers.is_empty());
    }

    #[test]
    fn what_is_composed_reads_as_what_it_was_made_of(
        reason in "[^\\x00]{1,100}",
        ticket in proptest::option::of("[A-Z]{3}-[0-9]{1,5}"),
        later in proptest::option::of(1_i64..3_600),
        verdict in prop_oneof![Just(Verdict::Approve), Just(Verdict::Deny)],
    ) {
        prop_assume!(!reason.trim().is_empty());
        let head = header(Kind::Grant);
        let from = later.map(|s| Timestamp::from_micros(head.not_before.micros() + s * 1_000_000));
        let made = SignedGrant {
            id: "abcdefghjkmn".parse().unwrap(),
            user: "alice".parse().unwrap(),
            role: "media".parse().unwrap(),
            from,
            until: "2026-11-26T11:00:00Z".parse().unwrap(),
            reason: reason.clone(),
            ticket,
        };
        let document = back(&grant(&head, &made), Kind::Grant).unwrap();
        prop_assert_eq!(document, Document { header: head, content: Content::Grant(made) });
        let (head, what) = (header(Kind::Revocation), Revoked::User("bob".parse().unwrap()));
        let note = reason.clone();
        let made = Revocation { what, reason };
        let document = back(&revocation(&head, &made), Kind::Revocation).unwrap();
        prop_assert_eq!(document, Document { header: head, content: Content::Revocation(made) });
        let (head, made) = (header(Kind::Approval), Approval { verdict, ..yes(Some(note)) });
        let document = back(&approval(&head, &made), Kind::Approval).unwrap();
        prop_assert_eq!(document, Document { header: head, content: Content::Approval(made) });
    }
}

#[test]
fn the_lines_of_a_policy_keep_their_numbers() {
    let file = SourceFile { path: "x".into(), text: "[roles.a]\ngroups = [\"b\"]".into() };
    let text = policy(&header(Kind::Policy), std::slice::from_ref(&file));
    let Content::Policy(read) = back(&text, Kind::Policy).unwrap().content else { panic!() };
    let line = |text: &str, what: &str| text.lines().position(|line| line == what);
    assert_eq!(line(&read.text, "[roles.a]"), line(&text, "[roles.a]"));
    assert!(!read.text.contains("document") && read.text.ends_with("groups = [\"b\"]\n"));
}
