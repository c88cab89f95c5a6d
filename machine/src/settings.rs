//! What the command line asks of the boot code and of the devices that it drives: plain data,
//! made by the policy before there is a heap.

use arrayvec::ArrayVec;

/// Most ranges of bad frames taken.
pub const MAX_BAD: usize = 16;

/// How a serial port is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialConfig {
    /// First I/O port.
    pub port: u16,
    /// Bits a second; 0 keeps what the firmware set.
    pub baud: u32,
    /// Bits a second with a divisor of 1.
    pub base_baud: u32,
    /// Line control register: word length, parity, stop bits.
    pub line: u8,
    /// ISA interrupt; 0 for polling.
    pub irq: u8,
}

impl SerialConfig {
    /// COM1 at 115200 8n1.
    pub const COM1: SerialConfig = SerialConfig {
        port: 0x3f8,
        baud: 115_200,
        base_baud: 115_200,
        line: 3,
        irq: 4,
    };
    /// COM2 likewise.
    pub const COM2: SerialConfig = SerialConfig {
        port: 0x2f8,
        irq: 3,
        ..SerialConfig::COM1
    };
}

/// A clock of known frequency, to measure the time stamp counter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceClock {
    /// The high precision event timer.
    Hpet,
    /// ACPI's power management timer.
    Acpi,
    /// Channel 2 of the interval timer.
    Pit,
}

/// A way to reset the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetMethod {
    /// ACPI's reset register.
    Acpi,
    /// The keyboard controller.
    Keyboard,
    /// Port 0xCF9.
    Pci,
    /// Port 0xCF9 with a power cycle.
    Power,
    /// A triple fault.
    Triple,
}

/// How the machine is reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reset {
    /// What is tried first; then, and without it, all ways there are.
    pub first: Option<ResetMethod>,
    /// The firmware shall leave out its memory test.
    pub warm: bool,
}

/// What the command line asks of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The console's serial port; `None` for no console.
    pub serial: Option<SerialConfig>,
    /// Most CPUs to start.
    pub max_cpus: u32,
    /// RAM from this machine address up is left alone.
    pub ram_end: u64,
    /// Most bytes of RAM to use: those at the highest addresses are left alone.
    pub ram_bytes: u64,
    /// Ranges of frames that are not to be used: first and last.
    pub bad_frames: ArrayVec<(u64, u64), MAX_BAD>,
    /// Use supervisor mode execution prevention where there is any.
    pub smep: bool,
    /// Use supervisor mode access prevention where there is any.
    pub smap: bool,
    /// x2APIC where it can be chosen; `None` leaves it to the machine.
    pub x2apic: Option<bool>,
    /// Let the APIC's timer take TSC deadlines where it can.
    pub tsc_deadline: bool,
    /// The clock to measure the time stamp counter by; `None` for the best.
    pub reference: Option<ReferenceClock>,
    /// How the machine is reset.
    pub reset: Reset,
    /// A failure of the hypervisor itself resets the machine, after a while.
    pub reset_after_crash: bool,
}

impl Settings {
    /// An empty command line's.
    pub const fn new() -> Settings {
        Settings {
            serial: Some(SerialConfig::COM1),
            max_cpus: u32::MAX,
            ram_end: u64::MAX,
            ram_bytes: u64::MAX,
            bad_frames: ArrayVec::new_const(),
            smep: true,
            smap: true,
            x2apic: None,
            tsc_deadline: true,
            reference: None,
            reset: Reset {
                first: None,
                warm: false,
            },
            reset_after_crash: true,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings::new()
    }
}
