//! Everything that is printed goes through here. A reader who has left (`| head`) ends nothing:
//! what the command was doing is done to its end, in silence.

use std::io::{ErrorKind, Write};
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
        BROKEN.store(true, Ordering::Relaxed);
        if error.kind() != ErrorKind::BrokenPipe {
            FAILED.store(true, Ordering::Relaxed);
            warn(&format!("stint: standard output: {error}"));
        }
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
