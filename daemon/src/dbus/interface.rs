//! The interface `org.stint.Stint1`: each method finds out who calls, asks the table, and hands
//! values to the engine. No rule lives here.

use std::sync::Arc;

use stint_proto::{
    CheckAnswer, ErrorCode, Explain, Explanation, Grant, GrantOrder, Health, ListFilter, PamItems,
    ReloadReport, RevokeOrder, RoleSummary, Status, Uid,
};
use zbus::message::Header;
use zbus::{Connection, DBusError, interface};

use super::authority::{Caller, authorize};
use crate::engine::{Engine, Peer, Refusal};

/// Over which door a connection came in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    /// The module's socket; the peer is known for the whole connection.
    Module(Peer),
    /// The system bus; each message has its own sender.
    Bus,
}

/// The object behind the interface.
pub struct Interface {
    engine: Arc<Engine>,
    door: Door,
}

/// An error of the interface: its names are [`ErrorCode::bus_name`]'s.
#[derive(Debug)]
pub struct BusError(Refusal);

impl From<Refusal> for BusError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl std::fmt::Display for BusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl DBusError for BusError {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<zbus::Message> {
        zbus::Message::error(call, self.name()).build(&self.0.message.as_str())
    }

    fn name(&self) -> zbus::names::ErrorName<'_> {
        zbus::names::ErrorName::from_static_str_unchecked(self.0.code.bus_name())
    }

    fn description(&self) -> Option<&str> {
        Some(&self.0.message)
    }
}

impl Interface {
    pub(super) fn new(engine: Arc<Engine>, door: Door) -> Self {
        Self { engine, door }
    }

    /// Finds out who calls and whether they may.
    async fn admit(
        &self,
        method: &str,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Caller, BusError> {
        let caller = match self.door {
            Door::Module(peer) => Caller::Module(peer),
            Door::Bus => Caller::Bus(sender_uid(connection, header).await?),
        };
        authorize(method, caller)?;
        Ok(caller)
    }

    async fn bus_caller(
        &self,
        method: &str,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Uid, BusError> {
        match self.admit(method, connection, header).await? {
            Caller::Bus(uid) => Ok(uid),
            Caller::Module(_) => Err(unreachable_caller(method)),
        }
    }

    async fn module_caller(
        &self,
        method: &str,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Peer, BusError> {
        match self.admit(method, connection, header).await? {
            Caller::Module(peer) => Ok(peer),
            Caller::Bus(_) => Err(unreachable_caller(method)),
        }
    }

    /// Who acts, for the record: an account's name, or its number.
    async fn actor(&self, uid: Uid) -> String {
        self.engine.name_of(uid).await.map_or_else(|| format!("uid {uid}"), |name| name.to_string())
    }
}

/// The table has let a caller through whom the method cannot serve; that is a denial.
fn unreachable_caller(method: &str) -> BusError {
    Refusal::new(ErrorCode::Denied, format!("{method} cannot be called this way")).into()
}

/// The uid of a message's sender, as the bus has it from the kernel. Who is gone is refused.
async fn sender_uid(connection: &Connection, header: &Header<'_>) -> Result<Uid, BusError> {
    let gone = || Refusal::new(ErrorCode::Denied, "the caller is gone or has no name on the bus");
    let sender = header.sender().ok_or_else(gone)?;
    let reply = connection
        .call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "GetConnectionUnixUser",
            &sender,
        )
        .await
        .map_err(|_| gone())?;
    Ok(reply.body().deserialize::<u32>().map(Uid).map_err(|_| gone())?)
}

/// Methods of stint. Times are microseconds since 1970, lengths are seconds.
#[interface(name = "org.stint.Stint1")]
impl Interface {
    /// May this person pass this door?
    async fn check(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        items: PamItems,
    ) -> Result<CheckAnswer, BusError> {
        let peer = self.module_caller("Check", connection, &header).await?;
        Ok(self.engine.check(peer, &items).await)
    }

    /// A session begins; answers with its id.
    async fn open_session(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        items: PamItems,
    ) -> Result<String, BusError> {
        let peer = self.module_caller("OpenSession", connection, &header).await?;
        let opened = self.engine.session_opened(peer, &items).await;
        Ok(opened.map_err(|error| Refusal::new(ErrorCode::Failed, error.to_string()))?)
    }

    /// A session has ended.
    async fn close_session(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: String,
    ) -> Result<(), BusError> {
        self.module_caller("CloseSession", connection, &header).await?;
        match self.engine.session_closed(id).await.map_err(Refusal::from)? {
            true => Ok(()),
            false => Err(Refusal::new(ErrorCode::NoSuchId, "no such session is open").into()),
        }
    }

    /// Gives a role to a user for a while.
    async fn grant(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: GrantOrder,
    ) -> Result<Grant, BusError> {
        let uid = self.bus_caller("Grant", connection, &header).await?;
        Ok(self.engine.grant(order, &self.actor(uid).await).await?)
    }

    /// Ends grants before their time.
    async fn revoke(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: RevokeOrder,
    ) -> Result<Vec<Grant>, BusError> {
        let uid = self.bus_caller("Revoke", connection, &header).await?;
        Ok(self.engine.revoke(order, &self.actor(uid).await).await?)
    }

    /// Loads the policy again.
    async fn reload(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<ReloadReport, BusError> {
        let uid = self.bus_caller("Reload", connection, &header).await?;
        Ok(self.engine.reload(&self.actor(uid).await).await?)
    }

    /// How the daemon is.
    async fn health(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Health, BusError> {
        self.bus_caller("Health", connection, &header).await?;
        Ok(self.engine.health())
    }

    /// Grants: all of them for root, their own for others.
    async fn list(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        filter: ListFilter,
    ) -> Result<Vec<Grant>, BusError> {
        let uid = self.bus_caller("List", connection, &header).await?;
        if uid == Uid::ROOT {
            return Ok(self.engine.list(&filter, None).await?);
        }
        match self.engine.name_of(uid).await {
            Some(user) => Ok(self.engine.list(&filter, Some(&user)).await?),
            None => Ok(Vec::new()),
        }
    }

    /// How things stand for the caller.
    async fn status(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Status, BusError> {
        let uid = self.bus_caller("Status", connection, &header).await?;
        Ok(self.engine.status(uid).await?)
    }

    /// The roles of this host.
    async fn roles(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<RoleSummary>, BusError> {
        let uid = self.bus_caller("Roles", connection, &header).await?;
        let user = self.engine.name_of(uid).await;
        Ok(self.engine.roles(uid, user.as_ref()).await)
    }

    /// Why the gate would let somebody in, or not: oneself, or, for root, anybody.
    async fn explain(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        question: Explain,
    ) -> Result<Explanation, BusError> {
        let uid = self.bus_caller("Explain", connection, &header).await?;
        if let Some(user) = &question.user
            && uid != Uid::ROOT
            && self.engine.name_of(uid).await.as_ref() != Some(user)
        {
            let text = "only root may ask about others; leave --user out to ask about yourself";
            return Err(Refusal::new(ErrorCode::Denied, text).into());
        }
        Ok(self.engine.explain(question, uid).await?)
    }
}

/// The interface as D-Bus introspection data, for the file that is installed.
#[must_use]
pub fn introspection(engine: Arc<Engine>) -> String {
    let mut text = String::new();
    let interface = Interface::new(engine, Door::Bus);
    zbus::object_server::Interface::introspect_to_writer(&interface, &mut text, 2);
    text
}
