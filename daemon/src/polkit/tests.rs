//! polkit as it answers, played on a connection from peer to peer.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use zbus::connection::Builder;
use zbus::names::OwnedUniqueName;

use super::*;

const SENDER: &str = ":1.7";

/// What polkit does when it is asked.
#[derive(Clone, Copy)]
enum Play {
    Says(bool, bool, bool),
    Hangs,
    Breaks,
    /// The caller leaves while it is asked.
    Leaves,
}

/// An action, its details, and flags.
type Asked = (String, HashMap<String, String>, u32);

#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    cancelled: Mutex<Vec<String>>,
    changed: Notify,
}

struct Authority(Play, Arc<Seen>);

#[zbus::interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Authority {
    async fn check_authorization(
        &self,
        #[zbus(connection)] connection: &Connection,
        subject: (String, HashMap<String, zbus::OwnedVariant>),
        action: String,
        details: HashMap<String, String>,
        flags: u32,
        cancellation: String,
    ) -> fdo::Result<(bool, bool, HashMap<String, String>)> {
        assert_eq!(subject.0, "system-bus-name");
        assert_eq!(subject.1["name"], zbus::OwnedVariant::from(zbus::Str::from(SENDER)));
        assert!(!cancellation.is_empty());
        self.1.asked.lock().unwrap().push((action, details, flags));
        self.1.changed.notify_one();
        match self.0 {
            Play::Says(authorized, challenge, dismissed) => {
                let word = dismissed.then(|| ("polkit.dismissed".into(), "true".into()));
                Ok((authorized, challenge, word.into_iter().collect()))
            }
            Play::Hangs => std::future::pending().await,
            Play::Leaves => {
                let signal = zbus::Message::signal(BUS_PATH, BUS, "NameOwnerChanged")
                    .sender(BUS)
                    .build(&(SENDER, SENDER, ""))
                    .unwrap();
                connection.send(&signal).await.unwrap();
                std::future::pending().await
            }
            Play::Breaks => Err(fdo::Error::Failed("a\u{1b}[2J".to_owned())),
        }
    }

    fn cancel_check_authorization(&self, id: String) {
        self.1.cancelled.lock().unwrap().push(id);
        self.1.changed.notify_one();
    }
}

struct Bus(bool);

#[zbus::interface(name = "org.freedesktop.DBus")]
impl Bus {
    fn name_has_owner(&self, name: OwnedUniqueName) -> bool {
        assert_eq!(name.as_str(), SENDER);
        self.0
    }
}

/// A connection to a bus on which polkit plays this, or is not.
async fn host(play: Option<Play>, there: bool) -> (Connection, Connection, Arc<Seen>) {
    let (near, far) = UnixStream::pair().unwrap();
    let seen = Arc::new(Seen::default());
    let mut server = Builder::unix_stream(far)
        .server(zbus::Guid::generate())
        .p2p()
        .serve_at(BUS_PATH, Bus(there));
    if let Some(play) = play {
        server = server.serve_at(AUTHORITY_PATH, Authority(play, Arc::clone(&seen)));
    }
    let near = Builder::unix_stream(near).p2p().build();
    let (server, client) = tokio::join!(server.build(), near);
    (server.unwrap(), client.unwrap(), seen)
}

async fn asked(play: Play) -> Result<(), PolkitRefusal> {
    let (_server, client, seen) = host(Some(play), true).await;
    let details = [("user", "alice"), ("request", "7kq2")];
    let answer = authenticate(&client, SENDER, APPROVE, &details, Duration::from_secs(60)).await;
    let asked = seen.asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].0.as_str(), asked[0].2), (APPROVE, 1));
    assert_eq!(asked[0].1["request"], "7kq2");
    assert!(seen.cancelled.lock().unwrap().is_empty());
    answer
}

#[tokio::test]
async fn nothing_but_a_yes_is_one() {
    assert_eq!(asked(Play::Says(false, true, false)).await, Err(PolkitRefusal::NoAgent));
    assert_eq!(asked(Play::Says(false, false, true)).await, Err(PolkitRefusal::Dismissed));
    assert_eq!(asked(Play::Says(false, false, false)).await, Err(PolkitRefusal::Denied));
    let broken = asked(Play::Breaks).await.unwrap_err();
    assert!(matches!(&broken, PolkitRefusal::Failed(why) if !why.contains('\u{1b}')), "{broken}");
    assert_eq!(asked(Play::Says(true, false, false)).await, Ok(()));
}

#[tokio::test]
async fn who_has_left_is_not_asked() {
    let (_server, client, seen) = host(Some(Play::Says(true, false, false)), false).await;
    let answer = authenticate(&client, SENDER, DENY, &[], Duration::from_secs(60)).await;
    assert_eq!(answer, Err(PolkitRefusal::CallerGone));
    assert!(seen.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn polkit_hears_that_nobody_waits_any_more() {
    heard_after(Play::Hangs, Duration::from_millis(300), PolkitRefusal::TimedOut).await;
    heard_after(Play::Leaves, Duration::from_secs(60), PolkitRefusal::CallerGone).await;
}

async fn heard_after(play: Play, limit: Duration, why: PolkitRefusal) {
    let (_server, client, seen) = host(Some(play), true).await;
    let answer = authenticate(&client, SENDER, REVIEW, &[], limit).await;
    assert_eq!(answer, Err(why));
    let heard = async {
        while seen.cancelled.lock().unwrap().is_empty() {
            seen.changed.notified().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), heard).await.unwrap();
    assert!(seen.cancelled.lock().unwrap()[0].starts_with("stint-"));
}

#[test]
fn a_host_without_polkit_is_told_from_one_that_fails() {
    let unknown = fdo::Error::ServiceUnknown("not activatable".to_owned());
    assert_eq!(failed(zbus::Error::FDO(Box::new(unknown))), PolkitRefusal::NotThere);
    let other = fdo::Error::LimitsExceeded("too many".to_owned());
    assert!(matches!(failed(zbus::Error::FDO(Box::new(other))), PolkitRefusal::Failed(_)));
}
