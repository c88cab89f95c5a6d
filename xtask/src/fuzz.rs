//! `cargo xtask fuzz`: targets under libFuzzer where there is a nightly compiler, and under
//! their own driver elsewhere; `cargo xtask miri`: tests under the interpreter that knows
//! undefined behaviour.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{paths, proc};

/// What `fuzz` takes.
#[derive(clap::Args)]
pub struct Args {
    /// The targets; all when none is named
    target: Vec<String>,
    /// For how long each of them
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// What the driver makes inputs up from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Without libFuzzer, even if it is there
    #[arg(long)]
    stable: bool,
    /// Run these inputs and nothing else
    #[arg(long)]
    input: Vec<PathBuf>,
    /// Keep of the inputs found the fewest that reach all that they reach, in `fuzz/corpus`
    #[arg(long)]
    keep: bool,
}

/// Runs the targets. Fails as soon as one does.
pub fn fuzz(args: &Args) -> Result<()> {
    let seconds = (args.minutes * 60.0).ceil().max(1.0) as u64;
    if args.stable || !args.input.is_empty() || !has_libfuzzer() {
        if args.keep {
            bail!("--keep needs libFuzzer: a nightly compiler and `cargo install cargo-fuzz`");
        }
        if !args.stable && args.input.is_empty() {
            eprintln!(
                "xtask: no libFuzzer here (a nightly compiler and `cargo install cargo-fuzz`): \
                inputs are changed at random"
            );
        }
        return driver(args, seconds);
    }
    let known = driver_output(&["--list"])?;
    let known: Vec<&str> = known
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for name in &args.target {
        if !known.contains(&name.as_str()) {
            bail!("{name}: no such target; there are {}", known.join(", "));
        }
    }
    let seeds = paths::work()?.join("fuzz-seeds");
    driver_output(&["--write-seeds", &seeds.to_string_lossy()])?;
    for name in known {
        if args.target.is_empty() || args.target.iter().any(|wanted| wanted == name) {
            libfuzzer(name, &seeds.join(name), seconds, args.keep)?;
        }
    }
    Ok(())
}

fn has_libfuzzer() -> bool {
    proc::succeeds(cargo(&["+nightly", "--version"]).current_dir(paths::root()))
        && proc::succeeds(&mut cargo(&["fuzz", "--version"]))
}

/// Cargo without what the cargo that runs xtask set for itself.
fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new(if args.first() == Some(&"+nightly") {
        "rustup"
    } else {
        "cargo"
    });
    for name in [
        "RUSTUP_TOOLCHAIN",
        "CARGO",
        "LD_LIBRARY_PATH",
        "CARGO_MANIFEST_DIR",
    ] {
        cargo.env_remove(name);
    }
    if let Some((_, rest)) = args
        .split_first()
        .filter(|(first, _)| **first == "+nightly")
    {
        cargo.args(["run", "nightly", "cargo"]).args(rest);
    } else {
        cargo.args(args);
    }
    cargo.current_dir(paths::root());
    cargo
}

const DRIVER: [&str; 7] = [
    "run",
    "--quiet",
    "--profile",
    "fuzz",
    "--package",
    "fuzz-targets",
    "--",
];

fn driver_output(args: &[&str]) -> Result<String> {
    proc::output(cargo(&DRIVER).args(args))
}

/// The targets' own driver: a stable compiler is enough.
fn driver(args: &Args, seconds: u64) -> Result<()> {
    let mut command = cargo(&DRIVER);
    command.args(&args.target);
    command.args(["--seconds", &seconds.to_string()]);
    command.args(["--seed", &args.seed.to_string()]);
    for input in &args.input {
        let input = fs::canonicalize(input).with_context(|| input.display().to_string())?;
        command.arg("--input").arg(input);
    }
    run(&mut command)
}

/// One target under libFuzzer. What it finds is kept in `target/`, from run to run.
fn libfuzzer(name: &str, seeds: &std::path::Path, seconds: u64, keep: bool) -> Result<()> {
    let found = paths::target().join("fuzz-corpus").join(name);
    let kept = paths::root().join("fuzz/corpus").join(name);
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&kept)?;
    println!("{name}:");
    let target = paths::target().join("libfuzzer");
    let mut command = cargo(&["+nightly", "fuzz", "run", "--sanitizer", "none"]);
    command.arg("--target-dir").arg(&target).arg(name);
    command.arg(&found).arg(&kept).arg(seeds).arg("--");
    command.arg(format!("-max_total_time={seconds}"));
    // Simulated machines are for ever, so the memory that is used only grows.
    command.args(["-max_len=8192", "-timeout=30", "-rss_limit_mb=12000"]);
    command.args(["-print_final_stats=1", "-verbosity=0"]);
    run(&mut command)?;
    if keep {
        // Merging into an empty folder makes the smallest set.
        let old = paths::work()?.join("fuzz-old").join(name);
        let _ = fs::remove_dir_all(&old);
        fs::create_dir_all(old.parent().unwrap_or(&old))?;
        fs::rename(&kept, &old)?;
        fs::create_dir_all(&kept)?;
        let mut command = cargo(&["+nightly", "fuzz", "run", "--sanitizer", "none"]);
        command.arg("--target-dir").arg(&target).arg(name);
        command.arg(&kept).arg(&old).arg(&found).arg("--");
        command.args(["-merge=1", "-max_len=4096", "-rss_limit_mb=12000"]);
        run(&mut command)?;
    }
    Ok(())
}

/// What `miri` takes.
#[derive(clap::Args)]
pub struct MiriArgs {
    /// Only the tests whose names have this in them
    filter: Vec<String>,
}

/// Runs the tests of `machine` under Miri. Those of several CPUs, which are coroutines, and those that
/// would take too long are marked as ignored there.
pub fn miri(args: &MiriArgs) -> Result<()> {
    if !proc::succeeds(&mut cargo(&["+nightly", "miri", "--version"])) {
        bail!("no Miri here; type: rustup toolchain install nightly --component miri,rust-src");
    }
    // Memory of the simulated machine is never given back, and its clock is the host's. Words are
    // also reached as smaller ones, of which Miri cannot tell older values from newer.
    let flags = "-Zmiri-ignore-leaks -Zmiri-disable-isolation -Zmiri-permissive-provenance \
                 -Zmiri-disable-weak-memory-emulation";
    let mut command = cargo(&["+nightly", "miri", "test", "--package", "machine", "--lib"]);
    command
        .arg("--target-dir")
        .arg(paths::target().join("miri"));
    command.env("MIRIFLAGS", flags).arg("--").args(&args.filter);
    run(&mut command)
}

fn run(command: &mut Command) -> Result<()> {
    let line = proc::line(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}`: {status}");
    }
    Ok(())
}
