//! Records of a vCPU's registers and extended state.

use crate::cpu_policy::Policy;
use crate::cx::Cx;
use crate::domain::{Domain, Vcpu, VcpuState};
use crate::hvm::context::KNOWN_FLAGS;
use crate::hvm::{HvmVcpu, control};
use crate::pv::xstate;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::offset_of;
use core::sync::atomic::Ordering;
use machine::hvm::{Event, EventKind, HvmApi, Reg, Seg, Segment};
use machine::regs::rflags;
use machine::{Cpu, CpuApi, GuestRegs};
use xen_abi::Errno;
use xen_abi::hvm::save::*;
use zerocopy::{FromBytes, IntoBytes};

/// In `pending_event`: there is one; it has an error code.
const EVENT_VALID: u32 = 1 << 31;
const EVENT_ERROR: u32 = 1 << 11;

/// The vCPU, which is on no CPU.
pub fn save(cpu: &Cpu, dom: &Domain, vcpu: &Vcpu, hvm: &mut HvmVcpu) -> HvmHwCpu {
    let [dr0, dr1, dr2, dr3] = *hvm.state.debug_addr();
    let s = &hvm.state;
    let r = &s.regs;
    let seg = |seg| s.segment(seg);
    let [es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr] = [
        Seg::Es,
        Seg::Cs,
        Seg::Ss,
        Seg::Ds,
        Seg::Fs,
        Seg::Gs,
        Seg::Gdtr,
        Seg::Ldtr,
        Seg::Idtr,
        Seg::Tr,
    ]
    .map(seg);
    let (pending_event, error_code) = s.event().map_or((0, 0), event_out);
    let mut record = HvmHwCpu {
        rax: r.rax,
        rbx: r.rbx,
        rcx: r.rcx,
        rdx: r.rdx,
        rbp: r.rbp,
        rsi: r.rsi,
        rdi: r.rdi,
        rsp: r.rsp,
        r8: r.r8,
        r9: r.r9,
        r10: r.r10,
        r11: r.r11,
        r12: r.r12,
        r13: r.r13,
        r14: r.r14,
        r15: r.r15,
        rip: r.rip,
        rflags: r.rflags,
        cr0: s.get(Reg::Cr0),
        cr2: s.get(Reg::Cr2),
        cr3: s.get(Reg::Cr3),
        cr4: s.get(Reg::Cr4),
        dr0,
        dr1,
        dr2,
        dr3,
        dr6: s.get(Reg::Dr6),
        dr7: s.get(Reg::Dr7),
        cs_sel: cs.selector.into(),
        ds_sel: ds.selector.into(),
        es_sel: es.selector.into(),
        fs_sel: fs.selector.into(),
        gs_sel: gs.selector.into(),
        ss_sel: ss.selector.into(),
        tr_sel: tr.selector.into(),
        ldtr_sel: ldtr.selector.into(),
        cs_limit: cs.limit,
        ds_limit: ds.limit,
        es_limit: es.limit,
        fs_limit: fs.limit,
        gs_limit: gs.limit,
        ss_limit: ss.limit,
        tr_limit: tr.limit,
        ldtr_limit: ldtr.limit,
        idtr_limit: idtr.limit,
        gdtr_limit: gdtr.limit,
        cs_base: cs.base,
        ds_base: ds.base,
        es_base: es.base,
        fs_base: fs.base,
        gs_base: gs.base,
        ss_base: ss.base,
        tr_base: tr.base,
        ldtr_base: ldtr.base,
        idtr_base: idtr.base,
        gdtr_base: gdtr.base,
        cs_arbytes: cs.attributes.into(),
        ds_arbytes: ds.attributes.into(),
        es_arbytes: es.attributes.into(),
        fs_arbytes: fs.attributes.into(),
        gs_arbytes: gs.attributes.into(),
        ss_arbytes: ss.attributes.into(),
        tr_arbytes: tr.attributes.into(),
        ldtr_arbytes: ldtr.attributes.into(),
        sysenter_cs: s.get(Reg::SysenterCs),
        sysenter_esp: s.get(Reg::SysenterEsp),
        sysenter_eip: s.get(Reg::SysenterEip),
        shadow_gs: s.get(Reg::KernelGsBase),
        msr_tsc_aux: s.get(Reg::TscAux),
        msr_lstar: s.get(Reg::Lstar),
        msr_star: s.get(Reg::Star),
        msr_cstar: s.get(Reg::Cstar),
        msr_syscall_mask: s.get(Reg::Sfmask),
        msr_efer: s.get(Reg::Efer),
        tsc: crate::time::tsc::read(cpu, dom).wrapping_add(crate::time::tsc_offset(vcpu)),
        pending_event,
        error_code,
        flags: XEN_X86_FPU_INITIALISED,
        ..HvmHwCpu::default()
    };
    xstate::legacy(s.fpu.bytes(), &mut record.fpu_regs);
    record
}

fn event_out(event: Event) -> (u32, u32) {
    let kind = match event.kind {
        EventKind::Interrupt => 0,
        EventKind::Nmi => 2,
        EventKind::Exception => 3,
        EventKind::Software => 4,
    };
    let error = event.error.map_or(0, |_| EVENT_ERROR);
    let info = u32::from(event.vector) | kind << 8 | error | EVENT_VALID;
    (info, event.error.unwrap_or(0))
}

/// The event of a record. Errors: `EINVAL` for a kind that is none.
fn event_in(record: &HvmHwCpu) -> Result<Option<Event>, Errno> {
    let info = record.pending_event;
    if info & EVENT_VALID == 0 {
        return Ok(None);
    }
    let kind = match info >> 8 & 7 {
        0 => EventKind::Interrupt,
        2 => EventKind::Nmi,
        3 => EventKind::Exception,
        4 => EventKind::Software,
        _ => return Err(Errno::EINVAL),
    };
    Ok(Some(Event {
        kind,
        vector: info as u8,
        error: (info & EVENT_ERROR != 0).then_some(record.error_code),
    }))
}

/// Takes a record over; the counter goes on from what it says. Errors: `EINVAL` for control
/// registers that do not go together.
pub fn load(
    cpu: &Cpu,
    vcpu: &Vcpu,
    hvm: &mut HvmVcpu,
    policy: &Policy,
    c: &HvmHwCpu,
) -> Result<(), Errno> {
    let event = event_in(c)?;
    let words = [c.cr0, c.cr4, c.msr_efer];
    if c.pad0 != 0 || c.flags & !XEN_X86_FPU_INITIALISED != 0 || !control::is_valid(words, policy) {
        return Err(Errno::EINVAL);
    }
    let tsc_aux = match crate::hvm::msr::has_tsc_aux(policy) {
        true => c.msr_tsc_aux,
        false => 0,
    };
    if tsc_aux > u32::MAX.into() {
        return Err(Errno::EINVAL);
    }
    let s = &mut hvm.state;
    for (reg, value) in [
        (Reg::Cr0, c.cr0),
        (Reg::Cr2, c.cr2),
        (Reg::Cr3, c.cr3),
        (Reg::Cr4, c.cr4),
        (Reg::Efer, c.msr_efer),
        // The upper halves are reserved.
        (Reg::Dr6, c.dr6 & 0xffff_ffff | 0xffff_0ff0),
        (Reg::Dr7, c.dr7 & 0xffff_2fff | 0x400),
        (Reg::SysenterCs, c.sysenter_cs),
        (Reg::SysenterEsp, c.sysenter_esp),
        (Reg::SysenterEip, c.sysenter_eip),
        (Reg::KernelGsBase, c.shadow_gs),
        (Reg::TscAux, tsc_aux),
        (Reg::Lstar, c.msr_lstar),
        (Reg::Star, c.msr_star),
        (Reg::Cstar, c.msr_cstar),
        (Reg::Sfmask, c.msr_syscall_mask),
    ] {
        s.set(reg, value);
    }
    *s.debug_addr() = [c.dr0, c.dr1, c.dr2, c.dr3];
    for (seg, selector, attributes, limit, base) in [
        (Seg::Cs, c.cs_sel, c.cs_arbytes, c.cs_limit, c.cs_base),
        (Seg::Ds, c.ds_sel, c.ds_arbytes, c.ds_limit, c.ds_base),
        (Seg::Es, c.es_sel, c.es_arbytes, c.es_limit, c.es_base),
        (Seg::Fs, c.fs_sel, c.fs_arbytes, c.fs_limit, c.fs_base),
        (Seg::Gs, c.gs_sel, c.gs_arbytes, c.gs_limit, c.gs_base),
        (Seg::Ss, c.ss_sel, c.ss_arbytes, c.ss_limit, c.ss_base),
        (Seg::Tr, c.tr_sel, c.tr_arbytes, c.tr_limit, c.tr_base),
        (
            Seg::Ldtr,
            c.ldtr_sel,
            c.ldtr_arbytes,
            c.ldtr_limit,
            c.ldtr_base,
        ),
        (Seg::Idtr, 0, 0, c.idtr_limit, c.idtr_base),
        (Seg::Gdtr, 0, 0, c.gdtr_limit, c.gdtr_base),
    ] {
        let segment = Segment {
            selector: selector as u16,
            attributes: attributes as u16 & 0xfff,
            limit,
            base,
        };
        s.set_segment(seg, segment);
    }
    s.regs = GuestRegs {
        rax: c.rax,
        rbx: c.rbx,
        rcx: c.rcx,
        rdx: c.rdx,
        rbp: c.rbp,
        rsi: c.rsi,
        rdi: c.rdi,
        rsp: c.rsp,
        r8: c.r8,
        r9: c.r9,
        r10: c.r10,
        r11: c.r11,
        r12: c.r12,
        r13: c.r13,
        r14: c.r14,
        r15: c.r15,
        rip: c.rip,
        rflags: c.rflags & KNOWN_FLAGS | rflags::FIXED,
        ..GuestRegs::default()
    };
    s.set_event(event);
    s.flush();
    crate::time::set_tsc_offset(vcpu, c.tsc.wrapping_sub(cpu.tsc()));
    let fpu = (c.flags & XEN_X86_FPU_INITIALISED != 0).then_some(&c.fpu_regs);
    xstate::set_legacy(s.fpu.bytes_mut(), fpu);
    hvm.look = true;
    Ok(())
}

/// A vCPU that was given registers is up.
pub fn bring_up(cx: &mut Cx, dom: &Arc<Domain>, vcpu: &Arc<Vcpu>) {
    vcpu.sched.initialised.store(true, Ordering::SeqCst);
    // It does not wait for a start any more.
    let _ = vcpu.posted.take_init();
    if !vcpu.sched.online() {
        cx.hv.sched.set_online(cx.cpu, dom, vcpu, true);
    }
}

/// Bytes before the image: which components there are, XCR0, and what it ever was.
const HEADER: usize = offset_of!(HvmHwCpuXsave, save_area);

/// The record of extended state; `None` without any. Errors: `ENOMEM`.
pub fn save_xstate(
    cpu: &Cpu,
    hvm: &HvmVcpu,
    policy: &Policy,
    accumulated: u64,
) -> Result<Option<Vec<u8>>, Errno> {
    let mask = policy.states();
    if mask == 0 {
        return Ok(None);
    }
    let xcr0 = hvm.state.fpu.xcr0;
    let accumulated = accumulated | xcr0;
    let image = hvm.state.fpu.bytes();
    let image = image.get(..xstate::size(cpu, accumulated)).unwrap_or(image);
    let mut record = Vec::new();
    record
        .try_reserve_exact(HEADER + image.len())
        .map_err(|_| Errno::ENOMEM)?;
    for word in [mask, xcr0, accumulated] {
        record.extend_from_slice(word.as_bytes());
    }
    record.extend_from_slice(image);
    Ok(Some(record))
}

/// Takes extended state over. Errors: `EINVAL`, `EOPNOTSUPP` as [`xstate::fill`].
pub fn load_xstate(
    cpu: &Cpu,
    st: &mut VcpuState,
    policy: &Policy,
    record: &[u8],
) -> Result<(), Errno> {
    let (words, area) = <[u64; 3]>::read_from_prefix(record).map_err(|_| Errno::EINVAL)?;
    let [_, xcr0, accumulated] = words;
    let hvm = st.hvm.as_mut().ok_or(Errno::EINVAL)?;
    let image = hvm.state.fpu.bytes_mut();
    xstate::fill(cpu, image, policy.states(), xcr0, accumulated, area)?;
    hvm.state.fpu.xcr0 = xcr0;
    st.xcr0_accum = accumulated;
    Ok(())
}
