//! `cargo xtask bench`: what operations cost, in instructions, on no hypervisor, on the real Xen
//! and on Xenios.
//!
//! QEMU's icount mode makes one executed instruction one tick of the time-stamp counter, so the
//! figures are exact and the same on every run. They leave out caches and TLBs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::dom0::{self, Dom0};
use crate::overlay::{self, Archive};
use crate::qemu::{self, Boot, End, Machine, Run};
use crate::run::{self, Host};
use crate::setup::{self, Need};
use crate::{build, guest, paths, proc, steps};

/// What `bench` takes.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// Only these columns: bare, xen, xenios (default: all)
    pub hosts: Vec<String>,
    /// Only this part of the figures
    #[arg(long, value_enum)]
    pub part: Option<Part>,
}

/// A part of the figures, with boots of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Part {
    /// Calls and exits, measured by guest kernels.
    Calls,
    /// Linux's system calls.
    Os,
    /// What guests cost that `xl` makes.
    Xl,
}

/// Figures by operation.
type Figures = BTreeMap<String, u64>;

/// An operation and the most instructions it should cost on Xenios.
const GOALS: &[(&str, u64)] = &[
    ("xen_version", 140),
    ("ud_bounce", 425),
    ("update_va_mapping", 320),
    ("mmu_update_64_map", 10_800),
    ("pin_unpin_l1", 7_300),
    ("getppid", 600),
    ("fork_exit_wait", 750_000),
    ("since_reset_Minsn", 4_000),
];

/// Measures and prints the table, also to `target/xtask/bench.txt`.
pub fn bench(args: &Args) -> Result<()> {
    setup::ensure(&[Need::Qemu])?;
    let dom0 = dom0::ensure()?;
    let hosts: Vec<Host> = [
        ("bare", Host::Bare),
        ("xen", Host::Xen),
        ("xenios", Host::Xenios),
    ]
    .into_iter()
    .filter(|(name, _)| args.hosts.is_empty() || args.hosts.iter().any(|wanted| wanted == name))
    .map(|(_, host)| host)
    .collect();
    if hosts.is_empty() {
        bail!("no such column: bare, xen or xenios");
    }
    if hosts.contains(&Host::Xenios) {
        build::image(false)?;
    }
    if hosts.iter().any(|host| *host != Host::Bare) {
        build::guests()?;
    }
    let wanted = |part| args.part.is_none_or(|only| only == part);
    let initrd = initrd(&oslat()?)?;
    let mut columns = Vec::new();
    let mut failed = Vec::new();
    for host in &hosts {
        let (figures, errors) = measure(*host, &dom0, &initrd, &wanted)?;
        columns.push((*host, figures));
        failed.extend(errors);
    }
    let table = table(&columns);
    print!("{table}");
    fs::write(paths::work()?.join("bench.txt"), &table)?;
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}

/// All figures of one host, and what could not be measured.
fn measure(
    host: Host,
    dom0: &Dom0,
    initrd: &Path,
    wanted: &dyn Fn(Part) -> bool,
) -> Result<(Figures, Vec<String>)> {
    let mut figures = Figures::new();
    let mut errors = Vec::new();
    let logs = paths::logs()?;
    let name = format!("{host:?}").to_lowercase();
    for (kernel, pvh) in [("pv-bench", false), ("pvh-bench", true)] {
        if host == Host::Bare || !wanted(Part::Calls) {
            break;
        }
        let shown = proc::Progress::start(&format!("{kernel} on {name}"));
        let trial = guest::Trial {
            icount: true,
            pvh,
            limit: Duration::from_secs(120),
            ..guest::Trial::ONE
        };
        let log = logs.join(format!("bench-{kernel}-{name}.log"));
        let run = trial.run(kernel, host, dom0, &log);
        match run.and_then(|run| collect(&run, "BENCH ", "GUEST-END", &mut figures)) {
            Ok(()) => shown.finish(true),
            Err(why) => {
                shown.finish(false);
                errors.push(format!("{kernel} on {name}: {why:#}"));
            }
        }
    }
    if wanted(Part::Os) {
        let shown = proc::Progress::start(&format!("oslat on {name}"));
        let log = logs.join(format!("bench-os-{name}.log"));
        let result = system_calls(host, dom0, initrd, &log)
            .and_then(|run| collect(&run, "OSLAT ", "OSLAT-END", &mut figures));
        shown.finish(result.is_ok());
        if let Err(why) = result {
            errors.push(format!("oslat on {name}: {why:#}"));
        }
    }
    if wanted(Part::Xl) && (host == Host::Xen || host == Host::Xenios && steps::GUESTS) {
        let shown = proc::Progress::start(&format!("xl create on {name}"));
        let result = creation(host, dom0, &logs.join(format!("bench-xl-{name}.log")))
            .and_then(|run| collect(&run, "XLBENCH ", "XLBENCH-END", &mut figures));
        shown.finish(result.is_ok());
        if let Err(why) = result {
            errors.push(format!("xl create on {name}: {why:#}"));
        }
    }
    Ok((figures, errors))
}

/// What Linux's system calls cost.
fn system_calls(host: Host, dom0: &Dom0, initrd: &Path, log: &Path) -> Result<Run> {
    let words = |console: &str| format!("console={console} quiet panic=1 rdinit=/init");
    let boot = if host == Host::Bare {
        Boot::Linux {
            kernel: dom0.kernel(),
            cmdline: words("ttyS0"),
            initrd: initrd.to_owned(),
        }
    } else {
        Boot::Multiboot {
            image: run::hypervisor(host, dom0),
            cmdline: "console=com1 com1=115200,8n1 noreboot".to_owned(),
            modules: vec![
                (dom0.kernel(), words("hvc0")),
                (initrd.to_owned(), String::new()),
            ],
        }
    };
    let machine = Machine {
        smp: 1,
        mem: 512,
        icount: true,
        ..Machine::new(boot)
    };
    qemu::watch(&machine, Duration::from_secs(480), log, false)
}

/// Boots dom0 and makes guests: how long until a guest's first process, and what they take.
fn creation(host: Host, dom0: &Dom0, log: &Path) -> Result<Run> {
    let machine = Machine {
        smp: 1,
        icount: true,
        disk: Some(dom0.disk()),
        ..Machine::new(Boot::Multiboot {
            image: run::hypervisor(host, dom0),
            cmdline: run::hypervisor_words(3072),
            modules: vec![
                (dom0.kernel(), run::dom0_words("bench-xl", "hvc0")),
                (overlay::initrd(dom0, &[])?, String::new()),
            ],
        })
    };
    qemu::watch(&machine, Duration::from_secs(1200), log, false)
}

/// Adds the lines `MARK name number` of `run` to `figures`; an error if `end` was not printed.
fn collect(run: &Run, mark: &str, end: &str, figures: &mut Figures) -> Result<()> {
    for line in &run.lines {
        let Some((_, rest)) = line.split_once(mark) else {
            continue;
        };
        let mut words = rest.split_whitespace();
        if let (Some(name), Some(Ok(number))) = (words.next(), words.next().map(str::parse)) {
            figures.insert(name.to_owned(), number);
        }
    }
    if let End::Crashed(line) = &run.end {
        bail!("crashed: {line}");
    }
    if !run.has(end) {
        bail!(
            "no {end} ({:?}); the end:\n{}",
            run.end,
            proc::tail(&run.lines.join("\n"), 5)
        );
    }
    Ok(())
}

fn table(columns: &[(Host, Figures)]) -> String {
    let mut names: Vec<&String> = columns
        .iter()
        .flat_map(|(_, figures)| figures.keys())
        .collect();
    names.sort();
    names.dedup();
    let mut text = format!("{:<24}", "instructions");
    for (host, _) in columns {
        let title = match host {
            Host::Bare => "no hypervisor",
            Host::Xen => "Xen 4.20",
            Host::Xenios => "Xenios",
        };
        let _ = write!(text, "{title:>16}");
    }
    text.push_str("   Xenios / Xen            goal\n");
    for name in names {
        let _ = write!(text, "{name:<24}");
        for (_, figures) in columns {
            let figure = figures
                .get(name)
                .map_or_else(|| "-".to_owned(), |figure| grouped(*figure));
            let _ = write!(text, "{figure:>16}");
        }
        let of = |wanted: Host| {
            columns
                .iter()
                .find(|(host, _)| *host == wanted)
                .and_then(|(_, figures)| figures.get(name))
        };
        let ratio = match (of(Host::Xenios), of(Host::Xen)) {
            (Some(ours), Some(theirs)) if *theirs > 0 => {
                format!("{:.2}", *ours as f64 / *theirs as f64)
            }
            _ => String::new(),
        };
        let _ = write!(text, "{ratio:>16}");
        if let Some((_, goal)) = GOALS.iter().find(|(goal, _)| goal == name) {
            let _ = write!(text, "{:>16}", format!("<= {}", grouped(*goal)));
            if let Some(ours) = of(Host::Xenios) {
                text.push_str(if ours <= goal { "  met" } else { "  MISSED" });
            }
        }
        text.push('\n');
    }
    text
}

/// A number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Compiles the measuring program, static: nothing else is in its initrd.
fn oslat() -> Result<PathBuf> {
    let program = paths::work()?.join("oslat");
    let mut rustc = Command::new("rustc");
    rustc
        .env_remove("LD_LIBRARY_PATH")
        .args([
            "--edition",
            "2024",
            "-O",
            "-C",
            "panic=abort",
            "-C",
            "strip=symbols",
        ])
        .args([
            "-C",
            "target-feature=+crt-static",
            "-C",
            "relocation-model=static",
            "-o",
        ])
        .arg(&program)
        .arg(paths::root().join("tests/bench/oslat.rs"));
    proc::step(
        "building oslat",
        &mut rustc,
        &paths::logs()?.join("oslat.log"),
    )?;
    Ok(program)
}

/// An initrd whose first process is `program`.
fn initrd(program: &Path) -> Result<PathBuf> {
    let mut archive = Archive::default();
    archive.dir("proc");
    archive.file("init", &fs::read(program)?, 0o755)?;
    let path = paths::work()?.join("oslat.cpio");
    fs::write(&path, archive.finish()?)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234), "1,234");
        assert_eq!(grouped(1_289_279), "1,289,279");
    }
}
