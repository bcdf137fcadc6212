//! What can be typed about other hosts: requests and grants as HOST/ID, and what all those verbs share.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use stint_policy::text::quoted;
use stint_proto::BadName;
use stint_proto::fleet::is_host;

use super::Json;

/// A request or a grant: of this host, by its id; or of another, as HOST/ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named<I> {
    /// Of this host.
    Here(I),
    /// Of the host of this name.
    There(String, I),
}

impl<I: FromStr<Err = BadName>> FromStr for Named<I> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = |text: &str| text.parse().map_err(|bad: BadName| bad.to_string());
        match text.split_once('/') {
            None => id(text).map(Self::Here),
            Some((host, rest)) if is_host(host) => Ok(Self::There(host.to_owned(), id(rest)?)),
            Some((host, _)) => {
                Err(format!("{} is no host name: type HOST/ID, such as web-1/7kq2", quoted(host)))
            }
        }
    }
}

/// `stint pending`.
#[derive(Clone, Copy, Debug, Args)]
pub struct PendingArgs {
    /// Of all hosts, from the store of the fleet
    #[arg(long)]
    pub fleet: bool,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// All hosts, from the store of the fleet
    #[arg(long)]
    pub fleet: bool,
    /// With --fleet: the SSH key that signs what you decide there; sign_with of fleet.toml if absent
    #[arg(long, value_name = "KEY", requires = "fleet")]
    pub sign: Option<PathBuf>,
}

/// `stint policy publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The signed document
    pub file: PathBuf,
    /// A policy's name in the store, whose place it takes there; the file's up to its first dot if
    /// absent
    #[arg(long)]
    pub name: Option<String>,
    /// Do not ask whether to publish a policy where the store holds a later one
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

#[cfg(test)]
mod tests {
    use stint_proto::RequestId;

    use super::*;

    #[test]
    fn a_slash_makes_it_another_hosts() {
        let read = |text: &str| text.parse::<Named<RequestId>>();
        assert_eq!(read("7kq2"), Ok(Named::Here("7kq2".parse().unwrap())));
        let there = Named::There("web-1.example.com".to_owned(), "7kq2".parse().unwrap());
        assert_eq!(read("web-1.example.com/7kq2"), Ok(there));
        for (text, why) in [
            ("web-1/", "is no id"),
            ("/7kq2", "is no host name: type HOST/ID"),
            ("a b/7kq2", "is no host name"),
            ("../7kq2", "is no host name"),
            ("web-1/a/b", "is no id"),
            ("web-1/\u{1b}[2J", "is no id"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
            assert!(told.chars().all(stint_policy::text::is_harmless), "{told}");
        }
    }
}
