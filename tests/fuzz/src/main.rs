//! `fuzz-targets [TARGET..] [--seconds N] [--seed N] [--input FILE..] [--list] [--write-seeds DIR]`
#![forbid(unsafe_code)]

use fuzz_targets::drive::{self, Until};
use fuzz_targets::{TARGETS, Target, corpus, find};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    match act() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn act() -> Result<(), String> {
    let (mut chosen, mut seconds, mut seed) = (Vec::<&Target>::new(), 10u64, 1u64);
    let mut inputs = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(word) = args.next() {
        let mut value = || args.next().ok_or(format!("{word}: a value has to follow"));
        match word.as_str() {
            "--seconds" => seconds = value()?.parse().map_err(|why| format!("{why}"))?,
            "--seed" => seed = value()?.parse().map_err(|why| format!("{why}"))?,
            "--input" => inputs.push(value()?),
            "--list" => {
                for target in TARGETS {
                    println!("{:<12} {}", target.name, target.about);
                }
                return Ok(());
            }
            "--write-seeds" => {
                let folder = PathBuf::from(value()?);
                for target in TARGETS {
                    corpus::write_seeds(target, &folder.join(target.name))
                        .map_err(|why| why.to_string())?;
                }
                return Ok(());
            }
            name => chosen.push(find(name).ok_or(format!("{name}: no such target"))?),
        }
    }
    if chosen.is_empty() {
        chosen.extend(TARGETS);
    }
    if !inputs.is_empty() {
        for file in inputs {
            let data = std::fs::read(&file).map_err(|why| format!("{file}: {why}"))?;
            chosen.iter().for_each(|target| (target.run)(&data));
        }
        return Ok(());
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    drive::watch(here.join("../../target/fuzz"));
    for target in chosen {
        let start = Instant::now();
        let end = start + Duration::from_secs(seconds);
        let done = drive::run(target, seed, Until::Time(end));
        let took = start.elapsed().as_secs_f64();
        println!(
            "{:<12} {done} inputs, {:.0} a second",
            target.name,
            done as f64 / took
        );
    }
    Ok(())
}
