//! Which registers and ports a guest reaches without an exit: the same for all guests.
//!
//! Registers that are the guest's own while it is loaded are; no port is.

use super::page::{Bytes, address, zeroed};
use alloc::boxed::Box;
use spin::Once;

/// FS, GS and kernel GS base, the system call registers, SYSENTER's.
const OWN: [u32; 10] = [
    0xc000_0100,
    0xc000_0101,
    0xc000_0102,
    0xc000_0081,
    0xc000_0082,
    0xc000_0083,
    0xc000_0084,
    0x174,
    0x175,
    0x176,
];

/// Bytes of the map of registers, two bits each.
const MSR_BYTES: usize = 0x2000;
/// Bytes of the map of ports, and some beyond the last.
const PORT_BYTES: usize = 0x3000;

struct Maps {
    registers: Box<Bytes<MSR_BYTES>>,
    ports: Box<Bytes<PORT_BYTES>>,
}

static MAPS: Once<Option<Maps>> = Once::new();

/// Machine addresses of the maps of registers and of ports. `None` when memory runs out.
pub fn maps() -> Option<(u64, u64)> {
    let maps = MAPS.call_once(|| {
        let mut registers = zeroed::<Bytes<MSR_BYTES>>()?;
        let mut ports = zeroed::<Bytes<PORT_BYTES>>()?;
        registers.0.fill(0xff);
        ports.0.fill(0xff);
        for msr in OWN {
            let (byte, shift) = place(msr);
            if let Some(byte) = registers.0.get_mut(byte) {
                *byte &= !(3 << shift);
            }
        }
        Some(Maps { registers, ports })
    });
    let maps = maps.as_ref()?;
    Some((address(&*maps.registers), address(&*maps.ports)))
}

/// Byte and bit of a register.
fn place(msr: u32) -> (usize, u32) {
    let base = match msr >> 16 {
        0 => 0,
        0xc000 => 0x800,
        _ => 0x1000,
    };
    let index = (msr & 0x1fff) as usize;
    (base + index / 4, (index % 4) as u32 * 2)
}
