//! The board on a terminal of a booted host: it shows by itself what happens, exactly what is
//! decided, and gives the terminal back as it was.

use crate::common::builder;
use crate::workflow::{UNASKED, ask, look, pending, text};
use serde_json::Value;
use stint_tests::{Host, Screen, Shell, Suite};

const POLICY: &str = r#"
[audit]
readers = ["bob"]

[roles.admin]
sudo = [{ commands = ["ALL"] }]
groups = ["games"]
eligible = ["alice"]
approvers = ["bob"]

[roles.media]
groups = ["video"]
eligible = ["alice"]
approvals = 0
"#;

/// A board of bob's, and what stands on his terminal.
struct Board {
    shell: Shell,
    screen: Screen,
}

impl Board {
    /// Waits until there is a line with all of these words, and returns it.
    fn line(&mut self, words: &[&str]) -> String {
        let found = |screen: &Screen| {
            let mut lines = screen.lines().into_iter();
            lines.find(|line| words.iter().all(|word| line.contains(word)))
        };
        self.shell.watch(&mut self.screen, &format!("{words:?}"), |screen| found(screen).is_some());
        found(&self.screen).unwrap()
    }

    /// Types keys, and waits for a line with all of these words.
    fn type_keys(&mut self, keys: &str, words: &[&str]) -> String {
        self.shell.type_keys(keys);
        self.line(words)
    }
}

/// What the page of a request says of it, to the letter.
fn assert_whole(shown: &[String], request: &Value) {
    let id = text(request, "id");
    assert_eq!(shown[1], format!("Request {id}"));
    let confers = request["confers"].as_array().unwrap();
    assert_eq!(confers.len(), 2, "{request}");
    let mut wanted = vec!["  who          alice (uid 1000)".to_owned()];
    wanted.push("  role         admin".to_owned());
    for (at, what) in confers.iter().enumerate() {
        let label = if at == 0 { "confers" } else { "" };
        wanted.push(format!("  {label:<13}{}", what.as_str().unwrap()));
    }
    wanted.push("  for          30m".to_owned());
    let first =
        shown.iter().position(|line| *line == wanted[0]).unwrap_or_else(|| panic!("{shown:?}"));
    assert_eq!(shown[first..first + wanted.len()], wanted);
    let reason = "  reason       for a test".to_owned();
    assert!(shown.contains(&reason), "{shown:?}");
}

fn shows_decides_and_gives_back(suite: Suite) {
    let host = builder(suite, &format!("{UNASKED}{POLICY}")).boot();
    let mut shell = host.shell("bob");
    shell.run("stty rows 24 cols 100 onlcr");
    let modes = shell.run("stty -g").stdout;
    let mut board = Board { shell, screen: Screen::new(24, 100) };
    board.shell.start("echo 'what stood there'; TERM=xterm stint watch");
    board.line(&["No request is pending for you."]);
    board.line(&["No grant is running."]);
    assert!(board.screen.is_taken());

    // Nothing is typed: it comes by itself.
    let request = pending(&host, "alice", "admin");
    let id = text(&request, "id");
    board.line(&[id, "alice", "admin", "30m", "now", "0 of 1", "for a test"]);
    board.type_keys("\r", &["a approve  d deny"]);
    board.line(&[&format!("Request {id}")]);
    assert_whole(&board.screen.lines(), &request);
    board.type_keys("\x1b", &["Pending requests: 1"]);
    board.type_keys("d", &[&format!("Deny request {id}?")]);
    board.type_keys("not on a Friday", &["Why (Enter denies", "not on a Friday_"]);
    assert_eq!(look(&host, &request)["state"], "pending", "nothing is denied before Enter");
    board.type_keys("\r", &[&format!("{id} is denied: alice does not get admin.")]);
    let denied = look(&host, &request);
    assert_eq!((text(&denied, "state"), text(&denied, "note")), ("denied", "not on a Friday"));
    board.type_keys("\r", &["No request is pending for you."]);

    ask(&host, "alice", "media").unwrap();
    board.line(&["Running grants: 1"]);
    let running = board.line(&["alice", "media", "group video", " min "]);
    assert!(["29 min", "30 min"].iter().any(|left| running.contains(left)), "{running}");
    // polkit would have asked for a password there, had the policy wanted one.
    let stood = ["what stood there".to_owned(), format!("Denying {id}")];
    ends_as_it_began(&host, board, &stood, &modes);
}

/// `q` gives back the screen with what stood on it, and the modes of the terminal.
fn ends_as_it_began(host: &Host, mut board: Board, stood: &[String], modes: &str) {
    let what = board.type_keys("q", &["@@", " 0"]);
    assert!(!board.screen.is_taken());
    let lines = board.screen.lines();
    let (first, rest) = lines.split_at(stood.len());
    assert_eq!((first, &rest[0]), (stood, &what), "{lines:?}");
    assert!(rest[1..].iter().all(String::is_empty), "{lines:?}");
    assert_eq!(board.shell.run("stty -g").stdout, modes, "{:?}", host.suite());
}

#[test]
fn on_bookworm_the_board_shows_decides_and_gives_the_terminal_back() {
    shows_decides_and_gives_back(Suite::Bookworm);
}

#[test]
fn on_trixie_the_board_shows_decides_and_gives_the_terminal_back() {
    shows_decides_and_gives_back(Suite::Trixie);
}
