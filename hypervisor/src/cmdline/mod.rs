//! The hypervisor's command line, in Xen's syntax.
//!
//! Owns no state: text in, [`Options`] and [`Warning`]s out. Invariant: every word of the line
//! either changes an option or gives a warning that names it; nothing is passed over in silence
//! but GRUB's `placeholder`.

mod console;
mod cpu;
mod dom0;
mod machine_options;
mod reboot;
mod sched;
mod serial;
mod table;
mod value;
mod warning;
mod xsm;

#[cfg(test)]
mod tests;

pub use console::{Level, LogLimits, Port, Stamp, Switch, log_limits, stamp};
pub use cpu::{SpecCtrl, Thunk, Xpti};
pub use dom0::{Amount, Dom0Mem, Dom0Mode, VcpuRange};
pub use machine_options::machine_settings;
pub use table::{STATUS, Status};
pub use warning::Warning;

use alloc::string::String;
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use machine::settings::{MAX_BAD, ReferenceClock, Reset, SerialConfig};
use value::Value;
use warning::Complaint;

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
    /// `sched`: the policy of pool 0.
    pub sched: crate::sched::Kind,
    /// `sched_ratelimit_us`: what begins to run goes on for so long at least; 0 for no limit.
    pub sched_ratelimit_us: u32,
    /// `dom0=pv` or `dom0=pvh`: the kind of dom0.
    pub dom0_mode: Dom0Mode,
    /// `dom0=verbose`: tell more while building dom0.
    pub dom0_verbose: bool,
    /// `xsm`: who may deal with whom.
    pub xsm: crate::xsm::Policy,
    /// `dom0_ioports_disable`: ports that dom0 may not use, first and last.
    pub dom0_ioports_disable: ArrayVec<(u16, u16), 16>,
    /// `pv-linear-pt`: page tables of PV guests may name tables of their own level.
    pub linear_tables: bool,
    /// `console`: the port that it is at, if there is one.
    pub console: Option<Port>,
    /// `com1`.
    pub com1: SerialConfig,
    /// `com2`.
    pub com2: SerialConfig,
    /// `console_timestamps`.
    pub stamp: Stamp,
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
    pub reset: Reset,
    /// `maxcpus`, at least 1; also 1 for `nosmp`. `None` starts all.
    pub maxcpus: Option<u32>,
    /// `mem`: use only memory below this address, in bytes.
    pub mem: Option<u64>,
    /// `availmem`: use so many bytes of memory at most.
    pub availmem: Option<u64>,
    /// `badpage`: frames not to be used, first and last.
    pub badpage: ArrayVec<(u64, u64), MAX_BAD>,
    /// `xpti`.
    pub xpti: Xpti,
    /// `spec-ctrl`.
    pub spec_ctrl: SpecCtrl,
    /// `smep`.
    pub smep: bool,
    /// `smap`.
    pub smap: bool,
    /// `x2apic`: whether to use it where there is a choice.
    pub x2apic: Option<bool>,
    /// `tdt`: the APIC's timer may take TSC deadlines.
    pub tdt: bool,
    /// `cpuinfo`: tell more about each CPU.
    pub cpuinfo: bool,
    /// `clocksource`: the clock to measure the TSC by.
    pub clocksource: Option<ReferenceClock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            line: String::new(),
            dom0_extra: String::new(),
            dom0_mem: Dom0Mem::default(),
            dom0_max_vcpus: VcpuRange::default(),
            dom0_vcpus_pin: false,
            sched: crate::sched::Kind::default(),
            sched_ratelimit_us: crate::sched::DEFAULT_RATE_LIMIT_US,
            dom0_mode: Dom0Mode::Pv,
            dom0_verbose: false,
            xsm: Default::default(),
            dom0_ioports_disable: ArrayVec::new(),
            linear_tables: true,
            console: Some(Port::Com1),
            com1: SerialConfig::COM1,
            com2: SerialConfig::COM2,
            stamp: Stamp::None,
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
            reset: Reset::default(),
            maxcpus: None,
            mem: None,
            availmem: None,
            badpage: ArrayVec::new(),
            xpti: Xpti::default(),
            spec_ctrl: SpecCtrl::default(),
            smep: true,
            smap: true,
            x2apic: None,
            tdt: true,
            cpuinfo: false,
            clocksource: None,
        }
    }
}

/// Parses a command line that no longer has the image's name in front
/// (see [`without_image_name`]). When an option is given twice, the later one counts.
#[must_use]
pub fn parse(line: &str) -> (Options, Vec<Warning>) {
    let mut warnings = Vec::new();
    let mut options = read(line, |complaint| warnings.push(Warning::from(complaint)));
    options.line = line.into();
    if let Some((_, extra)) = line.split_once(" -- ") {
        options.dom0_extra = extra.trim().into();
    }
    (options, warnings)
}

/// Parses what stands before ` -- `, without allocating.
fn read<'a>(line: &'a str, mut complain: impl FnMut(Complaint<'a>)) -> Options {
    let mut options = Options::default();
    let own = line.split_once(" -- ").map_or(line, |(own, _)| own);
    for word in own.split_ascii_whitespace() {
        if let Err(complaint) = option(&mut options, word) {
            complain(complaint);
        }
    }
    options
}

/// Applies one word: `name`, `no-name` or `name=value`.
fn option<'a>(options: &mut Options, word: &'a str) -> Result<(), Complaint<'a>> {
    let (name, text) = match word.split_once('=') {
        Some((name, text)) => (name, Some(text)),
        None => (word, None),
    };
    // A name may itself begin with "no-", so the whole is looked up first.
    let (row, negated) = match table::find(name) {
        Some(row) => (row, false),
        None => match name.strip_prefix("no-").and_then(table::find) {
            Some(row) => (row, true),
            None => return Err(Complaint::Unknown { name }),
        },
    };
    match *row {
        Status::Implemented(apply) => {
            apply
                .call(options, Value { text, negated })
                .map_err(|why| Complaint::Invalid {
                    name,
                    value: text.unwrap_or(""),
                    why,
                })
        }
        Status::Ignored(why) => Err(Complaint::Ignored { name, why }),
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
