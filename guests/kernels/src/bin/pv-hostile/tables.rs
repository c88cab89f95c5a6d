//! Page-table entries that would reach what is not this domain's.

use super::{HYPERVISOR, NON_CANONICAL, NOWHERE, free_frame};
use guest_rt::console::is_guest;
use guest_rt::harness::Outcome;
use guest_rt::mem::{self, pte};
use guest_rt::{all_refused, check, dom0_refused, hypercall, ok, refused, same};
use xen_abi::hypercall::UPDATE_VA_MAPPING_OTHERDOMAIN;
use xen_abi::memory::reservation::*;
use xen_abi::mmu::*;
use xen_abi::xen::{DOMID_IO, DOMID_SELF, DOMID_XEN};

pub fn foreign_frames() -> Outcome {
    let page = mem::alloc();
    let slot = mem::l1_slot(page.va());
    let shared = mem::start_info().shared_info >> 12;
    // RAM above the first MiB and below 896 MiB, one frame in 64.
    for mfn in (0x100..0x38000).step_by(64) {
        let ours = mem::mfn_to_pfn(mfn).is_ok_and(|pfn| mem::pfn_to_mfn(pfn) == mfn);
        if ours || mfn == shared {
            continue;
        }
        for flags in [pte::DATA, pte::RO] {
            let result = hypercall::set_entry(slot.ma, pte::entry(mfn, flags));
            check!(
                result == Err(16),
                "frame {mfn:#x} with flags {flags:#x}: {result:?}"
            );
        }
    }
    same!(mem::l1_slot(page.va()).entry, slot.entry);
    Ok(())
}

pub fn hypervisor_frames() -> Outcome {
    let list = mem::alloc();
    let mut arg = MachphysMfnList {
        max_extents: 1,
        extent_start: list.va(),
        ..Default::default()
    };
    ok!(hypercall::memory(XENMEM_machphys_mfn_list, &mut arg));
    let m2p = list.get(0);
    let page = mem::alloc();
    let slot = mem::l1_slot(page.va());
    all_refused! {
        hypercall::set_entry(slot.ma, pte::entry(m2p, pte::DATA)) => EBUSY;
        hypercall::set_entry(slot.ma, pte::entry(m2p, pte::RO)) => EBUSY;
    }
    // Privileged, and with the hypervisor's domain named, it may be read but not written.
    let request = |flags| MmuUpdate {
        ptr: slot.ma,
        val: pte::entry(m2p, flags),
    };
    let of_xen = |flags| hypercall::mmu_update_of(&[request(flags)], u64::from(DOMID_XEN)).0;
    dom0_refused! { of_xen(pte::DATA) => EBUSY; }
    if is_guest() {
        refused!(of_xen(pte::RO), EPERM);
    } else {
        ok!(of_xen(pte::RO));
    }
    ok!(page.protect(true));
    Ok(())
}

pub fn table_writable() -> Outcome {
    let info = mem::start_info();
    for i in 0..info.nr_pt_frames {
        let va = info.pt_base + i * 4096;
        let mfn = pte::mfn(mem::l1_slot(va).entry);
        refused!(
            hypercall::update_va_mapping(va, pte::entry(mfn, pte::DATA), UVMF_INVLPG),
            EBUSY
        );
        let page = mem::alloc();
        refused!(page.map(pte::entry(mfn, pte::DATA)), EBUSY);
        ok!(page.map(pte::entry(mfn, pte::RO)));
        ok!(page.protect(true));
    }
    Ok(())
}

pub fn reserved_bits() -> Outcome {
    let page = mem::alloc();
    all_refused! {
        page.map(pte::entry(page.mfn(), pte::DATA) | 1 << 51) => EPERM;
        page.map(pte::entry(page.mfn(), pte::DATA) | 1 << 45) => EPERM;
        page.map(pte::entry(0xf_ffff_ffff, pte::DATA)) => EPERM;
    }
    page.set(0, 1);
    Ok(())
}

pub fn foreign_table() -> Outcome {
    let frame = free_frame();
    let page = mem::alloc();
    all_refused! {
        hypercall::set_entry(frame << 12, 0) => EINVAL;
        hypercall::set_entry(0xf_ffff_ffff << 12, 0) => EINVAL;
        hypercall::set_entry(!7, 0) => EINVAL;
        hypercall::set_entry(0xfee0_0000, pte::entry(page.mfn(), pte::DATA)) => EINVAL;
    }
    Ok(())
}

pub fn no_table() -> Outcome {
    // A frame that is plain memory is written as memory; that gives no power over tables.
    let page = mem::alloc();
    same!(hypercall::set_entry(page.mfn() << 12 | 16, 0x77), Ok(0));
    same!(page.get(2), 0x77);
    Ok(())
}

pub fn bad_command() -> Outcome {
    let slot = mem::l1_slot(mem::alloc().va());
    refused!(hypercall::set_entry(slot.ma + 4, slot.entry), ENOSYS);
    Ok(())
}

pub fn bad_domain() -> Outcome {
    let page = mem::alloc();
    let slot = mem::l1_slot(page.va());
    let request = [MmuUpdate {
        ptr: slot.ma,
        val: slot.entry,
    }];
    all_refused! {
        hypercall::mmu_update_of(&request, 77).0 => ESRCH;
        hypercall::mmu_update_of(&request, u64::from(DOMID_SELF) | 78 << 16).0 => ESRCH;
    }
    // With I/O space alone allowed, memory is refused.
    let memory = [MmuUpdate {
        ptr: slot.ma,
        val: pte::entry(mem::alloc().mfn(), pte::DATA),
    }];
    refused!(
        hypercall::mmu_update_of(&memory, u64::from(DOMID_IO)).0,
        EBUSY
    );
    Ok(())
}

pub fn machphys_foreign() -> Outcome {
    all_refused! {
        hypercall::set_entry(free_frame() << 12 | MMU_MACHPHYS_UPDATE, 5) => EINVAL;
        hypercall::set_entry(0xf_ffff_ffff << 12 | MMU_MACHPHYS_UPDATE, 5) => EINVAL;
    }
    Ok(())
}

pub fn l4_reserved() -> Outcome {
    let l4 = mem::boot_l4_mfn() << 12;
    let l3 = ok!(mem::probe_read(mem::start_info().pt_base + 511 * 8));
    for slot in 256..272 {
        for entry in [0, l3] {
            refused!(hypercall::set_entry(l4 | (slot * 8), entry), EINVAL);
        }
    }
    Ok(())
}

pub fn self_map() -> Outcome {
    let l4 = mem::boot_l4_mfn();
    refused!(
        hypercall::set_entry((l4 << 12) | (8 * 8), pte::entry(l4, pte::DATA)),
        EINVAL
    );
    Ok(())
}

pub fn wrong_level() -> Outcome {
    let slots = mem::walk(mem::alloc().va());
    let [Some(l4), Some(l3), Some(l2), Some(l1)] = slots else {
        return Ok(());
    };
    let entry = |slot: mem::Slot| slot.entry;
    all_refused! {
        hypercall::set_entry(l3.ma & !0xfff, entry(l4)) => EINVAL;
        hypercall::set_entry(l3.ma & !0xfff, entry(l2)) => EINVAL;
        hypercall::set_entry(l2.ma & !0xfff | (400 * 8), entry(l1)) => EINVAL;
        hypercall::set_entry(l4.ma & !0xfff, entry(l2)) => EINVAL;
    }
    Ok(())
}

pub fn superpages() -> Outcome {
    let page = mem::alloc();
    let [Some(l4), Some(l3), Some(l2), _] = mem::walk(page.va()) else {
        return Ok(());
    };
    let free = |slot: mem::Slot| slot.ma & !0xfff | (300 * 8);
    for slot in [l4, l3, l2] {
        for mfn in [page.mfn() & !511, 0] {
            refused!(
                hypercall::set_entry(free(slot), pte::entry(mfn, pte::DATA | pte::PSE)),
                EINVAL
            );
        }
    }
    Ok(())
}

/// A table that the processor walks past the caches.
pub fn uncached() -> Outcome {
    let page = mem::alloc();
    let [Some(l4), Some(l3), Some(l2), _] = mem::walk(page.va()) else {
        return Ok(());
    };
    for slot in [l4, l3, l2] {
        for flag in [pte::PWT, pte::PCD] {
            refused!(hypercall::set_entry(slot.ma, slot.entry | flag), EINVAL);
        }
    }
    Ok(())
}

pub fn bad_va() -> Outcome {
    let page = mem::alloc();
    let entry = pte::entry(page.mfn(), pte::DATA);
    for va in HYPERVISOR {
        refused!(hypercall::update_va_mapping(va, entry, UVMF_INVLPG), EINVAL);
    }
    all_refused! {
        hypercall::update_va_mapping(NON_CANONICAL, entry, UVMF_INVLPG) => EINVAL;
        hypercall::update_va_mapping(NOWHERE, entry, UVMF_INVLPG) => EINVAL;
        hypercall::update_va_mapping(u64::MAX, entry, UVMF_INVLPG) => EINVAL;
        hypercall::update_va_mapping(page.va(), entry, NOWHERE | UVMF_INVLPG) => EFAULT;
    }
    Ok(())
}

pub fn other_domain() -> Outcome {
    let page = mem::alloc();
    let entry = pte::entry(page.mfn(), pte::DATA);
    let call = |domain: u64| {
        hypercall::call(
            UPDATE_VA_MAPPING_OTHERDOMAIN,
            [page.va(), entry, UVMF_INVLPG, domain, 0],
        )
    };
    refused!(call(77), ESRCH);
    refused!(call(0xffff), ESRCH);
    Ok(())
}

pub fn direct_writes() -> Outcome {
    // A write to an L1 entry is emulated, with the same checks; to other levels it traps.
    let page = mem::alloc();
    let [Some(l4), Some(l3), Some(l2), Some(l1)] = mem::walk(page.va()) else {
        return Ok(());
    };
    for bad in [
        pte::entry(free_frame(), pte::DATA),
        pte::entry(mem::boot_l4_mfn(), pte::DATA),
    ] {
        let result = mem::probe_write(l1.va, bad);
        check!(
            result.is_err_and(|f| f.vector == 14 && f.cr2 == l1.va),
            "L1: {result:x?}"
        );
    }
    for slot in [l2, l3, l4] {
        let result = mem::probe_write(slot.va, slot.entry);
        check!(
            result.is_err_and(|f| f.vector == 14 && f.cr2 == slot.va),
            "higher: {result:x?}"
        );
    }
    same!(mem::l1_slot(page.va()).entry, l1.entry);
    Ok(())
}
