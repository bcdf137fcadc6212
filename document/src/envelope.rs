//! A document's outer form: a text, then armored signatures and nothing else. Reads nothing of the
//! text.

use base64ct::{Base64, Encoding};

use crate::Refusal;
use crate::signature::Signature;

/// The most bytes of a document: 1 MiB.
pub const SIZE_LIMIT: usize = 1024 * 1024;
/// The most signatures of a document.
pub const SIGNATURES: usize = 16;
/// The most characters of one signature; one by an RSA certificate of 4096 bits has some 6,000.
const ARMOR_LIMIT: usize = 32 * 1024;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// A text and its signatures, none of them verified.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) text: &'a str,
    pub(crate) signatures: Vec<Signature>,
}

/// The text before the signatures, whether they are good or not: to be looked at, never to be
/// believed.
///
/// # Errors
/// [`Refusal`] when there is none.
pub fn text_of(bytes: &[u8]) -> Result<&str, Refusal> {
    parts(bytes).map(|(text, _)| text)
}

/// Takes a document apart.
pub(crate) fn open(bytes: &[u8]) -> Result<Envelope<'_>, Refusal> {
    let (text, rest) = parts(bytes)?;
    let mut at = text.lines().count();
    let mut signatures = Vec::new();
    let mut lines = rest.split('\n');
    while let Some(line) = lines.next() {
        at += 1;
        // What follows the last line break.
        if line.is_empty() && lines.clone().next().is_none() {
            break;
        }
        if line != BEGIN {
            return Err(Refusal::Stray { line: at });
        }
        if signatures.len() >= SIGNATURES {
            return Err(Refusal::TooMany);
        }
        let number = signatures.len() + 1;
        let armored = armored(&mut lines, &mut at)?;
        signatures.push(read(&armored).map_err(|why| Refusal::Unreadable { number, why })?);
    }
    Ok(Envelope { text, signatures })
}

fn parts(bytes: &[u8]) -> Result<(&str, &str), Refusal> {
    if bytes.len() > SIZE_LIMIT {
        return Err(Refusal::TooBig { size: bytes.len() });
    }
    let all = std::str::from_utf8(bytes).map_err(|_| Refusal::NotText)?;
    let starts = all.match_indices(BEGIN).map(|(at, _)| at);
    let first = starts
        .filter(|at| {
            all.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with('\n'))
        })
        .map(|at| all.split_at(at))
        .next();
    match first {
        None => Err(Refusal::Unsigned),
        Some((text, _)) if text.trim().is_empty() => Err(Refusal::NoText),
        Some((text, rest)) => Ok((text, rest)),
    }
}

/// The lines up to the end of a signature, without their breaks.
fn armored<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    at: &mut usize,
) -> Result<String, Refusal> {
    let mut armored = String::new();
    for line in lines {
        *at += 1;
        if line == END {
            return Ok(armored);
        }
        if armored.len() + line.len() > ARMOR_LIMIT {
            return Err(Refusal::Stray { line: *at });
        }
        armored.push_str(line);
    }
    Err(Refusal::CutOff)
}

/// Reads what stands between the two lines of an armored signature, its breaks taken out.
pub(crate) fn read(armored: &str) -> Result<Signature, &'static str> {
    let blob = Base64::decode_vec(armored).map_err(|_| "it is no base64")?;
    Signature::read(&blob)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_text_with_signatures() {
        let begun = format!("a = 1\n{BEGIN}\nAAAA\n");
        for (bytes, wanted) in [
            (&b""[..], Refusal::Unsigned),
            (b"a = 1\n", Refusal::Unsigned),
            (b"\xff\n", Refusal::NotText),
            (b"a = 1\n-----BEGIN SSH SIG", Refusal::Unsigned),
            (format!("a = 1 {BEGIN}\n").as_bytes(), Refusal::Unsigned),
            (format!("{BEGIN}\n").as_bytes(), Refusal::NoText),
            (format!(" \n{BEGIN}\n").as_bytes(), Refusal::NoText),
            (begun.as_bytes(), Refusal::CutOff),
            (
                format!("{begun}{END}\n").as_bytes(),
                Refusal::Unreadable { number: 1, why: "it is no SSH signature" },
            ),
            (&vec![b'a'; SIZE_LIMIT + 1], Refusal::TooBig { size: SIZE_LIMIT + 1 }),
        ] {
            assert_eq!(open(bytes).unwrap_err(), wanted, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
