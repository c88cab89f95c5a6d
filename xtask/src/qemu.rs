//! The emulated machine, and what became of a run of it.
//!
//! Invariant: QEMU never outlives `watch`: it ends by itself, or is killed at the deadline or
//! soon after a crash was printed.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::emulator::{self, QEMU};
use crate::{paths, proc};

/// What is started.
pub enum Boot {
    /// Multiboot 1 by QEMU's own loader: a hypervisor and its modules, each with a command line.
    Multiboot {
        /// The hypervisor's ELF image.
        image: PathBuf,
        /// Its command line.
        cmdline: String,
        /// Kernel and initrd, with their command lines.
        modules: Vec<(PathBuf, String)>,
    },
    /// A Linux kernel without any hypervisor.
    Linux {
        /// The bzImage.
        kernel: PathBuf,
        /// Its command line.
        cmdline: String,
        /// Its initrd.
        initrd: PathBuf,
    },
    /// A CD, with the UEFI firmware's code and variables, or the BIOS.
    Iso {
        /// The ISO image.
        iso: PathBuf,
        /// Firmware to boot with; the BIOS when `None`.
        uefi: Option<(PathBuf, PathBuf)>,
    },
}

/// A network card's model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Nic {
    /// Intel 82574L: MSI-X, a real device's driver.
    E1000e,
    /// Virtio over PCI.
    Virtio,
    /// No card.
    None,
}

/// An emulated machine.
pub struct Machine {
    /// CPUs.
    pub smp: u32,
    /// RAM, MiB.
    pub mem: u32,
    /// A disk, opened as a snapshot.
    pub disk: Option<PathBuf>,
    /// The network card.
    pub nic: Nic,
    /// What is booted.
    pub boot: Boot,
    /// One instruction, one nanosecond: exact and repeatable counts, one CPU only.
    pub icount: bool,
    /// The CPU model and its flags.
    pub cpu: String,
    /// Further arguments, as they are.
    pub extra: Vec<String>,
    /// The text of the last line, where the guest cannot power the machine off.
    pub until: Option<&'static str>,
}

/// The CPU every test uses: all that TCG has, less what it gets wrong.
pub const CPU: &str = "max,+svm,+npt,-rdtscp";

/// The same as one of Intel's, as far as it matters: SYSENTER instead of 32-bit SYSCALL, and what
/// the hypervisor does about speculation.
pub const INTEL: &str = "max,-svm,-rdtscp,vendor=GenuineIntel";

impl Machine {
    /// A machine of the usual size with no devices.
    pub fn new(boot: Boot) -> Self {
        Self {
            smp: 2,
            mem: 3072,
            disk: None,
            nic: Nic::None,
            boot,
            icount: false,
            cpu: CPU.to_owned(),
            extra: Vec::new(),
            until: None,
        }
    }

    /// The command that runs it, its console on standard input and output.
    pub fn command(&self) -> Command {
        let mut qemu = emulator::command();
        if self.icount {
            qemu.args([
                "-accel",
                "tcg,thread=single",
                "-icount",
                "shift=0,sleep=off",
            ]);
            qemu.args(["-cpu", &format!("{},-x2apic", self.cpu), "-smp", "1"]);
        } else {
            qemu.args(["-accel", "tcg,thread=multi", "-cpu", &self.cpu]);
            qemu.args(["-smp", &self.smp.to_string()]);
        }
        qemu.args(["-machine", "q35", "-m", &format!("{}M", self.mem)]);
        // Ctrl-A belongs to the hypervisor; QEMU's own escape is Ctrl-].
        qemu.args(["-nographic", "-no-reboot", "-echr", "0x1d"]);
        match self.nic {
            Nic::None => qemu.args(["-net", "none"]),
            Nic::E1000e => qemu.args(["-netdev", "user,id=n0", "-device", "e1000e,netdev=n0"]),
            Nic::Virtio => qemu.args([
                "-netdev",
                "user,id=n0",
                "-device",
                "virtio-net-pci,netdev=n0",
            ]),
        };
        if let Some(disk) = &self.disk {
            qemu.arg("-drive").arg(joined(
                "if=none,id=d,format=raw,snapshot=on,file=",
                disk,
                "",
            ));
            qemu.args([
                "-device",
                "ahci,id=ahci",
                "-device",
                "ide-hd,drive=d,bus=ahci.0",
            ]);
        }
        self.boot.args(&mut qemu);
        qemu.args(&self.extra);
        qemu
    }
}

impl Boot {
    fn args(&self, qemu: &mut Command) {
        match self {
            Self::Multiboot {
                image,
                cmdline,
                modules,
            } => {
                qemu.arg("-kernel").arg(image).args(["-append", cmdline]);
                let mut list = OsString::new();
                for (file, words) in modules {
                    if !list.is_empty() {
                        list.push(",");
                    }
                    list.push(file);
                    if !words.is_empty() {
                        list.push(" ");
                        // QEMU separates modules by commas; a doubled one stands for itself.
                        list.push(words.replace(',', ",,"));
                    }
                }
                qemu.arg("-initrd").arg(list);
            }
            Self::Linux {
                kernel,
                cmdline,
                initrd,
            } => {
                qemu.arg("-kernel").arg(kernel).args(["-append", cmdline]);
                qemu.arg("-initrd").arg(initrd);
            }
            Self::Iso { iso, uefi } => {
                if let Some((code, vars)) = uefi {
                    qemu.arg("-drive").arg(joined(
                        "if=pflash,format=raw,readonly=on,file=",
                        code,
                        "",
                    ));
                    qemu.arg("-drive").arg(joined(
                        "if=pflash,format=raw,snapshot=on,file=",
                        vars,
                        "",
                    ));
                }
                qemu.arg("-drive").arg(joined(
                    "if=none,id=cd,media=cdrom,readonly=on,format=raw,file=",
                    iso,
                    "",
                ));
                qemu.args(["-device", "ide-cd,drive=cd,bus=ide.2,bootindex=0"]);
            }
        }
    }
}

fn joined(before: &str, path: &Path, after: &str) -> OsString {
    let mut text = OsString::from(before);
    text.push(path);
    text.push(after);
    text
}

/// How a watched run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// QEMU ended by itself: the guest powered off or reset.
    Exited,
    /// The last line that was waited for came, and QEMU was stopped.
    Stopped,
    /// The deadline passed.
    TimedOut,
    /// The console showed a crash: this line.
    Crashed(String),
    /// QEMU itself failed.
    Failed(String),
}

/// What a watched run printed, and how it ended.
pub struct Run {
    /// The console, line by line, without carriage returns.
    pub lines: Vec<String>,
    /// The end.
    pub end: End,
}

impl Run {
    /// Whether a line contains `text`.
    pub fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

/// How a hypervisor's own end looks on the console: the real Xen's and ours.
const FATAL: [&str; 2] = ["Panic on CPU", " failed on CPU "];

/// How a guest's end looks: as either hypervisor tells it, and as Linux does.
const CRASHES: [&str; 5] = [
    "Domain 0 crashed",
    "Dom0 crashed",
    "d0v0 crashed in ",
    "Kernel panic - not syncing",
    "GUEST-PANIC",
];

/// Whether `line` says that the hypervisor itself died.
pub fn is_fatal(line: &str) -> bool {
    FATAL.iter().any(|text| line.contains(text))
}

fn is_crash(line: &str) -> bool {
    is_fatal(line) || CRASHES.iter().any(|text| line.contains(text))
}

/// How long a machine may go on printing after a crash or its last line.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs `machine` to its end, at most `limit`; the console goes to `log` and, if `echo`, to
/// standard output as it comes.
pub fn watch(machine: &Machine, limit: Duration, log: &Path, echo: bool) -> Result<Run> {
    let command = machine.command();
    let mut log_file =
        File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    writeln!(log_file, "{}", proc::line(&command))?;
    let mut child = tied(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {QEMU}; `cargo xtask setup` installs it"))?;
    let (sender, receiver) = mpsc::channel();
    forward(child.stdout.take(), sender.clone());
    forward(child.stderr.take(), sender);

    let mut deadline = Instant::now() + limit;
    let mut lines = Vec::new();
    let mut crash = None;
    let mut stopped = false;
    let timed_out = loop {
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                writeln!(log_file, "{line}")?;
                if echo {
                    println!("{line}");
                }
                if is_crash(&line) && (crash.is_none() || is_fatal(&line)) {
                    crash = Some(line.clone());
                    deadline = deadline.min(Instant::now() + LAST_WORDS);
                }
                if !stopped && machine.until.is_some_and(|text| line.contains(text)) {
                    stopped = true;
                    deadline = deadline.min(Instant::now() + LAST_WORDS);
                }
                lines.push(line);
            }
            Err(RecvTimeoutError::Timeout) => break true,
            Err(RecvTimeoutError::Disconnected) => break false,
        }
    };
    let end = match finish(&mut child, timed_out, crash)? {
        End::TimedOut if stopped => End::Stopped,
        end => end,
    };
    Ok(Run { lines, end })
}

fn finish(child: &mut Child, timed_out: bool, crash: Option<String>) -> Result<End> {
    if timed_out {
        // It may have ended just now; then there is nothing to kill.
        let _ = child.kill();
    }
    let status = child.wait()?;
    Ok(match crash {
        Some(line) => End::Crashed(line),
        None if timed_out => End::TimedOut,
        None if status.success() => End::Exited,
        None => End::Failed(format!("{QEMU}: {status}")),
    })
}

/// The same command, killed when xtask is, where util-linux has `setpriv`.
fn tied(command: Command) -> Command {
    if paths::which(&["setpriv"]).is_none() {
        return command;
    }
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            tied.env(name, value);
        }
    }
    tied
}

/// Sends each line of `stream`, bytes that are no UTF-8 replaced.
fn forward<R: std::io::Read + Send + 'static>(stream: Option<R>, sender: mpsc::Sender<String>) {
    let Some(stream) = stream else { return };
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut raw = Vec::new();
        while reader
            .read_until(b'\n', &mut raw)
            .is_ok_and(|count| count > 0)
        {
            let text = String::from_utf8_lossy(&raw);
            if sender.send(text.trim_end().replace('\r', "")).is_err() {
                break;
            }
            raw.clear();
        }
    });
}
