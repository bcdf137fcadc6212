//! What stint-sync is called with, and what it does then.

use std::convert::Infallible;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use stint_hostfiles::read_trusted;
use stint_policy::sync::{self, Etcd, Settings, SourceUrl};
use stint_proto::SYNC_FILE;

use crate::follow::{End, Fetched, Follower, Tidings};
use crate::stintd::Bus;
use crate::{Level, certificates, chance, clock, fetch, follow, person, stintd, store};

const USAGE: &str = "\
stint-sync: brings signed documents to stintd, over https or from an etcd. systemd starts it, where
there is a /etc/stint/sync.toml.

Usage: stint-sync
       stint-sync --check     say whether /etc/stint/sync.toml is in order, and exit
       stint-sync --once      fetch everything once, say what came of it, and exit
       stint-sync --store FILE   ask a store for stint(1), which starts it, in your own name
       stint-sync --help | --version

See stint-sync(8).
";

/// Who runs it: an account that owns nothing.
const ACCOUNT: &str = "stint-sync";
/// What sysexits.h calls it when the configuration is wrong; to start again would change nothing.
pub const BAD_CONFIGURATION: u8 = 78;

/// Does what these words ask for.
#[must_use]
pub fn run(arguments: &[&str]) -> ExitCode {
    match arguments {
        [] => carry(Mode::Follow),
        ["--check"] => carry(Mode::Check),
        ["--once"] => carry(Mode::Once),
        ["--store", file] => person::run(Path::new(file)),
        ["--help" | "-h"] => say(USAGE.trim_end()),
        ["--version" | "-V"] => say(concat!("stint-sync ", env!("CARGO_PKG_VERSION"))),
        words => {
            let known = ["--check", "--once", "--store", "--help", "-h", "--version", "-V"];
            let problem = match words.iter().find(|word| !known.contains(word)) {
                Some(word) => format!("{word:?} is not understood"),
                None if words == ["--store"] => "--store needs a FILE, a fleet.toml".to_owned(),
                None => "one option at a time".to_owned(),
            };
            eprint!("stint-sync: {problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

#[derive(Clone, Copy)]
enum Mode {
    Follow,
    Check,
    Once,
}

fn carry(mode: Mode) -> ExitCode {
    let settings = match settings(Path::new(SYNC_FILE)) {
        Ok(settings) => settings,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    if !matches!(mode, Mode::Check) && nix::unistd::Uid::effective().is_root() {
        eprintln!(
            "stint-sync: what speaks with the network is never root. By hand: \
             runuser -u {ACCOUNT} -- stint-sync --once"
        );
        return ExitCode::FAILURE;
    }
    match mode {
        Mode::Check => check(&settings),
        Mode::Once => once(&settings),
        Mode::Follow => follow(&settings),
    }
}

fn say(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

/// What the file says, once whom to believe could be read too.
fn settings(path: &Path) -> Result<Settings, String> {
    let file = read_trusted(path).map_err(|error| format!("stint-sync: {error}"))?;
    let settings = sync::parse(&file).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.join("\n")
    })?;
    if !settings.urls.is_empty() {
        certificates::read(settings.ca_file.as_deref())
            .map_err(|error| format!("stint-sync: {error}"))?;
    }
    Ok(settings)
}

/// The store's files may be mended while stint-sync runs, so they are looked at here and not when it
/// starts.
fn check(settings: &Settings) -> ExitCode {
    if let Some(etcd) = &settings.etcd
        && let Err(why) = store::check(etcd)
    {
        eprintln!("stint-sync: etcd: {why}");
        return ExitCode::from(BAD_CONFIGURATION);
    }
    say(&format!("{SYNC_FILE} is in order: {}", summary(settings)))
}

fn summary(settings: &Settings) -> String {
    let addresses = match settings.urls.len() {
        0 => None,
        1 => Some(format!("one address, every {}", settings.every)),
        many => Some(format!("{many} addresses, every {}", settings.every)),
    };
    let store = settings.etcd.as_ref().map(|etcd| match etcd.endpoints.as_slice() {
        [one] => format!("a store at {one}"),
        many => format!("a store of {} members", many.len()),
    });
    [addresses, store].into_iter().flatten().collect::<Vec<_>>().join(", and ")
}

/// Everything once, one after the other.
fn once(settings: &Settings) -> ExitCode {
    let mut status = ExitCode::SUCCESS;
    for url in &settings.urls {
        let tidings = look(&mut Follower::new(settings.every), url, settings);
        println!("{url}: {}", tidings.line);
        if !tidings.well {
            status = ExitCode::FAILURE;
        }
    }
    if let Some(etcd) = &settings.etcd {
        let say = |_: Level, line: &str| println!("{line}");
        let looked = store::runtime().map(|runtime| {
            runtime.block_on(store::once(etcd, settings.every, &Bus::default(), &say))
        });
        match looked {
            Ok(true) => {}
            Ok(false) => status = ExitCode::FAILURE,
            Err(error) => {
                eprintln!("stint-sync: {error}");
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}

/// Every address for ever, each in a thread of its own: a server that is slow, or means to be, holds
/// up no other. A flaw that ends one of them ends the process, and systemd starts it again.
fn follow(settings: &Settings) -> ExitCode {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        std::process::exit(1);
    }));
    thread::scope(|scope| {
        for url in &settings.urls {
            scope.spawn(move || follow_one(url, settings));
        }
        if let Some(etcd) = &settings.etcd {
            scope.spawn(move || follow_store(etcd, settings));
        }
    });
    ExitCode::FAILURE
}

fn follow_one(url: &SourceUrl, settings: &Settings) {
    let mut follower = Follower::new(settings.every);
    clock::pause(follow::first_pause(chance()));
    loop {
        let tidings = look(&mut follower, url, settings);
        if tidings.news {
            let level = if tidings.well { Level::Information } else { Level::Warning };
            log(level, &format!("{url}: {}", tidings.line));
        }
        clock::pause(follower.pause(chance()));
    }
}

/// For the journal, with the levels of sd-daemon(3).
fn log(level: Level, line: &str) {
    let level = match level {
        Level::Information => 6,
        Level::Warning => 4,
    };
    eprintln!("<{level}>{line}");
}

/// The store for ever, in this thread.
fn follow_store(etcd: &Etcd, settings: &Settings) -> Infallible {
    let runtime = match store::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            log(Level::Warning, &format!("etcd: {error}"));
            // The others go on only if systemd starts all of it again.
            std::process::exit(1);
        }
    };
    let bus = Bus::default();
    runtime.block_on(store::run(etcd, settings.every, &bus, &log))
}

/// One look at one address: ask, hand over what came, tell stintd how the source fares.
fn look(follower: &mut Follower, url: &SourceUrl, settings: &Settings) -> Tidings {
    let end = match fetch::fetch(url, settings, follower.tag(clock::since_boot())) {
        Err(why) => End::Failed(why),
        Ok(Fetched::Unchanged) => End::Unchanged,
        Ok(Fetched::New { document, tag }) => {
            End::Delivered { tag, outcome: stintd::deliver(url.as_str(), &document) }
        }
    };
    let tidings = follower.ended(end, clock::since_boot());
    if let Some(report) = &tidings.report
        && stintd::report(url.as_str(), report).is_err()
    {
        follower.not_heard();
    }
    tidings
}
