//! What a hardware-virtualised domain has beside what all have, and how it comes to it.

use super::devices::Devices;
use super::{HvmVcpu, params};
use crate::cx::Cx;
use crate::domain::{Domain, Vcpu};
use crate::hv::Hypervisor;
use crate::locks;
use crate::mem::p2m;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use machine::Cpu;
use machine::hvm::{HvmApi, Reg};
use machine::nested::Nested;
use spin::Once;
use xen_abi::Errno;
use xen_abi::hvm::HVM_NR_PARAMS;
use xen_abi::shared_info::{VCPU_INFO_SIZE, VCPU_INFO_UPCALL_MASK};

/// The page attribute table after reset (AMD's manual 2, 7.8.2).
const PAT: u64 = 0x0007_0406_0007_0406;
/// Bytes for a domain's tables unless the tools say otherwise, as Xen's.
const POOL: u64 = 1 << 20;

/// Its physical map and parameters.
pub struct HvmDomain {
    /// Guest-physical memory.
    pub nested: Arc<Nested>,
    /// Bytes that its tables may take, as the tools set and read them. Nothing is set aside: a
    /// table is a free frame. The control domain's are [`p2m`]'s to say.
    pub pool: AtomicU64,
    /// The highest guest frame that ever was anything.
    pub max_gfn: AtomicU64,
    /// The machine's devices, of a control domain.
    pub devices: Once<Devices>,
    /// `HVM_PARAM_*`.
    pub params: [AtomicU64; HVM_NR_PARAMS as usize],
}

impl HvmDomain {
    /// A domain with this physical map.
    pub fn new(nested: Arc<Nested>) -> HvmDomain {
        let params = core::array::from_fn(|index| AtomicU64::new(params::initial(index as u32)));
        HvmDomain {
            nested,
            pool: AtomicU64::new(POOL),
            max_gfn: AtomicU64::new(0),
            devices: Once::new(),
            params,
        }
    }

    /// A parameter.
    pub fn param(&self, index: u32) -> Option<&AtomicU64> {
        self.params.get(index as usize)
    }
}

/// The calling kernel begins, as it does with few calls, all of them early: what is shared with
/// it takes the form of the code that it runs just now.
pub fn latch_width(cx: &Cx) {
    let Some(hvm) = &cx.st.hvm else { return };
    cx.dom.set_width(hvm.width());
    // The clock is what it reads without any more calls.
    crate::time::show_wall(cx.hv, cx.dom);
}

/// Makes a domain that has no vCPUs yet a hardware-virtualised one. Errors: `ENOMEM`.
pub fn make(hv: &Hypervisor, cpu: &mut Cpu, dom: &Domain) -> Result<(), Errno> {
    let root = p2m::table_frame(hv, cpu).ok_or(Errno::ENOMEM)?;
    let nested = Arc::new(Nested::new(root, locks::P2M));
    dom.hvm.call_once(|| HvmDomain::new(nested));
    Ok(())
}

/// Gives a vCPU that never ran its state, if its domain is such a one. Errors: `ENOMEM`.
pub fn make_vcpu(dom: &Domain, vcpu: &Vcpu) -> Result<(), Errno> {
    let Some(own) = dom.hvm.get() else {
        return Ok(());
    };
    let mut hvm = HvmVcpu::new(own.nested.clone(), vcpu.id).ok_or(Errno::ENOMEM)?;
    hvm.state.set(Reg::Pat, PAT);
    // Nobody else has it yet.
    vcpu.state.try_lock().ok_or(Errno::EBUSY)?.hvm = Some(hvm);
    // Ticks are the local APIC's.
    crate::time::no_ticks(vcpu);
    // Interrupts are masked by the processor's own flag.
    let at = vcpu.id as usize * VCPU_INFO_SIZE + VCPU_INFO_UPCALL_MASK;
    if let Some(mask) = dom.shared_info.byte(at).filter(|_| vcpu.id < 32) {
        mask.store(0, Ordering::Relaxed);
    }
    Ok(())
}
