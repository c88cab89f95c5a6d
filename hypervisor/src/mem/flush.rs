//! TLB flushes that guests ask for.

use crate::cx::Cx;
use crate::fail::Fail;
use crate::guest::GuestPtr;
use machine::{CpuApi, CpuMask, Flush};
use xen_abi::Errno;
use xen_abi::mmu::{UVMF_ALL, UVMF_FLUSHTYPE_MASK, UVMF_INVLPG, UVMF_TLB_FLUSH};

/// The CPUs on which the vCPUs of a guest's bitmap run just now. Errors: `EFAULT`.
pub fn vcpu_mask(cx: &mut Cx, bitmap: GuestPtr<u8>) -> Result<CpuMask, Errno> {
    let mut mask = CpuMask::EMPTY;
    for (word, vcpus) in cx.dom.clone().vcpus.chunks(8).enumerate() {
        let bits: u8 = cx.copy_in(bitmap.add(word as u64))?;
        for (bit, vcpu) in vcpus.iter().enumerate() {
            if bits >> bit & 1 == 0 {
                continue;
            }
            if let Some(vcpu) = vcpu.get().filter(|vcpu| vcpu.sched.is_running()) {
                mask.set(vcpu.sched.cpu.load(core::sync::atomic::Ordering::SeqCst));
            }
        }
    }
    Ok(mask)
}

/// The flush that an update's flags ask for: none, one page or all; on this CPU, on all that
/// the domain runs on, or on those of a bitmap.
#[inline]
pub fn after_update(cx: &mut Cx, va: u64, flags: u64) -> Result<(), Fail> {
    if flags == UVMF_INVLPG {
        // The commonest, on this CPU.
        cx.cpu.flush_local(Flush::Page(va));
        return Ok(());
    }
    let what = match flags & UVMF_FLUSHTYPE_MASK {
        UVMF_TLB_FLUSH => Flush::All,
        UVMF_INVLPG => Flush::Page(va),
        _ => return Ok(()),
    };
    let target = flags & !UVMF_FLUSHTYPE_MASK;
    if target == 0 {
        cx.cpu.flush_local(what);
        return Ok(());
    }
    let mask = if target == UVMF_ALL {
        cx.dom.dirty_cpus.load()
    } else {
        vcpu_mask(cx, GuestPtr::new(target))?
    };
    cx.cpu.flush(&mask, what);
    Ok(())
}
