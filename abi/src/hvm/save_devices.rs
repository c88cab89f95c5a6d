//! The records of an HVM guest's devices. `arch-x86/hvm/save.h`.

use crate::forms::{numbers, zeroed_default};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

numbers! {
    /// The length of an array in a record.
    usize;
    VIOAPIC_NUM_PINS = 48;
    RTC_CMOS_SIZE = 14;
    HPET_TIMER_NUM = 3;
    MTRR_VCNT = 8;
    NUM_FIXED_MSR = 11;
}

/// One of the two interrupt controllers (8259).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwVpic {
    pub irr: u8,
    pub imr: u8,
    pub isr: u8,
    pub irq_base: u8,
    /// Bits: `init_state` 0..4, `priority_add` 4..8.
    pub init_priority: u8,
    /// Bits: `readsel_isr` 0, `poll` 1, `auto_eoi` 2, `rotate_on_auto_eoi` 3, `special_fully_nested_mode` 4, `special_mask_mode` 5, `is_master` 6.
    pub modes: u8,
    pub elcr: u8,
    pub int_output: u8,
}

/// The `fields` arm of [`HvmHwVioapic`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwVioapicFields {
    pub vector: u8,
    /// Bits: `delivery_mode` 0..3, `dest_mode` 3, `delivery_status` 4, `polarity` 5, `remote_irr` 6, `trig_mode` 7.
    pub bits: u8,
    /// Bits: `mask` 0, `reserve` 1..8.
    pub bits1: u8,
    pub reserved: [u8; 4],
    pub dest_id: u8,
}

/// The I/O APIC.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwVioapic {
    pub base_address: u64,
    pub ioregsel: u32,
    pub id: u32,
    /// Union: `bits`: `u64`, `fields`: [`HvmHwVioapicFields`].
    pub redirtbl: [u64; 48],
}

/// The local APIC's hidden state.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwLapic {
    pub apic_base_msr: u64,
    pub disabled: u32,
    pub timer_divisor: u32,
    pub tdt_msr: u64,
    pub pending_esr: u32,
    pub _pad0: u32,
}

/// The local APIC's registers.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwLapicRegs {
    pub data: [u8; 1024],
}

/// Levels of PCI interrupt wires.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwPciIrqs {
    pub i: [u64; 2],
}

/// Levels of ISA interrupt wires.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwIsaIrqs {
    pub i: [u64; 1],
}

/// Routes of the four PCI links to ISA interrupts.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwPciLink {
    pub route: [u8; 4],
    pub pad0: [u8; 4],
}

/// A channel of the interval timer.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwPitChannel {
    pub count: u32,
    pub latched_count: u16,
    pub count_latched: u8,
    pub status_latched: u8,
    pub status: u8,
    pub read_state: u8,
    pub write_state: u8,
    pub write_latch: u8,
    pub rw_mode: u8,
    pub mode: u8,
    pub bcd: u8,
    pub gate: u8,
}

/// The interval timer (8254).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwPit {
    pub channels: [HvmHwPitChannel; 3],
    pub speaker_data_on: u32,
    pub pad0: u32,
}

/// The clock and its memory.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwRtc {
    pub cmos_data: [u8; 14],
    pub cmos_index: u8,
    pub pad0: u8,
    pub rtc_offset: i64,
}

/// The `timers` part of [`HvmHwHpet`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwHpetTimers {
    pub config: u64,
    pub cmp: u64,
    pub fsb: u64,
    pub res4: u64,
}

/// The HPET.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwHpet {
    pub capability: u64,
    pub res0: u64,
    pub config: u64,
    pub res1: u64,
    pub isr: u64,
    pub res2: [u64; 25],
    pub mc64: u64,
    pub res3: u64,
    pub timers: [HvmHwHpetTimers; 3],
    pub res5: [u64; 84],
    pub period: [u64; 3],
}

/// The ACPI timer and PM1a registers.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmHwPmtimer {
    pub tmr_val: u32,
    pub pm1a_sts: u16,
    pub pm1a_en: u16,
}

zeroed_default!(HvmHwVioapic, HvmHwLapicRegs, HvmHwHpet);
