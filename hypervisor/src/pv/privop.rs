//! Privileged instructions that a PV guest's kernel executes all the same.

use super::bounce::{inject, inject_page_fault};
use super::emulator::{AGAIN, Emulated};
use crate::cx::Cx;
use machine::CpuApi;
use x86_emulate::{Outcome, Result};

/// `ud2a; .ascii "xen"`: the next instruction is to be emulated.
const PREFIX: [u8; 5] = [0x0f, 0x0b, b'x', b'e', b'n'];

/// Serves an instruction with the forced-emulation prefix at the guest's instruction pointer.
/// `false` when there is none.
pub fn forced(cx: &mut Cx) -> bool {
    let rip = cx.cpu.regs().rip;
    // One word is read faster than five bytes, but may reach into a page that is not there.
    let bytes = match cx.cpu.get_guest::<u64>(rip) {
        Ok(word) => word.to_le_bytes(),
        Err(_) => {
            let mut bytes = [0; 8];
            match bytes.get_mut(..5).map(|part| cx.cpu.read_guest(rip, part)) {
                Some(Ok(())) => bytes,
                _ => return false,
            }
        }
    };
    if !bytes.starts_with(&PREFIX) {
        return false;
    }
    // CPUID is what the prefix is for.
    if let Ok([0x0f, 0xa2]) = cx.cpu.get_guest::<[u8; 2]>(rip.wrapping_add(5)) {
        let r = cx.cpu.regs();
        let (leaf, sub) = (r.rax as u32, r.rcx as u32);
        let [a, b, c, d] = crate::cpu_policy::guest::cpuid(cx, leaf, sub);
        let r = cx.cpu.regs_mut();
        (r.rax, r.rbx, r.rcx, r.rdx) = (a as u64, b as u64, c as u64, d as u64);
        r.rip = rip.wrapping_add(7);
        return true;
    }
    let result = x86_emulate::forced(&mut Emulated { cx });
    finish(cx, result)
}

/// Serves the privileged instruction at the guest's instruction pointer. `false` when the
/// guest has to have its #GP.
pub fn emulate(cx: &mut Cx) -> bool {
    let result = x86_emulate::privileged(&mut Emulated { cx });
    finish(cx, result)
}

/// Delivers what an emulation led to; `false` when nothing was done.
pub fn finish(cx: &mut Cx, result: Result) -> bool {
    match result {
        Ok(Outcome::Done { single_step }) => {
            cx.cpu.regs_mut().vector = machine::regs::VECTOR_NONE;
            if single_step {
                cx.st.pv.dr6 |= 1 << 14;
                inject(cx, 1, None);
            }
            true
        }
        Ok(Outcome::Unhandled) => false,
        Err(AGAIN) => true,
        // The code itself cannot be read: the guest has the fault that led here.
        Err(trap) if trap.vector == 14 && trap.error.is_some_and(|e| e & 16 != 0) => false,
        Err(trap) if trap.vector == 14 => {
            inject_page_fault(cx, trap.cr2, trap.error.unwrap_or(0));
            true
        }
        Err(trap) if trap.vector == 13 => false,
        Err(trap) => {
            inject(cx, trap.vector, trap.error);
            true
        }
    }
}
