//! The greeting of a D-Bus connection, from the side that is called (D-Bus specification,
//! Authentication Protocol). Who the peer is the kernel has said already, so the one mechanism is
//! EXTERNAL, and all that it may claim is to be root. Bytes in, bytes out.

/// The most bytes of a line.
const LONGEST_LINE: usize = 256;

/// A greeting as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    begun: bool,
    authenticated: bool,
}

/// What a greeting came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Greeted {
    /// More has to arrive.
    NotYet,
    /// Messages follow, from this byte on.
    At(usize),
    /// It is none.
    Never,
}

impl Greeting {
    /// Takes the lines that `bytes` holds from `at` on, and puts the answers into `answers`.
    /// `at` is moved behind what was taken.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        at: &mut usize,
        guid: &str,
        answers: &mut Vec<u8>,
    ) -> Greeted {
        if !self.begun {
            match bytes.first() {
                None => return Greeted::NotYet,
                Some(0) => *at = 1,
                Some(_) => return Greeted::Never,
            }
            self.begun = true;
        }
        loop {
            let rest = bytes.get(*at..).unwrap_or_default();
            let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
                return if rest.len() > LONGEST_LINE { Greeted::Never } else { Greeted::NotYet };
            };
            let line = rest.get(..end).and_then(|line| std::str::from_utf8(line).ok());
            *at += end + 2;
            match line {
                Some("BEGIN") if self.authenticated => return Greeted::At(*at),
                Some("BEGIN") | None => return Greeted::Never,
                Some(line) => answers.extend_from_slice(self.answer(line, guid).as_bytes()),
            }
        }
    }

    fn answer(&mut self, line: &str, guid: &str) -> String {
        // Root's uid in hexadecimal digits of its decimal digits; or nothing, which claims nothing.
        let mut claim = |who: &str| {
            self.authenticated = who.is_empty() || who == "30";
            if self.authenticated {
                format!("OK {guid}\r\n")
            } else {
                "REJECTED EXTERNAL\r\n".to_owned()
            }
        };
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["AUTH", "EXTERNAL", who] => claim(who),
            ["DATA", who] => claim(who),
            ["DATA"] => claim(""),
            ["AUTH", "EXTERNAL"] => "DATA\r\n".to_owned(),
            ["AUTH", ..] | ["CANCEL"] => "REJECTED EXTERNAL\r\n".to_owned(),
            _ => "ERROR\r\n".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeted(text: &str) -> (Greeted, String) {
        let mut answers = Vec::new();
        let mut at = 0;
        let greeted = Greeting::default().take(text.as_bytes(), &mut at, "abc", &mut answers);
        (greeted, String::from_utf8(answers).unwrap())
    }

    #[test]
    fn nobody_begins_without_being_root() {
        assert_eq!(greeted("AUTH EXTERNAL 30\r\nBEGIN\r\n").0, Greeted::Never);
        assert_eq!(greeted("\0BEGIN\r\n").0, Greeted::Never);
        assert_eq!(greeted("\0AUTH EXTERNAL 31303030\r\nBEGIN\r\n").0, Greeted::Never);
        assert_eq!(greeted("\0AUTH ANONYMOUS\r\nBEGIN\r\n").0, Greeted::Never);
        assert_eq!(greeted(&format!("\0{}", "x".repeat(300))).0, Greeted::Never);
        assert_eq!(
            greeted("\0AUTH EXTERNAL 30\r\nAUTH EXTERNAL 31\r\nBEGIN\r\n").0,
            Greeted::Never
        );
    }

    #[test]
    fn the_module_greets_in_one_go_and_others_line_by_line() {
        let (at, said) = greeted("\0AUTH EXTERNAL 30\r\nBEGIN\r\nl");
        assert_eq!((at, said.as_str()), (Greeted::At(26), "OK abc\r\n"));
        let (at, said) = greeted("\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n");
        assert!(matches!(at, Greeted::At(_)));
        assert_eq!(said, "DATA\r\nOK abc\r\nERROR\r\n");
        assert_eq!(greeted("\0AUTH EXTERNAL 30\r\nBEG").0, Greeted::NotYet);
    }
}
