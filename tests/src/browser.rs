//! A real browser, headless: Debian's Chromium, told what to do over a pair of pipes in its own
//! protocol. It opens a page, is made as wide as a phone or a desk, and says what the page did. It
//! knows nothing of what is on the page.

use crate::clock::Deadline;
use crate::run::end_tree;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// What one answer may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a page is given to ask for something more.
const SETTLED: Duration = Duration::from_millis(500);

/// A browser with one page. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    orders: ChildStdin,
    said: Receiver<Value>,
    session: String,
    number: u64,
    /// What the page did without being asked: see [`Browser::complaints`].
    complaints: Vec<String>,
    profile: PathBuf,
}

impl Browser {
    /// Starts one. Its files go below `folder`.
    ///
    /// # Panics
    /// When Chromium is not installed, or does not answer.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        let profile = folder.join(format!("profile-{}", std::process::id()));
        fs::create_dir_all(&profile).expect("a folder for the browser");
        // Its protocol is on the descriptors 3 and 4, which a shell can put there.
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "exec 3<&0 4>&1 </dev/null >/dev/null 2>&1; exec chromium \"$@\"",
            "sh",
        ]);
        // Root has no sandbox; the page is the test's own.
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
        command.args(["--disable-dev-shm-usage", "--disable-extensions", "--hide-scrollbars"]);
        command.args(["--force-device-scale-factor=1", "--remote-debugging-pipe"]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        command.env_remove("DBUS_SYSTEM_BUS_ADDRESS").env_remove("DBUS_SESSION_BUS_ADDRESS");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        let orders = child.stdin.take().expect("a pipe");
        let answers = child.stdout.take().expect("a pipe");
        let (tell, said) = channel();
        thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap_or_default();
                if tell.send(message).is_err() {
                    break;
                }
            }
        });
        let (session, complaints) = (String::new(), Vec::new());
        let mut browser = Self { child, orders, said, session, number: 0, complaints, profile };
        let opened = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": opened["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", target);
        browser.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Opens a file.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub fn open(&mut self, file: &Path) {
        let url = format!("file://{}", file.canonicalize().expect("a file").display());
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert!(opened.get("errorText").is_none(), "{opened}");
        let loaded = "new Promise(done => document.readyState === 'complete' ? done(1) : \
                      addEventListener('load', () => done(1)))";
        self.look(loaded);
    }

    /// Shows the page so wide and so high, in light or dark, as on a screen.
    pub fn show(&mut self, width: u32, height: u32, dark: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": "screen", "features": features }));
    }

    /// What an expression comes to on the page; one that waits is waited for.
    ///
    /// # Panics
    /// When it throws.
    pub fn look(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Takes a picture of so much of the page, in pixels, from the first element on that fits.
    pub fn picture(&mut self, file: &Path, selector: &str, height: u32) {
        let place = format!(
            "(e => [e.getBoundingClientRect().top + scrollY, innerWidth, \
             document.documentElement.scrollHeight])(document.querySelector({}))",
            json!(selector)
        );
        let place = self.look(&place);
        let [top, width, all] = [0, 1, 2].map(|number| place[number].as_f64().unwrap_or_default());
        let height = f64::from(height).min(all - top);
        let clip = json!({ "x": 0, "y": top, "width": width, "height": height, "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let answer = self.call("Page.captureScreenshot", asked);
        put(file, &answer);
    }

    /// Shows the page as it is printed by somebody who has everything dark.
    pub fn show_print(&mut self) {
        let features = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": "print", "features": features }));
    }

    /// Prints the page into a PDF; how many pages it has.
    pub fn print(&mut self, file: &Path) -> usize {
        let asked = json!({ "printBackground": true, "preferCSSPageSize": true });
        let answer = self.call("Page.printToPDF", asked);
        put(file, &answer);
        let pdf = fs::read(file).expect("the PDF");
        assert!(pdf.starts_with(b"%PDF-"), "no PDF");
        String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count()
    }

    /// What the page did without being asked, so far: what it wrote to the console, errors, and what
    /// it asked the network for beside itself.
    pub fn complaints(&mut self) -> &[String] {
        let deadline = Deadline::after(SETTLED);
        while let Ok(message) = self.said.recv_timeout(deadline.left()) {
            self.notice(&message);
        }
        &self.complaints
    }

    /// Calls a method of the protocol.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let mut order = json!({ "id": self.number, "method": method, "params": params });
        if !self.session.is_empty() {
            order["sessionId"] = json!(self.session);
        }
        let mut bytes = order.to_string().into_bytes();
        bytes.push(0);
        let sent = self.orders.write_all(&bytes).and_then(|()| self.orders.flush());
        sent.unwrap_or_else(|error| panic!("{}: {error}", self.absence()));
        let deadline = Deadline::after(PATIENCE);
        loop {
            match self.said.recv_timeout(deadline.left()) {
                Ok(message) if message["id"] == json!(self.number) => {
                    assert!(message.get("error").is_none(), "{method}: {message}");
                    return message["result"].clone();
                }
                Ok(message) => self.notice(&message),
                Err(RecvTimeoutError::Disconnected) => panic!("{method}: {}", self.absence()),
                Err(RecvTimeoutError::Timeout) => panic!("{method}: the browser does not answer"),
            }
        }
    }

    fn absence(&self) -> &'static str {
        "there is no browser: install the package chromium (tests/prepare.sh browser)"
    }

    fn notice(&mut self, message: &Value) {
        let params = &message["params"];
        let complaint = match message["method"].as_str().unwrap_or_default() {
            "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" => params,
            "Page.javascriptDialogOpening" => params,
            // The page itself is one.
            "Network.requestWillBeSent" if params["type"] != "Document" => {
                &params["request"]["url"]
            }
            _ => return,
        };
        self.complaints.push(complaint.to_string());
    }
}

/// Writes what an answer holds in base64.
fn put(file: &Path, answer: &Value) {
    let text = answer["data"].as_str().expect("data");
    fs::write(file, decoded(text)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}

/// The bytes of a base64 text.
fn decoded(text: &str) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len()), 0_u32, 0);
    for letter in text.bytes().take_while(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|known| *known == letter).expect("base64");
        bits = (bits << 6) | u32::try_from(value).expect("six bits");
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).expect("eight bits"));
        }
    }
    bytes
}

impl Drop for Browser {
    fn drop(&mut self) {
        end_tree(&mut self.child);
        let _ = fs::remove_dir_all(&self.profile);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        assert_eq!(decoded("Zm9vYg=="), b"foob");
        assert_eq!(decoded("//79"), [255, 254, 253]);
        assert!(decoded("").is_empty());
    }
}
