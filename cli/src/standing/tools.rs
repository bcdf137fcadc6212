//! The host's own tools, run by absolute path and with an empty environment: visudo judges rules,
//! gpasswd changes groups under shadow-utils' locks, grpck looks them over.

use std::path::Path;
use std::process::{Command, Stdio};

use stint_policy::text::harmless;

use crate::failure::Failure;

/// Every checker of sudoers there may be, of sudo and of sudo-rs.
const VISUDO: &[&str] = &["/usr/sbin/visudo", "/usr/bin/visudo", "/usr/lib/cargo/bin/visudo"];
const GPASSWD: &[&str] = &["/usr/bin/gpasswd", "/bin/gpasswd"];
const GRPCK: &[&str] = &["/usr/sbin/grpck", "/sbin/grpck", "/usr/bin/grpck"];

fn there<'a>(paths: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    paths.iter().copied().filter(|path| Path::new(path).exists())
}

/// Runs it; what it complains of, if it does.
fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let ran = Command::new(program)
        .args(args)
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    if ran.status.success() {
        return Ok(());
    }
    let said = [ran.stderr, ran.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    Err(format!("{program} says no: {}", harmless(first)))
}

/// Whether every checker takes the rules as they are.
///
/// # Errors
/// With what is wrong; also where there is no checker.
pub fn sudoers_are_good() -> Result<(), String> {
    let mut any = false;
    for program in there(VISUDO) {
        any = true;
        run(program, &["-c"])?;
    }
    if any { Ok(()) } else { Err("there is no visudo to check rules with".to_owned()) }
}

/// Whether every checker takes this file.
///
/// # Errors
/// With what is wrong.
pub fn is_good(file: &Path) -> Result<(), String> {
    let file = file.to_string_lossy();
    there(VISUDO).try_for_each(|program| run(program, &["-c", "-f", &file]))
}

/// What grpck finds; nothing where it finds nothing, or is not there.
pub fn groups_are_bad() -> Option<String> {
    there(GRPCK).find_map(|program| run(program, &["-r"]).err())
}

/// Runs gpasswd.
///
/// # Errors
/// With what it says.
pub fn gpasswd(args: &[&str]) -> Result<(), Failure> {
    let program = there(GPASSWD).next();
    let program = program.ok_or_else(|| Failure::failed("there is no gpasswd on this host"))?;
    run(program, args).map_err(Failure::failed)
}
