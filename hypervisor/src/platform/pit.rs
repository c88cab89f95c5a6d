//! The interval timer's second channel and the speaker's gate, for the control domain.
//!
//! Nobody else uses the channel once the boot code has measured its clocks, so its commands go
//! to the hardware. Channels 0 and 1 are the host's: a command for them does nothing, and their
//! ports read as all ones. Lock: the one of register pairs (`Irqs::config`), for the gate.

use crate::hv::Hypervisor;
use machine::{Cpu, CpuApi};

/// Channel 2's counter.
pub const COUNTER: u16 = 0x42;
/// Commands.
pub const COMMAND: u16 = 0x43;
/// The gate of channel 2 (bit 0), the speaker (bit 1), and the channel's output (bit 5).
pub const GATE: u16 = 0x61;

/// Which channel a command is for; 3 is a command to read several back.
const SELECT: u32 = 0xc0;
const SELECT_2: u32 = 0x80;
/// In a command to read back: channel 2, and the bits that do not name channels.
const BACK_2: u32 = 0x08;
const BACK_REST: u32 = 0xf8;
/// What a domain may change of the gate's port.
const GATE_BITS: u32 = 3;

/// Reads a byte of one of the three ports; a command cannot be read.
pub fn read(cpu: &mut Cpu, port: u16) -> u32 {
    match port {
        COUNTER | GATE => cpu.port_in(port, 1),
        _ => u32::MAX,
    }
}

/// Writes a byte to one of the three ports, as far as it is for channel 2.
pub fn write(hv: &Hypervisor, cpu: &mut Cpu, port: u16, value: u32) {
    match port {
        COUNTER => cpu.port_out(COUNTER, 1, value),
        COMMAND if value & SELECT == SELECT_2 => cpu.port_out(COMMAND, 1, value),
        COMMAND if value & SELECT == SELECT && value & BACK_2 != 0 => {
            cpu.port_out(COMMAND, 1, value & BACK_REST);
        }
        GATE => {
            let _held = hv.irqs.config.lock();
            let kept = cpu.port_in(GATE, 1) & !GATE_BITS & 0xff;
            cpu.port_out(GATE, 1, kept | value & GATE_BITS);
        }
        _ => {}
    }
}
