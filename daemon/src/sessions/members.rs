//! Who is in a folder of the kernel's tree, and which folders are in it. Only reads.

use std::fs;
use std::io;
use std::path::Path;

use crate::process;

/// Adds who is in the group of this folder and in those inside it, so deep; nobody where it is gone.
pub(super) fn collect(folder: &Path, depth: usize, pids: &mut Vec<i32>) -> io::Result<()> {
    match listed(folder, "cgroup.procs") {
        Ok(found) => pids.extend(found),
        // A group of threads alone.
        Err(error) if error.raw_os_error() == Some(nix::libc::EOPNOTSUPP) => {
            match listed(folder, "cgroup.threads") {
                Ok(found) => {
                    for thread in found {
                        match process::leader(thread) {
                            Ok(pid) => pids.push(pid),
                            Err(error) if is_gone(&error) => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(error) if is_gone(&error) => return Ok(()),
        Err(error) => return Err(error),
    }
    if depth > 0 {
        for name in names(folder)? {
            collect(&folder.join(name), depth - 1, pids)?;
        }
    }
    Ok(())
}

/// The numbers in a file of a group. 0 is a process outside of what this process can see.
fn listed(folder: &Path, file: &str) -> io::Result<impl Iterator<Item = i32>> {
    let text = fs::read_to_string(folder.join(file))?;
    let numbers: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    Ok(numbers.into_iter().filter(|number| *number > 0))
}

/// The groups right inside a folder of the tree; none where it is gone.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if is_gone(&error) => break,
            Err(error) => return Err(error),
        };
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

/// Whether what was looked at is not there any more.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ENODEV)
}
