//! Running a guest kernel as dom0, and reading what its cases said.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::dom0::Dom0;
use crate::qemu::{self, Boot, End, Machine, Run};
use crate::run::{self, Host};
use crate::{paths, proc};

/// The kernels' command line; one of their cases expects it.
const WORDS: &str = "cmdline-of-guest";

/// A guest kernel's run.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// CPUs.
    pub smp: u32,
    /// RAM, MiB.
    pub mem: u32,
    /// The CPU's model and flags.
    pub cpu: &'static str,
    /// Exact instruction counts on one CPU.
    pub icount: bool,
    /// The kernel runs in a hardware virtual machine (`dom0=pvh`).
    pub pvh: bool,
    /// How long it may take.
    pub limit: Duration,
}

impl Trial {
    /// One CPU, two minutes.
    pub const ONE: Self = Self {
        smp: 1,
        mem: 1024,
        cpu: qemu::CPU,
        icount: false,
        pvh: false,
        limit: Duration::from_secs(120),
    };
    /// Two CPUs, two minutes.
    pub const TWO: Self = Self {
        smp: 2,
        ..Self::ONE
    };

    /// Runs the kernel `name` on `host`; the console goes to `log`.
    pub fn run(&self, name: &str, host: Host, dom0: &Dom0, log: &Path) -> Result<Run> {
        self.run_with(name, WORDS, host, dom0, log)
    }

    fn run_with(
        &self,
        name: &str,
        words: &str,
        host: Host,
        dom0: &Dom0,
        log: &Path,
    ) -> Result<Run> {
        let image = run::hypervisor(host, dom0);
        let kernel = paths::guest(name);
        for file in [&image, &kernel] {
            ensure!(
                file.exists(),
                "{} is missing: `cargo xtask build` makes it",
                file.display()
            );
        }
        let mut cmdline = "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all dom0_mem=256M \
                           noreboot"
            .to_owned();
        let mut extra = Vec::new();
        if self.pvh {
            cmdline.push_str(" dom0=pvh");
            // The real Xen wants an IOMMU for such a dom0.
            extra.extend(["-device", "amd-iommu"].map(str::to_owned));
        }
        let machine = Machine {
            extra,
            smp: self.smp,
            mem: self.mem,
            icount: self.icount,
            cpu: self.cpu.to_owned(),
            until: Some("GUEST-END "),
            ..Machine::new(Boot::Multiboot {
                image,
                cmdline,
                modules: vec![(kernel, words.to_owned())],
            })
        };
        qemu::watch(&machine, self.limit, log, false)
    }

    /// Runs it and judges it; returns how many cases passed, as a remark.
    pub fn go(&self, name: &str, step: &str, host: Host, dom0: &Dom0) -> Result<String> {
        let log = paths::logs()?.join(format!("{step}.log"));
        let run = self.run(name, host, dom0, &log)?;
        let cases = verdict(&run)?;
        Ok(format!("{cases} cases"))
    }
}

/// Runs `pv-crash` once for each of its ways to die: the hypervisor must say that dom0 crashed,
/// and live. Returns how many ways there are, as a remark.
pub fn crashes(step: &str, host: Host, dom0: &Dom0) -> Result<String> {
    let log = paths::logs()?.join(format!("{step}.log"));
    let listing = Trial::ONE.run("pv-crash", host, dom0, &log)?;
    verdict(&listing)?;
    let ways: Vec<&str> = listing
        .lines
        .iter()
        .filter_map(|line| Some(line.split_once("CRASH-WAY ")?.1.trim()))
        .collect();
    ensure!(!ways.is_empty(), "pv-crash lists no ways");
    let mut failures = Vec::new();
    for way in &ways {
        let log = paths::logs()?.join(format!("{step}-{way}.log"));
        let words = format!("crash={way}");
        let run = Trial::ONE.run_with("pv-crash", &words, host, dom0, &log)?;
        if let Err(why) = crashed(&run) {
            failures.push(format!("{way}: {why}"));
        }
    }
    ensure!(
        failures.is_empty(),
        "{} of {} ways:\n  {}",
        failures.len(),
        ways.len(),
        failures.join("\n  ")
    );
    Ok(format!("{} crashes", ways.len()))
}

/// Whether the guest began, died, and nothing else died with it.
fn crashed(run: &Run) -> Result<()> {
    ensure!(run.has("GUEST-START "), "the kernel did not start");
    if let Some(line) = run.lines.iter().find(|line| starts(line, "FAIL ")) {
        bail!("{line}");
    }
    match &run.end {
        End::Crashed(line) if qemu::is_fatal(line) => bail!("the hypervisor died: {line}"),
        End::Crashed(_) => Ok(()),
        end => bail!("no crash was reported ({end:?})"),
    }
}

/// The number of cases that passed; an error when one failed, or when the run did not end well.
pub fn verdict(run: &Run) -> Result<usize> {
    let mut passed = 0;
    let mut failures = Vec::new();
    let mut end = None;
    for line in &run.lines {
        if let Some(at) = line.find("GUEST-END ") {
            end = Some(counts(&line[at..]).with_context(|| format!("malformed line {line:?}"))?);
        } else if starts(line, "PASS ") {
            passed += 1;
        } else if starts(line, "FAIL ") {
            failures.push(line.trim());
        }
    }
    if !failures.is_empty() {
        bail!(
            "{} cases failed:\n  {}",
            failures.len(),
            failures.join("\n  ")
        );
    }
    if let End::Crashed(line) = &run.end {
        bail!("crashed after {passed} cases: {line}");
    }
    let Some((said_passed, said_failed)) = end else {
        bail!(
            "no GUEST-END after {passed} cases ({:?}); the end:\n{}",
            run.end,
            proc::tail(&run.lines.join("\n"), 5)
        );
    };
    ensure!(
        said_failed == 0,
        "the kernel counts {said_failed} failures but printed none"
    );
    ensure!(
        said_passed == passed,
        "the kernel counts {said_passed} cases but {passed} were printed"
    );
    ensure!(passed > 0, "no case ran");
    ensure!(
        matches!(run.end, End::Exited | End::Stopped),
        "the machine ended badly: {:?}",
        run.end
    );
    Ok(passed)
}

/// Whether a guest printed a line that starts with `word`, with or without the hypervisor's mark
/// of which domain it is from.
fn starts(line: &str, word: &str) -> bool {
    let line = line.trim_start();
    line.strip_prefix("(d0) ").unwrap_or(line).starts_with(word)
}

/// The numbers of `GUEST-END passed=N failed=M`.
fn counts(line: &str) -> Option<(usize, usize)> {
    let field = |name: &str| {
        line.split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    Some((field("passed")?, field("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lines: &[&str], end: End) -> Run {
        Run {
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            end,
        }
    }

    #[test]
    fn whole_run_passes() {
        let run = run(
            &[
                "(XEN) boot",
                "PASS a",
                "(d0) PASS b",
                "GUEST-END passed=2 failed=0",
            ],
            End::Exited,
        );
        assert_eq!(verdict(&run).unwrap(), 2);
    }

    #[test]
    fn failures_and_short_runs_fail() {
        let bad = [
            run(
                &["PASS a", "FAIL b why", "GUEST-END passed=1 failed=1"],
                End::Exited,
            ),
            run(&["PASS a"], End::Exited),
            run(&["GUEST-END passed=0 failed=0"], End::Exited),
            run(&["PASS a", "GUEST-END passed=2 failed=0"], End::Exited),
            run(&["PASS a", "GUEST-END passed=1 failed=0"], End::TimedOut),
            run(
                &["PASS a", "GUEST-END passed=1 failed=0"],
                End::Crashed("x".to_owned()),
            ),
        ];
        for run in bad {
            assert!(verdict(&run).is_err(), "{:?}", run.lines);
        }
    }
}
