//! One dom0 boot as a test makes it: a machine, a hypervisor, a mode, and what is expected.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::dom0::Dom0;
use crate::iso::{self, Contents};
use crate::qemu::{self, Boot, Machine, Nic, Run};
use crate::run::{self, Host};
use crate::{overlay, paths, setup};

/// How the hypervisor is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loader {
    /// QEMU's `-kernel`: Multiboot 1.
    Multiboot,
    /// GRUB from a CD on a BIOS: Multiboot 2.
    Bios,
    /// GRUB from a CD on UEFI: Multiboot 2.
    Uefi,
}

/// A dom0 boot.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// CPUs, all of which dom0 must show.
    pub smp: u32,
    /// RAM, MiB.
    pub mem: u32,
    /// The loader.
    pub loader: Loader,
    /// The network card.
    pub nic: Nic,
    /// Arguments for QEMU, separated by spaces.
    pub qemu: &'static str,
    /// Words for dom0's command line besides the usual ones.
    pub dom0_words: &'static str,
    /// Words for the hypervisor's command line besides the usual ones, which they override.
    pub words: &'static str,
    /// What a line of the console must have each.
    pub said: &'static [&'static str],
    /// What dom0 does.
    pub mode: &'static str,
    /// How long it may take.
    pub limit: Duration,
}

impl Trial {
    /// Two CPUs and 3 GiB by Multiboot 1, the whole demonstration.
    pub const USUAL: Self = Self {
        smp: 2,
        mem: 3072,
        loader: Loader::Multiboot,
        nic: Nic::E1000e,
        qemu: "",
        dom0_words: "",
        words: "",
        said: &[],
        mode: "demo",
        limit: Duration::from_secs(300),
    };

    /// Options that change how the machine is driven, and what shows that they did.
    pub const OPTIONS: Self = Self {
        words: "com1=115200/115200,8n1,0x3f8,0 console_timestamps=boot mem=2G availmem=1800M \
                badpage=0x12345,0x20000-0x20010 no-smep smap=0 x2apic=no tdt=0 clocksource=pit \
                cpuinfo dom0=verbose,shadow reboot=kbd conring_size=64k edd=off",
        said: &[
            "RAM: 1800 MiB",
            "MHz by PIT",
            "APIC: xAPIC, timer",
            "SMEP false SMAP false",
            "CPU 1: AuthenticAMD",
            "Dom0's memory:",
            "\"dom0\" has invalid value \"verbose,shadow\"",
            "\"edd\" has no effect",
            "] Domain 0 shutdown: rebooting machine",
        ],
        mode: "reboot",
        ..Self::USUAL
    };

    /// A PVH dom0, whose devices interrupt it by messages. `pt=off`: QEMU's IOMMU translates
    /// nothing otherwise; the real Xen 4.20 stops on it without remapping of interrupts, and does
    /// not get the disk's with it.
    pub const PVH: Self = Self {
        qemu: "-device amd-iommu,intremap=off,pt=off",
        words: "dom0=pvh",
        said: &[
            "dom0's devices are behind the IOMMU",
            "Booting kernel on Xen PVH",
            "-edge      ahci[",
            "-edge      enp0s2",
        ],
        ..Self::USUAL
    };

    /// The same, whose devices interrupt it by the I/O APIC.
    pub const PVH_LINES: Self = Self {
        dom0_words: "pci=nomsi",
        said: &[
            "Booting kernel on Xen PVH",
            "-fasteoi   ahci[",
            "-fasteoi   enp0s2",
        ],
        ..Self::PVH
    };

    /// Boots it on `host`; the console goes to the log called `name`.
    pub fn watch(&self, name: &str, host: Host, dom0: &Dom0) -> Result<Run> {
        let image = run::hypervisor(host, dom0);
        ensure!(
            image.exists(),
            "{} is missing: `cargo xtask build` makes it",
            image.display()
        );
        let machine = Machine {
            smp: self.smp,
            mem: self.mem,
            disk: Some(dom0.disk()),
            nic: self.nic,
            extra: self.qemu.split_whitespace().map(str::to_owned).collect(),
            ..Machine::new(self.boot(name, image, dom0)?)
        };
        let log = paths::logs()?.join(format!("{name}.log"));
        qemu::watch(&machine, self.limit, &log, false)
    }

    /// Boots it and judges it. Returns a short remark.
    pub fn go(&self, name: &str, host: Host, dom0: &Dom0) -> Result<String> {
        let run = self.watch(name, host, dom0)?;
        run::verdict(&run)?;
        let cpus = format!("demo: cpus: {}", self.smp);
        let said = run.lines.iter().find(|line| line.contains("demo: cpus:"));
        ensure!(
            said.is_some_and(|line| line.trim_end().ends_with(&cpus)),
            "dom0 has not {} CPUs but says {said:?}",
            self.smp
        );
        let warnings = run
            .lines
            .iter()
            .filter(|line| line.contains("WARNING: CPU"))
            .count();
        ensure!(
            warnings == 0,
            "Linux printed {warnings} warnings with a backtrace"
        );
        if self.mode == "reboot" {
            ensure!(
                run.has("shutdown: rebooting machine"),
                "the hypervisor was not asked to reboot"
            );
        }
        for text in self.said {
            ensure!(run.has(text), "no line has {text:?}");
        }
        Ok(format!("{} CPUs, {} MiB", self.smp, self.mem))
    }

    fn boot(&self, name: &str, image: PathBuf, dom0: &Dom0) -> Result<Boot> {
        let cmdline = format!("{} {}", run::hypervisor_words(self.mem), self.words);
        let cmdline = cmdline.trim().to_owned();
        let words = format!("{} {}", run::dom0_words(self.mode, "hvc0"), self.dom0_words);
        let words = words.trim().to_owned();
        let initrd = overlay::initrd(dom0, &[])?;
        if self.loader == Loader::Multiboot {
            let modules = vec![(dom0.kernel(), words), (initrd, String::new())];
            return Ok(Boot::Multiboot {
                image,
                cmdline,
                modules,
            });
        }
        let contents = Contents {
            hypervisor: (&image, &cmdline),
            kernel: (&dom0.kernel(), &words),
            initrd: &initrd,
        };
        let iso = iso::make(name, &contents)?;
        let uefi = if self.loader == Loader::Uefi {
            Some(setup::ovmf().ok_or_else(|| anyhow::anyhow!("no OVMF: `cargo xtask setup`"))?)
        } else {
            None
        };
        Ok(Boot::Iso { iso, uefi })
    }
}
