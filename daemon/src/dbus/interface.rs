//! The interface `org.stint.Stint1` on the system bus: each method finds out who calls, asks the table, and hands
//! values to the engine. No rule lives here.

use std::sync::Arc;

use stint_proto::{
    CheckAnswer, ErrorCode, Explain, Explanation, Grant, GrantOrder, Health, ListFilter, PamItems,
    ReloadReport, RevokeOrder, RoleSummary, Status, Uid,
};
use zbus::message::Header;
use zbus::{Connection, DBusError, interface};

use super::authority::{Caller, authorize};
use crate::engine::{Engine, Refusal};

/// The object behind the interface.
pub struct Interface {
    engine: Arc<Engine>,
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
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Finds out who calls, and whether they may.
    async fn admit(
        &self,
        method: &str,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Uid, BusError> {
        let uid = sender_uid(connection, header).await?;
        authorize(method, Caller::Bus(uid))?;
        Ok(uid)
    }

    /// For what is served on the module's socket alone: the table refuses everybody here.
    async fn refuse(&self, method: &str, connection: &Connection, header: &Header<'_>) -> BusError {
        match self.admit(method, connection, header).await {
            Err(refused) => refused,
            Ok(_) => Refusal::new(ErrorCode::Denied, format!("{method} is not served here")).into(),
        }
    }

    /// Who acts, for the record: an account's name, or its number.
    async fn actor(&self, uid: Uid) -> String {
        self.engine.name_of(uid).await.map_or_else(|| format!("uid {uid}"), |name| name.to_string())
    }
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
    /// May this person pass this door? For the PAM module, on its own socket.
    async fn check(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        items: PamItems,
    ) -> Result<CheckAnswer, BusError> {
        drop(items);
        Err(self.refuse("Check", connection, &header).await)
    }

    /// A session begins; answers with its id. For the PAM module, on its own socket.
    async fn open_session(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        items: PamItems,
    ) -> Result<String, BusError> {
        drop(items);
        Err(self.refuse("OpenSession", connection, &header).await)
    }

    /// A session has ended. For the PAM module, on its own socket.
    async fn close_session(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: String,
    ) -> Result<(), BusError> {
        drop(id);
        Err(self.refuse("CloseSession", connection, &header).await)
    }

    /// Gives a role to a user for a while.
    async fn grant(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: GrantOrder,
    ) -> Result<Grant, BusError> {
        let uid = self.admit("Grant", connection, &header).await?;
        Ok(self.engine.grant(order, &self.actor(uid).await).await?)
    }

    /// Ends grants before their time.
    async fn revoke(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: RevokeOrder,
    ) -> Result<Vec<Grant>, BusError> {
        let uid = self.admit("Revoke", connection, &header).await?;
        Ok(self.engine.revoke(order, &self.actor(uid).await).await?)
    }

    /// Loads the policy again.
    async fn reload(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<ReloadReport, BusError> {
        let uid = self.admit("Reload", connection, &header).await?;
        Ok(self.engine.reload(&self.actor(uid).await).await?)
    }

    /// How the daemon is.
    async fn health(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Health, BusError> {
        self.admit("Health", connection, &header).await?;
        Ok(self.engine.health())
    }

    /// Grants: all of them for root, their own for others.
    async fn list(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        filter: ListFilter,
    ) -> Result<Vec<Grant>, BusError> {
        let uid = self.admit("List", connection, &header).await?;
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
        let uid = self.admit("Status", connection, &header).await?;
        Ok(self.engine.status(uid).await?)
    }

    /// The roles of this host.
    async fn roles(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<RoleSummary>, BusError> {
        let uid = self.admit("Roles", connection, &header).await?;
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
        let uid = self.admit("Explain", connection, &header).await?;
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
    let interface = Interface::new(engine);
    zbus::object_server::Interface::introspect_to_writer(&interface, &mut text, 2);
    text
}
