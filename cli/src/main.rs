//! stint: the command. Asks the daemon and shows its answer; decides nothing itself, and needs no
//! daemon only where files are its subject: PAM files, policy files.
#![forbid(unsafe_code)]

mod args;
mod bus;
mod clock;
mod doctor;
mod failure;
mod gate;
mod json;
mod look;
mod manual;
mod out;
mod pam;
mod verbs;
mod when;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use stint_policy::text::harmless;
use stint_proto::ExitStatus;

fn main() -> ExitCode {
    let status = match args::Cli::try_parse() {
        Ok(cli) => verbs::run(cli).unwrap_or_else(|failure| {
            if !failure.message.is_empty() {
                out::warn(&failure.message);
            }
            failure.status
        }),
        Err(error) => misunderstood(&error),
    };
    if status == ExitStatus::Done && out::failed() {
        return ExitCode::from(ExitStatus::Failed as u8);
    }
    ExitCode::from(status as u8)
}

/// Shows the help that was asked for, or what was not understood.
fn misunderstood(error: &clap::Error) -> ExitStatus {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            out::print(&error.render().ansi().to_string());
            return ExitStatus::Done;
        }
        ErrorKind::ValueValidation => {
            // The reason itself is the whole message: which value, and what would be right.
            if let Some(why) = error.source() {
                out::warn(&format!("stint: {}", harmless(&why.to_string())));
                return ExitStatus::Usage;
            }
        }
        _ => {}
    }
    // What was typed stands in it.
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    let lines: Vec<String> = text.lines().map(harmless).collect();
    out::warn(&format!("stint: {}", lines.join("\n")));
    ExitStatus::Usage
}
