//! What the firmware's tables say about the machine.
//!
//! Filled once by the boot code, read-only afterwards. Invariant: sizes are bounded whatever
//! the tables say; absent facts are `None` or empty.

pub mod acpi;
mod ivrs;

use arrayvec::ArrayVec;

/// Most processors taken from the tables.
pub const MAX_CPUS: usize = 256;

/// A processor as MADT lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuEntry {
    /// Local APIC id.
    pub apic_id: u32,
    /// ACPI processor id or UID.
    pub acpi_id: u32,
    /// Usable now; otherwise it may be hot-plugged if `online_capable`.
    pub enabled: bool,
    /// May be enabled later.
    pub online_capable: bool,
}

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApicEntry {
    /// Its id.
    pub id: u8,
    /// Machine address of its registers.
    pub addr: u64,
    /// First global system interrupt it serves.
    pub gsi_base: u32,
}

/// An ISA interrupt that is not at the global system interrupt of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// ISA interrupt.
    pub isa: u8,
    /// Global system interrupt.
    pub gsi: u32,
    /// Polarity (bits 0-1) and trigger (bits 2-3) as in MADT; 0 is as the bus says.
    pub flags: u16,
}

/// A register's place: ACPI's generic address, reduced to what is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// I/O port.
    Port(u16),
    /// Machine address.
    Memory(u64),
    /// Configuration space, bus 0: device, function, offset.
    Pci(u8, u8, u8),
}

/// Power management facts of FADT.
#[derive(Clone, Copy, Debug, Default)]
pub struct Power {
    /// Global system interrupt of power events.
    pub sci: u16,
    /// PM1a event block.
    pub pm1a_event: Option<Register>,
    /// PM1b event block.
    pub pm1b_event: Option<Register>,
    /// PM1a control.
    pub pm1a_control: Option<Register>,
    /// PM1b control.
    pub pm1b_control: Option<Register>,
    /// The 3.579545 MHz timer.
    pub pm_timer: Option<Register>,
    /// The timer has 32 bits rather than 24.
    pub pm_timer_32bit: bool,
    /// Where to write [`Power::reset_value`] to reset the machine.
    pub reset: Option<Register>,
    /// See [`Power::reset`].
    pub reset_value: u8,
    /// SLP_TYP values of S5 for PM1a and PM1b, when they could be read without AML.
    pub s5: Option<(u8, u8)>,
    /// Machine address of FACS.
    pub facs: u64,
    /// The port that switches ACPI mode on, and the value; 0 when it is always on.
    pub smi_command: u16,
    /// See [`Power::smi_command`].
    pub acpi_enable: u8,
    /// CMOS index of the century; 0 when there is none.
    pub century: u8,
    /// IA-PC boot architecture flags.
    pub boot_flags: u16,
}

impl Power {
    /// Nothing known.
    pub const fn new() -> Self {
        Power {
            sci: 0,
            pm1a_event: None,
            pm1b_event: None,
            pm1a_control: None,
            pm1b_control: None,
            pm_timer: None,
            pm_timer_32bit: false,
            reset: None,
            reset_value: 0,
            s5: None,
            facs: 0,
            smi_command: 0,
            acpi_enable: 0,
            century: 0,
            boot_flags: 0,
        }
    }
}

/// A PCI segment's memory-mapped configuration space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigSpace {
    /// Machine address of bus 0's first register, whatever `first_bus` is.
    pub addr: u64,
    /// PCI segment.
    pub segment: u16,
    /// First bus decoded.
    pub first_bus: u8,
    /// Last bus decoded.
    pub last_bus: u8,
}

/// An IOMMU of AMD's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IommuEntry {
    /// Machine address of its registers.
    pub addr: u64,
    /// PCI segment.
    pub segment: u16,
    /// Bus, device and function of its own configuration space.
    pub device: u16,
    /// How it is to be set up, as IVRS has it.
    pub flags: u8,
}

/// The machine.
#[derive(Clone, Debug, Default)]
pub struct Platform {
    /// Machine address of the root pointer used; 0 when there is none.
    pub rsdp: u64,
    /// Machine address of the local APICs' registers.
    pub local_apic: u64,
    /// There are 8259s to silence.
    pub has_8259: bool,
    /// Processors, the boot CPU wherever the firmware lists it.
    pub cpus: ArrayVec<CpuEntry, MAX_CPUS>,
    /// I/O APICs.
    pub io_apics: ArrayVec<IoApicEntry, 16>,
    /// ISA overrides.
    pub overrides: ArrayVec<Override, 16>,
    /// Global system interrupts that raise NMI, with their flags.
    pub nmi_sources: ArrayVec<(u32, u16), 8>,
    /// LINT pin that raises NMI, for all CPUs (the common case), and its flags.
    pub nmi_lint: Option<(u8, u16)>,
    /// From FADT.
    pub power: Power,
    /// Machine address of the HPET's registers.
    pub hpet: Option<u64>,
    /// From MCFG.
    pub config_spaces: ArrayVec<ConfigSpace, 8>,
    /// I/O memory management units, from IVRS.
    pub iommus: ArrayVec<IommuEntry, 16>,
    /// Memory that devices use behind the system's back and must go on reaching: first and last
    /// machine address, from IVRS.
    pub device_memory: ArrayVec<(u64, u64), 16>,
    /// Machine address and length of each table found, with its signature.
    pub tables: ArrayVec<([u8; 4], u64, u32), 64>,
}

impl Platform {
    /// Nothing known.
    pub const fn new() -> Self {
        Platform {
            rsdp: 0,
            local_apic: 0,
            has_8259: false,
            cpus: ArrayVec::new_const(),
            io_apics: ArrayVec::new_const(),
            overrides: ArrayVec::new_const(),
            nmi_sources: ArrayVec::new_const(),
            nmi_lint: None,
            power: Power::new(),
            hpet: None,
            config_spaces: ArrayVec::new_const(),
            iommus: ArrayVec::new_const(),
            device_memory: ArrayVec::new_const(),
            tables: ArrayVec::new_const(),
        }
    }

    /// The global system interrupt of an ISA interrupt, and its MADT flags.
    pub fn isa_gsi(&self, isa: u8) -> (u32, u16) {
        let over = self.overrides.iter().find(|o| o.isa == isa);
        over.map_or((u32::from(isa), 0), |o| (o.gsi, o.flags))
    }
}
