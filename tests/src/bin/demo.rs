//! stint's main job, played on a throw-away Debian 13: every command is shown with its real
//! output, and the play stops with status 1 where it does not go as told. It needs root and the
//! package, and leaves nothing behind.

#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use stint_tests::{Deadline, Host, Output, Shell, Suite};

const POLICY: &str = r#"[roles.admin]
description  = "Anything as root"
sudo         = [{ run_as = "root", commands = ["ALL"] }]
eligible     = ["alice"]
approvers    = ["bob"]
max_duration = "4h"

[roles.containers]
description  = "Run containers"
groups       = ["docker"]
max_duration = "4h"
"#;

/// How long the two grants last: long enough to read along, short enough to wait for.
const LENGTH: &str = "20s";

/// What went otherwise than told.
type Mismatch = String;

/// The stage: one host, and alice's shell that stays open from the first scene to the last.
struct Stage {
    host: Host,
    alice: Shell,
}

impl Stage {
    fn root(&self, line: &str) -> Result<String, Mismatch> {
        println!("root# {line}");
        let output = self.host.run(line);
        show(&output.text());
        expect(output.ok(), line, "succeed", &output)?;
        Ok(output.stdout)
    }

    fn alice(&mut self, line: &str) -> Output {
        println!("alice$ {line}");
        let output = self.alice.run_with_password(line, "pw-alice");
        show(&output.stdout);
        output
    }

    /// What somebody who logs in now would see.
    fn alice_anew(&self, line: &str) -> String {
        println!("alice, logged in anew$ {line}");
        let output = self.host.as_user("alice", line);
        show(&output.text());
        output.stdout
    }

    /// Denied by the gate, in its words: sudo asks PAM even for those who have no rule.
    fn denied(&mut self, line: &str) -> Result<(), Mismatch> {
        let output = self.alice(line);
        expect(!output.ok(), line, "be denied", &output)?;
        expect(output.stdout.contains("stint:"), line, "be denied by stint", &output)
    }

    /// Refused in whatever words: without a rule for the caller sudo-rs never asks PAM.
    fn refused(&mut self, line: &str) -> Result<(), Mismatch> {
        let output = self.alice(line);
        expect(!output.ok(), line, "be refused", &output)
    }

    fn let_in(&mut self, line: &str) -> Result<(), Mismatch> {
        let output = self.alice(line);
        expect(output.ok(), line, "be let in", &output)
    }
}

fn expect(held: bool, line: &str, should: &str, output: &Output) -> Result<(), Mismatch> {
    if held { Ok(()) } else { Err(format!("{line} should {should}; status {}", output.status)) }
}

fn expect_group(groups: &str, should: bool) -> Result<(), Mismatch> {
    if groups.split_whitespace().any(|group| group == "docker") == should {
        Ok(())
    } else {
        let word = if should { "hold" } else { "have lost" };
        Err(format!("alice should {word} the group docker"))
    }
}

fn say(text: &str) {
    println!("\n# {text}");
}

/// Prints what a program said, indented, without the bytes that only a terminal understands.
fn show(text: &str) {
    let mut plain = String::new();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        // Writing to a string does not fail.
        let _ = writeln!(plain, "    {line}");
    }
    print!("{plain}");
}

fn play() -> Result<(), Mismatch> {
    let booting = Deadline::seconds(600);
    let host = Host::boot(Suite::Trixie);
    println!(
        "# Debian 13 is up after {:.1} s, stint is installed",
        booting.elapsed().as_secs_f64()
    );
    host.ok("groupadd --system docker");
    host.write_policy(POLICY);
    // Without it, a first sudo would show its lecture here.
    host.ok("echo 'Defaults !lecture' >/etc/sudoers.d/lecture");
    let mut stage = Stage { alice: host.shell("alice"), host };

    say("root looks at the policy, and puts the gate on sudo");
    stage.root("cat /etc/stint/policy.toml")?;
    stage.root("stint policy check /etc/stint/policy.toml")?;
    stage.root("stint reload")?;
    stage.root("stint gate on sudo")?;

    say("alice holds nothing: she is denied, and told what to do");
    stage.denied("sudo id -un")?;
    stage.refused("sudo-rs id -un")?;

    say("root grants her two roles for a short while");
    stage.root(&format!(
        "stint grant alice admin --for {LENGTH} --reason 'repair the mail server'"
    ))?;
    stage.root(&format!(
        "stint grant alice containers --for {LENGTH} --reason 'look at its logs'"
    ))?;
    stage.let_in("sudo id -un")?;
    stage.let_in("sudo-rs id -un")?;
    let groups = stage.alice_anew("id -Gn");
    expect_group(&groups, true)?;
    let _ = stage.alice("stint");

    say("the end comes by itself");
    let patience = Duration::from_secs(60);
    let ends = stage.host.journal_of("STINT_EVENT=grant.expired", 2, patience);
    println!("# {} grants have expired", ends.len());

    say("in the very shell that was open, sudo refuses; the group is gone");
    stage.denied("sudo id -un")?;
    stage.refused("sudo-rs id -un")?;
    let groups = stage.alice_anew("id -Gn");
    expect_group(&groups, false)?;

    say("the journal has every decision");
    stage.root("journalctl -q -t stintd --no-pager -o cat -n 40")?;
    Ok(())
}

fn main() -> ExitCode {
    match play() {
        Ok(()) => {
            println!("\n# that was all; the host is gone");
            ExitCode::SUCCESS
        }
        Err(mismatch) => {
            eprintln!("demo: not as told: {mismatch}");
            ExitCode::FAILURE
        }
    }
}
