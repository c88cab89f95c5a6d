//! The hypervisor's command line, in Xen's syntax.
//!
//! Owns no state: text in, [`Options`] and [`Warning`]s out. Invariant: every word of the line
//! either changes an option or gives a warning that names it; nothing is passed over in silence
//! but GRUB's `placeholder`.

mod console;
mod cpu;
mod dom0;
mod reboot;
mod table;
mod value;
mod warning;
mod xsm;

#[cfg(test)]
mod tests;

pub use console::{Consoles, Level, LogLimits, Parity, Serial, Switch};
pub use cpu::{SpecCtrl, Thunk, Xpti};
pub use dom0::{Amount, Dom0Mem, Dom0Mode, VcpuRange};
pub use reboot::{Method, Reboot};
pub use table::{STATUS, Status};
pub use warning::Warning;

use alloc::string::String;
use alloc::vec::Vec;
use value::Value;

/// What the command line asks for; [`Options::default`] is an empty line's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The line as it was given, for `XENVER_commandline`.
    pub line: String,
    /// What follows ` -- `: to be appended to dom0's own command line.
    pub dom0_extra: String,
    /// `dom0_mem`.
    pub dom0_mem: Dom0Mem,
    /// `dom0_max_vcpus`.
    pub dom0_max_vcpus: VcpuRange,
    /// `dom0_vcpus_pin`: each of dom0's vCPUs keeps to one CPU.
    pub dom0_vcpus_pin: bool,
    /// `dom0`: kind of dom0.
    pub dom0_mode: Dom0Mode,
    /// `dom0=verbose`: tell more while building dom0.
    pub dom0_verbose: bool,
    /// `xsm`: who may deal with whom.
    pub xsm: crate::xsm::Policy,
    /// `console`.
    pub console: Consoles,
    /// `com1`; `None` leaves the port as the firmware set it, at its usual address.
    pub com1: Option<Serial>,
    /// `com2`, in the same way.
    pub com2: Option<Serial>,
    /// `loglvl`: limits for the hypervisor's own messages.
    pub loglvl: LogLimits,
    /// `guest_loglvl`: limits for messages about guests.
    pub guest_loglvl: LogLimits,
    /// `sync_console`: wait until each message has left the serial port.
    pub sync_console: bool,
    /// `console_to_ring`: dom0's console output goes into the ring too.
    pub console_to_ring: bool,
    /// `conring_size`, in bytes; 0 for the default.
    pub conring_size: u64,
    /// `conswitch`.
    pub conswitch: Switch,
    /// `noreboot`: stop instead of rebooting after a crash.
    pub noreboot: bool,
    /// `reboot`.
    pub reboot: Reboot,
    /// `maxcpus`, at least 1; also 1 for `nosmp`. `None` starts all.
    pub maxcpus: Option<u32>,
    /// `mem`: use only memory below this address, in bytes.
    pub mem: Option<u64>,
    /// `xpti`.
    pub xpti: Xpti,
    /// `spec-ctrl`.
    pub spec_ctrl: SpecCtrl,
    /// `smep`.
    pub smep: bool,
    /// `smap`.
    pub smap: bool,
    /// `x2apic`: use it where the CPU has it.
    pub x2apic: bool,
    /// `cpuinfo`: tell more about each CPU.
    pub cpuinfo: bool,
    /// `apic_verbosity`: 0 quiet, 1 verbose, 2 debug.
    pub apic_verbosity: u8,
    /// `clocksource`: the reference clock's name, lower case.
    pub clocksource: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            line: String::new(),
            dom0_extra: String::new(),
            dom0_mem: Dom0Mem::default(),
            dom0_max_vcpus: VcpuRange::default(),
            dom0_vcpus_pin: false,
            dom0_mode: Dom0Mode::Pv,
            dom0_verbose: false,
            xsm: Default::default(),
            console: Consoles::default(),
            com1: None,
            com2: None,
            loglvl: LogLimits {
                always: Level::Warning,
                limited: Level::Warning,
            },
            guest_loglvl: LogLimits {
                always: Level::None,
                limited: Level::Warning,
            },
            sync_console: false,
            console_to_ring: false,
            conring_size: 0,
            conswitch: Switch::default(),
            noreboot: false,
            reboot: Reboot::default(),
            maxcpus: None,
            mem: None,
            xpti: Xpti::default(),
            spec_ctrl: SpecCtrl::default(),
            smep: true,
            smap: true,
            x2apic: true,
            cpuinfo: false,
            apic_verbosity: 0,
            clocksource: None,
        }
    }
}

/// Parses a command line that no longer has the image's name in front
/// (see [`without_image_name`]). When an option is given twice, the later one counts.
#[must_use]
pub fn parse(line: &str) -> (Options, Vec<Warning>) {
    let mut options = Options {
        line: line.into(),
        ..Options::default()
    };
    let mut warnings = Vec::new();
    let own = match line.split_once(" -- ") {
        Some((own, extra)) => {
            options.dom0_extra = extra.trim().into();
            own
        }
        None => line,
    };
    for word in own.split_ascii_whitespace() {
        if let Err(warning) = option(&mut options, word) {
            warnings.push(warning);
        }
    }
    (options, warnings)
}

/// Applies one word: `name`, `no-name` or `name=value`.
fn option(options: &mut Options, word: &str) -> Result<(), Warning> {
    let (name, text) = match word.split_once('=') {
        Some((name, text)) => (name, Some(text)),
        None => (word, None),
    };
    // A name may itself begin with "no-", so the whole is looked up first.
    let (row, negated) = match table::find(name) {
        Some(row) => (row, false),
        None => match name.strip_prefix("no-").and_then(table::find) {
            Some(row) => (row, true),
            None => return Err(Warning::Unknown { name: name.into() }),
        },
    };
    match *row {
        Status::Implemented(apply) => {
            apply
                .call(options, Value { text, negated })
                .map_err(|why| Warning::Invalid {
                    name: name.into(),
                    value: text.unwrap_or("").into(),
                    why,
                })
        }
        Status::Ignored(why) => Err(Warning::Ignored {
            name: name.into(),
            why,
        }),
        Status::Silent => Ok(()),
    }
}

/// `line` without its first word when the boot loader puts the image's name there, which all do
/// but GRUB 2. `loader` is the boot loader's name from the Multiboot information.
#[must_use]
pub fn without_image_name<'a>(line: &'a str, loader: &str) -> &'a str {
    let line = line.trim_ascii();
    if loader.starts_with("GRUB 2") {
        return line;
    }
    line.split_once(|c: char| c.is_ascii_whitespace())
        .map_or("", |(_, rest)| rest.trim_ascii())
}
