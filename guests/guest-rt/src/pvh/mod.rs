//! Kernels that start as PVH guests: in a hardware virtual machine, with tables of their own.
//!
//! The image is the same as a PV kernel's and carries both entry points. Virtual addresses are
//! as in a PV kernel, and the low 4 GiB of guest-physical memory are mapped at their own
//! addresses too. The hypercall page is filled through its MSR.

pub mod apic;
pub mod cr;
mod entry;
mod map;
pub mod mmio;
pub mod narrow;
pub mod smp;
pub mod traps;

pub use entry::{hypervisor_leaf, start_info};
pub use map::{map_own, map_top};

use crate::hypercall::HyperResult;
use crate::mem::{self, Page};
use crate::{hypercall, local};
use core::sync::atomic::{AtomicBool, Ordering};
use xen_abi::memory::physmap::{AddToPhysmap, XENMAPSPACE_shared_info};
use xen_abi::memory::reservation::XENMEM_add_to_physmap;
use xen_abi::xen::DOMID_SELF;

static PVH: AtomicBool = AtomicBool::new(false);

/// Whether this kernel was started as a PVH guest.
pub fn is_pvh() -> bool {
    PVH.load(Ordering::Relaxed)
}

/// Guest-physical frame of a page.
pub fn gfn(page: Page) -> u64 {
    page.pfn()
}

/// Puts the shared page in place of a page of the pool and makes it the runtime's.
pub fn map_shared_info() -> HyperResult {
    let page = mem::alloc();
    let mut wish = AddToPhysmap {
        domid: DOMID_SELF,
        space: XENMAPSPACE_shared_info,
        gpfn: gfn(page),
        ..Default::default()
    };
    let result = hypercall::memory(XENMEM_add_to_physmap, &mut wish)?;
    mem::adopt_shared_info(page);
    local::this().vcpu_info.store(page.va(), Ordering::Relaxed);
    Ok(result)
}

pub(crate) fn started() {
    PVH.store(true, Ordering::Relaxed);
    traps::init();
}

/// A hypercall by VMMCALL itself.
pub fn vmmcall(nr: u64, args: [u64; 5]) -> HyperResult {
    let result: i64;
    // SAFETY: the hypercall ABI: five arguments in rdi, rsi, rdx, r10, r8, result in rax.
    unsafe {
        core::arch::asm!(
            "vmmcall",
            inlateout("rdi") args[0] => _,
            inlateout("rsi") args[1] => _,
            inlateout("rdx") args[2] => _,
            inlateout("r10") args[3] => _,
            inlateout("r8") args[4] => _,
            inlateout("rax") nr => result,
            out("rcx") _,
            out("r11") _,
        );
    }
    hypercall::split(result)
}
