//! The man pages, from the same definitions as the help and the policy's reader.

mod command;
mod daemon;
mod fleet;
mod module;
mod policy;
mod roff;
mod sync;

/// Every page: its file's name and its text.
pub fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("stint.1", command::page()),
        ("stintd.8", daemon::page()),
        ("stint-sync.8", sync::page()),
        ("pam_stint.8", module::page()),
        ("stint-policy.5", policy::page()),
    ]
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn page(name: &str) -> String {
        let text = pages().into_iter().find(|(other, _)| *other == name).unwrap().1;
        text.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
    }

    fn each_verb(command: &clap::Command, name: &str, check: &mut dyn FnMut(&str, &clap::Command)) {
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = format!("{name} {}", verb.get_name());
            check(&name, verb);
            each_verb(verb, &name, check);
        }
    }

    #[test]
    fn every_verb_and_option_of_the_help_is_in_the_man_page() {
        let text = page("stint.1");
        let mut count = 0;
        each_verb(&crate::args::Cli::command(), "stint", &mut |name, verb| {
            let start = text.find(&format!(".SS \"{name}\"")).unwrap_or_else(|| panic!("{name}"));
            let end =
                text.get(start + 4..).unwrap().find(".SS ").map_or(text.len(), |at| start + 4 + at);
            let section = text.get(start..end).unwrap();
            for argument in verb.get_arguments() {
                let wanted = match argument.get_long() {
                    Some(long) => format!("--{long}"),
                    None => match argument.get_value_names() {
                        Some([name, ..]) => name.to_string(),
                        _ => argument.get_id().to_string().to_uppercase(),
                    },
                };
                assert!(section.contains(&wanted), "{name} {wanted}\n{section}");
                count += 1;
            }
        });
        assert!(count > 30, "{count}");
    }

    #[test]
    fn every_key_of_the_policy_is_in_its_man_page() {
        let text = page("stint-policy.5");
        for key in stint_policy::language::keys() {
            assert!(text.contains(key.path), "{}", key.path);
        }
    }

    #[test]
    fn every_key_of_a_persons_file_is_in_the_man_page() {
        let text = page("stint.1");
        for key in stint_policy::fleet::keys() {
            assert!(text.contains(key.path) && text.contains(key.example), "{}", key.path);
        }
    }

    #[test]
    fn every_key_of_the_fetching_is_in_its_man_page() {
        let text = page("stint-sync.8");
        for key in stint_policy::sync::keys() {
            assert!(text.contains(key.path) && text.contains(key.example), "{}", key.path);
        }
    }

    #[test]
    fn no_line_of_text_is_taken_for_a_request_and_no_page_names_what_is_not_there() {
        let known = [
            ".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi", ".RS", ".RE", ".ie", ".el", ".br",
            ".IP",
        ];
        for (name, text) in pages() {
            for line in text.lines().filter(|line| line.starts_with(['.', '\''])) {
                assert!(known.iter().any(|request| line.starts_with(request)), "{name}: {line}");
            }
            assert!(!text.contains("generate"), "{name}");
        }
    }
}
