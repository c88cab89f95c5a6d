//! Ends of the machine: sleep, reset, halt.
//!
//! Why unsafe: maps registers, loads an empty IDT. Nothing here returns to normal work except
//! a sleep that the firmware refused.

use super::io::{self, inb, inw, outb, outl, outw};
use super::mmio::Mmio;
use crate::platform::{Platform, Register};

const SLEEP_ENABLE: u16 = 1 << 13;

fn write(register: Register, value: u8) {
    match register {
        Register::Port(port) => outb(port, value),
        Register::Memory(addr) => {
            if let Some(window) = Mmio::map(addr & !3, 4) {
                let shift = 8 * (addr & 3) as u32;
                let old = window.read32(0) & !(0xff << shift);
                window.write32(0, old | u32::from(value) << shift);
            }
        }
        Register::Pci(device, function, offset) => {
            let address = 0x8000_0000
                | u32::from(device & 31) << 11
                | u32::from(function & 7) << 8
                | u32::from(offset & !3);
            outl(0xcf8, address);
            outb(0xcfc + u16::from(offset & 3), value);
        }
    }
}

/// Writes PM1 control with sleep types for both halves and the enable bit. Returns only if
/// the machine did not sleep.
pub fn acpi_sleep(platform: &Platform, type_a: u8, type_b: u8) {
    let halves = [
        (platform.power.pm1a_control, type_a),
        (platform.power.pm1b_control, type_b),
    ];
    for enable in [0, SLEEP_ENABLE] {
        for (register, kind) in halves {
            let Some(Register::Port(port)) = register else {
                continue;
            };
            let kept = inw(port) & !(7 << 10) & !SLEEP_ENABLE;
            outw(port, kept | u16::from(kind & 7) << 10 | enable);
        }
    }
    super::clock::delay(100_000_000);
}

/// Turns the machine off if the firmware's S5 values are known; returns if it stays on.
pub fn power_off(platform: &Platform) {
    if let Some((a, b)) = platform.power.s5 {
        acpi_sleep(platform, a, b);
    }
}

/// Resets the machine, by one way after the other.
pub fn reboot() -> ! {
    let platform = super::start::platform();
    if let Some((p, register)) = platform.and_then(|p| Some((p, p.power.reset?))) {
        write(register, p.power.reset_value);
        super::clock::delay(50_000_000);
    }
    // The PCI chipset's reset register: hard reset, first the kind, then the trigger.
    outb(0xcf9, 0x02);
    outb(0xcf9, 0x06);
    super::clock::delay(50_000_000);
    for _ in 0..10 {
        for _ in 0..10_000 {
            if inb(0x64) & 2 == 0 {
                break;
            }
        }
        outb(0x64, 0xfe);
        super::clock::delay(1_000_000);
    }
    // An exception without an IDT shuts the processor down, which resets it.
    let empty = [0u16; 5];
    // SAFETY: nothing is to run after this.
    unsafe { core::arch::asm!("lidt [{}]", "ud2", in(reg) &empty, options(noreturn)) }
}

/// Whether a failure of the hypervisor reboots the machine; otherwise it halts.
pub fn set_crash_reboot(on: bool) {
    super::panic::set_reboot(on);
}

/// Stops this CPU for good.
pub fn halt() -> ! {
    io::halt_forever()
}
