//! stintd: reads its command line, takes the socket that systemd holds for it, and runs the engine
//! until it is told to stop. What it does is in the library.
#![forbid(unsafe_code)]

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::sync::Arc;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use stint_daemon::clock::KernelClock;
use stint_daemon::dbus::{ask_bus, serve_bus, serve_module};
use stint_daemon::engine::{Engine, Mechanisms, Places};
use stint_daemon::record::counted;
use stint_proto::PAM_SOCKET;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const USAGE: &str = "\
stintd: holds the grants of this host and answers the gate. systemd starts it.

Usage: stintd
       stintd --end-all REASON   end every grant, take back everything, and exit; while
                                 stintd is stopped (the package's removal does this)
       stintd --help | --version

See stintd(8).
";

enum Order {
    Run,
    EndAll(String),
    Say(String),
}

fn order() -> Result<Order, String> {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => Ok(Order::Run),
        ["--end-all", reason] if !reason.trim().is_empty() => {
            Ok(Order::EndAll((*reason).to_owned()))
        }
        ["--help" | "-h"] => Ok(Order::Say(USAGE.to_owned())),
        ["--version" | "-V"] => Ok(Order::Say(format!("stintd {}\n", env!("CARGO_PKG_VERSION")))),
        ["--end-all", ..] => Err("--end-all needs one reason".to_owned()),
        [other, ..] => Err(format!("{other:?} is not understood")),
    }
}

fn main() -> ExitCode {
    let order = match order() {
        Ok(Order::Say(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Ok(order) => order,
        Err(problem) => {
            eprint!("stintd: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    let done = runtime.block_on(async {
        match order {
            Order::EndAll(reason) => end_all(&reason).await,
            Order::Run | Order::Say(_) => run().await,
        }
    });
    // Threads that hang in the account database must not hold up the end.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&problem),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("stintd: {problem}");
    ExitCode::FAILURE
}

async fn end_all(reason: &str) -> Result<(), String> {
    let (engine, _) = open().await?;
    engine.use_bus(watch::channel(ask_bus().await).1);
    let ended = engine.end_everything(reason).await;
    engine.close();
    match ended {
        Ok(count) => {
            println!("{} ended; everything that stint gave is taken back", counted(count, "grant"));
            Ok(())
        }
        Err(failures) => Err(failures.join("\nstintd: ")),
    }
}

async fn open() -> Result<(Arc<Engine>, Vec<stint_policy::SourceFile>), String> {
    Engine::open(Places::of_host(), Arc::new(KernelClock), Mechanisms::of_host())
        .await
        .map_err(|error| error.to_string())
}

async fn run() -> Result<(), String> {
    // The state first: a second stintd must not take the socket away from the one that runs.
    let (engine, last_good) = open().await?;
    let listener = module_socket().map_err(|error| format!("{PAM_SOCKET}: {error}"))?;
    engine.begin(last_good).await;
    let mut hangup = listen(SignalKind::hangup())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    tell_systemd(&[NotifyState::Ready]);
    let watchdog = keep_watchdog_fed(Arc::clone(&engine));
    let reloads = async {
        while hangup.recv().await.is_some() {
            if let Err(refusal) = engine.reload("SIGHUP").await {
                eprintln!("stintd: {refusal}");
            }
        }
    };
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let (present, bus) = watch::channel(None);
    engine.use_bus(bus.clone());
    let done = tokio::select! {
        () = reloads => Ok(()),
        () = watchdog => Ok(()),
        never = serve_bus(Arc::clone(&engine), present) => match never {},
        never = Arc::clone(&engine).serve_news(bus) => match never {},
        never = Arc::clone(&engine).serve_evictions() => match never {},
        never = Arc::clone(&engine).serve_forgetting() => match never {},
        never = Arc::clone(&engine).serve_residue() => match never {},
        never = Arc::clone(&engine).serve_settling() => match never {},
        result = serve_module(Arc::clone(&engine), listener, stop) => {
            result.map_err(|error| format!("{PAM_SOCKET}: {error}"))
        }
        result = Arc::clone(&engine).keep_time() => {
            result.map_err(|error| format!("the kernel's timers: {error}"))
        }
    };
    tell_systemd(&[NotifyState::Stopping]);
    engine.close();
    done
}

fn listen(kind: SignalKind) -> Result<tokio::signal::unix::Signal, String> {
    signal(kind).map_err(|error| format!("signals: {error}"))
}

/// The socket from systemd; one made here when stintd is started by hand.
fn module_socket() -> io::Result<UnixListener> {
    let listener = match ListenFd::from_env().take_unix_listener(0)? {
        Some(listener) => listener,
        None => {
            match std::fs::remove_file(PAM_SOCKET) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(PAM_SOCKET)?;
            std::fs::set_permissions(PAM_SOCKET, PermissionsExt::from_mode(0o600))?;
            listener
        }
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn tell_systemd(states: &[NotifyState<'_>]) {
    // Started by hand there is nobody to tell, and that is no error.
    if let Err(error) = sd_notify::notify(states) {
        eprintln!("stintd: systemd was not told: {error}");
    }
}

/// Answers systemd's watchdog at half its interval: the one thing that wakes the daemon between
/// deadlines. While grants run, the wall clock is noted then too.
async fn keep_watchdog_fed(engine: Arc<Engine>) {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        tell_systemd(&[NotifyState::Watchdog]);
        engine.note_time();
        tokio::time::sleep(interval / 2).await;
    }
}
