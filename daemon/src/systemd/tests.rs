//! systemd as it answers, played on a connection from peer to peer.

use std::os::unix::net::UnixStream;

use zbus::connection::Builder;
use zbus::{Message, OwnedVariant, fdo};

use super::*;
use crate::signals::BUS_PATH;

const LIMIT: Duration = Duration::from_secs(60);
const OWNER: &str = ":1.1";

/// A manager that ends every job with this word before it even answers; or refuses. Somebody else
/// says that it went well.
struct Manager(Result<&'static str, &'static str>);

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.systemd1")]
enum ManagerError {
    #[zbus(error)]
    ZBus(zbus::Error),
    UnitExists(String),
    BadUnitSetting(String),
    NoSuchUnit(String),
}

#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    fn get_unit(&self, unit: String) -> Result<OwnedObjectPath, ManagerError> {
        match unit.as_str() {
            "a.scope" => Ok(OwnedObjectPath::try_from("/up").unwrap()),
            "d.scope" => Ok(OwnedObjectPath::try_from("/failed").unwrap()),
            "b.scope" => Err(ManagerError::NoSuchUnit(unit)),
            _ => Err(ManagerError::BadUnitSetting(unit)),
        }
    }

    async fn start_transient_unit(
        &self,
        #[zbus(connection)] connection: &Connection,
        unit: String,
        mode: String,
        properties: Vec<(String, OwnedVariant)>,
        _auxiliary: Vec<(String, Vec<(String, OwnedVariant)>)>,
    ) -> Result<OwnedObjectPath, ManagerError> {
        assert_eq!(mode, "fail");
        assert_eq!(properties[0].0, "Description");
        let job = |number: u32| {
            OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{number}")).unwrap()
        };
        let removed = async |sender: &str, number, result: &str| {
            let signal = Message::signal(PATH, MANAGER, "JobRemoved")
                .sender(sender)
                .build(&(number, job(number), unit.as_str(), result))
                .unwrap();
            connection.send(&signal).await.unwrap();
        };
        match self.0 {
            Ok("") => removed(":1.66", 9, "done").await,
            Ok(result) => {
                removed(OWNER, 8, "canceled").await;
                removed(":1.66", 9, "done").await;
                removed(OWNER, 9, result).await;
            }
            Err("exists") => return Err(ManagerError::UnitExists(unit)),
            Err(why) => return Err(ManagerError::BadUnitSetting(why.to_owned())),
        }
        Ok(job(9))
    }
}

/// A unit, by its state.
struct Unit(&'static str);

#[zbus::interface(name = "org.freedesktop.systemd1.Unit")]
impl Unit {
    #[zbus(property)]
    fn active_state(&self) -> String {
        self.0.to_owned()
    }
}

struct Scope;

#[zbus::interface(name = "org.freedesktop.systemd1.Scope")]
impl Scope {
    #[zbus(property)]
    fn control_group(&self) -> String {
        "/user.slice/a.scope".to_owned()
    }
}

struct Bus;

#[zbus::interface(name = "org.freedesktop.DBus")]
impl Bus {
    fn get_name_owner(&self, name: String) -> String {
        assert_eq!(name, SYSTEMD);
        OWNER.to_owned()
    }
}

async fn started(manager: Manager, limit: Duration) -> Result<(), SystemdError> {
    let (client, server) = connected(manager).await;
    let properties = [("Description", Variant::from("a test"))];
    let result = start_transient(&client, "a.service", &properties, limit).await;
    drop(server);
    result
}

async fn connected(manager: Manager) -> (Connection, Connection) {
    let (near, far) = UnixStream::pair().unwrap();
    let server = Builder::unix_stream(far)
        .server(zbus::Guid::generate())
        .p2p()
        .serve_at(PATH, manager)
        .serve_at(BUS_PATH, Bus)
        .serve_at("/up", Unit("active"))
        .serve_at("/up", Scope)
        .serve_at("/failed", Unit("failed"))
        .serve_at("/failed", Scope)
        .build();
    let client = Builder::unix_stream(near).p2p().build();
    let (server, client) = tokio::join!(server, client);
    (client.unwrap(), server.unwrap())
}

#[tokio::test]
async fn only_a_unit_that_is_up_counts_and_it_is_unknown_only_where_systemd_says_so() {
    let (client, server) = connected(Manager(Ok("done"))).await;
    let up = Known::Active("/user.slice/a.scope".to_owned());
    assert_eq!(known(&client, "a.scope").await, Ok(up));
    assert_eq!(known(&client, "d.scope").await, Ok(Known::Other));
    assert_eq!(known(&client, "b.scope").await, Ok(Known::Nothing));
    assert!(matches!(known(&client, "c.scope").await, Err(SystemdError::Refused(_))));
    drop(server);
    assert!(matches!(known(&client, "b.scope").await, Err(SystemdError::NotThere(_))));
}

#[tokio::test]
async fn only_a_job_that_is_done_is_well() {
    let ended = started(Manager(Ok("failed")), LIMIT).await;
    assert_eq!(ended, Err(SystemdError::Ended("failed".to_owned())));
    assert_eq!(started(Manager(Err("exists")), LIMIT).await, Err(SystemdError::Runs));
    let refused = started(Manager(Err("no\nsuch")), LIMIT).await;
    assert_eq!(refused, Err(SystemdError::Refused("no\\u{a}such".to_owned())));
    assert_eq!(started(Manager(Ok("done")), LIMIT).await, Ok(()));
}

#[tokio::test]
async fn a_job_that_never_ends_costs_the_limit() {
    let ended = started(Manager(Ok("")), Duration::from_millis(200)).await;
    assert_eq!(ended, Err(SystemdError::TimedOut));
}

#[test]
fn a_bus_without_systemd_is_told_from_a_refusal() {
    let unknown = zbus::Error::FDO(Box::new(fdo::Error::ServiceUnknown("x".to_owned())));
    assert!(matches!(refused(unknown), SystemdError::NotThere(_)));
    let denied = zbus::Error::FDO(Box::new(fdo::Error::AccessDenied("x".to_owned())));
    assert!(matches!(refused(denied), SystemdError::Refused(_)));
}
