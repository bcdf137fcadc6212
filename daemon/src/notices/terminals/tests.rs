//! Real pseudo terminals, and logind as it answers, played on a connection from peer to peer.

use std::collections::HashMap;
use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::pty::{OpenptyResult, openpty};
use nix::unistd::ttyname;
use zbus::connection::Builder;
use zbus::{OwnedObjectPath, OwnedVariant};

use super::*;

fn me() -> Uid {
    Uid(nix::unistd::Uid::effective().as_raw())
}

fn notice(line: &str, urgent: bool) -> Notice {
    Notice { audience: Audience::User(me()), line: line.to_owned(), urgent }
}

struct Terminal {
    master: File,
    _slave: File,
    path: PathBuf,
}

fn terminal(mode: u32) -> Terminal {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let path = ttyname(&slave).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    Terminal { master: master.into(), _slave: slave.into(), path }
}

impl Terminal {
    fn shows(&mut self) -> String {
        let mut buffer = [0; 4_096];
        let count = self.master.read(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }
}

#[test]
fn what_is_no_terminal_of_theirs_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    assert!(write(&file, me(), &notice("x", true)).is_err());
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
    assert!(write(Path::new("/dev/null"), Uid(0), &notice("x", true)).is_err());
    assert!(write(&folder.path().join("none"), me(), &notice("x", true)).is_err());
    let terminal = terminal(0o620);
    let link = folder.path().join("link");
    symlink(&terminal.path, &link).unwrap();
    assert!(write(&link, me(), &notice("x", true)).is_err(), "a link is not followed");
    let other = Uid(me().0 + 1);
    assert!(write(&terminal.path, other, &notice("x", true)).is_err(), "somebody else's");
}

#[test]
fn mesg_n_is_honoured_but_for_what_is_urgent() {
    let mut closed = terminal(0o600);
    assert!(write(&closed.path, me(), &notice("hello", false)).is_err());
    write(&closed.path, me(), &notice("admin was taken", true)).unwrap();
    assert!(closed.shows().ends_with("\u{7}stint: admin was taken\r\r\n"));
    let mut open = terminal(0o620);
    write(&open.path, me(), &notice("hello", false)).unwrap();
    assert_eq!(open.shows(), "\r\r\nstint: hello\r\r\n");
}

#[test]
fn what_moves_a_cursor_is_escaped() {
    let mut terminal = terminal(0o620);
    write(&terminal.path, me(), &notice("a\u{1b}[2J\nstint: forged\u{202e}", false)).unwrap();
    let shown = terminal.shows();
    assert!(shown.contains("stint: a\\u{1b}[2J\\u{a}stint: forged\\u{202e}\r"), "{shown:?}");
    assert!(!shown.contains('\u{1b}'));
}

#[test]
fn a_terminal_that_takes_nothing_is_not_waited_for() {
    let terminal = terminal(0o620);
    let flood = notice(&"x".repeat(500), false);
    // Nobody reads: at some point it is full.
    let full = (0..10_000).any(|_| write(&terminal.path, me(), &flood).is_err());
    assert!(full);
}

struct Logind(Vec<(Uid, &'static str, String)>);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn list_sessions(&self) -> Vec<(String, u32, String, String, OwnedObjectPath)> {
        let session = |(number, (uid, user, _)): (usize, &(Uid, &str, String))| {
            let path = OwnedObjectPath::try_from(format!("/session/{number}")).unwrap();
            (number.to_string(), uid.0, (*user).to_owned(), String::new(), path)
        };
        self.0.iter().enumerate().map(session).collect()
    }
}

struct Session(String);

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property, name = "TTY")]
    fn tty(&self) -> String {
        self.0.clone()
    }
    #[zbus(property)]
    fn state(&self) -> String {
        "active".to_owned()
    }
}

struct Leads;

impl Standing for Leads {
    async fn is_one_of(&self, _: Uid, user: &UserName, principals: &[Principal]) -> bool {
        principals.contains(&Principal::User(user.clone()))
    }
}

async fn logind(sessions: Vec<(Uid, &'static str, String)>) -> (Connection, Connection) {
    let (near, far) = UnixStream::pair().unwrap();
    let mut server = Builder::unix_stream(far).server(zbus::Guid::generate()).p2p();
    for (number, (.., tty)) in sessions.iter().enumerate() {
        server = server.serve_at(format!("/session/{number}"), Session(tty.clone()));
    }
    let server = server.serve_at("/org/freedesktop/login1", Logind(sessions)).build();
    let (server, client) = tokio::join!(server, Builder::unix_stream(near).p2p().build());
    (server.unwrap(), client.unwrap())
}

fn below_dev(terminal: &Terminal) -> String {
    terminal.path.strip_prefix("/dev").unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_those_whom_it_concerns_are_told() {
    let (mut bobs, mut carols) = (terminal(0o620), terminal(0o620));
    let sessions = vec![
        (me(), "bob", below_dev(&bobs)),
        (me(), "not a name", below_dev(&carols)),
        (Uid(me().0 + 1), "carol", below_dev(&carols)),
    ];
    let (_server, client) = logind(sessions).await;
    let of = vec![Principal::User("bob".parse().unwrap())];
    let told = async |audience: Audience, line: &str| {
        let notice = Notice { audience, line: line.to_owned(), urgent: false };
        tell(&client, &Leads, &notice).await.unwrap();
    };
    told(Audience::Approvers { of: of.clone(), but: me() }, "their own").await;
    told(Audience::User(Uid(me().0 + 1)), "a terminal that is not theirs").await;
    told(Audience::Approvers { of: Vec::new(), but: Uid(1) }, "nobody's").await;
    told(Audience::Approvers { of, but: Uid(1) }, "alice asks for admin").await;
    let shown = bobs.shows();
    assert_eq!(shown, "\r\r\nstint: alice asks for admin\r\r\n");
    told(Audience::User(me()), "hello").await;
    assert_eq!(carols.shows(), "\r\r\nstint: hello\r\r\n", "and nothing before");
}

#[tokio::test]
async fn a_queue_that_is_full_holds_up_nobody() {
    let (notices, waiting) = Notices::new();
    for _ in 0..WAITING_LIMIT + 5 {
        notices.tell(notice("x", false));
    }
    assert_eq!(waiting.0.len(), WAITING_LIMIT);
}

#[test]
fn a_property_that_is_no_text_is_nobodys_terminal() {
    let wrong: HashMap<String, OwnedVariant> =
        HashMap::from([("TTY".to_owned(), OwnedVariant::from(7_u32))]);
    assert_eq!(crate::notices::logind::terminal_of(&wrong), None);
}
