//! A person's fleet.toml: which store, and which key signs. Read by the person's own right; root has
//! none.

use std::path::{Path, PathBuf};

use stint_hostfiles::read_plain;
use stint_policy::fleet::{self, Settings};
use stint_proto::ExitStatus;

use super::helper::Helper;
use super::hosts::VALUE_LIMIT;
use crate::failure::Failure;

/// For everybody who has none of their own.
const FOR_ALL: &str = "/etc/stint/fleet.toml";

/// What is set, and by which file.
#[derive(Clone, Debug)]
pub struct Config {
    file: PathBuf,
    settings: Settings,
}

impl Config {
    /// The person's own, or that for everybody.
    ///
    /// # Errors
    /// For root, without any, or with everything that is wrong with it.
    pub fn read() -> Result<Self, Failure> {
        if nix::unistd::geteuid().is_root() {
            let text = "what speaks with the store of the fleet is never root: run it as yourself, \
                        with a certificate and a key of your own";
            return Err(Failure::new(ExitStatus::Refused, text));
        }
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let own = own(home.as_deref(), std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from));
        let file = own.iter().map(PathBuf::as_path).chain([Path::new(FOR_ALL)]);
        // What is there and cannot be read is told, and not passed over.
        let found = file.map(Path::to_owned).find(|file| file.symlink_metadata().is_ok());
        let Some(file) = found else {
            let own = own.map(|own| format!("{} nor ", own.display())).unwrap_or_default();
            return Err(Failure::failed(format!(
                "there is neither {own}{FOR_ALL}, which says where the store of the fleet is: \
                 stint(1), FLEET"
            )));
        };
        let source = read_plain(&file).map_err(Failure::failed)?;
        let settings = fleet::parse(&source, home.as_deref()).map_err(|found| {
            let told: Vec<String> = found.iter().map(ToString::to_string).collect();
            Failure::bare(ExitStatus::Failed, told.join("\n"))
        })?;
        Ok(Self { file, settings })
    }

    /// The store.
    ///
    /// # Errors
    /// When stint-sync cannot be started.
    pub fn store(&self) -> Result<Helper, Failure> {
        Helper::start(&self.file, VALUE_LIMIT)
    }

    /// The key that signs: the one that was typed, or the one that is set.
    ///
    /// # Errors
    /// Without either.
    pub fn key(&self, typed: Option<&Path>) -> Result<PathBuf, Failure> {
        let set = || self.settings.sign_with.clone();
        typed.map(Path::to_owned).or_else(set).ok_or_else(|| {
            let file = self.file.display();
            Failure::usage(format!(
                "say which SSH key signs: --sign ~/.ssh/id_ed25519, or sign_with in {file}"
            ))
        })
    }
}

/// Where a person's own would be.
fn own(home: Option<&Path>, set: Option<PathBuf>) -> Option<PathBuf> {
    let folder =
        set.filter(|set| set.is_absolute()).or_else(|| home.map(|home| home.join(".config")));
    folder.map(|folder| folder.join("stint/fleet.toml"))
}
