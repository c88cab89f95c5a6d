//! `cargo xtask mutants`: deliberate bugs, each of which the simulation has to find.
//!
//! `tests/sim/mutants.txt` lists them as replacements in the sources. All are made at once in a
//! scratch copy, each behind a number; then one build serves all: the simulation runs once for
//! each with that number in its environment. A block whose code is not found fails loudly, here
//! and in a test on the host. Before any bug is switched on, the copy has to come to the very sum
//! that the sources as they are come to: else what it finds says nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{paths, proc, sim};

/// What `mutants` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Only those whose names contain this
    pub only: Option<String>,
    /// Minutes that the simulation has for each
    #[arg(long, default_value_t = 2.0)]
    pub minutes: f64,
    /// Seed to begin with
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// Only make them and build
    #[arg(long)]
    pub build: bool,
}

/// One deliberate bug.
struct Mutant<'a> {
    name: &'a str,
    file: &'a str,
    old: &'a str,
    new: &'a str,
}

/// The function that says whether a bug is switched on, for the scratch copy of `machine`.
const SWITCH: &str = r#"
/// Whether deliberate bug `n` is switched on.
pub fn mutant(n: u32) -> bool {
    static ON: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let number = || std::env::var("SIM_MUTANT").ok()?.parse().ok();
    *ON.get_or_init(|| number().unwrap_or(0)) == n
}
"#;

fn parse(text: &str) -> Result<Vec<Mutant<'_>>> {
    text.split("\n== ")
        .skip(1)
        .map(|block| {
            let mut parts = block.splitn(3, '\n');
            let (name, file) = (parts.next(), parts.next());
            let rest = parts.next().and_then(|rest| rest.strip_prefix("--\n"));
            let code = rest.and_then(|rest| rest.split_once("\n++\n"));
            let (Some(name), Some(file), Some((old, new))) = (name, file, code) else {
                bail!("a block of mutants.txt is not as it should be:\n{block}");
            };
            Ok(Mutant {
                name,
                file,
                old,
                new: new.trim_end(),
            })
        })
        .collect()
}

/// The sources with all mutants in them, by path.
fn mutated(mutants: &[Mutant]) -> Result<BTreeMap<String, String>> {
    let root = paths::root();
    let mut files = BTreeMap::new();
    for (number, mutant) in (1..).zip(mutants) {
        let text = match files.get(mutant.file) {
            Some(text) => String::clone(text),
            None => fs::read_to_string(root.join(mutant.file)).context(mutant.file.to_owned())?,
        };
        ensure!(
            text.matches(mutant.old).count() == 1,
            "mutants.txt, {:?}: its code has to stand in {} exactly once",
            mutant.name,
            mutant.file
        );
        let from = if mutant.file.starts_with("machine/") {
            "crate"
        } else {
            "machine"
        };
        let new = mutant
            .new
            .replace("BUG", &format!("{from}::mutant({number})"));
        files.insert(mutant.file.into(), text.replace(mutant.old, &new));
    }
    for (file, more) in [
        ("machine/src/arch/sim/mod.rs", SWITCH),
        ("machine/src/lib.rs", "\npub use arch::imp::mutant;\n"),
    ] {
        let text = fs::read_to_string(root.join(file))?;
        files.insert(file.into(), text + more);
    }
    Ok(files)
}

/// Copies the sources to `to`; a file that is the same already is left, so that little is built.
fn copy(to: &Path, mutated: &BTreeMap<String, String>) -> Result<()> {
    let root = paths::root();
    let mut list = Command::new("git");
    list.current_dir(&root)
        .args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    for file in proc::output(&mut list)?.lines() {
        let Ok(mut bytes) = fs::read(root.join(file)) else {
            continue;
        };
        if let Some(text) = mutated.get(file) {
            bytes = text.clone().into_bytes();
        }
        let path = to.join(file);
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// Scripts whose sums are compared.
const COMPARED: &str = "64";

/// What a program that simulates comes to without any bug.
fn sum(run: &mut Command) -> Result<String> {
    run.env("SIM_MUTANT", "0");
    run.args([
        "--brief",
        "--shrink",
        "0",
        "--minutes",
        "30",
        "--scripts",
        COMPARED,
    ]);
    let out = run.stderr(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    ensure!(
        out.status.success(),
        "without any bug the simulation fails:\n{said}"
    );
    Ok(said
        .lines()
        .find_map(|line| line.split_once("; sum "))
        .context("the simulation told no sum")?
        .1
        .to_owned())
}

/// Runs the simulation with one bug; what found it, if anything did.
fn hunt(program: &Path, number: usize, args: &Args) -> Result<Option<String>> {
    let log = paths::logs()?.join("mutant.log");
    let out = fs::File::create(&log)?;
    let minutes = args.minutes;
    let mut run = Command::new(program);
    run.env("SIM_MUTANT", number.to_string())
        .args(["--brief", "--shrink", "0"])
        .args(["--first", &args.first.to_string()])
        .args(["--minutes", &minutes.to_string()])
        .stdout(out.try_clone()?)
        .stderr(Stdio::from(out));
    let mut child = run.spawn()?;
    let patience = Duration::from_secs_f64(minutes * 60.0 + 120.0);
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(Some("it does not come to an end".into()));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok(Some(found_by(&said, &status.to_string())))
}

/// What a report says first of what is wrong; `status` when there is no report.
fn found_by(said: &str, status: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.starts_with("FAIL: "));
    let Some(first) = lines.next() else {
        // A panic within a panic: the first one was told.
        let told = said.lines().find(|line| line.starts_with("seed "));
        return format!("{status}: {}", told.unwrap_or("nothing was told"));
    };
    let seed = first.split([' ', ',']).nth(2).unwrap_or("?");
    let first = first.split_once("steps: ").map_or(first, |(_, why)| why);
    let why = if first.starts_with("the judge") {
        lines.next().unwrap_or(first)
    } else {
        first
    };
    let why: String = why.chars().take(100).collect();
    format!("{why} (seed {seed})")
}

/// Makes the mutants and hunts each.
pub fn mutants(args: &Args) -> Result<()> {
    let text = fs::read_to_string(paths::root().join("tests/sim/mutants.txt"))?;
    let mutants = parse(&text)?;
    let scratch = paths::target().join("mutants");
    copy(&scratch.join("src"), &mutated(&mutants)?)?;
    let mut build = Command::new(env!("CARGO"));
    build
        .current_dir(scratch.join("src"))
        .env("CARGO_TARGET_DIR", scratch.join("target"))
        .args(["build", "--quiet", "--profile", "sim", "--package", "sim"]);
    proc::step("mutants", &mut build, &paths::logs()?.join("mutants.log"))?;
    if args.build {
        return Ok(());
    }
    let program = scratch.join("target/sim/sim");
    let (ours, copy) = (
        sum(&mut sim::command(&[]))?,
        sum(&mut Command::new(&program))?,
    );
    ensure!(
        ours == copy,
        "without any bug the copy comes to {copy}, the sources to {ours}: some block changes \
         what is done when its bug is off"
    );
    println!("without any bug the copy does what the sources do: {copy}");
    let (mut hunted, mut missed) = (0, 0);
    for (number, mutant) in (1..).zip(&mutants) {
        if args
            .only
            .as_ref()
            .is_some_and(|only| !mutant.name.contains(only))
        {
            continue;
        }
        let begun = Instant::now();
        let found = hunt(&program, number, args)?;
        let seconds = begun.elapsed().as_secs();
        hunted += 1;
        missed += u32::from(found.is_none());
        let why = found.unwrap_or_else(|| "NOT FOUND".into());
        println!(
            "{number:>3}  {seconds:>4} s  {}\n             {why}",
            mutant.name
        );
    }
    ensure!(hunted > 0, "no deliberate bug has such a name");
    println!("{} of {hunted} deliberate bugs were found", hunted - missed);
    ensure!(missed == 0, "{missed} deliberate bugs were not found");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever moves code that a deliberate bug stands in moves the bug.
    #[test]
    fn the_code_of_every_bug_is_found() {
        let text = fs::read_to_string(paths::root().join("tests/sim/mutants.txt")).unwrap();
        let mutants = parse(&text).unwrap();
        assert!(mutants.len() > 40);
        mutated(&mutants).unwrap();
    }

    #[test]
    fn what_found_a_bug_is_said() {
        let said = "noise\nFAIL: seed 7, 20 steps: the judge found:\nGrants: grant 8 is lost\n";
        assert_eq!(found_by(said, ""), "Grants: grant 8 is lost (seed 7)");
        assert_eq!(
            found_by("FAIL: seed 12, 6000 steps: walk of 0x0\n", ""),
            "walk of 0x0 (seed 12)"
        );
        assert_eq!(
            found_by("seed 3: panicked", "signal: 6"),
            "signal: 6: seed 3: panicked"
        );
    }
}
