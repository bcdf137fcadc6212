use super::*;

fn key(seed: u8) -> HostKey {
    HostKey::of_seed(&[seed; 32], "stint checkpoints of web-1").unwrap()
}

fn statement() -> Statement {
    Statement {
        host: "web-1".to_owned(),
        link: "1000".to_owned(),
        hash: "0f".repeat(32),
        time: "2026-11-25T22:00:00.000Z".to_owned(),
    }
}

fn keys(text: &str) -> Signers {
    let keys = host_keys("web-1.pub", text, &TimeZone::UTC);
    assert_eq!(keys.problems(), [] as [&str; 0]);
    keys
}

#[test]
fn what_is_signed_is_five_lines() {
    let text = statement().text();
    assert_eq!(
        text,
        format!(
            "stint.record.checkpoint.1\nhost web-1\nlink 1000\nhash {}\n\
             time 2026-11-25T22:00:00.000Z\n",
            "0f".repeat(32)
        )
    );
}

#[test]
fn whatever_is_changed_is_found() {
    let (key, said) = (key(7), statement());
    let signature = key.sign(&said).unwrap();
    assert!(signature.len() < 400 && !signature.contains(char::is_whitespace), "{signature}");
    let keys = keys(&key.public());
    assert_eq!(proven(&said, &signature, &keys), Ok(key.fingerprint()));
    let changes: [fn(&mut Statement); 4] = [
        |said| said.host = "web-2".to_owned(),
        |said| said.link = "999".to_owned(),
        |said| said.hash = "0e".repeat(32),
        |said| said.time = "2026-11-25T22:00:00.001Z".to_owned(),
    ];
    for change in changes {
        let mut other = said.clone();
        change(&mut other);
        let found = proven(&other, &signature, &keys);
        assert!(matches!(found, Err(Unproven::Broken(_))), "{other:?}: {found:?}");
    }
    for bad in ["", "x", "AAAA", &signature[..100], &signature.replace('A', "B")] {
        let found = proven(&said, bad, &keys);
        assert!(matches!(found, Err(Unproven::Broken(_))), "{bad}: {found:?}");
    }
}

#[test]
fn only_keys_that_may_speak_for_the_host_count() {
    let (own, other) = (key(7), key(8));
    let said = statement();
    let signature = own.sign(&said).unwrap();
    let public = own.public();
    for line in [
        format!("{public} any comment"),
        format!("web-* {public}"),
        format!("web-1 namespaces=\"checkpoint@stint\" {public}"),
        format!("# of old\n{}\nweb-1 valid-before=\"20261126Z\" {public}", other.public()),
    ] {
        assert_eq!(proven(&said, &signature, &keys(&line)), Ok(own.fingerprint()), "{line}");
    }
    for (line, says) in [
        (other.public(), "stands in no line"),
        (format!("web-2 {public}"), "web-2, not for web-1"),
        (format!("web-1 namespaces=\"policy@stint\" {public}"), "may not sign as checkpoint@stint"),
        (format!("web-1 valid-before=\"20261125Z\" {public}"), "may not sign any more"),
        (format!("web-1 valid-after=\"20261126Z\" {public}"), "may not sign yet"),
        (format!("web-1 cert-authority {public}"), "stands in no line"),
        (String::new(), "stands in no line"),
    ] {
        match proven(&said, &signature, &keys(&line)) {
            Err(Unproven::Other(why)) => assert!(why.contains(says), "{line}: {why}"),
            found => panic!("{line}: {found:?}"),
        }
    }
}

#[test]
fn a_signature_of_something_else_is_none_of_a_checkpoint() {
    let key = key(7);
    let text = statement().text();
    let signed = key.0.sign("policy@stint", HashAlg::Sha512, text.as_bytes()).unwrap();
    let armored = signed.to_pem(LineEnding::LF).unwrap();
    let signature: String = armored.lines().filter(|line| !line.starts_with("-----")).collect();
    let found = proven(&statement(), &signature, &keys(&key.public()));
    assert!(matches!(&found, Err(Unproven::Broken(why)) if why.contains("policy@stint")));
}

#[test]
fn a_key_is_the_same_when_it_is_read_again() {
    let made = key(7);
    let text = made.openssh().unwrap().to_owned();
    assert!(text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"), "{text}");
    let read = HostKey::read(&text).unwrap();
    assert_eq!(read.public(), made.public());
    assert_eq!(read.sign(&statement()), made.sign(&statement()));
    // Two halves of different keys, as a file that was put together by hand has them.
    let mut pair = Ed25519Keypair::from_seed(&[7; 32]);
    pair.public = Ed25519Keypair::from_seed(&[8; 32]).public;
    let mixed = PrivateKey::new(KeypairData::Ed25519(pair), "").unwrap();
    let mixed = mixed.to_openssh(LineEnding::LF).unwrap();
    assert_eq!(HostKey::read(&mixed).err(), Some(BadKey::Unreadable));
    for damaged in ["", "x", &text[..200], &text.replace("b3", "b4")] {
        assert_eq!(HostKey::read(damaged).err(), Some(BadKey::Unreadable), "{damaged}");
    }
}
