//! The local APIC, by its page and by its registers.

use super::mmio;
use crate::insn;

/// Where its page is.
pub const BASE: u64 = 0xfee0_0000;
/// Register offsets in the page (Intel SDM 3A, table 11-1).
pub const ID: u32 = 0x20;
/// Version.
pub const VERSION: u32 = 0x30;
/// Task priority.
pub const TPR: u32 = 0x80;
/// Processor priority.
pub const PPR: u32 = 0xa0;
/// End of interrupt.
pub const EOI: u32 = 0xb0;
/// Logical destination.
pub const LDR: u32 = 0xd0;
/// Destination format.
pub const DFR: u32 = 0xe0;
/// Spurious vector and enable bit.
pub const SVR: u32 = 0xf0;
/// In service, eight words.
pub const ISR: u32 = 0x100;
/// Requested, eight words.
pub const IRR: u32 = 0x200;
/// Errors.
pub const ESR: u32 = 0x280;
/// Interrupt command, low.
pub const ICR: u32 = 0x300;
/// Interrupt command, high.
pub const ICR_HIGH: u32 = 0x310;
/// Timer.
pub const LVT_TIMER: u32 = 0x320;
/// LINT0.
pub const LVT_LINT0: u32 = 0x350;
/// Errors.
pub const LVT_ERROR: u32 = 0x370;
/// Timer's initial count.
pub const TIMER_INITIAL: u32 = 0x380;
/// Timer's current count.
pub const TIMER_CURRENT: u32 = 0x390;
/// Timer's divider.
pub const TIMER_DIVIDE: u32 = 0x3e0;

/// Reads a register of the page.
pub fn read(register: u32) -> u32 {
    mmio::read32(BASE + u64::from(register))
}

/// Writes a register of the page.
pub fn write(register: u32, value: u32) {
    mmio::write32(BASE + u64::from(register), value);
}

/// Reads a register in x2APIC mode.
pub fn read_x2(register: u32) -> u64 {
    insn::rdmsr(0x800 + register / 16)
}

/// Writes a register in x2APIC mode.
pub fn write_x2(register: u32, value: u64) {
    insn::wrmsr(0x800 + register / 16, value);
}
