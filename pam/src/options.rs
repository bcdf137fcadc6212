//! What stands behind the module's name in a PAM file. Reads nothing else; a mistake is an error,
//! which denies.

use core::ffi::CStr;
use core::time::Duration;

use stint_ask::{Line, Say};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadOption<'a> {
    /// There is no such option.
    Unknown {
        /// As it was written.
        option: &'a [u8],
    },
    /// The timeout is no number of seconds from 1 to 60.
    Timeout {
        /// As it was written.
        value: &'a [u8],
    },
}

impl Say for BadOption<'_> {
    fn say(&self, line: &mut Line) {
        let (before, found, after) = match self {
            Self::Unknown { option } => {
                ("unknown option \"", option, "\": timeout=SECONDS, quiet, prompt, debug exist")
            }
            Self::Timeout { value } => {
                ("timeout=\"", value, "\" is no timeout: it takes whole seconds, 1 to 60")
            }
        };
        let mut text = Line::default();
        text.push_lossy(found);
        line.push(before);
        line.push_harmless(text.as_str());
        line.push(after);
    }
}

impl Options {
    /// Reads the options; the last `timeout` counts.
    ///
    /// # Errors
    /// On anything that is not an option, and on a timeout out of bounds.
    pub fn parse<'a>(arguments: impl Iterator<Item = &'a CStr>) -> Result<Self, BadOption<'a>> {
        let mut options = Self::default();
        for argument in arguments {
            match argument.to_bytes() {
                b"quiet" => options.quiet = true,
                b"prompt" => options.prompt = true,
                b"debug" => options.debug = true,
                other => match other.strip_prefix(b"timeout=") {
                    Some(value) => {
                        options.timeout = timeout(value).ok_or(BadOption::Timeout { value })?;
                    }
                    None => return Err(BadOption::Unknown { option: other }),
                },
            }
        }
        Ok(options)
    }
}

fn timeout(value: &[u8]) -> Option<Duration> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte.wrapping_sub(b'0')));
    let seconds = match value {
        [ones] => digit(ones)?,
        [tens, ones] => digit(tens)?.saturating_mul(10).saturating_add(digit(ones)?),
        _ => return None,
    };
    (1..=60).contains(&seconds).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(arguments: &[&'a CStr]) -> Result<Options, BadOption<'a>> {
        Options::parse(arguments.iter().copied())
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in [c"", c"Quiet", c"quiet=1", c"sufficient", c"timeout", c"debug ", c"\xff"] {
            assert!(matches!(parse(&[text]), Err(BadOption::Unknown { .. })), "{text:?}");
        }
        assert!(parse(&[c"quiet", c"oops", c"debug"]).is_err());
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
            assert!(matches!(parse(&[text]), Err(BadOption::Timeout { .. })), "{text:?}");
        }
    }

    #[test]
    fn a_mistake_is_named_in_one_harmless_line() {
        for (argument, shown) in
            [(c"a\n\x1b[2Jb", "\"a??[2Jb\""), (c"timeout=\xff", "\"\u{fffd}\"")]
        {
            let line = Line::saying([], &parse(&[argument]).unwrap_err());
            assert!(line.as_str().contains(shown), "{line:?}");
        }
    }

    #[test]
    fn reads_what_the_manual_says() {
        assert_eq!(parse(&[]).unwrap(), Options::default());
        let options = parse(&[c"timeout=60", c"quiet", c"prompt", c"debug"]).unwrap();
        let timeout = Duration::from_secs(60);
        assert_eq!(options, Options { timeout, quiet: true, prompt: true, debug: true });
        assert_eq!(parse(&[c"timeout=1"]).unwrap().timeout, Duration::from_secs(1));
    }
}
