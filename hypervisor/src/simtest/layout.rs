//! Where a simulated guest has what: its frames by number, and where they are mapped.
//!
//! A domain's first frames are, in this order: a stack for each vCPU, two pages for the
//! arguments of each vCPU's calls, data, and page tables of level 4 to 1. All are mapped one
//! after the other from [`BASE`] on, the tables read-only; what follows is free for mappings.

use super::value::SPECIAL;
use crate::pv::{GUEST_CS64, GUEST_SS};
use alloc::boxed::Box;
use core::sync::atomic::Ordering::Relaxed;
use machine::{Mem, Mfn};
use xen_abi::arch_x86::{TrapInfo, VGCF_in_kernel, VGCF_online, VcpuGuestContext};

/// Domains there are at first: the control domain and two others. A slot is also the domain's id.
pub const SLOTS: u8 = 3;
/// vCPUs of each.
pub const VCPUS: u8 = 2;
/// First data frame.
pub const FIRST_DATA: u16 = 3 * VCPUS as u16;
/// Data frames.
pub const DATA: u16 = 16;
/// First of the tables: level 4, 3, 2, 1.
pub const FIRST_TABLE: u16 = FIRST_DATA + DATA;
/// Frames that a domain is built of.
pub const FRAMES: u16 = FIRST_TABLE + 4;
/// Pages beyond them that are used for mappings.
pub const SPARE: u16 = 16;

/// Where frame 0 is mapped.
pub const BASE: u64 = 0x40_0000;

/// Where the kernel does what its script says.
pub const PROGRAM: u64 = 0x1000;
/// Where exceptions go.
pub const HANDLER: u64 = 0x2000;
/// Where events go.
pub const EVENT: u64 = 0x3000;
/// Where system calls of its users go.
pub const SYSCALL: u64 = 0x4000;
/// Where its users are.
pub const USER: u64 = 0x5000;

/// Address of frame `n`.
pub fn va(n: u16) -> u64 {
    BASE + u64::from(n) * 4096
}

/// Top of a vCPU's stack.
pub fn stack(vcpu: u8) -> u64 {
    va(vcpu.into()) + 4096
}

/// Address of a vCPU's argument pages.
pub fn args(vcpu: u8) -> u64 {
    va(u16::from(VCPUS) + 2 * u16::from(vcpu))
}

/// Bytes of them.
pub const ARGS: u16 = 8192;

/// Present, writable, for users.
const RWU: u64 = 7;

/// Writes tables into a new domain's frames. `false`, and nothing written, unless all are there
/// and still of no use.
pub fn furnish(mem: Mem, owner: u32, frames: &[u64]) -> bool {
    let pages: Option<alloc::vec::Vec<_>> = frames
        .iter()
        .map(|mfn| mem.get_page(Mfn(*mfn), owner))
        .collect();
    let Some(pages) = pages.filter(|pages| {
        pages.len() == usize::from(FRAMES) && pages.iter().all(|p| p.info().page_type().1 == 0)
    }) else {
        return false;
    };
    let table = |level: u16| &pages[usize::from(FIRST_TABLE + 4 - level)];
    for level in 1..5 {
        table(level).clear();
    }
    let below = |level: u16| table(level - 1).mfn().addr() | RWU;
    table(4).words()[0].store(below(4), Relaxed);
    table(3).words()[0].store(below(3), Relaxed);
    table(2).words()[(BASE >> 21) as usize].store(below(2), Relaxed);
    for (slot, (word, page)) in (0..).zip(table(1).words().iter().zip(&pages)) {
        let flags = if slot < FIRST_TABLE { RWU } else { RWU & !2 };
        word.store(page.mfn().addr() | flags, Relaxed);
    }
    true
}

/// What a vCPU of such a domain starts with.
pub fn context(vcpu: u8, root: u64) -> Box<VcpuGuestContext> {
    let mut ctx = Box::new(VcpuGuestContext::default());
    ctx.flags = VGCF_in_kernel | VGCF_online;
    ctx.user_regs.rip = PROGRAM;
    ctx.user_regs.rsp = stack(vcpu);
    ctx.user_regs.cs = GUEST_CS64;
    ctx.user_regs.ss = GUEST_SS;
    ctx.user_regs.rflags = 0x200;
    for (vector, trap) in ctx.trap_ctxt.iter_mut().enumerate() {
        *trap = TrapInfo {
            vector: vector as u8,
            flags: if vector == 3 || vector == 0x80 { 3 } else { 0 },
            cs: GUEST_CS64,
            address: HANDLER,
            ..TrapInfo::default()
        };
    }
    ctx.kernel_sp = stack(vcpu);
    ctx.kernel_ss = GUEST_SS.into();
    ctx.ctrlreg[3] = root << 12;
    ctx.ctrlreg[1] = root << 12;
    ctx.event_callback_eip = EVENT;
    ctx.failsafe_callback_eip = HANDLER;
    ctx.syscall_callback_eip = SYSCALL;
    ctx
}

/// Number of the shared page among a domain's special frames.
pub const SHARED: u16 = SPECIAL;
