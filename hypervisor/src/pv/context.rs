//! A PV vCPU's whole state as tools and its own kernel set it.

use super::descriptors::{drop_gdt, take_gdt};
use super::{GUEST_CS64, canonical};
use crate::domain::{Callback, Domain, VcpuState};
use crate::fail::Fail;
use crate::hv::Hypervisor;
use crate::mem::Tables;
use core::sync::atomic::Ordering;
use machine::regs::{VECTOR_NONE, rflags};
use machine::{Cpu, GuestRegs, Mfn};
use xen_abi::Errno;
use xen_abi::arch_x86::{
    TrapInfo, VGCF_failsafe_disables_events, VGCF_i387_valid, VGCF_in_kernel,
    VGCF_syscall_disables_events, VcpuGuestContext,
};

/// Descriptors in a page of the GDT.
const PER_PAGE: u64 = 512;

/// Sets the state of a vCPU that does not run. Errors: `EINVAL` for a page table or GDT that is
/// not valid, `Restart` when validation was interrupted (the call is made again).
pub fn set(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    st: &mut VcpuState,
    ctx: &VcpuGuestContext,
) -> Result<(), Fail> {
    // Under the lock of the state: what a dying domain's vCPUs held is given back once.
    if dom.dying.load(Ordering::SeqCst) {
        return Err(Errno::ESRCH.into());
    }
    let bases = [ctx.fs_base, ctx.gs_base_kernel, ctx.gs_base_user];
    let addresses = [
        ctx.user_regs.rip,
        ctx.kernel_sp,
        ctx.event_callback_eip,
        ctx.failsafe_callback_eip,
        ctx.syscall_callback_eip,
    ];
    let traps = ctx.trap_ctxt.iter().map(|trap| trap.address);
    if ctx.gdt_ents > 14 * PER_PAGE
        || ctx.ldt_ents > 8192
        || !bases
            .into_iter()
            .chain(addresses)
            .chain(traps)
            .all(canonical)
    {
        return Err(Errno::EINVAL.into());
    }
    let mut tables = Tables {
        hv,
        cpu,
        dom,
        old: &mut st.old_tables,
    };
    tables.finish_old()?;
    let root = take_root(&mut tables, ctx.ctrlreg[3])?.ok_or(Errno::EINVAL)?;
    let count = ctx.gdt_ents.div_ceil(PER_PAGE) as usize;
    let frames = ctx.gdt_frames.get(..count).unwrap_or_default();
    let taken = take_root(&mut tables, ctx.ctrlreg[1])
        .and_then(|user| take_gdt(&mut tables, frames).map(|gdt| (user, gdt)));
    let (user, gdt) = match taken {
        Ok(taken) => taken,
        Err(fail) => {
            tables.put_table_later(root)?;
            return Err(fail);
        }
    };
    let old_roots = [
        st.root.replace(root),
        core::mem::replace(&mut st.user_root, user),
    ];
    let mut tables = Tables {
        hv,
        cpu,
        dom,
        old: &mut st.old_tables,
    };
    for old in old_roots.into_iter().flatten() {
        tables.put_table_later(old)?;
    }
    let mut old_gdt = core::mem::replace(&mut st.pv.gdt, gdt);
    drop_gdt(&mut old_gdt);
    set_registers(st, ctx);
    set_handlers(st, ctx);
    if ctx.vm_assist != 0 {
        dom.assists.fetch_or(ctx.vm_assist, Ordering::Relaxed);
    }
    st.initialised = true;
    Ok(())
}

/// A root table named by a CR3 in the form of the guest's `ctrlreg`: frame number, its upper
/// bits folded to the bottom. Zero is none.
fn take_root(tables: &mut Tables, cr3: u64) -> Result<Option<machine::Page>, Fail> {
    if cr3 == 0 {
        return Ok(None);
    }
    let mfn = Mfn(cr3 >> 12 | (cr3 & 0xffe) << 52);
    let owner = tables.dom.owner();
    let page = tables.hv.mem.get_page(mfn, owner).ok_or(Errno::EINVAL)?;
    tables.get_table(&page, 4)?;
    Ok(Some(page))
}

fn set_registers(st: &mut VcpuState, ctx: &VcpuGuestContext) {
    let u = &ctx.user_regs;
    st.pv.regs = GuestRegs {
        r15: u.r15,
        r14: u.r14,
        r13: u.r13,
        r12: u.r12,
        rbp: u.rbp,
        rbx: u.rbx,
        r11: u.r11,
        r10: u.r10,
        r9: u.r9,
        r8: u.r8,
        rax: u.rax,
        rcx: u.rcx,
        rdx: u.rdx,
        rsi: u.rsi,
        rdi: u.rdi,
        error: 0,
        vector: VECTOR_NONE,
        rip: u.rip,
        cs: u.cs as u64 | 3,
        rflags: u.rflags & !(rflags::IOPL | rflags::VM | rflags::VIF | rflags::VIP | rflags::NT)
            | rflags::IF
            | rflags::FIXED,
        rsp: u.rsp,
        ss: u.ss as u64 | 3,
    };
    // The guest's own I/O privilege; the processor's stays zero.
    st.iopl = (u.rflags >> 12 & 3) as u8;
    st.kernel_mode = ctx.flags & VGCF_in_kernel != 0;
    st.pv.selectors = [u.ds, u.es, u.fs, u.gs];
    st.pv.fs_base = ctx.fs_base;
    let (gs, other) = if st.kernel_mode {
        (ctx.gs_base_kernel, ctx.gs_base_user)
    } else {
        (ctx.gs_base_user, ctx.gs_base_kernel)
    };
    st.pv.gs_base = gs;
    st.pv.other_gs_base = other;
    st.kernel_sp = ctx.kernel_sp;
    st.kernel_ss = ctx.kernel_ss as u16 | 3;
    if ctx.flags & VGCF_i387_valid != 0
        && let Some(image) = st.pv.fpu.bytes_mut().get_mut(..512)
    {
        image.copy_from_slice(&ctx.fpu_ctxt);
    }
    for (slot, value) in st.pv.debug_addr.iter_mut().zip(ctx.debugreg) {
        *slot = if machine::cpu::guest_va_ok(value, 8) {
            value
        } else {
            0
        };
    }
}

fn set_handlers(st: &mut VcpuState, ctx: &VcpuGuestContext) {
    for (vector, entry) in ctx.trap_ctxt.iter().enumerate() {
        if let Some(slot) = st.traps.table.get_mut(vector) {
            *slot = TrapInfo {
                cs: entry.cs | 3,
                vector: vector as u8,
                ..*entry
            };
        }
    }
    let callback = |address: u64, mask: bool| Callback {
        cs: GUEST_CS64,
        address: if canonical(address) { address } else { 0 },
        mask_events: mask,
    };
    st.traps.event = callback(ctx.event_callback_eip, true);
    st.traps.failsafe = callback(
        ctx.failsafe_callback_eip,
        ctx.flags & VGCF_failsafe_disables_events != 0,
    );
    st.traps.syscall = callback(
        ctx.syscall_callback_eip,
        ctx.flags & VGCF_syscall_disables_events != 0,
    );
}
