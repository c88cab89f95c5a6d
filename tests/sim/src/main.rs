//! Runs scripts by seeds on all cores until time or operations are up: `cargo xtask sim`.
#![forbid(unsafe_code)]

mod quiet;
mod report;
mod work;

use clap::Parser;
use hypervisor::simtest::{self, script::Script, session, shrink};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Runs the hypervisor under simulation.
#[derive(Parser)]
#[command(name = "cargo xtask sim")]
struct Args {
    /// Run this seed alone, and say each step
    #[arg(long)]
    seed: Option<u64>,
    /// Run the script in this file alone, and say each step
    #[arg(long)]
    script: Option<PathBuf>,
    /// Stop after so many minutes
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Stop after so many operations of guests
    #[arg(long)]
    ops: Option<u64>,
    /// The seed to begin with
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Steps of a script
    #[arg(long, default_value_t = 6000)]
    steps: usize,
    /// Threads; as many as there are cores unless given
    #[arg(long)]
    jobs: Option<usize>,
    /// Scripts that are tried to find a smaller one that fails, 0 for none
    #[arg(long, default_value_t = 1500)]
    shrink: u32,
    /// Also run one script in sixteen as twins
    #[arg(long)]
    twins: bool,
    /// Do not list each operation
    #[arg(long)]
    brief: bool,
    /// With --seed or --script: do not say each step
    #[arg(long)]
    silent: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    quiet::install();
    match single(&args) {
        Err(why) => {
            eprintln!("sim: {why}");
            ExitCode::FAILURE
        }
        Ok(Some(script)) => alone(&args, &script),
        Ok(None) => many(&args),
    }
}

/// The one script that is asked for, if it is one.
fn single(args: &Args) -> Result<Option<Script>, String> {
    if let Some(path) = &args.script {
        let text = std::fs::read_to_string(path).map_err(|why| format!("{path:?}: {why}"))?;
        return Ok(Some(text.parse()?));
    }
    Ok(args.seed.map(|seed| simtest::script(seed, args.steps)))
}

fn alone(args: &Args, script: &Script) -> ExitCode {
    quiet::about(script.setting.seed);
    let outcome = session::run(script, !args.silent);
    if !args.silent {
        println!("{}", outcome.console);
    }
    if let Some(failure) = &outcome.failure {
        return failed(args, script, failure);
    }
    println!(
        "seed {}: {} operations, nothing wrong{}",
        script.setting.seed,
        outcome.steps,
        if outcome.ended {
            "; the control domain ended the machine"
        } else {
            ""
        }
    );
    ExitCode::SUCCESS
}

fn many(args: &Args) -> ExitCode {
    let limit = Duration::from_secs_f64(args.minutes.max(0.0) * 60.0);
    let found = work::run(
        args.jobs, args.first, args.steps, limit, args.ops, args.twins,
    );
    report::show(&found, args.brief);
    match &found.failure {
        Some((script, failure)) => failed(args, script, failure),
        None => report::verdict(&found),
    }
}

/// Says what failed and cuts it down.
fn failed(args: &Args, script: &Script, failure: &str) -> ExitCode {
    let seed = script.setting.seed;
    println!("FAIL: seed {seed}, {} steps: {failure}", script.steps.len());
    println!(
        "`cargo xtask sim --seed {seed} --steps {}` runs it alone",
        args.steps
    );
    if args.shrink > 0 && !failure.contains("secret") {
        let small = shrink(script, failure, args.shrink, |steps| {
            eprint!("\r{steps} steps   ");
        });
        eprintln!();
        let path = std::env::temp_dir().join(format!("sim-{seed}.script"));
        let written = std::fs::write(&path, small.to_string());
        println!(
            "{} steps that fail in this way:\n{small}",
            small.steps.len()
        );
        if written.is_ok() {
            println!("`cargo xtask sim --script {}` runs them", path.display());
        }
    }
    ExitCode::FAILURE
}
