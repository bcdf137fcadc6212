//! The system bus: owns the name, serves the object, and comes back when the bus went away. The
//! module does not come this way, so nothing here stands between sudo and its answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use stint_proto::{BUS_NAME, OBJECT_PATH};
use tokio::sync::watch;
use zbus::Connection;
use zbus::connection::Builder;

use super::interface::Interface;
use crate::engine::Engine;

/// The bus's own address: not taken from the environment.
const ADDRESS: &str = "unix:path=/run/dbus/system_bus_socket";
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
            Ok(Ok(connection)) => {
                pause = FIRST_PAUSE;
                present.send_replace(Some(connection.clone()));
                connection.closed().await;
                present.send_replace(None);
                eprintln!("stintd: the system bus closed the connection; coming back");
            }
            Ok(Err(error)) => eprintln!("stintd: the system bus: {error}; trying again"),
            Err(_) => eprintln!("stintd: the system bus does not answer; trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn connect(engine: &Arc<Engine>) -> zbus::Result<Connection> {
    Builder::address(ADDRESS)
        .serve_at(OBJECT_PATH, Interface::new(Arc::clone(engine)))
        .name(BUS_NAME)
        .build()
        .await
}
