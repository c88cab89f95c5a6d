//! A vCPU's first state as its own guest sets it (`hvm/hvm_vcpu.h`).

use super::HvmVcpu;
use super::control::LMA;
use crate::pv::canonical;
use machine::hvm::{HvmApi, Reg, Seg, Segment};
use machine::regs::rflags;
use xen_abi::Errno;
use xen_abi::hvm::{VCPU_HVM_MODE_32B, VCPU_HVM_MODE_64B, VcpuHvmContext, VcpuHvmX8664};
use zerocopy::{FromBytes, IntoBytes};

const LME: u64 = 1 << 8;
/// Flags that code may start with: arithmetic ones, IF, DF, AC, ID.
const FLAGS: u64 = 0x24_0ed5;

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
}
