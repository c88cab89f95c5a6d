//! The table of test steps.
//!
//! A step that is not `ready` waits for a part of the hypervisor: it is listed, never run unless
//! asked for by name, and never counted as passed.

use std::time::Duration;

use crate::boots::{self, Loader};
use crate::guest;
use crate::qemu::{INTEL, Nic};
use crate::scenarios::Group;

/// What a step does.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `cargo fmt --check`.
    Format,
    /// The house rules.
    House,
    /// clippy.
    Lint,
    /// Host tests.
    Tests,
    /// A short simulation.
    Simulation,
    /// The bare-metal image.
    Image,
    /// The guest kernels.
    Guests,
    /// A guest kernel as dom0.
    Guest(&'static str, guest::Trial),
    /// What calls answer, beside the real Xen.
    Survey(guest::Trial),
    /// The ways in which a guest kernel can die.
    Crashes,
    /// Debian as dom0.
    Dom0(boots::Trial),
    /// Guests that Debian's tools make in dom0: when named, or under `--full`.
    XlFull(Group),
}

/// A named step.
pub struct Step {
    /// Its name: what a filter matches, and its log's.
    pub name: &'static str,
    /// Whether it is expected to pass on Xenios.
    pub ready: bool,
    /// What it does.
    pub kind: Kind,
}

const fn step(name: &'static str, ready: bool, kind: Kind) -> Step {
    Step { name, ready, kind }
}

const fn group(name: &'static str, limit_s: u64, full_limit_s: u64) -> Group {
    Group {
        name,
        limit_s,
        full_limit_s,
    }
}

/// Whether Xenios can create guests: what decides it for the steps below and for the
/// demonstration that `cargo xtask run` gives without a terminal.
pub const GUESTS: bool = true;

const USUAL: boots::Trial = boots::Trial::USUAL;

/// All steps, in the order in which they run.
pub const STEPS: &[Step] = &[
    step("host-fmt", true, Kind::Format),
    step("host-house-rules", true, Kind::House),
    step("host-clippy", true, Kind::Lint),
    step("host-tests", true, Kind::Tests),
    step("host-sim", true, Kind::Simulation),
    step("build-image", true, Kind::Image),
    step("build-guests", true, Kind::Guests),
    step(
        "guest-pv-basic",
        true,
        Kind::Guest("pv-basic", guest::Trial::TWO),
    ),
    step(
        "guest-pv-basic-intel",
        true,
        Kind::Guest(
            "pv-basic",
            guest::Trial {
                cpu: INTEL,
                ..guest::Trial::TWO
            },
        ),
    ),
    step(
        "guest-pv-hostile",
        true,
        Kind::Guest("pv-hostile", guest::Trial::TWO),
    ),
    step(
        "guest-pv-smp",
        true,
        Kind::Guest("pv-smp", guest::Trial::TWO),
    ),
    step(
        "guest-8-cpus",
        true,
        Kind::Guest(
            "pv-smp",
            guest::Trial {
                smp: 8,
                ..guest::Trial::ONE
            },
        ),
    ),
    step(
        "guest-16-gib",
        true,
        Kind::Guest(
            "pv-smp",
            guest::Trial {
                mem: 16384,
                ..guest::Trial::TWO
            },
        ),
    ),
    step("guest-pv-survey", true, Kind::Survey(guest::Trial::TWO)),
    step("guest-pv-crash", true, Kind::Crashes),
    step(
        "guest-pvh-basic",
        true,
        Kind::Guest(
            "pvh-basic",
            guest::Trial {
                pvh: true,
                ..guest::Trial::TWO
            },
        ),
    ),
    step(
        "guest-pvh-32",
        true,
        Kind::Guest(
            "pvh-32",
            guest::Trial {
                pvh: true,
                ..guest::Trial::TWO
            },
        ),
    ),
    step(
        "guest-pvh-bench",
        true,
        Kind::Guest(
            "pvh-bench",
            guest::Trial {
                pvh: true,
                icount: true,
                ..guest::Trial::ONE
            },
        ),
    ),
    step(
        "dom0-1-cpu",
        true,
        Kind::Dom0(boots::Trial { smp: 1, ..USUAL }),
    ),
    step("dom0-2-cpus", true, Kind::Dom0(USUAL)),
    step(
        "dom0-4-cpus",
        true,
        Kind::Dom0(boots::Trial { smp: 4, ..USUAL }),
    ),
    step(
        "dom0-512-mib",
        true,
        Kind::Dom0(boots::Trial { mem: 512, ..USUAL }),
    ),
    step(
        "dom0-8-gib",
        true,
        Kind::Dom0(boots::Trial { mem: 8192, ..USUAL }),
    ),
    step(
        "dom0-virtio-net",
        true,
        Kind::Dom0(boots::Trial {
            nic: Nic::Virtio,
            ..USUAL
        }),
    ),
    step(
        "dom0-reboot",
        true,
        Kind::Dom0(boots::Trial {
            mode: "reboot",
            ..USUAL
        }),
    ),
    step("dom0-pvh", true, Kind::Dom0(boots::Trial::PVH)),
    step("dom0-pvh-lines", true, Kind::Dom0(boots::Trial::PVH_LINES)),
    step("dom0-options", true, Kind::Dom0(boots::Trial::OPTIONS)),
    step(
        "dom0-grub-bios",
        true,
        Kind::Dom0(boots::Trial {
            loader: Loader::Bios,
            ..USUAL
        }),
    ),
    step(
        "dom0-grub-uefi",
        true,
        Kind::Dom0(boots::Trial {
            loader: Loader::Uefi,
            limit: Duration::from_secs(360),
            ..USUAL
        }),
    ),
    step(
        "dom0-guest",
        GUESTS,
        Kind::Dom0(boots::Trial {
            mode: "demo-guest",
            limit: Duration::from_secs(600),
            ..USUAL
        }),
    ),
    // Ten minutes and more: too long for each run.
    step("xl-life", GUESTS, Kind::XlFull(group("life", 1500, 1500))),
    step("xl-pvh", GUESTS, Kind::XlFull(group("pvh", 1500, 3600))),
    step(
        "xl-devices",
        GUESTS,
        Kind::XlFull(group("devices", 1200, 2400)),
    ),
    step(
        "xl-change",
        GUESTS,
        Kind::XlFull(group("change", 1200, 5400)),
    ),
    step(
        "xl-protect",
        GUESTS,
        Kind::XlFull(group("protect", 600, 600)),
    ),
    step("xl-cpu", GUESTS, Kind::XlFull(group("cpu", 600, 600))),
    step("xl-churn", GUESTS, Kind::XlFull(group("churn", 600, 3600))),
    step(
        "xl-kernels",
        GUESTS,
        Kind::XlFull(group("kernels", 1200, 1200)),
    ),
    step("xl-save", GUESTS, Kind::XlFull(group("save", 1500, 2400))),
    step("xl-many", GUESTS, Kind::XlFull(group("many", 3000, 3000))),
];
