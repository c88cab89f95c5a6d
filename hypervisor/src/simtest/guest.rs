//! What the guests of these tests do: hypercalls by number, with their arguments in memory.

use super::bed::*;
use machine::arch::sim::{GuestCpu, GuestOp};
use xen_abi::xen::DOMID_SELF;

pub const MMU_UPDATE: u64 = 1;
pub const UPDATE_VA_MAPPING: u64 = 14;
pub const MMUEXT_OP: u64 = 26;
pub const SCHED_OP: u64 = 29;

/// The vCPU waits for an event, which never comes: the end of its part.
pub fn block() -> GuestOp {
    GuestOp::Hypercall {
        nr: SCHED_OP,
        args: [1, 0, 0, 0, 0, 0],
    }
}

/// `mmu_update` of some entries: each (machine address of the entry and command, value).
pub fn mmu_update(g: &GuestCpu<'_>, at: u64, updates: &[(u64, u64)]) -> GuestOp {
    for (i, (ptr, value)) in (0u64..).zip(updates) {
        if let Some(fault) = put(g, at + i * 16, *ptr).or_else(|| put(g, at + i * 16 + 8, *value)) {
            return fault;
        }
    }
    let args = [at, updates.len() as u64, 0, DOMID_SELF.into(), 0, 0];
    GuestOp::Hypercall {
        nr: MMU_UPDATE,
        args,
    }
}

/// `mmuext_op` with one operation.
pub fn mmuext(g: &GuestCpu<'_>, at: u64, cmd: u32, arg1: u64, arg2: u64) -> GuestOp {
    let words = [(0, cmd.into()), (8, arg1), (16, arg2)];
    if let Some(fault) = words
        .into_iter()
        .find_map(|(offset, value)| put(g, at + offset, value))
    {
        return fault;
    }
    GuestOp::Hypercall {
        nr: MMUEXT_OP,
        args: [at, 1, 0, DOMID_SELF.into(), 0, 0],
    }
}

pub fn update_va(va: u64, value: u64, flags: u64) -> GuestOp {
    GuestOp::Hypercall {
        nr: UPDATE_VA_MAPPING,
        args: [va, value, flags, 0, 0, 0],
    }
}

/// Writes an argument; when that faults, the operation that faults for real.
fn put(g: &GuestCpu<'_>, va: u64, value: u64) -> Option<GuestOp> {
    g.write(va, 8, value)
        .err()
        .map(|_| GuestOp::Write { va, size: 8, value })
}

/// The handler of all exceptions: forgets what was under way and begins again.
pub fn install_handler(bed: &Bed) {
    bed.machine.program(HANDLER, |g| {
        (g.regs.rip, g.regs.rsp) = (PROGRAM, stack(g.cpu));
        Some(GuestOp::Work { ns: 10 })
    });
}
