//! `cargo xtask run`: dom0 in QEMU, on the terminal or as a demonstration.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::dom0::{self, Dom0};
use crate::iso::{self, Contents};
use crate::qemu::{self, Boot, End, Machine, Nic, Run};
use crate::setup::{self, Need};
use crate::{build, overlay, paths, proc, steps};

/// What `run` takes.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// Boot the real Xen 4.20 instead, for comparison
    #[arg(long)]
    pub xen: bool,
    /// CPUs
    #[arg(long, default_value_t = 2)]
    pub smp: u32,
    /// RAM, in MiB
    #[arg(long, default_value_t = 3072)]
    pub mem: u32,
    /// Network card
    #[arg(long, value_enum, default_value = "e1000e")]
    pub nic: Nic,
    /// What dom0 does: shell, demo (no guest), demo-guest, demo-xl, boot, dmesg (default: shell on
    /// a terminal, else a demonstration)
    #[arg(long)]
    pub mode: Option<String>,
    /// Seconds a demonstration may take
    #[arg(long, default_value_t = 300)]
    pub timeout: u64,
    /// Words to add to the hypervisor's command line
    #[arg(long, default_value = "")]
    pub append: String,
    /// Words to add to dom0's command line
    #[arg(long, default_value = "")]
    pub dom0_append: String,
    /// A hypervisor image to boot instead of the built one
    #[arg(long)]
    pub hypervisor: Option<PathBuf>,
    /// A dom0 kernel to boot instead of Debian's
    #[arg(long)]
    pub kernel: Option<PathBuf>,
    /// Build the hypervisor without optimisation
    #[arg(long)]
    pub debug: bool,
    /// Print QEMU's command line before starting it
    #[arg(long)]
    pub verbose: bool,
    /// Arguments for QEMU, separated by spaces
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub qemu: String,
}

/// Which hypervisor dom0 runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Host {
    /// Ours.
    Xenios,
    /// The real Xen 4.20.
    Xen,
    /// None at all.
    Bare,
}

/// The hypervisor's command line for a machine with `mem` MiB: a small machine's dom0 has all
/// the memory, a large one's a part.
pub fn hypervisor_words(mem: u32) -> String {
    let words = "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all noreboot";
    match mem {
        ..=1024 => words.to_owned(),
        1025..=4096 => format!("{words} dom0_mem=1G,max:1G"),
        _ => format!("{words} dom0_mem=4G,max:4G"),
    }
}

/// dom0's command line in `mode`; `console` is the kernel's name for it.
pub fn dom0_words(mode: &str, console: &str) -> String {
    format!(
        "root=/dev/sda rw console={console} panic=1 {}",
        overlay::words(mode)
    )
}

/// The hypervisor's image on `host`.
pub fn hypervisor(host: Host, dom0: &Dom0) -> PathBuf {
    match host {
        Host::Xen => dom0.xen(),
        Host::Xenios | Host::Bare => paths::image(),
    }
}

/// Sets up, builds and boots; an error says why the demonstration failed.
pub fn run(args: &Args) -> Result<()> {
    setup::ensure(&[Need::Qemu])?;
    let dom0 = dom0::ensure()?;
    let host = if args.xen { Host::Xen } else { Host::Xenios };
    if host == Host::Xenios && args.hypervisor.is_none() {
        build::image(args.debug)?;
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mode = args
        .mode
        .as_deref()
        .unwrap_or(match (terminal, steps::GUESTS || args.xen) {
            (true, _) => "shell",
            (false, true) => "demo-guest",
            (false, false) => "demo",
        });
    let image = args
        .hypervisor
        .clone()
        .unwrap_or_else(|| hypervisor(host, &dom0));
    let kernel = args.kernel.clone().unwrap_or_else(|| dom0.kernel());
    let machine = Machine {
        smp: args.smp,
        mem: args.mem,
        disk: Some(dom0.disk()),
        nic: args.nic,
        extra: args.qemu.split_whitespace().map(str::to_owned).collect(),
        ..Machine::new(Boot::Multiboot {
            image,
            cmdline: format!("{} {}", hypervisor_words(args.mem), args.append)
                .trim()
                .to_owned(),
            modules: vec![
                (
                    kernel,
                    format!("{} {}", dom0_words(mode, "hvc0"), args.dom0_append)
                        .trim()
                        .to_owned(),
                ),
                (overlay::initrd(&dom0, &[])?, String::new()),
            ],
        })
    };
    if args.verbose {
        eprintln!("xtask: {}", proc::line(&machine.command()));
    }
    if mode == "shell" {
        eprintln!("xtask: booting; `poweroff` in dom0 ends, Ctrl-] x stops QEMU");
        let status = machine.command().status().context("cannot start QEMU")?;
        anyhow::ensure!(status.success(), "QEMU: {status}");
        return Ok(());
    }
    let log = paths::logs()?.join("run.log");
    let run = qemu::watch(&machine, Duration::from_secs(args.timeout), &log, true)?;
    verdict(&run).with_context(|| format!("the console is in {}", log.display()))?;
    eprintln!("xtask: dom0 passed its demonstration and powered off");
    Ok(())
}

/// Makes the CD that boots dom0 from a disk with the dom0 image to a shell.
pub fn iso(xen: bool) -> Result<PathBuf> {
    let dom0 = dom0::ensure()?;
    let (host, name) = if xen {
        (Host::Xen, "xen")
    } else {
        (Host::Xenios, "xenios")
    };
    if host == Host::Xenios {
        build::image(false)?;
    }
    let contents = Contents {
        hypervisor: (&hypervisor(host, &dom0), &hypervisor_words(3072)),
        kernel: (&dom0.kernel(), &dom0_words("shell", "hvc0")),
        initrd: &overlay::initrd(&dom0, &[])?,
    };
    iso::make(name, &contents)
}

/// What `init.sh` prints at the end.
const MARKER: &str = "XENIOS-DEMO: ";

/// Whether dom0 said PASS and powered off; the reason otherwise.
pub fn verdict(run: &Run) -> Result<()> {
    let said = run
        .lines
        .iter()
        .find_map(|line| line.split_once(MARKER).map(|(_, said)| said.trim()));
    let last = run.lines.iter().rev().find(|line| !line.trim().is_empty());
    let last = last.map_or("(nothing)", |line| line.as_str());
    match (&run.end, said) {
        (End::Exited, Some("PASS")) => Ok(()),
        (End::Crashed(line), _) => bail!("crashed: {line}"),
        (End::Failed(why), _) => bail!("{why}: {last}"),
        (_, Some(said)) if said != "PASS" => bail!("dom0 says: {said}"),
        (End::TimedOut | End::Stopped, Some(_)) => {
            bail!("dom0 passed but did not power off in time; last line: {last}")
        }
        (End::TimedOut | End::Stopped, None) => bail!("no result in time; last line: {last}"),
        (End::Exited, _) => {
            bail!("the machine went off or was reset before dom0 gave a result; last line: {last}")
        }
    }
}
