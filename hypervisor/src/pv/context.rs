//! A PV vCPU's whole state as tools and its own kernel set and get it.
//!
//! A vCPU without a state may hold tables that an interrupted `set` took for it; the next
//! `set` goes on from them, and `reset` gives them back.

use super::debug::{checked_dr6, checked_dr7};
use super::descriptors::{MAX_LDT, drop_gdt, drop_ldt, take_gdt, take_ldt};
use super::emulator::CR4_GUEST;
use super::{GUEST_CS64, canonical, xstate};
use crate::domain::{Callback, Domain, VcpuState};
use crate::fail::Fail;
use crate::hv::Hypervisor;
use crate::mem::Tables;
use core::sync::atomic::Ordering;
use machine::regs::{VECTOR_NONE, rflags};
use machine::{Cpu, CpuApi, GuestRegs, Mfn, Page};
use xen_abi::Errno;
use xen_abi::arch_x86::{
    CpuUserRegs, TrapInfo, VGCF_failsafe_disables_events, VGCF_i387_valid, VGCF_in_kernel,
    VGCF_syscall_disables_events, VcpuGuestContext,
};

/// Descriptors in a page.
const PER_PAGE: u64 = 512;
/// CR0.TS.
const TS: u64 = 8;

/// Sets the state of a vCPU that does not run. Errors: `EINVAL` for a page table or GDT that is
/// not valid; `EOPNOTSUPP` for other tables than those of a vCPU that has a state; `Restart`
/// when validation was interrupted (the call is made again).
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
    check(ctx)?;
    if st.initialised {
        if !has_tables(st, ctx) {
            return Err(Errno::EOPNOTSUPP.into());
        }
    } else if let Err(fail) = take_tables(hv, cpu, dom, st, ctx) {
        if fail != Fail::Restart {
            release(hv, cpu, dom, st);
        }
        return Err(fail);
    }
    set_registers(st, ctx);
    set_handlers(st, ctx);
    if ctx.vm_assist != 0 {
        let assists = ctx.vm_assist & super::traps::ASSISTS;
        dom.assists.fetch_or(assists, Ordering::Relaxed);
    }
    st.initialised = true;
    Ok(())
}

/// What can be seen to be wrong without looking at the guest's memory. Errors: `EINVAL`.
fn check(ctx: &VcpuGuestContext) -> Result<(), Errno> {
    let addresses = [
        ctx.fs_base,
        ctx.gs_base_kernel,
        ctx.gs_base_user,
        ctx.user_regs.rip,
        ctx.kernel_sp,
        ctx.event_callback_eip,
        ctx.failsafe_callback_eip,
        ctx.syscall_callback_eip,
    ];
    let traps = ctx.trap_ctxt.iter().map(|trap| trap.address);
    let sound = ctx.gdt_ents <= 14 * PER_PAGE
        && ctx.ldt_ents <= u64::from(MAX_LDT)
        && (ctx.ldt_ents == 0 || ctx.ldt_base & 0xfff == 0)
        && machine::cpu::guest_va_ok(ctx.ldt_base, ctx.ldt_ents as usize * 8)
        && (ctx.flags & VGCF_in_kernel != 0 || ctx.ctrlreg[1] != 0)
        && addresses.into_iter().chain(traps).all(canonical);
    if sound { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Whether the context names the tables that the vCPU has.
fn has_tables(st: &VcpuState, ctx: &VcpuGuestContext) -> bool {
    let pages = ctx.gdt_ents.div_ceil(PER_PAGE) as usize;
    let gdt = st.pv.gdt.iter().zip(ctx.gdt_frames).enumerate();
    is_root(&st.root, ctx.ctrlreg[3])
        && is_root(&st.user_root, ctx.ctrlreg[1])
        && u64::from(st.pv.ldt_entries) == ctx.ldt_ents
        && (ctx.ldt_ents == 0 || st.ldt_base == ctx.ldt_base)
        && gdt.into_iter().all(|(i, (page, mfn))| match page {
            Some(page) => i < pages && page.mfn() == Mfn(mfn),
            None => i >= pages,
        })
}

/// The frame that a CR3 names. Zero is none.
fn root_of(cr3: u64) -> Option<Mfn> {
    (cr3 != 0).then_some(Mfn(cr3 >> 12))
}

fn is_root(page: &Option<Page>, cr3: u64) -> bool {
    page.as_ref().map(Page::mfn) == root_of(cr3)
}

/// Takes the tables that the context names for a vCPU that has no state. What was taken stays
/// with the vCPU when this is interrupted.
fn take_tables(
    hv: &Hypervisor,
    cpu: &mut Cpu,
    dom: &Domain,
    st: &mut VcpuState,
    ctx: &VcpuGuestContext,
) -> Result<(), Fail> {
    let mut tables = Tables {
        hv,
        cpu,
        dom,
        old: &mut st.old_tables,
    };
    tables.finish_old()?;
    take_root(&mut tables, &mut st.root, ctx.ctrlreg[3])?;
    if let Some(root) = &st.root {
        hv.mem.show_m2p(root, true);
    } else {
        return Err(Errno::EINVAL.into());
    }
    take_root(&mut tables, &mut st.user_root, ctx.ctrlreg[1])?;
    if let Some(user) = st
        .user_root
        .as_ref()
        .filter(|_| !is_root(&st.root, ctx.ctrlreg[1]))
    {
        // The guest's users have no business with it.
        hv.mem.show_m2p(user, false);
    }
    let count = ctx.gdt_ents.div_ceil(PER_PAGE) as usize;
    let frames = ctx.gdt_frames.get(..count).unwrap_or_default();
    let mut gdt = take_gdt(&mut tables, frames)?;
    let entries = ctx.ldt_ents as u32;
    let ldt = match take_ldt(&mut tables, st.root.as_ref(), ctx.ldt_base, entries) {
        Ok(ldt) => ldt,
        Err(fail) => {
            drop_gdt(&mut gdt);
            return Err(fail);
        }
    };
    let mut old = core::mem::replace(&mut st.pv.gdt, gdt);
    drop_gdt(&mut old);
    drop_ldt(st);
    st.pv.ldt = ldt;
    st.pv.ldt_entries = entries;
    st.ldt_base = ctx.ldt_base;
    Ok(())
}

/// Makes `slot` hold the root table that `cr3` names. Errors: `EINVAL`; `Restart`.
fn take_root(tables: &mut Tables, slot: &mut Option<Page>, cr3: u64) -> Result<(), Fail> {
    if is_root(slot, cr3) {
        return Ok(());
    }
    let new = match root_of(cr3) {
        Some(mfn) => {
            let owner = tables.dom.owner();
            let page = tables.hv.mem.get_page(mfn, owner).ok_or(Errno::EINVAL)?;
            tables.get_table(&page, 4)?;
            Some(page)
        }
        None => None,
    };
    match core::mem::replace(slot, new) {
        Some(old) => tables.put_table_later(old),
        None => Ok(()),
    }
}

/// Gives the tables of a vCPU that does not run back. `false` when there was no room to note
/// what was interrupted: some are left, and go when this is called again.
fn release(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, st: &mut VcpuState) -> bool {
    drop_gdt(&mut st.pv.gdt);
    drop_ldt(st);
    let mut tables = Tables {
        hv,
        cpu,
        dom,
        old: &mut st.old_tables,
    };
    for slot in [&mut st.user_root, &mut st.root] {
        if slot.is_some() && tables.old.is_full() {
            return false;
        }
        if let Some(page) = slot.take() {
            let _ = tables.put_table_later(page);
        }
    }
    true
}

/// Takes the state of a vCPU that does not run away. Errors: `ENOMEM`; `Restart` when that was
/// interrupted.
pub fn reset(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain, st: &mut VcpuState) -> Result<(), Fail> {
    let mut blank = VcpuState::new().ok_or(Errno::ENOMEM)?;
    st.initialised = false;
    let released = release(hv, cpu, dom, st);
    let mut tables = Tables {
        hv,
        cpu,
        dom,
        old: &mut st.old_tables,
    };
    tables.finish_old()?;
    if !released {
        return Err(Fail::Restart);
    }
    blank.pv.control = st.pv.control;
    *st = blank;
    Ok(())
}

/// What [`set`] would restore, of a vCPU that is on no CPU.
pub fn get(cpu: &Cpu, dom: &Domain, st: &VcpuState, ctx: &mut VcpuGuestContext) {
    get_registers(st, ctx);
    let (cr0, _) = cpu.control_regs();
    ctx.ctrlreg[0] = cr0 & !TS | if st.pv.task_switched { TS } else { 0 };
    let cr3 = |page: &Option<Page>| page.as_ref().map_or(0, |page| page.mfn().addr());
    ctx.ctrlreg[1] = cr3(&st.user_root);
    ctx.ctrlreg[3] = cr3(&st.root);
    ctx.ctrlreg[4] = st.cr4 & CR4_GUEST;
    ctx.trap_ctxt = *st.traps.table;
    for (slot, page) in ctx.gdt_frames.iter_mut().zip(&st.pv.gdt) {
        *slot = page.as_ref().map_or(0, |page| page.mfn().0);
    }
    ctx.gdt_ents = st.pv.gdt.iter().flatten().count() as u64 * PER_PAGE;
    ctx.ldt_base = st.ldt_base;
    ctx.ldt_ents = st.pv.ldt_entries.into();
    ctx.event_callback_eip = st.traps.event.address;
    ctx.failsafe_callback_eip = st.traps.failsafe.address;
    ctx.syscall_callback_eip = st.traps.syscall.address;
    for (on, flag) in [
        (st.kernel_mode, VGCF_in_kernel),
        (st.traps.failsafe.mask_events, VGCF_failsafe_disables_events),
        (st.traps.syscall.mask_events, VGCF_syscall_disables_events),
        (true, VGCF_i387_valid),
    ] {
        if on {
            ctx.flags |= flag;
        }
    }
    ctx.vm_assist = dom.assists.load(Ordering::Relaxed);
}

fn get_registers(st: &VcpuState, ctx: &mut VcpuGuestContext) {
    let r = &st.pv.regs;
    let [ds, es, fs, gs] = st.pv.selectors;
    ctx.user_regs = CpuUserRegs {
        r15: r.r15,
        r14: r.r14,
        r13: r.r13,
        r12: r.r12,
        rbp: r.rbp,
        rbx: r.rbx,
        r11: r.r11,
        r10: r.r10,
        r9: r.r9,
        r8: r.r8,
        rax: r.rax,
        rcx: r.rcx,
        rdx: r.rdx,
        rsi: r.rsi,
        rdi: r.rdi,
        rip: r.rip,
        cs: r.cs as u16,
        rflags: r.rflags & !rflags::IOPL | u64::from(st.iopl) << 12,
        rsp: r.rsp,
        ss: r.ss as u16,
        es,
        ds,
        fs,
        gs,
        ..Default::default()
    };
    ctx.fs_base = st.pv.fs_base;
    (ctx.gs_base_kernel, ctx.gs_base_user) = if st.kernel_mode {
        (st.pv.gs_base, st.pv.other_gs_base)
    } else {
        (st.pv.other_gs_base, st.pv.gs_base)
    };
    ctx.kernel_sp = st.kernel_sp;
    ctx.kernel_ss = st.kernel_ss.into();
    xstate::legacy(st.pv.fpu.bytes(), &mut ctx.fpu_ctxt);
    for (slot, value) in ctx.debugreg.iter_mut().zip(st.pv.debug_addr) {
        *slot = value;
    }
    ctx.debugreg[6] = st.pv.dr6;
    ctx.debugreg[7] = st.pv.dr7;
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
    st.pv.task_switched = ctx.ctrlreg[0] & TS != 0;
    st.cr4 = ctx.ctrlreg[4] & CR4_GUEST;
    let valid = ctx.flags & VGCF_i387_valid != 0;
    xstate::set_legacy(st.pv.fpu.bytes_mut(), valid.then_some(&ctx.fpu_ctxt));
    for (slot, value) in st.pv.debug_addr.iter_mut().zip(ctx.debugreg) {
        *slot = if machine::cpu::guest_va_ok(value, 8) {
            value
        } else {
            0
        };
    }
    st.pv.dr6 = checked_dr6(ctx.debugreg[6]);
    st.pv.dr7 = checked_dr7(ctx.debugreg[7]).unwrap_or(0x400);
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
