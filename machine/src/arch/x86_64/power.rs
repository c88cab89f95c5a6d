//! Ends of the machine: sleep, reset, halt.
//!
//! Why unsafe: maps registers, loads an empty IDT. Nothing here returns to normal work except
//! a sleep that the firmware refused.

use super::io::{self, inb, inw, outb, outl, outw};
use super::mmio::Mmio;
use super::serial;
use crate::platform::{Platform, Register};
use crate::settings::{Reset, ResetMethod};

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
    serial::flush();
    let halves = [
        (platform.power.pm1a_control, type_a),
        (platform.power.pm1b_control, type_b),
    ];
    for enable in [0, SLEEP_ENABLE] {
        for (register, kind) in halves {
            let kind = u16::from(kind & 7) << 10 | enable;
            match register {
                Some(Register::Port(port)) => {
                    let kept = inw(port) & !(7 << 10) & !SLEEP_ENABLE;
                    outw(port, kept | kind);
                }
                Some(Register::Memory(addr)) if addr & 3 == 0 => {
                    if let Some(window) = Mmio::map(addr, 4) {
                        let kept = window.read32(0) & !(7 << 10) & !u32::from(SLEEP_ENABLE);
                        window.write32(0, kept | u32::from(kind));
                    }
                }
                _ => {}
            }
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

/// Notes for the firmware how the machine is to come up after a reset. Boot CPU, once: in a
/// crash it would be too late to map memory.
pub fn prepare(reset: &Reset) {
    /// The BIOS's word for the kind of a reset, in the upper half of this doubleword, and its
    /// value for one without a memory test.
    const RESET_WORD: u64 = 0x470;
    const WARM: u32 = 0x1234;
    if reset.warm
        && let Some(word) = Mmio::map(RESET_WORD, 4)
    {
        word.write32(0, word.read32(0) & 0xffff | WARM << 16);
    }
}

/// Resets the machine: by the way that the command line wants, then by all others.
pub fn reboot() -> ! {
    serial::flush();
    let wanted = super::start::settings().and_then(|settings| settings.reset.first);
    let all = [
        ResetMethod::Acpi,
        ResetMethod::Pci,
        ResetMethod::Keyboard,
        ResetMethod::Triple,
    ];
    for method in wanted.into_iter().chain(all) {
        reset(method);
    }
    io::halt_forever()
}

fn reset(method: ResetMethod) {
    match method {
        ResetMethod::Acpi => {
            let power = super::start::platform().map(|platform| &platform.power);
            if let Some((power, register)) = power.and_then(|p| Some((p, p.reset?))) {
                write(register, power.reset_value);
                super::clock::delay(50_000_000);
            }
        }
        // The PCI chipset's reset register: first the kind, then the trigger.
        ResetMethod::Pci => chipset(0x02),
        ResetMethod::Power => chipset(0x0a),
        ResetMethod::Keyboard => keyboard(),
        ResetMethod::Triple => {
            // An exception without an IDT shuts the processor down, which resets it.
            let empty = [0u16; 5];
            // SAFETY: nothing is to run after this.
            unsafe { core::arch::asm!("lidt [{}]", "ud2", in(reg) &empty, options(noreturn)) }
        }
    }
}

fn chipset(kind: u8) {
    outb(0xcf9, kind);
    outb(0xcf9, kind | 0x04);
    super::clock::delay(50_000_000);
}

/// The keyboard controller's output that is wired to the reset line.
fn keyboard() {
    for _ in 0..10 {
        for _ in 0..10_000 {
            if inb(0x64) & 2 == 0 {
                break;
            }
        }
        outb(0x64, 0xfe);
        super::clock::delay(1_000_000);
    }
}

/// Stops this CPU for good.
pub fn halt() -> ! {
    serial::flush();
    io::halt_forever()
}
