//! A vCPU's first state as its own guest sets it (`hvm/hvm_vcpu.h`), and its registers in the form
//! in which tools look at PV vCPUs, for debuggers and dumps.

use super::HvmVcpu;
use super::control::LMA;
use crate::pv::{canonical, xstate};
use machine::GuestRegs;
use machine::hvm::{HvmApi, Reg, Seg, Segment};
use machine::regs::rflags;
use xen_abi::Errno;
use xen_abi::arch_x86::{CpuUserRegs, VGCF_i387_valid, VGCF_in_kernel, VcpuGuestContext};
use xen_abi::hvm::{
    VCPU_HVM_MODE_32B, VCPU_HVM_MODE_64B, VcpuHvmContext, VcpuHvmX8632, VcpuHvmX8664,
};
use zerocopy::{FromBytes, IntoBytes};

const LME: u64 = 1 << 8;
/// Flags that code may start with: arithmetic ones, IF, DF, AC, ID.
const FLAGS: u64 = 0x24_0ed5;
/// Flags that there are.
pub const KNOWN_FLAGS: u64 = 0x3f_7fd7;

/// Bits of a segment's attributes, as in its descriptor without the limit's bits.
const TYPE: u16 = 0xf;
const ACCESSED: u16 = 1;
const WRITABLE: u16 = 1 << 1;
const BUSY: u16 = 1 << 1;
const CODE: u16 = 1 << 3;
const NOT_SYSTEM: u16 = 1 << 4;
const PRESENT: u16 = 1 << 7;
const DEFAULT_SIZE: u16 = 1 << 10;
const PAGES: u16 = 1 << 11;
/// What of them there is.
const KNOWN_ATTRIBUTES: u16 = 0xfff;
/// The type of a 32-bit TSS in use.
const BUSY_TSS: u16 = 11;

fn dpl(attributes: u16) -> u16 {
    attributes >> 5 & 3
}

/// Whether a register can hold a segment with these attributes.
fn fits(seg: Seg, attributes: u16) -> bool {
    let kind = attributes & TYPE;
    let code = kind & CODE != 0;
    let normal = attributes & NOT_SYSTEM != 0;
    attributes & !KNOWN_ATTRIBUTES == 0
        && attributes & PRESENT != 0
        && match seg {
            Seg::Cs => normal && code,
            Seg::Ss => normal && !code && kind & WRITABLE != 0,
            Seg::Tr => !normal && kind == BUSY_TSS,
            // The same bit says of code that it can be read.
            _ => normal && (!code || kind & WRITABLE != 0),
        }
}

/// The segments of a 32-bit state, the code's first. Present ones count as used. Errors: `EINVAL`.
fn segments(c: &VcpuHvmX8632) -> Result<[(Seg, Segment); 5], Errno> {
    if c.pad1 != 0 || c.pad2 != [0; 3] {
        return Err(Errno::EINVAL);
    }
    let one = |seg, attributes: u16, limit, base: u32| {
        let used = if seg == Seg::Tr { BUSY } else { ACCESSED };
        let attributes = match attributes & PRESENT {
            0 => attributes,
            _ => attributes | used,
        };
        let data = matches!(seg, Seg::Ds | Seg::Es);
        // Only data may have none at all.
        let ok = fits(seg, attributes) || data && attributes == 0;
        let segment = Segment {
            selector: 0,
            attributes,
            limit,
            base: base.into(),
        };
        ok.then_some((seg, segment)).ok_or(Errno::EINVAL)
    };
    let code = one(Seg::Cs, c.cs_ar, c.cs_limit, c.cs_base)?;
    let data = one(Seg::Ds, c.ds_ar, c.ds_limit, c.ds_base)?;
    let stack = one(Seg::Ss, c.ss_ar, c.ss_limit, c.ss_base)?;
    let extra = one(Seg::Es, c.es_ar, c.es_limit, c.es_base)?;
    let task = one(Seg::Tr, c.tr_ar, c.tr_limit, c.tr_base)?;
    let last = match c.cs_ar & PAGES {
        0 => c.cs_limit,
        _ => c.cs_limit << 12 | 0xfff,
    };
    let level = dpl(c.cs_ar);
    let reachable = |ar: u16| ar & PRESENT == 0 || dpl(ar) <= level;
    if c.eip > last || dpl(c.ss_ar) != level || !reachable(c.ds_ar) || !reachable(c.es_ar) {
        return Err(Errno::EINVAL);
    }
    Ok([code, data, stack, extra, task])
}

impl HvmVcpu {
    /// Takes over a state, with CR4 within `allowed`. Errors: `EINVAL` for one that no processor
    /// can be in. The vCPU must not run before another try.
    pub fn set_context(&mut self, context: &VcpuHvmContext, allowed: u64) -> Result<(), Errno> {
        if context.pad != 0 {
            return Err(Errno::EINVAL);
        }
        let regs = context.cpu_regs.as_bytes();
        match context.mode {
            VCPU_HVM_MODE_64B => {
                let (c, _) = VcpuHvmX8664::read_from_prefix(regs).map_err(|_| Errno::EINVAL)?;
                self.set_context_64(&c, allowed)
            }
            VCPU_HVM_MODE_32B => {
                let (c, _) = VcpuHvmX8632::read_from_prefix(regs).map_err(|_| Errno::EINVAL)?;
                self.set_context_32(&c, allowed)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn set_context_64(&mut self, c: &VcpuHvmX8664, allowed: u64) -> Result<(), Errno> {
        if !canonical(c.rip) || c.efer & LME == 0 || c.rflags & !FLAGS & !rflags::FIXED != 0 {
            return Err(Errno::EINVAL);
        }
        // From flat code without paging to 64-bit code with it, as a processor would go.
        self.start_flat(0, 0);
        let ok = self.set_cr4(c.cr4, allowed)
            && self.set_efer(c.efer & !LMA)
            && self.set_cr0(c.cr0)
            && self.state.get(Reg::Efer) & LMA != 0;
        if !ok {
            return Err(Errno::EINVAL);
        }
        self.state.set(Reg::Cr3, c.cr3);
        let code = Segment {
            attributes: 0xa9b,
            limit: u32::MAX,
            ..Segment::default()
        };
        self.state.set_segment(Seg::Cs, code);
        let r = &mut self.state.regs;
        (r.rax, r.rcx, r.rdx, r.rbx) = (c.rax, c.rcx, c.rdx, c.rbx);
        (r.rsp, r.rbp, r.rsi, r.rdi) = (c.rsp, c.rbp, c.rsi, c.rdi);
        (r.rip, r.rflags) = (c.rip, c.rflags | rflags::FIXED);
        Ok(())
    }

    /// From flat code without paging: to whatever paging the state says, in its segments.
    fn set_context_32(&mut self, c: &VcpuHvmX8632, allowed: u64) -> Result<(), Errno> {
        let segments = segments(c)?;
        let flags = u64::from(c.eflags);
        let lma = c.efer & LMA != 0 && c.efer & LME == 0;
        if lma || flags & !FLAGS & !rflags::FIXED != 0 {
            return Err(Errno::EINVAL);
        }
        self.start_flat(0, 0);
        let ok = self.set_cr4(c.cr4.into(), allowed)
            && self.set_efer(c.efer & !LMA)
            && self.set_cr0(c.cr0.into());
        // 64-bit code is not default-sized, and is found in long mode only.
        let [(_, code), ..] = segments;
        let long = self.state.get(Reg::Efer) & LMA != 0;
        let wide = code.attributes & Segment::L != 0;
        if !ok || long && wide && code.attributes & DEFAULT_SIZE != 0 {
            return Err(Errno::EINVAL);
        }
        self.state.set(Reg::Cr3, c.cr3.into());
        for (seg, segment) in segments {
            self.state.set_segment(seg, segment);
        }
        let r = &mut self.state.regs;
        [r.rax, r.rcx, r.rdx, r.rbx] = [c.eax, c.ecx, c.edx, c.ebx].map(u64::from);
        [r.rsp, r.rbp, r.rsi, r.rdi] = [c.esp, c.ebp, c.esi, c.edi].map(u64::from);
        (r.rip, r.rflags) = (c.eip.into(), flags | rflags::FIXED);
        Ok(())
    }

    /// Its registers, as far as the form has a place for them. It is on no CPU.
    pub fn show(&mut self, ctx: &mut VcpuGuestContext) {
        let debug = *self.state.debug_addr();
        let s = &self.state;
        let r = &s.regs;
        let selector = |seg| s.segment(seg).selector;
        ctx.flags = VGCF_i387_valid;
        if s.cpl() == 0 {
            ctx.flags |= VGCF_in_kernel;
        }
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
            cs: selector(Seg::Cs),
            rflags: r.rflags,
            rsp: r.rsp,
            ss: selector(Seg::Ss),
            es: selector(Seg::Es),
            ds: selector(Seg::Ds),
            fs: selector(Seg::Fs),
            gs: selector(Seg::Gs),
            ..Default::default()
        };
        xstate::legacy(s.fpu.bytes(), &mut ctx.fpu_ctxt);
        let words = [Reg::Cr0, Reg::Cr2, Reg::Cr3, Reg::Cr4].map(|reg| s.get(reg));
        let [cr0, cr2, cr3, cr4] = words;
        ctx.ctrlreg = [cr0, 0, cr2, cr3, cr4, 0, 0, 0];
        let [dr0, dr1, dr2, dr3] = debug;
        let (dr6, dr7) = (s.get(Reg::Dr6), s.get(Reg::Dr7));
        ctx.debugreg = [dr0, dr1, dr2, dr3, 0, 0, dr6, dr7];
        ctx.fs_base = s.segment(Seg::Fs).base;
        let (gs, other) = (s.segment(Seg::Gs).base, s.get(Reg::KernelGsBase));
        (ctx.gs_base_kernel, ctx.gs_base_user) = match s.cpl() {
            0 => (gs, other),
            _ => (other, gs),
        };
    }

    /// Takes general registers over that a debugger changed. It is on no CPU.
    pub fn adopt(&mut self, ctx: &VcpuGuestContext) {
        let u = &ctx.user_regs;
        self.state.regs = GuestRegs {
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
            rip: u.rip,
            rflags: u.rflags & KNOWN_FLAGS | rflags::FIXED,
            rsp: u.rsp,
            ..GuestRegs::default()
        };
    }
}
