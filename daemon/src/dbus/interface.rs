//! The interface `org.stint.Stint1` on the system bus: each method finds out who calls, asks the
//! table, and hands values to the engine. No rule lives here.

use std::sync::Arc;
use std::time::Duration;

use stint_proto::{
    ApproveOrder, AttestOrder, Attestation, CheckAnswer, CheckpointKey, Delivery, DenyOrder,
    DoorRequest, DropOrder, EligibleEntry, ErrorCode, Explain, Explanation, ExtendOrder, Grant,
    GrantId, GrantOrder, GrantsPage, Health, ListFilter, Metric, OpenedSession, PamItems,
    PastRequest, Publication, RecordPage, ReloadReport, Request, RequestId, RequestOrder,
    ReviewOrder, RevokeOrder, RoleSummary, SYNC_ACCOUNT, Standing, StandingChange, Status,
    Timestamp, Uid,
};
use zbus::message::Header;
use zbus::{Connection, interface};

use super::authority::{Caller, For, authorize};
use super::caller::{Admitted, Load, sender};
use super::details::{decision, pair};
use super::error::BusError;
use super::pace::Pace;
use crate::engine::{Engine, Refusal};
use crate::polkit::{APPROVE, DENY, REVIEW, authenticate};

/// How long an approver may take to prove who they are.
const AUTHENTICATION_LIMIT: Duration = Duration::from_secs(120);

/// The object behind the interface.
pub struct Interface {
    engine: Arc<Engine>,
    load: Load,
    asks: Option<Connection>,
    pace: Pace,
}

impl Interface {
    /// `asks` is the connection by which the bus is asked who calls, where it is another than the
    /// one that is served.
    pub(super) fn new(engine: Arc<Engine>, asks: Option<Connection>, pace: Pace) -> Self {
        Self { engine, load: Load::default(), asks, pace }
    }

    /// Finds out who calls, and whether they may; who may not is recorded.
    async fn admit(
        &self,
        method: &str,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Admitted, BusError> {
        let busy = self.load.enter(header)?;
        let unknown = self.pace.enter();
        let caller = sender(self.asks.as_ref().unwrap_or(connection), header).await?;
        drop(unknown);
        let allowed = match authorize(method, Caller::Bus(caller.uid)) {
            Ok(For::Readers) if !self.engine.reads_all(caller.uid).await? => {
                let text = format!("{method} is root's, and theirs who may read the record");
                Err(Refusal::new(ErrorCode::Denied, text))
            }
            Ok(For::Carrier) if !self.engine.carries(caller.uid).await => {
                let text = format!("{method} is root's, and that of {SYNC_ACCOUNT}");
                Err(Refusal::new(ErrorCode::Denied, text))
            }
            other => other.map(drop),
        };
        if let Err(refusal) = allowed {
            self.engine.call_denied(&caller, method, &refusal).await;
            return Err(refusal.into());
        }
        Ok(self.load.admit(busy, header, caller)?)
    }

    /// For what is served on the module's socket alone: the table refuses everybody here.
    async fn refuse(&self, method: &str, connection: &Connection, header: &Header<'_>) -> BusError {
        match self.admit(method, connection, header).await {
            Err(refused) => refused,
            Ok(_) => Refusal::new(ErrorCode::Denied, format!("{method} is not served here")).into(),
        }
    }

    /// Has an approver prove who they are, unless the policy asks for none.
    async fn authenticate(
        &self,
        connection: &Connection,
        header: &Header<'_>,
        action: &str,
        details: &[(&str, &str)],
    ) -> Result<(), BusError> {
        if !self.engine.asks_approvers() {
            return Ok(());
        }
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        let limit = AUTHENTICATION_LIMIT;
        let asked = Box::pin(authenticate(connection, &sender, action, details, limit)).await;
        asked.map_err(|why| Refusal::new(ErrorCode::Refused, why.to_string()).into())
    }
}

// What a method needs once its caller is admitted is boxed: a call that is turned away, or waits
// to be admitted, keeps little.
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

    /// Asks for a role in the name of who stands at a door. For the PAM module, on its own socket.
    async fn request_at_door(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        asked: DoorRequest,
    ) -> Result<CheckAnswer, BusError> {
        drop(asked);
        Err(self.refuse("RequestAtDoor", connection, &header).await)
    }

    /// A session begins; answers with its id, and with the control group that the process enters
    /// itself before it starts anything; empty where it need not. For the PAM module, on its own
    /// socket.
    async fn enter_session(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        items: PamItems,
    ) -> Result<OpenedSession, BusError> {
        drop(items);
        Err(self.refuse("EnterSession", connection, &header).await)
    }

    /// The process of a session could not enter its control group, and is put into another. For the
    /// PAM module, on its own socket.
    async fn place_session(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: String,
    ) -> Result<(), BusError> {
        drop(id);
        Err(self.refuse("PlaceSession", connection, &header).await)
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

    /// The numbers of the groups which the role of a grant confers, for who holds it now. For
    /// stint-run, on the module's socket.
    async fn run_groups(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        grant: GrantId,
    ) -> Result<Vec<u32>, BusError> {
        drop(grant);
        Err(self.refuse("RunGroups", connection, &header).await)
    }

    /// Gives a role to a user for a while.
    async fn grant(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: GrantOrder,
    ) -> Result<Grant, BusError> {
        let by = self.admit("Grant", connection, &header).await?;
        let caller = self.engine.called(by.caller.uid).await;
        Ok(Box::pin(self.engine.grant(order, &caller)).await?)
    }

    /// Ends grants before their time.
    async fn revoke(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: RevokeOrder,
    ) -> Result<Vec<Grant>, BusError> {
        let by = self.admit("Revoke", connection, &header).await?;
        Ok(self.engine.revoke(order, &self.engine.called(by.caller.uid).await).await?)
    }

    /// Takes a signed document that `source` has brought. For root and the account `stint-sync`.
    async fn deliver(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        source: String,
        document: Vec<u8>,
    ) -> Result<Delivery, BusError> {
        let by = self.admit("Deliver", connection, &header).await?;
        let _turn = by.turn().await;
        Ok(Box::pin(self.engine.deliver(&source, document)).await?)
    }

    /// How it goes with a source: what is wrong, or an empty text. For root and the account
    /// `stint-sync`.
    async fn source_report(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        source: String,
        error: String,
    ) -> Result<(), BusError> {
        let _admitted = self.admit("SourceReport", connection, &header).await?;
        Ok(self.engine.source_report(&source, &error)?)
    }

    /// What this host publishes in the store of a fleet: answers as soon as its version is another
    /// than the caller has seen, or after so many seconds, 60 at most. For root and the account
    /// `stint-sync`.
    async fn publication(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        seen: u64,
        seconds: u64,
    ) -> Result<Publication, BusError> {
        let _admitted = self.admit("Publication", connection, &header).await?;
        self.engine.follow(seen, seconds).await;
        Ok(Box::pin(self.engine.publication()).await?)
    }

    /// Loads the policy again.
    async fn reload(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<ReloadReport, BusError> {
        let by = self.admit("Reload", connection, &header).await?;
        let caller = self.engine.called(by.caller.uid).await;
        Ok(Box::pin(self.engine.reload(&caller)).await?)
    }

    /// How the daemon is.
    async fn health(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Health, BusError> {
        let _admitted = self.admit("Health", connection, &header).await?;
        Ok(self.engine.health().await)
    }

    /// Grants: all of them for root and readers of the record, their own for others. Or those that
    /// await the caller's review.
    async fn list(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        filter: ListFilter,
    ) -> Result<Vec<Grant>, BusError> {
        let by = self.admit("List", connection, &header).await?;
        if filter.to_review {
            return Ok(self.engine.to_review(&filter, by.caller.uid).await?);
        }
        if self.engine.reads_all(by.caller.uid).await? {
            return Ok(self.engine.list(&filter, None).await?);
        }
        match self.engine.name_of(by.caller.uid).await {
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
        let by = self.admit("Status", connection, &header).await?;
        Ok(self.engine.status(by.caller.uid).await?)
    }

    /// The roles of this host.
    async fn roles(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<RoleSummary>, BusError> {
        let by = self.admit("Roles", connection, &header).await?;
        let uid = by.caller.uid;
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
        let by = self.admit("Explain", connection, &header).await?;
        let uid = by.caller.uid;
        if let Some(user) = &question.user
            && uid != Uid::ROOT
            && self.engine.name_of(uid).await.as_ref() != Some(user)
        {
            let text = "only root may ask about others; leave --user out to ask about yourself";
            return Err(Refusal::new(ErrorCode::Denied, text).into());
        }
        Ok(self.engine.explain(question, uid).await?)
    }

    /// Asks for a role; what needs no approval comes back granted.
    async fn request(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: RequestOrder,
    ) -> Result<Request, BusError> {
        let by = self.admit("Request", connection, &header).await?;
        let _turn = by.turn().await;
        Ok(Box::pin(self.engine.request(order, &by.caller)).await?)
    }

    /// Asks for more time with a grant that the caller holds.
    async fn extend(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: ExtendOrder,
    ) -> Result<Request, BusError> {
        let by = self.admit("Extend", connection, &header).await?;
        let _turn = by.turn().await;
        Ok(Box::pin(self.engine.extend(order, &by.caller)).await?)
    }

    /// Takes back a request of the caller's; for root, anybody's.
    async fn cancel(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: RequestId,
    ) -> Result<Request, BusError> {
        let by = self.admit("Cancel", connection, &header).await?;
        let _turn = by.turn().await;
        Ok(Box::pin(self.engine.cancel(&id, &by.caller)).await?)
    }

    /// Gives back a grant of the caller's before its time.
    async fn drop(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: DropOrder,
    ) -> Result<Vec<Grant>, BusError> {
        let by = self.admit("Drop", connection, &header).await?;
        let _turn = by.turn().await;
        Ok(Box::pin(self.engine.drop_grant(&order, &by.caller)).await?)
    }

    /// A request, as soon as it is no longer pending, or as it is after so many seconds, 60 at
    /// most. For its requester, those who may decide on it, root, and readers of the record.
    #[zbus(name = "Await")]
    async fn await_request(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        id: RequestId,
        seconds: u64,
    ) -> Result<Request, BusError> {
        let by = self.admit("Await", connection, &header).await?;
        Ok(Box::pin(self.engine.await_request(&id, seconds, &by.caller)).await?)
    }

    /// The pending requests on which the caller may decide; for root and readers of the record,
    /// all of them.
    async fn pending(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<Request>, BusError> {
        let by = self.admit("Pending", connection, &header).await?;
        Ok(self.engine.pending(by.caller.uid).await?)
    }

    /// An approver's yes to exactly what the digest stands for. They may be asked to prove who
    /// they are, so this may take two minutes.
    async fn approve(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: ApproveOrder,
    ) -> Result<Request, BusError> {
        let by = self.admit("Approve", connection, &header).await?;
        let asked = self.engine.may_decide(&order.id, &by.caller).await?;
        let details = decision(&asked);
        self.authenticate(connection, &header, APPROVE, &details.each_ref().map(pair)).await?;
        let order = ApproveOrder { id: asked.id, ..order };
        Ok(Box::pin(self.engine.approve(order, &by.caller)).await?)
    }

    /// An approver's no. They may be asked to prove who they are, so this may take two minutes.
    async fn deny(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: DenyOrder,
    ) -> Result<Request, BusError> {
        let by = self.admit("Deny", connection, &header).await?;
        let asked = self.engine.may_decide(&order.id, &by.caller).await?;
        let details = decision(&asked);
        self.authenticate(connection, &header, DENY, &details.each_ref().map(pair)).await?;
        let order = DenyOrder { id: asked.id, ..order };
        Ok(Box::pin(self.engine.deny(order, &by.caller)).await?)
    }

    /// Marks the use of a break-glass role as reviewed, by somebody else than its holder.
    async fn review(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: ReviewOrder,
    ) -> Result<Grant, BusError> {
        let by = self.admit("Review", connection, &header).await?;
        let used = self.engine.may_review(&order.id, &by.caller).await?;
        let (user, role, id) = (used.user.as_str(), used.role.as_str(), used.id.as_str());
        let details = [("user", user), ("role", role), ("grant", id)];
        self.authenticate(connection, &header, REVIEW, &details).await?;
        let order = ReviewOrder { id: used.id.clone(), ..order };
        Ok(Box::pin(self.engine.review(order, &by.caller)).await?)
    }

    /// A number that changes with everything that boards show: answers as soon as it is another
    /// than the caller has seen, or after so many seconds, 60 at most.
    async fn follow(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        seen: u64,
        seconds: u64,
    ) -> Result<u64, BusError> {
        let _admitted = self.admit("Follow", connection, &header).await?;
        Ok(self.engine.follow(seen, seconds).await)
    }

    /// Every request since then, with what was known of its requester: for a policy to be tried
    /// on. For root and readers of the record.
    async fn history(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        since: Timestamp,
    ) -> Result<Vec<PastRequest>, BusError> {
        let _admitted = self.admit("History", connection, &header).await?;
        Ok(self.engine.history(since).await?)
    }

    /// Links of the record after this number, none older than that time, as they are stored; some
    /// of them, if they are many. For root and readers of the record.
    async fn record(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        after: i64,
        since: Timestamp,
    ) -> Result<RecordPage, BusError> {
        let _admitted = self.admit("Record", connection, &header).await?;
        Ok(self.engine.links(after, since).await?)
    }

    /// By which key this host signs how far the record has come. For root and readers of the record.
    async fn checkpoint_key(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<CheckpointKey, BusError> {
        let _admitted = self.admit("CheckpointKey", connection, &header).await?;
        Ok(self.engine.checkpoint_key().await?)
    }

    /// Grants that had not ended at that time, by their beginning, after the one that began then
    /// and has this id; some of them, if they are many. For root and readers of the record.
    async fn grants_since(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        since: Timestamp,
        after: (Timestamp, String),
    ) -> Result<GrantsPage, BusError> {
        let _admitted = self.admit("GrantsSince", connection, &header).await?;
        Ok(self.engine.grants_since(since, after).await?)
    }

    /// Who is eligible for the roles of this host, and by which line of the policy. For root and
    /// readers of the record.
    async fn eligible(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<EligibleEntry>, BusError> {
        let by = self.admit("Eligible", connection, &header).await?;
        let _turn = by.turn().await;
        Ok(Box::pin(self.engine.eligible()).await?)
    }

    /// A reviewer's word on a grant, or on who is eligible for a role: recorded, and nothing else.
    /// For root and readers of the record; never on what is their own.
    async fn attest(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        order: AttestOrder,
    ) -> Result<Attestation, BusError> {
        let by = self.admit("Attest", connection, &header).await?;
        let _turn = by.turn().await;
        Ok(Box::pin(self.engine.attest(order, &by.caller)).await?)
    }

    /// Numbers for monitoring: no names of people, and nothing that somebody typed. For root and
    /// readers of the record.
    async fn metrics(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Vec<Metric>, BusError> {
        let _admitted = self.admit("Metrics", connection, &header).await?;
        Ok(self.engine.metrics().await)
    }

    /// What is held on this host with no end, and amounts to root. For root and readers of the
    /// record.
    async fn standing(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Standing, BusError> {
        let by = self.admit("Standing", connection, &header).await?;
        let _turn = by.turn().await;
        Ok(Box::pin(self.engine.standing()).await?)
    }

    /// Has it recorded that standing privilege was turned into eligibility, or given back.
    async fn standing_changed(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
        change: StandingChange,
    ) -> Result<(), BusError> {
        let by = self.admit("StandingChanged", connection, &header).await?;
        let caller = self.engine.called(by.caller.uid).await;
        Ok(self.engine.standing_changed(&change, &caller).await?)
    }
}
