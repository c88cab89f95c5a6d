//! Where things are: the workspace, what is built in it, and what is kept between clones.
//!
//! Invariant: nothing outside `target/` and the per-user cache is written by xtask, apart from
//! the packages that `setup` installs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's output directory: `CARGO_TARGET_DIR` when set, `target/` otherwise.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// xtask's own outputs: ISO images, logs, small archives. Created when missing.
pub fn work() -> Result<PathBuf> {
    made(target().join("xtask"))
}

/// Logs of test steps. Created when missing.
pub fn logs() -> Result<PathBuf> {
    made(target().join("xtask/logs"))
}

/// What a fresh clone can use again: downloads and the dom0 image. Created when missing.
pub fn cache() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(|| target().join("cache"));
    made(base.join("xenios"))
}

/// The hypervisor's bootable image.
pub fn image() -> PathBuf {
    target().join("xenios")
}

/// The guest kernel called `name`.
pub fn guest(name: &str) -> PathBuf {
    target().join("guests").join(name)
}

fn made(dir: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// The first of `names` found in `PATH` or the system's administration directories.
pub fn which(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from))
        .collect();
    names
        .iter()
        .flat_map(|name| dirs.iter().map(move |dir| dir.join(name)))
        .find(|candidate| candidate.is_file())
}
