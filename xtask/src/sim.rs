//! `cargo xtask sim`: the hypervisor under simulation.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{paths, proc};

/// Builds and runs the crate `tests/sim` with these arguments.
pub fn command(args: &[String]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(paths::root())
        .args([
            "run",
            "--quiet",
            "--profile",
            "sim",
            "--package",
            "sim",
            "--",
        ])
        .args(args);
    cargo
}

/// Runs it with these arguments, on this terminal.
pub fn run(args: &[String]) -> Result<()> {
    if !command(args).status()?.success() {
        bail!("the simulation failed");
    }
    Ok(())
}

/// The short run of `cargo xtask test`; what it came to.
pub fn short() -> Result<String> {
    let log = paths::logs()?.join("sim.log");
    let args = [
        "--minutes",
        "0.9",
        "--ops",
        "300000",
        "--brief",
        "--shrink",
        "300",
    ]
    .map(String::from);
    proc::step("simulation", &mut command(&args), &log)?;
    let said = std::fs::read_to_string(&log)?;
    let sum = said.lines().find(|line| line.contains(" scripts on "));
    Ok(sum.unwrap_or_default().to_owned())
}
