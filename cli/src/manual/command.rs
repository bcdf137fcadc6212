//! stint(1): every verb and option, from the definition behind the help.

use clap::CommandFactory;
use clap_mangen::Man;

use super::roff::Page;
use crate::args::Cli;

/// The page.
pub fn page() -> String {
    let mut page =
        Page::new("stint", 1, "privilege for a while: who holds what, until when, and why");
    page.heading("SYNOPSIS");
    page.raw("\\fBstint\\fR [\\fIVERB\\fR [\\fIOPTIONS\\fR]]\n");
    page.heading("DESCRIPTION");
    page.text(
        "stint asks stintd(8), which holds every grant of this host, and shows what it says. \
         Without a verb it shows what you hold. Verbs marked (root) are root's. Every id may be \
         cut short as long as only one begins like it. Durations are written 90s, 30m, 1h30m or \
         2d; times 14:30, +30m, \"2026-12-01 09:00\" (both by the local clock, or by that of a zone that is named behind: 14:30 \
         Europe/Berlin) or in RFC 3339.",
    );
    page.heading("VERBS");
    let mut command = Cli::command();
    command.build();
    verbs(&mut page, &command, "stint");
    super::fleet::section(&mut page);
    page.heading("EXIT STATUS");
    for (status, meaning) in [
        ("0", "Done."),
        ("1", "Failed; for doctor: something is wrong."),
        (
            "2",
            "The command was not understood, or named somebody or something that does not exist.",
        ),
        (
            "3",
            "Refused, by policy, because of who asks, because an approver said no, or by a host.",
        ),
        (
            "4",
            "The request was still pending when the wait ended; a host is away, or has not answered \
             yet.",
        ),
        ("5", "No grant or request has this id, or more than one begins like it; no such host."),
        ("69", "stintd, or the store of the fleet, cannot be reached."),
        (
            "126, 127",
            "Of stint run: the command cannot be run, there is no such command. Otherwise the command's own status is passed on.",
        ),
    ] {
        page.term(status, meaning);
    }
    page.heading("ENVIRONMENT");
    page.term(
        "NO_COLOR",
        "If set, nothing is coloured. Colour is never the only carrier of meaning.",
    );
    page.heading("FILES");
    page.term(
        "/etc/stint/allowed_signers",
        "Who may sign documents for this host: ALLOWED SIGNERS in ssh-keygen(1).",
    );
    page.term(
        "~/.config/stint/fleet.toml, /etc/stint/fleet.toml",
        "Where the store of the fleet is: FLEET.",
    );
    page.term("/usr/sbin/stint-sync", "Speaks with the store, in your name.");
    page.term("/usr/share/doc/stint/examples/fleet.toml", "One to begin with.");
    page.term("/etc/stint/policy.toml, /etc/stint/policy.d/*.toml", "The policy: stint-policy(5).");
    page.term(
        "/usr/libexec/stint/stint-run",
        "Gives the command of stint run the groups of a role.",
    );
    page.term(
        "/usr/bin/pkttyagent",
        "Asks for the password of whoever approves or denies, if polkit wants it.",
    );
    page.term(
        "/etc/stint/policy.d/50-adopted.toml",
        "Roles that stint standing --adopt has written.",
    );
    page.term("/var/lib/stint/standing/", "What was adopted, and how it was before.");
    page.term("/var/lib/stint/gate/", "PAM files as they were before stint gate on.");
    page.term(
        "/var/lib/prometheus/node-exporter/stint.prom",
        "Numbers for the node exporter, once stint-metrics.timer is enabled.",
    );
    page.term("/usr/share/stint/grafana-dashboard.json", "A dashboard for Grafana of them.");
    page.finish("stintd(8), stint-sync(8), pam_stint(8), stint-policy(5), sudo(8), pam.conf(5)")
}

fn verbs(page: &mut Page, command: &clap::Command, name: &str) {
    for verb in command.get_subcommands() {
        if verb.is_hide_set() || verb.get_name() == "help" {
            continue;
        }
        let name = format!("{name} {}", verb.get_name());
        page.subheading(&name);
        let usage = verb.clone().bin_name(&name).render_usage().to_string();
        page.example(usage.trim_start_matches("Usage: ").trim());
        if let Some(about) = verb.get_about() {
            page.text(&format!("{about}."));
        }
        page.raw(&options(verb));
        if let Some(examples) = verb.get_after_help() {
            after(page, &examples.to_string());
        }
        verbs(page, verb, &name);
    }
}

/// What stands below the options: lines that are set in as they are, the rest as paragraphs.
fn after(page: &mut Page, text: &str) {
    for part in text.split("\n\n") {
        if part.lines().any(|line| line.starts_with("  ")) {
            page.example(part);
        } else {
            page.text(part);
        }
    }
}

fn options(verb: &clap::Command) -> String {
    let mut bytes = Vec::new();
    // Writing into memory does not fail.
    let _ = Man::new(verb.clone()).render_options_section(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().filter(|line| !line.starts_with(".SH")).map(|line| format!("{line}\n")).collect()
}
