//! The system bus: owns the name, serves the object, and comes back when the bus went away. The
//! module does not come this way, so nothing here stands between sudo and its answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use stint_proto::{BUS_NAME, OBJECT_PATH};
use tokio::net::UnixStream;
use tokio::sync::watch;
use zbus::Connection;
use zbus::connection::Builder;

use super::interface::Interface;
use super::pace::{Pace, Paced};
use crate::engine::Engine;

/// The bus's own address: not taken from the environment.
const ADDRESS: &str = "unix:path=/run/dbus/system_bus_socket";
const SOCKET: &str = "/run/dbus/system_bus_socket";
/// The first pause before the bus is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long the bus may take to let the daemon in.
const LIMIT: Duration = Duration::from_secs(10);

/// Serves the interface on the system bus for as long as the daemon runs.
///
/// `present` is told which connection there is, for what the daemon itself asks of others.
pub async fn serve_bus(
    engine: Arc<Engine>,
    present: watch::Sender<Option<Connection>>,
) -> Infallible {
    let mut pause = FIRST_PAUSE;
    loop {
        match tokio::time::timeout(LIMIT, connect(&engine)).await {
            Ok(Ok(Connections { asks, serves })) => {
                pause = FIRST_PAUSE;
                present.send_replace(Some(asks.clone()));
                tokio::select! {
                    () = asks.closed() => {}
                    () = serves.closed() => {}
                }
                present.send_replace(None);
                // One without the other is of no use, and the name is free again only then.
                for left in [serves, asks] {
                    // Whichever it was that closed has nothing left to close.
                    let _ = left.close().await;
                }
                eprintln!("stintd: the system bus closed the connection; coming back");
            }
            Ok(Err(error)) => eprintln!("stintd: the system bus: {error}; trying again"),
            Err(_) => eprintln!("stintd: the system bus does not answer; trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The daemon's own: what it asks of others, who calls among it, does not wait behind the calls.
struct Connections {
    asks: Connection,
    serves: Connection,
}

/// A connection to ask others by, for a daemon that serves nobody; `None` where the bus does not
/// answer.
pub async fn ask_bus() -> Option<Connection> {
    let asks = async { Builder::address(ADDRESS).build().await };
    tokio::time::timeout(LIMIT, asks).await.ok()?.ok()
}

async fn connect(engine: &Arc<Engine>) -> zbus::Result<Connections> {
    let asks = Builder::address(ADDRESS).build().await?;
    let stream = UnixStream::connect(SOCKET).await?;
    let pace = Pace::default();
    let interface = Interface::new(Arc::clone(engine), Some(asks.clone()), pace.clone());
    let serves = Builder::socket(Paced { stream, pace })
        .serve_at(OBJECT_PATH, interface)
        .name(BUS_NAME)
        .build()
        .await?;
    Ok(Connections { asks, serves })
}
