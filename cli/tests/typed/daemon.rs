//! A bus with one service on it, which answers as stintd would: one request is pending until
//! somebody has decided on it, and the caller may have one of their own.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use stint_proto::{
    ApproveOrder, DenyOrder, DropOrder, Grant, GrantState, ListFilter, Origin, Request, RequestId,
    RequestOrder, RequestState, ReviewOrder, RoleSummary, Status, Uid,
};
use tokio::net::UnixListener;
use tokio::sync::{oneshot, watch};
use zbus::connection::Builder;

/// How things stand, and what was asked for in turn.
#[derive(Default)]
pub struct State {
    /// Decisions: the id with the digest, the reason or the note.
    pub decided: Vec<(String, String)>,
    /// What the holder did: `request admin`, `cancel 7kq2`, `drop g4t9`.
    pub asked: Vec<String>,
    /// The caller's own request.
    pub own: Option<Request>,
    /// What the caller holds of it.
    pub held: Option<Grant>,
}

/// The bus itself, as far as a client asks anything of it.
struct Bus;

#[zbus::interface(name = "org.freedesktop.DBus")]
impl Bus {
    fn hello(&self) -> String {
        ":1.1".to_owned()
    }
}

/// The daemon.
#[derive(Clone)]
struct Daemon {
    state: Arc<Mutex<State>>,
    serial: Arc<watch::Sender<u64>>,
}

impl Daemon {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.state.lock().unwrap());
        self.serial.send_modify(|serial| *serial += 1);
        done
    }

    fn note(&self, id: &str, what: &str) -> Request {
        self.change(|state| state.decided.push((id.to_owned(), what.to_owned())));
        request()
    }
}

#[zbus::interface(name = "org.stint.Stint1")]
impl Daemon {
    async fn follow(&self, known: u64, seconds: u64) -> u64 {
        let mut serial = self.serial.subscribe();
        let change = serial.wait_for(|serial| *serial != known);
        let _in_time = tokio::time::timeout(Duration::from_secs(seconds), change).await.is_ok();
        *self.serial.borrow()
    }

    fn status(&self) -> Status {
        let state = self.state.lock().unwrap();
        let pending = state.own.iter().filter(|own| own.state == RequestState::Pending);
        Status {
            host: "web-1".into(),
            user: Some("alice".parse().unwrap()),
            grants: state.held.iter().cloned().collect(),
            requests: pending.cloned().collect(),
            to_decide: 0,
            eligible: vec!["admin".parse().unwrap()],
            gate_mode: "enforce".into(),
            alarms: Vec::new(),
            notes: Vec::new(),
            policy_problem: None,
            remote: None,
        }
    }

    fn roles(&self) -> Vec<RoleSummary> {
        Vec::new()
    }

    fn request(&self, order: RequestOrder) -> Request {
        self.change(|state| {
            state.asked.push(format!("request {}", order.role));
            state.own.insert(request()).clone()
        })
    }

    #[zbus(name = "Await")]
    async fn await_request(&self, _id: RequestId, seconds: u64) -> Request {
        let now = || self.state.lock().unwrap().own.clone().unwrap_or_else(request);
        let mut serial = self.serial.subscribe();
        let over = serial.wait_for(|_| now().state != RequestState::Pending);
        let _in_time = tokio::time::timeout(Duration::from_secs(seconds), over).await.is_ok();
        now()
    }

    fn cancel(&self, id: RequestId) -> zbus::fdo::Result<Request> {
        self.change(|state| {
            state.asked.push(format!("cancel {id}"));
            let mut own = state.own.take().unwrap();
            own.state = RequestState::Cancelled;
            Ok(own)
        })
    }

    fn drop(&self, order: DropOrder) -> Vec<Grant> {
        self.change(|state| {
            state.asked.push(format!("drop {}", order.id.unwrap()));
            state.held.take().into_iter().collect()
        })
    }

    fn pending(&self) -> Vec<Request> {
        if self.state.lock().unwrap().decided.is_empty() { vec![request()] } else { Vec::new() }
    }

    fn list(&self, filter: ListFilter) -> Vec<Grant> {
        if filter.to_review { vec![grant()] } else { Vec::new() }
    }

    fn approve(&self, order: ApproveOrder) -> Request {
        let mut request = self.note(order.id.as_str(), &order.digest);
        request.state = RequestState::Approved;
        request.grant = Some("g4t9".parse().unwrap());
        request
    }

    fn deny(&self, order: DenyOrder) -> zbus::fdo::Result<Request> {
        self.note(order.id.as_str(), &order.reason);
        Err(zbus::fdo::Error::AccessDenied("it is your own".to_owned()))
    }

    fn review(&self, order: ReviewOrder) -> Grant {
        self.note(order.id.as_str(), &order.note);
        grant()
    }
}

/// What is held of the request, as the use of a break-glass role.
pub fn grant() -> Grant {
    Grant {
        id: "g4t9".parse().unwrap(),
        user: "alice".parse().unwrap(),
        uid: Uid(1001),
        role: "admin".parse().unwrap(),
        state: GrantState::Active,
        starts_at: "2026-11-23T14:02:00Z".parse().unwrap(),
        expires_at: "2026-11-23T14:32:00Z".parse().unwrap(),
        ended_at: None,
        end_reason: None,
        origin: Origin::BreakGlass,
        reason: "disk full".into(),
        ticket: None,
        granted_by: "alice".into(),
        approvals: Vec::new(),
        request: Some("7kq2".parse().unwrap()),
        reviewed_by: None,
        services: vec!["sudo".parse().unwrap()],
        groups: Vec::new(),
        polkit: Vec::new(),
        residue: None,
        without: Vec::new(),
    }
}

/// The request that is pending.
pub fn request() -> Request {
    Request {
        id: "7kq2".parse().unwrap(),
        user: "alice".parse().unwrap(),
        uid: Uid(1001),
        role: "admin".parse().unwrap(),
        state: RequestState::Pending,
        duration: "30m".parse().unwrap(),
        starts_at: None,
        reason: "disk full".into(),
        ticket: None,
        created_at: "2026-11-23T14:00:30Z".parse().unwrap(),
        lapses_at: "2026-11-24T14:00:30Z".parse().unwrap(),
        ended_at: None,
        approvals: Vec::new(),
        approvals_needed: 1,
        approvers: vec!["bob".into()],
        grant: None,
        extends: None,
        ended_by: None,
        note: None,
        confers: vec!["sudo as root: ALL".into()],
        digest: "the-digest".into(),
    }
}

/// The daemon while it runs; it is gone when this is.
pub struct Running {
    daemon: Daemon,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts one at this socket.
    pub fn at(socket: &Path) -> Self {
        let serial = Arc::new(watch::Sender::new(1));
        let daemon = Daemon { state: Arc::default(), serial };
        let (stop, stopped) = oneshot::channel();
        let (ready, listens) = mpsc::channel();
        let (socket, served) = (socket.to_owned(), daemon.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = UnixListener::bind(socket).unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = serve(&listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        listens.recv().unwrap();
        Self { daemon, stop: Some(stop), thread: Some(thread) }
    }

    /// Looks at how things stand, or changes it.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.daemon.change(change)
    }

    /// What was decided, in turn.
    pub fn decided(&self) -> Vec<(String, String)> {
        self.daemon.state.lock().unwrap().decided.clone()
    }

    /// What was asked for, in turn.
    pub fn asked(&self) -> Vec<String> {
        self.daemon.state.lock().unwrap().asked.clone()
    }

    /// Somebody approves the caller's own request.
    pub fn approves(&self) {
        self.change(|state| {
            let own = state.own.as_mut().unwrap();
            own.state = RequestState::Approved;
            own.grant = Some(grant().id);
            state.held = Some(grant());
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_none_or(|ended| ended.is_ok()));
    }
}

async fn serve(listener: &UnixListener, daemon: Daemon) {
    let mut open = Vec::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let connection = Builder::unix_stream(stream.into_std().unwrap())
            .server(zbus::Guid::generate())
            .p2p()
            .serve_at("/org/freedesktop/DBus", Bus)
            .serve_at("/org/stint/Stint1", daemon.clone())
            .build()
            .await;
        // Who left while greeting was a board that was being closed.
        open.extend(connection);
    }
}
