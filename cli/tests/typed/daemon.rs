//! A bus with one service on it, which answers as stintd would: one request is pending until
//! somebody has decided on it.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use stint_proto::{ApproveOrder, DenyOrder, Grant, ListFilter, Request, RequestState, Uid};
use tokio::net::UnixListener;
use tokio::sync::{oneshot, watch};
use zbus::connection::Builder;

/// What was decided.
pub type Decided = Arc<Mutex<Vec<(String, String)>>>;

/// The bus itself, as far as a client asks anything of it.
struct Bus;

#[zbus::interface(name = "org.freedesktop.DBus")]
impl Bus {
    fn hello(&self) -> String {
        ":1.1".to_owned()
    }
}

/// The daemon.
struct Daemon {
    decided: Decided,
    serial: Arc<watch::Sender<u64>>,
}

impl Daemon {
    fn note(&self, id: &str, what: &str) -> Request {
        self.decided.lock().unwrap().push((id.to_owned(), what.to_owned()));
        self.serial.send_modify(|serial| *serial += 1);
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

    fn pending(&self) -> Vec<Request> {
        if self.decided.lock().unwrap().is_empty() { vec![request()] } else { Vec::new() }
    }

    fn list(&self, _filter: ListFilter) -> Vec<Grant> {
        Vec::new()
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
    /// What was decided, in turn: the id with the digest or the reason.
    pub decided: Decided,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts one at this socket.
    pub fn at(socket: &Path) -> Self {
        let decided = Decided::default();
        let (stop, stopped) = oneshot::channel();
        let (ready, listens) = mpsc::channel();
        let (socket, noted) = (socket.to_owned(), Arc::clone(&decided));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = UnixListener::bind(socket).unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = serve(&listener, noted) => {}
                    _ = stopped => {}
                }
            });
        });
        listens.recv().unwrap();
        Self { decided, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_none_or(|ended| ended.is_ok()));
    }
}

async fn serve(listener: &UnixListener, decided: Decided) {
    let serial = Arc::new(watch::Sender::new(1));
    let mut open = Vec::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let daemon = Daemon { decided: Arc::clone(&decided), serial: Arc::clone(&serial) };
        let connection = Builder::unix_stream(stream.into_std().unwrap())
            .server(zbus::Guid::generate())
            .p2p()
            .serve_at("/org/freedesktop/DBus", Bus)
            .serve_at("/org/stint/Stint1", daemon)
            .build()
            .await;
        // Who left while greeting was a board that was being closed.
        open.extend(connection);
    }
}
