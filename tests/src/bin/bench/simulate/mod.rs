//! `bench simulate FOLDER HOST`: many hosts in one process, for `make bench fleet`. Each follows the
//! store by the code of stint-sync itself, on a connection of its own, with a certificate and an
//! account of its own, and verifies what comes as stintd does; what it does not have is a stintd, so
//! that nothing is given and nothing ends. It is told what to do a line at a time, and answers each
//! line with one line of JSON.
//!
//! FOLDER holds `ca.pem`, NAME.pem and NAME.key for root and for each host, and `allowed_signers`;
//! HOST is the name of the carrier.

mod bare;
mod hosts;
mod people;
mod pollers;
mod tally;

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stint_policy::SourceFile;
use stint_policy::sync::{Settings, parse};
use stint_tests::clock::wall;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, LocalSet};

use pollers::Pollers;
use tally::Tally;

/// The word that asks for this.
pub(crate) const WORD: &str = "simulate";
/// How long a document may take to all hosts, whatever has happened before, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the simulated host of this number is called.
pub(crate) fn name(host: usize) -> String {
    format!("sim-{host:04}")
}

/// Does what it is told until its input ends.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let [folder, carrier] = words else {
        eprintln!("bench: {WORD} FOLDER HOST");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the kernel has descriptors");
    LocalSet::new().block_on(&runtime, async {
        let mut lines = lines();
        let mut fleet = Fleet::new(Path::new(folder), carrier);
        while let Some(line) = lines.recv().await {
            let words: Vec<&str> = line.split(' ').collect();
            println!("{}", fleet.told(&words).await);
        }
    });
    ExitCode::SUCCESS
}

/// What is read, line by line, beside what the hosts do.
fn lines() -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    folder: PathBuf,
    carrier: String,
}

impl Places {
    /// What sync.toml of whoever has the certificate of this name says.
    pub(crate) fn settings(&self, name: &str, every: &str) -> Settings {
        let Self { folder, carrier } = self;
        let folder = folder.display();
        let text = format!(
            "urls = [\"https://{carrier}/fleet.revoked\"]\nevery = \"{every}\"\n\
             ca_file = \"{folder}/ca.pem\"\n[etcd]\nendpoints = [\"https://{carrier}:2379\"]\n\
             ca_file = \"{folder}/ca.pem\"\ncert_file = \"{folder}/{name}.pem\"\n\
             key_file = \"{folder}/{name}.key\"\n"
        );
        let path = "sync.toml".to_owned();
        parse(&SourceFile { path, text }).expect("it is in order")
    }

    /// Who may sign, as the hosts know it.
    pub(crate) fn verifier(&self) -> hosts::Verifier {
        let path = self.folder.join("allowed_signers");
        hosts::Verifier::new(&std::fs::read_to_string(path).expect("who may sign"))
    }
}

/// All that is simulated.
struct Fleet {
    places: Places,
    tally: Arc<Tally>,
    /// Those that follow the store, or only watch it.
    tasks: Vec<JoinHandle<()>>,
    pollers: Option<Pollers>,
}

impl Fleet {
    fn new(folder: &Path, carrier: &str) -> Self {
        let places = Places { folder: folder.to_owned(), carrier: carrier.to_owned() };
        Self { places, tally: Arc::default(), tasks: Vec::new(), pollers: None }
    }

    /// Does it, and says what came of it.
    async fn told(&mut self, words: &[&str]) -> Value {
        let number = |word: &str| word.parse::<usize>().expect("a number");
        match *words {
            ["admit", upto] => people::admit(&self.places, number(upto)).await,
            [how @ ("follow" | "watch"), upto] => self.come(how, number(upto)),
            ["poll", many, every] => {
                let pollers = Pollers::start(&self.places, number(many), every, self.tally.clone());
                self.pollers = Some(pollers);
                json!({})
            }
            ["looks"] => json!({ "looks": self.pollers.as_ref().map(Pollers::looks) }),
            ["expect", file] => {
                self.expect(file);
                json!({})
            }
            ["put", file] => self.put(file).await,
            ["wait", many] => self.wait(number(many)).await,
            ["stop"] => self.stop().await,
            ["raft"] => json!({ "index": people::raft_index(&self.places).await }),
            _ => panic!("{words:?} is not understood"),
        }
    }

    /// Has hosts come that follow or only watch, until there are so many; says how many have come.
    fn come(&mut self, how: &str, upto: usize) -> Value {
        let there = self.tasks.len();
        let verifier = Arc::new(self.places.verifier());
        for host in there..upto {
            self.tasks.push(match how {
                "watch" => bare::start(&self.places, host, &self.tally),
                _ => hosts::start(&self.places, host, &verifier, &self.tally),
            });
        }
        json!({ "came": self.tasks.len() - there })
    }

    /// This document is waited for from now on.
    fn expect(&self, file: &str) -> Vec<u8> {
        let document = std::fs::read(file).expect("a document");
        self.tally.begin(document.clone());
        document
    }

    /// Puts a document into the store, for all hosts; says when, in microseconds since the epoch.
    async fn put(&self, file: &str) -> Value {
        let document = self.expect(file);
        json!({ "at": micros(people::publish(&self.places, file, document).await) })
    }

    /// Waits until all of these many hosts have it; says when each had it.
    async fn wait(&self, hosts: usize) -> Value {
        let Some(times) = self.tally.all(hosts, PATIENCE).await else {
            panic!("{} of {hosts} have it after {PATIENCE:?}", self.tally.count());
        };
        json!(times.into_iter().map(micros).collect::<Vec<_>>())
    }

    /// Ends all of them.
    async fn stop(&mut self) -> Value {
        self.pollers = None;
        for task in self.tasks.drain(..) {
            task.abort();
            let _ = task.await;
        }
        json!({ "at": micros(wall()) })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a time of this age of the world")
}
