//! Whether what a vCPU runs may use an I/O port (AMD's manual 2, 12.2.4).
//!
//! The processor asks this of the instruction that it meets. Where that instruction is emulated
//! it is asked again: it was fetched anew, and another vCPU may have made another of it.

use super::control::{CR0_PE, LMA};
use super::copy;
use crate::cx::Cx;
use machine::CpuApi;
use machine::hvm::{HvmApi, Reg, Seg};

const VM: u64 = 1 << 17;
/// Where a task state segment says where its bitmap is.
const BITMAP: u64 = 0x66;
/// Bits of a segment's type, of which this one is a 32- or 64-bit task state segment's.
const TYPE: u16 = 0xd;
const TSS: u16 = 9;

/// Whether ports `port` to `port + bytes - 1` are open to it: by its privilege level, or by the
/// bitmap.
pub fn may(cx: &mut Cx, port: u16, bytes: u8) -> bool {
    let flags = cx.cpu.regs().rflags;
    let Some(hvm) = &mut cx.st.hvm else {
        return false;
    };
    if hvm.state.get(Reg::Cr0) & CR0_PE == 0 {
        return true;
    }
    let virtual_8086 = flags & VM != 0 && hvm.state.get(Reg::Efer) & LMA == 0;
    if !virtual_8086 && u64::from(hvm.state.cpl()) <= flags >> 12 & 3 {
        return true;
    }
    hvm.state.sync();
    let tss = hvm.state.segment(Seg::Tr);
    if tss.attributes & TYPE != TSS {
        return false;
    }
    let word = |at: u64| {
        let mut bytes = [0; 2];
        let inside = at < u64::from(tss.limit);
        let read = inside && copy::read_kernel(cx, tss.base.wrapping_add(at), &mut bytes).is_ok();
        read.then_some(u16::from_le_bytes(bytes))
    };
    // A bit each; the byte after a port's own is looked at, too.
    let closed = word(BITMAP).and_then(|start| word(u64::from(start) + u64::from(port / 8)));
    closed.is_some_and(|bits| bits >> (port % 8) & ((1 << bytes.min(4)) - 1) == 0)
}
