//! stint: the command. Asks the daemon and shows its answer; decides nothing itself, and needs no
//! daemon only where files are its subject: PAM files, policy files.
#![forbid(unsafe_code)]

mod agent;
mod args;
mod bus;
mod checkpoints;
mod clock;
mod doctor;
mod draft;
mod export;
mod exposition;
mod failure;
mod fleet;
mod gate;
mod json;
mod look;
mod manual;
mod obtain;
mod out;
mod pam;
mod prompt;
mod record;
mod review;
mod selection;
mod sign;
mod signals;
mod signatures;
mod standing;
mod verbs;
mod waiting;
mod watch;
mod when;

use std::error::Error;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use stint_policy::text::harmless;
use stint_proto::ExitStatus;

fn main() -> ExitCode {
    let status = match args::Cli::try_parse() {
        Ok(cli) => verbs::run(cli).unwrap_or_else(|failure| {
            if !failure.message.is_empty() {
                out::warn(&failure.message);
            }
            failure.status as u8
        }),
        Err(mut error) => {
            suggest_what_is_shown(&mut error);
            misunderstood(&error) as u8
        }
    };
    if status == ExitStatus::Done as u8 && out::failed() {
        return ExitCode::from(ExitStatus::Failed as u8);
    }
    ExitCode::from(status)
}

/// Suggests the verb that a mistyped one comes closest to, of those that the help shows; and not
/// that an option may have been meant as a value, as no value looks like one.
fn suggest_what_is_shown(error: &mut clap::Error) {
    if let Some(ContextValue::Strings(mut verbs)) = error.remove(ContextKind::SuggestedSubcommand) {
        let stint = args::Cli::command();
        verbs.retain(|verb| !stint.find_subcommand(verb).is_some_and(clap::Command::is_hide_set));
        // The closest is the last.
        if let Some(verb) = verbs.pop() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::String(verb));
        }
    }
    if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        tips.retain(|tip| !tip.to_string().starts_with("to pass "));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
}

/// Shows the help that was asked for, or what was not understood.
fn misunderstood(error: &clap::Error) -> ExitStatus {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            out::print(&error.render().ansi().to_string());
            return ExitStatus::Done;
        }
        // Nothing was wrong with what was typed; there was only too little of it.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            out::warn(error.render().ansi().to_string().trim_end());
            return ExitStatus::Usage;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(verb: &str) -> String {
        let mut error = args::Cli::try_parse_from(["stint", verb]).unwrap_err();
        suggest_what_is_shown(&mut error);
        error.render().to_string()
    }

    #[test]
    fn a_mistyped_verb_leads_to_the_closest() {
        for (typed, meant) in [("reqest", "request"), ("aprove", "approve"), ("pendin", "pending")]
        {
            let said = said_of(typed);
            assert!(said.contains(&format!("a similar subcommand exists: '{meant}'")), "{said}");
        }
    }

    #[test]
    fn an_unknown_option_is_not_taken_for_a_value() {
        let mut error = args::Cli::try_parse_from(["stint", "cancel", "--all"]).unwrap_err();
        assert!(error.render().to_string().contains("to pass '--all'"), "not a test");
        suggest_what_is_shown(&mut error);
        assert!(!error.render().to_string().contains("tip"), "{error}");
    }

    #[test]
    fn a_mistyped_verb_leads_to_no_hidden_one() {
        let mistyped = args::Cli::try_parse_from(["stint", "grnat"]).unwrap_err();
        assert!(mistyped.render().to_string().contains("'generate'"), "not a test");
        let said = said_of("grnat");
        assert!(said.contains("'grant'") && !said.contains("generate"), "{said}");
        let said = said_of("generat");
        assert!(said.contains("'generat'") && !said.contains("generate"), "{said}");
    }
}
