//! Model-specific registers that exit. What is not here is a #GP; what the guest reaches
//! without an exit (segment bases, system calls) is the processor's.

use super::mmio;
use crate::cpu_policy::Policy;
use crate::cx::Cx;
use machine::hvm::{HvmApi, Reg};
use machine::{CpuApi, Gfn};
use xen_abi::arch_x86::cpufeatureset::{XEN_X86_FEATURE_RDPID, XEN_X86_FEATURE_RDTSCP};

/// Writing an address here fills the page with hypercall stubs.
pub const HYPERCALL_PAGE: u32 = 0x4000_0000;

const TSC: u32 = 0x10;
const APIC_BASE: u32 = 0x1b;
const UCODE_REV: u32 = 0x8b;
const MCG_CAP: u32 = 0x179;
const MCG_STATUS: u32 = 0x17a;
const MCG_CTL: u32 = 0x17b;
const MC_BANKS: u32 = 2;
const MC_FIRST: u32 = 0x400;
const MC_LAST: u32 = MC_FIRST + 4 * MC_BANKS - 1;
const PAT: u32 = 0x277;
const TSC_DEADLINE: u32 = 0x6e0;
const X2APIC: u32 = 0x800;
const X2APIC_LAST: u32 = 0x8ff;
const EFER: u32 = 0xc000_0080;
const TSC_AUX: u32 = 0xc000_0103;
const HWCR: u32 = 0xc001_0015;
const NB_CFG: u32 = 0xc001_001f;
const DE_CFG: u32 = 0xc001_1029;

/// Memory types that the page attribute table may name.
pub fn pat_ok(value: u64) -> bool {
    value
        .to_le_bytes()
        .iter()
        .all(|kind| matches!(kind, 0 | 1 | 4..=7))
}

/// Whether a processor has the register that RDTSCP and RDPID return.
pub fn has_tsc_aux(policy: &Policy) -> bool {
    let features = policy.features();
    features.has(XEN_X86_FEATURE_RDTSCP) || features.has(XEN_X86_FEATURE_RDPID)
}

/// Reads an MSR. `None` is a #GP.
pub fn read(cx: &mut Cx, msr: u32) -> Option<u64> {
    let now = cx.cpu.now();
    let hvm = cx.st.hvm.as_mut()?;
    if let Some(value) = hvm.mtrr.read(msr) {
        return Some(value);
    }
    match msr {
        TSC => Some(super::tsc(cx)),
        APIC_BASE => Some(hvm.lapic.base()),
        TSC_DEADLINE => Some(hvm.lapic.tsc_deadline()),
        EFER => Some(hvm.state.get(Reg::Efer)),
        PAT => Some(hvm.state.get(Reg::Pat)),
        X2APIC..=X2APIC_LAST => hvm.lapic.read_msr((msr - X2APIC) as u16, now),
        TSC_AUX if has_tsc_aux(cx.dom.cpu_policy(cx.hv)) => {
            cx.st.hvm.as_ref().map(|hvm| hvm.state.get(Reg::TscAux))
        }
        UCODE_REV | HWCR | NB_CFG | DE_CFG => cx.cpu.rdmsr(msr),
        MCG_CAP => Some(MC_BANKS as u64),
        MCG_STATUS => Some(0),
        MC_FIRST..=MC_LAST => Some(if msr & 3 == 0 { u64::MAX } else { 0 }),
        _ => None,
    }
}

/// Writes an MSR. `false` is a #GP.
pub fn write(cx: &mut Cx, msr: u32, value: u64) -> bool {
    let now = cx.cpu.now();
    let bits = cx.dom.cpu_policy(cx.hv).address_bits();
    let Some(hvm) = cx.st.hvm.as_mut() else {
        return false;
    };
    if let Some(done) = hvm.mtrr.write(msr, value, bits) {
        return done;
    }
    match msr {
        TSC => {
            // A counter that is made of system time is not the guest's to set.
            if cx.dom.tsc.get().emulated.is_none() {
                let offset = value.wrapping_sub(cx.cpu.tsc());
                crate::time::set_tsc_offset(cx.vcpu, offset);
                crate::time::enter(cx);
                if let Some(hvm) = &mut cx.st.hvm {
                    hvm.lapic.counter_changed();
                    hvm.look = true;
                }
            }
            true
        }
        APIC_BASE => {
            let done = hvm.lapic.set_base(value);
            mmio::arm_timer(cx.hv, cx.cpu, cx.vcpu, &hvm.lapic);
            cx.vcpu.posted.publish(hvm.lapic.address());
            done
        }
        TSC_DEADLINE => {
            hvm.lapic.set_tsc_deadline(value);
            hvm.look = true;
            mmio::arm_timer(cx.hv, cx.cpu, cx.vcpu, &hvm.lapic);
            true
        }
        EFER => hvm.set_efer(value),
        PAT if pat_ok(value) => {
            hvm.state.set(Reg::Pat, value);
            true
        }
        X2APIC..=X2APIC_LAST => match hvm.lapic.write_msr((msr - X2APIC) as u16, value, now) {
            Some(effect) => {
                mmio::carry_out(cx, effect);
                true
            }
            None => false,
        },
        HYPERCALL_PAGE => {
            let page = cx.dom.page(cx.hv.mem, Gfn(value >> 12));
            // Further pages are reserved.
            if let Some(page) = page.as_ref().filter(|_| value & 0xfff == 0) {
                super::hypercall::fill_page(page);
                super::domain::latch_width(cx);
            }
            page.is_some() && value & 0xfff == 0
        }
        TSC_AUX if has_tsc_aux(cx.dom.cpu_policy(cx.hv)) => {
            match (&mut cx.st.hvm, u32::try_from(value)) {
                (Some(hvm), Ok(value)) => {
                    hvm.state.set(Reg::TscAux, value.into());
                    true
                }
                _ => false,
            }
        }
        HWCR | NB_CFG | DE_CFG => cx.cpu.rdmsr(msr) == Some(value),
        UCODE_REV | MCG_STATUS | MCG_CTL => true,
        MC_FIRST..=MC_LAST => msr & 3 == 0 || value == 0,
        _ => false,
    }
}
