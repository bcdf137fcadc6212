//! Looking into a store once: everything that lies there for this host is handed over, and what came of it is
//! told. Watches nothing.

use std::cell::Cell;
use std::time::Duration;

use stint_policy::sync::Etcd;
use stint_proto::Length;

use super::answers::Answers;
use super::inbox::{Inbox, Stop};
use super::reading::Reading;
use super::{Level, connect};
use crate::stintd::Daemon;

/// Hands over everything that lies there; says whether all of it was well. Each document that is new or
/// is not taken goes to `say`, a line at a time.
pub async fn once(
    etcd: &Etcd,
    every: Length,
    daemon: &impl Daemon,
    say: &impl Fn(Level, &str),
) -> bool {
    let well = Cell::new(true);
    let told = |level: Level, line: &str| {
        well.set(well.get() && level == Level::Information);
        say(level, line);
    };
    let client = match connect(etcd).await {
        Ok(client) => client,
        Err(why) => {
            told(Level::Warning, &format!("etcd: {why}"));
            return false;
        }
    };
    let answers = Answers::default();
    let mut inbox = Inbox::new(daemon, &told, every, &answers);
    let read = async {
        inbox.ask_who_we_are().await?;
        let revision = inbox.where_it_stands(&client).await?;
        let mut reading = Some(Reading::new(&client, inbox.prefixes(), revision));
        while !inbox.read_on(&mut reading).await? {}
        Ok(inbox.handed_over())
    };
    let read: Result<usize, Stop> = tokio::select! {
        read = read => read,
        why = answers.write(&client, &told) => Err(Stop::Lost(why)),
    };
    match read {
        Ok(count) => {
            // A moment for the last of what is told to whoever waits in the store.
            tokio::select! {
                () = answers.written() => {}
                _ = answers.write(&client, &told) => {}
                () = tokio::time::sleep(Duration::from_secs(10)) => {}
            }
            let documents = if count == 1 { "one document" } else { "documents" };
            let count = if count == 1 { String::new() } else { format!("{count} ") };
            told(Level::Information, &format!("etcd: {count}{documents} handed over"));
        }
        Err(Stop::Lost(why)) => told(Level::Warning, &format!("etcd: {why}")),
        Err(Stop::Away(why)) => {
            told(Level::Warning, &format!("etcd: fetched, and not handed over: {why}"));
        }
        Err(Stop::Anew) => {
            told(Level::Warning, "etcd: it was compacted while it was read; try again");
        }
    }
    well.get()
}
