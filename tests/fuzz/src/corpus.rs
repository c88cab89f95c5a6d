//! The inputs to begin with: those that [`crate::seeds`] writes down, and the files in
//! `fuzz/corpus`, among them inputs that once failed.

use crate::{Target, seeds};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of a target's files.
pub fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target.name)
}

/// All inputs that are known for a target, always in the same order.
pub fn load(target: &Target) -> Vec<Vec<u8>> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder(target))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    names.sort();
    let mut inputs = seeds::of(target.name);
    inputs.extend(names.iter().filter_map(|name| fs::read(name).ok()));
    inputs
}

/// Writes the seeds into a folder, for libFuzzer. Errors: those of the system.
pub fn write_seeds(target: &Target, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for (n, seed) in seeds::of(target.name).iter().enumerate() {
        fs::write(to.join(format!("seed-{n:02}")), seed)?;
    }
    Ok(())
}
