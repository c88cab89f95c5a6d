//! The tests that need no emulator: formatting, lints, house rules, and the crates' own tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{paths, proc};

/// `cargo fmt --check` over the workspace.
pub fn format() -> Result<String> {
    logged("fmt", &["fmt", "--all", "--check"])?;
    Ok(String::new())
}

/// `cargo clippy` over the hosted crates, warnings being errors.
pub fn lint() -> Result<String> {
    logged(
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--exclude",
            "xenios",
            "--exclude",
            "guest-rt",
            "--exclude",
            "guest-kernels",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    Ok(String::new())
}

/// The crates' tests, by nextest when it is installed, and their documentation's examples.
pub fn tests() -> Result<String> {
    let nextest = proc::succeeds(Command::new("cargo").args(["nextest", "--version"]));
    if !nextest {
        let said = logged("tests", &["test"])?;
        let passed: usize = said
            .lines()
            .filter_map(|line| {
                line.strip_prefix("test result: ok. ")?
                    .split(' ')
                    .next()?
                    .parse::<usize>()
                    .ok()
            })
            .sum();
        return Ok(format!("{passed} tests"));
    }
    let said = logged(
        "tests",
        &["nextest", "run", "--no-fail-fast", "--no-tests=pass"],
    )?;
    logged(
        "doctests",
        &[
            "test",
            "--doc",
            "-p",
            "xen-abi",
            "-p",
            "machine",
            "-p",
            "x86-emulate",
            "-p",
            "hypervisor",
        ],
    )?;
    let summary = said
        .lines()
        .find(|line| line.trim_start().starts_with("Summary"));
    Ok(summary
        .and_then(|line| line.split_once("] "))
        .map(|(_, text)| text.trim().to_owned())
        .unwrap_or_default())
}

/// Crates in which unsafe code is allowed.
const UNSAFE: [&str; 2] = ["machine", "guests/guest-rt"];

/// The crate whose one unsafe attribute, the name that the boot code calls, comes from a macro
/// of `machine`: it denies unsafe code where the others forbid it, and allows none itself.
const ENTRY: &str = "image/src/main.rs";

/// The house rules that a machine can check: unsafe code only where it is allowed, no file that
/// should long have been split, each module with its introduction.
pub fn house() -> Result<String> {
    let root = paths::root();
    let mut files = Vec::new();
    for dir in [
        "abi",
        "machine",
        "emulate",
        "hypervisor",
        "image",
        "guests",
        "tests/differential",
        "tests/fuzz",
        "fuzz/fuzz_targets",
        "xtask",
    ] {
        sources(&root.join(dir), &mut files)?;
    }
    let mut wrong = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file)?;
        let name = file
            .strip_prefix(&root)
            .unwrap_or(file)
            .display()
            .to_string();
        let lines = text.lines().count();
        if lines > 500 {
            wrong.push(format!("{name}: {lines} lines, over 500"));
        }
        if !text.trim_start().starts_with("//!") {
            wrong.push(format!("{name}: does not open with //!"));
        }
        let is_root = ["src/lib.rs", "src/main.rs"]
            .iter()
            .any(|end| name.ends_with(end))
            || name
                .split_once("src/bin/")
                .is_some_and(|(_, bin)| !bin.contains('/') || bin.ends_with("/main.rs"));
        let allowed = UNSAFE
            .iter()
            .any(|dir| name.starts_with(&format!("{dir}/")));
        let safe = text.contains("#![forbid(unsafe_code)]")
            || name == ENTRY
                && text.contains("#![deny(unsafe_code)]")
                && !text.contains("allow(unsafe_code)");
        if is_root && !allowed && !safe {
            wrong.push(format!(
                "{name}: a crate root without #![forbid(unsafe_code)]"
            ));
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(format!("{} files", files.len()))
}

fn sources(dir: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("build.rs") {
            into.push(path);
        }
    }
    Ok(())
}

/// Runs cargo with its output in a log, and returns that output.
fn logged(name: &str, args: &[&str]) -> Result<String> {
    let log = paths::logs()?.join(format!("{name}.log"));
    let mut cargo = Command::new("cargo");
    // The crates' own settings, not those that cargo made for xtask.
    cargo
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("LD_LIBRARY_PATH");
    let file = fs::File::create(&log)?;
    let status = cargo
        .args(args)
        .current_dir(paths::root())
        .stdin(std::process::Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .context("cannot start cargo")?;
    let said = fs::read(&log)?;
    let said = String::from_utf8_lossy(&said).into_owned();
    if !status.success() {
        if said.contains("is not installed") {
            bail!(
                "{}; type: rustup component add rustfmt clippy",
                proc::tail(&said, 2)
            );
        }
        bail!(
            "cargo {}: {status}\n{}",
            args.join(" "),
            proc::tail(&said, 40)
        );
    }
    Ok(said)
}
