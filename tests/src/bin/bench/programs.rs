//! The C programs of the benchmark, built with the machine's compiler. It builds and reads; it
//! starts nothing in a host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the benchmark needs on the machine beside what the tests need, as Debian names it.
const NEEDS: &str = "gcc libpam0g-dev libsystemd-dev sqlite3";

/// Each program, and what it is built with.
const BUILT: [(&str, &[&str]); 6] = [
    ("driver", &["driver.c", "-lpam"]),
    ("echo_server", &["echo_server.c"]),
    ("echo_module.so", &["-shared", "-fPIC", "echo_module.c"]),
    ("bus_server", &["bus_server.c", "-lsystemd"]),
    ("bus_module.so", &["-shared", "-fPIC", "bus_module.c", "-lsystemd"]),
    ("requests", &["requests.c", "-lsystemd"]),
];

/// The folder of the sources.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench")
}

/// The programs, built.
#[derive(Debug)]
pub(crate) struct Programs {
    built: Vec<(&'static str, Vec<u8>)>,
}

impl Programs {
    /// Builds them into `out`.
    pub(crate) fn build(out: &Path) -> Result<Self, String> {
        fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
        if Command::new("sqlite3").arg("-version").output().is_err() {
            return Err(missing("sqlite3 does not start"));
        }
        let mut built = Vec::new();
        for (name, words) in BUILT {
            let file = out.join(name);
            let mut compiler = Command::new("cc");
            compiler.args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&file).args(words);
            let output = compiler
                .current_dir(folder())
                .output()
                .map_err(|error| missing(&format!("cc does not start: {error}")))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(missing(&format!("building {name}:\n{said}")));
            }
            let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            built.push((name, bytes));
        }
        Ok(Self { built })
    }

    /// Each program's name and bytes.
    pub(crate) fn built(&self) -> &[(&'static str, Vec<u8>)] {
        &self.built
    }

    /// A file that goes into the host as it is.
    pub(crate) fn source(&self, name: &str) -> Vec<u8> {
        let file = folder().join(name);
        fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }
}

fn missing(problem: &str) -> String {
    format!("{problem}\nthe benchmark needs:  apt-get install {NEEDS}")
}
