//! Everything that is printed goes through here. A reader who has left (`| head`) ends nothing:
//! what the command was doing is done to its end, in silence.

use std::io::{BufWriter, ErrorKind, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static BROKEN: AtomicBool = AtomicBool::new(false);
static FAILED: AtomicBool = AtomicBool::new(false);

/// Prints lines to standard output; colours go only to a terminal, and not under NO_COLOR.
pub fn print(text: &str) {
    if BROKEN.load(Ordering::Relaxed) {
        return;
    }
    let mut stream = anstream::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    if let Err(error) = write!(stream, "{text}{end}").and_then(|()| stream.flush()) {
        is_broken(&error);
    }
}

fn is_broken(error: &std::io::Error) {
    BROKEN.store(true, Ordering::Relaxed);
    if error.kind() != ErrorKind::BrokenPipe {
        FAILED.store(true, Ordering::Relaxed);
        warn(&format!("stint: standard output: {error}"));
    }
}

/// Standard output for data: in large pieces, as it is. A reader who has left is no error, here
/// either.
#[derive(Debug)]
pub struct Bulk(BufWriter<Stdout>);

impl Bulk {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self(BufWriter::with_capacity(64 * 1_024, std::io::stdout()))
    }
}

impl Write for Bulk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !broken() {
            self.0.write_all(bytes).unwrap_or_else(|error| is_broken(&error));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if !broken() {
            self.0.flush().unwrap_or_else(|error| is_broken(&error));
        }
        Ok(())
    }
}

/// Prints a JSON document to standard output.
pub fn json(value: &serde_json::Value) {
    print(&format!("{value:#}"));
}

/// Prints lines to standard error. Nobody could be told that this failed.
pub fn warn(text: &str) {
    let mut stream = anstream::stderr().lock();
    let _ = writeln!(stream, "{text}");
}

/// Whether output was lost for another reason than that its reader left.
pub fn failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}

/// Whether nobody reads any more.
pub fn broken() -> bool {
    BROKEN.load(Ordering::Relaxed)
}

/// Progress on standard error: on a terminal one line that is written over, elsewhere a line
/// whenever there is something new.
#[derive(Debug)]
pub struct Progress {
    rewrites: bool,
    shown: String,
}

impl Progress {
    /// Nothing shown yet.
    pub fn new() -> Self {
        Self { rewrites: std::io::stderr().is_terminal(), shown: String::new() }
    }

    /// Shows how things stand; `detail` changes all the time, and is for a terminal only.
    pub fn show(&mut self, text: &str, detail: &str) {
        let line = if self.rewrites { format!("{text} {detail}") } else { text.to_owned() };
        if line == self.shown {
            return;
        }
        if self.rewrites {
            // Without wrapping: a line that has wrapped cannot be written over.
            raw(&format!("\r\u{1b}[?7l{line}\u{1b}[K\u{1b}[?7h"));
        } else {
            warn(&line);
        }
        self.shown = line;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.rewrites && !self.shown.is_empty() {
            raw("\r\u{1b}[K");
        }
    }
}

/// Asks on the terminal, the cursor staying behind the question.
pub fn ask(question: &str) {
    raw(question);
}

/// Nobody could be told that this failed.
fn raw(text: &str) {
    let mut stream = std::io::stderr().lock();
    let _ = write!(stream, "{text}").and_then(|()| stream.flush());
}
