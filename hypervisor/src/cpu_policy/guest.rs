//! CPUID as a guest's instruction finds it: its domain's policy, the few bits that change while
//! it runs, and the hypervisor's own leaves at 0x40000000.

use super::policy::{EAX, EBX, ECX, EXTENDED, Policy, Regs};
use super::{Policies, build};
use crate::cx::Cx;
use machine::{Cpu, CpuApi};
use xen_abi::arch_x86::cpuid::*;

/// Of leaf 1 ECX.
pub const OSXSAVE: u32 = 1 << 27;
const CR4_OSXSAVE: u64 = 1 << 18;
/// Of leaf 0xd subleaf 1: XSAVEC or XSAVES, with which there are compacted images.
const COMPACTED: u32 = 1 << 1 | 1 << 3;
/// What hardware-virtualised guests find in leaf 4: which vCPU of which domain this is, and that
/// it can have upcalls by a vector of its own.
const HVM_FEATURES: u32 =
    XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT | XEN_HVM_CPUID_UPCALL_VECTOR;
/// End of the hypervisor's leaves.
const OWN_END: u32 = XEN_CPUID_FIRST_LEAF + 0x100;

/// Leaf `leaf`, subleaf `sub`, for a PV guest.
pub fn cpuid(cx: &Cx, leaf: u32, sub: u32) -> Regs {
    let mut regs = fixed(cx, leaf, sub);
    // PV kernels look for this before they set CR4 themselves.
    if leaf == 1 && cx.cpu.control_regs().1 & CR4_OSXSAVE != 0 && regs[ECX] & OSXSAVE >> 1 != 0 {
        regs[ECX] |= OSXSAVE;
    }
    regs
}

/// The same without what depends on the vCPU's control registers.
pub fn fixed(cx: &Cx, leaf: u32, sub: u32) -> Regs {
    let policy = cx.dom.cpu_policy(cx.hv);
    let plain = |leaves: &[Regs], n: u32| leaves.get(n as usize).copied().unwrap_or_default();
    match leaf {
        4 => plain(&policy.cache, sub),
        7 => plain(&policy.feature, sub),
        0xb => {
            // Which level was asked for is part of the answer.
            let [a, b, c, d] = plain(&policy.topology, sub);
            [a, b, c & !0xff | sub & 0xff, d]
        }
        0xd => {
            let mut regs = plain(&policy.xstate, sub);
            // The size of an image of what is switched on now.
            if sub == 0 && regs[0] != 0 || sub == 1 && regs[0] & COMPACTED != 0 {
                regs[EBX] = cx.cpu.cpuid(0xd, sub)[EBX];
            }
            regs
        }
        XEN_CPUID_FIRST_LEAF..OWN_END => own(cx, policy, leaf - XEN_CPUID_FIRST_LEAF, sub),
        EXTENDED.. => plain(&policy.extended, leaf - EXTENDED),
        _ => plain(&policy.basic, leaf),
    }
}

/// Makes CPUID fault in ring 3 on this CPU if it can, so that whatever a guest executes is
/// answered by [`cpuid`]. It stays so: every guest has a policy. `false` when the processor said
/// that it can and then refused.
pub fn start_cpu(policies: &Policies, cpu: &mut Cpu) -> bool {
    !build::has_faults(&policies.host) || cpu.wrmsr(build::MISC_FEATURES, 1)
}

/// The hypervisor's own leaves (Xen's public arch-x86/cpuid.h).
fn own(cx: &Cx, policy: &Policy, leaf: u32, sub: u32) -> Regs {
    let limit = match policy.hypervisor_limit[0] {
        0 => XEN_CPUID_MAX_NUM_LEAVES,
        limit => limit.clamp(2, XEN_CPUID_MAX_NUM_LEAVES),
    };
    if leaf > limit {
        return [0; 4];
    }
    let (major, minor) = crate::hypercall::version::VERSION;
    let hvm = cx.dom.hvm.get().is_some();
    match leaf {
        0 => [
            XEN_CPUID_FIRST_LEAF + limit,
            XEN_CPUID_SIGNATURE_EBX,
            XEN_CPUID_SIGNATURE_ECX,
            XEN_CPUID_SIGNATURE_EDX,
        ],
        1 => [major << 16 | minor, 0, 0, 0],
        // One hypercall page by MSR 0x40000000.
        2 => {
            let features = if hvm {
                0
            } else {
                XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD
            };
            // One hypercall page, by MSR 0x40000000.
            [1, XEN_CPUID_FIRST_LEAF, features, 0]
        }
        3 => {
            let [a, b, c, d] = crate::time::tsc::leaf(cx, sub);
            // An instruction that is not served to them.
            let without = if hvm && sub == 0 {
                XEN_CPUID_RDTSCP_INSTR_AVAIL
            } else {
                0
            };
            [a & !without, b, c, d]
        }
        4 if hvm => [HVM_FEATURES, cx.vcpu.id, cx.dom.id.into(), 0],
        // Bits of a machine address, which a PV guest's tables hold whatever its policy says of
        // its own.
        5 => [0, cx.hv.policies.host.extended[8][EAX] & 0xff, 0, 0],
        _ => [0; 4],
    }
}
