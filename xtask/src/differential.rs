//! `cargo xtask differential`: the instruction emulator beside this machine's processor.

use std::process::Command;

use anyhow::{Result, bail};

use crate::paths;

/// What `differential` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Instructions to compare
    #[arg(long, default_value_t = 10_000_000)]
    count: u64,
    /// What they are made up from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Builds the comparison with optimisation and runs it on all processors.
pub fn run(args: &Args) -> Result<()> {
    let status = Command::new("cargo")
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "differential",
            "--",
        ])
        .args(["--count", &args.count.to_string()])
        .args(["--seed", &args.seed.to_string()])
        .env_remove("CARGO_MANIFEST_DIR")
        .current_dir(paths::root())
        .status()?;
    if !status.success() {
        bail!("the emulator and the processor differ, or could not be compared");
    }
    Ok(())
}
