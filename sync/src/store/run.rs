//! Holding the connection to a store: made, made again when it is lost, and used by all that has to do with
//! the store beside each other. Knows nothing of what they do.

use std::convert::Infallible;
use std::time::Duration;

use stint_policy::sync::Etcd;
use stint_proto::Length;

use super::answers::{Answers, SPREAD};
use super::inbox::Inbox;
use super::{Level, connect};
use crate::publish::Publisher;
use crate::stintd::Daemon;
use crate::{chance, clock, follow};

/// The longest pause between two tries, and what a connection has to last for the next pause to be short.
const LONGEST: Duration = Duration::from_secs(60);

/// Follows the store for ever: hands over what lies there for this host, as soon as it does, and publishes
/// what this host says of itself. `every` is how often stintd hears that all is well. What is to be told
/// goes to `say`, a line at a time.
pub async fn run(
    etcd: &Etcd,
    every: Length,
    daemon: &impl Daemon,
    say: &impl Fn(Level, &str),
) -> Infallible {
    let answers = Answers::within(SPREAD);
    let mut inbox = Inbox::new(daemon, say, every, &answers);
    let mut publisher = Publisher::new(daemon, say);
    let mut tries = 0;
    tokio::time::sleep(follow::first_pause(chance())).await;
    loop {
        let began = clock::since_boot();
        let why = match connect(etcd).await {
            Err(why) => why,
            Ok(client) => tokio::select! {
                why = inbox.serve(&client) => why,
                why = answers.write(&client, say) => why,
                why = publisher.serve(&client) => why,
            },
        };
        if clock::since_boot().saturating_sub(began) > LONGEST {
            tries = 0;
        }
        inbox.is_lost(&why).await;
        tokio::time::sleep(pause(tries, chance())).await;
        tries = tries.saturating_add(1);
    }
}

/// How long to wait after so many tries in a row. All of a fleet lose a store in the same moment, so chance
/// has the whole of it: up to 2 s first, then twice that, and so on.
fn pause(tries: u32, chance: u32) -> Duration {
    let most = Duration::from_secs(2).saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX));
    most.min(LONGEST).mul_f64(0.1 + 0.9 * f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_minute_and_chance_has_most_of_them() {
        let most = (0..7).map(|tries| pause(tries, u32::MAX).as_secs());
        assert_eq!(most.collect::<Vec<_>>(), [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(0, 0), Duration::from_millis(200));
        assert!(pause(u32::MAX, 0) >= Duration::from_secs(6));
        assert!(pause(3, 1 << 31) > Duration::from_secs(8));
    }
}
