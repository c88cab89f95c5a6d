//! What is printed at the end: operations, speed, what was reached, what was checked.

use crate::work::Found;
use hypervisor::simtest::{judge, reach};
use std::process::ExitCode;

/// Prints it.
pub fn show(found: &Found, brief: bool) {
    let busy = found.busy.as_secs_f64().max(1e-9);
    println!(
        "{} scripts on {} threads, {} operations of guests, {:.0} a second a core; in {} scripts \
         the control domain ended the machine; sum {:016x}",
        found.scripts,
        found.threads,
        found.steps,
        found.steps as f64 / busy,
        found.ended,
        found.sum
    );
    println!("\n{:>10}  invariant", "checked");
    for ((_, what), times) in judge::KINDS.iter().zip(judge::counts()) {
        println!("{times:>10}  {what}");
    }
    if !brief {
        println!(
            "\n{:>10} {:>10} {:>10}  operation",
            "made", "served", "succeeded"
        );
    }
    let (mut served, mut reached) = (0, 0);
    for row in reach::rows(&found.reach) {
        served += u32::from(row.implemented);
        reached += u32::from(row.implemented && row.count.served > 0);
        if !brief {
            let note = match (row.implemented, row.count.served) {
                (false, _) => "  (not offered)",
                (true, 0) => "  NOT REACHED",
                _ => "",
            };
            let reach::Count { made, served, done } = row.count;
            println!("{made:>10} {served:>10} {done:>10}  {}{note}", row.name);
        }
    }
    println!("\n{reached} of {served} calls and operations that are implemented were reached");
}

/// Whether that is good enough: a run that is long enough has to reach everything.
pub fn verdict(found: &Found) -> ExitCode {
    let missing: Vec<String> = reach::rows(&found.reach)
        .into_iter()
        .filter(|row| row.implemented && row.count.served == 0)
        .map(|row| row.name)
        .collect();
    if missing.is_empty() || found.steps < ENOUGH {
        return ExitCode::SUCCESS;
    }
    println!("not reached: {}", missing.join(", "));
    ExitCode::FAILURE
}

/// Operations after which everything should have been reached.
const ENOUGH: u64 = 1_000_000;
