//! PAM files as text: read, judged, edited. Pure: files come in as values, and nothing is written
//! here.

pub mod block;
pub mod line;
pub mod stack;

#[cfg(test)]
pub mod fixtures {
    //! PAM files as distributions ship them.

    use std::path::Path;

    /// A file of one of them, if it has it.
    pub fn file(system: &str, name: &str) -> Option<String> {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pam/fixtures");
        std::fs::read_to_string(base.join(system).join(name)).ok()
    }

    /// Every file of one of them, by name.
    pub fn names(system: &str) -> Vec<String> {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pam/fixtures").join(system);
        let entries = std::fs::read_dir(base).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
