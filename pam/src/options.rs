//! What stands behind the module's name in a PAM file. Reads nothing else; a mistake is an error,
//! which denies.

use std::ffi::CStr;
use std::fmt;
use std::time::Duration;

use stint_ask::harmless;

/// The module's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `timeout=SECONDS`: how long a call may take in all, 1 to 60 s; 3 s if absent.
    pub timeout: Duration,
    /// `quiet`: tell the person nothing.
    pub quiet: bool,
    /// `prompt`: at a terminal, ask for what is missing there and then.
    pub prompt: bool,
    /// `debug`: log what happens, at level debug.
    pub debug: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), quiet: false, prompt: false, debug: false }
    }
}

/// Why the options cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadOption {
    /// There is no such option.
    Unknown {
        /// As it was written, made harmless.
        option: String,
    },
    /// The timeout is no number of seconds from 1 to 60.
    Timeout {
        /// As it was written, made harmless.
        value: String,
    },
}

impl fmt::Display for BadOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { option } => {
                write!(
                    f,
                    "unknown option \"{option}\": timeout=SECONDS, quiet, prompt, debug exist"
                )
            }
            Self::Timeout { value } => {
                write!(f, "timeout=\"{value}\" is no timeout: it takes whole seconds, 1 to 60")
            }
        }
    }
}

impl Options {
    /// Reads the options; the last `timeout` counts.
    ///
    /// # Errors
    /// On anything that is not an option, and on a timeout out of bounds.
    pub fn parse(args: &[&CStr]) -> Result<Self, BadOption> {
        let mut options = Self::default();
        for arg in args {
            let text = arg.to_string_lossy();
            match text.as_ref() {
                "quiet" => options.quiet = true,
                "prompt" => options.prompt = true,
                "debug" => options.debug = true,
                other => match other.strip_prefix("timeout=") {
                    Some(value) => options.timeout = timeout(value)?,
                    None => return Err(BadOption::Unknown { option: harmless(other) }),
                },
            }
        }
        Ok(options)
    }
}

fn timeout(value: &str) -> Result<Duration, BadOption> {
    let digits = !value.is_empty() && value.len() <= 2 && value.bytes().all(|b| b.is_ascii_digit());
    let seconds = if digits { value.parse::<u64>().ok() } else { None };
    match seconds {
        Some(seconds @ 1..=60) => Ok(Duration::from_secs(seconds)),
        _ => Err(BadOption::Timeout { value: harmless(value) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in [c"", c"Quiet", c"quiet=1", c"sufficient", c"timeout", c"debug ", c"\xff"] {
            assert!(matches!(Options::parse(&[text]), Err(BadOption::Unknown { .. })), "{text:?}");
        }
        assert!(Options::parse(&[c"quiet", c"oops", c"debug"]).is_err());
    }

    #[test]
    fn refuses_timeouts_out_of_bounds() {
        for text in [
            c"timeout=",
            c"timeout=0",
            c"timeout=61",
            c"timeout=-1",
            c"timeout=+5",
            c"timeout=1.5",
            c"timeout=3s",
            c"timeout=99999999999999999999",
            c"timeout= 3",
            c"timeout=003",
        ] {
            assert!(matches!(Options::parse(&[text]), Err(BadOption::Timeout { .. })), "{text:?}");
        }
    }

    #[test]
    fn a_mistake_is_named_in_one_harmless_line() {
        let error = Options::parse(&[c"a\n\x1b[2Jb"]).unwrap_err().to_string();
        assert!(error.chars().all(|c| !c.is_control()), "{error:?}");
    }

    #[test]
    fn reads_what_the_manual_says() {
        assert_eq!(Options::parse(&[]).unwrap(), Options::default());
        let options = Options::parse(&[c"timeout=60", c"quiet", c"prompt", c"debug"]).unwrap();
        let timeout = Duration::from_secs(60);
        assert_eq!(options, Options { timeout, quiet: true, prompt: true, debug: true });
        assert_eq!(Options::parse(&[c"timeout=1"]).unwrap().timeout, Duration::from_secs(1));
    }
}
