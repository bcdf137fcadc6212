//! Running a checker: by absolute path, with an empty environment, with an end in time, its output
//! kept and capped. Runs nothing by a shell and nothing as anybody else.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::wait::Patience;

/// How much of the output is kept; sudo says its version first.
const KEPT: usize = 4096;
/// How much may be written at all. A checker that warns of each of 10,000 rules stays below.
const OUTPUT_LIMIT: usize = 16 << 20;
const SLICE: Duration = Duration::from_millis(100);

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Whether it ended with status 0.
    pub(crate) success: bool,
    /// The beginning of what it wrote, on either stream.
    pub(crate) output: String,
}

/// Why a program did not end by itself.
#[derive(Debug)]
pub struct RunError {
    /// Which program.
    pub program: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be run: {}", self.program.display(), self.error)
    }
}

impl std::error::Error for RunError {}

/// Runs `program` to its end, for at most about `limit`.
pub(super) fn run(program: &Path, args: &[&Path], limit: Duration) -> Result<Ran, RunError> {
    start(program, args, true)
        .and_then(|(child, reader)| finish(child, reader, limit, KEPT))
        .map_err(|error| RunError { program: program.to_owned(), error })
}

/// The same of a converter: of its output alone, without what it complains of, so much is kept; more
/// is an error.
pub(crate) fn output_of(
    program: &Path,
    args: &[&Path],
    limit: Duration,
    most: usize,
) -> Result<Ran, RunError> {
    let whole = |ran: Ran| match ran.output.len() < most {
        true => Ok(ran),
        false => Err(io::Error::other("it writes without end")),
    };
    start(program, args, false)
        .and_then(|(child, reader)| finish(child, reader, limit, most))
        .and_then(whole)
        .map_err(|error| RunError { program: program.to_owned(), error })
}

fn start(program: &Path, args: &[&Path], complaints: bool) -> io::Result<(Child, UnixStream)> {
    // A socket rather than a pipe, because reading from it can have an end in time.
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(SLICE))?;
    let stderr =
        if complaints { Stdio::from(OwnedFd::from(theirs.try_clone()?)) } else { Stdio::null() };
    let child = Command::new(program)
        .args(args)
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(OwnedFd::from(theirs))
        .stderr(stderr)
        .spawn()?;
    Ok((child, ours))
}

fn finish(mut child: Child, reader: UnixStream, limit: Duration, kept: usize) -> io::Result<Ran> {
    let ended = wait(&mut child, reader, limit, kept);
    if ended.is_err() {
        // It may have ended by itself by now, and then there is nothing to kill.
        let _ = child.kill();
        child.wait()?;
    }
    ended
}

fn wait(
    child: &mut Child,
    mut reader: UnixStream,
    limit: Duration,
    kept: usize,
) -> io::Result<Ran> {
    let too_slow = || io::Error::new(ErrorKind::TimedOut, "it did not end in time");
    let mut slices = limit.as_millis() / SLICE.as_millis();
    let mut output = Vec::new();
    let mut written = 0_usize;
    let mut buffer = [0_u8; 4096];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => {
                written = written.saturating_add(len);
                let room = kept.saturating_sub(output.len()).min(len);
                output.extend_from_slice(buffer.get(..room).unwrap_or_default());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Our end of a socket whose other end closed with unread data is no failure.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                slices = slices.checked_sub(1).ok_or_else(too_slow)?;
            }
            Err(error) => return Err(error),
        }
        if written > OUTPUT_LIMIT {
            return Err(io::Error::other("it writes without end"));
        }
    }
    let mut patience = Patience::of(limit);
    loop {
        if let Some(status) = child.try_wait()? {
            let output = String::from_utf8_lossy(&output).into_owned();
            return Ok(Ran { success: status.success(), output });
        }
        if !patience.pause() {
            return Err(too_slow());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<Ran, RunError> {
        run(Path::new("/bin/sh"), &[Path::new("-c"), Path::new(script)], limit)
    }

    #[test]
    fn what_hangs_or_floods_or_is_not_there_is_an_error() {
        let slow = sh("sleep 60", Duration::from_millis(200)).unwrap_err();
        assert_eq!(slow.error.kind(), ErrorKind::TimedOut);
        let quiet = sh("exec >/dev/null 2>&1; sleep 60", Duration::from_millis(200)).unwrap_err();
        assert_eq!(quiet.error.kind(), ErrorKind::TimedOut);
        assert!(sh("exec yes", Duration::from_secs(10)).is_err());
        assert!(run(Path::new("/nonexistent"), &[], Duration::from_secs(1)).is_err());
    }

    #[test]
    fn of_a_long_output_the_beginning_is_kept() {
        let ran = sh("echo first; head -c 100000 /dev/zero", Duration::from_secs(10)).unwrap();
        assert!(ran.success && ran.output.starts_with("first\n"));
        assert_eq!(ran.output.len(), KEPT);
    }

    #[test]
    fn a_converters_output_is_kept_whole_and_without_its_complaints() {
        let limit = Duration::from_secs(10);
        let sh = |script: &str| {
            output_of(Path::new("/bin/sh"), &[Path::new("-c"), Path::new(script)], limit, 9_000)
        };
        let ran = sh("echo err >&2; head -c 8000 /dev/zero | tr '\\0' x").unwrap();
        assert!(ran.success && ran.output == "x".repeat(8_000));
        assert!(sh("head -c 9000 /dev/zero").is_err());
    }

    #[test]
    fn status_and_both_streams_come_back_and_no_environment_goes_in() {
        let ran =
            sh("echo out; echo err >&2; echo \"${HOME-none}\"; exit 3", Duration::from_secs(10));
        let ran = ran.unwrap();
        assert!(!ran.success);
        assert_eq!(ran.output, "out\nerr\nnone\n");
    }
}
