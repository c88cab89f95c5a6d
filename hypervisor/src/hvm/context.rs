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
use xen_abi::hvm::{VCPU_HVM_MODE_32B, VCPU_HVM_MODE_64B, VcpuHvmContext, VcpuHvmX8664};
use zerocopy::{FromBytes, IntoBytes};

const LME: u64 = 1 << 8;
/// Flags that code may start with: arithmetic ones, IF, DF, AC, ID.
const FLAGS: u64 = 0x24_0ed5;
/// Flags that there are.
pub const KNOWN_FLAGS: u64 = 0x3f_7fd7;

impl HvmVcpu {
    /// Takes over a state, with CR4 within `allowed`. Errors: `EINVAL` for one that no processor
    /// can be in; `EOPNOTSUPP` for one in 32-bit mode. The vCPU must not run before another try.
    pub fn set_context(&mut self, context: &VcpuHvmContext, allowed: u64) -> Result<(), Errno> {
        if context.pad != 0 {
            return Err(Errno::EINVAL);
        }
        match context.mode {
            VCPU_HVM_MODE_64B => {}
            VCPU_HVM_MODE_32B => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::EINVAL),
        }
        let (c, _) = VcpuHvmX8664::read_from_prefix(context.cpu_regs.as_bytes())
            .map_err(|_| Errno::EINVAL)?;
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
