//! `stint generate`: man pages and completions, for packages. Not in the help.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use stint_policy::text::harmless;
use stint_proto::ExitStatus;

use crate::args::{Cli, GenerateVerb};
use crate::failure::{Failure, Outcome};
use crate::manual;

/// Writes them into a folder.
pub fn run(what: GenerateVerb) -> Outcome {
    match what {
        GenerateVerb::Man { dir } => {
            for (name, text) in manual::pages() {
                write(&dir, name, text.as_bytes())?;
            }
        }
        GenerateVerb::Completions { dir } => {
            let shells =
                [(Shell::Bash, "stint.bash"), (Shell::Fish, "stint.fish"), (Shell::Zsh, "_stint")];
            for (shell, name) in shells {
                let mut bytes = Vec::new();
                clap_complete::generate(shell, &mut visible(Cli::command()), "stint", &mut bytes);
                write(&dir, name, &bytes)?;
            }
        }
    }
    Ok(ExitStatus::Done)
}

/// The command without what the help does not show: completions would offer it.
fn visible(command: clap::Command) -> clap::Command {
    let bare = clap::Command::new("stint").version(env!("CARGO_PKG_VERSION"));
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned();
    bare.subcommands(shown.collect::<Vec<_>>())
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = dir.join(name);
    fs::write(&path, bytes)
        .map_err(|error| Failure::failed(format!("{}: {error}", harmless(&path.to_string_lossy()))))
}
