//! `differential [--count N] [--seed N] [--threads N]`: compares and reports.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let (mut count, mut seed) = (10_000_000u64, 1u64);
    let mut threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let Some(value) = args.next().and_then(|value| value.parse().ok()) else {
            eprintln!("{name}: a number has to follow");
            return ExitCode::FAILURE;
        };
        match name.as_str() {
            "--count" => count = value,
            "--seed" => seed = value,
            "--threads" => threads = value as usize,
            _ => {
                eprintln!("{name}: not known; --count, --seed, --threads are");
                return ExitCode::FAILURE;
            }
        }
    }
    let start = Instant::now();
    let report = match differential::run(seed, count, threads) {
        Ok(report) => report,
        Err(why) => {
            eprintln!("instructions cannot be executed in a process that is traced: {why}");
            return ExitCode::FAILURE;
        }
    };
    for (form, count) in &report.forms {
        println!("{count:>10}  {form}");
    }
    for difference in &report.differences {
        println!("DIFFERS  {difference}");
    }
    let entries: Vec<String> = report
        .entries
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    println!(
        "{} instructions of {} forms ({}), {} of them faults, seed {seed}, {:.0} s: {} differ",
        report.executed,
        report.forms.len(),
        entries.join(", "),
        report.faults,
        start.elapsed().as_secs_f64(),
        report.differed
    );
    if report.differed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
