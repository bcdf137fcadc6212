//! stintd: reads its command line, takes the socket that systemd holds for it, and runs the engine
//! until it is told to stop. What it does is in the library.
#![forbid(unsafe_code)]

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use stint_daemon::applied;
use stint_daemon::clock::KernelClock;
use stint_daemon::dbus::{ask_bus, lets_go, serve_bus, serve_module};
use stint_daemon::engine::{Engine, Mechanisms, Places, StartError};
use stint_daemon::record::counted;
use stint_daemon::sweep::{Extent, Swept, sweep};
use stint_proto::PAM_SOCKET;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const USAGE: &str = "\
stintd: holds the grants of this host and answers the gate. systemd starts it.

Usage: stintd
       stintd --end-all REASON   end every grant, take back everything, and exit; while
                                 stintd is stopped (the package's removal does this)
       stintd --sweep            take back what is over, by the list of what was given, where
                                 no stintd runs (stint-sweep.service does this)
       stintd --help | --version

See stintd(8).
";

enum Order {
    Run,
    EndAll(String),
    Sweep,
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
        ["--sweep"] => Ok(Order::Sweep),
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
            Order::Sweep => sweep_over().await,
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

/// One line for each thing that could not be done; the next run tries it again.
async fn sweep_over() -> Result<(), String> {
    let swept = sweep(&Places::of_host(), Arc::new(KernelClock), Extent::Over).await;
    if swept.failures.is_empty() { Ok(()) } else { Err(swept.failures.join("\nstintd: ")) }
}

/// The same without the state, which cannot be used: all that the list names goes.
async fn end_listed(reason: &str, damage: &StartError) -> Result<(), String> {
    let places = Places::of_host();
    if !places.state_dir.join(applied::FILE).exists() {
        return Err(format!("{damage}; and there is no list of what was given"));
    }
    let Swept { grants, failures } =
        sweep(&places, Arc::new(KernelClock), Extent::Everything(reason)).await;
    if !failures.is_empty() {
        return Err(failures.join("\nstintd: "));
    }
    eprintln!("stintd: {damage}");
    println!(
        "{} ended by the list; everything that stint gave is taken back",
        counted(grants, "grant")
    );
    Ok(())
}

async fn end_all(reason: &str) -> Result<(), String> {
    let engine = match open().await {
        Ok((engine, _)) => engine,
        Err(damage @ StartError::Store(_)) => return end_listed(reason, &damage).await,
        Err(error) => return Err(error.to_string()),
    };
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

async fn open() -> Result<(Arc<Engine>, Vec<stint_policy::SourceFile>), StartError> {
    let places = Places::of_host();
    let mechanisms = Mechanisms::of_host(&places.state_dir);
    Engine::open(places, Arc::new(KernelClock), mechanisms).await
}

async fn run() -> Result<(), String> {
    // The state first: a second stintd must not take the socket away from the one that runs.
    let (engine, last_good) = open().await.map_err(|error| error.to_string())?;
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
        never = Arc::clone(&engine).notice_changes() => match never {},
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

/// Answers systemd's watchdog at half its interval, if the door is served and ends come: the one
/// thing that wakes the daemon between deadlines. While grants run, the clocks are noted then too.
async fn keep_watchdog_fed(engine: Arc<Engine>) {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let mut looked = false;
    loop {
        if engine.is_overdue() {
            eprintln!("stintd: it has not ended what is over; systemd will start it again");
        } else if lets_go(Path::new(PAM_SOCKET), interval / 4).await {
            tell_systemd(&[NotifyState::Watchdog]);
        } else {
            eprintln!("stintd: its door does not answer; systemd will start it again");
        }
        engine.note_time();
        tokio::time::sleep(interval / 2).await;
        // Once, and with a wake-up that comes in any case.
        if !std::mem::replace(&mut looked, true) {
            engine.look_first();
        }
    }
}
