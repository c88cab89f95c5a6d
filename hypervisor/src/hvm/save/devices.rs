//! Records of the local APIC, memory types, machine check and further MSRs.

use super::exactly;
use crate::cpu_policy::Policy;
use crate::cx::Cx;
use crate::domain::Vcpu;
use crate::hvm::mtrr::Mtrr;
use crate::hvm::{HvmVcpu, mmio, msr};
use alloc::sync::Arc;
use machine::CpuApi;
use machine::hvm::{HvmApi, Reg};
use xen_abi::Errno;
use xen_abi::hvm::save::*;
use zerocopy::FromBytes;

/// What of `MCG_CAP` a guest may have: a number of banks, a control register, recovery.
const MCG_CAP: u64 = 0xff | 1 << 8 | 1 << 24;

/// Takes one of the two records of a local APIC over; the other part stays as it is. Errors:
/// `EINVAL`.
pub fn load_lapic(
    cx: &mut Cx,
    vcpu: &Arc<Vcpu>,
    hvm: &mut HvmVcpu,
    code: u16,
    record: &[u8],
) -> Result<(), Errno> {
    let now = cx.cpu.now();
    let (mut hidden, mut regs) = hvm.lapic.save(now);
    if code == HVM_SAVE_CODE_LAPIC {
        hidden = exactly(record)?;
    } else {
        regs = exactly(record)?;
    }
    if !hvm.lapic.restore(&hidden, &regs, now) {
        return Err(Errno::EINVAL);
    }
    hvm.look = true;
    mmio::arm_timer(cx.hv, cx.cpu, vcpu, &hvm.lapic);
    vcpu.posted.publish(hvm.lapic.address());
    Ok(())
}

/// The record of memory types.
pub fn save_mtrr(hvm: &HvmVcpu) -> HvmHwMtrr {
    hvm.mtrr.save(hvm.state.get(Reg::Pat))
}

/// Errors: `EINVAL` for types that there are not.
pub fn load_mtrr(hvm: &mut HvmVcpu, policy: &Policy, record: &HvmHwMtrr) -> Result<(), Errno> {
    if !msr::pat_ok(record.msr_pat_cr) {
        return Err(Errno::EINVAL);
    }
    hvm.mtrr = Mtrr::restore(record, policy.address_bits()).ok_or(Errno::EINVAL)?;
    hvm.state.set(Reg::Pat, record.msr_pat_cr);
    Ok(())
}

/// A machine check that a guest may have. Errors: `EINVAL`.
pub fn vmce(record: &HvmVmceVcpu) -> Result<HvmVmceVcpu, Errno> {
    if record.caps & !MCG_CAP != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(*record)
}

/// Further MSRs: there are none, so each can only be zero. Errors: `EINVAL`.
pub fn check_msrs(record: &[u8]) -> Result<(), Errno> {
    let (head, mut rest) = HvmMsr::read_from_prefix(record).map_err(|_| Errno::EINVAL)?;
    let whole = (head.count as usize).checked_mul(size_of::<HvmOneMsr>());
    if whole != Some(rest.len()) {
        return Err(Errno::EINVAL);
    }
    while let Ok((msr, after)) = HvmOneMsr::read_from_prefix(rest) {
        if msr.val != 0 || msr._rsvd != 0 {
            return Err(Errno::EINVAL);
        }
        rest = after;
    }
    Ok(())
}
