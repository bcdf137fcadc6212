//! The loop: the terminal, the daemon's news and the clock in, the board out.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use stint_proto::{ExitStatus, Request};

use super::fleet;
use super::follow;
use super::keys::input;
use super::model::{Decision, Effect, Model, Of, Scope, Word};
use super::screen::{Screen, end_with_terminal};
use super::signals::Signals;
use super::update::Input;
use crate::failure::{Failure, Outcome};
use crate::fleet::store::Store;
use crate::look::grants::Here;
use crate::{clock, out};

/// How long it takes at most until news is seen, in milliseconds; what is typed is seen at once.
const BEAT: u16 = 200;

/// Shows the board of this host until it is left. `decide` takes a decision to the daemon; it has the terminal
/// to itself meanwhile, as it was before.
///
/// # Errors
/// Without a terminal, or when the terminal is gone.
pub fn run(decide: impl FnMut(&Decision) -> Result<Request, Failure>) -> Outcome {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy();
    let news = |news: &Sender<Input>, stop: &Receiver<()>| follow::run(follow::Daemon, news, stop);
    show((&name, Scope::Host), news, decide)
}

/// The same of all hosts; `store` connects to their store whenever it has to.
///
/// # Errors
/// As [`run`].
pub fn run_fleet<S: Store>(
    store: impl FnMut() -> Result<S, Failure> + Send + 'static,
    decide: impl FnMut(&Decision) -> Result<Request, Failure>,
) -> Outcome {
    let news = |news: &Sender<Input>, stop: &Receiver<()>| fleet::run(store, news, stop);
    show(("all hosts", Scope::Fleet), news, decide)
}

fn show(
    (title, scope): (&str, Scope),
    tells: impl FnOnce(&Sender<Input>, &Receiver<()>) + Send + 'static,
    mut decide: impl FnMut(&Decision) -> Result<Request, Failure>,
) -> Outcome {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::usage(
            "watch needs a terminal. Where there is none:  stint pending, stint list",
        ));
    }
    let signals = Signals::note().map_err(lost)?;
    let (sender, news) = channel();
    let (_running, stop) = channel();
    let follower = std::thread::Builder::new().name("follow".to_owned());
    follower
        .spawn(move || tells(&sender, &stop))
        .map_err(|error| Failure::failed(format!("the system refused a thread: {error}")))?;
    let mut model = Model::new(title, scope, Here::system());
    end_with_terminal().map_err(lost)?;
    let mut screen = Screen::take(coloured()).map_err(lost)?;
    let left = board(&mut model, &mut screen, &signals, &news, &mut decide);
    drop(screen);
    signals.obey().map_err(lost)?;
    left
}

fn board(
    model: &mut Model,
    screen: &mut Screen,
    signals: &Signals,
    news: &Receiver<Input>,
    decide: &mut impl FnMut(&Decision) -> Result<Request, Failure>,
) -> Outcome {
    let mut pressed = None;
    while !signals.came() {
        // What was typed comes before the news: it was typed at the board as it still stands there.
        let mut inputs: VecDeque<Input> = pressed.take().and_then(input).into_iter().collect();
        let (wide, high) = screen.size().map_err(lost)?;
        inputs.extend([Input::Size(wide, high), Input::Now(clock::wall())]);
        inputs.extend(heard(news)?);
        while let Some(input) = inputs.pop_front() {
            match model.update(input) {
                Effect::Nothing => {}
                Effect::Quit => return Ok(ExitStatus::Done),
                Effect::Decide(decision) => {
                    signals.outside(true);
                    let answer = screen.outside(|| {
                        out::print(&words(&decision));
                        decide(&decision)
                    });
                    signals.outside(false);
                    let host = decision.shown.host.clone();
                    let answer = answer.map(|answer| answer.map(|it| Of { host, it }));
                    inputs.push_back(Input::Decided(Box::new(answer.map_err(lost)?)));
                }
            }
        }
        screen.draw(model).map_err(lost)?;
        pressed = screen.event(BEAT).map_err(lost)?;
    }
    Ok(ExitStatus::Done)
}

/// What the daemon has said since.
fn heard(news: &Receiver<Input>) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    loop {
        match news.try_recv() {
            Ok(input) => inputs.push(input),
            Err(TryRecvError::Empty) => return Ok(inputs),
            Err(TryRecvError::Disconnected) => {
                return Err(Failure::failed("the thread that asks for news has ended"));
            }
        }
    }
}

/// What stands on the terminal while the daemon is asked.
fn words(decision: &Decision) -> String {
    let name = decision.shown.named(&decision.shown.id);
    match decision.word {
        Word::Approve => format!("Approving {name}"),
        Word::Deny(_) => format!("Denying {name}"),
    }
}

/// NO_COLOR with anything in it takes the looks off.
fn coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn lost(error: io::Error) -> Failure {
    Failure::failed(format!("the terminal: {error}"))
}
