//! What was typed: `stint-run GRANT -- PROGRAM [ARGUMENT…]`, exactly. The program and its arguments
//! are any bytes; nothing is read from them.

use std::ffi::OsString;
use std::fmt;

use stint_proto::{BadName, GrantId};

/// What is to be run, by which grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The grant, or the beginning of its id.
    pub grant: GrantId,
    /// The program, as typed.
    pub program: OsString,
    /// What it is told.
    pub arguments: Vec<OsString>,
}

/// Why it is no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadOrder {
    /// It has another form.
    Form,
    /// What stands in the place of the id is none.
    Id(BadName),
}

impl fmt::Display for BadOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str(
                "usage: stint-run GRANT -- COMMAND [ARGUMENT...]; people type: stint run ROLE -- \
                 COMMAND",
            ),
            Self::Id(bad) => bad.fmt(f),
        }
    }
}

impl Order {
    /// Reads the arguments, the program's own name first; that one counts for nothing.
    ///
    /// # Errors
    /// [`BadOrder`] unless they are exactly an order.
    pub fn read(mut words: impl Iterator<Item = OsString>) -> Result<Self, BadOrder> {
        let (Some(_), Some(id), Some(dashes), Some(program)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(BadOrder::Form);
        };
        if dashes != "--" || program.is_empty() {
            return Err(BadOrder::Form);
        }
        let grant = id.to_string_lossy().parse().map_err(BadOrder::Id)?;
        Ok(Self { grant, program, arguments: words.collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn read(words: &[&[u8]]) -> Result<Order, BadOrder> {
        Order::read(words.iter().map(|word| OsString::from_vec(word.to_vec())))
    }

    #[test]
    fn nothing_but_the_one_form_is_an_order() {
        let bad: [&[&[u8]]; 9] = [
            &[],
            &[b"stint-run"],
            &[b"stint-run", b"g4t9"],
            &[b"stint-run", b"g4t9", b"--"],
            &[b"stint-run", b"g4t9", b"--", b""],
            &[b"stint-run", b"g4t9", b"id"],
            &[b"stint-run", b"g4t9", b"id", b"--"],
            &[b"stint-run", b"--", b"g4t9", b"id"],
            &[b"g4t9", b"--", b"id"],
        ];
        for words in bad {
            assert_eq!(read(words), Err(BadOrder::Form), "{words:?}");
        }
        for id in [&b""[..], b"../g4t9", b"-v", b"G4T9", b"g4t9 ", b"\xff", b"\x1b[2J", &[b'2'; 99]]
        {
            let answer = read(&[b"stint-run", id, b"--", b"id"]);
            let Err(error @ BadOrder::Id(_)) = answer else { panic!("{id:?} is an id") };
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
    }

    #[test]
    fn the_program_and_its_arguments_are_any_bytes() {
        let order = read(&[b"", b"g4t9", b"--", b"--", b"\xff\n", b"--", b""]).unwrap();
        assert_eq!((order.grant.as_str(), order.program.to_str()), ("g4t9", Some("--")));
        let arguments: Vec<Vec<u8>> = order.arguments.into_iter().map(OsString::into_vec).collect();
        assert_eq!(arguments, [&b"\xff\n"[..], b"--", b""]);
    }
}
