//! What is made of every kind of peer: only exactly an answer is one. The refusals first.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::sync::mpsc;
use std::time::Duration;

use super::fake::{ERROR, FakeDaemon, GREETING, Message, RETURN, SIGNAL, own_uid};
use crate::clock::Deadline;
use crate::incoming::{Incoming, Reply, Room, returned};
use crate::peer::{Daemon, Trouble, exchange};
use crate::{Errno, Line, NoAnswer};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};
use nix::sys::time::TimeVal;
use proptest::prelude::*;
use stint_wire::{Garbage, Given, Items, LONGEST_ANSWER, Verdict};

/// Long enough never to be what a test waits for.
const LONG: Duration = Duration::from_secs(60);
/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(200);

const QUESTION: Items<'_> =
    Items { service: "sudo", user: "alice", ruser: "alice", tty: "/dev/pts/1", rhost: "" };

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answered {
    verdict: Verdict,
    lines: Vec<String>,
    offers: Vec<(String, bool, bool)>,
}

impl From<Given<'_>> for Answered {
    fn from(given: Given<'_>) -> Self {
        let offer =
            |offer: stint_wire::Offer<'_>| (offer.role.to_owned(), offer.reason, offer.ticket);
        Self {
            verdict: given.verdict,
            lines: given.lines.map(str::to_owned).collect(),
            offers: given.offers.map(offer).collect(),
        }
    }
}

/// Why nothing was.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Failed {
    Trouble(Trouble),
    Refused { name: String, said: String },
}

impl From<NoAnswer<'_>> for Failed {
    fn from(error: NoAnswer<'_>) -> Self {
        match error {
            NoAnswer::Trouble(trouble) => Self::Trouble(trouble),
            NoAnswer::Refused { name, .. } => {
                let said = Line::saying([], &error);
                Self::Refused { name: name.to_owned(), said: said.as_str().to_owned() }
            }
        }
    }
}

fn daemon(socket: &str) -> Daemon<'_> {
    Daemon { socket, uid: own_uid() }
}

fn check_by(daemon: Daemon<'_>, length: Duration) -> Result<Answered, Failed> {
    let mut room = Room::default();
    let answer = crate::check(daemon, &QUESTION, Deadline::after(length), &mut room);
    answer.map(Answered::from).map_err(Failed::from)
}

fn check(socket: &str, length: Duration) -> Result<Answered, Failed> {
    check_by(daemon(socket), length)
}

fn close(socket: &str, length: Duration) -> Result<(), Trouble> {
    crate::close_session(daemon(socket), "s-17", Deadline::after(length))
}

fn told(bytes: Vec<u8>) -> Result<Answered, Failed> {
    let fake = FakeDaemon::saying(bytes);
    let answer = check(&fake.socket(), LONG);
    fake.heard();
    answer
}

fn is_garbage(answer: &Result<Answered, Failed>) -> bool {
    matches!(answer, Err(Failed::Trouble(Trouble::Garbage(_))))
}

#[test]
fn nobody_there() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("{}/pam.sock", folder.path().display());
    let unreachable = |errno| Err(Failed::Trouble(Trouble::Unreachable { errno }));
    assert_eq!(check(&socket, LONG), unreachable(Errno(libc::ENOENT)));
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(check(&socket, LONG), unreachable(Errno(libc::ECONNREFUSED)));
    for odd in ["x".repeat(108), "a\0b".to_owned()] {
        assert_eq!(check(&odd, LONG), unreachable(Errno::TOO_LONG));
    }
    let longest = "x".repeat(107);
    assert_eq!(check(&longest, LONG), unreachable(Errno(libc::ENOENT)));
}

#[test]
fn an_impostor_is_not_asked() {
    let fake = FakeDaemon::saying(Message::answer("allow", &[]).greeted());
    let socket = fake.socket();
    let daemon = Daemon { socket: &socket, uid: own_uid() + 1 };
    let impostor = Trouble::Impostor { uid: own_uid() };
    assert_eq!(check_by(daemon, LONG), Err(Failed::Trouble(impostor)));
    assert!(fake.heard().is_empty(), "the impostor heard the question");
    let fake = FakeDaemon::new(|_| ());
    let socket = fake.socket();
    let daemon = Daemon { socket: &socket, ..daemon };
    let told = crate::close_session(daemon, "s-17", Deadline::after(LONG));
    assert_eq!(told, Err(impostor));
    assert!(fake.heard().is_empty(), "the impostor heard of it");
}

#[test]
fn a_peer_that_hangs_up() {
    let whole = Message::answer("allow", &[]).greeted();
    for length in [0, 1, GREETING.len(), GREETING.len() + 16, whole.len() - 1] {
        let fake = FakeDaemon::hanging_up(whole[..length].to_vec());
        let answer = check(&fake.socket(), LONG);
        assert_eq!(answer, Err(Failed::Trouble(Trouble::Closed)), "after {length} bytes");
    }
}

/// stintd is killed with the question taken: the socket stays, and the next stintd answers.
#[test]
fn a_peer_that_dies_once_is_asked_again_before_the_same_deadline() {
    let dying = |deaths: usize, answer: Vec<u8>| {
        FakeDaemon::serving(move |listener| {
            for _ in 0..deaths {
                let (mut stream, _) = listener.accept().unwrap();
                // Taken whole, so that the end is an end and no reset.
                let mut question = [0; 4096];
                let _ = stream.read(&mut question);
            }
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(&answer);
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard);
            heard
        })
    };
    let fake = dying(1, Message::answer("allow", &[]).greeted());
    assert_eq!(check(&fake.socket(), LONG).unwrap().verdict, Verdict::Allow);
    assert!(fake.heard().windows(5).any(|part| part == b"Check"), "the question came again whole");
    let closed = Err(Failed::Trouble(Trouble::Closed));
    let fake = dying(2, Message::answer("allow", &[]).greeted());
    assert_eq!(check(&fake.socket(), LONG), closed, "not a third time");
    let fake = dying(1, Vec::new());
    assert_eq!(check(&fake.socket(), SHORT), Err(Failed::Trouble(Trouble::TimedOut)));
}

/// A blocked signal stays pending although this process ignores it, so a SIGPIPE would show.
#[test]
fn a_peer_that_is_gone_raises_no_sigpipe() {
    SigSet::from(Signal::SIGPIPE).thread_block().unwrap();
    let question = vec![0; 1 << 20];
    for _ in 0..20 {
        let fake = FakeDaemon::hanging_up(Vec::new());
        let (mut room, deadline) = (Room::default(), Deadline::after(LONG));
        let incoming = &mut Incoming::new(&mut room);
        let outcome = exchange(daemon(&fake.socket()), &question, deadline, incoming);
        assert_eq!(outcome, Err(Trouble::Closed));
    }
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:")).unwrap();
    assert_eq!(u64::from_str_radix(pending.trim(), 16), Ok(0));
}

#[test]
fn a_peer_that_never_answers() {
    let fake = FakeDaemon::new(|_| {});
    assert_eq!(check(&fake.socket(), SHORT), Err(Failed::Trouble(Trouble::TimedOut)));
    assert!(!fake.heard().is_empty(), "the question was sent");
}

/// Who waits for long is asleep: what the wait took is not what it used.
#[test]
fn a_peer_that_takes_its_time_is_not_waited_for_awake() {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
        let micros = |time: TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
        micros(usage.user_time()) + micros(usage.system_time())
    };
    let fake = FakeDaemon::new(|_| {});
    let (socket, before) = (fake.socket(), used());
    assert_eq!(check(&socket, SHORT), Err(Failed::Trouble(Trouble::TimedOut)));
    let share = (used() - before) * 100 / i64::try_from(SHORT.as_micros()).unwrap();
    assert!(share < 50, "{share} %");
    fake.heard();
}

#[test]
fn a_peer_that_dribbles_does_not_move_the_deadline() {
    let fake = FakeDaemon::new(|stream| {
        // A byte every 20 ms, for as long as anybody listens: signals without end.
        let (_keep, tick) = mpsc::channel::<()>();
        let signal = Message::of(SIGNAL, "s", &"noise").bytes();
        for byte in GREETING.iter().chain(signal.iter().cycle()) {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            let _ = tick.recv_timeout(Duration::from_millis(20));
        }
    });
    assert_eq!(check(&fake.socket(), SHORT), Err(Failed::Trouble(Trouble::TimedOut)));
    fake.heard();
}

#[test]
fn a_listener_that_never_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("{}/pam.sock", folder.path().display());
    let address = UnixAddr::new(path.as_str()).unwrap();
    let open = |flags| socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    let listener = open(SockFlag::SOCK_CLOEXEC);
    bind(listener.as_raw_fd(), &address).unwrap();
    listen(&listener, Backlog::new(1).unwrap()).unwrap();
    // Not accepted, but connected: the question goes out and no answer comes.
    assert_eq!(check(&path, SHORT), Err(Failed::Trouble(Trouble::TimedOut)));
    let mut waiting = Vec::new();
    loop {
        let client = open(SockFlag::SOCK_NONBLOCK);
        let outcome = connect(client.as_raw_fd(), &address);
        waiting.push(client);
        match outcome {
            Ok(()) => {}
            Err(errno) => break assert_eq!(errno, nix::errno::Errno::EAGAIN),
        }
    }
    // Now the backlog is full, and connect itself would block.
    assert_eq!(check(&path, SHORT), Err(Failed::Trouble(Trouble::TimedOut)));
    assert_eq!(close(&path, SHORT), Err(Trouble::TimedOut));
}

/// Nobody accepts the connection, and nobody has to.
#[test]
fn the_word_of_an_end_is_not_answered_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("{}/pam.sock", folder.path().display());
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(close(&path, LONG), Ok(()));
    let mut heard = Vec::new();
    listener.accept().unwrap().0.read_to_end(&mut heard).unwrap();
    let start = heard.windows(7).position(|part| part == b"BEGIN\r\n").unwrap() + 7;
    assert_eq!(heard[start..start + 4], [b'l', 1, 1, 1], "a call that expects no reply");
    assert!(heard.ends_with(b"\x04\0\0\0s-17\0"));
}

#[test]
fn greetings_that_are_none() {
    let answer = Message::answer("allow", &[]).bytes();
    for greeting in [
        &b"REJECTED EXTERNAL\r\n"[..],
        b"ERROR\r\n",
        b"OK\r\n",
        b"OK \r\n",
        b"OK 0123456789abcdef0123456789abcdef\n",
        b"OK 0123456789abcdef0123456789abcdeg\r\n",
        b"ok 0123456789abcdef0123456789abcdef\r\n",
        b"\r\nOK 0123456789abcdef0123456789abcdef\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"",
    ] {
        assert!(is_garbage(&told([greeting, &answer].concat())), "{greeting:?}");
    }
    assert!(is_garbage(&told([b"OK ", "a".repeat(4096).as_bytes()].concat())));
}

#[test]
fn headers_that_are_none() {
    let whole = Message::answer("allow", &[]).bytes();
    let short = whole[4] - 1;
    let bent = |at: usize, to: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        told([GREETING, &bytes].concat())
    };
    for (what, at, to) in [
        ("endianness", 0, &b"x"[..]),
        ("the other endianness", 0, b"B"),
        ("kind 0", 1, &[0]),
        ("a call", 1, &[1]),
        ("kind 9", 1, &[9]),
        ("version", 3, &[2]),
        ("a huge body", 4, &[0xff; 4]),
        ("a body that is too long", 4, &[1, 0x20, 0, 0]),
        ("a body one byte short", 4, &[short]),
        ("serial 0", 8, &[0; 4]),
        ("huge fields", 12, &[0xff; 4]),
        ("no fields", 12, &[0; 4]),
    ] {
        assert!(is_garbage(&bent(at, to)), "{what}");
    }
}

#[test]
fn answers_of_another_type() {
    for message in [
        Message::of(RETURN, "s", &"allow"),
        Message::of(RETURN, "sasa(sbb)", &"allow"),
        Message::of(RETURN, "", &("allow", Vec::<String>::new())),
        Message::of(RETURN, "b", &true),
        Message::of(RETURN, "sasb", &("allow", Vec::<String>::new(), true)),
        Message::of(RETURN, "sas", &("allow", Vec::<String>::new())),
        Message::of(RETURN, "sasa(sbb)", &("allow", Vec::<String>::new(), true)),
        Message::of(RETURN, "v", &zbus::Variant::from("allow")),
        Message { body: vec![], signature: "", ..Message::answer("allow", &[]) },
    ] {
        let answer = told(message.greeted());
        assert!(is_garbage(&answer), "{} {:?}: {answer:?}", message.signature, message.body);
    }
}

#[test]
fn words_that_are_not_allow() {
    for word in ["", "Allow", "ALLOW", "allow ", " allow", "allowed", "yes", "true", "allow\n"] {
        assert!(is_garbage(&told(Message::answer(word, &[]).greeted())), "{word:?}");
    }
    let denied = told(Message::answer("deny", &["no"]).greeted()).unwrap();
    assert_eq!(
        denied,
        Answered { verdict: Verdict::Deny, lines: vec!["no".to_owned()], offers: vec![] }
    );
}

#[test]
fn an_error_is_no_answer() {
    let name = "org.freedesktop.DBus.Error.AccessDenied";
    let error = Message { error: Some(name), ..Message::of(ERROR, "s", &"no\n\u{1b}[2J") };
    let said = format!("stintd answered with an error: {name}: no??[2J");
    assert_eq!(told(error.greeted()), Err(Failed::Refused { name: name.to_owned(), said }));
    assert!(is_garbage(&told(Message::of(ERROR, "s", &"allow").greeted())), "no name");
    let answer = Message { error: Some(name), kind: ERROR, ..Message::answer("allow", &[]) };
    assert!(matches!(told(answer.greeted()), Err(Failed::Refused { .. })));
}

#[test]
fn answers_to_another_call_are_not_ours() {
    let mut fake = Message::answer("allow", &[]);
    fake.serial = 2;
    let bytes = [fake.greeted(), Message::answer("deny", &[]).bytes()].concat();
    assert_eq!(told(bytes).unwrap().verdict, Verdict::Deny);
}

#[test]
fn floods_end_at_the_cap() {
    let noise = Message::of(SIGNAL, "s", &"x".repeat(1000)).bytes();
    let mut bytes = GREETING.to_vec();
    while bytes.len() <= LONGEST_ANSWER {
        bytes.extend_from_slice(&noise);
    }
    bytes.extend_from_slice(&Message::answer("allow", &[]).bytes());
    assert!(is_garbage(&told(bytes)));
    let long = "x".repeat(LONGEST_ANSWER);
    assert!(is_garbage(&told(Message::answer("allow", &[&long]).greeted())));
}

#[test]
fn the_longest_answer_is_taken_whole_in_pieces_too_and_no_longer_one() {
    let answer = |length: usize| Message::answer("deny", &[&"x".repeat(length)]);
    let fits = LONGEST_ANSWER - answer(0).bytes().len() - 8;
    for length in fits..=fits + 16 {
        let message = answer(length);
        let size = message.bytes().len();
        let whole = message.greeted();
        let pieces: Vec<&[u8]> = whole.chunks(1_000).collect();
        let read = parse(&pieces).map(|answer| answer.lines[0].len());
        assert_eq!(read, (size <= LONGEST_ANSWER).then_some(length), "{size}");
    }
}

#[test]
fn an_answer_is_an_answer() {
    let noise = Message::of(SIGNAL, "s", &"noise").bytes();
    let bytes = [GREETING, &noise, &Message::answer("allow", &["hello"]).bytes()].concat();
    let allowed =
        Answered { verdict: Verdict::Allow, lines: vec!["hello".to_owned()], offers: vec![] };
    assert_eq!(told(bytes).unwrap(), allowed);
    let whole = Message { signature: "(sasa(sbb))", ..Message::answer("allow", &["hello"]) };
    assert_eq!(told(whole.greeted()).unwrap(), allowed);
}

#[test]
fn big_endian_is_read_as_well() {
    use zbus::wire::{BE, serialized::Context, to_bytes};
    let body =
        to_bytes(Context::new(BE, 0), &("deny", vec!["no"], Vec::<(String, bool, bool)>::new()))
            .unwrap()
            .bytes()
            .to_vec();
    let message = Message { endian: BE, body, ..Message::answer("deny", &[]) };
    assert_eq!(told(message.greeted()).unwrap().lines, ["no"]);
}

#[test]
fn the_question_is_one_greeting_and_one_call() {
    let fake = FakeDaemon::saying(Message::answer("deny", &[]).greeted());
    check(&fake.socket(), LONG).unwrap();
    let heard = fake.heard();
    let uid: String =
        nix::unistd::Uid::effective().to_string().bytes().map(|b| format!("{b:02x}")).collect();
    let greeting = format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n");
    let call = heard.strip_prefix(greeting.as_bytes()).unwrap();
    assert_eq!(call[..4], [b'l', 1, 0, 1]);
    for text in ["/org/stint/Stint1", "org.stint.Stint1", "Check", "(sssss)", "/dev/pts/1"] {
        assert!(call.windows(text.len()).any(|part| part == text.as_bytes()), "{text}");
    }
}

fn parse(chunks: &[&[u8]]) -> Option<Answered> {
    let mut room = Room::default();
    let mut incoming = Incoming::new(&mut room);
    for chunk in chunks {
        incoming.room()[..chunk.len()].copy_from_slice(chunk);
        match incoming.came(chunk.len()) {
            Ok(false) => {}
            Ok(true) => {
                let Ok(Reply::Return(message)) = incoming.reply() else { return None };
                return returned::<Given<'_>>(&message).ok().map(Answered::from);
            }
            Err(Garbage(_)) => return None,
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn noise_never_panics_and_never_allows(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert_eq!(parse(&[&bytes]), None);
        prop_assert_eq!(parse(&[GREETING, &bytes]), None);
    }

    /// A message with some bytes bent allows only if it still says so, word for word.
    #[test]
    fn a_bent_denial_never_allows(
        bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Message::answer("deny", &["no", "grant"]).bytes();
        for (at, to) in bends {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let whole = parse(&[GREETING, &bytes]);
        prop_assert!(whole.is_none_or(|answer| answer.verdict == Verdict::Deny));
        prop_assert_eq!(parse(&[GREETING, &bytes[..cut.index(bytes.len())]]).map(|a| a.verdict), None);
    }

    #[test]
    fn only_the_word_itself_allows(word in "\\PC{0,8}|all?ow?|deny", line in "\\PC{0,20}") {
        let answer = parse(&[&Message::answer(&word, &[&line]).greeted()]);
        let allowed = answer.is_some_and(|answer| answer.verdict == Verdict::Allow);
        prop_assert_eq!(allowed, word == "allow");
    }

    #[test]
    fn an_answer_in_any_pieces_is_the_same(cuts in prop::collection::vec(1_usize..40, 0..12)) {
        let bytes = Message::answer("allow", &["a line", "another"]).greeted();
        let mut chunks = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        chunks.push(rest);
        prop_assert_eq!(parse(&chunks).unwrap().verdict, Verdict::Allow);
    }
}
