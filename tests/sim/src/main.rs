//! Runs scripts by seeds on all cores until time or operations are up: `cargo xtask sim`.
#![forbid(unsafe_code)]

mod quiet;
mod report;
mod work;

use clap::Parser;
use hypervisor::simtest::script::Script;
use hypervisor::simtest::session::{self, Trace};
use hypervisor::simtest::{self, shrink};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use work::{Failed, Plan};

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
    /// Stop after so many scripts
    #[arg(long)]
    scripts: Option<u64>,
    /// Run all scripts as twins, not only one in sixteen
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
        Ok(Some(script)) => alone(&args, script),
        Ok(None) => many(&args),
    }
}

/// The one script that is asked for, if it is one.
fn single(args: &Args) -> Result<Option<Script>, String> {
    if let Some(path) = &args.script {
        let text = std::fs::read_to_string(path).map_err(|why| format!("{path:?}: {why}"))?;
        return Ok(Some(text.parse()?));
    }
    let make = if args.twins {
        simtest::twin_script
    } else {
        simtest::script
    };
    Ok(args.seed.map(|seed| make(seed, args.steps)))
}

fn alone(args: &Args, script: Script) -> ExitCode {
    quiet::about(script.setting.seed);
    let twins = args.twins;
    if twins {
        return match session::twins(&script) {
            Ok((steps, _)) => {
                println!("{steps} operations of twins, nothing wrong");
                ExitCode::SUCCESS
            }
            Err(why) => failed(args, &Failed { script, why, twins }),
        };
    }
    let trace = if args.silent { Trace::No } else { Trace::Said };
    let outcome = session::run(&script, trace);
    if !args.silent {
        println!("{}", outcome.console);
    }
    if let Some(why) = outcome.failure {
        return failed(args, &Failed { script, why, twins });
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
    let found = work::run(&Plan {
        jobs: args.jobs,
        first: args.first,
        steps: args.steps,
        limit: Duration::from_secs_f64(args.minutes.max(0.0) * 60.0),
        ops: args.ops,
        scripts: args.scripts,
        twins: args.twins,
    });
    // What failed comes first: it may be of a kind that stops the rest of the report.
    if let Some(failure) = &found.failure {
        println!("{}", failure.line());
    }
    report::show(&found, args.brief);
    match &found.failure {
        Some(failure) => failed(args, failure),
        None => report::verdict(&found),
    }
}

/// Says what failed and cuts it down.
fn failed(args: &Args, failure: &Failed) -> ExitCode {
    let Failed { script, why, twins } = failure;
    let seed = script.setting.seed;
    let more = if *twins { " --twins" } else { "" };
    println!("{}", failure.line());
    println!(
        "`cargo xtask sim --seed {seed} --steps {}{more}` runs it alone",
        args.steps
    );
    if args.shrink > 0 {
        let small = shrink(script, why, *twins, args.shrink, |steps| {
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
            println!(
                "`cargo xtask sim --script {}{more}` runs them",
                path.display()
            );
        }
    }
    ExitCode::FAILURE
}
