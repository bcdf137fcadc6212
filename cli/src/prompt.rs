//! Questions to the person at the terminal. Where there is none, nothing is asked.

use std::io::{IsTerminal, stderr, stdin};

use stint_policy::text::harmless;

use crate::failure::Failure;
use crate::out;

/// Whether somebody can be asked.
pub fn possible() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// One line of an answer, without blanks around it.
///
/// # Errors
/// When the terminal cannot be read, or its input has ended.
pub fn line(question: &str) -> Result<String, Failure> {
    out::ask(&format!("{question} "));
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer).map_err(|error| {
        Failure::failed(format!("the terminal: {}", harmless(&error.to_string())))
    })?;
    if read == 0 {
        out::warn("");
        return Err(Failure::failed("nothing was answered, and nothing was done"));
    }
    Ok(answer.trim().to_owned())
}

/// Whether the answer is yes; anything else is no.
///
/// # Errors
/// As [`line`].
pub fn yes(question: &str) -> Result<bool, Failure> {
    Ok(is_yes(&line(&format!("{question} [y/N]"))?))
}

fn is_yes(answer: &str) -> bool {
    answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for answer in ["", "n", "no", "yy", "ye", "sure", "yes please"] {
            assert!(!is_yes(answer), "{answer}");
        }
        for answer in ["y", "Y", "yes", "YES"] {
            assert!(is_yes(answer), "{answer}");
        }
    }
}
